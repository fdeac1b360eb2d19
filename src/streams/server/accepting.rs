//! Accepting: a task for each listening socket, which starts a task for each connection.
//!
//! ```text
//!   room for one more? ──► accept ──► admit, start its handler ──┐
//!          ▲ 16 in a row: let others run                         │
//!          └─────────────────────────────────────────────────────┘
//! ```
//!
//! Whoever is accepted is in the list of clients, with a handler, before the poll that accepted it
//! ends: nothing that happens to the task or the server in between can lose it.
//!
//! # Not here
//! Which errors of accept(2) end it, and the pauses when descriptors are exhausted: `net::accept`.

use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use super::Shared;
use super::clients::Guest;
use crate::io::ops::CALLS_A_POLL;
use crate::kernel::source::{Kind, Source};
use crate::net::{Accept, SocketFile};
use crate::streams::connection::Connection;
use crate::streams::link::Link;
use crate::sys::socket::Address;
use crate::task::Task;
use crate::time::yield_now;

/// Starts a handler. One call through a pointer for each connection, so that all but the handlers
/// is the same code for every server.
pub(super) type Start = dyn Fn(Rc<Connection>, Guest) -> Task<()>;

type Accepted = (OwnedFd, Address);

/// A socket that a server listens on.
#[derive(Debug)]
pub(super) struct Listener {
    /// The name of a Unix socket, if it goes with the socket. Dropped before `link`: see
    /// [`SocketFile`].
    pub(super) file: RefCell<Option<SocketFile>>,
    pub(super) link: Link,
    /// What its connections are.
    pub(super) kind: Kind,
    /// Its address, if it is an internet socket.
    pub(super) addr: Option<SocketAddr>,
}

impl Listener {
    /// Ends listening. The file goes first: see [`SocketFile`].
    pub(super) fn close(&self) {
        drop(self.file.take());
        self.link.close();
    }

    /// The next connection; `None` if none is to be taken now.
    fn poll_next(
        &self,
        shared: &Shared,
        accept: &mut Accept<'_, Accepted>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Accepted>>> {
        if self.link.is_closed() || shared.clients.is_full() {
            return Poll::Ready(None);
        }
        Pin::new(accept).poll(cx).map(Some)
    }
}

/// Ends with the listener, or with the handle of its task.
pub(super) async fn accept_all(closing: Closing, number: usize, start: Rc<Start>) {
    let shared = &*closing.0;
    let listener = &shared.listeners[number];
    while !shared.is_closed() {
        shared.clients.room().await;
        let mut accept = Accept::new(listener.link.source(), |fd, peer| Ok((fd, peer)));
        for _ in 0..CALLS_A_POLL {
            match poll_fn(|cx| listener.poll_next(shared, &mut accept, cx)).await {
                Some(Ok((fd, peer))) => begin(shared, listener.kind, fd, peer, &*start),
                Some(Err(error)) => return shared.fail(listener, error),
                None => break,
            }
        }
        yield_now().await;
    }
}

fn begin(shared: &Shared, kind: Kind, fd: OwnedFd, peer: Address, start: &Start) {
    let connection = Connection::new(Link::socket(Source::new(fd, kind)));
    let guest = shared.clients.admit(&connection, peer.to_inet().ok());
    let key = guest.key();
    let handler = start(connection, guest);
    shared.clients.handled_by(key, handler);
}

/// A server that accepts no more is closed, whatever ended the task, begun or not.
pub(super) struct Closing(pub(super) Rc<Shared>);

impl Drop for Closing {
    fn drop(&mut self) {
        self.0.close();
    }
}
