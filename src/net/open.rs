//! Opening a socket: the futures of `bind` and `connect`, for both families.
//!
//! Both take a list of addresses, try them in turn and end with the first that works, or
//! with the error of the last. A socket that did not get there is closed before the next is
//! tried, and so is the one under way when the future is dropped.
//!
//! `bind` waits only for the lookup of a name, if there is one. `connect` waits for each peer:
//!
//! ```text
//!   connect(2) ── done ──────────────────────────────────► connected
//!       ├─ under way ──► wait until writable ──► SO_ERROR ─┴─► the next address
//!       └─ queue full (Unix) ──► sleep ──► again
//! ```
//!
//! The socket is registered with the loop only after connect(2): epoll reports a socket that
//! was never connected as hung up. A Unix listener whose queue is full refuses with EAGAIN,
//! and the kernel offers no event for "has room now"; hence the sleep.
//!
//! # Cost
//! `bind`: four system calls. `connect`: a box for its future, which refers to its own socket
//! while it waits; two system calls, one for `SO_ERROR`, and those of the wait.
//!
//! # Not here
//! Racing IPv6 against IPv4 ("happy eyeballs"): give the addresses in the order you prefer.

use std::fmt::{self, Debug, Formatter};
use std::future::{self, Future};
use std::io;
use std::net::SocketAddr;
use std::os::fd::AsRawFd;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use super::TcpListener;
use super::addr::Addresses;
use crate::kernel::source::{Direction, Kind, Source};
use crate::sys::socket::{self, Address, Connected};
use crate::time;

/// Connections that may wait for `accept`. The standard library's 128 overflows when a few
/// hundred clients come between two turns of the loop, and each that finds the queue full
/// loses a second to retransmission. A place costs nothing until it is used, and the kernel
/// caps the number at `net.core.somaxconn` (4096 since Linux 5.4).
const BACKLOG: u32 = 1024;

/// How often a port is looked for that is free on several addresses.
const TRIES: usize = 8;

/// The pauses between two tries on a full Unix queue. The first is about as long as a busy
/// server takes for one turn of its loop.
const QUEUE_PAUSE_MIN: Duration = Duration::from_millis(1);
const QUEUE_PAUSE_MAX: Duration = Duration::from_millis(100);

/// The future of [`TcpListener::bind`] and
/// [`UnixListener::bind`](super::UnixListener::bind), and their options.
#[must_use = "futures do nothing unless awaited"]
pub struct Bind<T> {
    addresses: Addresses,
    backlog: u32,
    reuse_port: bool,
    finish: fn(Source) -> T,
}

impl<T> Bind<T> {
    pub(super) fn new(addresses: Addresses, finish: fn(Source) -> T) -> Bind<T> {
        Bind {
            addresses,
            backlog: BACKLOG,
            reuse_port: false,
            finish,
        }
    }

    /// How many connections may wait to be accepted; 1024 unless told.
    ///
    /// The system caps the number (`net.core.somaxconn`) and lets in one more than it says.
    /// Clients beyond are not refused: they try again, TCP after one second or more.
    ///
    /// # Cancel safety
    /// **Strict.**
    pub fn backlog(mut self, connections: u32) -> Bind<T> {
        self.backlog = connections;
        self
    }

    fn listen(&self, address: &Address, v6_only: bool) -> io::Result<Source> {
        let fd = socket::open(address)?;
        let raw = fd.as_raw_fd();
        if v6_only && address.is_v6() {
            socket::set(raw, socket::V6_ONLY, 1)?;
        }
        if address.is_inet() {
            // Else the port stays taken while old connections linger, up to a minute.
            socket::set(raw, socket::REUSE_ADDR, 1)?;
        }
        if self.reuse_port {
            socket::set(raw, socket::REUSE_PORT, 1)?;
        }
        socket::bind(raw, address)?;
        socket::listen(raw, self.backlog)?;
        Ok(Source::new(fd, Kind::Socket))
    }
}

impl Bind<TcpListener> {
    /// Lets several listeners, also of other loops and processes of the same user, share one
    /// port. The kernel spreads new connections over them. Each of them must ask for it.
    ///
    /// # Cancel safety
    /// **Strict.**
    pub fn reuse_port(mut self, on: bool) -> Bind<TcpListener> {
        self.reuse_port = on;
        self
    }

