//! [`Task::wait_for`]: awaiting a task with a limit, without leaving it half-cancelled.
//!
//! A `timeout` around a handle drops the handle, which only asks for the task's end. This one
//! asks as well, and then waits for it: whoever goes on knows that the task is gone.
//!
//! # Not here
//! Limits for other futures: `timeout`, `wait_for`.
#![forbid(unsafe_code)]

use std::fmt::{self, Debug, Formatter};
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use super::{Sleep, now, sleep};
use crate::error::{Cancelled, JoinError};
use crate::task::Task;

impl<T> Task<T> {
    /// Awaits the task; when `limit` has passed cancels it, and waits for its end.
    ///
    /// The limit counts from this call; `None` is no limit. The whole may take longer than the
    /// limit, by what the task needs to end. A limit of zero gives the result of a task that has
    /// ended, and cancels any other before it runs again: one that was never polled never runs.
    ///
    /// # Errors
    /// [`JoinError::Cancelled`] with [`is_timeout`](JoinError::is_timeout) if the limit cancelled
    /// it. A value that the task still produced is given, and so is a panic of its end. Otherwise
    /// as for awaiting the task.
    ///
    /// # Panics
    /// With a limit above zero: when it has to wait without a running loop on this thread.
    ///
    /// # Cancel safety
    /// That of awaiting the handle: dropping it before the end cancels the task, and does not wait.
    ///
    /// # asyncio
    /// `wait_for(task, limit)`.
    ///
    /// # Examples
    /// ```
    /// use std::time::Duration;
    ///
    /// petla::run(async {
    ///     let never = petla::spawn(std::future::pending::<()>());
    ///     let error = never.wait_for(Duration::from_millis(1)).await.unwrap_err();
    ///     assert!(error.is_timeout());
    /// });
    /// ```
    #[track_caller]
    pub fn wait_for(self, limit: impl Into<Option<Duration>>) -> WaitForTask<T> {
        let limit = limit.into();
        WaitForTask {
            task: self,
            limit: match limit {
                None => Limit::Never,
                Some(Duration::ZERO) => Limit::AtOnce,
                Some(limit) => Limit::After(sleep(limit)),
            },
            set_at: Location::caller(),
        }
    }
}

/// The future of [`Task::wait_for`].
#[must_use = "futures do nothing unless awaited"]
pub struct WaitForTask<T> {
    task: Task<T>,
    limit: Limit,
    set_at: &'static Location<'static>,
}

#[derive(Debug)]
enum Limit {
    /// There is none, or it has done its work.
    Never,
    AtOnce,
    After(Sleep),
}

impl<T> Future for WaitForTask<T> {
    type Output = Result<T, JoinError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        let polled = Pin::new(&mut this.task).poll(cx);
        if polled.is_ready() {
            return polled;
        }
        let deadline = match &mut this.limit {
            Limit::Never => return Poll::Pending,
            Limit::AtOnce => now(),
            Limit::After(limit) => {
                let deadline = limit.deadline();
                if Pin::new(limit).poll(cx).is_pending() {
                    return Poll::Pending;
                }
                deadline
            }
        };
        this.limit = Limit::Never;
        this.task
            .cancel_because(Cancelled::by_deadline(deadline, this.set_at));
        Poll::Pending
    }
}

impl<T> Debug for WaitForTask<T> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("WaitForTask")
            .field("task", &self.task)
            .field("limit", &self.limit)
            .finish()
    }
}
