//! What ends a loop's sleep from another thread.
//!
//! The real bell is an eventfd that the loop registers in its epoll set once, with
//! `EPOLLIN | EPOLLET`, and never reads: each write is a new edge, whether or not the counter
//! was zero before, so reading it would be a system call a sleep for nothing. The counter would
//! be full after 2^64 - 2 writes. The first wait after the registration returns at once if the
//! counter is not zero, as it is in a table entry that served another loop before.
//!
//! # Invariants
//! - **Open**: the descriptor lives as long as the table entry, that is, until the process
//!   ends. A remote thread that took the decision to ring, was suspended, and rings after the
//!   loop is gone must not write into a descriptor that is something else by then.
//! - **At worst early**: such a late ring is a spurious edge for the entry's next loop. Rings
//!   are hints to look; the flag says whether anything came.
//!
//! # Cost
//! A ring is one `write` of eight bytes; it never blocks.
//!
//! # Not here
//! When to ring: `flag`. In loom's world there is no kernel: there the bell is a mutex, a
//! condition variable and the number of rings that no sleep has consumed, and a model's loop
//! sleeps on [`Bell::wait`] where the real one waits in epoll.

use std::{
    io,
    os::fd::{AsRawFd, RawFd},
};

/// An eventfd, edge-triggered and never read.
#[cfg(not(all(test, petla_loom)))]
pub(super) struct Bell(crate::sys::eventfd::EventFd);

#[cfg(not(all(test, petla_loom)))]
impl Bell {
    pub(super) fn new() -> io::Result<Bell> {
        crate::sys::eventfd::EventFd::new().map(Bell)
    }

    pub(super) fn ring(&self) {
        self.0.notify();
    }
}

#[cfg(not(all(test, petla_loom)))]
impl AsRawFd for Bell {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}

/// The rings that no sleep has consumed.
#[cfg(all(test, petla_loom))]
pub(super) struct Bell {
    rings: crate::rt::Mutex<u32>,
    rung: crate::rt::Condvar,
}

#[cfg(all(test, petla_loom))]
impl Bell {
    pub(super) fn new() -> io::Result<Bell> {
        Ok(Bell {
            rings: crate::rt::Mutex::new(0),
            rung: crate::rt::Condvar::new(),
        })
    }

    pub(super) fn ring(&self) {
        *crate::rt::lock(&self.rings) += 1;
        self.rung.notify_one();
    }

    /// Sleeps until it was rung, as an edge-triggered wait does.
    pub(super) fn wait(&self) {
        let mut rings = crate::rt::lock(&self.rings);
        while *rings == 0 {
            rings = self.rung.wait(rings).unwrap();
        }
        *rings = 0;
    }
}

#[cfg(all(test, petla_loom))]
impl AsRawFd for Bell {
    fn as_raw_fd(&self) -> RawFd {
        -1 // models have no epoll to register it in
    }
}

#[cfg(all(test, not(petla_loom)))]
mod tests {
    use super::*;
    use crate::sys::epoll::{Epoll, Events};

    /// How many events a look at the epoll finds.
    fn events(epoll: &Epoll) -> usize {
        let mut events = Events::new();
        epoll.wait(&mut events, Some(0)).unwrap();
        events.len()
    }

    #[test]
    fn every_ring_is_a_new_edge_though_nobody_reads() {
        let (bell, epoll) = (Bell::new().unwrap(), Epoll::new().unwrap());
        epoll.add_bell(bell.as_raw_fd(), 0).unwrap();
        assert_eq!(events(&epoll), 0, "silent so far");
        for _ in 0..1_000 {
            bell.ring();
            assert_eq!(events(&epoll), 1, "one ring, one edge");
            assert_eq!(events(&epoll), 0, "and no second event for the same ring");
        }
        bell.ring();
        bell.ring();
        assert_eq!(events(&epoll), 1, "rings between two waits are one edge");
        assert_eq!(events(&epoll), 0);
    }

    #[test]
    fn a_bell_that_rang_before_it_is_registered_gives_one_spurious_edge() {
        let (bell, epoll) = (Bell::new().unwrap(), Epoll::new().unwrap());
        bell.ring();
        epoll.add_bell(bell.as_raw_fd(), 0).unwrap();
        assert_eq!(events(&epoll), 1);
        assert_eq!(events(&epoll), 0);
        bell.ring();
        assert_eq!(events(&epoll), 1);
    }
}