    /// Listens on all of the addresses, with one port for all those whose port is 0. An address
    /// that this machine does not have is passed over if another one can be had.
    pub(crate) fn poll_all(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Vec<TcpListener>>> {
        let mut list = Vec::new();
        for address in ready!(self.addresses.poll(cx))? {
            let address = address.to_inet()?;
            if !list.contains(&address) {
                list.push(address);
            }
        }
        let any_port = list.iter().any(|address| address.port() == 0);
        let mut outcome = self.listen_all(&list);
        for _ in 1..TRIES {
            // The port that one address was given may be taken on another one.
            let is_in_use = |error: &io::Error| error.kind() == io::ErrorKind::AddrInUse;
            if !any_port || !outcome.as_ref().is_err_and(is_in_use) {
                break;
            }
            outcome = self.listen_all(&list);
        }
        Poll::Ready(outcome)
    }

    fn listen_all(&self, list: &[SocketAddr]) -> io::Result<Vec<TcpListener>> {
        // A lone [::] takes clients of IPv4 as well, beside 0.0.0.0 it must not.
        let v6_only = list.len() > 1;
        let (mut listeners, mut port, mut absent) = (Vec::new(), 0, None);
        for address in list {
            let (mut address, any_port) = (*address, address.port() == 0);
            if any_port {
                address.set_port(port);
            }
            match self.listen(&address.into(), v6_only) {
                Ok(source) => {
                    let listener = (self.finish)(source);
                    if any_port {
                        port = listener.local_addr()?.port();
                    }
                    listeners.push(listener);
                }
                Err(error) => {
                    let message = format!("cannot listen on {address}: {error}");
                    let named = io::Error::new(error.kind(), message);
                    if !socket::is_absent(&error) {
                        return Err(named);
                    }
                    absent = Some(named);
                }
            }
        }
        match absent {
            Some(error) if listeners.is_empty() => Err(error),
            _ => Ok(listeners),
        }
    }
}

impl<T> Future for Bind<T> {
    type Output = io::Result<T>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<T>> {
        let list = ready!(self.addresses.poll(cx))?;
        let mut outcome = Err(no_address());
        for address in &list {
            outcome = self.listen(address, false);
            if outcome.is_ok() {
                break;
            }
        }
        Poll::Ready(outcome.map(self.finish))
    }
}

impl<T> Debug for Bind<T> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bind")
            .field("backlog", &self.backlog)
            .field("reuse_port", &self.reuse_port)
            .finish_non_exhaustive()
    }
}

/// The future of [`TcpStream::connect`](super::TcpStream::connect) and
/// [`UnixStream::connect`](super::UnixStream::connect).
#[must_use = "futures do nothing unless awaited"]
pub struct Connect<T> {
    attempt: Pin<Box<dyn Future<Output = io::Result<Source>> + Send>>,
    finish: fn(Source) -> T,
}

impl<T> Connect<T> {
    pub(super) fn new(addresses: Addresses, finish: fn(Source) -> T) -> Connect<T> {
        Connect {
            attempt: Box::pin(connect_any(addresses)),
            finish,
        }
    }
}

impl<T> Future for Connect<T> {
    type Output = io::Result<T>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<T>> {
        let source = ready!(self.attempt.as_mut().poll(cx));
        Poll::Ready(source.map(self.finish))
    }
}

impl<T> Debug for Connect<T> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connect").finish_non_exhaustive()
    }
}

async fn connect_any(mut addresses: Addresses) -> io::Result<Source> {
    let mut outcome = Err(no_address());
    for address in future::poll_fn(|cx| addresses.poll(cx)).await? {
        outcome = connect(&address).await;
        if outcome.is_ok() {
            break;
        }
    }
    outcome
}

async fn connect(address: &Address) -> io::Result<Source> {
    let kind = if address.is_inet() {
        Kind::Tcp
    } else {
        Kind::Socket
    };
    let source = Source::new(socket::open(address)?, kind);
    let mut pause = QUEUE_PAUSE_MIN;
    loop {
        match socket::connect(source.as_raw(), address)? {
            Connected::Done => return Ok(source),
            Connected::UnderWay => break,
            Connected::QueueFull => {}
        }
        time::sleep(pause).await;
        pause = (pause * 2).min(QUEUE_PAUSE_MAX);
    }
    let mut writable = source.wait(Direction::Write);
    future::poll_fn(|cx| writable.poll_ready(cx)).await?;
    drop(writable);
    match socket::take_error(source.as_raw())? {
        Some(error) => Err(error),
        None => Ok(source),
    }
}

/// Stands in until the first address is tried; a list has at least one.
fn no_address() -> io::Error {
    io::Error::from(io::ErrorKind::AddrNotAvailable)
}
