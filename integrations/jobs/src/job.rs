//! A job, the work, and the result: JSON that any other program can send and read.
//!
//! ```json
//! {"id": 17, "n": 1000}
//! {"id": 17, "worker": "worker-2", "attempt": 1, "result": {"Ok": 168}}
//! ```

use std::time::Duration;

use anyhow::{Result, ensure};
use petla::{sleep, to_thread};
use serde::{Deserialize, Serialize};

/// A larger `n` would keep a processor busy for many seconds.
const N_MAX: u64 = 1_000_000;

/// What a producer wants to know.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Job {
    /// The producer's own number; one that comes twice is one job.
    pub id: u64,
    /// How many primes are below this?
    pub n: u64,
    /// How long the work waits for somebody else, as most work does.
    #[serde(default)]
    pub millis: u64,
    /// How many attempts fail on purpose.
    #[serde(default)]
    pub fail: u64,
}

/// What became of it.
#[derive(Debug, Serialize, Deserialize)]
pub struct Outcome {
    /// The job's.
    pub id: u64,
    /// The name of who did it.
    pub worker: String,
    /// How often it was given to a worker; 1 if nothing went wrong.
    pub attempt: u64,
    /// What came of the work, or why it was given up.
    pub result: Result<u64, String>,
}

fn primes_below(n: u64) -> u64 {
    let is_prime = |n: &u64| {
        let mut divisors = (2..).take_while(|d| d * d <= *n);
        divisors.all(|d| !n.is_multiple_of(d))
    };
    (2..n).filter(is_prime).count() as u64
}

/// The work. Put yours here: it may be cancelled at each `.await`, and is done again if its worker
/// dies.
pub async fn work(job: &Job, attempt: u64) -> Result<u64> {
    ensure!(job.n <= N_MAX, "n is {}, more than {N_MAX}", job.n);
    sleep(Duration::from_millis(job.millis)).await;
    ensure!(attempt > job.fail, "attempt {attempt} was told to fail");
    let n = job.n;
    Ok(to_thread(move || primes_below(n)).await?)
}
