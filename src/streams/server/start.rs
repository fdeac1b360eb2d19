//! Starting a server: [`start_server`] and its kin, and the future that they give.
//!
//! # Not here
//! What a server does then (`accepting`).

use std::cell::RefCell;
use std::fmt::{self, Debug, Formatter};
use std::future::Future;
use std::io::{self, ErrorKind};
use std::marker::PhantomData;
use std::mem;
use std::os::fd::OwnedFd;
use std::panic::Location;
use std::path::Path;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use super::accepting::{Listener, Start};
use super::{Server, Shared};
use crate::kernel::Kernel;
use crate::kernel::source::Kind;
use crate::net::{Bind, TcpListener, ToAddrs, UnixListener};
use crate::streams::link::Link;
use crate::streams::{StreamReader, StreamWriter, halves};
use crate::sys::socket;
use crate::task::Flags;

/// Listens on all of the addresses, and calls `handler` for each connection, in a task of its own.
///
/// A handler gets the two halves of its connection. The connection is closed when both are dropped,
/// as a rule at the handler's end; what is unsent then is sent in the background. An `Err` and a
/// panic of a handler are reported to the loop's exception handler with the client's address,
/// and end that connection only.
///
/// A name can have several addresses, `"localhost:80"` one of IPv4 and one of IPv6: all belong to
/// the one server, and port 0 takes a port that is free on all of them. An address that this
/// machine does not have is passed over if there is another one.
///
/// Small writes are sent at once (`TCP_NODELAY`). When no descriptor is free, accepting pauses and
/// is tried again, as [`TcpListener::accept`] does; clients wait meanwhile.
///
/// # Errors
/// - Those of [`TcpListener::bind`]; the message names the address.
/// - `InvalidInput` for a limit of 0.
///
/// # Cancel safety
/// **Strict.** Nothing listens before the server is there.
///
/// # asyncio
/// `start_server(client_connected_cb, host, port)`. The limit of open connections is new. A
/// connection ends with its handler there too, but its writer must be closed by hand.
///
/// # Examples
/// ```
/// use petla::streams::{open_connection, start_server};
///
/// petla::run(async {
///     let server = start_server("127.0.0.1:0", async |mut reader, mut writer| {
///         while let Some(line) = reader.read_line().await? {
///             writer.write(line.to_uppercase().as_bytes());
///             writer.write(b"\n");
///             writer.drain().await?;
///         }
///         Ok(())
///     }).limit(100).await?;
///
///     let (mut reader, mut writer) = open_connection(server.local_addr()?).await?;
///     writer.write(b"hello\n");
///     assert_eq!(reader.read_line().await?, Some("HELLO"));
///     drop((reader, writer));
///     assert_eq!(server.shutdown(None).await, 0);
///     std::io::Result::Ok(())
/// })?;
/// # std::io::Result::Ok(())
/// ```
#[track_caller]
pub fn start_server<A: ToAddrs, H>(addr: A, handler: H) -> StartServer<H>
where
    H: AsyncFn(StreamReader, StreamWriter) -> io::Result<()> + 'static,
{
    StartServer::new(Opening::Tcp(TcpListener::bind(addr)), handler)
}

/// Listens on a Unix socket at `path`; else as [`start_server`].
///
/// A socket file that a dead server left there is removed, one that somebody listens on is not. At
/// the server's end its file is removed, unless another one has taken the name.
///
/// # Errors
/// - `AddrInUse`: somebody listens there, or a file is there that is no socket.
/// - Others of [`UnixListener::bind`]; `InvalidInput` for a limit of 0.
///
/// # Cancel safety
/// **Strict.**
///
/// # asyncio
/// `start_unix_server(client_connected_cb, path)`, which takes the name of a living server away.
#[track_caller]
pub fn start_unix_server<H>(path: impl AsRef<Path>, handler: H) -> StartServer<H, UnixListener>
where
    H: AsyncFn(StreamReader, StreamWriter) -> io::Result<()> + 'static,
{
    let bind = UnixListener::bind(path);
    let bind = bind.replace_stale(true).unlink_on_drop(true);
    StartServer::new(Opening::Unix(bind), handler)
}

