//! Listening for Unix stream connections, at a path or an abstract name.
//!
//! A thin object over a [`Source`]: what happens when a connection comes stands in `accept`,
//! how a listener is made in `bind`, what becomes of its file in `socket_file`.
//!
//! # Invariants
//! - **Non-blocking**: the descriptor is in non-blocking mode, whoever made it.
//!
//! # Not here
//! Serving: a task for each connection, limits, graceful stop (`streams`).

use std::fmt::{self, Debug, Formatter};
use std::io;
use std::mem;
use std::os::fd::OwnedFd;
use std::os::unix::net::{self as std_unix, SocketAddr};
use std::path::Path;

use super::addr::Addresses;
use super::bind::Bound;
use super::socket_file::SocketFile;
use super::{Accept, Bind, Incoming, UnixStream};
use crate::io::descriptor::descriptor;
use crate::kernel::source::{Kind, Source};
use crate::sys::socket;

/// A socket that accepts Unix stream connections.
///
/// # asyncio
/// The listening socket of `asyncio.start_unix_server`.
///
/// # Examples
/// ```
/// use petla::net::{UnixListener, UnixStream};
///
/// petla::run(async {
///     let path = std::env::temp_dir().join(format!("petla-doc-{}", std::process::id()));
///     let listener = UnixListener::bind(&path).await?;
///     let client = UnixStream::connect(&path).await?;
///     let (server, _) = listener.accept().await?;
///
///     client.write_all(b"hello").await?;
///     let mut buf = [0; 5];
///     server.read_exact(&mut buf).await?;
///     assert_eq!(&buf, b"hello");
///     std::fs::remove_file(&path)
/// })?;
/// # std::io::Result::Ok(())
/// ```
pub struct UnixListener {
    /// Dropped first: see there.
    file: Option<SocketFile>,
    source: Source,
}

impl UnixListener {
    fn new(bound: Bound) -> UnixListener {
        let Bound { source, file } = bound;
        UnixListener { file, source }
    }

    /// Makes a socket file at `path` and listens on it.
    ///
    /// As with the standard library, a path that exists is an error, and the file stays when the
    /// listener is dropped. Servers want neither: write
    /// `UnixListener::bind(path).replace_stale(true).unlink_on_drop(true).await`.
    ///
    /// # Errors
    /// - `AddrInUse` if the path exists: the message says whether a program that lives, a dead one
    ///   or something else is in the way, and what to do.
    /// - `InvalidInput` if the path is longer than 107 bytes or has a NUL inside.
    /// - Others of bind(2).
    ///
    /// # Cancel safety
    /// **Strict.**
    ///
    /// # asyncio
    /// `start_unix_server` removes any socket file that is in the way, and with it the name of a
    /// server that is alive; it removes its own in the end.
    pub fn bind(path: impl AsRef<Path>) -> Bind<UnixListener> {
        Bind::listener(Addresses::path(path.as_ref()), UnixListener::new)
    }

    /// Listens on an address of any kind, an abstract name for example.
    ///
    /// # Errors
    /// As [`bind`](UnixListener::bind).
    ///
    /// # Cancel safety
    /// **Strict.**
    ///
    /// # Examples
    /// ```
    /// use petla::net::{UnixListener, UnixStream};
    /// use std::os::linux::net::SocketAddrExt;
    /// use std::os::unix::net::SocketAddr;
    ///
    /// petla::run(async {
    ///     let name = format!("petla-doc-{}", std::process::id());
    ///     let name = SocketAddr::from_abstract_name(name)?; // needs no file
    ///     let listener = UnixListener::bind_addr(&name).await?;
    ///     UnixStream::connect_addr(&name).await?;
    ///     assert_eq!(listener.local_addr()?.as_abstract_name(), name.as_abstract_name());
    ///     std::io::Result::Ok(())
    /// })?;
    /// # std::io::Result::Ok(())
    /// ```
    pub fn bind_addr(addr: &SocketAddr) -> Bind<UnixListener> {
        Bind::listener(Addresses::unix(addr), UnixListener::new)
    }

    /// Takes the next connection, and waits for one if there is none; in everything as
    /// [`TcpListener::accept`](super::TcpListener::accept).
    ///
    /// # Errors
    /// The listener is unusable: no loop runs here, or it has waited on another one before.
    ///
    /// # Cancel safety
    /// **Strict.** A future that is dropped has taken no connection.
    pub fn accept(&self) -> Accept<'_, (UnixStream, SocketAddr)> {
        Accept::new(&self.source, |fd, peer| {
            let source = Source::new(fd, Kind::Socket);
            Ok((UnixStream::new(source), peer.to_unix()?))
        })
    }

    /// The connections as a [`Stream`](crate::Stream) without end.
    pub fn incoming(&self) -> Incoming<'_, (UnixStream, SocketAddr)> {
        Incoming::new(self.accept())
    }

    /// The address it listens on.
    ///
    /// # Errors
    /// Those of getsockname(2).
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        socket::local_address(self.source.as_raw())?.to_unix()
    }

    /// Takes over a listener of the standard library and sets it to non-blocking mode.
    ///
    /// # Errors
    /// Those of setting the mode.
    pub fn from_std(listener: std_unix::UnixListener) -> io::Result<UnixListener> {
        listener.set_nonblocking(true)?;
        let source = Source::adopted(listener.into(), Kind::Socket);
        Ok(UnixListener { file: None, source })
    }

    /// Gives the socket to the standard library, **still in non-blocking mode**. Its file stays.
    pub fn into_std(self) -> std_unix::UnixListener {
        OwnedFd::from(self).into()
    }

    /// The socket, and the file that goes when it does.
    pub(crate) fn into_parts(self) -> (OwnedFd, Option<SocketFile>) {
        (self.source.into_fd(), self.file)
    }
}

impl Debug for UnixListener {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct("UnixListener");
        if let Ok(addr) = self.local_addr() {
            out.field("addr", &addr);
        }
        out.field("fd", &self.source.as_raw()).finish()
    }
}

descriptor!(lent UnixListener);

impl From<UnixListener> for OwnedFd {
    fn from(listener: UnixListener) -> OwnedFd {
        let (fd, file) = listener.into_parts();
        mem::forget(file);
        fd
    }
}
