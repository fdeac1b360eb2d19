//! What does it cost to hand work to a thread and to have its result?
//!
//! - `thread_roundtrip`: work that does nothing, awaited, one after the other.
//! - `thread_burst`: eight at a time, awaited together.
//! - `thread_cpu`: eight at a time that each compute for some 30 µs.
//!
//! petla's `to_thread` beside tokio's `spawn_blocking`. smol's `unblock` would be another crate,
//! and monoio hands work to a pool that its users bring.
//!
//! Timed: from the first call to the last result; the first thread has been started before.
//! Checked: the sum of what came back.
//!
//! How to read it: nanoseconds a piece of work. Pinned to one core, a round trip is two switches of
//! threads and the calls that ask for them. The work of `thread_cpu` costs the same everywhere, so
//! the columns differ by what is lost around it. What several cores gain:
//! `cargo run --release --example cpu_bound`.

use std::hint::black_box;
use std::time::Instant;

use petla_bench::runtimes::{Petla, Runtime, TokioCurrentThread, TokioLocal, in_task};
use petla_bench::{Contender, Cost, Figure, Sizes, Unit, contenders, on_every_runtime};

/// Work that is under way at once: as many as a small service has.
const AT_ONCE: usize = 8;
/// Pieces of work: a tenth of a second, and more.
const TRIPS: Sizes = Sizes {
    table: 40_000,
    criterion: 5_000,
    smoke: 16,
};
/// The same for work that takes its time.
const JOBS: Sizes = Sizes {
    table: 4_000,
    criterion: 400,
    smoke: 16,
};
/// Steps of one computation: some 30 µs.
const STEPS: u64 = 50_000;

/// What the runtimes' users write.
trait Threads: Runtime {
    /// Runs `f` on a thread.
    fn blocking<T: Send + 'static>(
        f: impl FnOnce() -> T + Send + 'static,
    ) -> impl Future<Output = T> + 'static;
}

impl Threads for Petla {
    async fn blocking<T: Send + 'static>(f: impl FnOnce() -> T + Send + 'static) -> T {
        petla::to_thread(f).await.expect("it does not panic")
    }
}

macro_rules! on_tokio {
    ($($runtime:ty),+) => { $(
        impl Threads for $runtime {
            async fn blocking<T: Send + 'static>(f: impl FnOnce() -> T + Send + 'static) -> T {
                let ended = tokio::task::spawn_blocking(f).await;
                ended.expect("it does not panic")
            }
        }
    )+ };
}
on_tokio!(TokioLocal, TokioCurrentThread);

pub(crate) fn figures() -> Vec<Figure> {
    let figure = |name, sizes, contenders| Figure {
        name,
        unit: Unit::Nanoseconds,
        operations_each: 1,
        sizes,
        contenders,
    };
    vec![
        figure(
            "thread_roundtrip",
            TRIPS,
            on_every_runtime!(round_trip: Petla, TokioLocal, TokioCurrentThread),
        ),
        figure("thread_burst", TRIPS, bursts::<0>()),
        figure("thread_cpu", JOBS, bursts::<STEPS>()),
    ]
}

fn bursts<const STEPS: u64>() -> Vec<Contender> {
    contenders![
        Petla::NAME => burst::<Petla, STEPS>,
        TokioLocal::NAME => burst::<TokioLocal, STEPS>,
        TokioCurrentThread::NAME => burst::<TokioCurrentThread, STEPS>,
    ]
}

fn round_trip<R: Threads>(size: usize) -> Cost {
    let elapsed = in_task::<R, _>(async move {
        R::blocking(|| ()).await;
        let start = Instant::now();
        let mut sum = 0;
        for number in 0..size {
            sum += R::blocking(move || number).await;
        }
        let elapsed = start.elapsed();
        assert_eq!(sum, size * (size - 1) / 2);
        elapsed
    });
    elapsed.into()
}

/// Each runtime's own tasks wait for the work: a child of a combinator would be petla's alone.
fn burst<R: Threads, const STEPS: u64>(size: usize) -> Cost {
    let elapsed = in_task::<R, _>(async move {
        R::blocking(|| ()).await;
        let start = Instant::now();
        let mut sum = 0;
        for first in (0..size).step_by(AT_ONCE) {
            let work = |number| R::blocking(move || number + compute(STEPS));
            let tasks: Vec<_> = (first..first + AT_ONCE)
                .map(|number| R::spawn(work(number)))
                .collect();
            for task in tasks {
                sum += task.await;
            }
        }
        let elapsed = start.elapsed();
        assert_eq!(sum, size * (size - 1) / 2);
        elapsed
    });
    elapsed.into()
}

/// Gives 0, after so many steps that cannot be skipped.
fn compute(steps: u64) -> usize {
    let mut state = black_box(0);
    for step in 0..steps {
        state = black_box(state ^ step);
    }
    usize::from(state == u64::MAX)
}

fn main() {
    petla_bench::criterion_main(figures());
}
