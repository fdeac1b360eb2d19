//! Wakes are events that name the task's span, whoever wakes and from where.

use std::future::{pending, poll_fn};
use std::task::{Poll, Waker};

use petla::{gather, spawn, yield_now};

use crate::children;
use crate::common::poll_once;
use crate::recorder::{Recorder, about};

/// Leaves its waker where `lend` says and ends with the second poll.
async fn lend(mut lend: impl FnMut(&Waker)) {
    let mut polled = false;
    poll_fn(|cx| {
        if std::mem::replace(&mut polled, true) {
            return Poll::Ready(());
        }
        lend(cx.waker());
        Poll::Pending
    })
    .await;
}

fn events<'a>(lines: &'a [String], name: &str) -> Vec<&'a str> {
    let lines = about(lines, name).into_iter();
    lines.filter(|line| line.starts_with("waker.")).collect()
}

#[test]
fn a_wake_names_the_task_and_is_told_where_it_is_made() {
    let (lines, ()) = Recorder::of(async {
        let sleeper = lend(|waker| {
            let waker = waker.clone();
            spawn(async move { waker.wake() }).named("alarm").detach();
        });
        spawn(sleeper).named("sleeper").await.unwrap();
        spawn(yield_now()).named("restless").await.unwrap();
    });
    assert_eq!(
        events(&lines, "sleeper"),
        [
            "waker.clone sleeper in nothing",
            "waker.wake_by_ref sleeper in alarm",
            "waker.wake_by_ref task-1 in nothing",
        ][..2]
    );
    assert!(events(&lines, "restless").contains(&"waker.wake_by_ref restless in restless"));
}

#[test]
fn a_wake_from_another_thread_is_told_when_the_loop_hears_of_it() {
    let (lines, ()) = Recorder::of(async {
        let sleeper = lend(|waker| {
            let waker = waker.clone();
            std::thread::spawn(move || waker.wake()).join().unwrap();
        });
        spawn(sleeper).named("sleeper").await.unwrap();
    });
    assert_eq!(
        events(&lines, "sleeper"),
        [
            "waker.clone sleeper in nothing",
            "waker.wake_by_ref sleeper in nothing"
        ]
    );
}

#[test]
fn a_wake_of_a_gathers_child_is_the_tasks_and_one_of_a_groups_child_is_both() {
    let (lines, ()) = Recorder::of(async {
        let gathered = async {
            gather([yield_now()]).await;
        };
        spawn(gathered).named("gatherer").await.unwrap();
        spawn(children(1)).named("outer").await.unwrap();
    });
    let wake_of = |task: &str, inside: &str| {
        let wake = format!("waker.wake_by_ref {task} in {inside}");
        lines.contains(&wake)
    };
    assert!(wake_of("gatherer", "gatherer"), "{lines:#?}");
    assert!(
        wake_of("child", "child") && wake_of("outer", "child"),
        "{lines:#?}"
    );
}

#[test]
fn a_cancel_is_a_wake_and_a_wake_of_an_ended_task_is_none() {
    let (lines, ()) = Recorder::of(async {
        let task = spawn(pending::<()>()).named("victim");
        yield_now().await;
        task.cancel("enough");
        task.await.unwrap_err();
        let (sender, receiver) = std::sync::mpsc::channel();
        let mut ended = spawn(lend(move |waker| {
            sender.send(waker.clone()).unwrap();
            waker.wake_by_ref();
        }))
        .named("ended");
        assert!(poll_once(&mut ended).is_pending());
        ended.await.unwrap();
        receiver.recv().unwrap().wake();
    });
    let [clone, wake] = events(&lines, "victim")[..] else {
        panic!("{lines:#?}");
    };
    assert_eq!(clone, "waker.clone victim in nothing");
    assert_eq!(wake, "waker.wake_by_ref victim in task-1");
    assert_eq!(events(&lines, "ended").len(), 2, "{lines:#?}");
}
