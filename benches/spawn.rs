//! What does a task cost from `spawn` to the value in the hands of who awaits it?
//!
//! - `spawn_join`: spawn a task that is ready at once, await it, a million times. One task lives
//!   at a time, so its memory is warm: this is the cost of the machinery.
//! - `spawn_batch`: spawn 100,000 such tasks, then await them all. The tasks are first polled and
//!   mostly finished while the spawner waits for the first: this adds the cost of memory.
//!
//! Timed: spawn, first poll, wake of the awaiter, taking the value, freeing the task. Not timed:
//! making and dropping the runtime. Each task gives back its number; the sum is checked.
//!
//! How to read it: nanoseconds a task. Anything above some 20 ns (`malloc` and `free`) is
//! bookkeeping of the runtime.

use std::hint::black_box;
use std::time::Instant;

use petla_bench::runtimes::{Runtime, in_task};
use petla_bench::{Cost, Figure, Sizes, Unit, on_every_runtime};

/// Large enough that one run takes 20 ms or more on the fastest runtime.
const JOINS: Sizes = Sizes {
    table: 1_000_000,
    criterion: 100_000,
    smoke: 100,
};

/// More tasks than fit into a second-level cache.
const BATCH: Sizes = Sizes {
    table: 100_000,
    criterion: 100_000,
    smoke: 100,
};

pub(crate) fn figures() -> Vec<Figure> {
    let figure = |name, sizes, contenders| Figure {
        name,
        unit: Unit::Nanoseconds,
        operations_each: 1,
        sizes,
        contenders,
    };
    vec![
        figure("spawn_join", JOINS, on_every_runtime!(spawn_join)),
        figure("spawn_batch", BATCH, on_every_runtime!(spawn_batch)),
    ]
}

fn spawn_join<R: Runtime>(size: usize) -> Cost {
    let (elapsed, sum) = in_task::<R, _>(async move {
        let start = Instant::now();
        let mut sum = 0;
        for number in 0..size {
            sum += R::spawn(value(number)).await;
        }
        (start.elapsed(), sum)
    });
    assert_eq!(sum, size * (size - 1) / 2);
    elapsed.into()
}

fn spawn_batch<R: Runtime>(size: usize) -> Cost {
    let (elapsed, sum) = in_task::<R, _>(async move {
        let start = Instant::now();
        let tasks: Vec<_> = (0..size).map(|number| R::spawn(value(number))).collect();
        let mut sum = 0;
        for task in tasks {
            sum += task.await;
        }
        (start.elapsed(), sum)
    });
    assert_eq!(sum, size * (size - 1) / 2);
    elapsed.into()
}

/// A task's work: none, though the compiler may not know that.
async fn value(number: usize) -> usize {
    black_box(number)
}

fn main() {
    petla_bench::criterion_main(figures());
}
