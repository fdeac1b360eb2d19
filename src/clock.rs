//! The loop's clock: nanoseconds since the loop was made, so that a deadline is one word.
//!
//! # Cost
//! One `clock_gettime` through the vDSO, about 25 ns: read it at most once a turn.
//! # Not here
//! Wall-clock time; caching (a stale clock would shorten sleeps).
#![forbid(unsafe_code)]

use std::time::Instant;

#[derive(Debug)]
pub(crate) struct Clock {
    base: Instant,
}

impl Clock {
    pub(crate) fn new() -> Self {
        Clock {
            base: Instant::now(),
        }
    }

    pub(crate) fn now(&self) -> Instant {
        Instant::now()
    }

    /// The present moment, in this clock's nanoseconds.
    #[inline]
    pub(crate) fn now_ns(&self) -> u64 {
        self.to_ns(self.now())
    }

    /// `at` in this clock's nanoseconds: 0 if it was before the loop, the largest number if it
    /// is more than 584 years ahead.
    #[inline]
    pub(crate) fn to_ns(&self, at: Instant) -> u64 {
        let since = at.saturating_duration_since(self.base);
        since
            .as_secs()
            .saturating_mul(1_000_000_000)
            .saturating_add(since.subsec_nanos().into())
    }
}
