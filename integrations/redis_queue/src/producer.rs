//! Adds jobs, waits for what becomes of them, and says it.

use std::collections::{BTreeMap, HashSet};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use petla::{sleep, timeout, try_gather};
use petla_redis_queue::{Outcome, Queue};
use serde_json::Value;

use crate::options::Options;

/// Before Redis is asked again after an error.
const PAUSE: Duration = Duration::from_millis(500);

pub(crate) async fn run(options: &Options) -> Result<ExitCode> {
    let jobs = vec![(options.task.clone(), options.args.clone()); options.jobs];
    let failed = produce(options, jobs).await?;
    Ok(ExitCode::from(u8::from(failed > 0)))
}

/// All jobs at once: on one connection they are sent together, and answered together. Gives how
/// many failed for good.
pub(crate) async fn produce(options: &Options, jobs: Vec<(String, Value)>) -> Result<usize> {
    let begin = Instant::now();
    let queue = Queue::connect(options.settings.clone(), "producer").await?;
    let ids = jobs.into_iter().map(|(task, args)| {
        let queue = &queue;
        async move { queue.enqueue(&task, args).await }
    });
    let ids = try_gather(ids).await?;
    let outcomes = timeout(options.limit, wait_for(&queue, ids)).await;
    let outcomes = outcomes.with_context(|| {
        let limit = options.limit;
        format!("not all outcomes within {limit:?}: does a worker run?")
    })?;
    let failed: Vec<_> = outcomes
        .iter()
        .filter_map(|one| one.error.as_ref())
        .collect();
    let done = outcomes.len() - failed.len();
    let time = begin.elapsed().as_secs_f64();
    println!(
        "{done} done, {} failed for good, in {time:.1} s",
        failed.len()
    );
    let mut workers: BTreeMap<&str, usize> = BTreeMap::new();
    for outcome in &outcomes {
        *workers.entry(&outcome.worker).or_default() += 1;
    }
    for (worker, count) in workers {
        println!("{count:5} by {worker}");
    }
    for error in &failed {
        println!("fails: {error}");
    }
    Ok(failed.len())
}

/// The outcomes of all, in the order in which they come. Redis may be away for a while.
async fn wait_for(queue: &Queue, mut ids: Vec<String>) -> Vec<Outcome> {
    let mut outcomes = Vec::new();
    while !ids.is_empty() {
        match queue.outcomes(&ids).await {
            Ok(found) => {
                let had: HashSet<&str> = found.iter().map(|one| one.id.as_str()).collect();
                ids.retain(|id| !had.contains(id.as_str()));
                outcomes.extend(found);
            }
            Err(error) => {
                eprintln!("{error:#}; tries again in {PAUSE:?}");
                sleep(PAUSE).await;
            }
        }
    }
    outcomes
}
