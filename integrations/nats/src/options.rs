//! The command line.

use std::env;
use std::str::FromStr;
use std::time::Duration;

use anyhow::{Context, Result, bail};

pub(crate) const USAGE: &str = "\
usage: petla-nats producer [options]   sends jobs and waits for their results
       petla-nats worker [options]     does jobs until SIGTERM or Ctrl-C
       petla-nats demo [options]       some workers and a producer
  --queue NAME     the queue's name (jobs)
  --jobs N         how many jobs a producer sends (300)
  --millis N       how long each job waits (2)
  --fail N         how many attempts of each job fail on purpose (0)
  --patience N     for how many seconds a producer waits for the next result (60)
  --name NAME      a worker's name (worker and the number of its process)
  --ack-wait N     for how many seconds a job waits for a silent worker (5); the first one decides
  --workers N      how many workers the demo starts (3)
The server is at $NATS_URL, or nats://127.0.0.1:4222";

const URL: &str = "nats://127.0.0.1:4222";

/// Which part this process plays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    Producer,
    Worker,
    Demo,
}

#[derive(Debug)]
pub(crate) struct Options {
    pub(crate) mode: Mode,
    /// With the password, and so from the environment: all can read a command line.
    pub(crate) url: String,
    pub(crate) queue: String,
    pub(crate) jobs: u64,
    pub(crate) millis: u64,
    pub(crate) fail: u64,
    pub(crate) patience: Duration,
    pub(crate) ack_wait: Duration,
    pub(crate) name: String,
    pub(crate) workers: usize,
}

fn number<T: FromStr>(option: &str, value: &str) -> Result<T> {
    let number = value.parse().ok();
    number.with_context(|| format!("{option} wants a number, not {value:?}"))
}

impl Options {
    pub(crate) fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Options> {
        let mode = match arguments.next().as_deref() {
            Some("producer") => Mode::Producer,
            Some("worker") => Mode::Worker,
            Some("demo") => Mode::Demo,
            _ => bail!("producer, worker or demo?"),
        };
        let mut options = Options {
            mode,
            url: env::var("NATS_URL").unwrap_or_else(|_| URL.to_owned()),
            queue: "jobs".to_owned(),
            jobs: 300,
            millis: 2,
            fail: 0,
            patience: Duration::from_secs(60),
            ack_wait: Duration::from_secs(5),
            name: format!("worker-{}", std::process::id()),
            workers: 3,
        };
        while let Some(option) = arguments.next() {
            let value = arguments.next();
            let value = value.with_context(|| format!("{option} wants a value"))?;
            match option.as_str() {
                "--queue" => options.queue = value,
                "--jobs" => options.jobs = number(&option, &value)?,
                "--millis" => options.millis = number(&option, &value)?,
                "--fail" => options.fail = number(&option, &value)?,
                "--patience" => {
                    options.patience = Duration::from_secs(number(&option, &value)?);
                }
                "--ack-wait" => {
                    options.ack_wait = Duration::from_secs(number(&option, &value)?);
                }
                "--name" => options.name = value,
                "--workers" => options.workers = number(&option, &value)?,
                _ => bail!("no option {option}"),
            }
        }
        Ok(options)
    }
}
