//! The system calls: the only module that names `libc`.
//!
//! Everything above works with `io::Result`, owned descriptors and plain numbers, so that
//! what the kernel demands (pointers, lengths, `errno`) is met in one place and can be read
//! in one sitting. Each file wraps one group of calls: thinly, with its kernel facts beside
//! the code that depends on them. What to do *with* an answer is decided above.
//!
//! # Invariants
//! - **Owned**: a wrapper that is called `Epoll` or `EventFd` owns its descriptor; it is
//!   open until the wrapper is dropped. Functions that take a `RawFd` own nothing and must
//!   answer a closed or negative number with an error, never with undefined behaviour: to
//!   the kernel a descriptor is only a number.
//! - **Lent**: a pointer given to the kernel points to memory that lives, and is not touched
//!   by anyone else, until the call returns. No call here keeps a pointer longer.
//! - **Closed on exec**: every descriptor made here has `CLOEXEC`.
//!
//! The few statics here are the standard library's atomics, also when the models of
//! `.ci/loom` run: a loom atomic cannot be a `static`, and none but `per_process` guards data.
//!
//! # Not here
//! Retries, readiness, waiting: `reactor` and `kernel`. Anything but 64-bit Linux.

use std::io;

pub(crate) mod affinity;
pub(crate) mod ancillary;
pub(crate) mod child;
pub(crate) mod datagram;
pub(crate) mod epoll;
pub(crate) mod eventfd;
pub(crate) mod faults;
pub(crate) mod memory;
pub(crate) mod names;
pub(crate) mod options;
pub(crate) mod per_process;
pub(crate) mod pipe;
pub(crate) mod process;
pub(crate) mod room;
pub(crate) mod signal;
pub(crate) mod socket;
pub(crate) mod transfer;

pub(crate) use process::fork_count;

/// Turns the C convention into Rust's: `-1` is the thread's `errno`, anything else a value.
///
/// Call it right after the system call: whatever runs between may overwrite `errno`.
#[inline]
pub(crate) fn check(result: libc::c_int) -> io::Result<libc::c_int> {
    if result == -1 {
        Err(io::Error::last_os_error())
    } else {
        Ok(result)
    }
}

/// As [`check`], for a number of bytes.
#[inline]
pub(crate) fn count(result: isize) -> io::Result<usize> {
    usize::try_from(result).map_err(|_| io::Error::last_os_error())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn minus_one_becomes_the_error_of_the_call() {
        // SAFETY: `close` takes a number; -1 is never a descriptor.
        let result = unsafe { libc::close(-1) };
        assert_eq!(check(result).unwrap_err().raw_os_error(), Some(libc::EBADF));
        assert_eq!(check(0).unwrap(), 0);
    }
}
