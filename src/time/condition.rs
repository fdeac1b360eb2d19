//! Waiting for a condition with a limit: the one wait that a `timeout` around it would spoil.
//!
//! A `timeout` drops the future that it gives up on, and with it the way back to the guard.
//! [`Condition::wait_for_timeout`] ends its wait for a notification instead, waits for the lock
//! like everybody, and gives the guard back in both cases.
//!
//! # Not here
//! Waiting without a limit, which needs no loop: `primitives::condition`.

use std::fmt::{self, Debug, Formatter};
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use super::{Sleep, sleep};
use crate::pin::pinned;
use crate::primitives::{Condition, LockGuard, Mode, WaitFor};

impl<M: Mode> Condition<M> {
    /// Waits until `predicate` holds, or for `limit` at most; has the lock again in both cases,
    /// and says whether the predicate held then.
    ///
    /// The limit is on the wait for a notification. The lock may take longer to come back; the
    /// predicate is asked once more when it has. A limit of zero looks once, gives the lock to
    /// those who wait for it, and looks again.
    ///
    /// # Panics
    /// As [`wait_for`](Self::wait_for). When polled outside a loop.
    ///
    /// # Cancel safety
    /// **Loses data**: the guard. A notification goes to the next who waits.
    ///
    /// # asyncio
    /// None; `wait_for(condition.wait_for(..), limit)` had a bug of its own for each of its parts.
    ///
    /// # Examples
    /// ```
    /// use petla::local::{Condition, Lock};
    /// use std::time::Duration;
    ///
    /// petla::run(async {
    ///     let (items, changed) = (Lock::new(vec![1]), Condition::new());
    ///     let guard = items.lock().await;
    ///     let limit = Duration::from_millis(1);
    ///     let two = |items: &mut Vec<_>| items.len() > 1;
    ///     let (items, full) = changed.wait_for_timeout(guard, limit, two).await;
    ///     assert!(!full);
    ///     assert_eq!(*items, [1]); // what came until then
    /// });
    /// ```
    #[doc(alias = "wait_timeout_while")]
    pub fn wait_for_timeout<'c, 'a, T: ?Sized, F>(
        &'c self,
        guard: LockGuard<'a, T, M>,
        limit: Duration,
        predicate: F,
    ) -> WaitForTimeout<'c, 'a, T, F, M>
    where
        F: FnMut(&mut T) -> bool,
    {
        WaitForTimeout {
            sleep: sleep(limit),
            wait: self.wait_for(guard, predicate),
        }
    }
}

pinned! {
    /// The future of [`Condition::wait_for_timeout`].
    #[must_use = "futures do nothing unless awaited"]
    pub struct WaitForTimeout<'c, 'a, T: ?Sized, F, M: Mode> {
        #[pin]
        sleep: Sleep,
        #[pin]
        wait: WaitFor<'c, 'a, T, F, M>,
    }
}

impl<'a, T: ?Sized, F, M: Mode> Future for WaitForTimeout<'_, 'a, T, F, M>
where
    F: FnMut(&mut T) -> bool,
{
    type Output = (LockGuard<'a, T, M>, bool);

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        if let Poll::Ready(outcome) = this.wait.as_mut().poll_outcome(cx) {
            return Poll::Ready(outcome);
        }
        if this.wait.is_late() || this.sleep.poll(cx).is_pending() {
            return Poll::Pending;
        }
        this.wait.as_mut().hurry();
        this.wait.poll_outcome(cx)
    }
}

impl<T: ?Sized, F, M: Mode> Debug for WaitForTimeout<'_, '_, T, F, M> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("WaitForTimeout").finish_non_exhaustive()
    }
}
