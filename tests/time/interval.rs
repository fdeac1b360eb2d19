//! `interval`: the first tick at once, a grid, and three ways to go on after missed ticks.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use petla::testing::{self, VirtualClock};
use petla::time::MissedTick;
use petla::{Interval, Stream, interval, sleep, spawn};

use crate::common::{Bell, loop_on, panic_text, poll_once, poll_with, within};

const PERIOD: Duration = Duration::from_millis(2);

/// Runs `main` on an automatic clock, which it may also turn: so a tick is missed.
fn on_clock(main: impl AsyncFnOnce(&VirtualClock)) {
    let clock = VirtualClock::auto();
    let event_loop = loop_on(&clock);
    event_loop.run_until_complete(main(&clock)).unwrap();
}

#[test]
fn the_first_tick_is_due_at_once_and_the_others_a_period_apart() {
    within(async {
        let before = petla::now();
        let mut ticks = interval(PERIOD);
        let first = ticks.tick().await;
        assert!(first >= before && first <= petla::now());
        for n in 1..4 {
            let due = ticks.tick().await;
            assert!(petla::now() >= due, "never early");
            let offset = due - first;
            assert_eq!(offset.as_nanos() % PERIOD.as_nanos(), 0, "on the grid");
            assert!(offset >= PERIOD * n);
        }
    });
}

#[test]
fn missed_ticks_are_skipped_and_the_grid_stays() {
    on_clock(async |clock| {
        let mut ticks = interval(PERIOD);
        let first = ticks.tick().await;
        clock.advance(PERIOD * 7 / 2);
        assert_eq!(ticks.tick().await, first + PERIOD, "the tick that was due");
        let next = ticks.tick().await;
        assert_eq!(
            next,
            first + PERIOD * 4,
            "the second and third were skipped"
        );
        assert_eq!(petla::now(), next);
    });
}

#[test]
fn missed_ticks_come_in_a_burst_if_one_asks_for_them() {
    on_clock(async |clock| {
        let mut ticks = interval(PERIOD).missed(MissedTick::Burst);
        let first = ticks.tick().await;
        clock.advance(PERIOD * 3);
        let mut due = Vec::new();
        for _ in 0..5 {
            due.push(ticks.tick().await);
        }
        let expected: Vec<Instant> = (1..=5).map(|n| first + PERIOD * n).collect();
        assert_eq!(due, expected, "none is lost, the grid stays");
        assert_eq!(petla::now(), first + PERIOD * 5);
    });
}

#[test]
fn after_a_delayed_tick_the_next_is_a_full_period_away_if_one_asks_for_that() {
    on_clock(async |clock| {
        let mut ticks = interval(PERIOD).missed(MissedTick::Delay);
        let first = ticks.tick().await;
        clock.advance(PERIOD * 7 / 2);
        assert_eq!(ticks.tick().await, first + PERIOD);
        let next = ticks.tick().await;
        assert_eq!(next, first + PERIOD * 9 / 2, "the grid moved");
        assert_eq!(petla::now(), next);
    });
}

#[test]
fn reset_begins_a_new_grid_a_period_from_now() {
    on_clock(async |clock| {
        let mut ticks = interval(PERIOD);
        let first = ticks.tick().await;
        clock.advance(PERIOD / 2);
        ticks.reset();
        assert_eq!(ticks.tick().await, first + PERIOD * 3 / 2);
        let mut unused = interval(Duration::from_secs(3600));
        unused.reset();
        assert!(
            poll_once(&mut unused.tick()).is_pending(),
            "the first tick is gone too"
        );
    });
}

#[test]
fn reset_while_a_tick_is_awaited_moves_it() {
    within(async {
        let mut ticks = interval(Duration::from_secs(3600));
        ticks.tick().await;
        let bell = Bell::new();
        assert!(bell.poll(&mut ticks.tick()).is_pending());
        ticks.reset();
        assert!(bell.poll(&mut ticks.tick()).is_pending());
        drop(ticks);
        assert!(!bell.is_kept());
    });
}

#[test]
fn a_cancelled_wait_loses_no_tick() {
    testing::run(async {
        let mut ticks = interval(PERIOD);
        let first = ticks.tick().await;
        for _ in 0..5 {
            let limited = petla::timeout(PERIOD / 10, ticks.tick()).await;
            assert!(limited.is_err());
        }
        assert_eq!(ticks.tick().await, first + PERIOD);
    });
}

/// The next item of a stream, without a crate for it.
struct Next<'a>(&'a mut Interval);

impl Future for Next<'_> {
    type Output = Option<Instant>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut *self.0).poll_next(cx)
    }
}

#[test]
fn an_interval_is_a_stream_without_end() {
    within(async {
        let mut ticks = interval(Duration::from_micros(100));
        let first = Next(&mut ticks).await.unwrap();
        let second = Next(&mut ticks).await.unwrap();
        let third = ticks.tick().await;
        assert!(first < second && second < third);
        assert_eq!(ticks.size_hint(), (0, None));
    });
}

#[test]
fn a_period_of_zero_is_refused_with_advice_and_one_without_end_is_allowed() {
    let text = panic_text(|| interval(Duration::ZERO));
    assert_eq!(
        text,
        "interval() needs a period above zero; use yield_now() to yield"
    );
    within(async {
        let mut once = interval(Duration::MAX);
        once.tick().await;
        assert!(poll_once(&mut once.tick()).is_pending());
        sleep(Duration::from_micros(10)).await;
        assert!(poll_once(&mut once.tick()).is_pending());
    });
}

#[test]
fn an_interval_moves_between_tasks_and_loops() {
    let mut ticks = interval(Duration::from_micros(500));
    let waker = std::task::Waker::noop();
    within(async {
        ticks.tick().await;
        let _ = poll_with(&mut ticks.tick(), waker); // armed here
    });
    let ticks = within(async move {
        let task = spawn(async move {
            ticks.tick().await;
            ticks
        });
        task.await.unwrap()
    });
    let thread = std::thread::spawn(move || within(async move { { ticks }.tick().await }));
    assert!(thread.join().unwrap() <= Instant::now());
}

#[test]
fn an_interval_that_is_always_late_does_not_keep_the_loop_for_itself() {
    within(async {
        let other = spawn(async { "had its turn" });
        let mut ticks = interval(Duration::from_nanos(1)).missed(MissedTick::Burst);
        for _ in 0..10_000 {
            ticks.tick().await;
            if other.is_finished() {
                return;
            }
        }
        panic!("10,000 ticks in a row, and nobody else was polled");
    });
}
