//! How many polls until the next look: 64 when they are short, fewer when they are long.
//!
//! A look costs a system call once a descriptor is registered, so short polls should share
//! one; long polls must not hold up I/O and timers. The budget halves when the interval since
//! the last look took more than 100 µs and doubles, up to 64, when it took less than 50 µs. So
//! only a single long poll can exceed it.
//!
//! # Not here
//! Who polls: children that a combinator polls inside one task are spent like tasks.
#![forbid(unsafe_code)]

use std::cell::Cell;

/// The most polls between two looks.
const POLLS_MAX: u32 = 64;
/// An interval longer than this halves the budget.
const LONG_NS: u64 = 100_000;
/// An interval shorter than this doubles it. Between the two it stays, so that it settles.
const SHORT_NS: u64 = 50_000;
const _: () = assert!(
    SHORT_NS * 2 <= LONG_NS,
    "else one doubling could cause a halving"
);

pub(super) struct Budget {
    left: Cell<u32>,
    size: Cell<u32>,
    /// When the interval began; `None` after a sleep, which says nothing about polls.
    since_ns: Cell<Option<u64>>,
}

impl Budget {
    pub(super) fn new() -> Self {
        Budget {
            left: Cell::new(POLLS_MAX),
            size: Cell::new(POLLS_MAX),
            since_ns: Cell::new(None),
        }
    }

    /// Counts one poll; true when a look is due.
    #[inline(always)]
    pub(super) fn spend(&self) -> bool {
        let left = self.left.get().saturating_sub(1);
        self.left.set(left);
        left == 0
    }

    /// A look is due after the present poll.
    pub(super) fn exhaust(&self) {
        self.left.set(0);
    }

    /// A busy loop looked at `now_ns`: a new interval begins.
    pub(super) fn looked(&self, now_ns: u64) {
        if let Some(since) = self.since_ns.replace(Some(now_ns)) {
            let size = self.size.get();
            match now_ns.saturating_sub(since) {
                took if took > LONG_NS => self.size.set((size / 2).max(1)),
                took if took < SHORT_NS => self.size.set((size * 2).min(POLLS_MAX)),
                _ => {}
            }
        }
        self.left.set(self.size.get());
    }

    /// The loop slept: the next interval starts with a full budget and is not measured.
    pub(super) fn slept(&self) {
        self.since_ns.set(None);
        self.left.set(self.size.get());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn polls_until_due(budget: &Budget) -> u32 {
        (1..).find(|_| budget.spend()).unwrap()
    }

    #[test]
    fn long_intervals_halve_the_budget_down_to_one_poll() {
        let budget = Budget::new();
        let mut seen = vec![polls_until_due(&budget)];
        for turn in 0..8 {
            budget.looked(turn * (LONG_NS + 1));
            seen.push(polls_until_due(&budget));
        }
        assert_eq!(seen, [64, 64, 32, 16, 8, 4, 2, 1, 1]);
    }

    #[test]
    fn short_intervals_double_it_again_and_middling_ones_keep_it() {
        let budget = Budget::new();
        budget.looked(0);
        budget.looked(LONG_NS + 1);
        budget.looked(LONG_NS + 1 + SHORT_NS);
        assert_eq!(polls_until_due(&budget), 32);
        budget.looked(LONG_NS + 1 + SHORT_NS + 1);
        assert_eq!(polls_until_due(&budget), 64);
    }

    #[test]
    fn a_sleep_is_not_taken_for_a_long_poll() {
        let budget = Budget::new();
        budget.looked(0);
        budget.slept();
        budget.looked(1_000_000_000);
        assert_eq!(polls_until_due(&budget), 64);
    }
}
