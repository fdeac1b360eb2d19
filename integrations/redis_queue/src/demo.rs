//! Several workers, each a process, and a producer: how they divide the work.

use std::env;
use std::process::{ExitCode, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use petla::process::{Child, Command};
use petla::try_gather;
use serde_json::json;

use crate::options::Options;
use crate::producer::produce;

/// For a worker to end.
const GRACE: Duration = Duration::from_secs(60);

pub(crate) async fn run(options: &Options) -> Result<ExitCode> {
    let workers = (1..=options.workers).map(|number| start(options, number));
    let workers: Vec<_> = workers.collect::<Result<_>>()?;
    println!("{} jobs for {} workers", options.jobs, workers.len());
    let jobs = (0..options.jobs).map(|at| match at % 100 {
        50 => ("unlucky".to_owned(), json!({ "times": 1 + at / 100 })),
        _ => ("primes".to_owned(), json!({ "below": 20_000 + at })),
    });
    produce(options, jobs.collect()).await?; // one in hundreds is meant to fail for good
    let ends = workers.iter().map(async |worker| {
        let status = worker.stop(GRACE).await?;
        ensure!(status.success(), "a worker ended with {status}");
        Ok(())
    });
    try_gather(ends).await?;
    Ok(ExitCode::SUCCESS)
}

/// This program again. Its reports would drown those of the others.
fn start(options: &Options, number: usize) -> Result<Child> {
    let settings = &options.settings;
    let program = env::current_exe().context("cannot find this program")?;
    let mut command = Command::new(program);
    command
        .args(["worker", "--name", &format!("worker-{number}")])
        .args(["--url", &settings.url, "--queue", &settings.name])
        .args(["--attempts", &settings.attempts.to_string()])
        .args(["--backoff", &settings.backoff.as_millis().to_string()])
        .args(["--min-idle", &settings.min_idle.as_millis().to_string()])
        .args(["--keep", &settings.keep.as_secs().to_string()])
        .args(["--hands", &options.hands.to_string()])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .kill_on_drop(true);
    command.spawn().context("cannot start a worker")
}
