//! The server: handshakes and connections, each in a task with a place of a semaphore.

use std::convert::Infallible;
use std::net::Ipv4Addr;
use std::path::Path;
use std::pin::pin;
use std::rc::Rc;
use std::time::Duration;

use anyhow::{Context, Result};
use bytes::Bytes;
use futures_rustls::TlsAcceptor;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::server::conn::auto::Builder;
use petla::interop::{LoopExecutor, LoopTimer};
use petla::local::{Event, Semaphore};
use petla::net::{TcpListener, TcpStream};
use petla::signal::{SIGINT, SIGTERM, signals};
use petla::{select, sleep, spawn, timeout};
use smol_hyper::rt::FuturesIo;

use crate::tls::{self, HTTP2};

const NAMES: [&str; 2] = ["localhost", "127.0.0.1"];
/// Connections at once; others wait in the system's queue.
const CLIENTS: usize = 1000;
/// Then a connection is asked to end: whoever wants more requests connects again.
const AGE_MAX: Duration = Duration::from_secs(600);
/// How long requests may take once a connection is asked to end.
const PATIENCE: Duration = Duration::from_secs(10);
/// A head that takes longer ends its connection, as does a peer that is gone without a word.
const IDLE_MAX: Duration = Duration::from_secs(30);

struct Server {
    acceptor: TlsAcceptor,
    handshake_limit: Duration,
    closing: Event,
}

/// Serves until a signal comes.
pub(crate) async fn run(file: &Path, port: u16, handshake_limit: Duration) -> Result<()> {
    let (acceptor, certificate) = tls::acceptor(&NAMES)?;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await;
    let listener = listener.with_context(|| format!("port {port} cannot be used: try another"))?;
    let written = petla::fs::write_atomic(file, certificate).await;
    let name = file.display();
    written.with_context(|| format!("cannot write the certificate to {name}"))?;
    let mut stop = signals([SIGINT, SIGTERM])?;
    let port = listener.local_addr()?.port();
    println!("https://localhost:{port}/, for those who trust {name}; end it with Ctrl-C");

    let places = Rc::new(Semaphore::new(CLIENTS));
    let server = Rc::new(Server {
        acceptor,
        handshake_limit,
        closing: Event::new(),
    });
    select! {
        _ = stop.next() => {}
        failed = server.accept(&listener, &places) => failed?,
    }
    drop(listener); // so that others are refused, instead of waiting for nobody
    server.closing.set();
    let ended = timeout(PATIENCE, places.acquire_many(CLIENTS)).await;
    println!(
        "{}",
        if ended.is_ok() {
            "all are served"
        } else {
            "somebody was too slow"
        }
    );
    Ok(())
}

impl Server {
    /// It ends when the listener fails.
    async fn accept(self: &Rc<Self>, listener: &TcpListener, places: &Rc<Semaphore>) -> Result<()> {
        loop {
            let place = places.acquire_owned().await;
            let accepted = listener.accept().await;
            let (stream, peer) = accepted.context("no more connections are accepted")?;
            let server = Rc::clone(self);
            let connection = async move {
                if let Err(error) = server.talk(stream).await {
                    eprintln!("{peer}: {error:#}");
                }
                drop(place);
            };
            spawn(connection).detach();
        }
    }

    async fn talk(&self, stream: TcpStream) -> Result<()> {
        stream.set_nodelay(true)?;
        let handshake = select! {
            handshake = timeout(self.handshake_limit, self.acceptor.accept(stream)) => handshake,
            () = self.closing.wait() => return Ok(()),
        };
        let stream = handshake.with_context(|| {
            let limit = self.handshake_limit;
            format!("no TLS handshake within {limit:?}")
        })?;
        let stream = stream.context("no TLS handshake")?;
        let session = stream.get_ref().1;
        let speaks_http2 = session.alpn_protocol() == Some(HTTP2);
        let tls = session.protocol_version();
        let tls = tls.and_then(|version| version.as_str()).unwrap_or("TLS");

        let mut builder = Builder::new(LoopExecutor::new());
        let mut http1 = builder.http1();
        http1.timer(LoopTimer::new()).header_read_timeout(IDLE_MAX);
        builder
            .http2()
            .timer(LoopTimer::new())
            .keep_alive_interval(IDLE_MAX);
        let builder = if speaks_http2 {
            builder.http2_only()
        } else {
            builder.http1_only()
        };
        let service =
            service_fn(|request| async move { Ok::<_, Infallible>(answer(&request, tls)) });
        let mut connection = pin!(builder.serve_connection(FuturesIo::new(stream), service));
        let ended = select! {
            ended = connection.as_mut() => Some(ended),
            () = self.closing.wait() => None,
            () = sleep(AGE_MAX) => None,
        };
        if let Some(ended) = ended {
            return ended.map_err(|error| anyhow::anyhow!(error));
        }
        connection.as_mut().graceful_shutdown();
        // Whether it ends in time or fails: nothing is expected of it any more.
        drop(timeout(PATIENCE, connection).await);
        Ok(())
    }
}

fn answer(request: &Request<Incoming>, tls: &str) -> Response<Full<Bytes>> {
    let version = request.version();
    let (status, text) = match request.uri().path() {
        "/" => (
            StatusCode::OK,
            format!("hello over {version:?} and {tls}\n"),
        ),
        _ => (StatusCode::NOT_FOUND, "not here\n".to_owned()),
    };
    let mut response = Response::new(Full::from(text));
    *response.status_mut() = status;
    response
}
