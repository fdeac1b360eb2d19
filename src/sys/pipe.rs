//! Pipes, and what every descriptor of a byte stream has: read(2), write(2), its mode.
//!
//! A descriptor that came from elsewhere (a FIFO, a terminal, a child's output) blocks until
//! it is told not to. That mode belongs to the *open file description*, which the number only
//! refers to: duplicates, also those in other processes, share it.
//!
//! # Invariants
//! - **Slices**: each pointer and length given to the kernel are those of one borrowed slice
//!   or local variable, which lives until the call returns; the kernel keeps neither.
//! - **Numbers**: a descriptor comes in as a number that its owner, somewhere above, keeps
//!   open. A wrong number makes a call fail or reach another descriptor; it touches no memory.
//! - **Fresh**: a descriptor that a call returns is owned by nobody else.
//! - **Filled**: a read that returns `n` has written the first `n` bytes of its room.
//!
//! # Cost
//! One system call each.
//!
//! # Not here
//! Reading into several buffers: `socket::recv_vectored` is a readv(2), which serves all.

use std::fs::OpenOptions;
use std::io::{self, IoSlice};
use std::os::fd::{FromRawFd, OwnedFd, RawFd};
use std::os::unix::fs::OpenOptionsExt;

use libc::{c_int, c_void};

use super::room::Room;
use super::socket::BUFFERS_MAX;
use super::{check, count, faults};

/// A new pipe: its reading and its writing end, both non-blocking and closed on exec.
pub(crate) fn pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    faults::at("pipe2")?;
    let mut fds = [-1; 2];
    // SAFETY: Slices; the call writes two numbers.
    check(unsafe { libc::pipe2(fds.as_mut_ptr(), libc::O_CLOEXEC | libc::O_NONBLOCK) })?;
    // SAFETY: Fresh.
    let reader = unsafe { OwnedFd::from_raw_fd(fds[0]) };
    // SAFETY: Fresh.
    let writer = unsafe { OwnedFd::from_raw_fd(fds[1]) };
    Ok((reader, writer))
}

/// Reads into `room`; 0 is the end.
#[inline]
pub(crate) fn read(fd: RawFd, room: &mut Room<'_>) -> io::Result<usize> {
    faults::at("read")?;
    let (start, length) = room.rest();
    // SAFETY: Slices.
    let n = count(unsafe { libc::read(fd, start, length) })?;
    // SAFETY: Filled.
    unsafe { room.advance(n) };
    Ok(n)
}

/// Reads behind what `into` holds, into the room that it has; 0 is the end, or there is no room.
pub(crate) fn read_into_room(fd: RawFd, into: &mut Vec<u8>) -> io::Result<usize> {
    let n = read(fd, &mut Room::new(into.spare_capacity_mut()))?;
    // SAFETY: Filled; and `n` is at most the room behind `len`.
    unsafe { into.set_len(into.len() + n) };
    Ok(n)
}

/// Writes from `buf`. A pipe that nobody reads is `EPIPE`, and SIGPIPE unless that is ignored.
pub(crate) fn write(fd: RawFd, buf: &[u8]) -> io::Result<usize> {
    faults::at("write")?;
    // SAFETY: Slices.
    count(unsafe { libc::write(fd, buf.as_ptr().cast::<c_void>(), buf.len()) })
}

/// Writes from several buffers, in their order.
pub(crate) fn write_vectored(fd: RawFd, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
    faults::at("writev")?;
    let buffers = bufs.len().min(BUFFERS_MAX) as c_int;
    // SAFETY: Slices; `IoSlice` is an `iovec` in memory, as the standard library promises.
    count(unsafe { libc::writev(fd, bufs.as_ptr().cast(), buffers) })
}

/// Sets whether a call that cannot go on says so at once, for everybody who shares the open
/// file description.
pub(crate) fn set_nonblocking(fd: RawFd, on: bool) -> io::Result<()> {
    faults::at("ioctl")?;
    let mut on = c_int::from(on);
    // SAFETY: Slices; FIONBIO reads one `int`.
    check(unsafe { libc::ioctl(fd, libc::FIONBIO, &raw mut on) }).map(drop)
}

/// What a descriptor was opened for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Access {
    pub(crate) read: bool,
    pub(crate) write: bool,
}

/// What `fd` was opened for; neither, if only for its path.
pub(crate) fn access(fd: RawFd) -> io::Result<Access> {
    faults::at("fcntl")?;
    // SAFETY: this command takes no pointer.
    let flags = check(unsafe { libc::fcntl(fd, libc::F_GETFL) })?;
    let mode = flags & libc::O_ACCMODE;
    let opened = flags & libc::O_PATH == 0;
    Ok(Access {
        read: opened && matches!(mode, libc::O_RDONLY | libc::O_RDWR),
        write: opened && matches!(mode, libc::O_WRONLY | libc::O_RDWR),
    })
}

/// Whether `fd` is the master of a pseudo-terminal: opening it anew would make another pair.
pub(crate) fn is_pty_master(fd: RawFd) -> bool {
    let mut number: libc::c_uint = 0;
    // SAFETY: Slices; TIOCGPTN writes one unsigned number.
    unsafe { libc::ioctl(fd, libc::TIOCGPTN, &raw mut number) == 0 }
}

/// Opens what `fd` refers to once more: another open file description, which is non-blocking,
/// of the same terminal or pipe.
pub(crate) fn open_again(fd: RawFd) -> io::Result<OwnedFd> {
    let access = access(fd)?;
    faults::at("open")?;
    let mut options = OpenOptions::new();
    options.read(access.read).write(access.write);
    options.custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY);
    Ok(options.open(format!("/proc/self/fd/{fd}"))?.into())
}
