//! Binding a socket to an address: the future of every `bind`, and its options.
//!
//! It takes a list of addresses, tries them in turn and ends with the first that can be had, or
//! with the error of the last. A socket that did not get there is closed before the next is
//! tried. The future waits only for the lookup of a name, if there is one.
//!
//! # Cost
//! Three system calls for a datagram socket, four and five for a listener.
//!
//! # Not here
//! Binding all addresses of a name, as servers do (`bind_all`).

use std::fmt::{self, Debug, Formatter};
use std::future::Future;
use std::io::{self, ErrorKind};
use std::os::fd::{AsRawFd, OwnedFd};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use super::addr::{Addresses, first};
use super::socket_file::{SocketFile, make_way, named};
use super::{TcpListener, UdpSocket, UnixDatagram, UnixListener};
use crate::kernel::source::{Kind, Source};
use crate::sys::socket::{self, Address};
use crate::sys::{datagram, options};

/// Connections that may wait for `accept`. The standard library's 128 overflows when a few
/// hundred clients come between two turns of the loop, and each that finds the queue full
/// loses a second to retransmission. A place costs nothing until it is used, and the kernel
/// caps the number at `net.core.somaxconn` (4096 since Linux 5.4).
const BACKLOG: u32 = 1024;

/// What a bind has made.
pub(super) struct Bound {
    pub(super) source: Source,
    pub(super) file: Option<SocketFile>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Options {
    /// For listeners; a datagram socket has no queue of connections.
    backlog: Option<u32>,
    reuse_port: bool,
    only_v6: Option<bool>,
    replace_stale: bool,
    unlink_on_drop: bool,
}

/// The future of `bind`: of [`TcpListener::bind`], [`UnixListener::bind`], [`UdpSocket::bind`] and
/// [`UnixDatagram::bind`], and their options.
#[must_use = "futures do nothing unless awaited"]
pub struct Bind<T> {
    addresses: Addresses,
    options: Options,
    finish: fn(Bound) -> T,
}

impl<T> Bind<T> {
    pub(super) fn listener(addresses: Addresses, finish: fn(Bound) -> T) -> Bind<T> {
        let mut bind = Bind::datagram(addresses, finish);
        bind.options.backlog = Some(BACKLOG);
        bind
    }

    pub(super) fn datagram(addresses: Addresses, finish: fn(Bound) -> T) -> Bind<T> {
        Bind {
            addresses,
            options: Options::default(),
            finish,
        }
    }

    /// The list, once the name is looked up. To be asked again only while it is pending.
    pub(super) fn poll_addresses(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<Vec<Address>>> {
        self.addresses.poll(cx)
    }

    /// A socket for IPv6 alone, unless told otherwise.
    pub(super) fn separate_families(&mut self) {
        self.options.only_v6.get_or_insert(true);
    }

    pub(super) fn open(&self, address: &Address) -> io::Result<T> {
        self.options.open(address).map(self.finish)
    }

    fn with(mut self, change: impl FnOnce(&mut Options)) -> Bind<T> {
        change(&mut self.options);
        self
    }
}

impl Options {
    fn open(&self, address: &Address) -> io::Result<Bound> {
        let fd = match self.backlog {
            Some(_) => socket::open(address)?,
            None => datagram::open(address)?,
        };
        let raw = fd.as_raw_fd();
        if self.backlog.is_some() && address.is_inet() {
            // Else the port stays taken while old connections linger, up to a minute.
            socket::set(raw, socket::REUSE_ADDR, 1)?;
        }
        if self.reuse_port {
            socket::set(raw, socket::REUSE_PORT, 1)?;
        }
        if let Some(only) = self.only_v6
            && address.is_v6()
        {
            socket::set(raw, options::ONLY_V6, only.into())?;
        }
        self.bind(&fd, address)?;
        let file = match self.unlink_on_drop {
            true => SocketFile::of(address)?,
            false => None,
        };
        if let Some(backlog) = self.backlog {
            socket::listen(raw, backlog)?;
        }
        let source = Source::new(fd, Kind::Socket);
        Ok(Bound { source, file })
    }

