//! `sleep`, `sleep_until`, `yield_now` and the `Sleep` they make.

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex};
use std::task::{Poll, Wake, Waker};
use std::thread;
use std::time::{Duration, Instant};

use petla::{EventLoop, Sleep, sleep, sleep_until, spawn, testing, yield_now};

use crate::common::{Bell, LONG, Log, panic_text, poll_once, poll_with, within, yield_until};

const MILLI: Duration = Duration::from_millis(1);
const SOON: Duration = Duration::from_micros(50);

#[test]
fn a_sleep_is_never_short() {
    within(async {
        for nanos in [
            1, 999, 1_000, 54_321, 100_000, 999_999, 1_000_001, 2_345_678, 7_000_000,
        ] {
            for _ in 0..3 {
                let (duration, before) = (Duration::from_nanos(nanos), Instant::now());
                sleep(duration).await;
                assert!(before.elapsed() >= duration, "{duration:?}");
                let at = petla::now() + duration;
                sleep_until(at).await;
                assert!(petla::now() >= at);
            }
        }
    });
}

#[test]
fn many_sleeps_at_once_are_never_short_either() {
    within(async {
        let tasks: Vec<_> = (0..1_000_u64)
            .map(|n| {
                spawn(async move {
                    let at = petla::now() + Duration::from_micros(n * 7 % 3_000);
                    sleep_until(at).await;
                    petla::now() >= at
                })
            })
            .collect();
        for task in tasks {
            assert!(task.await.unwrap());
        }
    });
}

/// A waker that writes its number down.
struct Numbered(usize, Arc<Mutex<Vec<usize>>>);

impl Wake for Numbered {
    fn wake(self: Arc<Self>) {
        self.1.lock().unwrap().push(self.0);
    }
}

/// Arms sleeps of these many microseconds, in this order and within one poll; gives the order
/// in which they end.
async fn order_of_ends(micros: &[u64]) -> Vec<usize> {
    let ended: Arc<Mutex<Vec<usize>>> = Arc::default();
    let begin = petla::now() + MILLI;
    let mut naps: Vec<Sleep> = micros
        .iter()
        .map(|&micros| sleep_until(begin + Duration::from_micros(micros)))
        .collect();
    for (number, nap) in naps.iter_mut().enumerate() {
        let waker = Waker::from(Arc::new(Numbered(number, ended.clone())));
        assert!(poll_with(nap, &waker).is_pending());
    }
    sleep_until(begin + MILLI).await;
    ended.lock().unwrap().clone()
}

#[test]
fn sleeps_end_in_the_order_of_their_deadlines() {
    testing::run(async {
        assert_eq!(
            order_of_ends(&[300, 100, 500, 200, 400]).await,
            [1, 3, 0, 4, 2]
        );
        let backwards: Vec<u64> = (0..200).rev().collect();
        assert_eq!(
            order_of_ends(&backwards).await,
            (0..200).rev().collect::<Vec<_>>()
        );
    });
}

#[test]
fn equal_deadlines_end_in_the_order_of_the_first_polls() {
    testing::run(async {
        assert_eq!(order_of_ends(&[0; 200]).await, (0..200).collect::<Vec<_>>());
        assert_eq!(order_of_ends(&[9, 5, 9, 5, 9, 5]).await, [1, 3, 5, 0, 2, 4]);
    });
}

#[test]
fn a_zero_sleep_needs_no_loop_and_yields_exactly_once() {
    let bell = Bell::new();
    let (mut zero, mut turn) = (sleep(Duration::ZERO), yield_now());
    assert!(bell.poll(&mut zero).is_pending() && bell.poll(&mut turn).is_pending());
    assert_eq!(
        (bell.rings(), bell.is_kept()),
        (2, false),
        "it wakes at once and keeps nothing"
    );
    assert!(bell.poll(&mut zero).is_ready() && bell.poll(&mut turn).is_ready());
    assert_eq!(bell.rings(), 2);
    assert!(bell.poll(&mut zero).is_ready(), "it stays over");
}

#[test]
fn a_yield_lets_everyone_who_is_ready_run_once() {
    within(async {
        let log = Log::new();
        for n in 0..100 {
            let log = log.clone();
            drop(spawn(async move { log.push(n) }));
        }
        yield_now().await;
        assert_eq!(log.len(), 100);
        sleep(Duration::ZERO).await;
        assert_eq!(log.len(), 100);
    });
}

