//! Descriptors: how many are open and may be, in which mode one is, and pseudo-terminals.
//!
//! Counts and limits are the process's, so tests that need them run
//! [`succeeds_alone`](super::succeeds_alone).
//!
//! # Not here
//! Sockets.

use std::ffi::CStr;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::os::unix::fs::OpenOptionsExt;

/// How many are open, one of them to count.
pub(crate) fn descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

/// Forbids descriptors from `limit` on; returns the limit before.
pub(crate) fn limit_descriptors(limit: RawFd) -> RawFd {
    let mut now = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: the structure lives.
    assert_eq!(unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &mut now) }, 0);
    let old = now.rlim_cur as RawFd;
    now.rlim_cur = limit as libc::rlim_t;
    // SAFETY: the structure lives.
    assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &now) }, 0);
    old
}

/// The flags of its open file description.
pub(crate) fn flags(fd: impl AsFd) -> i32 {
    // SAFETY: this command takes no pointer.
    let flags = unsafe { libc::fcntl(fd.as_fd().as_raw_fd(), libc::F_GETFL) };
    assert_ne!(flags, -1, "{}", io::Error::last_os_error());
    flags
}

pub(crate) fn is_nonblocking(fd: impl AsFd) -> bool {
    flags(fd) & libc::O_NONBLOCK != 0
}

/// A pseudo-terminal: its master, and what a program has as its terminal.
pub(crate) fn pty() -> (File, File) {
    let open = |path: &str| {
        let mut options = OpenOptions::new();
        let options = options.read(true).write(true).custom_flags(libc::O_NOCTTY);
        options.open(path).unwrap()
    };
    let master = open("/dev/ptmx");
    let fd = master.as_raw_fd();
    let mut name = [0_u8; 64];
    // SAFETY: no pointer.
    let unlocked = unsafe { libc::unlockpt(fd) };
    // SAFETY: the buffer is as long as said.
    let named = unsafe { libc::ptsname_r(fd, name.as_mut_ptr().cast(), name.len()) };
    assert_eq!((unlocked, named), (0, 0));
    let terminal = open(CStr::from_bytes_until_nul(&name).unwrap().to_str().unwrap());
    (master, terminal)
}
