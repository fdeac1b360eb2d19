//! Reports: what nobody else will look at is told once, to the handler, and never too soon.

use std::fmt::{self, Display, Formatter};
use std::future::pending;

use petla::{EventLoop, Task, spawn};

use crate::common::{
    DropGuard, Drops, Log, OnDrop, collect_reports, collect_reports_of, poll_once, raise, within,
};

/// A task that panics in its second step.
fn broken() -> Task<()> {
    spawn(async {
        petla::yield_now().await;
        raise("unseen")
    })
    .named("broken")
}

async fn settle() {
    for _ in 0..5 {
        petla::yield_now().await;
    }
}

#[test]
fn a_panic_is_reported_once_when_the_handle_went_first() {
    within(async {
        let reports = collect_reports();
        drop(broken());
        broken().detach();
        settle().await;
        let told = reports.take();
        assert_eq!(told.len(), 2, "{told:?}");
        for report in told {
            let begins = "a task panicked and nobody awaited it: broken (spawned at ";
            assert!(
                report.starts_with(begins) && report.contains("reports.rs:"),
                "{report}"
            );
            assert!(report.ends_with("): panicked: unseen"), "{report}");
        }
    });
}

#[test]
fn a_panic_is_reported_when_the_handle_goes_and_not_before() {
    within(async {
        let reports = collect_reports();
        let mut task = broken();
        assert!(poll_once(&mut task).is_pending());
        settle().await;
        assert!(task.is_finished());
        assert_eq!(reports.len(), 0, "somebody may still look");
        drop(task);
        assert_eq!(reports.len(), 1);
    });
}

#[test]
fn a_panic_that_was_awaited_is_never_reported() {
    within(async {
        let reports = collect_reports();
        assert!(broken().await.is_err());
        let mut borrowed = broken();
        drop((&mut borrowed).await);
        drop(borrowed);
        let flattened: Task<std::io::Result<()>> = spawn(async { raise("unseen") });
        assert!(flattened.flatten().await.is_err());
        settle().await;
        assert_eq!(reports.take(), [""; 0]);
    });
}

#[test]
fn a_cancelled_task_is_no_news() {
    within(async {
        let reports = collect_reports();
        let task = spawn(pending::<()>());
        task.cancel("quietly");
        drop(task);
        drop(spawn(pending::<()>()).cancel_on_drop());
        settle().await;
        assert_eq!(reports.take(), [""; 0]);
    });
}

#[test]
fn a_handle_that_goes_down_with_the_loop_reports_to_its_handler() {
    let event_loop = EventLoop::new().unwrap();
    let reports = collect_reports_of(&event_loop);
    event_loop
        .run_until_complete(async {
            let task = broken();
            drop(spawn(async move {
                let _kept = task;
                pending::<()>().await
            }));
            settle().await;
        })
        .unwrap();
    assert_eq!(reports.len(), 0);
    event_loop.close().unwrap();
    assert_eq!(reports.len(), 1);
}

#[test]
fn the_handler_is_told_which_task_and_what_error() {
    within(async {
        let seen = Log::new();
        let log = seen.clone();
        EventLoop::current().set_exception_handler(move |report| {
            let error = report.error.map(ToString::to_string);
            log.push((report.message.to_owned(), report.task.cloned(), error));
        });
        let task = broken();
        let it = task.task_ref();
        drop(task);
        settle().await;
        let [(message, task, error)] = &seen.take()[..] else {
            panic!("one report")
        };
        assert_eq!(message, "a task panicked and nobody awaited it");
        assert_eq!(task.as_ref(), Some(&it));
        assert_eq!(error.as_deref(), Some("panicked: unseen"));
        assert!(it.is_finished());
    });
}

#[test]
fn the_report_of_an_unnamed_task_names_its_number() {
    within(async {
        let reports = collect_reports();
        let task: Task<()> = spawn(async { raise("x") });
        let name = task.name();
        drop(task);
        petla::yield_now().await;
        let told = reports.take();
        assert!(
            told[0].contains(&format!(": {name} (spawned at ")),
            "{told:?}"
        );
    });
}

/// An error that cannot be shown.
struct Loaded(#[allow(dead_code, reason = "it is there to be dropped")] DropGuard);

impl Display for Loaded {
    fn fmt(&self, _: &mut Formatter<'_>) -> fmt::Result {
        raise("no words")
    }
}

#[test]
fn an_error_that_panics_when_it_is_shown_costs_neither_the_output_nor_the_handler() {
    within(async {
        let (reports, drops) = (collect_reports(), Drops::default());
        let guard = drops.guard();
        let task = spawn(async move { Err::<(), _>(Loaded(guard)) });
        task.detach();
        settle().await;
        assert_eq!(drops.count(), 1, "the output was dropped");
        drop(reports.take());
        drop(broken());
        settle().await;
        assert_eq!(reports.len(), 1, "the handler is still there");
    });
}

#[test]
fn reports_of_two_loops_do_not_mix() {
    let loops = [EventLoop::new().unwrap(), EventLoop::new().unwrap()];
    let reports = loops.each_ref().map(collect_reports_of);
    loops[1]
        .run_until_complete(async {
            drop(broken());
            settle().await;
        })
        .unwrap();
    assert_eq!(reports.each_ref().map(Log::len), [0, 1]);
}

#[test]
fn closing_a_loop_inside_another_reports_to_the_handler_of_the_one_that_closes() {
    let inner = EventLoop::new().unwrap();
    let told = collect_reports_of(&inner);
    drop(inner.spawn(async {
        let _broken = OnDrop(|| raise("at the close"));
        pending::<()>().await
    }));
    inner.run_until_complete(petla::yield_now()).unwrap();
    within(async {
        let outer = collect_reports();
        inner.close().unwrap();
        assert_eq!((outer.len(), told.len()), (0, 1));
        drop(broken());
        settle().await;
        assert_eq!(
            (outer.len(), told.len()),
            (1, 1),
            "and the outer one has its own again"
        );
    });
}