#[test]
fn a_sleep_without_end_is_allowed() {
    testing::run(async {
        let before = petla::now();
        for duration in [
            Duration::MAX,
            Duration::from_secs(u64::MAX),
            Duration::MAX / 2,
        ] {
            let mut endless = sleep(duration);
            assert!(endless.deadline() > before + Duration::from_secs(99 * 365 * 24 * 3600));
            assert!(poll_once(&mut endless).is_pending());
            sleep(SOON).await;
            assert!(poll_once(&mut endless).is_pending());
            endless.reset(petla::now());
            endless.await;
        }
    });
}

#[test]
fn a_deadline_that_is_past_takes_one_trip_through_the_queue() {
    within(async {
        let past = petla::now().checked_sub(Duration::from_secs(60)).unwrap();
        let mut late = sleep_until(past);
        assert_eq!(late.deadline(), past);
        assert!(
            poll_once(&mut late).is_pending(),
            "other tasks get their turn"
        );
        late.await;
        for _ in 0..100 {
            sleep_until(petla::now()).await;
        }
    });
}

#[test]
fn a_sleep_that_is_over_stays_over() {
    testing::run(async {
        let mut nap = sleep(SOON);
        (&mut nap).await;
        assert!(poll_once(&mut nap).is_ready() && poll_once(&mut nap).is_ready());
        assert!(nap.deadline() <= petla::now());
    });
}

#[test]
fn waiting_outside_a_loop_is_a_clear_panic() {
    let text = panic_text(|| poll_once(&mut sleep(MILLI)));
    assert!(
        text.starts_with("sleep() needs a running event loop on this thread"),
        "{text}"
    );
    assert!(text.contains("petla::run"), "{text}");
    let made_outside = sleep(SOON);
    within(made_outside);
}

#[test]
fn dropping_a_sleep_lets_go_of_its_waker_at_once() {
    testing::run(async {
        let bell = Bell::new();
        let arm = |at| {
            let mut naps: Vec<Sleep> = (0..100).map(|_| sleep_until(at)).collect();
            for nap in &mut naps {
                assert!(bell.poll(nap).is_pending());
            }
            naps
        };
        let soon = petla::now() + SOON;
        drop(arm(soon));
        assert!(!bell.is_kept());
        sleep_until(soon + SOON).await;
        assert_eq!(bell.rings(), 0, "no timer is left to fire");
        let far = arm(petla::now() + 10 * LONG);
        sleep(SOON).await; // they go from the list of new timers to the heap
        assert!(bell.is_kept());
        drop(far);
        assert!(!bell.is_kept());
    });
}

#[test]
fn a_sleep_polled_by_another_task_wakes_the_last_one() {
    testing::run(async {
        let (first, second) = (Bell::new(), Bell::new());
        let mut nap = sleep(MILLI);
        assert!(first.poll(&mut nap).is_pending());
        assert!(
            first.poll(&mut nap).is_pending(),
            "the same again changes nothing"
        );
        assert!(second.poll(&mut nap).is_pending());
        assert!(!first.is_kept());
        sleep(MILLI).await;
        assert!(poll_once(&mut nap).is_ready());
        assert_eq!(
            (first.rings(), second.rings(), second.is_kept()),
            (0, 1, false)
        );
    });
}

#[test]
fn reset_moves_the_end_in_both_directions_and_brings_a_sleep_back() {
    testing::run(async {
        let begin = petla::now();
        let at = |millis| begin + Duration::from_millis(millis);
        let mut nap = sleep_until(at(2));
        assert!(poll_once(&mut nap).is_pending());
        nap.reset(at(4));
        assert_eq!(nap.deadline(), at(4));
        (&mut nap).await;
        assert_eq!(petla::now(), at(4), "later");

        nap.reset(at(5));
        (&mut nap).await;
        assert_eq!(petla::now(), at(5), "after the end");

        nap.reset(begin + LONG);
        assert!(poll_once(&mut nap).is_pending());
        nap.reset(at(6));
        (&mut nap).await;
        assert_eq!(petla::now(), at(6), "earlier");

        nap.reset(petla::now());
        assert!(poll_once(&mut nap).is_pending(), "a trip through the queue");
        nap.await;
    });
}

#[test]
fn a_sleep_that_was_due_and_not_looked_at_can_still_be_moved() {
    testing::run(async {
        let bell = Bell::new();
        let mut nap = sleep(SOON);
        assert!(bell.poll(&mut nap).is_pending());
        sleep(SOON).await;
        assert_eq!(bell.rings(), 1);
        let later = petla::now() + MILLI;
        nap.reset(later);
        assert!(bell.poll(&mut nap).is_pending());
        nap.await;
        assert_eq!(petla::now(), later);
    });
}

#[test]
fn a_zero_sleep_can_be_made_a_real_one() {
    testing::run(async {
        let mut nap = sleep(Duration::ZERO);
        let at = petla::now() + MILLI;
        nap.reset(at);
        nap.await;
        assert_eq!(petla::now(), at);
    });
}

