//! What does it cost to stop one task and go on with the next?
//!
//! - `yield_1`: one task that calls `yield_now` again and again. The ring never holds more than
//!   one task, so whatever a runtime does between two batches (a look at its driver, a system
//!   call) is paid every time.
//! - `yield_1000`: 1,000 tasks that yield in turn: the same cost, spread over a batch. This is
//!   the plain price of a turn.
//! - `yield_1m`: a million tasks, 5 yields each, their spawn and join included: what misses in
//!   the caches add.
//! - `self_wake`: a future that wakes itself by its waker and returns `Pending`: the waker's path
//!   without the runtime's own `yield_now`.
//!
//! Timed: everything from the first spawn to the last join. Not timed: the runtime's start.
//! Each task counts its yields; the sum is checked, and that no task ended before all had begun:
//! a yield that does not let the others run would be cheap. monoio polls a task that woke itself
//! again at once, so there `self_wake` is no switch, and its `yield_now` is ours.
//!
//! How to read it: nanoseconds a yield. 6 ns is what a hand-written ring of tasks needs; an
//! `epoll_wait` that finds nothing costs 100-200 ns.

use std::cell::Cell;
use std::future::poll_fn;
use std::task::Poll;
use std::time::Instant;

use petla_bench::runtimes::{Runtime, in_task};
use petla_bench::{Cost, Figure, Sizes, Unit, on_every_runtime};

/// Yields of the one task: 30 ms on the fastest runtime.
const ALONE: Sizes = Sizes {
    table: 5_000_000,
    criterion: 200_000,
    smoke: 100,
};

/// A batch that stays in the first-level cache, and longer than any runtime's poll budget.
const CROWD: usize = 1_000;
/// Yields of each.
const CROWD_YIELDS: Sizes = Sizes {
    table: 2_000,
    criterion: 200,
    smoke: 3,
};

/// Tasks of `yield_1m`: 100 MB and more, so that each poll misses the cache.
const MILLION: Sizes = Sizes {
    table: 1_000_000,
    criterion: 100_000,
    smoke: 100,
};
/// Few, as there are so many tasks; more than one, or it would measure `spawn`.
const MILLION_YIELDS: usize = 5;

pub(crate) fn figures() -> Vec<Figure> {
    let figure = |name, operations_each, sizes, contenders| Figure {
        name,
        unit: Unit::Nanoseconds,
        operations_each,
        sizes,
        contenders,
    };
    vec![
        figure("yield_1", 1, ALONE, on_every_runtime!(yield_1)),
        figure(
            "yield_1000",
            CROWD,
            CROWD_YIELDS,
            on_every_runtime!(yield_1000),
        ),
        figure(
            "yield_1m",
            MILLION_YIELDS,
            MILLION,
            on_every_runtime!(yield_1m),
        ),
        figure("self_wake", 1, ALONE, on_every_runtime!(self_wake)),
    ]
}

fn yield_1<R: Runtime>(size: usize) -> Cost {
    yields::<R>(1, size)
}

fn yield_1000<R: Runtime>(size: usize) -> Cost {
    yields::<R>(CROWD, size)
}

fn yield_1m<R: Runtime>(size: usize) -> Cost {
    yields::<R>(size, MILLION_YIELDS)
}

thread_local! {
    /// How many tasks of this run have begun; not in the tasks, so as not to enlarge them.
    static BEGUN: Cell<usize> = const { Cell::new(0) };
}

fn yields<R: Runtime>(tasks: usize, each: usize) -> Cost {
    BEGUN.set(0);
    let (elapsed, sum) = in_task::<R, _>(async move {
        let start = Instant::now();
        let tasks: Vec<_> = (0..tasks)
            .map(|_| R::spawn(yield_times::<R>(tasks, each)))
            .collect();
        let mut sum = 0;
        for task in tasks {
            sum += task.await;
        }
        (start.elapsed(), sum)
    });
    assert_eq!(sum, tasks * each);
    elapsed.into()
}

async fn yield_times<R: Runtime>(tasks: usize, times: usize) -> usize {
    BEGUN.set(BEGUN.get() + 1);
    let mut count = 0;
    while count < times {
        R::yield_now().await;
        count += 1;
    }
    assert_eq!(BEGUN.get(), tasks, "a task ended before all had begun");
    count
}

fn self_wake<R: Runtime>(size: usize) -> Cost {
    let mut polls = 0;
    let (elapsed, polls) = in_task::<R, _>(async move {
        let start = Instant::now();
        poll_fn(|cx| {
            if polls == size {
                return Poll::Ready(());
            }
            polls += 1;
            cx.waker().wake_by_ref();
            Poll::Pending
        })
        .await;
        (start.elapsed(), polls)
    });
    assert_eq!(polls, size);
    elapsed.into()
}

fn main() {
    petla_bench::criterion_main(figures());
}
