//! Some worker processes and a producer: who did how much?

use std::collections::BTreeMap;
use std::env;
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use petla::gather;
use petla::process::{Child, Command};

use crate::{Options, Outcome, Program, report};

/// For a worker to finish what it has.
const GRACE: Duration = Duration::from_secs(10);

/// This program again. Dropped early, it is killed, and its jobs are another worker's.
fn start_worker(program: &Program, options: &Options, name: &str) -> Result<Child> {
    let path = env::current_exe().context("which program is this?")?;
    let mut command = Command::new(path);
    command
        .args(options.for_workers())
        .args(["--name", name])
        .env(program.url_variable, &options.url)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .kill_on_drop(true);
    command.spawn().context("a worker does not start")
}

/// Starts the workers, then lets `produce` send jobs and wait. Was everything done?
pub async fn demo(
    program: &Program,
    options: &Options,
    produce: impl Future<Output = Result<BTreeMap<u64, Outcome>>>,
) -> Result<bool> {
    let names: Vec<String> = (1..=options.workers)
        .map(|n| format!("worker-{n}"))
        .collect();
    let workers = names
        .iter()
        .map(|name| start_worker(program, options, name));
    let workers: Vec<Child> = workers.collect::<Result<_>>()?;
    let begin = Instant::now();
    let outcomes = produce.await?;
    let took = begin.elapsed().as_secs_f64();
    let ends = gather(workers.iter().map(|worker| worker.stop(GRACE))).await;

    let mut division: BTreeMap<&str, usize> = BTreeMap::new();
    for outcome in outcomes.values() {
        *division.entry(&outcome.worker).or_default() += 1;
    }
    for (name, end) in names.iter().zip(ends) {
        let status = end?;
        ensure!(status.success(), "{name} did not end in order: {status}");
        let jobs = division.get(name.as_str()).unwrap_or(&0);
        println!("{name} did {jobs} jobs");
    }
    let all_done = report(&outcomes);
    println!("in {took:.2} s");
    Ok(all_done)
}
