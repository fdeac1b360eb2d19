//! Subscribers that call the loop from each of their callbacks, and subscribers that panic there.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::task::Waker;

use petla::{EventLoop, TaskRef, current_task, gather, spawn, spawn_eager, yield_now};

use crate::children;
use crate::common::{collect_reports_of, raise};
use crate::recorder::{Recorder, about, hook};

/// A program in which every callback of a subscriber is called.
async fn program() {
    let named = spawn_eager(yield_now()).named("eager");
    let failing = spawn(async { Err::<(), _>("unseen") });
    failing.detach();
    children(3).await;
    let victim = spawn(std::future::pending::<()>()).named("victim");
    yield_now().await;
    victim.cancel("enough");
    victim.await.unwrap_err();
    named.await.unwrap();
    gather([yield_now(), yield_now()]).await;
}

/// The beginnings of the lines of all callbacks.
const CALLBACKS: [&str; 8] = [
    "new ",
    "enter ",
    "exit ",
    "close ",
    "record ",
    "waker.clone ",
    "waker.wake_by_ref ",
    "ERROR petla",
];

#[test]
fn a_subscriber_may_spawn_and_wake_and_cancel_in_each_callback() {
    for callback in CALLBACKS {
        let (calls, ended) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(0)));
        let waker: Rc<RefCell<Option<Waker>>> = Rc::default();
        let (called, ends, kept) = (calls.clone(), ended.clone(), waker.clone());
        let seen: RefCell<Vec<TaskRef>> = RefCell::default();
        hook(move |line| {
            // What it starts is told too: it must come to an end.
            if !line.starts_with(callback) || called.get() == 20 {
                return;
            }
            called.set(called.get() + 1);
            let ends = ends.clone();
            let spawned = EventLoop::try_current()
                .map(|event_loop| event_loop.spawn(async move { ends.set(ends.get() + 1) }));
            let earlier = seen.take();
            earlier.iter().for_each(|task| task.set_name("seen"));
            earlier.iter().for_each(|task| {
                task.cancel("by the subscriber");
            });
            seen.borrow_mut()
                .extend(spawned.as_ref().map(|task| task.task_ref()));
            drop(spawned);
            if let Some(waker) = kept.take() {
                waker.wake_by_ref();
                kept.replace(Some(waker));
            }
            drop(current_task());
        });
        let main = async {
            waker.replace(Some(
                std::future::poll_fn(|cx| cx.waker().clone().into()).await,
            ));
            program().await;
        };
        let event_loop = EventLoop::new().unwrap();
        let _reports = collect_reports_of(&event_loop);
        let (lines, ()) = Recorder::on(&event_loop, main);
        assert!(calls.get() > 0, "{callback}: {lines:#?}");
    }
}

#[test]
fn a_subscriber_that_panics_is_reported_and_costs_no_task() {
    for callback in CALLBACKS {
        let event_loop = EventLoop::new().unwrap();
        let reports = collect_reports_of(&event_loop);
        hook(move |line| {
            if line.starts_with(callback) {
                raise("in the subscriber")
            }
        });
        let recorder = Recorder::default();
        tracing::subscriber::with_default(recorder.clone(), || {
            let main = async {
                program().await;
                spawn(async { 5 }).await.unwrap()
            };
            assert_eq!(
                event_loop.run_until_complete(main).unwrap(),
                5,
                "{callback}"
            );
            event_loop.close().unwrap();
        });
        hook(|_| ());
        let told = reports.take();
        let panics = told
            .iter()
            .filter(|it| **it == "a tracing subscriber panicked");
        assert!(panics.count() > 0, "{callback}: {told:#?}");
        let unseen = told.iter().filter(|it| it.contains("unseen"));
        assert_eq!(unseen.count(), 1, "{callback}: {told:#?}");
    }
}

#[test]
fn a_panic_of_a_task_and_one_of_its_subscriber_do_not_meet() {
    hook(|line| {
        if line.starts_with("exit broken") || line.starts_with("close broken") {
            raise("in the subscriber")
        }
    });
    let event_loop = EventLoop::new().unwrap();
    let reports = collect_reports_of(&event_loop);
    let (lines, ()) = Recorder::on(&event_loop, async {
        let task = spawn(async { raise("in the task") }).named("broken");
        let panic = task.await.unwrap_err();
        assert!(panic.to_string().contains("in the task"), "{panic}");
    });
    assert_eq!(about(&lines, "broken").last(), Some(&"close broken"));
    assert_eq!(reports.len(), 3, "of two exits and the end");
}
