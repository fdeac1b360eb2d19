//! `call_soon`, `call_later`, `call_at`: order, cancelling, panics.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use petla::event_loop::CallHandle;
use petla::{EventLoop, current_task, sleep, spawn, testing};

use crate::common::{
    Drops, LONG, Log, bump, collect_reports, leaves_no_timer, raise, within, yield_until,
};

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn callbacks_are_called_once_in_the_order_of_the_calls() {
    within(async {
        let (event_loop, log) = (EventLoop::current(), Log::new());
        for n in 0..100 {
            let log = log.clone();
            event_loop.call_soon(move || log.push(n));
        }
        assert_eq!(log.len(), 0, "not at once");
        petla::yield_now().await;
        assert_eq!(log.take(), (0..100).collect::<Vec<_>>());
        petla::yield_now().await;
        assert_eq!(log.len(), 0);
    });
}

#[test]
fn callbacks_and_tasks_share_one_line() {
    within(async {
        let (event_loop, log) = (EventLoop::current(), Log::new());
        for n in 0..10 {
            let note = log.clone();
            event_loop.call_soon(move || note.push(2 * n));
            let note = log.clone();
            drop(spawn(async move { note.push(2 * n + 1) }));
        }
        petla::yield_now().await;
        assert_eq!(log.take(), (0..20).collect::<Vec<_>>());
    });
}

#[test]
fn a_callback_is_no_task_and_may_spawn_some() {
    within(async {
        let log = Log::new();
        let notes = log.clone();
        EventLoop::current().call_soon(move || {
            notes.push(current_task().is_none());
            let inner = notes.clone();
            drop(spawn(async move { inner.push(current_task().is_some()) }));
            notes.push(current_task().is_none());
        });
        yield_until(|| log.len() == 3).await;
        assert_eq!(log.take(), [true; 3]);
    });
}

#[test]
fn timed_callbacks_come_in_the_order_of_their_deadlines_and_ties_in_that_of_their_calls() {
    testing::run(async {
        let (event_loop, log) = (EventLoop::current(), Log::new());
        let begin = event_loop.time();
        for (n, secs) in [3, 1, 2, 1, 3, 2, 1].into_iter().enumerate() {
            let log = log.clone();
            event_loop.call_at(begin + SECOND * secs, move || {
                log.push((n, petla::now()));
            });
        }
        sleep(SECOND * 4).await;
        let expected = [(1, 1), (3, 1), (6, 1), (2, 2), (5, 2), (0, 3), (4, 3)]
            .map(|(n, secs)| (n, begin + SECOND * secs));
        assert_eq!(log.take(), expected);
    });
}

#[test]
fn a_deadline_that_is_past_is_as_soon_as_can_be() {
    within(async {
        let (event_loop, log) = (EventLoop::current(), Log::new());
        let past = event_loop
            .time()
            .checked_sub(Duration::from_secs(1))
            .unwrap();
        let notes = [(); 3].map(|()| log.clone());
        let [late, zero, at] = notes;
        event_loop.call_at(past, move || late.push("past"));
        event_loop.call_later(Duration::ZERO, move || zero.push("zero"));
        event_loop.call_at(event_loop.time(), move || at.push("now"));
        yield_until(|| log.len() == 3).await;
        assert_eq!(log.take(), ["past", "zero", "now"]);
    });
}

#[test]
fn a_delay_without_end_is_allowed_and_never_comes() {
    testing::run(async {
        let event_loop = EventLoop::current();
        let never = event_loop.call_later(Duration::MAX, || unreachable!());
        sleep(SECOND).await;
        assert!(never.cancel());
    });
}

#[test]
fn callbacks_set_before_a_run_are_called_in_it() {
    let event_loop = EventLoop::new().unwrap();
    let log = Log::new();
    let (soon, later, stop) = (log.clone(), log.clone(), event_loop.clone());
    event_loop.call_later(Duration::from_micros(100), move || {
        later.push("later");
        stop.stop();
    });
    event_loop.call_soon(move || soon.push("soon"));
    event_loop.run_forever().unwrap();
    assert_eq!(log.take(), ["soon", "later"]);
}

/// Three ways to ask for a call.
fn each_way(event_loop: &EventLoop, make: impl Fn() -> Box<dyn FnOnce()>) -> [CallHandle; 3] {
    let soon = event_loop.time() + Duration::from_micros(200);
    [
        event_loop.call_soon(make()),
        event_loop.call_later(Duration::from_micros(100), make()),
        event_loop.call_at(soon, make()),
    ]
}

