//! A TCP connection.
//!
//! A thin object over a [`Source`]: the futures of its operations stand in `io::ops`, how it
//! connects in `connect`. Of all sockets only this one concludes from a short read that nothing
//! is left, which spares the call that would say `EAGAIN`. The source drops that conclusion
//! where it does not hold: urgent data, the end of the stream, a descriptor that was lent.
//!
//! # Invariants
//! - **Non-blocking**: the descriptor is in non-blocking mode, whoever made it.
//! - **Inet**: it is an IPv4 or IPv6 socket, so its addresses always convert.
//!
//! # Cost
//! An operation that is ready is one system call. Closing is one more.
//!
//! # Not here
//! Splitting: every operation takes `&self`. Buffers and lines (`streams`).

use std::fmt::{self, Debug, Formatter};
use std::io::{self, IoSlice, IoSliceMut};
use std::net::{Shutdown, SocketAddr};
use std::os::fd::RawFd;
use std::time::Duration;

use super::addr::ToAddrs;
use super::options::{buffers, flag, number};
use super::{Connect, Peek, Read, ReadExact, ReadVectored, Write, WriteAll, WriteVectored};
use crate::io::descriptor::descriptor;
use crate::kernel::source::{Kind, Source};
use crate::sys::{options, socket};

/// A TCP connection.
///
/// All operations take `&self`, so two tasks or two children of one `gather` share a stream
/// without splitting it. Dropping it closes both directions: what was written is still
/// delivered, unless unread data made the system reset the connection.
///
/// # asyncio
/// The socket below `StreamReader` and `StreamWriter`, as the `loop.sock_*` methods use it.
///
/// # Examples
/// ```
/// use petla::net::{TcpListener, TcpStream};
///
/// petla::run(async {
///     let listener = TcpListener::bind("127.0.0.1:0").await?;
///     let client = TcpStream::connect(listener.local_addr()?).await?;
///     let (server, _) = listener.accept().await?;
///
///     client.write_all(b"ping").await?;
///     let mut buf = [0; 64];
///     let n = server.read(&mut buf).await?;
///     assert_eq!(&buf[..n], b"ping");
///
///     drop(client);
///     assert_eq!(server.read(&mut buf).await?, 0); // the end of the stream
///     std::io::Result::Ok(())
/// })?;
/// # std::io::Result::Ok(())
/// ```
pub struct TcpStream {
    pub(crate) source: Source,
}

impl TcpStream {
    pub(crate) fn new(source: Source) -> TcpStream {
        TcpStream { source }
    }

    fn raw(&self) -> RawFd {
        self.source.as_raw()
    }

    pub(crate) fn into_source(self) -> Source {
        self.source
    }

    /// Connects to the first of the addresses that answers.
    ///
    /// Several addresses race ("happy eyeballs", RFC 8305): IPv6 and IPv4 take turns, and the
    /// next one is tried beside those under way after 250 ms, or at once when one has failed. The
    /// first that is connected wins; the sockets of the others are closed.
    ///
    /// There is no limit in time but the system's, minutes: put a [`timeout`](crate::timeout)
    /// around it. An address of this machine to connect from stands between the call and its
    /// `await`: `TcpStream::connect("example.com:80").local_addr(([10, 0, 0, 7], 0)).await`.
    ///
    /// # Errors
    /// - `InvalidInput`: the text is not an address; the message says what to write.
    /// - `ConnectionRefused`, `TimedOut`, `HostUnreachable` and others of connect(2). If several
    ///   addresses have failed, [`ConnectErrors`](super::ConnectErrors) inside names each.
    /// - That of the lookup, if the host is a name.
    /// - No loop runs on this thread.
    ///
    /// # Cancel safety
    /// **Strict.** The sockets of attempts under way are closed.
    ///
    /// # asyncio
    /// `loop.create_connection` without a protocol; it takes one address after the other unless
    /// it is given a `happy_eyeballs_delay`.
    ///
    /// # Examples
    /// ```
    /// use petla::net::TcpStream;
    ///
    /// petla::run(async {
    ///     let error = TcpStream::connect("127.0.0.1:1").await.unwrap_err();
    ///     assert_eq!(error.kind(), std::io::ErrorKind::ConnectionRefused);
    /// });
    /// ```
    pub fn connect<A: ToAddrs>(addr: A) -> Connect<TcpStream> {
        Connect::new(addr.addresses(), TcpStream::new)
    }

