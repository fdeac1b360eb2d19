//! The command line.

use std::env;
use std::process;
use std::str::FromStr;
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result, bail};

use crate::{Job, Program};

/// Which part this process plays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Sends jobs and waits for their results.
    Producer,
    /// Does jobs.
    Worker,
    /// Some workers and a producer.
    Demo,
}

/// An option of one program alone, a number.
#[derive(Debug)]
pub struct Number {
    /// With its dashes.
    pub option: &'static str,
    /// Its line in the usage.
    pub usage: &'static str,
    /// Without the option.
    pub default: u64,
}

/// What the command line and the environment say.
#[derive(Debug)]
pub struct Options {
    /// The first argument.
    pub mode: Mode,
    /// With the password, and so from the environment: all can read a command line.
    pub url: String,
    /// The queue's name.
    pub queue: String,
    /// A producer: how many jobs it sends.
    pub jobs: u64,
    millis: u64,
    fail: u64,
    /// A producer: without a result for so long, there are no workers.
    pub patience: Duration,
    /// A worker's name.
    pub name: String,
    /// The demo: how many workers it starts.
    pub workers: usize,
    numbers: Vec<(&'static str, u64)>,
}

fn number<T: FromStr>(option: &str, value: &str) -> Result<T> {
    let number = value.parse().ok();
    number.with_context(|| format!("{option} wants a number, not {value:?}"))
}

impl Program {
    pub(crate) fn usage(&self) -> String {
        let Program { name, server, .. } = self;
        let own: String = self.numbers.iter().map(|own| own.usage).collect();
        format!(
            "\
usage: {name} producer [options]   sends jobs and waits for their results
       {name} worker [options]     does jobs until SIGTERM or Ctrl-C
       {name} demo [options]       some workers and a producer
  --queue NAME     the queue's name (jobs)
  --jobs N         how many jobs a producer sends (300)
  --millis N       how long each job waits (2)
  --fail N         how many attempts of each job fail on purpose (0)
  --patience N     for how many seconds a producer waits for the next result (60)
  --name NAME      a worker's name (worker and the number of its process)
{own}  --workers N      how many workers the demo starts (3)
The {server} is at ${}, or {}",
            self.url_variable, self.url
        )
    }
}

impl Options {
    pub(crate) fn parse(
        program: &Program,
        mut arguments: impl Iterator<Item = String>,
    ) -> Result<Options> {
        let mode = match arguments.next().as_deref() {
            Some("producer") => Mode::Producer,
            Some("worker") => Mode::Worker,
            Some("demo") => Mode::Demo,
            _ => bail!("producer, worker or demo?"),
        };
        let own = program.numbers.iter();
        let mut options = Options {
            mode,
            url: env::var(program.url_variable).unwrap_or_else(|_| program.url.to_owned()),
            queue: "jobs".to_owned(),
            jobs: 300,
            millis: 2,
            fail: 0,
            patience: Duration::from_secs(60),
            name: format!("worker-{}", process::id()),
            workers: 3,
            numbers: own.map(|own| (own.option, own.default)).collect(),
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
                "--name" => options.name = value,
                "--workers" => options.workers = number(&option, &value)?,
                _ => *options.own(&option)? = number(&option, &value)?,
            }
        }
        Ok(options)
    }

    fn own(&mut self, option: &str) -> Result<&mut u64> {
        let own = self.numbers.iter_mut().find(|own| own.0 == option);
        own.map(|own| &mut own.1)
            .with_context(|| format!("no option {option}"))
    }

    /// The value of a program's own option.
    ///
    /// # Panics
    /// If the program has none of that name.
    pub fn number(&self, option: &str) -> u64 {
        let own = self.numbers.iter().find(|own| own.0 == option);
        own.expect("the program names its options").1
    }

    /// What a producer sends.
    pub fn jobs_to_send(&self) -> impl Iterator<Item = Job> + use<> {
        let (millis, fail) = (self.millis, self.fail);
        (1..=self.jobs).map(move |id| Job {
            id,
            n: 1000 + id,
            millis,
            fail,
        })
    }

    /// What a worker of the same queue is started with, but for its name.
    pub(crate) fn for_workers(&self) -> Vec<String> {
        let own = self.numbers.iter();
        let own = own.flat_map(|(option, value)| [(*option).to_owned(), value.to_string()]);
        let queue = ["worker", "--queue", &self.queue].map(str::to_owned);
        queue.into_iter().chain(own).collect()
    }
}

/// A name for a producer's run that no other has.
pub fn name_of_run() -> String {
    let now = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
    format!("{}-{}", process::id(), now.as_micros())
}
