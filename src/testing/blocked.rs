//! [`wait_all_tasks_blocked`].
//!
//! # Not here
//! When that moment is: `kernel`.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use crate::kernel::{IdleState, IdleWait, Kernel};

/// Waits until every other task of this loop waits for something: all that could happen has
/// happened.
///
/// That is when no task is ready, and neither a descriptor nor another thread has made one so. It
/// comes before an automatic clock jumps, so a task that sleeps is blocked. If several tasks wait
/// for it, all go on at once; those that call it again wait for the next time. Works on real
/// clocks as well.
///
/// # Panics
/// When it is polled without a running loop on this thread.
///
/// # Cancel safety
/// **Strict.**
///
/// ```
/// use petla::{local::Event, spawn, testing};
/// use std::rc::Rc;
///
/// testing::run(async {
///     let event = Rc::new(Event::new());
///     let waiter = spawn({ let event = event.clone(); async move { event.wait().await } });
///     testing::wait_all_tasks_blocked().await;
///     assert_eq!(event.statistics().waiting, 1); // it has come so far
///     event.set();
///     testing::wait_all_tasks_blocked().await;
///     assert!(waiter.is_finished());
/// });
/// ```
pub fn wait_all_tasks_blocked() -> AllTasksBlocked {
    AllTasksBlocked { wait: None }
}

/// See [`wait_all_tasks_blocked`].
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct AllTasksBlocked {
    wait: Option<IdleWait>,
}

impl AllTasksBlocked {
    fn forget(&mut self) {
        if let Some(wait) = self.wait.take() {
            wait.forget();
        }
    }
}

impl Future for AllTasksBlocked {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        Kernel::with_current("wait_all_tasks_blocked()", |kernel| {
            match self.wait.map(|wait| kernel.look_at_idle(wait, cx.waker())) {
                Some(IdleState::Waiting) => Poll::Pending,
                Some(IdleState::Over) => Poll::Ready(()),
                Some(IdleState::Elsewhere) | None => {
                    self.forget();
                    self.wait = Some(kernel.wait_idle(cx.waker().clone()));
                    Poll::Pending
                }
            }
        })
    }
}

impl Drop for AllTasksBlocked {
    fn drop(&mut self) {
        self.forget();
    }
}
