//! Unix stream connections: inside one machine, named by a path or an abstract name.
//!
//! The same futures as TCP (`connect`, `io::ops`), another kind of address, and one difference
//! below: a short read proves nothing here. The kernel ends a read where descriptors or
//! credentials were sent along, though more data may wait behind, and it does not announce
//! those again. So every read goes on until `EAGAIN`.
//!
//! Addresses are the standard library's `std::os::unix::net::SocketAddr`: a path, an abstract
//! name, or none.
//!
//! # Invariants
//! - **Non-blocking**: the descriptor is in non-blocking mode, whoever made it.
//!
//! # Not here
//! Socket files (`socket_file`). How descriptors are packed (`passing`, `sys::ancillary`).

use std::fmt::{self, Debug, Formatter};
use std::io::{self, IoSlice, IoSliceMut};
use std::net::Shutdown;
use std::os::fd::BorrowedFd;
use std::os::unix::net::{self as std_unix, SocketAddr};
use std::path::Path;

use super::addr::Addresses;
use super::passing::Flow;
use super::{
    Connect, Peek, PeerCred, Read, ReadExact, ReadVectored, RecvWithFds, SendWithFds, Write,
    WriteAll, WriteVectored,
};
use crate::io::descriptor::descriptor;
use crate::kernel::source::{Kind, Source};
use crate::sys::socket;

/// A Unix stream connection: [`TcpStream`](super::TcpStream) in everything but its addresses.
///
/// # Examples
/// ```
/// use petla::net::UnixStream;
///
/// petla::run(async {
///     let (left, right) = UnixStream::pair()?;
///     left.write_all(b"to the right").await?;
///     drop(left);
///     let mut buf = [0; 64];
///     assert_eq!(right.read(&mut buf).await?, 12);
///     assert_eq!(right.read(&mut buf).await?, 0); // the end of the stream
///     std::io::Result::Ok(())
/// })?;
/// # std::io::Result::Ok(())
/// ```
pub struct UnixStream {
    pub(crate) source: Source,
}

impl UnixStream {
    pub(crate) fn new(source: Source) -> UnixStream {
        UnixStream { source }
    }

    pub(crate) fn into_source(self) -> Source {
        self.source
    }

    /// Connects to the listener at `path`.
    ///
    /// If the listener's queue is full, this tries again after 1 ms, doubling to 100 ms,
    /// for as long as it takes: the system announces no room. Put a
    /// [`timeout`](crate::timeout) around it.
    ///
    /// # Errors
    /// `NotFound`, `ConnectionRefused` (the file is there, its server is not) and others of
    /// connect(2); `InvalidInput` if the path is longer than 107 bytes or has a NUL inside.
    ///
    /// # Cancel safety
    /// **Strict.**
    ///
    /// # asyncio
    /// `loop.create_unix_connection`; its `sock_connect` fails when the queue is full.
    pub fn connect(path: impl AsRef<Path>) -> Connect<UnixStream> {
        Connect::new(Addresses::path(path.as_ref()), UnixStream::new)
    }

    /// Connects to an address of any kind, an abstract name for example.
    ///
    /// # Errors
    /// As [`connect`](UnixStream::connect).
    ///
    /// # Cancel safety
    /// **Strict.**
    pub fn connect_addr(addr: &SocketAddr) -> Connect<UnixStream> {
        Connect::new(Addresses::unix(addr), UnixStream::new)
    }

    /// Two streams connected to each other, without a name.
    ///
    /// # Errors
    /// Those of socketpair(2).
    pub fn pair() -> io::Result<(UnixStream, UnixStream)> {
        let (left, right) = socket::pair()?;
        let stream = |fd| UnixStream::new(Source::new(fd, Kind::Socket));
        Ok((stream(left), stream(right)))
    }

    /// Reads what has arrived, at least one byte; 0 is the end of the stream.
    ///
    /// Descriptors sent along are closed unseen: take them with
    /// [`recv_with_fds`](UnixStream::recv_with_fds).
    ///
    /// # Errors
    /// As [`TcpStream::read`](super::TcpStream::read).
    ///
    /// # Cancel safety
    /// **Strict.**
    pub fn read<'a>(&'a self, buf: &'a mut [u8]) -> Read<'a> {
        Read::new(&self.source, buf)
    }

