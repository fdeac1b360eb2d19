//! [`run`]: a test on a loop of its own, whose clock jumps.
//!
//! # Not here
//! Trying several seeds (`explorer`); how a loop finds out that it is stuck (`kernel`).

use std::fmt::Write;
use std::future::Future;
use std::ops::Range;
use std::panic::Location;
use std::process::{ExitCode, Termination};

use super::VirtualClock;
use crate::event_loop::EventLoop;
use crate::kernel::Kernel;
use crate::task::TaskRef;

/// What decides the order of tasks from outside.
const SEED: &str = "PETLA_SEED";

/// [`petla::run`](crate::run) on an automatic [`VirtualClock`]: nothing waits for time to pass.
///
/// If the environment variable `PETLA_SEED` holds a number, it is the loop's
/// [`seed`](crate::event_loop::Builder::seed): so a failure that [`Explorer`](super::Explorer)
/// found is seen again. Otherwise tasks run first in, first out.
///
/// The loop does not wait for other threads: when no task is ready, no timer armed and no
/// descriptor in use, the test has failed, even if a thread was about to wake it. Tests with
/// threads belong on a real clock: [`petla::run`](crate::run).
///
/// # Panics
/// As [`petla::run`](crate::run); if `PETLA_SEED` is no number; and when all tasks are blocked
/// for good, with a list of them:
///
/// ```should_panic
/// petla::testing::run(async {
///     let lock = petla::local::Lock::new(());
///     let _first = lock.lock().await;
///     let _second = lock.lock().await; // panics: task-1 (spawned at src/..) is blocked for good
/// });
/// ```
///
/// # Examples
/// ```
/// use std::time::{Duration, Instant};
///
/// let begin = Instant::now();
/// petla::testing::run(async { petla::sleep(Duration::from_secs(3600)).await });
/// assert!(begin.elapsed() < Duration::from_secs(60));
/// ```
#[track_caller]
pub fn run<F: Future>(test: F) -> F::Output {
    refuse_nesting("testing::run()");
    run_test(VirtualClock::auto(), None, test)
}

/// [`run()`] by this clock; the seed, if there is one, wins over the environment's. For
/// `#[petla::test]`.
#[track_caller]
pub fn run_test<F: Future>(clock: VirtualClock, seed: Option<u64>, test: F) -> F::Output {
    refuse_nesting("a test");
    let seed = seed.or_else(seed_from_environment);
    match attempt(clock, seed, test, Location::caller()) {
        Ok(value) => value,
        Err(why) => panic!("{why}"),
    }
}

/// An [`Explorer`](super::Explorer) run of a test that may return what a `#[test]` may. For
/// `#[petla::test]`.
#[track_caller]
pub fn run_seeds<T: Termination>(seeds: Range<u64>, test: impl AsyncFn() -> T) {
    let checked = async || {
        let code = test().await.report(); // which prints an error
        assert!(code == ExitCode::SUCCESS, "the test returned a failure");
    };
    super::Explorer::new().seeds(seeds).run(checked);
}

#[track_caller]
pub(super) fn refuse_nesting(what: &str) {
    if Kernel::runs_here() {
        panic!("{what} inside a running event loop: it makes a loop of its own");
    }
}

/// The seed that the environment asks for.
///
/// # Panics
/// If it is no number.
#[track_caller]
pub(super) fn seed_from_environment() -> Option<u64> {
    let text = std::env::var_os(SEED)?;
    let seed = text.to_str().and_then(|text| text.trim().parse().ok());
    match seed {
        Some(seed) => Some(seed),
        None => panic!("{SEED} must be a whole number from 0 to 2^64 - 1, and is {text:?}"),
    }
}

/// One run of a test: what it gives, or why it ended without. Its panics go through.
#[track_caller]
pub(super) fn attempt<F: Future>(
    clock: VirtualClock,
    seed: Option<u64>,
    test: F,
    at: &'static Location<'static>,
) -> Result<F::Output, String> {
    let mut builder = EventLoop::builder().clock(clock).stop_when_stuck();
    if let Some(seed) = seed {
        builder = builder.seed(seed);
    }
    let event_loop = match builder.build() {
        Ok(event_loop) => event_loop,
        Err(error) => panic!("cannot make an event loop: {error}"),
    };
    let result = event_loop.run_and_close(test, at);
    result.map_err(|error| match &event_loop.take_stuck()[..] {
        [] => format!("the test gave no value: {error}"),
        tasks => blocked_for_good(tasks),
    })
}

fn blocked_for_good(tasks: &[TaskRef]) -> String {
    let mut text = String::from(
        "all tasks are blocked for good; no timer and no descriptor is left to wake one of these:",
    );
    for task in tasks {
        let _ = write!(text, "\n  {task}");
    }
    text
}