    fn bind(&self, fd: &OwnedFd, address: &Address) -> io::Result<()> {
        let raw = fd.as_raw_fd();
        if address.is_inet() {
            return socket::bind(raw, address);
        }
        let bound = socket::bind(raw, address).or_else(|error| {
            if error.kind() != ErrorKind::AddrInUse {
                return Err(error);
            }
            make_way(address, self.replace_stale, error)?;
            socket::bind(raw, address)
        });
        bound.map_err(|error| named(address, error))
    }
}

/// Options that several kinds of sockets have.
macro_rules! bind_options {
    (backlog $socket:ident) => {
        impl Bind<$socket> {
            /// How many connections may wait to be accepted; 1024 unless told.
            ///
            /// The system caps the number (`net.core.somaxconn`) and lets in one more than it
            /// says. Clients beyond are not refused: they try again, TCP after one second or more.
            ///
            /// # Cancel safety
            /// **Strict.**
            pub fn backlog(self, connections: u32) -> Bind<$socket> {
                self.with(|options| options.backlog = Some(connections))
            }
        }
    };
    (inet $socket:ident) => {
        impl Bind<$socket> {
            /// Lets several sockets, also of other loops and processes of the same user, share
            /// one port. Each of them must ask for it. The kernel spreads connections and
            /// datagrams over them; a datagram to a multicast group goes to every one.
            ///
            /// # Cancel safety
            /// **Strict.**
            pub fn reuse_port(self, on: bool) -> Bind<$socket> {
                self.with(|options| options.reuse_port = on)
            }

            /// Whether a socket that is bound to an IPv6 address leaves IPv4 alone. If not, one
            /// bound to `[::]` serves IPv4 too, under addresses such as `::ffff:127.0.0.1`, and
            /// `0.0.0.0` cannot be bound beside it. Unless told, as the system is set up
            /// (`net.ipv6.bindv6only`): usually not.
            ///
            /// # Cancel safety
            /// **Strict.**
            pub fn only_v6(self, on: bool) -> Bind<$socket> {
                self.with(|options| options.only_v6 = Some(on))
            }
        }
    };
    (unix $socket:ident) => {
        impl Bind<$socket> {
            /// Replaces the socket file at the path if no program has it open any more: one that
            /// ended without removing it. Off unless told.
            ///
            /// A name that lives, and a file that is no socket, stay `AddrInUse`. Two programs
            /// that replace the same dead file at the same moment may both succeed; the later
            /// one then has the name.
            ///
            /// # Cancel safety
            /// **Strict.**
            pub fn replace_stale(self, on: bool) -> Bind<$socket> {
                self.with(|options| options.replace_stale = on)
            }

            /// Removes the socket file when the socket is dropped, unless another has taken its
            /// place. Off unless told.
            ///
            /// A process that is killed removes nothing, and neither does one that was forked
            /// from the owner, or a socket that was given away by `into_std`.
            ///
            /// # Cancel safety
            /// **Strict.**
            pub fn unlink_on_drop(self, on: bool) -> Bind<$socket> {
                self.with(|options| options.unlink_on_drop = on)
            }
        }
    };
}

bind_options!(backlog TcpListener);
bind_options!(inet TcpListener);
bind_options!(inet UdpSocket);
bind_options!(backlog UnixListener);
bind_options!(unix UnixListener);
bind_options!(unix UnixDatagram);

impl<T> Future for Bind<T> {
    type Output = io::Result<T>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<T>> {
        let list = ready!(self.poll_addresses(cx))?;
        Poll::Ready(first(&list, |address| self.open(address)))
    }
}

impl<T> Debug for Bind<T> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let options = &self.options;
        f.debug_struct("Bind")
            .field("options", options)
            .finish_non_exhaustive()
    }
}
