//! The shared harness of the benchmarks: petla beside tokio, smol and monoio.
//!
//! "Faster than tokio" is a claim about two programs that do the same work. Here that is so by
//! construction: a workload is one function, generic over the runtime ([`runtimes`]) and the
//! library of primitives ([`libraries`]); a [`Figure`] lists it once for each pair. Two runners
//! take the same figures:
//!
//! - [`criterion_main`] serves `cargo bench --bench spawn`: one runtime after the other, with
//!   criterion's statistics. It is the tool for work on one figure.
//! - [`table::main`] serves `cargo bench --bench table`: all runtimes in turn, round by round, so
//!   that a machine that slows down slows all of them. It makes the tables that are published.
//!
//! Without `--bench` (as under `cargo test --benches`) both run every workload once with its
//! smallest size: the workloads check their own results, so this is their test.
//!
//! # Invariants
//! - **Timed inside**: a workload starts its runtime first and reads the clock inside a task.
//! - **Checked**: a workload counts or sums what it did and panics if that is wrong.
//! - **One core**: under `--bench` the process, helper threads included, is pinned to one CPU; the
//!   threads of a workload of two threads are pinned to one each.
//!
//! # Not here
//! The workloads (a file a subject, beside this directory).

pub mod combinators;
pub mod events;
pub mod heap;
pub mod libraries;
pub mod locks;
mod monoio_yield;
pub mod pinned;
pub mod queues;
pub mod runtimes;
pub mod sys;
pub mod table;
pub mod values;
pub mod worker;

use std::time::Duration;

use criterion::{BenchmarkGroup, Criterion, SamplingMode, Throughput, measurement::WallTime};

/// One row of the table: a workload on every runtime.
#[derive(Debug)]
pub struct Figure {
    /// What it is called everywhere.
    pub name: &'static str,
    /// What one operation costs is given in this.
    pub unit: Unit,
    /// How many operations each one of a size stands for.
    pub operations_each: usize,
    /// How much work.
    pub sizes: Sizes,
    /// The same workload on each runtime.
    pub contenders: Vec<Contender>,
}

impl Figure {
    /// How many operations a run of `size` counts for.
    pub fn operations(&self, size: usize) -> usize {
        match self.unit {
            Unit::MillisecondsInAll => 1,
            Unit::Nanoseconds | Unit::Microseconds | Unit::Bytes => size * self.operations_each,
        }
    }
}

/// How a figure is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Nanoseconds an operation.
    Nanoseconds,
    /// Microseconds an operation.
    Microseconds,
    /// Milliseconds for the whole run.
    MillisecondsInAll,
    /// Bytes an operation.
    Bytes,
}

/// The size of a run, for each way of running.
#[derive(Clone, Copy, Debug)]
pub struct Sizes {
    /// One round of the table: large, as only a few rounds are run.
    pub table: usize,
    /// One iteration of criterion: at most some 100 ms, as it wants at least ten.
    pub criterion: usize,
    /// The test: small, but every path of the workload is taken.
    pub smoke: usize,
}

/// One cell of the table.
#[derive(Debug)]
pub struct Contender {
    /// The column.
    pub name: &'static str,
    /// Runs the workload once.
    pub run: fn(usize) -> Cost,
}

/// What a run cost: nanoseconds or bytes, by the figure's unit.
#[derive(Clone, Copy, Debug)]
pub struct Cost(pub f64);

impl From<Duration> for Cost {
    fn from(elapsed: Duration) -> Self {
        Cost(elapsed.as_nanos() as f64)
    }
}

/// The column of petla, and of its `local` primitives.
pub const PETLA: &str = "petla";

/// The column of petla's `sync` primitives.
pub const PETLA_SYNC: &str = "petla sync";

/// The column of what a lock of one thread cannot be below: a store before and one after.
pub const TWO_STORES: &str = "two stores";

/// The column of what a lock between threads cannot be below: a compare-and-swap before and after.
pub const TWO_CAS: &str = "two CAS";

/// One [`Contender`] a runtime: `on_every_runtime!(work)` where `fn work<R: Runtime>(size: usize)`.
#[macro_export]
macro_rules! on_every_runtime {
    ($work:ident) => {
        $crate::on_every_runtime!($work:
            Petla, TokioLocal, TokioCurrentThread, Smol, Monoio)
    };
    ($work:ident: $($runtime:ident),+) => {
        vec![$($crate::Contender {
            name: <$crate::runtimes::$runtime as $crate::runtimes::Runtime>::NAME,
            run: $work::<$crate::runtimes::$runtime>,
        }),+]
    };
}

/// Contenders in words: `contenders![PETLA => work::<Petla, PetlaLocal>]`.
#[macro_export]
macro_rules! contenders {
    [$($name:expr => $work:expr),+ $(,)?] => {
        vec![$($crate::Contender { name: $name, run: $work }),+]
    };
}

/// Whether to measure: `cargo bench` passes `--bench`, `cargo test --benches` does not.
pub fn measuring() -> bool {
    let given = |flag: &str| std::env::args().any(|argument| argument == flag);
    given("--bench") && !given("--test")
}

/// The `main` of a subject: criterion over its figures.
pub fn criterion_main(figures: Vec<Figure>) {
    if measuring() {
        sys::pin_to_one_core();
    }
    let mut criterion = Criterion::default()
        .sample_size(10) // the smallest that criterion takes: an iteration is a run of 10-100 ms
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1))
        .configure_from_args();
    for figure in &figures {
        let mut group = criterion.benchmark_group(figure.name);
        bench(&mut group, figure);
        group.finish();
    }
    criterion.final_summary();
}

fn bench(group: &mut BenchmarkGroup<'_, WallTime>, figure: &Figure) {
    let size = if measuring() {
        figure.sizes.criterion
    } else {
        figure.sizes.smoke
    };
    group.sampling_mode(SamplingMode::Flat);
    group.throughput(Throughput::Elements(figure.operations(size) as u64));
    for contender in &figure.contenders {
        group.bench_function(contender.name, |bencher| {
            bencher.iter_custom(|iterations| {
                let nanoseconds: f64 = (0..iterations).map(|_| (contender.run)(size).0).sum();
                Duration::from_nanos(nanoseconds as u64)
            });
        });
    }
}

/// Numbers without a pattern, the same in every run (splitmix64).
#[derive(Clone, Debug)]
pub struct Random(pub u64);

impl Random {
    /// The next number, below `limit`.
    pub fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % limit
    }
}
