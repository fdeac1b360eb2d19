//! [`RemoteTask`]: a task of another thread's loop.
//!
//! Two halves share one cell behind a mutex: the handle, which waits (as a future on any
//! executor, or by blocking a plain thread) and cancels, and the runner, which lives in a task
//! on the loop's thread and sets the result exactly once.
//!
//! # Invariants
//! - **Answered**: the runner's drop sets `Cancelled` unless a result was set. It is dropped in
//!   every case: after the task, with a refused post, or by the closing loop. So no waiter hangs.
//! - **Outside**: wakers are called and dropped, and results dropped, after the mutex is
//!   released.
//!
//! # Cost
//! One allocation for the cell, one lock a poll of the runner.
//! # Not here
//! The way there (`mailbox`).

use std::fmt::{self, Debug, Formatter};
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use crate::context;
use crate::error::{Cancelled, JoinError, Panic, Reason};
use crate::rt::{Arc, Condvar, Mutex, lock};
use crate::task::report;
use crate::task::token::wake_safely;

struct Shared<T> {
    state: Mutex<State<T>>,
    ended: Condvar,
}

struct State<T> {
    result: Option<Result<T, JoinError>>,
    /// The result is set, or was and has been taken.
    done: bool,
    /// The handle is gone: a panic has to be reported.
    abandoned: bool,
    cancelled: Option<Cancelled>,
    /// Who awaits the handle.
    waiter: Option<Waker>,
    /// The runner's task.
    task: Option<Waker>,
    /// The work of a worker that blocks on the handle: virtual time may pass meanwhile.
    paused: Option<context::Paused>,
}

impl<T> State<T> {
    /// # Panics
    /// If the result was taken before.
    fn take(&mut self) -> Option<Result<T, JoinError>> {
        let result = self.result.take();
        assert!(
            result.is_some() || !self.done,
            "a task was awaited again after it gave its result"
        );
        result
    }
}

/// A task of another thread's loop: await it anywhere, or block a plain thread on it.
///
/// Dropping it lets the task run on; its panic is then reported to the loop's exception handler.
///
/// # Cancel safety
/// **Strict** for a borrowed handle.
///
/// # asyncio
/// The `concurrent.futures.Future` of `run_coroutine_threadsafe`.
pub struct RemoteTask<T> {
    shared: Arc<Shared<T>>,
}

/// The half that travels to the loop.
pub(super) struct Runner<F, T> {
    f: F,
    answer: Answer<T>,
}

/// Sets the result; see **Answered**.
struct Answer<T> {
    shared: Arc<Shared<T>>,
    spawned_at: &'static Location<'static>,
}

pub(super) fn pair<F, T>(
    f: F,
    spawned_at: &'static Location<'static>,
) -> (RemoteTask<T>, Runner<F, T>) {
    let state = State {
        result: None,
        done: false,
        abandoned: false,
        cancelled: None,
        waiter: None,
        task: None,
        paused: None,
    };
    let shared = Arc::new(Shared {
        state: Mutex::new(state),
        ended: Condvar::new(),
    });
    let answer = Answer {
        shared: Arc::clone(&shared),
        spawned_at,
    };
    (RemoteTask { shared }, Runner { f, answer })
}

impl<F: AsyncFnOnce() -> T, T> Runner<F, T> {
    /// Makes the future, on the loop's thread, and drives it until it ends or is cancelled.
    pub(super) async fn run(self) {
        let Runner { f, answer } = self;
        if answer.cancel_requested(None).is_some() {
            return; // before its first poll: it never runs
        }
        let result = answer.drive(f).await;
        // The future is gone by now: whoever sees the result may rely on that.
        answer.set(|_| result);
    }
}

impl<T> Answer<T> {
    /// The cancellation asked for; otherwise `task` is woken when one is.
    fn cancel_requested(&self, task: Option<&Waker>) -> Option<Cancelled> {
        let task = task.cloned();
        let mut state = lock(&self.shared.state);
        if let Some(cancelled) = state.cancelled.clone() {
            return Some(cancelled);
        }
        let old = std::mem::replace(&mut state.task, task);
        drop(state);
        drop(old);
        None
    }

    /// Makes the future and polls it to its end, or until a cancel is asked for.
    async fn drive<F: AsyncFnOnce() -> T>(&self, f: F) -> Result<T, JoinError> {
        let panicked = |payload| Err(JoinError::Panicked(Panic::new(payload)));
        let mut future = match catch_unwind(AssertUnwindSafe(|| f())) {
            Ok(future) => pin!(Some(future)),
            Err(payload) => return panicked(payload),
        };
        let result = poll_fn(|cx| {
            if let Some(cancelled) = self.cancel_requested(Some(cx.waker())) {
                return Poll::Ready(Err(JoinError::Cancelled(cancelled)));
            }
            let inner = future.as_mut().as_pin_mut().expect("dropped below");
            match catch_unwind(AssertUnwindSafe(|| inner.poll(cx))) {
                Ok(poll) => poll.map(Ok),
                Err(payload) => Poll::Ready(panicked(payload)),
            }
        })
        .await;
        // A destructor that panics makes it a panicked task, as it does for any other.
        match catch_unwind(AssertUnwindSafe(|| future.set(None))) {
            Ok(()) => result,
            Err(payload) => panicked(payload),
        }
    }

