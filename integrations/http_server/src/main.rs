//! An HTTP/1 and HTTP/2 server: hyper on petla's sockets, timers and tasks, in one thread.
//!
//! ```text
//! $ cargo run --release -p petla-http-server -- --port 8080
//! http://127.0.0.1:8080/; end it with Ctrl-C
//! $ curl http://127.0.0.1:8080/                                 # in another terminal
//! hello over HTTP/1.1
//! $ curl --http2-prior-knowledge http://127.0.0.1:8080/
//! hello over HTTP/2.0
//! $ curl -d '{"values": [1, 2.5, 4]}' http://127.0.0.1:8080/mean
//! {"count":3,"mean":2.5}
//! ```
//!
//! What it does is in `site`, how it talks in `server`. Both versions come on the same port without
//! TLS (h2c with prior knowledge). Clients that are slow to ask are disconnected, bodies that are
//! too large get 413, bodies that come too slowly 408, JSON that is none gets 400 and says where.
//! Ctrl-C and SIGTERM end it in order: nobody is accepted any more, requests under way are
//! answered, and those that take longer than ten seconds are broken off.
//!
//! Options: `--port N`, `--limit SECONDS` for how long a client may do nothing, `--clients N`,
//! `--body BYTES` for the largest body, `--patience SECONDS` instead of the ten.
//!
//! # Not here
//! TLS (`https`), WebSockets (`websocket_chat`), routing by a framework (`axum_jobs`), compression.
#![forbid(unsafe_code)]

mod server;
mod site;

use std::env;
use std::net::Ipv4Addr;
use std::str::FromStr;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, ensure};
use petla::net::TcpListener;
use petla::signal::{SIGINT, SIGTERM, signals};

use server::{Limits, Server};

const USAGE: &str = "usage: petla-http-server [--port N] [--limit SECONDS] [--clients N] \
    [--body BYTES] [--patience SECONDS]";

struct Options {
    port: u16,
    limits: Limits,
}

fn main() -> Result<()> {
    petla::run(run(options(env::args().skip(1))?))
}

async fn run(options: Options) -> Result<()> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, options.port))
        .await
        .with_context(|| format!("port {} cannot be used: try another", options.port))?;
    // Before the first client may come: a signal is answered from here on.
    let mut stop = signals([SIGINT, SIGTERM])?;
    let address = listener.local_addr()?;
    println!("http://{address}/; end it with Ctrl-C");
    let server = Server::new(options.limits);
    let end = server.serve(listener, stop.next()).await;
    println!("{}", end?);
    Ok(())
}

fn options(mut words: impl Iterator<Item = String>) -> Result<Options> {
    let mut options = Options {
        port: 8080,
        limits: Limits {
            clients: 1000,
            idle: Duration::from_secs(30),
            body: 1 << 20,
            patience: Duration::from_secs(10),
        },
    };
    while let Some(name) = words.next() {
        let value = words.next();
        let limits = &mut options.limits;
        match name.as_str() {
            "--port" => options.port = number(&name, value)?,
            "--limit" => limits.idle = seconds(&name, value)?,
            "--clients" => limits.clients = number(&name, value)?,
            "--body" => limits.body = number(&name, value)?,
            "--patience" => limits.patience = seconds(&name, value)?,
            _ => return Err(anyhow!("{name} is not known\n{USAGE}")),
        }
    }
    ensure!(
        options.limits.clients > 0,
        "--clients 0 serves nobody\n{USAGE}"
    );
    Ok(options)
}

fn seconds(name: &str, value: Option<String>) -> Result<Duration> {
    let time = Duration::try_from_secs_f64(number(name, value)?);
    time.with_context(|| format!("{name} wants a number of seconds\n{USAGE}"))
}

fn number<T: FromStr>(name: &str, value: Option<String>) -> Result<T> {
    let number = value.as_deref().and_then(|text| text.parse().ok());
    number.with_context(|| format!("{name} wants a number\n{USAGE}"))
}
