//! A task has one span, from its first poll to its end: around polls and its future's destructor.

use std::future::pending;

use petla::{EventLoop, spawn, spawn_eager, to_thread, yield_now};
use tracing::Instrument;

use crate::children;
use crate::common::OnDrop;
use crate::recorder::{Recorder, about};

#[test]
fn a_span_has_kind_name_number_and_place_and_no_parent() {
    let (lines, at) = Recorder::of(async {
        let at = line!() + 1;
        let task = spawn(async {}).named("reader");
        task.await.unwrap();
        at
    });
    let of_reader = about(&lines, "reader");
    let made = of_reader[0];
    let begins = "new reader: TRACE petla::task runtime.spawn root kind=task task.name=reader \
                  task.id=2 loc.file=";
    assert!(made.starts_with(begins), "{made}");
    assert!(made.contains("tests/tracing/spans.rs loc.line="), "{made}");
    assert!(
        made.contains(&format!("loc.line={at} loc.col=20")),
        "{made}"
    );
}

#[test]
fn every_poll_is_inside_and_the_end_closes_it() {
    let (lines, ()) = Recorder::of(async {
        let work = async {
            tracing::info!("first");
            yield_now().await;
            tracing::info!("second");
        };
        spawn(work).named("worker").await.unwrap();
    });
    let lines = about(&lines, "worker");
    let mut lines = lines.into_iter().filter(|line| !line.contains("waker."));
    lines.next(); // "new", seen above
    let rest: Vec<&str> = lines.collect();
    let expected = [
        "enter worker",
        "INFO tracing::spans in worker: message=first",
        "exit worker",
        "enter worker",
        "INFO tracing::spans in worker: message=second",
        "exit worker",
        "close worker",
    ];
    assert_eq!(rest, expected);
}

#[test]
fn the_main_task_remote_tasks_and_children_of_groups_have_spans_and_a_callback_has_none() {
    let event_loop = EventLoop::new().unwrap();
    let remote = event_loop.handle();
    let main = async {
        remote.spawn(|| async {}).await.unwrap();
        children(1).await;
        EventLoop::current().call_soon(|| ());
        yield_now().await;
        yield_now().await;
    };
    let (lines, ()) = Recorder::on(&event_loop, main);
    let made: Vec<&str> = lines
        .iter()
        .filter_map(|line| line.strip_prefix("new "))
        .collect();
    assert_eq!(made.len(), 3, "{made:#?}");
    assert!(made[0].starts_with("task-1: TRACE"), "{made:#?}");
    assert_eq!(about(&lines, "close").len(), 3);
    assert!(about(&lines, "child").contains(&"enter child"));
}

#[test]
fn a_name_that_comes_late_is_recorded() {
    let (lines, ()) = Recorder::of(async {
        let task = spawn_eager(yield_now()).named("late");
        task.task_ref().set_name("later");
        task.await.unwrap();
        let gone = spawn(async {}).task_ref();
        yield_now().await;
        gone.set_name("too late");
    });
    let recorded: Vec<_> = lines
        .iter()
        .filter(|line| line.starts_with("record"))
        .collect();
    assert_eq!(
        recorded,
        [
            "record task-2: task.name=late",
            "record task-2: task.name=later"
        ]
    );
}

#[test]
fn spans_inside_of_a_task_are_not_current_in_another() {
    let (lines, ()) = Recorder::of(async {
        let work = |name: &'static str| {
            let inner = async move {
                for _ in 0..3 {
                    tracing::info!("of {name}");
                    yield_now().await;
                }
            };
            spawn(inner.instrument(tracing::info_span!("inner", task.name = name)))
        };
        let (a, b) = (work("left"), work("right"));
        tracing::info!("of main");
        a.await.unwrap();
        b.await.unwrap();
    });
    for (name, times) in [("left", 3), ("right", 3)] {
        let event = format!("INFO tracing::spans in {name}: message=of {name}");
        let events = lines.iter().filter(|line| **line == event);
        assert_eq!(events.count(), times, "{lines:#?}");
    }
    assert!(lines.contains(&"INFO tracing::spans in task-1: message=of main".to_owned()));
}

#[test]
fn a_panic_leaves_the_span_and_what_is_dropped_then_is_inside() {
    let (lines, ()) = Recorder::of(async {
        let task = spawn(async {
            let _guard = OnDrop(|| tracing::info!("dropped"));
            yield_now().await;
            crate::common::raise("on purpose")
        });
        assert!(task.named("broken").await.unwrap_err().is_panic());
    });
    let lines = about(&lines, "broken");
    assert!(lines.contains(&"INFO tracing::spans in broken: message=dropped"));
    assert_eq!(lines.last(), Some(&"close broken"));
}

#[test]
fn a_cancelled_future_is_dropped_inside_also_before_its_first_poll() {
    for polls in 0..2 {
        let (lines, ()) = Recorder::of(async {
            let guard = OnDrop(|| tracing::info!("dropped"));
            let task = spawn(async {
                let _guard = guard;
                pending::<()>().await;
            });
            let task = task.named("victim");
            for _ in 0..polls {
                yield_now().await;
            }
            task.cancel("enough");
            task.await.unwrap_err();
        });
        let lines = about(&lines, "victim");
        let times = lines
            .iter()
            .filter(|line| line.starts_with("enter"))
            .count();
        assert_eq!(times, polls + 1);
        let ends = [
            "enter victim",
            "INFO tracing::spans in victim: message=dropped",
            "exit victim",
            "close victim",
        ];
        assert!(lines.ends_with(&ends), "{lines:#?}");
    }
}

#[test]
fn the_end_of_the_loop_closes_all_spans() {
    let (lines, ()) = Recorder::of(async {
        for _ in 0..10 {
            spawn(pending::<()>()).detach();
        }
        yield_now().await;
        let stillborn = OnDrop(|| drop(spawn(async {})));
        spawn(async {
            let _stillborn = stillborn;
            pending::<()>().await;
        })
        .detach();
    });
    // The recorder has looked that none is left.
    assert_eq!(about(&lines, "new").len(), 13);
    assert_eq!(about(&lines, "close").len(), 13);
}

#[test]
fn work_on_a_thread_runs_inside_a_span() {
    let (lines, ()) = Recorder::of(async { to_thread(|| ()).await.unwrap() });
    let blocking = about(&lines, "blocking-x");
    assert!(blocking[0].contains("petla::thread runtime.spawn root kind=blocking loc.file="));
    assert_eq!(
        blocking[1..],
        ["enter blocking-x", "exit blocking-x", "close blocking-x"]
    );
}

#[test]
fn a_task_that_began_without_a_subscriber_has_no_span() {
    let event_loop = EventLoop::new().unwrap();
    let before = event_loop.run_until_complete(async {
        spawn(pending::<()>()).detach();
        yield_now().await;
    });
    before.unwrap();
    let (lines, ()) = Recorder::on(&event_loop, async {});
    assert_eq!(about(&lines, "new").len(), 1, "the main task's: {lines:#?}");
}
