//! [`Explorer`]: one test in many orders of its tasks.
//!
//! The order of ready tasks is all that a single-threaded test leaves to chance, once its clock
//! is virtual. A race between a few tasks is met by a good part of all orders, so hundreds of
//! random ones find what first in, first out never shows.
//!
//! # Not here
//! The shuffling (`run_queue`). Every order once: of 10 tasks there are millions.

use std::ops::Range;
use std::panic::{AssertUnwindSafe, Location, catch_unwind};

use super::VirtualClock;
use super::run::{attempt, refuse_nesting, seed_from_environment};
use crate::error::Panic;

/// One test over many orders of ready tasks: says which seed fails, smallest first.
///
/// Each seed is a run like [`testing::run`](super::run()), on a new loop and an automatic clock.
/// It fails if the test panics, or if all tasks are blocked for good. A panic in a task whose
/// handle nobody awaits is reported as ever, and no failure.
///
/// To replay a seed, run the test with `PETLA_SEED` in the environment; or give it to
/// [`Builder::seed`](crate::event_loop::Builder::seed), together with
/// [`VirtualClock::auto`](super::VirtualClock::auto). Seeds keep their meaning as long as the
/// test does the same, within one version of this crate.
///
/// ```
/// use petla::testing::Explorer;
/// use petla::{spawn, yield_now};
/// use std::{cell::Cell, rc::Rc};
///
/// let race = async || {
///     let flag = Rc::new(Cell::new(false));
///     let other = flag.clone();
///     let setter = spawn(async move { other.set(true) });
///     let reader = spawn(async move { assert!(flag.get(), "it came too early") });
///     setter.await.unwrap();
///     reader.await.unwrap();
/// };
/// let seed = Explorer::new().seeds(0..100).find(race);
/// assert!(seed.is_some());
/// ```
#[derive(Debug, Clone)]
#[must_use = "an explorer does nothing until it runs a test"]
pub struct Explorer {
    seeds: Range<u64>,
}

impl Explorer {
    /// One that tries the seeds from 0 to 999.
    pub fn new() -> Self {
        Explorer { seeds: 0..1000 }
    }

    /// Sets the seeds to try.
    ///
    /// # Panics
    /// If there are none: a test that never runs proves nothing.
    #[track_caller]
    pub fn seeds(mut self, seeds: Range<u64>) -> Self {
        assert!(!seeds.is_empty(), "the seeds {seeds:?} are none");
        self.seeds = seeds;
        self
    }

    /// Runs the test with each seed, or with that of the environment variable `PETLA_SEED` alone.
    ///
    /// # Panics
    /// When a seed fails: the message names the seed, the reason, and how to replay it. Inside a
    /// running loop.
    ///
    /// ```should_panic
    /// petla::testing::Explorer::new().run(async || {
    ///     let first = petla::spawn(async { petla::now() });
    ///     petla::yield_now().await;
    ///     assert!(!first.is_finished()); // seed 0 fails: assertion failed: ...
    /// });
    /// ```
    #[track_caller]
    pub fn run(self, test: impl AsyncFn()) {
        let at = Location::caller();
        refuse_nesting("Explorer::run()");
        let failure = match seed_from_environment() {
            Some(seed) => failure(&test, seed, at).map(|why| (seed, why)),
            None => self.first_failure(&test, at),
        };
        if let Some((seed, why)) = failure {
            panic!(
                "seed {seed} fails: {why}\nreplay it with PETLA_SEED={seed}, or on a loop with \
                 Builder::seed({seed}) and VirtualClock::auto()"
            );
        }
    }

    /// The smallest seed that fails; `None` if all pass. `PETLA_SEED` is not looked at.
    ///
    /// The panic of the run that fails is printed by the panic hook, as always.
    ///
    /// # Panics
    /// Inside a running loop.
    #[track_caller]
    pub fn find(self, test: impl AsyncFn()) -> Option<u64> {
        refuse_nesting("Explorer::find()");
        self.first_failure(&test, Location::caller())
            .map(|(seed, _)| seed)
    }

    fn first_failure(
        self,
        test: &impl AsyncFn(),
        at: &'static Location<'static>,
    ) -> Option<(u64, String)> {
        self.seeds
            .into_iter()
            .find_map(|seed| failure(test, seed, at).map(|why| (seed, why)))
    }
}

impl Default for Explorer {
    fn default() -> Self {
        Explorer::new()
    }
}

/// Why the test fails with this seed.
fn failure(test: &impl AsyncFn(), seed: u64, at: &'static Location<'static>) -> Option<String> {
    // Called inside the run, so that what the closure does before its first await is there too.
    let body = async { test().await };
    // The test starts anew with each seed; what it left half done it has made itself.
    match catch_unwind(AssertUnwindSafe(|| {
        attempt(VirtualClock::auto(), Some(seed), body, at)
    })) {
        Ok(result) => result.err(),
        Err(payload) => Some(match Panic::new(payload).message() {
            Some(text) => text.to_owned(),
            None => "it panicked with something that is not text".to_owned(),
        }),
    }
}
