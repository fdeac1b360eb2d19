//! Many futures of one type side by side, pinned without a box each.
//!
//! A timer benchmark that boxed its timers would measure `malloc` as much as timers, and the
//! faster the runtime, the more of its figure would be `malloc`'s.
//!
//! # Invariants
//! - **Pinned**: the futures live in one boxed slice that never moves, grows or gives one away;
//!   they are dropped in place.
//!
//! # Not here
//! Any choice of which future to poll: [`PinnedSlice::poll_all`] polls each one.

use std::future::Future;
use std::pin::Pin;
use std::task::Context;

/// A slice of pinned futures.
#[derive(Debug)]
pub struct PinnedSlice<F>(Pin<Box<[F]>>);

impl<F> FromIterator<F> for PinnedSlice<F> {
    fn from_iter<I: IntoIterator<Item = F>>(futures: I) -> Self {
        PinnedSlice(Box::into_pin(futures.into_iter().collect()))
    }
}

impl<F> PinnedSlice<F> {
    /// Each, pinned, in order.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = Pin<&mut F>> {
        // SAFETY: nothing is moved out of the slice: each element is only pinned again below.
        let elements = unsafe { self.0.as_mut().get_unchecked_mut() };
        // SAFETY: by Pinned the element stays where it is until it is dropped there.
        let pinned = |element| unsafe { Pin::new_unchecked(element) };
        elements.iter_mut().map(pinned)
    }
}

impl<F: Future> PinnedSlice<F> {
    /// Polls each future once, in order; how many are pending.
    ///
    /// None may have ended before.
    pub fn poll_all(&mut self, cx: &mut Context<'_>) -> usize {
        let pending = |future: Pin<&mut F>| usize::from(future.poll(cx).is_pending());
        self.iter_mut().map(pending).sum()
    }
}
