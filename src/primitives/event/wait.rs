//! The future that waits for an event.
//!
//! It notes the generation when it is made, and is over as soon as the word says another one, or
//! that the event is set. That is asked before the lock is taken, and again under it: a set that
//! came before is seen, and one that comes later finds the waiter in its line.
//!
//! # Invariants
//! - **Counted**: `generation` is never newer than the future, so that every set since makes a
//!   difference; and older, if the event was set when the future was made.
//!
//! # Cost
//! A node and the generation: 56 bytes.
//!
//! # Not here
//! The word and its rules: the parent. Dropping a wait needs no code: its waiter does it.

use std::fmt::{self, Debug, Formatter};
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use super::{Event, News, WAIT};
use crate::pin::pinned;
use crate::wait_list::{Mode, Waiter};

pinned! {
    /// The future of [`Event::wait`].
    #[must_use = "futures do nothing unless awaited"]
    pub struct EventWait<'a, M: Mode> {
        generation: usize,
        #[pin]
        waiter: Waiter<'a, News<M>, M>,
    }
}

impl<'a, M: Mode> EventWait<'a, M> {
    #[inline(always)]
    pub(super) fn new(event: &'a Event<M>) -> Self {
        EventWait {
            generation: event.news().generation(),
            waiter: Waiter::new(&event.list),
        }
    }
}

impl<M: Mode> Future for EventWait<'_, M> {
    type Output = ();

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.project();
        if !this.waiter.is_idle() {
            return this.waiter.poll_grant(cx).map(|_| ());
        }
        if this.waiter.list().policy().happened_since(*this.generation) {
            return Poll::Ready(());
        }
        get_in_line(this.waiter, *this.generation, cx)
    }
}

#[inline(never)]
fn get_in_line<M: Mode>(
    waiter: Pin<&mut Waiter<'_, News<M>, M>>,
    generation: usize,
    cx: &mut Context<'_>,
) -> Poll<()> {
    let news = waiter.list().policy();
    waiter.enqueue(cx, WAIT, |(), _| {
        let waits = news.expect(generation);
        (!waits).then_some(())
    })
}

impl<M: Mode> Debug for EventWait<'_, M> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventWait").finish_non_exhaustive()
    }
}