    /// Reads into several buffers, each filled before the next (at most 1024 of them).
    ///
    /// # Errors
    /// As [`read`](UnixStream::read).
    ///
    /// # Cancel safety
    /// **Strict.**
    pub fn read_vectored<'a, 'b>(&'a self, bufs: &'a mut [IoSliceMut<'b>]) -> ReadVectored<'a, 'b> {
        ReadVectored::new(&self.source, bufs)
    }

    /// Reads until the buffer is full.
    ///
    /// # Errors
    /// `UnexpectedEof` if the stream ends before. Else as [`read`](UnixStream::read).
    ///
    /// # Cancel safety
    /// **Loses data**: the bytes read so far are in the buffer; [`ReadExact::filled`] counts them.
    pub fn read_exact<'a>(&'a self, buf: &'a mut [u8]) -> ReadExact<'a> {
        ReadExact::new(&self.source, buf)
    }

    /// Reads and leaves the data in the socket: the next read gets them again.
    ///
    /// # Errors
    /// As [`read`](UnixStream::read).
    ///
    /// # Cancel safety
    /// **Strict.**
    pub fn peek<'a>(&'a self, buf: &'a mut [u8]) -> Peek<'a> {
        Peek::new(&self.source, buf)
    }

    /// Writes as much as the socket takes, at least one byte, and says how many bytes.
    ///
    /// # Errors
    /// `BrokenPipe` (never the signal) and others of send(2).
    ///
    /// # Cancel safety
    /// **Strict.**
    pub fn write<'a>(&'a self, buf: &'a [u8]) -> Write<'a> {
        Write::new(&self.source, buf)
    }

    /// Writes from several buffers, in their order (at most 1024 of them).
    ///
    /// # Errors
    /// As [`write`](UnixStream::write).
    ///
    /// # Cancel safety
    /// **Strict.**
    pub fn write_vectored<'a>(&'a self, bufs: &'a [IoSlice<'a>]) -> WriteVectored<'a> {
        WriteVectored::new(&self.source, bufs)
    }

    /// Writes the whole buffer.
    ///
    /// # Errors
    /// As [`write`](UnixStream::write), after an unknown part was written.
    ///
    /// # Cancel safety
    /// **Loses data**: a part may be written; [`WriteAll::written`] counts it.
    pub fn write_all<'a>(&'a self, buf: &'a [u8]) -> WriteAll<'a> {
        WriteAll::new(&self.source, buf)
    }

    /// Writes, and hands duplicates of `fds` over along with the first byte.
    ///
    /// Like [`write`](UnixStream::write) it may write a part; the descriptors are on their way
    /// then, so the rest goes with `write_all`. At most 253 go with one call.
    ///
    /// # Errors
    /// - `InvalidInput`: there is no data, or more than 253 descriptors.
    /// - `QuotaExceeded`: too many descriptors are under way (`ETOOMANYREFS`).
    /// - Else as [`write`](UnixStream::write).
    ///
    /// # Cancel safety
    /// **Strict.** A future that is dropped has sent nothing.
    ///
    /// # asyncio
    /// None; `socket.send_fds` blocks.
    ///
    /// # Examples
    /// ```
    /// use petla::net::UnixStream;
    /// use std::fs::File;
    /// use std::os::fd::AsFd;
    ///
    /// petla::run(async {
    ///     let (left, right) = UnixStream::pair()?;
    ///     let file = File::open("/dev/null")?;
    ///     left.send_with_fds(b"a file", &[file.as_fd()]).await?;
    ///
    ///     let mut buf = [0; 64];
    ///     let (received, fds) = right.recv_with_fds(&mut buf, 1).await?;
    ///     assert_eq!(&buf[..received.len], b"a file");
    ///     assert_eq!((fds.len(), received.lost_fds), (1, false));
    ///     std::io::Result::Ok(())
    /// })?;
    /// # std::io::Result::Ok(())
    /// ```
    pub fn send_with_fds<'a>(
        &'a self,
        data: &'a [u8],
        fds: &'a [BorrowedFd<'a>],
    ) -> SendWithFds<'a> {
        SendWithFds::new(&self.source, data, fds, Flow::Stream)
    }

    /// Reads what has arrived, and takes up to `max` descriptors that came with it.
    ///
    /// One call gives the descriptors of one `send_with_fds` at most, and no data behind those.
    /// If more were sent than `max`, or this process has no number free, the others are closed
    /// and [`Received::lost_fds`](super::Received::lost_fds) says so.
    ///
    /// # Errors
    /// `InvalidInput` if the buffer is empty; else as [`read`](UnixStream::read).
    ///
    /// # Cancel safety
    /// **Strict.** A future that is dropped has taken nothing.
    pub fn recv_with_fds<'a>(&'a self, buf: &'a mut [u8], max: usize) -> RecvWithFds<'a> {
        RecvWithFds::new(&self.source, buf, max, Flow::Stream)
    }

    /// The process, user and group at the other end.
    ///
    /// # Errors
    /// Those of getsockopt(2).
    pub fn peer_cred(&self) -> io::Result<PeerCred> {
        PeerCred::of(self.source.as_raw())
    }

    /// Ends one direction or both, at once, for every holder of the socket.
    ///
    /// # Errors
    /// Those of shutdown(2).
    pub fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        socket::shutdown(self.source.as_raw(), how)
    }

    /// The address of this end; unnamed unless it was bound.
    ///
    /// # Errors
    /// Those of getsockname(2).
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        socket::local_address(self.source.as_raw())?.to_unix()
    }

    /// The address of the other end.
    ///
    /// # Errors
    /// `NotConnected` if there is none.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        socket::peer_address(self.source.as_raw())?.to_unix()
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
    /// # Errors
    /// Those of setting the mode.
    pub fn from_std(stream: std_unix::UnixStream) -> io::Result<UnixStream> {
        stream.set_nonblocking(true)?;
        Ok(UnixStream::new(Source::adopted(
            stream.into(),
            Kind::Socket,
        )))
    }

    /// Gives the socket to the standard library, **still in non-blocking mode**.
    pub fn into_std(self) -> std_unix::UnixStream {
        self.source.into_fd().into()
    }
}

impl Debug for UnixStream {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct("UnixStream");
        if let Ok(peer) = self.peer_addr() {
            out.field("peer", &peer);
        }
        out.field("fd", &self.source.as_raw()).finish()
    }
}

descriptor!(UnixStream);
