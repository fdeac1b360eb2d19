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
mod producer;
mod worker;

use std::process::ExitCode;

use anyhow::Result;
use petla_jobs::{Mode, Options, Program, demo, on_loop, report};

use broker::Broker;
use producer::Producer;
use worker::Worker;

const PROGRAM: Program = Program {
    name: "petla-rabbitmq",
    server: "broker",
    url_variable: "AMQP_URL",
    url: "amqp://guest:guest@127.0.0.1:5672/%2f",
    numbers: &[],
};

/// Was everything done?
async fn run(options: &Options) -> Result<bool> {
    let broker = Broker::new(options)?;
    let produce = || Producer::new(&broker, options).run();
    match options.mode {
        Mode::Producer => Ok(report(&produce().await?)),
        Mode::Worker => {
            let worker = Worker::new(&broker, &options.name)?;
            worker.run().await.map(|()| true)
        }
        Mode::Demo => {
            broker.connect().await?; // before there are workers that fail
            demo(&PROGRAM, options, produce()).await
        }
    }
}

fn main() -> ExitCode {
    PROGRAM.main(|options| on_loop(run(options)))
}
