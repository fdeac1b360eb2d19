//! [`Server`]: listening, and a task for each connection, until it is closed.
//!
//! ```text
//!   start_server ──► listening ──close, drop, failure──► closed ──clients gone──► over
//!                        └── the clients live on, as tasks of the loop ──┘
//! ```
//!
//! # Invariants
//! - **Free at once**: closing closes the listening sockets in that call, whoever accepts on them.
//! - **Told**: the failure of a listening socket is the error of `serve_forever`, or a report.
//!
//! # Not here
//! The list of connections (`clients`), accepting (`accepting`), the futures that open the
//! sockets (`start`).

mod accepting;
mod clients;
mod start;

use std::cell::{Cell, RefCell};
use std::fmt::{self, Debug, Formatter};
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use super::error::again;
use crate::kernel;
use crate::local::Event;
use crate::task::{Task, report};
use crate::time::wait_for;
use accepting::{Closing, Listener, Start, accept_all};
use clients::Clients;
pub(super) use clients::Seat;
pub use start::{Listeners, StartServer, serve, start_server, start_unix_server};

/// A running server; from [`start_server`].
///
/// It accepts connections in the background as long as it lives. Dropping it, or
/// [`close`](Server::close), ends that: the port is free at once, and the clients live on as tasks
/// of the loop. A connection is a client until its handler has ended and its reader and writer are
/// gone, with everything sent.
///
/// | call | new clients | clients |
/// | --- | --- | --- |
/// | `close()`, drop | no more | go on |
/// | `close_clients()` | come | get what is unsent, then the end; so do their handlers |
/// | `abort_clients()` | come | are reset; their handlers are cancelled |
/// | `shutdown(limit)` | no more | go on until the limit, and are aborted then |
///
/// Handlers that need their server get it as a `Weak`: an `Rc` in a handler keeps the server alive,
/// and the server its handler, until it is closed.
///
/// # asyncio
/// `Server`, which goes on when it is dropped. `wait_closed` waits for handlers too, not only for
/// connections; `abort_clients` cancels them.
///
/// # Examples
/// ```
/// use petla::streams::start_server;
/// use std::time::Duration;
///
/// petla::run(async {
///     let server = start_server("127.0.0.1:0", async |mut reader, mut writer| {
///         let mut buf = [0; 4096];
///         loop {
///             let n = reader.read(&mut buf).await?;
///             if n == 0 {
///                 return Ok(());
///             }
///             writer.write(&buf[..n]);
///             writer.drain().await?;
///         }
///     }).await?;
///     println!("listening on {}", server.local_addr()?);
///     # let quit = std::future::ready(());
///     quit.await;
///     assert_eq!(server.shutdown(Duration::from_secs(10)).await, 0);
///     std::io::Result::Ok(())
/// })?;
/// # std::io::Result::Ok(())
/// ```
pub struct Server {
    shared: Rc<Shared>,
}

/// What a server and its tasks share.
struct Shared {
    listeners: Vec<Listener>,
    clients: Rc<Clients>,
    accepting: RefCell<Vec<Task<()>>>,
    closed: Cell<bool>,
    over: Event,
    /// Somebody is in `serve_forever`.
    awaited: Cell<bool>,
    failure: RefCell<Option<io::Error>>,
}

impl Shared {
    fn new(listeners: Vec<Listener>, limit: usize) -> Rc<Shared> {
        Rc::new(Shared {
            listeners,
            clients: Clients::new(limit),
            accepting: RefCell::default(),
            closed: Cell::new(false),
            over: Event::new(),
            awaited: Cell::new(false),
            failure: RefCell::default(),
        })
    }

    fn is_closed(&self) -> bool {
        self.closed.get()
    }

    fn close(&self) {
        if self.closed.replace(true) {
            return;
        }
        self.listeners.iter().for_each(Listener::close);
        for task in self.accepting.take() {
            task.cancel("its server was closed");
        }
        self.clients.close();
        self.over.set();
    }

    /// A listening socket failed, and with it the server.
    fn fail(&self, listener: &Listener, error: io::Error) {
        let place = match listener.addr {
            Some(addr) => addr.to_string(),
            None => "a Unix socket".to_owned(),
        };
        let message = format!("cannot accept on {place} any more: {error}");
        self.failure
            .replace(Some(io::Error::new(error.kind(), message)));
        if !self.awaited.get() {
            self.report();
        }
        self.close();
    }

    fn report(&self) {
        let failure = self.failure.borrow().as_ref().map(again);
        if let Some(error) = failure {
            report::report("a server failed", None, Some(&error));
        }
    }
}

impl Server {
    fn begin(shared: Rc<Shared>, start: &Rc<Start>) -> Server {
        for number in 0..shared.listeners.len() {
            let closing = Closing(Rc::clone(&shared));
            let accept = accept_all(closing, number, Rc::clone(start));
            let task = kernel::spawn(accept).named("petla: accepts connections");
            shared.accepting.borrow_mut().push(task);
        }
        Server { shared }
    }

