//! Unix datagram sockets: messages inside one machine, in order and not lost.
//!
//! The futures of UDP, another kind of address, and one difference below: a send waits while the
//! *receiver's* queue is full (see `datagram`).
//!
//! # Invariants
//! - **Non-blocking**: the descriptor is in non-blocking mode, whoever made it.
//!
//! # Not here
//! Socket files (`socket_file`). How descriptors are packed (`passing`, `sys::ancillary`).

use std::fmt::{self, Debug, Formatter};
use std::io;
use std::mem;
use std::os::fd::{BorrowedFd, OwnedFd, RawFd};
use std::os::unix::net::{self as std_unix, SocketAddr};
use std::path::Path;

use super::addr::{Addresses, path_address};
use super::bind::Bound;
use super::datagram::{try_recv, try_send, without_sender};
use super::options::buffers;
use super::passing::Flow;
use super::socket_file::SocketFile;
use super::{Bind, PeerCred, Received, Recv, RecvWithFds, SendDatagram, SendWithFds};
use crate::io::descriptor::descriptor;
use crate::kernel::source::{Kind, Source};
use crate::sys::datagram::{self, Receive};
use crate::sys::socket::{self, Address};

/// A Unix datagram socket.
///
/// Datagrams between processes of one machine: they arrive in order, and none is lost while both
/// sockets live. All operations take `&self`.
///
/// A receiver's queue holds a few datagrams (`net.unix.max_dgram_qlen`: 10, on many systems
/// 512), and a send waits while it is full.
///
/// # asyncio
/// `create_datagram_endpoint(family=AF_UNIX)`.
///
/// # Examples
/// ```
/// use petla::net::UnixDatagram;
///
/// petla::run(async {
///     let path = std::env::temp_dir().join(format!("petla-log-{}", std::process::id()));
///     let server = UnixDatagram::bind(&path).unlink_on_drop(true).await?;
///     let client = UnixDatagram::unbound()?;
///     client.send_to(b"a line of the log", &path).await?;
///
///     let mut buf = [0; 1024];
///     let (received, from) = server.recv_from(&mut buf).await?;
///     assert_eq!(&buf[..received.len], b"a line of the log");
///     assert!(from.is_unnamed());
///     std::io::Result::Ok(())
/// })?;
/// # std::io::Result::Ok(())
/// ```
pub struct UnixDatagram {
    /// Dropped first: see there.
    file: Option<SocketFile>,
    source: Source,
}

impl UnixDatagram {
    fn new(bound: Bound) -> UnixDatagram {
        let Bound { source, file } = bound;
        UnixDatagram { file, source }
    }

    fn from_source(source: Source) -> UnixDatagram {
        UnixDatagram { file: None, source }
    }

    /// Makes a socket with a file at `path`, so that others can send to it.
    ///
    /// # Errors
    /// As [`UnixListener::bind`](super::UnixListener::bind).
    ///
    /// # Cancel safety
    /// **Strict.**
    pub fn bind(path: impl AsRef<Path>) -> Bind<UnixDatagram> {
        Bind::datagram(Addresses::path(path.as_ref()), UnixDatagram::new)
    }

    /// Makes a socket with an address of any kind. An unnamed one stands for an abstract name
    /// that the system chooses, so that others can answer.
    ///
    /// # Errors
    /// As [`bind`](UnixDatagram::bind).
    ///
    /// # Cancel safety
    /// **Strict.**
    pub fn bind_addr(addr: &SocketAddr) -> Bind<UnixDatagram> {
        Bind::datagram(Addresses::unix(addr), UnixDatagram::new)
    }

    /// Makes a socket without a name: it sends, and nobody can answer.
    ///
    /// # Errors
    /// Those of socket(2).
    pub fn unbound() -> io::Result<UnixDatagram> {
        let fd = datagram::open(&Address::unnamed())?;
        Ok(UnixDatagram::from_source(Source::new(fd, Kind::Socket)))
    }

    /// Two sockets connected to each other, without names.
    ///
    /// # Errors
    /// Those of socketpair(2).
    pub fn pair() -> io::Result<(UnixDatagram, UnixDatagram)> {
        let (left, right) = datagram::pair()?;
        let socket = |fd| UnixDatagram::from_source(Source::new(fd, Kind::Socket));
        Ok((socket(left), socket(right)))
    }

