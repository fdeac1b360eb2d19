//! The exception handler: broken, replaced, recursive, and gone.

use std::cell::{Cell, RefCell};
use std::panic::resume_unwind;
use std::rc::Rc;

use petla::{EventLoop, Task, spawn};

use crate::common::{Drops, Log, OnDrop, alone, collect_reports, raise, text, within, yield_until};

/// Makes the loop report `message` in the next batch.
fn report(message: &'static str) {
    EventLoop::current().call_soon(move || raise(message));
}

#[test]
fn without_a_handler_reports_go_to_stderr_a_line_each() {
    let Some(output) = alone(|| {
        within(async {
            report("the first");
            report("the second");
            petla::yield_now().await;
        });
    }) else {
        return;
    };
    assert!(output.status.success());
    let told = text(&output.stderr);
    let lines: Vec<&str> = told
        .lines()
        .filter(|line| line.starts_with("petla: "))
        .collect();
    let expected = ["the first", "the second"]
        .map(|message| format!("petla: a callback panicked: panicked: {message}"));
    assert_eq!(lines, expected);
}

#[test]
fn a_handler_that_panics_is_bypassed_and_asked_again_next_time() {
    within(async {
        let calls = Log::new();
        let notes = calls.clone();
        EventLoop::current().set_exception_handler(move |report| {
            notes.push(report.to_string());
            raise("the handler itself")
        });
        for _ in 0..2 {
            report("x");
            petla::yield_now().await;
        }
        assert_eq!(calls.take(), ["a callback panicked: panicked: x"; 2]);
    });
}

#[test]
fn a_handler_whose_panic_has_a_payload_that_panics_is_survived() {
    within(async {
        let calls = Log::new();
        let notes = calls.clone();
        EventLoop::current().set_exception_handler(move |report| {
            notes.push(report.to_string());
            resume_unwind(Box::new(OnDrop(|| resume_unwind(Box::new(())))))
        });
        for message in ["one", "two"] {
            report(message);
            petla::yield_now().await;
        }
        assert_eq!(calls.len(), 2);
    });
}

#[test]
fn a_new_handler_takes_the_place_of_the_old_one_which_is_dropped() {
    within(async {
        let (event_loop, drops) = (EventLoop::current(), Drops::default());
        let guard = drops.guard();
        event_loop.set_exception_handler(move |_| unreachable!("{}", size_of_val(&guard)));
        let reports = collect_reports();
        assert_eq!(drops.count(), 1);
        report("x");
        yield_until(|| reports.len() == 1).await;
    });
}

#[test]
fn a_handler_may_install_another_one() {
    within(async {
        let (event_loop, log) = (EventLoop::current(), Log::new());
        let drops = Drops::default();
        let (first, guard) = (log.clone(), drops.guard());
        event_loop.set_exception_handler(move |report| {
            let second = first.clone();
            first.push(format!("first: {report}"));
            let _kept = &guard;
            EventLoop::current()
                .set_exception_handler(move |report| second.push(format!("second: {report}")));
        });
        for message in ["a", "b", "c"] {
            report(message);
            petla::yield_now().await;
        }
        let expected = [("first", "a"), ("second", "b"), ("second", "c")]
            .map(|(who, what)| format!("{who}: a callback panicked: panicked: {what}"));
        assert_eq!((log.take(), drops.count()), (expected.to_vec(), 1));
    });
}

#[test]
fn a_handler_that_is_replaced_from_inside_may_report_when_it_is_dropped() {
    within(async {
        let (event_loop, log) = (EventLoop::current(), Log::new());
        // A finished task that panicked: dropping its handle is a report.
        let unseen: Task<()> = spawn(async { raise("unseen") });
        petla::yield_now().await;
        let notes = log.clone();
        event_loop.set_exception_handler(move |_| {
            let (_kept, notes) = (&unseen, notes.clone());
            EventLoop::current().set_exception_handler(move |report| {
                notes.push(report.to_string());
            });
        });
        report("replace it");
        petla::yield_now().await;
        petla::yield_now().await;
        assert!(log.len() <= 1, "to the new handler or to stderr");
        report("afterwards");
        petla::yield_now().await;
        let told = log.take();
        assert_eq!(
            told.last().unwrap(),
            "a callback panicked: panicked: afterwards"
        );
    });
}

#[test]
fn what_a_handler_causes_to_be_reported_does_not_call_it_again() {
    within(async {
        let (event_loop, log) = (EventLoop::current(), Log::new());
        let unseen: Task<()> = spawn(async { raise("unseen") });
        petla::yield_now().await;
        let (notes, unseen) = (log.clone(), Cell::new(Some(unseen)));
        let depth = Rc::new(RefCell::new(()));
        event_loop.set_exception_handler(move |report| {
            let _not_twice = depth.borrow_mut();
            notes.push(report.to_string());
            drop(unseen.take());
        });
        report("x");
        petla::yield_now().await;
        assert_eq!(log.take(), ["a callback panicked: panicked: x"]);
    });
}

#[test]
fn a_handler_may_use_the_loop() {
    within(async {
        let log = Log::new();
        let notes = log.clone();
        EventLoop::current().set_exception_handler(move |_| {
            let notes = notes.clone();
            drop(spawn(async move { notes.push("spawned by the handler") }));
        });
        report("x");
        yield_until(|| log.len() == 1).await;
    });
}

#[test]
fn a_handler_is_dropped_with_its_loop() {
    let drops = Drops::default();
    let event_loop = EventLoop::new().unwrap();
    let (guard, own) = (drops.guard(), event_loop.clone());
    event_loop.set_exception_handler(move |_| _ = (&guard, &own));
    event_loop.close().unwrap();
    assert_eq!(drops.count(), 1);
    let guard = drops.guard();
    event_loop.set_exception_handler(move |_| unreachable!("{}", size_of_val(&guard)));
    drop(event_loop);
    assert_eq!(drops.count(), 2);
}
