//! A STUB of [`Children`]: it knows no loop and always answers [`Place::Nowhere`], so that every
//! combinator polls all its children with the caller's waker. The real one takes its place.
//!
//! # Not here
//! Everything.
#![forbid(unsafe_code)]

use std::task::{Context, Waker};

/// The places of one future's children. Dropping it gives them back.
#[derive(Debug)]
pub(crate) struct Children(());

/// Where a poll takes place: what [`Children::enter`] found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// On the loop of the last poll.
    #[allow(dead_code, reason = "a stub")]
    Same,
    /// On a loop where no child has a place yet: each is to be added, in order.
    #[allow(dead_code, reason = "a stub")]
    Fresh,
    /// On no loop: all are to be polled with the caller's waker.
    Nowhere,
}

impl Children {
    pub(crate) const fn new() -> Self {
        Children(())
    }

    /// Begins a poll of the parent.
    pub(crate) fn enter(&mut self, _: &Context<'_>) -> Place {
        Place::Nowhere
    }

    /// Gives child `index` a place; it will be polled by this poll of the parent.
    pub(crate) fn add(&mut self, _: u32) {}

    /// Who is to be polled now.
    pub(crate) fn next(&mut self) -> Option<u32> {
        None
    }

    /// Calls `f` with the waker of the child's place.
    pub(crate) fn poll<R>(&mut self, _: u32, f: impl FnOnce(&mut Context<'_>) -> R) -> R {
        f(&mut Context::from_waker(Waker::noop()))
    }

    /// Child `index` is over.
    pub(crate) fn remove(&mut self, _: u32) {}

    /// Is the loop due for a look?
    pub(crate) fn is_due(&mut self) -> bool {
        false
    }
}
