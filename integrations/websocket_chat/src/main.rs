//! A chat in the browser: hyper serves the page, and the WebSockets beside it.
//!
//! ```text
//! $ cargo run --release -p petla-websocket-chat
//! http://127.0.0.1:8080/; end it with Ctrl-C
//! ada has come: 1 here                       # once the page is open, in two windows
//! bob has come: 2 here
//! bob has gone: 1 here
//! ```
//!
//! Page and WebSockets share a port: `/chat` is an upgrade of HTTP/1.1. What one says, all are
//! sent, the speaker too. Each member has a queue of its own, which takes no more than a few dozen
//! messages: whoever does not read is dropped when it is full, and nobody waits for the slowest.
//! Who is silent is asked for a sign of life every 20 seconds (`--ping SECONDS`), and dropped
//! without one. Messages have at most 8 KiB; names are short, and nobody's but one's own.
//!
//! Ctrl-C and SIGTERM end it in order: every member is told, and the connections are closed.
//!
//! The files: `room` who is here, `member` one WebSocket, `server` the connections, and
//! `page.html`, which inserts all that others wrote as text.
//!
//! # Not here
//! A history for those who come later, accounts, TLS (`https`), more than one room.
#![forbid(unsafe_code)]

mod member;
mod room;
mod server;

use std::env;
use std::net::Ipv4Addr;
use std::process::ExitCode;
use std::str::FromStr;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, ensure};
use petla::net::TcpListener;
use petla::signal::{SIGINT, SIGTERM, signals};

use server::Server;

const USAGE: &str = "usage: petla-websocket-chat [--port N] [--ping SECONDS]";

struct Options {
    port: u16,
    ping: Duration,
}

fn main() -> ExitCode {
    let options = match options(env::args().skip(1)) {
        Ok(options) => options,
        Err(error) => {
            eprintln!("{error:#}\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    match petla::run(run(options)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(options: Options) -> Result<()> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, options.port))
        .await
        .with_context(|| format!("port {} cannot be used: try another", options.port))?;
    let mut stop = signals([SIGINT, SIGTERM])?;
    println!("http://{}/; end it with Ctrl-C", listener.local_addr()?);
    let server = Server::new(options.ping);
    server.serve(listener, stop.next()).await?;
    println!("the chat is over");
    Ok(())
}

fn options(mut words: impl Iterator<Item = String>) -> Result<Options> {
    let mut options = Options {
        port: 8080,
        ping: Duration::from_secs(20),
    };
    while let Some(name) = words.next() {
        let value = words.next();
        match name.as_str() {
            "--port" => options.port = number(&name, value)?,
            "--ping" => {
                let ping = Duration::try_from_secs_f64(number(&name, value)?);
                options.ping = ping.context("--ping wants a number of seconds")?;
            }
            _ => return Err(anyhow!("{name} is not known")),
        }
    }
    ensure!(!options.ping.is_zero(), "--ping 0 would never stop asking");
    Ok(options)
}

fn number<T: FromStr>(name: &str, value: Option<String>) -> Result<T> {
    let number = value.as_deref().and_then(|text| text.parse().ok());
    number.with_context(|| format!("{name} wants a number"))
}
