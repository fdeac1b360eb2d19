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
mod producer;
mod worker;

use std::process::ExitCode;

use anyhow::{Context, Result};
use petla_jobs::{Mode, Number, Options, Program, demo, on_loop, report};

use broker::Broker;
use producer::Producer;
use worker::{ACK_WAIT, Worker};

const PROGRAM: Program = Program {
    name: "petla-nats",
    server: "server",
    url_variable: "NATS_URL",
    url: "nats://127.0.0.1:4222",
    numbers: &[Number {
        option: ACK_WAIT,
        usage: "  --ack-wait N     for how many seconds a job waits for a silent worker (5); \
            the first one decides\n",
        default: 5,
    }],
};

/// Was everything done?
async fn run(options: &Options) -> Result<bool> {
    let broker = Broker::connect(options).await?;
    let produce = || Producer::new(&broker, options).run();
    let all_done = match options.mode {
        Mode::Producer => report(&produce().await?),
        Mode::Worker => Worker::new(&broker, options)?.run().await.map(|()| true)?,
        Mode::Demo => demo(&PROGRAM, options, produce()).await?,
    };
    broker.close().await;
    Ok(all_done)
}

fn main() -> ExitCode {
    PROGRAM.main(|options| {
        // The two lines: tokio's thread, and its context on this one, until this function ends.
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        let tokio = builder.worker_threads(1).enable_all().build();
        let tokio = tokio.context("tokio's thread does not start")?;
        let _context = tokio.enter();
        on_loop(run(options))
    })
}
