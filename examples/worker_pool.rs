//! A fixed number of workers over one queue: bounded work, bounded memory, no job lost.
//!
//! ```text
//! $ cargo run --release --example worker_pool
//! 4 workers, 20 jobs, a queue of 5
//! worker 0 did 5 jobs
//! ...
//! 18 done, 2 failed (7, 14), 0 lost
//! ```
//!
//! The queue holds the producer back when the workers are slower. A failing job ends no worker,
//! and a panicking one ends only the worker it ran on: an `Item` from `take` reports itself done
//! when it is dropped, so `join` waits for exactly what is under work.

use petla::{JoinError, local::Queue, sleep, spawn};
use std::{cell::RefCell, rc::Rc, time::Duration};

const WORKERS: usize = 4;
const JOBS: u64 = 20;
const WAITING: usize = 5;

/// What the workers share.
struct Pool {
    jobs: Queue<u64>,
    failed: RefCell<Vec<u64>>,
}

async fn work(job: u64) -> Result<(), String> {
    sleep(Duration::from_millis(5 + job % 3)).await;
    match job % 7 {
        0 => Err(format!("job {job} has a bad number")),
        _ => Ok(()),
    }
}

/// Works until the queue is shut down and empty; how many jobs it did.
async fn worker(pool: Rc<Pool>) -> usize {
    let mut count = 0;
    while let Ok(job) = pool.jobs.take().await {
        if work(*job).await.is_err() {
            pool.failed.borrow_mut().push(*job);
        }
        count += 1;
    }
    count
}

async fn run() -> Result<(), JoinError> {
    println!("{WORKERS} workers, {JOBS} jobs, a queue of {WAITING}");
    let pool = Rc::new(Pool {
        jobs: Queue::bounded(WAITING),
        failed: RefCell::default(),
    });
    let workers: Vec<_> = (0..WORKERS).map(|_| spawn(worker(pool.clone()))).collect();
    for job in 1..=JOBS {
        pool.jobs.put(job).await.expect("nobody shuts it down yet");
    }
    pool.jobs.join().await; // every job was done, not only taken
    pool.jobs.shutdown(false); // the workers end

    let mut done = 0;
    for (number, worker) in workers.into_iter().enumerate() {
        let count = worker.await?;
        println!("worker {number} did {count} jobs");
        done += count as u64;
    }
    let mut failed = pool.failed.take();
    failed.sort_unstable();
    let succeeded = done - failed.len() as u64;
    println!(
        "{succeeded} done, {} failed ({}), {} lost",
        failed.len(),
        failed
            .iter()
            .map(u64::to_string)
            .collect::<Vec<_>>()
            .join(", "),
        JOBS - done
    );
    assert_eq!(done, JOBS);
    Ok(())
}

fn main() -> Result<(), JoinError> {
    petla::run(run())
}
