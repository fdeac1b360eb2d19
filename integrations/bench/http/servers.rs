//! The servers: the same service, as the users of each runtime write it.
//!
//! The reply is made anew for each request, by the types that users have. hyper sets its length and
//! its date. `pipeline_flush` lets replies to requests that came in one piece leave in one, which
//! the server in Python does too.
//!
//! # Not here
//! HTTP/2, TLS, bodies of requests, routes: with them the runtime's share gets smaller.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::net::TcpListener;

use axum::Router;
use axum::body::Body;
use axum::routing::get;
use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::rt::bounds::Http2ServerConnExec;
use hyper::rt::{Read, Write};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::service::{TowerToHyperService, TowerToHyperServiceFuture};
use petla::interop::{LoopExecutor, LoopTimer};
use petla_bench::runtimes::tokio_local_runtime;

/// Serves until the process ends.
type Server = fn(TcpListener) -> io::Result<()>;

/// All of them, by name.
pub(crate) const SERVERS: [(&str, Server); 7] = [
    ("petla, hyper", |listener| {
        on_petla(listener, |io| hyper_connection(builder(), io))
    }),
    ("tokio LocalRuntime, hyper", |listener| {
        on_tokio_local(listener, |io| hyper_connection(builder(), io))
    }),
    ("tokio current_thread, hyper", |listener| {
        on_tokio_current_thread(listener, |io| hyper_connection(builder(), io))
    }),
    ("petla, hyper, time limit", |listener| {
        let mut builder = builder();
        builder.timer(LoopTimer::new());
        on_petla(listener, move |io| hyper_connection(builder.clone(), io))
    }),
    ("tokio LocalRuntime, hyper, time limit", |listener| {
        let mut builder = builder();
        builder.timer(TokioTimer::new());
        on_tokio_local(listener, move |io| hyper_connection(builder.clone(), io))
    }),
    ("petla, axum", |listener| {
        let router = router();
        let serve = move |io| axum_connection(LoopExecutor::new(), router.clone(), io);
        on_petla(listener, serve)
    }),
    ("tokio current_thread, axum", |listener| {
        let router = router();
        let serve = move |io| axum_connection(TokioExecutor::new(), router.clone(), io);
        on_tokio_current_thread(listener, serve)
    }),
];

const HELLO: &str = "Hello, world!";
const TEXT: &str = "text/plain";

/// With a timer it limits how long a client may take for a request's head: 30 s, hyper's default.
fn builder() -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder.pipeline_flush(true);
    builder
}

async fn hello(_request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let mut response = Response::new(Full::new(Bytes::from_static(HELLO.as_bytes())));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(TEXT));
    Ok(response)
}

async fn hyper_connection<I: Read + Write + Unpin + 'static>(builder: http1::Builder, io: I) {
    // It fails when the load hangs up without a word.
    let _ = builder.serve_connection(io, service_fn(hello)).await;
}

fn router() -> Router {
    Router::new().route("/", get(|| async { ([(CONTENT_TYPE, TEXT)], HELLO) }))
}

/// What `axum::serve` does with a connection.
async fn axum_connection<I, E>(executor: E, router: Router, io: I)
where
    I: Read + Write + Unpin + Send + 'static,
    E: Http2ServerConnExec<TowerToHyperServiceFuture<Router, Request<Incoming>>, Body>,
{
    let mut builder = auto::Builder::new(executor);
    builder.http1().pipeline_flush(true);
    let service = TowerToHyperService::new(router);
    let _ = builder.serve_connection_with_upgrades(io, service).await;
}

fn on_petla<F>(
    listener: TcpListener,
    serve: impl Fn(petla::net::TcpStream) -> F + 'static,
) -> io::Result<()>
where
    F: Future<Output = ()> + 'static,
{
    petla::run(async move {
        let listener = petla::net::TcpListener::from_std(listener)?;
        loop {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            petla::spawn(serve(stream)).detach();
        }
    })
}

fn on_tokio_local<F>(
    listener: TcpListener,
    serve: impl Fn(TokioIo<tokio::net::TcpStream>) -> F,
) -> io::Result<()>
where
    F: Future<Output = ()> + 'static,
{
    tokio_local_runtime().block_on(async {
        let listener = tokio::net::TcpListener::from_std(listener)?;
        loop {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            tokio::task::spawn_local(serve(TokioIo::new(stream)));
        }
    })
}

fn on_tokio_current_thread<F>(
    listener: TcpListener,
    serve: impl Fn(TokioIo<tokio::net::TcpStream>) -> F,
) -> io::Result<()>
where
    F: Future<Output = ()> + Send + 'static,
{
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.enable_all().build()?.block_on(async {
        let listener = tokio::net::TcpListener::from_std(listener)?;
        loop {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            tokio::spawn(serve(TokioIo::new(stream)));
        }
    })
}