/// A server on sockets that listen already: one of several loops that share a port, sockets that
/// the process was started with, an abstract Unix name. Else as [`start_server`].
///
/// Sets `TCP_NODELAY` on TCP sockets. Leaves the file of a Unix socket where it is, unless it was
/// bound with [`unlink_on_drop`](Bind::unlink_on_drop).
///
/// # Errors
/// `InvalidInput` for a limit of 0, and without a single socket.
///
/// # Cancel safety
/// **Strict.**
///
/// # asyncio
/// `start_server(client_connected_cb, sock=..)`.
///
/// # Examples
/// ```
/// use petla::net::TcpListener;
/// use petla::streams::serve;
///
/// petla::run(async {
///     let listener = TcpListener::bind("127.0.0.1:0").reuse_port(true).await?;
///     let server = serve(listener, async |_, mut writer| {
///         writer.write(b"welcome\n");
///         writer.wait_closed().await
///     }).await?;
///     assert!(server.is_serving());
///     std::io::Result::Ok(())
/// })?;
/// # std::io::Result::Ok(())
/// ```
#[track_caller]
pub fn serve<H>(listeners: impl Into<Listeners>, handler: H) -> StartServer<H, Listeners>
where
    H: AsyncFn(StreamReader, StreamWriter) -> io::Result<()> + 'static,
{
    StartServer::new(Opening::Bound(listeners.into().0), handler)
}

/// Sockets for [`serve`]: one or several, of one kind.
#[derive(Debug)]
pub struct Listeners(Vec<Listener>);

impl From<TcpListener> for Listeners {
    fn from(listener: TcpListener) -> Listeners {
        Listeners(vec![listener.into()])
    }
}

impl From<UnixListener> for Listeners {
    fn from(listener: UnixListener) -> Listeners {
        Listeners(vec![listener.into()])
    }
}

impl From<Vec<TcpListener>> for Listeners {
    fn from(listeners: Vec<TcpListener>) -> Listeners {
        Listeners(listeners.into_iter().map(Listener::from).collect())
    }
}

impl From<Vec<UnixListener>> for Listeners {
    fn from(listeners: Vec<UnixListener>) -> Listeners {
        Listeners(listeners.into_iter().map(Listener::from).collect())
    }
}

impl From<TcpListener> for Listener {
    fn from(listener: TcpListener) -> Listener {
        let fd = OwnedFd::from(listener);
        Listener {
            link: Link::closable(fd),
            kind: Kind::Tcp,
            addr: None, // known when it serves
            file: RefCell::new(None),
        }
    }
}

impl From<UnixListener> for Listener {
    fn from(listener: UnixListener) -> Listener {
        let (fd, file) = listener.into_parts();
        Listener {
            link: Link::closable(fd),
            kind: Kind::Socket,
            addr: None,
            file: RefCell::new(file),
        }
    }
}

/// The future of [`start_server`], [`start_unix_server`] and [`serve`], and their options.
#[must_use = "futures do nothing unless awaited"]
pub struct StartServer<H, L = TcpListener> {
    opening: Opening,
    limit: usize,
    start: Rc<Start>,
    _types: PhantomData<fn(H) -> L>,
}

/// How the listening sockets come about.
enum Opening {
    Tcp(Bind<TcpListener>),
    Unix(Bind<UnixListener>),
    Bound(Vec<Listener>),
}

impl<H, L> StartServer<H, L> {
    #[track_caller]
    fn new(opening: Opening, handler: H) -> Self
    where
        H: AsyncFn(StreamReader, StreamWriter) -> io::Result<()> + 'static,
    {
        StartServer {
            opening,
            limit: usize::MAX,
            start: starting(handler, Location::caller()),
            _types: PhantomData,
        }
    }

