//! The arguments of all three modes.

use std::process;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use petla_redis_queue::Settings;
use serde_json::Value;

pub(crate) const USAGE: &str = "\
usage: petla-redis-queue worker|producer|demo [--url URL] [--queue NAME]
  worker, demo:   [--attempts N] [--backoff MS] [--min-idle MS] [--keep SECONDS] [--hands N]
  worker:         [--name NAME] [--grace SECONDS]
  producer, demo: [--jobs N] [--limit SECONDS]
  producer:       [--task NAME] [--args JSON]
  demo:           [--workers N]";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    Worker,
    Producer,
    Demo,
}

pub(crate) struct Options {
    pub(crate) settings: Settings,
    pub(crate) worker: String,
    /// How many jobs a worker does at once.
    pub(crate) hands: usize,
    /// For jobs that have begun when a worker is to end.
    pub(crate) grace: Duration,
    pub(crate) workers: usize,
    pub(crate) jobs: usize,
    pub(crate) task: String,
    pub(crate) args: Value,
    /// For all outcomes of a producer.
    pub(crate) limit: Duration,
}

impl Options {
    pub(crate) fn read(mut arguments: impl Iterator<Item = String>) -> Result<(Options, Mode)> {
        let mut options = Options {
            settings: Settings::default(),
            worker: format!("worker-{}", process::id()),
            hands: 4,
            grace: Duration::from_secs(30),
            workers: 3,
            jobs: 300,
            task: "square".to_owned(),
            args: serde_json::json!({ "n": 7 }),
            limit: Duration::from_secs(600),
        };
        let mode = match arguments.next().as_deref() {
            Some("worker") => Mode::Worker,
            Some("producer") => Mode::Producer,
            Some("demo") => Mode::Demo,
            Some(other) => bail!("no mode {other}"),
            None => bail!("no mode"),
        };
        while let Some(name) = arguments.next() {
            let value = arguments.next();
            let value = value.with_context(|| format!("{name} needs a value"))?;
            let set = options.set(&name, &value);
            set.with_context(|| format!("{name} {value}"))?;
        }
        Ok((options, mode))
    }

    fn set(&mut self, name: &str, value: &str) -> Result<()> {
        let number = || match value.parse() {
            Ok(number @ 1..=1_000_000_u64) => Ok(number),
            _ => bail!("not a whole number from 1 to a million"),
        };
        let text = || value.to_owned();
        let settings = &mut self.settings;
        match name {
            "--url" => settings.url = text(),
            "--queue" => settings.name = text(),
            "--attempts" => settings.attempts = number()? as u32,
            "--backoff" => settings.backoff = Duration::from_millis(number()?),
            "--min-idle" => settings.min_idle = Duration::from_millis(number()?),
            "--keep" => settings.keep = Duration::from_secs(number()?),
            "--name" => self.worker = text(),
            "--hands" => self.hands = number()? as usize,
            "--grace" => self.grace = Duration::from_secs(number()?),
            "--workers" => self.workers = number()? as usize,
            "--jobs" => self.jobs = number()? as usize,
            "--task" => self.task = text(),
            "--args" => self.args = serde_json::from_str(value).context("not JSON")?,
            "--limit" => self.limit = Duration::from_secs(number()?),
            _ => bail!("no such option"),
        }
        Ok(())
    }
}