    /// Fixes the peer: `send` goes there, and only its datagrams are received.
    ///
    /// # Errors
    /// `NotFound`; `ConnectionRefused` if the file is there and its socket is not; `InvalidInput`
    /// if the path cannot be a socket's; others of connect(2).
    pub fn connect(&self, path: impl AsRef<Path>) -> io::Result<()> {
        let target = path_address(path.as_ref())?;
        self.connect_to(&target)
    }

    /// The same for an address of any kind.
    ///
    /// # Errors
    /// As [`connect`](UnixDatagram::connect).
    pub fn connect_addr(&self, addr: &SocketAddr) -> io::Result<()> {
        self.connect_to(&Address::from_unix(addr))
    }

    fn connect_to(&self, target: &Address) -> io::Result<()> {
        socket::connect(self.raw(), target).map(drop)
    }

    /// Sends a datagram to the peer, which may be empty.
    ///
    /// Waits while the receiver's queue or the send buffer is full.
    ///
    /// # Errors
    /// - `InvalidInput`: it is longer than the send buffer, some 200 KB unless changed.
    /// - `NotConnected`: call [`connect`](UnixDatagram::connect) first.
    /// - `ConnectionRefused`, `ConnectionReset`: the peer is gone.
    /// - No loop runs here, or the socket has waited on another loop before.
    ///
    /// # Cancel safety
    /// **Strict.** A future that is dropped has sent nothing.
    pub fn send<'a>(&'a self, data: &'a [u8]) -> SendDatagram<'a> {
        SendDatagram::new(&self.source, data, None)
    }

    /// Sends a datagram to the socket at `path`, which may be empty.
    ///
    /// While that socket's queue is full this tries again after 1 ms, doubling to 100 ms: the
    /// system announces room only to a socket that is connected.
    ///
    /// # Errors
    /// `NotFound`; `ConnectionRefused` if the file is there and its socket is not; else as
    /// [`send`](UnixDatagram::send).
    ///
    /// # Cancel safety
    /// **Strict.** A future that is dropped has sent nothing.
    pub fn send_to<'a>(&'a self, data: &'a [u8], path: impl AsRef<Path>) -> SendDatagram<'a> {
        let target = path_address(path.as_ref());
        SendDatagram::checked(&self.source, data, target)
    }

    /// The same for an address of any kind: that of a sender, an abstract name.
    ///
    /// # Errors
    /// As [`send_to`](UnixDatagram::send_to).
    ///
    /// # Cancel safety
    /// **Strict.** A future that is dropped has sent nothing.
    pub fn send_to_addr<'a>(&'a self, data: &'a [u8], addr: &SocketAddr) -> SendDatagram<'a> {
        SendDatagram::new(&self.source, data, Some(Address::from_unix(addr)))
    }

    /// Receives a datagram, which may be empty.
    ///
    /// One that is longer than the buffer is cut: [`Received::is_truncated`] says so. Descriptors
    /// sent along are closed unseen. Datagrams have no end: this waits also when nobody is left
    /// who could send.
    ///
    /// # Errors
    /// No loop runs here, or the socket has waited on another loop before.
    ///
    /// # Cancel safety
    /// **Strict.** A future that is dropped has received nothing.
    pub fn recv<'a>(&'a self, buf: &'a mut [u8]) -> Recv<'a> {
        Recv::new(&self.source, buf, Receive::Take, without_sender)
    }

    /// Receives a datagram, and the address of its sender: unnamed unless that is bound.
    ///
    /// # Errors
    /// As [`recv`](UnixDatagram::recv).
    ///
    /// # Cancel safety
    /// **Strict.** A future that is dropped has received nothing.
    pub fn recv_from<'a>(&'a self, buf: &'a mut [u8]) -> Recv<'a, (Received, SocketAddr)> {
        Recv::new(&self.source, buf, Receive::Take, with_sender)
    }

