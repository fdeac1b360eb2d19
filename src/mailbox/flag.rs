//! The flag between one sleeping loop and the threads that have something for it.
//!
//! Waking a thread that sleeps in `epoll_wait` costs a system call, and most remote wakes find
//! the loop awake. Three states tell a remote thread which of the two it is, and tell the loop
//! that something came, without a system call on either side.
//!
//! ```text
//!              try_sleep (owner)   notify (anyone)       open (owner)
//!   AWAKE      ASLEEP              NOTIFIED              AWAKE
//!   ASLEEP     -                   NOTIFIED, and rings   AWAKE: a timer or a socket came
//!   NOTIFIED   refused             NOTIFIED              AWAKE, and says so
//! ```
//!
//! # Invariants
//! - **Exchange**: every change is one read-modify-write. Had `notify` been a load followed by
//!   a store, or `try_sleep` a plain store, the two sides could each miss the other: the loop
//!   goes to sleep and the bell stays silent.
//! - **Published first**: whoever notifies has put its work where the loop finds it *before*;
//!   `notify` releases it and `open` acquires it.
//! - **Opened first**: the loop opens the flag *before* it looks for work. Work that comes
//!   after that look finds the flag open and notifies it again.
//! - **One ring**: only the notification that ends ASLEEP rings, so one sleep costs the
//!   other threads one system call between them, however many they are.
//!
//! `try_sleep` itself orders nothing: its word is the flag's, and a flag has one history.
//!
//! # Cost
//! `is_notified`: a plain load. The rest: one locked instruction each.
//!
//! # Not here
//! The work itself (`wakes`, `posts`) and the bell (`bell`).

use crate::rt::{AtomicU32, Ordering};

/// The loop runs and nothing came since it last looked.
const AWAKE: u32 = 0;
/// The loop waits, or is about to, and has to be rung for.
const ASLEEP: u32 = 1;
/// Something came: the loop looks before it sleeps, or was rung for already.
const NOTIFIED: u32 = 2;

/// See the module's header.
pub(super) struct Flag(AtomicU32);

impl Flag {
    /// A flag that is AWAKE.
    pub(super) fn new() -> Flag {
        Flag(AtomicU32::new(AWAKE))
    }

    /// Any thread, after its work is in place: true if the loop has to be rung for.
    #[inline]
    pub(super) fn notify(&self) -> bool {
        self.0.swap(NOTIFIED, Ordering::AcqRel) == ASLEEP
    }

    /// The owner's cheap look while it is busy. False may be out of date for a moment;
    /// `try_sleep` is never.
    #[inline]
    pub(super) fn is_notified(&self) -> bool {
        self.0.load(Ordering::Relaxed) == NOTIFIED
    }

    /// The owner, before it looks for work: back to AWAKE. True if something came.
    #[inline]
    pub(super) fn open(&self) -> bool {
        self.0.swap(AWAKE, Ordering::AcqRel) == NOTIFIED
    }

    /// The owner, before it waits: to ASLEEP, unless something came.
    #[inline]
    pub(super) fn try_sleep(&self) -> bool {
        self.0
            .compare_exchange(AWAKE, ASLEEP, Ordering::AcqRel, Ordering::Relaxed)
            .is_ok()
    }
}

#[cfg(all(test, not(petla_loom)))]
mod tests {
    use super::*;

    #[test]
    fn only_the_notification_that_ends_a_sleep_rings() {
        let flag = Flag::new();
        assert!(!flag.notify(), "awake");
        assert!(flag.open());
        assert!(flag.try_sleep());
        assert!(flag.notify(), "asleep");
        assert!(!flag.notify(), "rung for already");
    }

    #[test]
    fn a_notified_loop_does_not_fall_asleep_until_it_has_opened_the_flag() {
        let flag = Flag::new();
        assert!(!flag.is_notified());
        flag.notify();
        assert!(flag.is_notified());
        assert!(!flag.try_sleep());
        assert!(flag.is_notified(), "a refused sleep forgets nothing");
        assert!(flag.open());
        assert!(!flag.open(), "opened already");
        assert!(flag.try_sleep());
    }

    #[test]
    fn a_loop_that_wakes_for_another_reason_is_awake_again() {
        let flag = Flag::new();
        assert!(flag.try_sleep());
        assert!(!flag.open(), "a timer ended the sleep, nobody notified");
        assert!(!flag.notify(), "no ring for a loop that is awake");
    }
}
