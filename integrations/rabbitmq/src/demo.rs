//! Some worker processes and a producer: who did how much?

use std::collections::BTreeMap;
use std::env;
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use petla::gather;
use petla::process::{Child, Command};

use crate::broker::Broker;
use crate::options::Options;
use crate::producer::{Producer, report};

/// For a worker to finish what it has.
const GRACE: Duration = Duration::from_secs(10);

/// This program again. Dropped early, it is killed, and its jobs are another worker's.
fn start_worker(options: &Options, name: &str) -> Result<Child> {
    let program = env::current_exe().context("which program is this?")?;
    let mut command = Command::new(program);
    command
        .args(["worker", "--queue", &options.queue, "--name", name])
        .env("AMQP_URL", &options.url)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .kill_on_drop(true);
    command.spawn().context("a worker does not start")
}

pub(crate) async fn run(broker: &Broker, options: &Options) -> Result<bool> {
    broker.connect().await?; // before there are workers that fail
    let names: Vec<String> = (1..=options.workers)
        .map(|n| format!("worker-{n}"))
        .collect();
    let workers = names.iter().map(|name| start_worker(options, name));
    let workers: Vec<Child> = workers.collect::<Result<_>>()?;
    let begin = Instant::now();
    let outcomes = Producer::new(broker, options).run().await?;
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
