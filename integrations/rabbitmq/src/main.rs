//! A queue of jobs on RabbitMQ, with workers in processes of their own on as many machines as you
//! like, retries, dead letters and results.
//!
//! ```text
//! $ cargo run -p petla-rabbitmq -- demo
//! 300 jobs sent and confirmed
//! worker-1 did 96 jobs
//! worker-2 did 101 jobs
//! worker-3 did 103 jobs
//! 300 of 300 jobs done
//! in 0.63 s
//! $ cargo run -p petla-rabbitmq -- worker        # in one terminal, or ten
//! $ cargo run -p petla-rabbitmq -- producer      # in another
//! ```
//!
//! It needs a broker: Debian's package `rabbitmq-server`, 3.10 or newer.
//!
//! # What is promised
//! A job whose sending was confirmed is done at least once, whatever dies: the worker, the broker,
//! the connection. It may be done more than once, so a job must bear that; the producer takes one
//! result of each. A job that fails, or whose worker dies, is given to a worker again, [`ATTEMPTS`]
//! times; then it lies in `jobs.dead` with its error, and its producer has the error as its result.
//! What is no job goes there at once. SIGTERM lets a worker finish what it has.
//!
//! # How it runs
//! lapin moves its bytes on four threads of its own (its feature `smol`) and wakes the tasks here,
//! all of which are on this one thread and need no `Send`. Read [`worker`] first.
//!
//! # Not here
//! A pause before the next attempt, priorities, jobs at a certain time: RabbitMQ has queues with a
//! time to live for that. A cluster: the queue of jobs would be replicated as it is. A job may take
//! half an hour; then RabbitMQ takes it for lost, unless its `consumer_timeout` says otherwise.
//!
//! [`ATTEMPTS`]: broker::ATTEMPTS
#![forbid(unsafe_code)]

mod broker;
mod demo;
mod job;
mod options;
mod producer;
mod worker;

use std::env;
use std::process::ExitCode;

use anyhow::Result;
use petla::EventLoop;
use petla::event_loop::RunError;

use broker::Broker;
use options::{Mode, Options, USAGE};
use producer::{Producer, report};
use worker::Worker;

/// Was everything done?
async fn run(options: &Options) -> Result<bool> {
    let broker = Broker::new(options)?;
    match options.mode {
        Mode::Producer => Ok(report(&Producer::new(&broker, options).run().await?)),
        Mode::Worker => Worker::new(&broker, &options.name)
            .run()
            .await
            .map(|()| true),
        Mode::Demo => demo::run(&broker, options).await,
    }
}

/// The exit code: 0 if all was done, 1 if a job was given up, or what a shell expects of signals.
fn exit_code(options: &Options) -> Result<u8> {
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
            eprintln!("petla-rabbitmq: {error:#}");
            ExitCode::FAILURE
        },
        ExitCode::from,
    )
}
