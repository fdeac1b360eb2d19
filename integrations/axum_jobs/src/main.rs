//! A slow model behind a job service: axum answers 202 Accepted, the decision comes later.
//!
//! ```text
//! $ cargo run --release -p petla-axum-jobs -- --postgres postgres://me:secret@localhost/me \
//!       --redis redis://localhost
//! 0 jobs of former runs wait
//! http://127.0.0.1:8080/decisions; end it with Ctrl-C
//! $ curl -i --json '{"name": "Ada", "amount": 9000, "income": 2000}' \
//!       http://127.0.0.1:8080/decisions                        # in another terminal
//! HTTP/1.1 202 Accepted
//! location: /statuses/8f6f2a4e-..
//! {"id":"8f6f2a4e-.."}
//! $ curl http://127.0.0.1:8080/statuses/8f6f2a4e-..
//! {"status":"PENDING"}                                          # later READY, or ERROR
//! $ curl http://127.0.0.1:8080/decisions/8f6f2a4e-..
//! {"approved":true,"limit":24000}
//! ```
//!
//! `routes` is the HTTP side, `jobs` does the work, `store` keeps it. A job that was accepted is in
//! PostgreSQL, so it survives this program: what is PENDING there is taken up at the next start,
//! and what was being done is done once more. A decision goes to PostgreSQL and to Redis at once.
//! While PostgreSQL is away, clients get 503, and decisions that are made wait to be written.
//!
//! Ctrl-C and SIGTERM end it in order: nobody is accepted any more, requests and jobs have
//! `--patience` seconds, and what is not done by then stays PENDING. The exit code is 0, or 1 if it
//! cannot start.
//!
//! Options: `--port N`, `--delay SECONDS` for the model, `--workers N`, `--patience SECONDS`.
//!
//! # Not here
//! Several of these services on one table, which would take each other's jobs up (`redis_queue`
//! has workers on many machines); authentication; TLS (`https`).
#![forbid(unsafe_code)]

mod jobs;
mod routes;
mod store;

use std::env;
use std::net::Ipv4Addr;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use axum::Router;
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use petla::interop::{LoopExecutor, LoopTimer};
use petla::net::TcpListener;
use petla::signal::{SIGINT, SIGTERM, signals};
use petla::{select, spawn, timeout};

use jobs::Jobs;
use store::Store;

const USAGE: &str = "usage: petla-axum-jobs --postgres ADDRESS --redis ADDRESS [--port N] \
    [--delay SECONDS] [--workers N] [--patience SECONDS]";

/// For a client to say what it wants.
const HEADER_LIMIT: Duration = Duration::from_secs(8);

struct Options {
    postgres: String,
    redis: String,
    port: u16,
    delay: Duration,
    workers: usize,
    patience: Duration,
}

fn main() -> Result<()> {
    petla::run(run(options(env::args().skip(1))?))
}

async fn run(options: Options) -> Result<()> {
    let store = Store::open(&options.postgres, &options.redis).await?;
    let jobs = Arc::new(Jobs::new(store, options.delay));
    println!("{} jobs of former runs wait", jobs.take_up().await?);
    let workers = spawn(Arc::clone(&jobs).work(options.workers));

    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, options.port)).await;
    let port = options.port;
    let listener = listener.with_context(|| format!("port {port} cannot be used: try another"))?;
    let mut stop = signals([SIGINT, SIGTERM])?; // heard from here on
    let address = listener.local_addr()?;
    println!("http://{address}/decisions; end it with Ctrl-C");

    let (router, clients) = (routes::router(Arc::clone(&jobs)), GracefulShutdown::new());
    select! {
        _ = stop.next() => {}
        failed = serve(&listener, &router, &clients) => failed?,
    }
    drop(listener); // others are refused, instead of waiting for nobody
    if timeout(options.patience, clients.shutdown()).await.is_err() {
        println!("some requests are broken off");
    }
    jobs.accept_no_more();
    if timeout(options.patience, workers).await.is_err() {
        println!("some jobs are broken off");
    }
    let left = jobs.left().await;
    let left = left.context("how many jobs are left for the next start is not known")?;
    println!("{left} jobs are left for the next start");
    Ok(())
}

/// A task for each connection. It ends when the listener fails.
async fn serve(listener: &TcpListener, router: &Router, clients: &GracefulShutdown) -> Result<()> {
    let mut builder = Builder::new(LoopExecutor::new());
    let mut http1 = builder.http1();
    http1
        .timer(LoopTimer::new())
        .header_read_timeout(HEADER_LIMIT);
    loop {
        let accepted = listener.accept().await;
        let (stream, peer) = accepted.context("no more connections are accepted")?;
        let service = TowerToHyperService::new(router.clone());
        let connection = builder.serve_connection(stream, service).into_owned();
        let connection = clients.watch(connection);
        spawn(async move {
            if let Err(error) = connection.await {
                eprintln!("{peer}: {error}");
            }
        })
        .detach();
    }
}

fn options(mut words: impl Iterator<Item = String>) -> Result<Options> {
    let (mut postgres, mut redis, mut port, mut workers) = (None, None, 8080, 4);
    let (mut delay, mut patience) = (Duration::from_secs(2), Duration::from_secs(10));
    while let Some(name) = words.next() {
        let value = words.next();
        let value = value.with_context(|| format!("{name} wants a value\n{USAGE}"))?;
        match name.as_str() {
            "--postgres" => postgres = Some(value),
            "--redis" => redis = Some(value),
            "--port" => port = number(&name, &value)?,
            "--workers" => workers = number::<usize>(&name, &value)?.max(1),
            "--delay" => delay = seconds(&name, &value)?,
            "--patience" => patience = seconds(&name, &value)?,
            _ => return Err(anyhow!("{name} is not known\n{USAGE}")),
        }
    }
    Ok(Options {
        postgres: postgres.context(USAGE)?,
        redis: redis.context(USAGE)?,
        port,
        delay,
        workers,
        patience,
    })
}

fn seconds(name: &str, value: &str) -> Result<Duration> {
    let time = Duration::try_from_secs_f64(number(name, value)?);
    time.with_context(|| format!("{name} wants a number of seconds\n{USAGE}"))
}

fn number<T: FromStr>(name: &str, value: &str) -> Result<T> {
    let number = value.parse().ok();
    number.with_context(|| format!("{name} wants a number\n{USAGE}"))
}