    /// The address that it listens on, the first if there are several.
    ///
    /// # Errors
    /// `Unsupported` if it is a Unix socket.
    ///
    /// # asyncio
    /// `server.sockets[0].getsockname()`.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.local_addrs().first().copied().ok_or_else(|| {
            let message = "this server listens on a Unix socket: it has no internet address";
            io::Error::new(ErrorKind::Unsupported, message)
        })
    }

    /// All internet addresses that it listens on, also when it is closed.
    ///
    /// # asyncio
    /// `server.sockets`.
    #[doc(alias = "sockets")]
    pub fn local_addrs(&self) -> Vec<SocketAddr> {
        let listeners = self.shared.listeners.iter();
        listeners.filter_map(|listener| listener.addr).collect()
    }

    /// Whether it listens: `false` once it was closed, has failed, or its loop was closed.
    pub fn is_serving(&self) -> bool {
        !self.shared.is_closed()
    }

    /// How many clients it has.
    pub fn connections(&self) -> usize {
        self.shared.clients.len()
    }

    /// Waits until the server is closed. Its clients may still be there:
    /// [`wait_closed`](Server::wait_closed) waits for them.
    ///
    /// # Errors
    /// - What made a listening socket fail. Without this call that is reported.
    /// - `Other`: the server was closed before, or somebody else is in this call.
    ///
    /// # Cancel safety
    /// Dropping it before its end, once it was polled, closes the server.
    ///
    /// # asyncio
    /// `serve_forever`, which ends by a cancellation alone.
    pub async fn serve_forever(&self) -> io::Result<()> {
        let shared = &*self.shared;
        if shared.is_closed() {
            let closed = || io::Error::other("this server was closed before");
            return Err(shared.failure.borrow().as_ref().map_or_else(closed, again));
        }
        if shared.awaited.replace(true) {
            let message = "somebody else awaits `serve_forever` of this server already";
            return Err(io::Error::other(message));
        }
        let mut end = Awaited {
            shared,
            told: false,
        };
        shared.over.wait().await;
        end.told = true;
        let failure = shared.failure.borrow();
        failure.as_ref().map_or(Ok(()), |error| Err(again(error)))
    }

    /// Stops listening: the port is free at once. The clients go on; those that were not accepted
    /// yet are reset by the system. Does nothing the second time.
    ///
    /// # asyncio
    /// `close`.
    pub fn close(&self) {
        self.shared.close();
    }

    /// Closes the connection of each client, as [`StreamWriter::close`](super::StreamWriter::close)
    /// does: what is unsent is sent first, and handlers read the end.
    ///
    /// # asyncio
    /// `close_clients`.
    pub fn close_clients(&self) {
        self.shared.clients.close_all();
    }

    /// Resets the connection of each client, throws away what is unsent, and cancels its handler.
    ///
    /// Clean-ups of a handler run, see [`scope`](crate::scope), and until they have ended it is a
    /// client.
    ///
    /// # asyncio
    /// `abort_clients`, which leaves handlers that do not look at their connection.
    pub fn abort_clients(&self) {
        self.shared.clients.abort_all();
    }

    /// Waits until the server is closed and has no clients. In a handler of that server it never
    /// ends.
    ///
    /// # Cancel safety
    /// **Strict.**
    ///
    /// # asyncio
    /// `wait_closed`.
    pub async fn wait_closed(&self) {
        self.shared.clients.gone().await;
    }

    /// Closes the server, waits for the clients, and aborts those that are still there at the
    /// limit: says how many. `None` waits without a limit, zero aborts at once.
    ///
    /// A handler that is aborted is waited for: it may have clean-ups.
    ///
    /// # Cancel safety
    /// The server is closed, as by every drop. The clients go on.
    ///
    /// # asyncio
    /// None; `close`, `wait_for(wait_closed(), limit)`, `abort_clients`.
    pub async fn shutdown(self, limit: impl Into<Option<Duration>>) -> usize {
        self.close();
        if wait_for(self.wait_closed(), limit).await.is_ok() {
            return 0;
        }
        let aborted = self.shared.clients.abort_all();
        self.wait_closed().await;
        aborted
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.close();
    }
}

impl Debug for Server {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server")
            .field("addrs", &self.local_addrs())
            .field("connections", &self.connections())
            .field("is_serving", &self.is_serving())
            .finish_non_exhaustive()
    }
}

/// Who awaits `serve_forever`; gone, the server is closed.
struct Awaited<'a> {
    shared: &'a Shared,
    told: bool,
}

impl Drop for Awaited<'_> {
    fn drop(&mut self) {
        self.shared.awaited.set(false);
        if !self.told {
            self.shared.report();
        }
        self.shared.close();
    }
}
