//! Timers as leaf futures see them: arm, look, disarm, from wherever they are dropped.
//!
//! # Invariants
//! - **Unlent**: a waker is cloned before the queue is borrowed and dropped after.

use std::task::Waker;
use std::time::Instant;

use super::{Kernel, on_loop};
use crate::mailbox::LoopId;
use crate::task::token::wake_safely;
use crate::timer_queue::TimerKey;

/// Where eight or more timers fall due within this time of the first, one wake-up serves all.
const DENSE_WINDOW_NS: u64 = 100_000;

/// A timer in the queue of one loop. Plain data; whoever holds it disarms it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ArmedTimer {
    home: LoopId,
    key: TimerKey,
}

/// What [`Kernel::look_at`] found.
pub(crate) enum TimerState {
    Armed,
    Fired,
    /// It belongs to another loop.
    Elsewhere,
}

impl Kernel {
    /// Has `waker` woken at `deadline` or as soon after it as can be.
    #[inline]
    pub(crate) fn arm(&self, deadline: Instant, waker: Waker) -> ArmedTimer {
        let deadline = self.clock.to_ns(deadline);
        let key = self.timers.borrow_mut().insert(deadline, waker);
        ArmedTimer { home: self.id, key }
    }

    /// Is the timer still armed? Then `waker` is the one to be woken from now on.
    pub(crate) fn look_at(&self, timer: ArmedTimer, waker: &Waker) -> TimerState {
        if timer.home != self.id {
            return TimerState::Elsewhere;
        }
        match self.timers.borrow_mut().payload(timer.key) {
            None => return TimerState::Fired,
            Some(old) if old.will_wake(waker) => return TimerState::Armed,
            Some(_) => {}
        }
        let mut waker = waker.clone();
        if let Some(old) = self.timers.borrow_mut().payload(timer.key) {
            std::mem::swap(old, &mut waker);
        }
        TimerState::Armed
    }

    /// Moves an armed timer; `false` if it has fired, or is another loop's.
    pub(crate) fn reset_timer(&self, timer: ArmedTimer, deadline: Instant) -> bool {
        let deadline = self.clock.to_ns(deadline);
        timer.home == self.id && self.timers.borrow_mut().reset(timer.key, deadline)
    }

    /// Takes a timer out; the caller drops or wakes.
    fn cancel_timer(&self, key: TimerKey) -> Option<Waker> {
        self.timers.borrow_mut().cancel(key)
    }

    /// When the loop has to be awake for its timers.
    pub(super) fn wake_at(&self) -> Option<u64> {
        let mut timers = self.timers.borrow_mut();
        let first = timers.next_deadline()?;
        Some(timers.dense_until(DENSE_WINDOW_NS).unwrap_or(first))
    }

    /// The waker of the next timer that is due.
    pub(super) fn pop_due(&self, now_ns: u64) -> Option<Waker> {
        self.timers.borrow_mut().pop_due(now_ns)
    }
}

impl ArmedTimer {
    /// Takes the timer out of its loop's queue, here or by a post to the loop's thread.
    #[inline]
    pub(crate) fn disarm(self) {
        on_loop(self.home, move |kernel| drop(kernel.cancel_timer(self.key)));
    }

    /// The same, and wakes whoever waits for it, to look for itself when it is to end.
    pub(crate) fn disarm_and_wake(self) {
        on_loop(self.home, move |kernel| {
            if let Some(waker) = kernel.cancel_timer(self.key) {
                wake_safely(waker);
            }
        });
    }
}
