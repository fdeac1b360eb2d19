//! [`Way`]: how a loop gets at a standard descriptor without spoiling it for others.
//!
//! A shell, its children and theirs share these descriptors, and their mode. So nothing here sets
//! non-blocking mode on one:
//!
//! | it is | bytes move by |
//! | --- | --- |
//! | a pipe, a FIFO, a terminal | a description of our own, opened anew, and epoll |
//! | a socket | calls that carry `MSG_DONTWAIT`, as those of every socket, and epoll |
//! | a file, a device, what cannot be opened anew | a thread of the pool |
//!
//! (What cannot be opened anew: a terminal that belongs to another user, as after `su`, the master
//! of a pseudo-terminal, anything without `/proc`.)
//!
//! # Invariants
//! - **At home**: a descriptor that epoll knows belongs to one loop. Another loop finds its own.
//!
//! # Not here
//! Buffers and lines: `stdin`. Order: `stdout`.

use std::fs;
use std::io;
use std::os::fd::BorrowedFd;
use std::os::unix::fs::FileTypeExt as _;

use super::terminal;
use crate::kernel::Kernel;
use crate::kernel::source::{Kind, Source};
use crate::mailbox::LoopId;
use crate::threads::Ferry;

/// See the module. `T` is what a thread works with.
pub(super) enum Way<T> {
    Polled {
        source: Source,
        home: Option<LoopId>,
    },
    OnThreads(Ferry<T>),
}

impl<T: Send + 'static> Way<T> {
    pub(super) fn find(fd: BorrowedFd<'_>, wrap: impl FnOnce(fs::File) -> T) -> io::Result<Self> {
        let home = Kernel::with(Kernel::id);
        let polled = |source| Way::Polled { source, home };
        let copy = fs::File::from(fd.try_clone_to_owned()?);
        let kind = copy.metadata()?.file_type();
        if kind.is_socket() {
            return Ok(polled(Source::adopted(copy.into(), Kind::Socket)));
        }
        let is_stream = kind.is_fifo() || terminal::is_shared(fd);
        if is_stream && let Ok(own) = terminal::open_own(fd) {
            return Ok(polled(Source::new(own, Kind::File)));
        }
        Ok(Way::OnThreads(Ferry::new(wrap(copy))))
    }

    /// Whether it is of use for the loop that runs here.
    pub(super) fn is_at_home(&self) -> bool {
        match self {
            Way::Polled { home, .. } => *home == Kernel::with(Kernel::id),
            Way::OnThreads(_) => true,
        }
    }
}
