//! `VirtualClock` under one loop.

use std::cell::Cell;
use std::future::pending;
use std::rc::Rc;
use std::time::{Duration, Instant};

use petla::testing::{self, VirtualClock, poll_once, wait_all_tasks_blocked};
use petla::{EventLoop, interval, sleep, sleep_until, spawn, timeout, yield_now};

use crate::common::{LONG, Log, loop_on};

const HOUR: Duration = Duration::from_secs(3600);
const SECOND: Duration = Duration::from_secs(1);

/// A sleep that counts from its first poll.
async fn nap() {
    sleep(HOUR).await;
}

#[test]
fn an_hour_passes_at_once_and_to_the_nanosecond() {
    let begin = Instant::now();
    testing::run(async {
        let before = petla::now();
        assert!(timeout(HOUR, pending::<()>()).await.is_err());
        assert_eq!(petla::now() - before, HOUR);
        sleep(Duration::from_nanos(1)).await;
        assert_eq!(petla::now() - before, HOUR + Duration::from_nanos(1));
        assert_eq!(EventLoop::current().time(), petla::now());
    });
    assert!(begin.elapsed() < LONG);
}

#[test]
fn an_automatic_clock_stops_at_each_deadline_in_their_order() {
    testing::run(async {
        let (begin, log) = (petla::now(), Log::new());
        let naps = [5, 1, 4, 1, 3].map(|hours| {
            let log = log.clone();
            spawn(async move {
                sleep(HOUR * hours).await;
                log.push((hours, petla::now()));
            })
        });
        for nap in naps {
            nap.await.unwrap();
        }
        let expected = [1, 1, 3, 4, 5].map(|hours| (hours, begin + HOUR * hours));
        assert_eq!(log.take(), expected);
    });
}

#[test]
fn timers_that_one_turn_passes_fire_in_order_and_see_its_end() {
    let clock = VirtualClock::manual();
    loop_on(&clock)
        .run_until_complete(async {
            let (begin, log) = (petla::now(), Log::new());
            for hours in [3, 1, 2] {
                let log = log.clone();
                EventLoop::current().call_later(HOUR * hours, move || {
                    log.push((hours, petla::now()));
                });
            }
            wait_all_tasks_blocked().await;
            clock.advance(HOUR * 10);
            wait_all_tasks_blocked().await;
            let end = begin + HOUR * 10;
            assert_eq!(log.take(), [(1, end), (2, end), (3, end)]);
        })
        .unwrap();
}

#[test]
fn a_manual_clock_moves_only_when_it_is_turned() {
    let clock = VirtualClock::manual();
    loop_on(&clock)
        .run_until_complete(async {
            let nap = spawn(sleep(SECOND * 10));
            wait_all_tasks_blocked().await;
            let before = petla::now();
            for _ in 0..3 {
                clock.advance(SECOND * 3);
                wait_all_tasks_blocked().await;
                assert!(!nap.is_finished());
            }
            clock.advance(SECOND - Duration::from_nanos(1));
            wait_all_tasks_blocked().await;
            assert!(!nap.is_finished(), "never early");
            clock.advance(Duration::from_nanos(1));
            nap.await.unwrap();
            assert_eq!(petla::now() - before, SECOND * 10);
        })
        .unwrap();
    assert_eq!(clock.elapsed(), SECOND * 10);
}

#[test]
fn an_automatic_clock_can_be_turned_by_hand_as_well() {
    let clock = VirtualClock::auto();
    loop_on(&clock)
        .run_until_complete(async {
            let nap = spawn(sleep(HOUR));
            wait_all_tasks_blocked().await;
            clock.advance(HOUR * 2);
            nap.await.unwrap();
        })
        .unwrap();
    assert_eq!(clock.elapsed(), HOUR * 2);
}

#[test]
fn no_time_passes_while_a_task_is_ready() {
    testing::run(async {
        let before = petla::now();
        let nap = spawn(sleep(Duration::from_nanos(1)));
        for _ in 0..1_000 {
            yield_now().await;
        }
        assert_eq!(petla::now(), before);
        nap.await.unwrap();
        assert!(petla::now() > before);
    });
}

