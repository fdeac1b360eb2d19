//! What the workers can do. A program of one's own has other functions here.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use petla::{sleep, to_thread};
use petla_redis_queue::Job;
use serde_json::{Value, json};

/// Does a job by the name of its task.
pub(crate) async fn run(job: &Job) -> Result<Value> {
    match job.task.as_str() {
        "square" => square(job),
        "primes" => primes(job).await,
        "sleep" => pause(job).await,
        "unlucky" => unlucky(job),
        "panic" => panic!("this job panics"),
        "crash" => std::process::abort(),
        task => bail!("no task {task:?}"),
    }
}

fn number(job: &Job, name: &str) -> Result<u64> {
    let number = job.args.get(name).and_then(Value::as_u64);
    number.with_context(|| format!("{:?} needs a whole number {name:?}", job.task))
}

fn square(job: &Job) -> Result<Value> {
    let n = number(job, "n")?;
    Ok(json!(n.checked_mul(n).context("too large")?))
}

/// A computation goes to a thread, else the worker could not tell that it is alive.
async fn primes(job: &Job) -> Result<Value> {
    let below = number(job, "below")?;
    let count = move || {
        let is_prime = |n: &u64| {
            (2..)
                .take_while(|d| d * d <= *n)
                .all(|d| !n.is_multiple_of(d))
        };
        (2..below).filter(is_prime).count()
    };
    Ok(json!(to_thread(count).await?))
}

async fn pause(job: &Job) -> Result<Value> {
    sleep(Duration::from_millis(number(job, "ms")?)).await;
    Ok(Value::Null)
}

/// Fails in its first attempts.
fn unlucky(job: &Job) -> Result<Value> {
    let attempt = u64::from(job.attempts) + 1;
    if attempt <= number(job, "times")? {
        bail!("no luck, attempt {attempt}");
    }
    Ok(json!(attempt))
}
