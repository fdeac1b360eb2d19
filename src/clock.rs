//! The loop's clock: nanoseconds since the clock was made, so that a deadline is one word.
//!
//! It reads the system's monotonic clock, or a [`VirtualClock`] that a test turns.
//!
//! # Cost
//! One `clock_gettime` through the vDSO, about 25 ns: read it at most once a turn. That there
//! are virtual clocks costs a branch.
//! # Not here
//! Wall-clock time; caching (a stale clock would shorten sleeps).
#![forbid(unsafe_code)]

mod virtual_clock;

use std::time::{Duration, Instant};

use crate::mailbox::LoopId;
pub use virtual_clock::VirtualClock;

#[derive(Debug)]
pub(crate) struct Clock {
    base: Instant,
    turned: Option<VirtualClock>,
}

impl Clock {
    /// The system's clock, or the given one.
    pub(crate) fn new(turned: Option<VirtualClock>) -> Self {
        Clock {
            base: match &turned {
                None => Instant::now(),
                Some(clock) => clock.base(),
            },
            turned,
        }
    }

    #[inline]
    pub(crate) fn now(&self) -> Instant {
        match &self.turned {
            None => Instant::now(),
            Some(clock) => clock.now(),
        }
    }

    /// The present moment, in this clock's nanoseconds.
    #[inline]
    pub(crate) fn now_ns(&self) -> u64 {
        self.to_ns(self.now())
    }

    /// `at` in this clock's nanoseconds: 0 if it was before the clock, the largest number if it
    /// is more than 584 years ahead.
    #[inline]
    pub(crate) fn to_ns(&self, at: Instant) -> u64 {
        saturating_ns(at.saturating_duration_since(self.base))
    }

    /// Does time pass only when somebody turns it?
    #[inline]
    pub(crate) fn is_virtual(&self) -> bool {
        self.turned.is_some()
    }

    /// Does it stand still while nobody turns it?
    pub(crate) fn is_manual(&self) -> bool {
        self.turned.as_ref().is_some_and(VirtualClock::is_manual)
    }

    /// Loop `id` runs by this clock until the seat is dropped: turning it wakes the loop.
    pub(crate) fn sit_down(&self, id: LoopId) -> Option<Seat<'_>> {
        let clock = self.turned.as_ref()?;
        clock.enter(id);
        Some(Seat { clock, id })
    }

    /// Loop `id` has nothing to do before `deadline`. True if that moment has come: the clock
    /// was turned. Real clocks are not, and manual ones by tests alone.
    pub(crate) fn rest(&self, id: LoopId, deadline: u64) -> bool {
        let clock = self.turned.as_ref();
        clock.is_some_and(|clock| clock.rest(id, deadline))
    }

    /// Loop `id` goes on after a rest; before it looks at what came.
    #[inline]
    pub(crate) fn resume(&self, id: LoopId) {
        if let Some(clock) = &self.turned {
            clock.resume(id);
        }
    }
}

/// See [`Clock::sit_down`].
pub(crate) struct Seat<'a> {
    clock: &'a VirtualClock,
    id: LoopId,
}

impl Drop for Seat<'_> {
    fn drop(&mut self) {
        self.clock.leave(self.id);
    }
}

/// In nanoseconds; the largest number if that is more than 584 years.
#[inline]
pub(crate) fn saturating_ns(duration: Duration) -> u64 {
    duration
        .as_secs()
        .saturating_mul(1_000_000_000)
        .saturating_add(duration.subsec_nanos().into())
}
