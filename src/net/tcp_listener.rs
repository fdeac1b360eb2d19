//! Listening for TCP connections.
//!
//! A thin object over a [`Source`]: what happens when a connection comes stands in `accept`,
//! how a listener is made in `bind`. A listening socket never infers anything from what it
//! was given last; only `EAGAIN` says that its queue is empty.
//!
//! # Invariants
//! - **Non-blocking**: the descriptor is in non-blocking mode, whoever made it.
//! - **Inet**: it is an IPv4 or IPv6 socket, so its addresses always convert.
//!
//! # Not here
//! Serving: a task for each connection, limits, graceful stop (`streams`).

use std::fmt::{self, Debug, Formatter};
use std::io;
use std::net::SocketAddr;

use super::addr::ToAddrs;
use super::{Accept, Bind, Incoming, TcpStream};
use crate::io::descriptor::descriptor;
use crate::kernel::source::{Kind, Source};
use crate::sys::socket;

/// A socket that accepts TCP connections.
///
/// It listens as long as it lives. Dropping it closes the port and resets the connections that
/// were never accepted.
///
/// # asyncio
/// The listening socket inside `asyncio.Server`.
///
/// # Examples
/// ```
/// use petla::net::{TcpListener, TcpStream};
///
/// petla::run(async {
///     let listener = TcpListener::bind("127.0.0.1:0").await?;
///     let client = TcpStream::connect(listener.local_addr()?).await?;
///     let (server, peer) = listener.accept().await?;
///     assert_eq!(peer, client.local_addr()?);
///
///     server.write_all(b"welcome").await?;
///     let mut buf = [0; 7];
///     client.read_exact(&mut buf).await?;
///     assert_eq!(&buf, b"welcome");
///     std::io::Result::Ok(())
/// })?;
/// # std::io::Result::Ok(())
/// ```
pub struct TcpListener {
    source: Source,
}

impl TcpListener {
    /// Opens a listening socket on the first of the addresses that can be had.
    ///
    /// Port 0 takes any free port: [`local_addr`](TcpListener::local_addr) says which. The port of
    /// a server that ended a moment ago can be taken at once (`SO_REUSEADDR`). Options stand
    /// between the call and its `await`:
    /// `TcpListener::bind("[::]:80").backlog(128).reuse_port(true).only_v6(true).await`.
    ///
    /// # Errors
    /// - `InvalidInput`: the text is not an address; the message says what to write.
    /// - `AddrInUse`, `AddrNotAvailable`, `PermissionDenied` and others of bind(2) and listen(2),
    ///   of the last address.
    /// - That of the lookup, if the host is a name.
    ///
    /// # Cancel safety
    /// **Strict.**
    ///
    /// # asyncio
    /// `loop.create_server`, which binds *all* addresses of a name; this binds one. See
    /// [`lookup_host`](super::lookup_host).
    ///
    /// # Examples
    /// ```
    /// use petla::net::TcpListener;
    ///
    /// petla::run(async {
    ///     let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    ///     let taken = TcpListener::bind(listener.local_addr()?).await;
    ///     assert_eq!(taken.unwrap_err().kind(), std::io::ErrorKind::AddrInUse);
    ///     std::io::Result::Ok(())
    /// })?;
    /// # std::io::Result::Ok(())
    /// ```
    pub fn bind<A: ToAddrs>(addr: A) -> Bind<TcpListener> {
        Bind::listener(addr.addresses(), |bound| {
            let source = bound.source;
            TcpListener { source }
        })
    }

    /// Takes the next connection, and waits for one if there is none.
    ///
    /// A connection that broke while it waited is passed over. When the process or the system
    /// has no descriptor left, this waits and tries again, after 10 ms at first and 1 s at
    /// last, and warns at most once a minute: the connections stay in the queue meanwhile.
    ///
    /// While connections are waiting this is ready at once, so a loop that accepts and spawns
    /// takes a whole backlog in one poll.
    ///
    /// # Errors
    /// The listener is unusable: not listening (`InvalidInput`), no loop runs here, or it has
    /// waited on another loop before.
    ///
    /// # Cancel safety
    /// **Strict.** A future that is dropped has taken no connection.
    ///
    /// # asyncio
    /// `loop.sock_accept`, which lost a connection when it was cancelled at the wrong moment.
    pub fn accept(&self) -> Accept<'_> {
        Accept::new(&self.source, |fd, peer| {
            let source = Source::new(fd, Kind::Tcp);
            Ok((TcpStream::new(source), peer.to_inet()?))
        })
    }

    /// The connections as a [`Stream`](crate::Stream) without end.
    pub fn incoming(&self) -> Incoming<'_> {
        Incoming::new(self.accept())
    }

    /// The address it listens on.
    ///
    /// # Errors
    /// Those of getsockname(2).
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        socket::local_address(self.source.as_raw())?.to_inet()
    }

    /// The time to live (hops) of the packets that its connections begin with.
    ///
    /// # Errors
    /// Those of getsockopt(2).
    pub fn ttl(&self) -> io::Result<u32> {
        socket::hop_limit(self.source.as_raw())
    }

    /// Sets the time to live, 1 to 255 hops, of connections to come.
    ///
    /// # Errors
    /// `InvalidInput` outside that range.
    pub fn set_ttl(&self, hops: u32) -> io::Result<()> {
        socket::set_hop_limit(self.source.as_raw(), hops)
    }

    /// The error that the socket met by itself since the last call, if any.
    ///
    /// # Errors
    /// Those of getsockopt(2).
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        socket::take_error(self.source.as_raw())
    }

    /// Takes over a listener of the standard library and sets it to non-blocking mode.
    ///
    /// A duplicate made with `try_clone` shares that mode: it does not block any more either.
    ///
    /// # Errors
    /// Those of setting the mode.
    pub fn from_std(listener: std::net::TcpListener) -> io::Result<TcpListener> {
        listener.set_nonblocking(true)?;
        let source = Source::adopted(listener.into(), Kind::Socket);
        Ok(TcpListener { source })
    }

    /// Gives the socket to the standard library, **still in non-blocking mode**: call
    /// `set_nonblocking(false)` if it shall block.
    pub fn into_std(self) -> std::net::TcpListener {
        self.source.into_fd().into()
    }
}

impl Debug for TcpListener {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct("TcpListener");
        if let Ok(addr) = self.local_addr() {
            out.field("addr", &addr);
        }
        out.field("fd", &self.source.as_raw()).finish()
    }
}

descriptor! {
    /// Lends the descriptor, to set options with other crates and to duplicate it.
    TcpListener
}