#[test]
fn intervals_and_callbacks_go_by_the_clock() {
    testing::run(async {
        let (begin, calls) = (petla::now(), Rc::new(Cell::new(0)));
        let counted = calls.clone();
        EventLoop::current().call_later(HOUR + SECOND, move || counted.set(1));
        let mut ticks = interval(HOUR);
        for n in 0..3 {
            assert_eq!(ticks.tick().await, begin + HOUR * n);
            assert_eq!(petla::now(), begin + HOUR * n);
        }
        assert_eq!(calls.get(), 1);
    });
}

#[test]
fn the_time_stays_between_two_runs_and_the_clock_may_be_turned_there() {
    let clock = VirtualClock::manual();
    let event_loop = loop_on(&clock);
    let nap = event_loop.spawn(sleep_until(event_loop.time() + HOUR));
    event_loop.run_until_complete(yield_now()).unwrap();
    clock.advance(HOUR);
    event_loop.run_until_complete(nap).unwrap().unwrap();
    event_loop.close().unwrap();
    clock.advance(HOUR);
    assert_eq!(clock.elapsed(), HOUR * 2);
}

#[test]
fn a_clock_that_is_turned_without_end_stops_and_timers_beyond_never_fire() {
    let clock = VirtualClock::manual();
    loop_on(&clock)
        .run_until_complete(async {
            clock.advance(Duration::MAX);
            let (end, now) = (clock.elapsed(), petla::now());
            clock.advance(Duration::MAX);
            assert_eq!((clock.elapsed(), petla::now()), (end, now));
            let mut beyond = sleep(HOUR);
            assert!(poll_once(&mut beyond).is_pending());
            clock.advance(HOUR);
            wait_all_tasks_blocked().await;
            assert!(poll_once(&mut beyond).is_pending());
        })
        .unwrap();
}

#[test]
fn sleeps_of_a_hundred_years_pass_too() {
    testing::run(async { sleep(Duration::MAX).await });
}

#[test]
fn spinning_is_off_where_no_time_passes() {
    let clock = VirtualClock::auto();
    let builder = EventLoop::builder()
        .spin(Duration::MAX)
        .clock(clock.clone());
    let event_loop = builder.build().unwrap();
    event_loop.run_until_complete(nap()).unwrap();
    assert_eq!(clock.elapsed(), HOUR);
}

#[test]
fn a_stop_comes_before_the_next_jump() {
    let clock = VirtualClock::auto();
    let event_loop = loop_on(&clock);
    event_loop.call_soon({
        let handle = event_loop.handle();
        move || handle.stop()
    });
    let result = event_loop.run_until_complete(nap());
    assert!(result.is_err());
    assert_eq!(clock.elapsed(), Duration::ZERO);
}

#[test]
fn outside_of_its_loops_the_clock_is_the_systems() {
    let clock = VirtualClock::manual();
    clock.advance(HOUR * 1000);
    let before = Instant::now();
    assert!(petla::now() - before < HOUR);
    assert!(loop_on(&clock).time() > before + HOUR * 999);
    let shown = format!("{clock:?}");
    assert!(shown.contains("automatic: false"), "{shown}");
}

#[test]
fn a_clock_and_the_builder_that_has_it_go_to_any_thread() {
    fn any_thread<T: Send + Sync>(_: &T) {}
    any_thread(&VirtualClock::auto());
    any_thread(&EventLoop::builder().clock(VirtualClock::auto()));
}

#[test]
fn what_is_in_a_local_socket_comes_before_the_next_jump() {
    testing::run(async {
        let (client, server) = petla::net::UnixStream::pair().unwrap();
        let before = petla::now();
        let reader = spawn(async move {
            let mut buf = [0; 4];
            timeout(HOUR, server.read_exact(&mut buf)).await.unwrap()
        });
        wait_all_tasks_blocked().await;
        client.write_all(b"ping").await.unwrap();
        reader.await.unwrap().unwrap();
        assert_eq!(petla::now(), before);
    });
}
