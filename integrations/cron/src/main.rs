//! Jobs at the times that cron lines name.
//!
//! ```text
//! $ cat jobs.cron
//! # minute hour day month weekday  zone           missed  name    command
//!   *      *    *   *     *        UTC            skip    tick    date +%T
//!   30     2    *   *     MON-FRI  Europe/Warsaw  once    backup  tar -czf /backup.tgz /home
//!
//! $ cargo run --release -p petla-cron -- --check jobs.cron
//! tick    2026-11-23T21:15:00+00:00[UTC]
//! tick    2026-11-23T21:16:00+00:00[UTC]
//! tick    2026-11-23T21:17:00+00:00[UTC]
//! backup  2026-11-24T02:30:00+01:00[Europe/Warsaw]
//! ..
//!
//! $ cargo run --release -p petla-cron -- --state jobs.state jobs.cron
//! 2 jobs; end with Ctrl-C or SIGTERM
//! tick: begins, for 2026-11-23T21:15:00+00:00[UTC]
//! 21:15:00
//! tick: ends
//! ^Cends: runs that have begun have 10s
//! ```
//!
//! The library beside this file says what happens to times that are missed, to overlaps, and when
//! the clock is set. With `--state` the program notes for each job up to when it is settled, so
//! that times while it did not run are missed ones; a run that was cut short is as well.
//!
//! Runs that last longer than `--grace` seconds after the signal are killed, with what they
//! started. The exit code is 130 after Ctrl-C and 0 after SIGTERM, 1 if a run was killed, 2 if the
//! arguments or the file are wrong: also if a line never fires.
//!
//! # Not here
//! Reading the file again (start the program again), a lock against two of it.
#![forbid(unsafe_code)]

mod shell;
mod state;

use std::env;
use std::fs;
use std::pin::pin;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use jiff::Timestamp;
use petla::local::Event;
use petla::signal::{SIGINT, SIGTERM, signals};
use petla::{select, timeout};
use petla_cron::{Job, crontab};

use shell::Shell;
use state::State;

const USAGE: &str = "usage: petla-cron [--check] [--state FILE] [--grace SECONDS] CRONTAB";
/// How many times `--check` shows of each job.
const SHOWN: usize = 3;

struct Arguments {
    check: bool,
    state: Option<String>,
    grace: Duration,
    crontab: String,
}

impl Arguments {
    fn read(mut arguments: impl Iterator<Item = String>) -> Result<Arguments> {
        let (mut check, mut state, mut crontab) = (false, None, None);
        let mut grace = Duration::from_secs(10);
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().context(USAGE);
            match argument.as_str() {
                "--check" => check = true,
                "--state" => state = Some(value()?),
                "--grace" => {
                    let seconds = value()?.parse();
                    grace = Duration::from_secs(seconds.context("--grace needs whole seconds")?);
                }
                option if option.starts_with('-') => bail!("no option {option}\n{USAGE}"),
                _ => ensure!(crontab.replace(argument).is_none(), USAGE),
            }
        }
        Ok(Arguments {
            check,
            state,
            grace,
            crontab: crontab.context(USAGE)?,
        })
    }

    fn jobs(&self) -> Result<Vec<Job>> {
        let file = &self.crontab;
        let text = fs::read_to_string(file).with_context(|| format!("cannot read {file}"))?;
        crontab::parse(&text, Timestamp::now()).with_context(|| format!("{file} is no crontab"))
    }
}

fn check(jobs: &[Job]) -> Result<()> {
    let width = jobs.iter().map(|job| job.name.len()).max().unwrap_or(0);
    for job in jobs {
        let mut last = Timestamp::now();
        for _ in 0..SHOWN {
            let next = job.schedule.after(last)?;
            println!("{:width$}  {next}", job.name);
            last = next.timestamp();
        }
    }
    Ok(())
}

async fn serve(jobs: Vec<Job>, state: State, grace: Duration) -> Result<ExitCode> {
    let now = Timestamp::now();
    let with_state = |job: Job| {
        let last = state.of(&job.name).unwrap_or(now);
        (job, last)
    };
    let jobs: Vec<_> = jobs.into_iter().map(with_state).collect();
    let mut signals = signals([SIGINT, SIGTERM]).context("cannot listen to signals")?;
    println!("{} jobs; end with Ctrl-C or SIGTERM", jobs.len());
    let (shell, stop) = (Shell::new(state), Event::new());
    let mut all = pin!(petla_cron::run(&jobs, &shell, &stop));
    let signal = select! {
        signal = signals.next() => signal,
        ended = &mut all => {
            ended?;
            bail!("the jobs ended by themselves");
        }
    };
    stop.set();
    println!("ends: runs that have begun have {grace:?}");
    match timeout(grace, all).await {
        Ok(ended) => ended?,
        Err(_) => {
            eprintln!("some runs took longer and are killed");
            return Ok(ExitCode::FAILURE);
        }
    }
    Ok(match signal {
        Some(SIGINT) => ExitCode::from(130),
        _ => ExitCode::SUCCESS,
    })
}

fn main() -> ExitCode {
    let prepared = Arguments::read(env::args().skip(1)).and_then(|arguments| {
        let jobs = arguments.jobs()?;
        let state = State::load(arguments.state.as_deref())?;
        Ok((arguments, jobs, state))
    });
    let (result, code) = match prepared {
        Err(error) => (Err(error), 2),
        Ok((arguments, jobs, _)) if arguments.check => {
            (check(&jobs).map(|()| ExitCode::SUCCESS), 1)
        }
        Ok((arguments, jobs, state)) => (petla::run(serve(jobs, state, arguments.grace)), 1),
    };
    result.unwrap_or_else(|error| {
        eprintln!("petla-cron: {error:#}");
        ExitCode::from(code)
    })
}
