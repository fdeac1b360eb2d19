//! The futures that wait for a condition: for one notification, or until a predicate holds.
//!
//! # Not here
//! Dropping them needs no code: what they hold of lock, line or notification is handed on by
//! their `Absence`.

use std::fmt::{self, Debug, Formatter};
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use super::OTHER_LOCK;
use crate::pin::pinned;
use crate::primitives::value::{Absence, Back, LockGuard};
use crate::wait_list::{Annex, InUse, Mode};

pinned! {
    /// The future of [`Condition::wait`](super::Condition::wait).
    #[must_use = "futures do nothing unless awaited"]
    pub struct Wait<'c, 'a, T: ?Sized, M: Mode> {
        #[pin]
        absence: Absence<'c, 'a, T, M>,
    }
}

impl<'c, 'a, T: ?Sized, M: Mode> Wait<'c, 'a, T, M> {
    pub(super) fn new(annex: &'c Annex<M>, guard: LockGuard<'a, T, M>) -> Self {
        Wait {
            absence: Absence::new(annex, guard),
        }
    }
}

impl<'a, T: ?Sized, M: Mode> Future for Wait<'_, 'a, T, M> {
    type Output = LockGuard<'a, T, M>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let guard = ready!(self.project().absence.poll(cx));
        Poll::Ready(expect_one_lock(guard))
    }
}

impl<T: ?Sized, M: Mode> Debug for Wait<'_, '_, T, M> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wait").finish_non_exhaustive()
    }
}

pinned! {
    /// The future of [`Condition::wait_for`](super::Condition::wait_for).
    #[must_use = "futures do nothing unless awaited"]
    pub struct WaitFor<'c, 'a, T: ?Sized, F, M: Mode> {
        predicate: F,
        /// The limit has passed: the next look is the last.
        is_late: bool,
        #[pin]
        absence: Absence<'c, 'a, T, M>,
    }
}

impl<'c, 'a, T: ?Sized, F, M: Mode> WaitFor<'c, 'a, T, F, M>
where
    F: FnMut(&mut T) -> bool,
{
    pub(super) fn new(annex: &'c Annex<M>, guard: LockGuard<'a, T, M>, predicate: F) -> Self {
        WaitFor {
            predicate,
            is_late: false,
            absence: Absence::new(annex, guard),
        }
    }

    /// Waits for no notification any more: the future ends when it has the lock.
    pub(crate) fn hurry(self: Pin<&mut Self>) {
        let this = self.project();
        *this.is_late = true;
        this.absence.withdraw();
    }

    /// Whether it was hurried.
    pub(crate) fn is_late(&self) -> bool {
        self.is_late
    }

    /// The guard, and whether the predicate holds; it may not after [`hurry`](Self::hurry).
    pub(crate) fn poll_outcome(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<(LockGuard<'a, T, M>, bool)> {
        let mut this = self.project();
        loop {
            let mut guard = match this.absence.as_mut().take_guard() {
                Some(guard) => guard,
                None => expect_one_lock(ready!(this.absence.as_mut().poll(cx))),
            };
            let holds = (this.predicate)(&mut guard);
            if holds || *this.is_late {
                return Poll::Ready((guard, holds));
            }
            this.absence.as_mut().again(guard);
            let refused = ready!(this.absence.as_mut().poll(cx));
            drop(expect_one_lock(refused));
        }
    }
}

impl<'a, T: ?Sized, F, M: Mode> Future for WaitFor<'_, 'a, T, F, M>
where
    F: FnMut(&mut T) -> bool,
{
    type Output = LockGuard<'a, T, M>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.poll_outcome(cx).map(|(guard, _)| guard)
    }
}

impl<T: ?Sized, F, M: Mode> Debug for WaitFor<'_, '_, T, F, M> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("WaitFor").finish_non_exhaustive()
    }
}

/// Releases the lock and panics, if the condition is used with another one.
fn expect_one_lock<G>(guard: Back<G>) -> G {
    match guard {
        Ok(guard) => guard,
        Err((InUse, guard)) => {
            drop(guard);
            panic!("{OTHER_LOCK}")
        }
    }
}
