//! Debug mode, and how often a loop turns.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::thread;
use std::time::{Duration, Instant};

use petla::{EventLoop, TaskGroup, sleep, spawn, yield_now};

use crate::common::{collect_reports_of, within};

const LONG: Duration = Duration::from_millis(3);

/// A loop in debug mode that takes [`LONG`] for too long.
fn watched() -> EventLoop {
    let event_loop = EventLoop::builder().debug(true).build().unwrap();
    event_loop.set_slow_callback_duration(LONG);
    event_loop
}

/// Holds up the loop: that is what these tests are about.
fn hold_up() {
    thread::sleep(2 * LONG);
}

#[test]
fn a_poll_that_takes_long_is_told_with_its_task_in_debug_mode_alone() {
    let event_loop = watched();
    let reports = collect_reports_of(&event_loop);
    let busy = async || spawn(async { hold_up() }).named("busy").await.unwrap();
    event_loop.run_until_complete(busy()).unwrap();
    let told = reports.only();
    assert!(told.starts_with("a task held up the loop for "), "{told}");
    assert!(
        told.contains("busy (spawned at tests/event_loop/debug.rs"),
        "{told}"
    );
    event_loop.set_debug(false);
    event_loop.run_until_complete(busy()).unwrap();
    assert!(reports.take().is_empty());
}

#[test]
fn a_callback_that_takes_long_is_told_and_so_is_the_task_of_a_group() {
    let event_loop = watched();
    let reports = collect_reports_of(&event_loop);
    event_loop
        .run_until_complete(async {
            EventLoop::current().call_soon(hold_up);
            yield_now().await;
        })
        .unwrap();
    let told = reports.take();
    assert!(
        told[0].starts_with("a callback held up the loop for "),
        "{told:?}"
    );
    event_loop
        .run_until_complete(async {
            let group = TaskGroup::<()>::run(async |g| drop(g.spawn(async { hold_up() })));
            group.await.unwrap();
        })
        .unwrap();
    assert_eq!(reports.take().len(), 1, "the task that polls the children");
}

#[test]
fn a_task_that_ends_in_a_slow_poll_is_told_after_its_end() {
    let event_loop = watched();
    let reports = collect_reports_of(&event_loop);
    drop(event_loop.spawn(async { hold_up() }));
    event_loop.run_until_complete(yield_now()).unwrap();
    assert_eq!(reports.take().len(), 1);
}

/// How long this thread has worked.
fn time_of_thread() -> Duration {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: `time` is valid for the call.
    let result = unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) };
    assert_eq!(result, 0);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

#[test]
fn short_sleeps_do_not_spin() {
    // E4, and B60 of asyncio's bugs: a wait that is rounded down turns until the time has come.
    const SLEEPS: u32 = 20;
    within(async {
        let mut sleeping = pin!(async {
            for _ in 0..SLEEPS {
                sleep(Duration::from_micros(700)).await;
            }
        });
        let (mut polls, worked, begin) = (0, time_of_thread(), Instant::now());
        poll_fn(|cx| {
            polls += 1;
            sleeping.as_mut().poll(cx)
        })
        .await;
        assert_eq!(polls, SLEEPS + 1, "one poll a sleep, and the first");
        let (worked, passed) = (time_of_thread() - worked, begin.elapsed());
        assert!(worked < passed / 3, "{worked:?} of {passed:?}");
    });
}