#[test]
fn a_cancelled_callback_is_dropped_uncalled() {
    testing::run(async {
        let (event_loop, drops) = (EventLoop::current(), Drops::default());
        let make = || -> Box<dyn FnOnce()> {
            let guard = drops.guard();
            Box::new(move || unreachable!("{}", size_of_val(&guard)))
        };
        let reports = collect_reports();
        let calls = each_way(&event_loop, make);
        assert!(calls.iter().all(CallHandle::cancel));
        assert!(calls.iter().all(CallHandle::cancel), "still not made");
        petla::yield_now().await;
        assert_eq!(drops.count(), 3, "at once, not at their deadlines");
        assert!(!calls.iter().any(CallHandle::cancel), "they are over");
        sleep(SECOND).await;
        assert_eq!(reports.take(), [""; 0]);
    });
}

#[test]
fn a_callback_that_was_called_cannot_be_cancelled_and_was_dropped() {
    within(async {
        let (event_loop, drops) = (EventLoop::current(), Drops::default());
        let calls = each_way(&event_loop, || {
            let guard = drops.guard();
            Box::new(move || drop(guard))
        });
        yield_until(|| drops.count() == 3).await;
        assert!(!calls.iter().any(CallHandle::cancel));
        assert!(format!("{:?}", calls[0]).contains("over: true"));
    });
}

#[test]
fn dropping_the_handle_does_not_cancel_the_call() {
    within(async {
        let (event_loop, count) = (EventLoop::current(), Rc::default());
        drop(each_way(&event_loop, || {
            let count = Rc::clone(&count);
            Box::new(move || bump(&count))
        }));
        yield_until(|| count.get() == 3).await;
    });
}

#[test]
fn a_callback_can_cancel_one_that_is_in_the_same_batch() {
    within(async {
        let event_loop = EventLoop::current();
        let victim = Rc::new(Cell::new(None::<CallHandle>));
        let place = Rc::clone(&victim);
        let log = Log::new();
        let note = log.clone();
        event_loop.call_soon(move || note.push(place.take().unwrap().cancel()));
        let never = log.clone();
        victim.set(Some(event_loop.call_soon(move || never.push(false))));
        petla::yield_now().await;
        petla::yield_now().await;
        assert_eq!(log.take(), [true]);
    });
}

#[test]
fn a_callback_that_cancels_itself_is_told_that_it_was_made() {
    within(async {
        let event_loop = EventLoop::current();
        let own = Rc::new(Cell::new(None::<CallHandle>));
        let (place, log) = (Rc::clone(&own), Log::new());
        let note = log.clone();
        own.set(Some(
            event_loop.call_soon(move || note.push(place.take().unwrap().cancel())),
        ));
        yield_until(|| log.len() == 1).await;
        assert_eq!(log.take(), [false], "it cannot be prevented any more");
    });
}

#[test]
fn a_callback_that_panics_is_reported_and_the_next_is_called() {
    within(async {
        let (event_loop, reports, log) = (EventLoop::current(), collect_reports(), Log::new());
        let calls = each_way(&event_loop, || Box::new(|| raise("in a callback")));
        let note = log.clone();
        event_loop.call_soon(move || note.push("next"));
        petla::yield_now().await;
        assert_eq!(log.take(), ["next"]);
        yield_until(|| reports.len() == 3).await;
        drop(calls);
        assert_eq!(
            reports.take(),
            ["a callback panicked: panicked: in a callback"; 3]
        );
    });
}

#[test]
fn a_cancelled_callback_whose_destructor_panics_is_reported() {
    within(async {
        let (event_loop, reports) = (EventLoop::current(), collect_reports());
        let broken = crate::common::OnDrop(|| raise("in a capture"));
        let call = event_loop.call_soon(move || drop(broken));
        call.cancel();
        petla::yield_now().await;
        drop(call);
        let told = reports.take();
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(told[0].ends_with("panicked: in a capture"), "{told:?}");
    });
}

#[test]
fn a_hundred_thousand_cancelled_timers_leave_nothing_behind() {
    leaves_no_timer(async {
        let (event_loop, drops) = (EventLoop::current(), Drops::default());
        for _ in 0..20 {
            for _ in 0..5_000 {
                let guard = drops.guard();
                event_loop.call_later(LONG, move || drop(guard)).cancel();
            }
            petla::yield_now().await;
            assert_eq!(format!("{event_loop:?}"), one_task());
        }
        assert_eq!(drops.count(), 100_000);
    });

    fn one_task() -> &'static str {
        "EventLoop { running: true, closed: false, tasks: 1 }"
    }
}
