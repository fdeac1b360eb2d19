//! The future that waits until every item was reported done.
//!
//! Its end is news, not a right: nobody else could use it, so it never lapses, and it stays true
//! for whoever was waiting when it happened, whatever is put afterwards.
//!
//! # Not here
//! Counting: `rules`.

use std::fmt::{self, Debug, Formatter};
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use super::Queue;
use super::order::Order;
use super::rules::{JOIN, Rules};
use crate::pin::pinned;
use crate::wait_list::{Mode, Waiter};

pinned! {
    /// The future of [`Queue::join`].
    #[must_use = "futures do nothing unless awaited"]
    pub struct Join<'a, T, O: Order<T>, M: Mode> {
        #[pin]
        waiter: Waiter<'a, Rules<T, O>, M>,
    }
}

impl<'a, T, O: Order<T>, M: Mode> Join<'a, T, O, M> {
    pub(super) fn new(queue: &'a Queue<T, O, M>) -> Self {
        Join {
            waiter: queue.waiter(),
        }
    }
}

impl<T, O: Order<T>, M: Mode> Future for Join<'_, T, O, M> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut this = self.project();
        if this.waiter.is_idle() {
            return this
                .waiter
                .enqueue(cx, JOIN, |state, _| state.is_finished().then_some(()));
        }
        this.waiter.as_mut().poll_grant(cx).map(|_| ())
    }
}

impl<T, O: Order<T>, M: Mode> Debug for Join<'_, T, O, M> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("Join").finish_non_exhaustive()
    }
}
