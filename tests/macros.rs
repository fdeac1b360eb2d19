//! `#[petla::test]` and `#[petla::main]`: what they accept, and what the function then does.
//!
//! # Not here
//! What they refuse, and where type errors point: `compile_fail/macros`. Whole programs that must
//! compile and run: `compile_pass`.
#![cfg(feature = "macros")]

use std::cell::RefCell;
use std::io;
use std::process::ExitCode;
use std::rc::Rc;
use std::time::{Duration, Instant};

use petla::testing::{VirtualClock, wait_all_tasks_blocked};
use petla::{EventLoop, sleep, spawn};

mod common;

const HOUR: Duration = Duration::from_secs(3600);
const SEED: u64 = 17;

/// The order in which eight tasks have their turns.
async fn order() -> Vec<u32> {
    let log = Rc::new(RefCell::new(Vec::new()));
    let task = |n| {
        let log = log.clone();
        spawn(async move { log.borrow_mut().push(n) })
    };
    let tasks: Vec<_> = (0..8).map(task).collect();
    for task in tasks {
        task.await.unwrap();
    }
    log.take()
}

fn order_by_hand(seed: u64) -> Vec<u32> {
    let builder = EventLoop::builder().seed(seed).clock(VirtualClock::auto());
    builder
        .build()
        .unwrap()
        .run_until_complete(order())
        .unwrap()
}

#[petla::test]
async fn without_arguments_a_test_runs_first_in_first_out_on_the_systems_clock() {
    assert_eq!(order().await, [0, 1, 2, 3, 4, 5, 6, 7]);
    let begin = Instant::now();
    sleep(Duration::from_millis(2)).await;
    assert!(begin.elapsed() >= Duration::from_millis(2));
}

#[petla::test(clock = "virtual")]
async fn an_hour_ends_at_once_on_the_virtual_clock() {
    let (begin, now) = (Instant::now(), petla::now());
    sleep(HOUR).await;
    assert_eq!(petla::now() - now, HOUR);
    assert!(begin.elapsed() < HOUR / 60);
}

#[petla::test(clock = "virtual")]
async fn the_virtual_clock_is_handed_over(mut clock: VirtualClock) {
    sleep(HOUR).await;
    assert_eq!(clock.elapsed(), HOUR);
    clock = VirtualClock::manual();
    assert_eq!(clock.elapsed(), Duration::ZERO);
}

#[petla::test(clock = "manual", seed = 3)]
async fn the_manual_clock_stands_still_until_the_test_turns_it(clock: VirtualClock) {
    let nap = spawn(sleep(HOUR));
    wait_all_tasks_blocked().await;
    clock.advance(HOUR / 2);
    wait_all_tasks_blocked().await;
    assert!(!nap.is_finished());
    clock.advance(HOUR / 2);
    nap.await.unwrap();
}

#[petla::test(clock = "virtual")]
#[should_panic(expected = "blocked for good")]
async fn a_test_whose_tasks_are_blocked_for_good_fails() {
    std::future::pending().await
}

#[petla::test(seed = SEED)]
async fn a_seed_decides_the_order_and_brings_the_virtual_clock(clock: VirtualClock) {
    let order = order().await;
    assert_eq!(
        order,
        std::thread::spawn(|| order_by_hand(SEED)).join().unwrap()
    );
    assert_ne!(order, [0, 1, 2, 3, 4, 5, 6, 7]);
    sleep(HOUR).await;
    assert_eq!(clock.elapsed(), HOUR);
}

#[petla::test(seeds = 0..2 * 5)]
async fn every_seed_of_a_range_is_tried() -> Result<(), petla::JoinError> {
    let mut order = order().await;
    order.sort_unstable();
    assert_eq!(order, [0, 1, 2, 3, 4, 5, 6, 7]);
    spawn(sleep(HOUR)).await
}

#[petla::test(seeds = 5..9)]
#[should_panic(expected = "seed 5 fails: it comes to nothing")]
async fn the_first_seed_that_fails_is_named() {
    panic!("it comes to nothing");
}

#[test]
#[should_panic(expected = "seed 5 fails: the test returned a failure")]
fn an_error_fails_the_seed() {
    petla::__private::run_seeds(5..6, async || Err::<(), _>("no"));
}

#[petla::test]
async fn a_test_may_return_a_result_and_use_question_marks()
-> Result<(), Box<dyn std::error::Error>>
where
    io::Error: std::error::Error,
{
    let n: u32 = "5".parse()?;
    if n == 5 {
        return Ok(());
    }
    Err(io::Error::other("never"))?
}

#[petla::test]
pub(crate) async fn a_test_may_return_an_exit_code() -> ExitCode {
    sleep(Duration::ZERO).await;
    ExitCode::SUCCESS
}

#[petla::test]
#[should_panic = "as expected"]
async fn a_test_should_panic() {
    petla::yield_now().await;
    panic!("as expected")
}

/// Documented.
#[petla::test]
#[ignore = "shows that the attribute stays"]
#[allow(clippy::unused_async)]
#[cfg_attr(all(), must_use)]
async fn an_ignored_test_does_not_run() -> ExitCode {
    unreachable!()
}

#[petla::test]
async fn r#loop() {
    #![allow(unused_variables)]
    let unused: &'static str = "an inner attribute";
    macro_rules! five {
        () => {
            async { 5 }.await
        };
    }
    assert_eq!(five!(), 5)
}

mod hygiene {
    //! Names around the test that the attribute must not take for its own.
    use ::petla::test;

    mod petla {}
    mod core {}
    #[expect(dead_code)]
    struct Some;
    #[expect(dead_code)]
    struct None;

    #[expect(non_upper_case_globals)]
    const clock: u64 = 5;

    #[test(seed = clock)]
    async fn seed(_: ::petla::testing::VirtualClock) {
        assert_eq!(clock, 5);
    }
}

macro_rules! tests {
    ($($(#[$attribute:meta])* $visibility:vis $name:ident -> $type:ty $body:block)+) => {
        $(#[petla::test(clock = "virtual")] $(#[$attribute])*
        $visibility async fn $name() -> $type $body)+
    };
}

tests! {
    /// Written by a macro.
    pub a_macro_may_write_a_test -> Result<(), String> { sleep(HOUR).await; Ok(()) }
    another -> () {}
}

macro_rules! whole {
    ($item:item) => {
        #[petla::test]
        $item
    };
}

whole! {
    async fn an_item_of_a_macro_is_a_test_too() {}
}

#[test]
fn programs_compile_and_run() {
    let cases = trybuild::TestCases::new();
    cases.pass("tests/compile_pass/*.rs");
}
