//! Computing on threads against computing in the loop: there is no lock around the language here.
//!
//! Run it: `cargo run --release --example cpu_bound [JOBS]`. It looks for primes in as many ranges,
//! once in a task and once on a thread for each processor, and prints both times. With two
//! processors the second should be half of the first; a loop that computes also keeps its other
//! tasks waiting, which the ticks count.

use std::cell::Cell;
use std::io;
use std::rc::Rc;
use std::thread::available_parallelism;
use std::time::{Duration, Instant};

use petla::threads::ThreadPool;
use petla::{gather, interval, spawn, yield_now};

/// The length of a range: some tens of milliseconds.
const RANGE: u64 = 40_000;

fn primes(job: u64) -> usize {
    let is_prime = |n: &u64| {
        *n > 1
            && (2..)
                .take_while(|d| d * d <= *n)
                .all(|d| !n.is_multiple_of(d))
    };
    (job * RANGE..(job + 1) * RANGE).filter(is_prime).count()
}

/// Counts the milliseconds in which the loop came round.
fn count_ticks() -> Rc<Cell<u32>> {
    let ticks = Rc::new(Cell::new(0));
    let counted = Rc::clone(&ticks);
    let count = async move {
        let mut every = interval(Duration::from_millis(1));
        loop {
            every.tick().await;
            counted.set(counted.get() + 1);
        }
    };
    drop(spawn(count)); // it runs on
    ticks
}

fn main() -> io::Result<()> {
    let jobs = match std::env::args().nth(1) {
        Some(count) => count.parse().map_err(io::Error::other)?,
        None => 16,
    };
    petla::run(async {
        let ticks = count_ticks();
        let begun = Instant::now();
        let mut alone = 0;
        for job in 0..jobs {
            alone += primes(job);
            yield_now().await;
        }
        println!(
            "one thread: {alone} primes in {:.0?}, {} ticks",
            begun.elapsed(),
            ticks.take()
        );

        let processors = available_parallelism()?.get();
        let pool = ThreadPool::new(processors).name("primes");
        let begun = Instant::now();
        let found = gather((0..jobs).map(|job| pool.run(move || primes(job)))).await;
        let together = found.into_iter().sum::<Result<usize, _>>()?;
        println!(
            "{processors} threads: {together} primes in {:.0?}, {} ticks",
            begun.elapsed(),
            ticks.take()
        );
        assert_eq!(alone, together);
        Ok(())
    })
}
