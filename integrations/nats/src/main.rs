//! A queue of jobs on NATS JetStream, with workers in processes of their own on as many machines as
//! you like, retries, dead letters and results.
//!
//! ```text
//! $ cargo run -p petla-nats -- demo
//! 300 jobs sent and confirmed
//! worker-1 did 102 jobs
//! worker-2 did 94 jobs
//! worker-3 did 104 jobs
//! 300 of 300 jobs done
//! in 0.34 s
//! $ cargo run -p petla-nats -- worker        # in one terminal, or ten
//! $ cargo run -p petla-nats -- producer      # in another
//! ```
//!
//! It needs a server: Debian's package `nats-server`, 2.9 or newer, started as `nats-server -js`.
//!
//! # What is promised
//! A job whose sending was confirmed is done at least once, whatever dies: the worker, the server,
//! the connection. It may be done more than once, so a job must bear that; the producer takes one
//! result of each. A job that fails, or whose worker dies, is given to a worker again, five times;
//! then it lies in the stream `jobs-dead` with its error, and its producer has the error as its
//! result. What is no job goes there at once. SIGTERM lets a worker finish what it has.
//!
//! # How it runs
//! async-nats needs tokio: the two lines in `main` give it one thread for the bytes, whose wakes
//! cross over to the tasks here. Those are all on this one thread and need no `Send`. Read
//! `worker.rs` first.
//!
//! # Not here
//! A cluster, for which the streams would have three replicas; TLS; a limit on what waits. The
//! server writes to the disk every two minutes, unless its `sync_interval` says otherwise: what a
//! machine that loses its power had confirmed just before may be lost.
#![forbid(unsafe_code)]

mod broker;
mod demo;
mod job;
mod options;
mod producer;
mod worker;

use std::env;
use std::process::ExitCode;

use anyhow::{Context, Result};
use petla::EventLoop;
use petla::event_loop::RunError;

use broker::Broker;
use options::{Mode, Options, USAGE};
use producer::{Producer, report};
use worker::Worker;

/// Was everything done?
async fn run(options: &Options) -> Result<bool> {
    let broker = Broker::connect(options).await?;
    let all_done = match options.mode {
        Mode::Producer => report(&Producer::new(&broker, options).run().await?),
        Mode::Worker => Worker::new(&broker, options).run().await.map(|()| true)?,
        Mode::Demo => demo::run(&broker, options).await?,
    };
    broker.close().await;
    Ok(all_done)
}

/// The exit code: 0 if all was done, 1 if a job was given up, or what a shell expects of signals.
fn exit_code(options: &Options) -> Result<u8> {
    // The two lines: tokio's thread, and its context on this one, until this function ends.
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    let tokio = builder.worker_threads(1).enable_all().build();
    let tokio = tokio.context("tokio's thread does not start")?;
    let _context = tokio.enter();

    let event_loop = EventLoop::builder().sigint(true).sigterm(true).build()?;
    let ended = event_loop.run_until_complete(run(options));
    event_loop.close()?;
    match ended {
        Ok(all_done) => Ok(if all_done? { 0 } else { 1 }),
        Err(RunError::Interrupted) => Ok(130),
        Err(RunError::Terminated) => Ok(143),
        Err(other) => Err(other.into()),
    }
}

fn main() -> ExitCode {
    let options = match Options::parse(env::args().skip(1)) {
        Ok(options) => options,
        Err(error) => {
            eprintln!("{error:#}\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    exit_code(&options).map_or_else(
        |error| {
            eprintln!("petla-nats: {error:#}");
            ExitCode::FAILURE
        },
        ExitCode::from,
    )
}
