//! `eventfd`: the bell that other threads and signal handlers ring to wake a sleeping loop.
//!
//! It is registered edge-triggered and never read: each write is a new edge, so one system
//! call rings and none is needed to silence it. The counter only grows. Should it ever be
//! full (2^64 - 2 rings), a further ring does nothing: the price of never reading, and out of
//! reach at any rate a machine can ring.
//!
//! # Not here
//! When to ring: `mailbox`. Whether the descriptor is this process's own after a `fork`:
//! `process::fork_count` tells, the caller asks.

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};

use super::{check, faults};

/// An eventfd, non-blocking and closed on exec.
#[derive(Debug)]
pub(crate) struct EventFd(OwnedFd);

impl EventFd {
    pub(crate) fn new() -> io::Result<Self> {
        faults::at("eventfd")?;
        // SAFETY: the call takes numbers only.
        let fd = check(unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) })?;
        // SAFETY: the kernel has just made `fd`, so nobody else owns it.
        Ok(EventFd(unsafe { OwnedFd::from_raw_fd(fd) }))
    }

    /// Rings. Async-signal-safe; may change `errno`, which a signal handler must restore.
    ///
    /// No error is worth reporting: the descriptor is open (Owned), the length is right, and
    /// the write does not block. `EAGAIN` is the full counter of the header.
    #[inline]
    pub(crate) fn notify(&self) {
        let one = 1_u64;
        // SAFETY: `one` is Lent, and its size is the length.
        unsafe {
            libc::write(
                self.0.as_raw_fd(),
                (&raw const one).cast(),
                size_of::<u64>(),
            )
        };
    }
}

impl AsRawFd for EventFd {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::epoll::poll_now;
    use std::fs::File;
    use std::io::Write;

    #[test]
    fn a_full_counter_neither_blocks_nor_fails() {
        let bell = EventFd::new().unwrap();
        let mut counter = File::from(bell.0.try_clone().unwrap());
        counter.write_all(&(u64::MAX - 1).to_ne_bytes()).unwrap();
        bell.notify();
        assert!(poll_now(bell.as_raw_fd(), false).unwrap());
    }

    #[test]
    fn a_child_program_does_not_inherit_it() {
        let bell = EventFd::new().unwrap();
        // SAFETY: this command takes no pointer.
        let flags = check(unsafe { libc::fcntl(bell.as_raw_fd(), libc::F_GETFD) }).unwrap();
        assert_eq!(flags & libc::FD_CLOEXEC, libc::FD_CLOEXEC);
    }
}
