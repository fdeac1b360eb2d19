//! UDP sockets.
//!
//! A thin object over a [`Source`]: its futures stand in `datagram`, its options in
//! `udp_options`. It is read until `EAGAIN`, as no datagram says whether another one waits.
//!
//! # Invariants
//! - **Non-blocking**: the descriptor is in non-blocking mode, whoever made it.
//! - **Inet**: it is an IPv4 or IPv6 socket, so its addresses always convert.
//!
//! # Cost
//! One system call a datagram.
//!
//! # Not here
//! Several datagrams in one call (`recvmmsg`, GSO): every object implements `AsFd`.

use std::fmt::{self, Debug, Formatter};
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::os::fd::RawFd;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use super::addr::{Addresses, ToAddrs, first};
use super::datagram::{try_recv, try_send, without_sender};
use super::{Bind, Received, Recv, SendDatagram};
use crate::io::descriptor::descriptor;
use crate::kernel::source::{Kind, Source};
use crate::sys::datagram::Receive;
use crate::sys::socket::{self, Address};

/// A UDP socket.
///
/// All operations take `&self`: one task may receive while another sends. What was not received
/// when the socket is dropped is lost.
///
/// # Errors of earlier datagrams
/// A *connected* socket hears when the peer's machine refuses its datagrams. The next operation,
/// whichever it is, then fails with `ConnectionRefused`, once, and has done nothing; the socket
/// lives on. A socket that is not connected never hears of it.
///
/// # asyncio
/// `create_datagram_endpoint`, without a protocol: `recv_from` stands for `datagram_received`, its
/// errors for `error_received`, and `send_to` waits where `sendto` buffers.
///
/// # Examples
/// ```
/// use petla::net::UdpSocket;
///
/// petla::run(async {
///     let server = UdpSocket::bind("127.0.0.1:0").await?;
///     let client = UdpSocket::bind("127.0.0.1:0").await?;
///     client.send_to(b"ping", server.local_addr()?).await?;
///
///     let mut buf = [0; 1500];
///     let (received, from) = server.recv_from(&mut buf).await?;
///     assert!(!received.is_truncated());
///     server.send_to(&buf[..received.len], from).await?;
///
///     let (echo, _) = client.recv_from(&mut buf).await?;
///     assert_eq!(&buf[..echo.len], b"ping");
///     std::io::Result::Ok(())
/// })?;
/// # std::io::Result::Ok(())
/// ```
pub struct UdpSocket {
    source: Source,
}

impl UdpSocket {
    /// Opens a socket at the first of the addresses that can be had.
    ///
    /// Port 0 takes any free port. Options stand between the call and its `await`:
    /// `UdpSocket::bind("[::]:5353").only_v6(true).reuse_port(true).await`.
    ///
    /// # Errors
    /// As [`TcpListener::bind`](super::TcpListener::bind).
    ///
    /// # Cancel safety
    /// **Strict.**
    ///
    /// # asyncio
    /// `create_datagram_endpoint(local_addr=..)`.
    pub fn bind<A: ToAddrs>(addr: A) -> Bind<UdpSocket> {
        Bind::datagram(addr.addresses(), |bound| {
            let source = bound.source;
            UdpSocket { source }
        })
    }