    /// As [`recv_from`](UnixDatagram::recv_from), and leaves the datagram for the next receive.
    ///
    /// # Errors
    /// As [`recv`](UnixDatagram::recv).
    ///
    /// # Cancel safety
    /// **Strict.**
    pub fn peek_from<'a>(&'a self, buf: &'a mut [u8]) -> Recv<'a, (Received, SocketAddr)> {
        Recv::new(&self.source, buf, Receive::Peek, with_sender)
    }

    /// As [`send`](UnixDatagram::send), without waiting.
    ///
    /// # Errors
    /// `WouldBlock` if the receiver's queue or the send buffer is full; else as `send`.
    pub fn try_send(&self, data: &[u8]) -> io::Result<usize> {
        try_send(&self.source, data, None)
    }

    /// As [`recv`](UnixDatagram::recv), without waiting.
    ///
    /// # Errors
    /// `WouldBlock` if there is no datagram; else as [`recv`](UnixDatagram::recv).
    pub fn try_recv(&self, buf: &mut [u8]) -> io::Result<Received> {
        try_recv(&self.source, buf, without_sender)
    }

    /// Sends a datagram and duplicates of `fds` along with it, at most 253.
    ///
    /// # Errors
    /// As [`send`](UnixDatagram::send); `InvalidInput` for more than 253 descriptors;
    /// `QuotaExceeded` if too many are under way (`ETOOMANYREFS`).
    ///
    /// # Cancel safety
    /// **Strict.** A future that is dropped has sent nothing.
    pub fn send_with_fds<'a>(
        &'a self,
        data: &'a [u8],
        fds: &'a [BorrowedFd<'a>],
    ) -> SendWithFds<'a> {
        SendWithFds::new(&self.source, data, fds, Flow::Datagrams)
    }

    /// Receives a datagram, and up to `max` descriptors that came with it.
    ///
    /// If more were sent than `max`, or this process has no number free, the others are closed
    /// and [`Received::lost_fds`] says so.
    ///
    /// # Errors
    /// As [`recv`](UnixDatagram::recv).
    ///
    /// # Cancel safety
    /// **Strict.** A future that is dropped has taken nothing.
    pub fn recv_with_fds<'a>(&'a self, buf: &'a mut [u8], max: usize) -> RecvWithFds<'a> {
        RecvWithFds::new(&self.source, buf, max, Flow::Datagrams)
    }

    /// The process, user and group that made the pair.
    ///
    /// # Errors
    /// Those of getsockopt(2). A socket that is not one of a [`pair`](UnixDatagram::pair) shows no
    /// process and the user 4,294,967,295: nobody.
    pub fn peer_cred(&self) -> io::Result<PeerCred> {
        PeerCred::of(self.raw())
    }

    buffers!();

    /// The address of this end; unnamed unless it was bound.
    ///
    /// # Errors
    /// Those of getsockname(2).
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        socket::local_address(self.raw())?.to_unix()
    }

    /// The address of the peer.
    ///
    /// # Errors
    /// `NotConnected` if there is none.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        socket::peer_address(self.raw())?.to_unix()
    }

    /// Takes over a socket of the standard library and sets it to non-blocking mode.
    ///
    /// # Errors
    /// Those of setting the mode.
    pub fn from_std(socket: std_unix::UnixDatagram) -> io::Result<UnixDatagram> {
        socket.set_nonblocking(true)?;
        let source = Source::adopted(socket.into(), Kind::Socket);
        Ok(UnixDatagram::from_source(source))
    }

    /// Gives the socket to the standard library, **still in non-blocking mode**. Its file stays.
    pub fn into_std(self) -> std_unix::UnixDatagram {
        OwnedFd::from(self).into()
    }

    fn raw(&self) -> RawFd {
        self.source.as_raw()
    }
}

fn with_sender(received: Received, from: Address) -> io::Result<(Received, SocketAddr)> {
    Ok((received, from.to_unix()?))
}

impl Debug for UnixDatagram {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct("UnixDatagram");
        if let Ok(addr) = self.local_addr() {
            out.field("addr", &addr);
        }
        out.field("fd", &self.raw()).finish()
    }
}

descriptor!(lent UnixDatagram);

impl From<UnixDatagram> for OwnedFd {
    fn from(socket: UnixDatagram) -> OwnedFd {
        let UnixDatagram { file, source } = socket;
        mem::forget(file);
        source.into_fd()
    }
}