/// A sleep that others hold as well.
struct Shared(Arc<Mutex<Sleep>>);

impl Future for Shared {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut std::task::Context<'_>) -> Poll<()> {
        Pin::new(&mut *self.0.lock().unwrap()).poll(cx)
    }
}

#[test]
fn a_reset_by_another_task_is_seen_by_the_one_that_waits() {
    testing::run(async {
        let shared = Arc::new(Mutex::new(sleep(LONG * 100)));
        let waiting = spawn(Shared(shared.clone()));
        yield_now().await;
        shared.lock().unwrap().reset(petla::now() + SOON);
        waiting.await.unwrap();
    });
}

#[test]
fn a_reset_on_another_thread_is_seen_by_the_task_that_waits() {
    within(async {
        let shared = Arc::new(Mutex::new(sleep(LONG * 100)));
        let waiting = spawn(Shared(shared.clone()));
        yield_now().await;
        thread::spawn(move || shared.lock().unwrap().reset(Instant::now()))
            .join()
            .unwrap();
        waiting.await.unwrap();
    });
}

#[test]
fn a_reset_between_two_runs_is_seen_by_the_task_that_waits() {
    let event_loop = EventLoop::new().unwrap();
    let shared = Arc::new(Mutex::new(sleep(LONG * 100)));
    let waiting = event_loop.spawn(Shared(shared.clone()));
    event_loop.run_until_complete(yield_now()).unwrap();
    shared.lock().unwrap().reset(Instant::now());
    let limited = petla::timeout(LONG, waiting);
    let ended = event_loop.run_until_complete(limited).unwrap();
    ended.expect("it hangs").unwrap();
}

#[test]
fn a_sleep_dropped_on_another_thread_leaves_its_loop() {
    within(async {
        let bell = Bell::new();
        let mut nap = sleep(MILLI);
        assert!(bell.poll(&mut nap).is_pending());
        let at = nap.deadline();
        thread::spawn(move || drop(nap)).join().unwrap();
        yield_until(|| !bell.is_kept()).await;
        sleep_until(at + SOON).await;
        assert_eq!(bell.rings(), 0);
    });
}

#[test]
fn a_sleep_dropped_between_two_runs_or_after_the_last_leaves_its_loop() {
    let event_loop = EventLoop::new().unwrap();
    let bell = Bell::new();
    let arm = || {
        let mut nap = sleep(LONG);
        event_loop
            .run_until_complete(async { assert!(bell.poll(&mut nap).is_pending()) })
            .unwrap();
        nap
    };
    let (first, second) = (arm(), arm());
    drop(first);
    event_loop.run_until_complete(yield_now()).unwrap();
    assert!(bell.is_kept(), "the second one's");
    event_loop.close().unwrap();
    assert!(!bell.is_kept());
    drop(second);
    assert_eq!(bell.rings(), 0);
}

#[test]
fn a_sleep_moves_between_loops_of_different_threads() {
    within(async {
        let bell = Bell::new();
        let mut nap = sleep(2 * MILLI);
        assert!(bell.poll(&mut nap).is_pending());
        let at = nap.deadline();
        let woke = thread::spawn(move || {
            within(&mut nap);
            (petla::now(), nap)
        });
        let (woke, nap) = woke.join().unwrap();
        assert!(woke >= at);
        drop(nap);
        yield_until(|| !bell.is_kept()).await;
        assert_eq!(bell.rings(), 0, "its old loop has nothing to wake");
    });
}

#[test]
fn ten_thousand_sleeps_are_armed_and_dropped_without_a_trace() {
    testing::run(async {
        let bell = Bell::new();
        for round in 0..10 {
            let mut naps: Vec<Sleep> = (0..1_000)
                .map(|n| sleep(MILLI * (n * 37 % 997 + 5)))
                .collect();
            for nap in &mut naps {
                assert!(bell.poll(nap).is_pending());
            }
            if round % 2 == 1 {
                sleep(SOON).await;
            }
            let mut number = 0;
            naps.retain(|_| {
                number += 1;
                number % 2 == 0
            });
            naps.reverse();
        }
        assert!(!bell.is_kept());
    });
}

#[test]
fn now_is_the_clock_of_sleeps_inside_and_outside_of_a_loop() {
    let outside = petla::now();
    within(async {
        let inside = petla::now();
        assert!(inside >= outside && EventLoop::current().time() >= inside);
        let mut nap = pin!(sleep(MILLI));
        nap.as_mut().await;
        assert!(petla::now() >= inside + MILLI && Instant::now() >= inside + MILLI);
    });
}
