//! Connections: how many there are, how long they may be idle, and how they end.
//!
//! Each is a task with a place of a semaphore: the server has ended in order when all places are
//! free again. hyper tells the versions apart, and drives either of them.

use std::cell::Cell;
use std::convert::Infallible;
use std::fmt::{self, Display, Formatter};
use std::net::SocketAddr;
use std::pin::pin;
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use hyper::service::service_fn;
use hyper_util::server::conn::auto::Builder;
use petla::interop::{LoopExecutor, LoopTimer};
use petla::local::{Event, Semaphore};
use petla::net::{TcpListener, TcpStream};
use petla::time::now;
use petla::{select, sleep_until, spawn, timeout};

use crate::site::Site;

/// How long an idle connection may take to end once it is told to.
const FAREWELL: Duration = Duration::from_secs(1);
/// Requests at once on one connection of HTTP/2.
const STREAMS: u32 = 100;

/// What clients may use up.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// Connections at once; others wait in the system's queue.
    pub(crate) clients: usize,
    /// How long a connection may be without a request, and a body may take to come.
    pub(crate) idle: Duration,
    /// The largest body, in bytes.
    pub(crate) body: usize,
    /// How long requests may still take once the server is told to end.
    pub(crate) patience: Duration,
}

/// What all connections share: it is not `Send`, and needs no lock.
pub(crate) struct Server {
    site: Site,
    limits: Limits,
    closing: Event,
}

/// What there is to say at the end.
#[derive(Debug)]
pub(crate) struct End {
    requests: u64,
    aborted: usize,
}

impl Display for End {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let End { requests, aborted } = self;
        write!(
            f,
            "{requests} requests served, {aborted} connections aborted"
        )
    }
}

impl Server {
    pub(crate) fn new(limits: Limits) -> Rc<Server> {
        Rc::new(Server {
            site: Site::new(limits.body, limits.idle),
            limits,
            closing: Event::new(),
        })
    }

    /// Serves until `stop` ends, and then until the requests under way are answered.
    pub(crate) async fn serve(
        self: &Rc<Self>,
        listener: TcpListener,
        stop: impl Future,
    ) -> Result<End> {
        let clients = self.limits.clients;
        let places = Rc::new(Semaphore::new(clients));
        select! {
            _ = stop => {}
            failed = self.accept(&listener, &places) => failed?,
        }
        drop(listener); // so that others are refused, instead of waiting for nobody
        self.closing.set();
        let all_free = timeout(self.limits.patience, places.acquire_many(clients)).await;
        Ok(End {
            requests: self.site.served(),
            // They are dropped with the loop.
            aborted: all_free.map_or_else(|_| clients - places.available(), |_| 0),
        })
    }

    /// Accepts whom there is a place for. It ends when the listener fails.
    async fn accept(self: &Rc<Self>, listener: &TcpListener, places: &Rc<Semaphore>) -> Result<()> {
        loop {
            let place = places.acquire_owned().await;
            let accepted = listener.accept().await;
            let (stream, peer) = accepted.context("no more connections are accepted")?;
            let server = Rc::clone(self);
            let connection = async move {
                server.talk(stream, peer).await;
                drop(place);
            };
            // If it panics, that is reported, and the others go on.
            spawn(connection).detach();
        }
    }

    /// Serves one connection, of whichever version.
    async fn talk(self: Rc<Self>, stream: TcpStream, peer: SocketAddr) {
        let Limits { idle, patience, .. } = self.limits;
        let activity = Rc::new(Activity::new());
        let service = service_fn(|request| {
            let server = Rc::clone(&self);
            let running = activity.begin();
            async move {
                let response = server.site.answer(request).await;
                drop(running);
                Ok::<_, Infallible>(response)
            }
        });
        let mut builder = Builder::new(LoopExecutor::new());
        let mut http1 = builder.http1();
        http1.timer(LoopTimer::new()).header_read_timeout(idle);
        let mut http2 = builder.http2();
        http2
            .timer(LoopTimer::new())
            .max_concurrent_streams(STREAMS);
        // Asks a silent client whether it is still there.
        http2.keep_alive_interval(idle).keep_alive_timeout(idle);

        let mut connection = pin!(builder.serve_connection(stream, service));
        let limit = select! {
            ended = connection.as_mut() => {
                // It broke, or spoke no HTTP: the client was told, if it could be.
                if let Err(error) = ended {
                    eprintln!("{peer}: {error}");
                }
                return;
            }
            () = activity.rest(idle) => FAREWELL,
            () = self.closing.wait() => patience,
        };
        connection.as_mut().graceful_shutdown();
        // Whether it ends in time or fails: nothing is expected of it any more.
        drop(timeout(limit, connection).await);
    }
}

/// The requests of a connection.
struct Activity {
    running: Cell<usize>,
    /// When the last one ended, or the connection began.
    since: Cell<Instant>,
}

/// A request under way.
struct Running(Rc<Activity>);

impl Activity {
    fn new() -> Activity {
        Activity {
            running: Cell::new(0),
            since: Cell::new(now()),
        }
    }

    fn begin(self: &Rc<Self>) -> Running {
        self.running.set(self.running.get() + 1);
        Running(Rc::clone(self))
    }

    /// Waits until there was no request for `limit`.
    async fn rest(&self, limit: Duration) {
        loop {
            let since = match self.running.get() {
                0 => self.since.get(),
                _ => now(),
            };
            if now() >= since + limit {
                return;
            }
            sleep_until(since + limit).await;
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let Running(activity) = self;
        activity.running.set(activity.running.get() - 1);
        activity.since.set(now());
    }
}
