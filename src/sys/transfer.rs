//! From a file to a socket inside the kernel: sendfile(2); and pread(2), where that is refused.
//!
//! # Invariants
//! - **Slices**: each pointer and length given to the kernel are those of one borrowed slice
//!   or local variable, which lives until the call returns; the kernel keeps neither.
//! - **Numbers**: a descriptor comes in as a number that its owner, somewhere above, keeps
//!   open. A wrong number makes a call fail or reach another descriptor; it touches no memory.
//! - **Sets**: a signal set is written by sigemptyset before anything reads it.
//!
//! # Cost
//! `sendfile` is three system calls: it has no flag for "no SIGPIPE", so the signal is blocked
//! around it. For the 256 KiB of a call that is nothing.
//!
//! # Not here
//! Waiting (`kernel::source`). splice(2): `streams::copy` says why.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::RawFd;
use std::ptr;

use libc::{c_int, c_void, off_t, sigset_t, timespec};

use super::{count, faults};

fn to_offset(offset: u64) -> io::Result<off_t> {
    off_t::try_from(offset).map_err(|_| {
        let message = format!("no file has an offset of {offset}");
        io::Error::new(io::ErrorKind::InvalidInput, message)
    })
}

/// Sends up to `length` bytes of `file`, from `offset` on, whose own position does not matter and
/// does not change; 0 is the end of the file. A closed connection is an error, never a SIGPIPE.
pub(crate) fn sendfile(to: RawFd, file: RawFd, offset: u64, length: usize) -> io::Result<usize> {
    faults::at("sendfile")?;
    let mut offset = to_offset(offset)?;
    without_sigpipe(length, || {
        // SAFETY: Slices.
        count(unsafe { libc::sendfile(to, file, &mut offset, length) })
    })
}

/// Is this how sendfile(2) says that it cannot read from such a file?
pub(crate) fn cannot_sendfile(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EINVAL | libc::ENOSYS))
}

/// Reads from `offset` on; 0 is the end.
pub(crate) fn pread(fd: RawFd, buf: &mut [u8], offset: u64) -> io::Result<usize> {
    faults::at("pread")?;
    let offset = to_offset(offset)?;
    let pointer = buf.as_mut_ptr().cast::<c_void>();
    // SAFETY: Slices.
    count(unsafe { libc::pread(fd, pointer, buf.len(), offset) })
}

/// Makes a call that sends `length` bytes at most and whose SIGPIPE comes to nothing. (In a program
/// that ignores it, as Rust's do, there is no signal; but a library may be part of another one.)
fn without_sigpipe(length: usize, call: impl FnOnce() -> io::Result<usize>) -> io::Result<usize> {
    let sigpipe = just_sigpipe();
    let mut before = MaybeUninit::<sigset_t>::uninit();
    // SAFETY: Sets; `before` is room for one.
    unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, &sigpipe, before.as_mut_ptr()) };
    // SAFETY: the call above, which fails only for a wrong first argument, has written it.
    let before = unsafe { before.assume_init() };
    // SAFETY: Sets.
    let was_blocked = unsafe { libc::sigismember(&before, libc::SIGPIPE) } == 1;
    let result = call();
    // A part may have gone before the connection was closed: then it is no error.
    if !matches!(result, Ok(n) if n == length) && !was_blocked {
        // If it came, it came to this thread, and waits behind the mask.
        let at_once = timespec {
            tv_sec: 0,
            tv_nsec: 0,
        };
        // SAFETY: Sets; Slices; a null pointer says that no details are wanted.
        unsafe { libc::sigtimedwait(&sigpipe, ptr::null_mut(), &at_once) };
    }
    // SAFETY: Sets; a null pointer says that the present mask is not wanted.
    unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &before, ptr::null_mut()) };
    result
}

fn just_sigpipe() -> sigset_t {
    let mut set = MaybeUninit::<sigset_t>::uninit();
    // SAFETY: Sets; it is room for one.
    unsafe { libc::sigemptyset(set.as_mut_ptr()) };
    // SAFETY: Sets; the signal exists.
    let _: c_int = unsafe { libc::sigaddset(set.as_mut_ptr(), libc::SIGPIPE) };
    // SAFETY: Sets.
    unsafe { set.assume_init() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::socket;
    use std::fs::File;
    use std::os::fd::AsRawFd;

    fn this_program() -> File {
        File::open(std::env::current_exe().unwrap()).unwrap()
    }

    /// Is SIGPIPE blocked, or waiting, in this thread?
    fn sigpipe() -> (bool, bool) {
        let (mut blocked, mut pending) = (just_sigpipe(), just_sigpipe());
        // SAFETY: Sets; a null pointer says that the mask is not changed.
        unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, ptr::null(), &mut blocked) };
        // SAFETY: Sets.
        unsafe { libc::sigpending(&mut pending) };
        // SAFETY: Sets.
        let has = |set: &sigset_t| unsafe { libc::sigismember(set, libc::SIGPIPE) } == 1;
        (has(&blocked), has(&pending))
    }

    #[test]
    fn a_part_of_a_file_arrives_and_its_position_stays() {
        use std::io::Seek as _;
        let (left, right) = socket::pair().unwrap();
        let (mut file, fd) = (this_program(), left.as_raw_fd());
        let mut whole = vec![0; 8];
        assert_eq!(pread(file.as_raw_fd(), &mut whole, 0).unwrap(), 8);
        assert_eq!(sendfile(fd, file.as_raw_fd(), 1, 3).unwrap(), 3);
        let mut buf = [0; 8];
        assert_eq!(socket::recv(right.as_raw_fd(), &mut buf).unwrap(), 3);
        assert_eq!((&buf[..3], &whole[..4]), (&b"ELF"[..], &b"\x7fELF"[..]));
        assert_eq!(file.stream_position().unwrap(), 0);
        let end = file.metadata().unwrap().len();
        assert_eq!(sendfile(fd, file.as_raw_fd(), end, 3).unwrap(), 0);
        let far = sendfile(fd, file.as_raw_fd(), u64::MAX, 3).unwrap_err();
        assert_eq!(far.kind(), io::ErrorKind::InvalidInput);
    }

    #[test]
    fn a_closed_connection_is_an_error_and_leaves_no_signal() {
        let (left, right) = socket::pair().unwrap();
        drop(right);
        let before = sigpipe();
        let error = sendfile(left.as_raw_fd(), this_program().as_raw_fd(), 0, 3).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::EPIPE));
        assert_eq!(sigpipe(), before);
        assert!(!before.1);
    }

    #[test]
    fn files_that_cannot_be_sent_are_told_from_errors() {
        let (left, _right) = socket::pair().unwrap();
        let odd = File::open("/proc/self/maps").unwrap();
        if let Err(error) = sendfile(left.as_raw_fd(), odd.as_raw_fd(), 0, 3) {
            assert!(cannot_sendfile(&error), "{error}");
        }
        let closed = sendfile(left.as_raw_fd(), -1, 0, 3).unwrap_err();
        assert!(!cannot_sendfile(&closed), "{closed}");
    }
}
