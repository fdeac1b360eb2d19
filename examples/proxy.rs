//! Forwards TCP connections to another address, both ways, until both sides have ended.
//!
//! ```text
//! $ cargo run --release --example proxy -- 127.0.0.1:8080 example.com:80 --limit 100 --idle 60
//! 127.0.0.1:8080 -> example.com:80, at most 100 at once, closed after 60s without a byte
//! 1: 127.0.0.1:54012 is connected
//! 2: 127.0.0.1:54014 is connected
//! 1: 78 bytes there, 1591 back
//! 2: 0 bytes there, 0 back, ended: nothing moved for 60s
//! ```
//!
//! More clients than the limit wait to be accepted. The end of one direction is passed on, and the
//! other goes on. If something goes wrong, both sides get a reset: an orderly end would look as if
//! everything had arrived.

use petla::{
    streams::{
        CopyBidirectional, Server, StreamReader, StreamWriter, copy_bidirectional, open_connection,
        start_server,
    },
    timeout,
};
use std::{cell::Cell, env, error::Error, io, process::ExitCode, time::Duration};

const USAGE: &str = "usage: proxy LISTEN TARGET [--limit N] [--idle SECONDS] [--connect SECONDS]";

/// What the command line says.
#[derive(Debug, Clone)]
pub(crate) struct Options {
    pub(crate) listen: String,
    pub(crate) target: String,
    /// Connections at once.
    pub(crate) limit: usize,
    /// How long the target may take to answer.
    pub(crate) connect: Duration,
    /// How long nothing may move.
    pub(crate) idle: Duration,
}

impl Options {
    pub(crate) fn new(listen: &str, target: &str) -> Options {
        Options {
            listen: listen.to_owned(),
            target: target.to_owned(),
            limit: 1_000,
            connect: Duration::from_secs(10),
            idle: Duration::from_secs(300),
        }
    }

    fn parse(arguments: &[String]) -> Result<Options, Box<dyn Error>> {
        let [listen, target, flags @ ..] = arguments else {
            return Err(USAGE.into());
        };
        let mut options = Options::new(listen, target);
        for flag in flags.chunks(2) {
            let [name, value] = flag else {
                return Err(USAGE.into());
            };
            let number: u32 = value.parse()?;
            let seconds = Duration::from_secs(number.into());
            match name.as_str() {
                "--limit" if number > 0 => options.limit = number as usize,
                "--idle" if number > 0 => options.idle = seconds,
                "--connect" if number > 0 => options.connect = seconds,
                _ => return Err(USAGE.into()),
            }
        }
        Ok(options)
    }
}

/// Copies until both directions have ended, or nothing has moved for `limit` (or at most twice
/// that, as it is only looked at so often).
async fn unless_idle(both: &mut CopyBidirectional<'_>, limit: Duration) -> io::Result<()> {
    loop {
        let before = both.copied();
        match timeout(limit, &mut *both).await {
            Ok(ended) => return ended.map(drop),
            Err(_) if both.copied() == before => {
                let message = format!("nothing moved for {limit:?}");
                return Err(io::Error::new(io::ErrorKind::TimedOut, message));
            }
            Err(_) => {}
        }
    }
}

/// One connection: how many bytes went there and back, and what went wrong.
async fn forward(
    client: (&mut StreamReader, &mut StreamWriter),
    options: &Options,
) -> ((u64, u64), io::Result<()>) {
    let target = timeout(options.connect, open_connection(&options.target)).await;
    let opened = target.map_err(io::Error::from).and_then(|opened| opened);
    let (mut reader, mut writer) = match opened {
        Ok(halves) => halves,
        Err(error) => {
            client.1.abort();
            let message = format!("{} does not answer: {error}", options.target);
            return ((0, 0), Err(io::Error::new(error.kind(), message)));
        }
    };
    let server = (&mut reader, &mut writer);
    let mut both = copy_bidirectional((client.0, &mut *client.1), server);
    let ended = unless_idle(&mut both, options.idle).await;
    let copied = both.copied();
    drop(both);
    if ended.is_err() {
        client.1.abort();
        writer.abort();
    }
    (copied, ended)
}

/// Listens, and forwards every connection; the server says where.
pub(crate) async fn start(options: Options) -> io::Result<Server> {
    let (listen, limit) = (options.listen.clone(), options.limit);
    let count = Cell::new(0_u64);
    let handler = async move |mut reader: StreamReader, mut writer: StreamWriter| {
        let number = count.get() + 1;
        count.set(number);
        match writer.peer_addr() {
            Ok(client) => println!("{number}: {client} is connected"),
            Err(error) => println!("{number}: a client was gone at once: {error}"),
        }
        let ((there, back), ended) = forward((&mut reader, &mut writer), &options).await;
        match ended {
            Ok(()) => println!("{number}: {there} bytes there, {back} back"),
            Err(error) => println!("{number}: {there} bytes there, {back} back, ended: {error}"),
        }
        Ok(())
    };
    start_server(listen, handler).limit(limit).await
}

async fn run(options: Options) -> io::Result<()> {
    let (target, limit, idle) = (options.target.clone(), options.limit, options.idle);
    let server = start(options).await?;
    let listen = server.local_addr()?;
    println!("{listen} -> {target}, at most {limit} at once, closed after {idle:?} without a byte");
    server.serve_forever().await
}

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    match Options::parse(&arguments) {
        Ok(options) => petla::run(run(options))?,
        Err(error) => {
            eprintln!("{error}");
            return Ok(ExitCode::from(2));
        }
    }
    Ok(ExitCode::SUCCESS)
}