    /// Answers, unless that was done. `result` gets the cancellation that was asked for; it is
    /// made under the lock, so that no cancel is told it was heard and then forgotten.
    fn set(&self, result: impl FnOnce(Option<Cancelled>) -> Result<T, JoinError>) {
        let mut state = lock(&self.shared.state);
        if state.done {
            return;
        }
        state.done = true;
        let result = result(state.cancelled.take());
        let unseen = if state.abandoned {
            Some(result)
        } else {
            state.result = Some(result);
            None
        };
        let (waiter, task) = (state.waiter.take(), state.task.take());
        let paused = state.paused.take();
        drop(state);
        drop(paused); // while this loop is busy: its time stands still again
        self.shared.ended.notify_all();
        drop(task);
        if let Some(waiter) = waiter {
            wake_safely(waiter);
        }
        report_unseen(unseen);
    }
}

/// What nobody will take: a panic is reported, as for any task.
fn report_unseen<T>(result: Option<Result<T, JoinError>>) {
    if let Some(Err(JoinError::Panicked(panic))) = result {
        let message = "a task spawned from another thread panicked and nobody awaited it";
        report::panicked(message, None, panic.into_payload());
    }
}

impl<T> Drop for Answer<T> {
    fn drop(&mut self) {
        self.set(|asked| {
            let reason = "its task was dropped, or its loop closed";
            let dropped = || Cancelled::new(Reason::from(reason), self.spawned_at);
            Err(JoinError::Cancelled(asked.unwrap_or_else(dropped)))
        });
    }
}

impl<T: Send> RemoteTask<T> {
    /// Blocks this thread until the task has ended.
    ///
    /// # Errors
    /// As awaiting it.
    ///
    /// # Panics
    /// On a thread that runs a loop, which it would block: await the handle there.
    ///
    /// # asyncio
    /// `concurrent.futures.Future.result()`.
    #[track_caller]
    pub fn join(self) -> Result<T, JoinError> {
        refuse_on_loop();
        let mut state = lock(&self.shared.state);
        if !state.done {
            // In this lock: whoever answers takes it, so there is no moment between.
            state.paused = context::pause();
        }
        loop {
            if let Some(result) = state.take() {
                return result;
            }
            state = self
                .shared
                .ended
                .wait(state)
                .unwrap_or_else(|poisoned| poisoned.into_inner());
        }
    }

    /// Blocks this thread until the task has ended or `limit` has passed; then the handle comes
    /// back as the error and the task runs on. The limit is one of real time.
    ///
    /// # Errors
    /// The handle, at the limit; inside, as awaiting it.
    ///
    /// # Panics
    /// On a thread that runs a loop.
    #[track_caller]
    pub fn join_timeout(self, limit: Duration) -> Result<Result<T, JoinError>, Self> {
        refuse_on_loop();
        let deadline = Instant::now().checked_add(limit);
        let mut state = lock(&self.shared.state);
        loop {
            if let Some(result) = state.take() {
                return Ok(result);
            }
            // A deadline beyond the clock's range is no deadline: an hour at a time.
            let left = deadline.map_or(Duration::from_secs(3600), |deadline| {
                deadline.saturating_duration_since(Instant::now())
            });
            if left.is_zero() {
                drop(state);
                return Err(self);
            }
            state = match self.shared.ended.wait_timeout(state, left) {
                Ok((state, _)) => state,
                Err(poisoned) => poisoned.into_inner().0,
            };
        }
    }

    /// Asks for the task's end; `false` if it had ended. See [`Task::cancel`](crate::Task::cancel).
    #[track_caller]
    pub fn cancel(&self, reason: impl Into<Reason>) -> bool {
        let cancelled = Cancelled::new(reason.into(), Location::caller());
        let mut state = lock(&self.shared.state);
        if state.done {
            return false;
        }
        state.cancelled.get_or_insert(cancelled);
        let task = state.task.take();
        drop(state);
        if let Some(task) = task {
            task.wake();
        }
        true
    }

    /// Has the task ended?
    pub fn is_finished(&self) -> bool {
        lock(&self.shared.state).done
    }
}

#[track_caller]
pub(super) fn refuse_on_loop() {
    assert!(
        !context::is_loop_thread(),
        "blocking on a task would block this thread's event loop: await the handle instead"
    );
}

impl<T: Send> Future for RemoteTask<T> {
    type Output = Result<T, JoinError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let waker = cx.waker().clone();
        let mut state = lock(&self.shared.state);
        if let Some(result) = state.take() {
            drop(state);
            return Poll::Ready(result);
        }
        let old = state.waiter.replace(waker);
        drop(state);
        drop(old);
        Poll::Pending
    }
}

impl<T> Drop for RemoteTask<T> {
    fn drop(&mut self) {
        let mut state = lock(&self.shared.state);
        state.abandoned = true;
        let (result, waiter) = (state.result.take(), state.waiter.take());
        drop(state);
        drop(waiter);
        report_unseen(result);
    }
}

impl<T> Debug for RemoteTask<T> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let done = lock(&self.shared.state).done;
        f.debug_struct("RemoteTask")
            .field("finished", &done)
            .finish()
    }
}
