//! [`Link`]: the descriptor below a connection or a server, which can be closed while it is shared.
//!
//! A socket is ended by shutdown(2), whoever still holds it. A pipe and a listening socket know no
//! such call: their end is the close of their descriptor, and other tasks may wait for it at that
//! moment. So the link of those two owns the descriptor beside a source that only borrows it.
//!
//! # Invariants
//! - **Closed for good**: after [`close`](Link::close) no system call is made on the number, which
//!   may be another descriptor's by then. Users look at `is_closed`, or at a state of their own.
//! - **Out first**: a descriptor leaves its loop before it is closed.
//!
//! # Not here
//! What is sent and received (`connection`, `input`).

use std::cell::RefCell;
use std::io::{self, ErrorKind};
use std::net::{Shutdown, SocketAddr};
use std::os::fd::{AsRawFd, OwnedFd};

use crate::kernel::source::{Kind, Source};
use crate::sys::socket::{self, Address};

/// See the module.
#[derive(Debug)]
pub(super) struct Link {
    /// Dropped before `owned`: Out first.
    source: Source,
    /// The descriptor of what is no connected socket.
    owned: RefCell<Option<OwnedFd>>,
}

impl Link {
    /// A connected socket.
    pub(super) fn socket(source: Source) -> Link {
        Link {
            source,
            owned: RefCell::new(None),
        }
    }

    /// The end of a pipe, or a listening socket.
    pub(super) fn closable(fd: OwnedFd) -> Link {
        Link {
            source: Source::borrowed(fd.as_raw_fd()),
            owned: RefCell::new(Some(fd)),
        }
    }

    #[inline(always)]
    pub(super) fn source(&self) -> &Source {
        &self.source
    }

    pub(super) fn into_source(self) -> Source {
        self.source
    }

    /// What a connected socket is; everything else is a file.
    pub(super) fn kind(&self) -> Kind {
        self.source.kind()
    }

    /// Closes what is closable; who waits for it is woken.
    pub(super) fn close(&self) {
        let owned = self.owned.take();
        if owned.is_some() {
            self.source.leave_home();
        }
    }

    /// Whether what was closable is closed.
    pub(super) fn is_closed(&self) -> bool {
        self.owned.borrow().is_none()
    }

    /// Ends one direction or both.
    pub(super) fn shutdown(&self, how: Shutdown) {
        match self.kind() {
            // Fails if the connection is gone: then reads and later writes say so.
            Kind::Tcp | Kind::Socket => drop(socket::shutdown(self.source.as_raw(), how)),
            Kind::File => self.close(),
        }
    }

    /// Resets a TCP connection, at once: shutdown(2) would send an orderly end first, which the
    /// peer may take for the end of the data. Others have no reset. To be followed by a shutdown.
    pub(super) fn reset(&self) {
        if self.kind() == Kind::Tcp {
            let raw = self.source.as_raw();
            // connect(2): no address dissolves the association; in TCP that is a reset. Each of
            // these fails if the connection is gone, which is what is wanted.
            let _ = socket::connect(raw, &Address::none());
            // The reset is our own error as well: with it gone, reads see the end.
            let _ = socket::take_error(raw);
        }
    }

    pub(super) fn local_addr(&self) -> io::Result<SocketAddr> {
        self.is_socket()?;
        socket::local_address(self.source.as_raw())?.to_inet()
    }

    pub(super) fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.is_socket()?;
        socket::peer_address(self.source.as_raw())?.to_inet()
    }

    fn is_socket(&self) -> io::Result<()> {
        if self.kind() == Kind::File {
            let message = "a pipe has no address";
            return Err(io::Error::new(ErrorKind::Unsupported, message));
        }
        Ok(())
    }
}
