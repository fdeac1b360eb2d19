//! What stands in for `spans` without the feature `tracing`: nothing, and of no size.

use std::panic::Location;

use crate::task::{Header, Report};

/// A task's span.
#[derive(Default)]
pub(crate) struct Kept;

impl Kept {
    #[inline(always)]
    pub(crate) fn close(self) {}
}

/// A span is entered for as long as this lives.
pub(crate) struct Inside;

#[inline(always)]
pub(crate) fn enter(_: &Header) -> Inside {
    Inside
}

#[inline(always)]
pub(crate) fn take(_: &Header) -> Kept {
    Kept
}

#[inline(always)]
pub(crate) fn named(_: &Header) {}

#[inline(always)]
pub(crate) fn woken(_loop: u16, _slot: u32, _generation: Option<u32>) {}

#[inline(always)]
pub(crate) fn event(_: &Report<'_>) -> bool {
    false
}

/// The span of work on a thread.
pub(crate) struct Work;

#[inline(always)]
pub(crate) fn work(_: &'static Location<'static>) -> Work {
    Work
}

impl Work {
    #[inline(always)]
    pub(crate) fn run<T>(self, f: impl FnOnce() -> T) -> T {
        f()
    }
}
