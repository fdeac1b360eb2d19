//! The future that arrives at a barrier and waits for the others.
//!
//! An arrival that need not wait is made in a step of its own, before a waker is cloned: between
//! the step that completes a generation and the one that wakes it there is no foreign code, so
//! that no panic can keep the others asleep.
//!
//! # Not here
//! Counting: `rules`. Dropping a future that waits needs no code: its waiter does it.

use std::fmt::{self, Debug, Formatter};
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use super::Broken;
use super::rules::{Rules, WAIT, outcome};
use crate::pin::pinned;
use crate::wait_list::{Mode, WaitList, Waiter};

pinned! {
    /// The future of [`Barrier::wait`](super::Barrier::wait).
    ///
    /// Polled again after it was done, it arrives once more.
    #[must_use = "futures do nothing unless awaited: the arrival is not counted yet"]
    pub struct BarrierWait<'a, M: Mode> {
        #[pin]
        waiter: Waiter<'a, Rules, M>,
    }
}

impl<'a, M: Mode> BarrierWait<'a, M> {
    pub(super) fn new(list: &'a WaitList<Rules, M>) -> Self {
        BarrierWait {
            waiter: Waiter::new(list),
        }
    }
}

impl<M: Mode> Future for BarrierWait<'_, M> {
    type Output = Result<usize, Broken>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        if !this.waiter.is_idle() {
            return this.waiter.poll_grant(cx).map(outcome);
        }
        let list = this.waiter.list();
        let rules = list.policy();
        loop {
            if let Some(arrival) = list.with(|state, lines| state.arrive_last(rules, lines)) {
                if arrival.is_ok() {
                    list.settle(|_, _| ()); // wakes the others
                }
                return Poll::Ready(arrival);
            }
            ready!(this.waiter.as_mut().enqueue(cx, WAIT, |state, _| {
                (!state.arrive_to_wait(rules)).then_some(())
            }));
        }
    }
}

impl<M: Mode> Debug for BarrierWait<'_, M> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("BarrierWait").finish_non_exhaustive()
    }
}
