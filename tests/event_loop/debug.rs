//! Debug mode, and how often a loop turns.

use std::cell::Cell;
use std::rc::Rc;
use std::thread;
use std::time::Duration;

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

#[test]
fn short_sleeps_do_not_spin() {
    // E4, and B60 of asyncio's bugs: twenty turns for five sleeps.
    within(async {
        let turns = Rc::new(Cell::new(0));
        let counted = Rc::clone(&turns);
        // Woken by whatever wakes the sleeping task, it counts the batches.
        let mut sleeping = Box::pin(async {
            for _ in 0..5 {
                sleep(Duration::from_micros(100)).await;
            }
        });
        std::future::poll_fn(|cx| {
            counted.set(counted.get() + 1);
            sleeping.as_mut().poll(cx)
        })
        .await;
        assert_eq!(turns.get(), 6, "one poll a sleep, and the first");
    });
}