    /// Fixes the peer: `send` goes there, and only its datagrams are received.
    ///
    /// Nothing is sent; that the peer exists shows later. Of several addresses the first is
    /// taken that the socket can send to. Connecting again changes the peer.
    ///
    /// # Errors
    /// `InvalidInput` for a text that is not an address; that of the lookup; those of connect(2),
    /// of the last address: no route, or of another family than the socket.
    ///
    /// # Cancel safety
    /// **Strict.**
    ///
    /// # asyncio
    /// `create_datagram_endpoint(remote_addr=..)`.
    pub fn connect<A: ToAddrs>(&self, addr: A) -> ConnectDatagram<'_> {
        ConnectDatagram {
            source: &self.source,
            addresses: addr.addresses(),
        }
    }

    /// Sends a datagram to the peer, which may be empty.
    ///
    /// Waits while the send buffer is full. Sent means handed to the network.
    ///
    /// # Errors
    /// - `InvalidInput`: it is longer than 65,507 bytes (65,527 over IPv6).
    /// - `NotConnected`: call [`connect`](UdpSocket::connect) first.
    /// - `ResourceBusy`: the interface's queue is full (`ENOBUFS`).
    /// - `ConnectionRefused`: an earlier one met no socket, and this one is not sent; see above.
    /// - No loop runs here, or the socket has waited on another loop before.
    ///
    /// # Cancel safety
    /// **Strict.** A future that is dropped has sent nothing.
    pub fn send<'a>(&'a self, data: &'a [u8]) -> SendDatagram<'a> {
        SendDatagram::new(&self.source, data, None)
    }

    /// Sends a datagram to an address, which may be empty.
    ///
    /// Names are looked up once, by [`lookup_host`](super::lookup_host), not for each datagram.
    ///
    /// # Errors
    /// As [`send`](UdpSocket::send), and `PermissionDenied` for a broadcast address without
    /// [`set_broadcast`](UdpSocket::set_broadcast), `InvalidInput` for one of another family.
    ///
    /// # Cancel safety
    /// **Strict.** A future that is dropped has sent nothing.
    ///
    /// # asyncio
    /// `loop.sock_sendto`; `DatagramTransport.sendto`, which never waits.
    pub fn send_to<'a>(
        &'a self,
        data: &'a [u8],
        target: impl Into<SocketAddr>,
    ) -> SendDatagram<'a> {
        let target = Address::from(target.into());
        SendDatagram::new(&self.source, data, Some(target))
    }

    /// Receives a datagram, which may be empty.
    ///
    /// One that is longer than the buffer is cut: [`Received::is_truncated`] says so.
    ///
    /// # Errors
    /// `ConnectionRefused` of an earlier send; see above. No loop runs here, or the socket has
    /// waited on another loop before.
    ///
    /// # Cancel safety
    /// **Strict.** A future that is dropped has received nothing.
    pub fn recv<'a>(&'a self, buf: &'a mut [u8]) -> Recv<'a> {
        Recv::new(&self.source, buf, Receive::Take, without_sender)
    }

    /// Receives a datagram, and the address of its sender.
    ///
    /// # Errors
    /// As [`recv`](UdpSocket::recv).
    ///
    /// # Cancel safety
    /// **Strict.** A future that is dropped has received nothing.
    ///
    /// # asyncio
    /// `loop.sock_recvfrom`.
    pub fn recv_from<'a>(&'a self, buf: &'a mut [u8]) -> Recv<'a, (Received, SocketAddr)> {
        Recv::new(&self.source, buf, Receive::Take, with_sender)
    }

    /// As [`recv_from`](UdpSocket::recv_from), and leaves the datagram for the next receive.
    ///
    /// # Errors
    /// As [`recv`](UdpSocket::recv).
    ///
    /// # Cancel safety
    /// **Strict.**
    pub fn peek_from<'a>(&'a self, buf: &'a mut [u8]) -> Recv<'a, (Received, SocketAddr)> {
        Recv::new(&self.source, buf, Receive::Peek, with_sender)
    }

    /// As [`send`](UdpSocket::send), without waiting.
    ///
    /// # Errors
    /// `WouldBlock` if the send buffer is full; else as [`send`](UdpSocket::send).
    pub fn try_send(&self, data: &[u8]) -> io::Result<usize> {
        try_send(&self.source, data, None)
    }

    /// As [`send_to`](UdpSocket::send_to), without waiting.
    ///
    /// # Errors
    /// `WouldBlock` if the send buffer is full; else as [`send_to`](UdpSocket::send_to).
    pub fn try_send_to(&self, data: &[u8], target: impl Into<SocketAddr>) -> io::Result<usize> {
        try_send(&self.source, data, Some(target.into().into()))
    }

    /// As [`recv`](UdpSocket::recv), without waiting.
    ///
    /// # Errors
    /// `WouldBlock` if there is no datagram; else as [`recv`](UdpSocket::recv).
    pub fn try_recv(&self, buf: &mut [u8]) -> io::Result<Received> {
        try_recv(&self.source, buf, without_sender)
    }

    /// As [`recv_from`](UdpSocket::recv_from), without waiting.
    ///
    /// # Errors
    /// `WouldBlock` if there is no datagram; else as [`recv`](UdpSocket::recv).
    pub fn try_recv_from(&self, buf: &mut [u8]) -> io::Result<(Received, SocketAddr)> {
        try_recv(&self.source, buf, with_sender)
    }

    /// The address of this end.
    ///
    /// # Errors
    /// Those of getsockname(2).
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        socket::local_address(self.source.as_raw())?.to_inet()
    }

    /// The address of the peer.
    ///
    /// # Errors
    /// `NotConnected` if there is none.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        socket::peer_address(self.source.as_raw())?.to_inet()
    }

    /// The error that the socket met by itself since the last call, if any.
    ///
    /// # Errors
    /// Those of getsockopt(2).
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        socket::take_error(self.source.as_raw())
    }

    /// Takes over a socket of the standard library and sets it to non-blocking mode.
    ///
    /// A duplicate made with `try_clone` shares that mode: it does not block any more either.
    ///
    /// # Errors
    /// Those of setting the mode.
    pub fn from_std(socket: std::net::UdpSocket) -> io::Result<UdpSocket> {
        socket.set_nonblocking(true)?;
        let source = Source::adopted(socket.into(), Kind::Socket);
        Ok(UdpSocket { source })
    }

    /// Gives the socket to the standard library, **still in non-blocking mode**: call
    /// `set_nonblocking(false)` if it shall block.
    pub fn into_std(self) -> std::net::UdpSocket {
        self.source.into_fd().into()
    }

    pub(super) fn raw(&self) -> RawFd {
        self.source.as_raw()
    }
}

fn with_sender(received: Received, from: Address) -> io::Result<(Received, SocketAddr)> {
    Ok((received, from.to_inet()?))
}

impl Debug for UdpSocket {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct("UdpSocket");
        if let Ok(addr) = self.local_addr() {
            out.field("addr", &addr);
        }
        if let Ok(peer) = self.peer_addr() {
            out.field("peer", &peer);
        }
        out.field("fd", &self.source.as_raw()).finish()
    }
}

descriptor! {
    /// Lends the descriptor, to set options with other crates and to duplicate it.
    UdpSocket
}

/// The future of [`UdpSocket::connect`].
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct ConnectDatagram<'a> {
    source: &'a Source,
    addresses: Addresses,
}

impl Future for ConnectDatagram<'_> {
    type Output = io::Result<()>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let list = ready!(self.addresses.poll(cx))?;
        let raw = self.source.as_raw();
        Poll::Ready(first(&list, |address| {
            socket::connect(raw, address).map(drop)
        }))
    }
}