    /// Reads what has arrived, at least one byte, and says how many bytes.
    ///
    /// 0 means the end of the stream, again and again; an empty buffer is 0 at once too. Several
    /// reads may wait at the same time: whichever task runs first gets the data.
    ///
    /// # Errors
    /// `ConnectionReset` and others of recv(2); no loop runs here, or the stream has waited on
    /// another loop before.
    ///
    /// # Cancel safety
    /// **Strict.** A future that is dropped has read nothing.
    ///
    /// # asyncio
    /// `loop.sock_recv_into`.
    pub fn read<'a>(&'a self, buf: &'a mut [u8]) -> Read<'a> {
        Read::new(&self.source, buf)
    }

    /// Reads into several buffers, each filled before the next (at most 1024 of them).
    ///
    /// # Errors
    /// As [`read`](TcpStream::read).
    ///
    /// # Cancel safety
    /// **Strict.**
    pub fn read_vectored<'a, 'b>(&'a self, bufs: &'a mut [IoSliceMut<'b>]) -> ReadVectored<'a, 'b> {
        ReadVectored::new(&self.source, bufs)
    }

    /// Reads until the buffer is full.
    ///
    /// # Errors
    /// `UnexpectedEof` if the stream ends before; the message says after how many bytes. Else as
    /// [`read`](TcpStream::read).
    ///
    /// # Cancel safety
    /// **Loses data**: the bytes read so far are in the buffer and not in the socket any more.
    /// [`ReadExact::filled`] says how many: keep the future and give `&mut future` to the
    /// `timeout` or `select!`.
    ///
    /// # asyncio
    /// `StreamReader.readexactly`, which keeps the partial data in its buffer.
    ///
    /// # Examples
    /// ```
    /// # use petla::net::{TcpListener, TcpStream};
    /// # use std::time::Duration;
    /// petla::run(async {
    ///     # let listener = TcpListener::bind("127.0.0.1:0").await?;
    ///     # let client = TcpStream::connect(listener.local_addr()?).await?;
    ///     # let (server, _) = listener.accept().await?;
    ///     client.write_all(b"half").await?;
    ///     let mut buf = [0; 8];
    ///     let mut read = server.read_exact(&mut buf);
    ///     let late = petla::timeout(Duration::from_millis(1), &mut read).await;
    ///     assert!(late.is_err());
    ///     let filled = read.filled();
    ///     drop(read);
    ///     assert_eq!(&buf[..filled], b"half");
    ///     std::io::Result::Ok(())
    /// })?;
    /// # std::io::Result::Ok(())
    /// ```
    pub fn read_exact<'a>(&'a self, buf: &'a mut [u8]) -> ReadExact<'a> {
        ReadExact::new(&self.source, buf)
    }

    /// Reads and leaves the data in the socket: the next read gets them again.
    ///
    /// # Errors
    /// As [`read`](TcpStream::read).
    ///
    /// # Cancel safety
    /// **Strict.**
    pub fn peek<'a>(&'a self, buf: &'a mut [u8]) -> Peek<'a> {
        Peek::new(&self.source, buf)
    }

    /// Writes as much as the socket takes, at least one byte, and says how many bytes.
    ///
    /// Written means handed to the system, not received by the peer.
    ///
    /// # Errors
    /// `BrokenPipe` (never the signal), `ConnectionReset` and others of send(2); no loop runs
    /// here, or the stream has waited on another loop before.
    ///
    /// # Cancel safety
    /// **Strict.** A future that is dropped has written nothing.
    pub fn write<'a>(&'a self, buf: &'a [u8]) -> Write<'a> {
        Write::new(&self.source, buf)
    }

    /// Writes from several buffers, in their order (at most 1024 of them).
    ///
    /// # Errors
    /// As [`write`](TcpStream::write).
    ///
    /// # Cancel safety
    /// **Strict.**
    pub fn write_vectored<'a>(&'a self, bufs: &'a [IoSlice<'a>]) -> WriteVectored<'a> {
        WriteVectored::new(&self.source, bufs)
    }

    /// Writes the whole buffer.
    ///
    /// If two tasks do this at once, their data mix wherever the socket was full.
    ///
    /// # Errors
    /// As [`write`](TcpStream::write), after an unknown part was written.
    ///
    /// # Cancel safety
    /// **Loses data**: a part may be written. [`WriteAll::written`] says how much: keep the
    /// future and give `&mut future` to the `timeout` or `select!`.
    ///
    /// # asyncio
    /// `loop.sock_sendall`, which cannot say how much it sent.
    pub fn write_all<'a>(&'a self, buf: &'a [u8]) -> WriteAll<'a> {
        WriteAll::new(&self.source, buf)
    }

    /// Ends one direction or both, at once, for every holder of the socket.
    ///
    /// After `Shutdown::Write` the peer reads what was sent and then the end of the stream;
    /// reading from it goes on.
    ///
    /// # Errors
    /// `NotConnected` if the connection is gone.
    ///
    /// # asyncio
    /// `StreamWriter.write_eof` for the writing half.
    pub fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        socket::shutdown(self.source.as_raw(), how)
    }

    /// The address of this end.
    ///
    /// # Errors
    /// Those of getsockname(2).
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        socket::local_address(self.source.as_raw())?.to_inet()
    }

    /// The address of the other end.
    ///
    /// # Errors
    /// `NotConnected` if the connection is gone.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        socket::peer_address(self.source.as_raw())?.to_inet()
    }

    /// Whether small packets are sent at once; see [`set_nodelay`](TcpStream::set_nodelay).
    ///
    /// # Errors
    /// Those of getsockopt(2).
    pub fn nodelay(&self) -> io::Result<bool> {
        Ok(socket::get(self.source.as_raw(), socket::NO_DELAY)? != 0)
    }

    /// Sends small packets at once instead of waiting for the answer to the last one (Nagle).
    ///
    /// Off in the beginning, as in the standard library.
    ///
    /// # Errors
    /// Those of setsockopt(2).
    ///
    /// # asyncio
    /// On by default there.
    pub fn set_nodelay(&self, on: bool) -> io::Result<()> {
        socket::set(self.source.as_raw(), socket::NO_DELAY, on.into())
    }

    flag! {
        /// Whether an idle connection is probed; see [`set_keepalive`](TcpStream::set_keepalive).
        keepalive,
        /// Probes an idle connection, by default after two hours: a dead peer ends a waiting read.
        set_keepalive,
        socket::KEEP_ALIVE
    }

    number! {
        /// The seconds without data after which an idle connection is probed.
        keepalive_idle,
        /// Sets the seconds, 1 to 32,767, without data after which an idle connection is probed;
        /// 7,200 unless told. It counts once [`set_keepalive`](TcpStream::set_keepalive) is on.
        set_keepalive_idle, "a time in seconds", 1..=32_767,
        options::KEEP_IDLE
    }

    number! {
        /// The seconds between two probes.
        keepalive_interval,
        /// Sets the seconds, 1 to 32,767, between two probes that are not answered; 75 unless
        /// told.
        set_keepalive_interval, "a time in seconds", 1..=32_767,
        options::KEEP_INTERVAL
    }

    number! {
        /// The probes without an answer after which a connection is dead.
        keepalive_probes,
        /// Sets the probes, 1 to 127, without an answer after which the connection fails with
        /// `TimedOut`; 9 unless told.
        set_keepalive_probes, "a number of probes", 1..=127,
        options::KEEP_COUNT
    }

    buffers!();

    /// How long closing waits for unsent data; see [`set_linger`](TcpStream::set_linger).
    ///
    /// # Errors
    /// Those of getsockopt(2).
    pub fn linger(&self) -> io::Result<Option<Duration>> {
        socket::linger(self.source.as_raw())
    }

    /// Sets what closing does with data that the peer has not acknowledged, in whole seconds,
    /// rounded up. `None`, the default: the system goes on sending in the background. Zero:
    /// they are thrown away, and the peer gets a reset.
    ///
    /// **Any other value makes the drop of the stream block this thread**, and the loop with
    /// it, for up to that time: the non-blocking mode does not extend to closing.
    ///
    /// # Errors
    /// Those of setsockopt(2).
    pub fn set_linger(&self, limit: Option<Duration>) -> io::Result<()> {
        socket::set_linger(self.source.as_raw(), limit)
    }

    /// The time to live (hops) of its packets.
    ///
    /// # Errors
    /// Those of getsockopt(2).
    pub fn ttl(&self) -> io::Result<u32> {
        socket::hop_limit(self.source.as_raw())
    }

    /// Sets the time to live, 1 to 255 hops.
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

    /// Takes over a stream of the standard library and sets it to non-blocking mode.
    ///
    /// A duplicate made with `try_clone` shares that mode: it does not block any more either.
    ///
    /// # Errors
    /// Those of setting the mode.
    pub fn from_std(stream: std::net::TcpStream) -> io::Result<TcpStream> {
        stream.set_nonblocking(true)?;
        Ok(TcpStream::new(Source::adopted(stream.into(), Kind::Tcp)))
    }

    /// Gives the socket to the standard library, **still in non-blocking mode**: call
    /// `set_nonblocking(false)` if it shall block.
    pub fn into_std(self) -> std::net::TcpStream {
        self.source.into_fd().into()
    }
}

impl Debug for TcpStream {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct("TcpStream");
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
    /// Lends the descriptor, to set options with other crates and to duplicate it. From then on
    /// the stream draws no conclusions from short reads: somebody else may change its ways.
    TcpStream
}