    /// How many connections may be open at once; further ones wait in the backlog. No limit unless
    /// told, but that of descriptors (`ulimit -n`).
    ///
    /// # Cancel safety
    /// **Strict.**
    pub fn limit(mut self, connections: usize) -> Self {
        self.limit = connections;
        self
    }
}

impl<H> StartServer<H> {
    /// How many connections may wait to be accepted; 1024 unless told. See [`Bind::backlog`].
    ///
    /// # Cancel safety
    /// **Strict.**
    pub fn backlog(mut self, connections: u32) -> Self {
        self.opening = match self.opening {
            Opening::Tcp(bind) => Opening::Tcp(bind.backlog(connections)),
            other => other,
        };
        self
    }

    /// Lets several servers, also of other loops and processes, share the port. See
    /// [`Bind::reuse_port`].
    ///
    /// # Cancel safety
    /// **Strict.**
    pub fn reuse_port(mut self, on: bool) -> Self {
        self.opening = match self.opening {
            Opening::Tcp(bind) => Opening::Tcp(bind.reuse_port(on)),
            other => other,
        };
        self
    }
}

impl<H> StartServer<H, UnixListener> {
    /// How many connections may wait to be accepted; 1024 unless told. See [`Bind::backlog`].
    ///
    /// # Cancel safety
    /// **Strict.**
    pub fn backlog(mut self, connections: u32) -> Self {
        self.opening = match self.opening {
            Opening::Unix(bind) => Opening::Unix(bind.backlog(connections)),
            other => other,
        };
        self
    }
}

impl<H, L> Future for StartServer<H, L> {
    type Output = io::Result<Server>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<Server>> {
        let this = &mut *self;
        if !Kernel::runs_here() {
            return Poll::Ready(Err(io::Error::other(
                "a server needs a running event loop on this thread: use petla::run(..)",
            )));
        }
        if this.limit == 0 {
            return Poll::Ready(Err(invalid("a server that may have no connection")));
        }
        let mut listeners = ready!(this.opening.poll(cx))?;
        if listeners.is_empty() {
            return Poll::Ready(Err(invalid("a server without a listening socket")));
        }
        for listener in listeners.iter_mut().filter(|one| one.kind == Kind::Tcp) {
            let raw = listener.link.source().as_raw();
            // Its connections inherit it. Fails for what is no TCP socket after all.
            let _ = socket::set(raw, socket::NO_DELAY, 1);
            listener.addr = socket::local_address(raw)?.to_inet().ok();
        }
        let shared = Shared::new(listeners, this.limit);
        Poll::Ready(Ok(Server::begin(shared, &this.start)))
    }
}

impl<H, L> Debug for StartServer<H, L> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("StartServer")
            .field("limit", &self.limit)
            .finish_non_exhaustive()
    }
}

fn invalid(what: &str) -> io::Error {
    io::Error::new(ErrorKind::InvalidInput, format!("{what} serves nobody"))
}

impl Opening {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Vec<Listener>>> {
        let listeners = match self {
            Opening::Tcp(bind) => Listeners::from(ready!(bind.poll_all(cx))?),
            Opening::Unix(bind) => Listeners::from(ready!(Pin::new(bind).poll(cx))?),
            Opening::Bound(listeners) => Listeners(mem::take(listeners)),
        };
        Poll::Ready(Ok(listeners.0))
    }
}

fn starting<H>(handler: H, at: &'static Location<'static>) -> Rc<Start>
where
    H: AsyncFn(StreamReader, StreamWriter) -> io::Result<()> + 'static,
{
    let handler = Rc::new(handler);
    Rc::new(move |connection, guest| {
        let handler = Rc::clone(&handler);
        let task = async move {
            // Outlives what the handler holds of the connection.
            let guest = guest;
            let (reader, writer) = halves(connection);
            if let Err(error) = handler(reader, writer).await {
                guest.failed(&error);
            }
        };
        Kernel::with_current("a server", |kernel| kernel.spawn(task, at, Flags::NEW))
    })
}
