//! Descriptors that other programs share, opened anew.
//!
//! A shell, its children and whatever they start have one terminal, by duplicates of one
//! descriptor. Non-blocking mode belongs to what these share, the open file description: a
//! program that sets it on its standard input makes the shell's reads fail, also after it has
//! ended. So the terminal is opened once more, by way of `/proc/self/fd`: the same terminal,
//! another description, whose mode is ours alone. The same goes for pipes.
//!
//! The master of a pseudo-terminal is no such descriptor: to open it again makes a new pair.
//!
//! # Not here
//! Terminal modes (echo, raw input): crates such as `rustix` set them on any descriptor.

use std::io::{self, IsTerminal};
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};

use crate::sys::pipe;

/// Whether `fd` is a terminal, and so probably not ours alone.
pub(crate) fn is_shared(fd: BorrowedFd<'_>) -> bool {
    fd.is_terminal() && !pipe::is_pty_master(fd.as_raw_fd())
}

/// The same terminal or pipe with an open file description of our own, non-blocking; `fd` and
/// all its duplicates stay as they are.
///
/// # Errors
/// - Those of open(2): a terminal that belongs to another user (`PermissionDenied`), a socket
///   (`ENXIO`), a FIFO to be written that nobody reads (`ENXIO`), a system without `/proc`.
/// - `fd` must not be a file on a disk, whose position would be another one; the caller knows.
pub(crate) fn open_own(fd: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    pipe::open_again(fd.as_raw_fd()).map_err(|error| {
        let message = format!(
            "cannot open descriptor {} anew, to use it without changing it for others: {error}",
            fd.as_raw_fd()
        );
        io::Error::new(error.kind(), message)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::AsFd;

    #[test]
    fn a_pipe_opened_anew_is_the_same_pipe_and_changes_nothing_for_others() {
        let (theirs, mut writer) = io::pipe().unwrap();
        let mut ours = std::fs::File::from(open_own(theirs.as_fd()).unwrap());
        let mut buf = [0; 8];
        let empty = io::Read::read(&mut ours, &mut buf).unwrap_err();
        assert_eq!(empty.kind(), io::ErrorKind::WouldBlock);
        io::Write::write_all(&mut writer, b"x").unwrap();
        let mut theirs = theirs;
        assert_eq!(io::Read::read(&mut theirs, &mut buf).unwrap(), 1);
    }

    #[test]
    fn what_cannot_be_opened_anew_says_which_descriptor_it_was() {
        let (left, _right) = std::os::unix::net::UnixStream::pair().unwrap();
        let error = open_own(left.as_fd()).unwrap_err();
        let number = format!("descriptor {} anew", left.as_raw_fd());
        assert!(error.to_string().contains(&number), "{error}");
    }
}
