//! A queue of jobs on Redis Streams, with workers, retries and results.
//!
//! ```text
//! $ cargo run --release -p petla-redis-queue -- demo
//! 300 jobs for 3 workers
//! 299 done, 1 failed for good, in 1.9 s
//!   100 by worker-1
//!   102 by worker-2
//!    98 by worker-3
//! fails: no luck, attempt 3
//! ```
//!
//! The demonstration starts this program several times as `worker`, and is itself a `producer`;
//! both can be started by hand, on any machine that reaches Redis (`apt-get install redis-server`):
//!
//! ```text
//! $ cargo run --release -p petla-redis-queue -- worker --hands 10
//! $ cargo run --release -p petla-redis-queue -- producer --jobs 5 --task square --args '{"n":7}'
//! 5 done, 0 failed for good, in 0.1 s
//! ```
//!
//! `--url redis://:password@host:6379/` says where Redis is, `--queue` which queue is meant. A
//! worker ends by Ctrl-C or SIGTERM when its jobs have ended; those that take longer than `--grace`
//! are left to others. The exit code is 0, or 130 after Ctrl-C; 1 if Redis is not there at the
//! start, or a job failed for good, or was left; 2 if the arguments are wrong.
//!
//! The library beside this file is the queue, and says what it promises; `tasks.rs` is what a
//! program of one's own begins with: the functions that do the jobs.
#![forbid(unsafe_code)]

mod demo;
mod options;
mod producer;
mod tasks;

use std::process::ExitCode;

use anyhow::Result;
use petla::local::Event;
use petla::signal::{SIGINT, SIGTERM, signals};
use petla::{gather, timeout};
use petla_redis_queue::{Queue, work};

use options::{Mode, Options};

async fn worker(options: &Options) -> Result<ExitCode> {
    let name = &options.worker;
    let mut signals = signals([SIGINT, SIGTERM])?;
    let queue = Queue::connect(options.settings.clone(), name).await?;
    println!("{name}: ready");
    let stop = Event::new();
    let ends = async {
        let signal = signals.next().await;
        println!(
            "{name}: ends when its jobs have, within {:?}",
            options.grace
        );
        stop.set();
        signal
    };
    let tell = |line| println!("{name}: {line}");
    let works = work(&queue, options.hands, &stop, tasks::run, tell);
    let works = async {
        let mut works = std::pin::pin!(works);
        petla::select! {
            done = &mut works => Some(done),
            () = stop.wait() => timeout(options.grace, works).await.ok(),
        }
    };
    let (done, signal) = gather!(works, ends).await;
    Ok(match (done, signal) {
        (None, _) => {
            println!("{name}: leaves jobs to others");
            ExitCode::FAILURE
        }
        (Some(done), signal) => {
            println!("{name}: {done} jobs, ended");
            ExitCode::from(if signal == Some(SIGINT) { 130 } else { 0 })
        }
    })
}

fn main() -> ExitCode {
    let (options, mode) = match Options::read(std::env::args().skip(1)) {
        Ok(read) => read,
        Err(error) => {
            eprintln!("petla-redis-queue: {error:#}\n{}", options::USAGE);
            return ExitCode::from(2);
        }
    };
    let result = petla::run(async {
        match mode {
            Mode::Worker => worker(&options).await,
            Mode::Producer => producer::run(&options).await,
            Mode::Demo => demo::run(&options).await,
        }
    });
    result.unwrap_or_else(|error| {
        eprintln!("petla-redis-queue: {error:#}");
        ExitCode::FAILURE
    })
}
