//! petla's tasks in [tokio-console](https://docs.rs/tokio-console): `top` for tasks.
//!
//! ```text
//! $ export RUSTFLAGS="--cfg console_without_tokio_unstable"
//! $ cargo run --target-dir target/console -p petla-console
//! tasks to look at on 127.0.0.1:6669; end with Ctrl-C
//! ```
//!
//! and beside it, in another terminal, `cargo install tokio-console` once and then
//!
//! ```text
//! $ tokio-console http://127.0.0.1:6669
//! ```
//!
//! An address can be given, `petla-console 127.0.0.1:7000`. Four kinds of tasks are there to be
//! seen: `ticker` sleeps, `spinner` wakes itself, `worker` ends and comes again, and between two
//! workers something runs on a thread. The task of `main` has no name.
//!
//! console-subscriber's server runs on a thread of its own, with a tokio of its own. Without the
//! flag it refuses to be built into a program, since tokio needs one like it to be seen; petla
//! needs neither, so this program says what to do and ends with code 1. The flag is a compiler's,
//! so every crate is compiled again with it: the other folder keeps those apart.
//!
//! # Not here
//! The pages on resources: petla's timers, sockets and locks are not told to subscribers.
#![forbid(unsafe_code)]

use std::env;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use petla::signal::{SIGINT, SIGTERM, signals};
use petla::{select, sleep, spawn, to_thread, yield_now};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

const USAGE: &str = "usage: petla-console [IP:PORT]";
const ADDRESS: &str = "127.0.0.1:6669"; // where tokio-console looks by itself
/// How often the server tells its clients what is new.
const PUBLISH: Duration = Duration::from_millis(250);
/// For the server to listen, on a busy machine.
const START: Duration = Duration::from_secs(10);

/// Is woken by a timer.
async fn ticker() {
    loop {
        sleep(Duration::from_millis(50)).await;
    }
}

/// Wakes itself in each of its polls but the last of a round.
async fn spinner() {
    loop {
        for _ in 0..5 {
            yield_now().await;
        }
        sleep(Duration::from_millis(200)).await;
    }
}

/// Ends.
async fn worker() {
    for _ in 0..3 {
        sleep(Duration::from_millis(100)).await;
    }
}

async fn work() -> Result<()> {
    spawn(ticker()).named("ticker").detach();
    spawn(spinner()).named("spinner").detach();
    loop {
        spawn(worker()).named("worker").await?;
        to_thread(|| thread::sleep(Duration::from_millis(20))).await?;
    }
}

async fn run() -> Result<ExitCode> {
    let mut signals = signals([SIGINT, SIGTERM]).context("cannot listen to signals")?;
    select! {
        signal = signals.next() => Ok(match signal {
            Some(SIGINT) => ExitCode::from(130),
            _ => ExitCode::SUCCESS,
        }),
        failed = work() => failed.map(|()| ExitCode::FAILURE),
    }
}

/// Installs the subscriber whose server answers tokio-console.
fn show(address: SocketAddr) -> Result<()> {
    ensure!(
        cfg!(console_without_tokio_unstable),
        "built without tokio-console's flag; build it with \
         RUSTFLAGS=\"--cfg console_without_tokio_unstable\""
    );
    // The server would panic on its thread, and the program would run on unseen.
    TcpListener::bind(address).with_context(|| format!("cannot listen on {address}"))?;
    let layer = console_subscriber::ConsoleLayer::builder()
        .server_addr(address)
        .publish_interval(PUBLISH)
        .spawn();
    tracing_subscriber::registry().with(layer).init();
    wait_for_server(address)
}

/// The server's thread does not say when it listens, so it is asked.
fn wait_for_server(address: SocketAddr) -> Result<()> {
    let start = Instant::now();
    while let Err(error) = TcpStream::connect(address) {
        let in_time = start.elapsed() < START;
        ensure!(in_time, "nothing answers on {address}: {error}");
        thread::sleep(Duration::from_millis(5));
    }
    Ok(())
}

fn main() -> Result<ExitCode> {
    let mut arguments = env::args().skip(1);
    let address = arguments.next().unwrap_or_else(|| ADDRESS.to_owned());
    let (Ok(address), None) = (address.parse(), arguments.next()) else {
        eprintln!("{USAGE}");
        return Ok(ExitCode::from(2));
    };
    show(address)?;
    println!("tasks to look at on {address}; end with Ctrl-C");
    petla::run(run())
}
