//! What dropping a handle does, row by row of the table at `Task`; and handles that stay.

use std::cell::RefCell;
use std::future::pending;
use std::io;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use petla::local::Queue;
use petla::{EventLoop, Task, spawn, timeout};

use crate::common::{DropGuard, Drops, Log, collect_reports, poll_once, raise, within};

/// How many batches `work` takes.
const BATCHES: u32 = 10;

/// A task that takes a few batches, notes its end in `log`, and returns what counts its drop.
fn work(log: &Log<&'static str>, drops: &Drops) -> Task<DropGuard> {
    let (log, output) = (log.clone(), drops.guard());
    spawn(async move {
        for _ in 0..BATCHES {
            petla::yield_now().await;
        }
        log.push("done");
        output
    })
}

/// More batches than `work` takes.
async fn let_it_work() {
    for _ in 0..3 * BATCHES {
        petla::yield_now().await;
    }
}

#[test]
fn never_awaited_and_dropped_it_runs_on() {
    within(async {
        let (log, drops) = (Log::new(), Drops::default());
        drop(work(&log, &drops));
        let_it_work().await;
        assert_eq!((log.take(), drops.count()), (vec!["done"], 1));
    });
}

#[test]
fn awaited_and_dropped_before_the_end_it_is_cancelled() {
    within(async {
        let (log, drops) = (Log::new(), Drops::default());
        let mut task = work(&log, &drops);
        assert!(poll_once(&mut task).is_pending());
        drop(task);
        let_it_work().await;
        assert_eq!(
            (log.take(), drops.count()),
            (vec![], 1),
            "the future held the output"
        );
    });
}

#[test]
fn awaited_by_a_task_that_is_cancelled_it_is_cancelled_too() {
    within(async {
        let (log, drops) = (Log::new(), Drops::default());
        let inner = work(&log, &drops);
        let outer = spawn(async move { spawn(async move { inner.await.is_ok() }).await.is_ok() });
        petla::yield_now().await;
        petla::yield_now().await;
        outer.cancel(());
        let_it_work().await;
        assert_eq!((log.take(), drops.count()), (vec![], 1));
    });
}

#[test]
fn a_timeout_around_a_task_cancels_it() {
    petla::testing::run(async {
        let (log, drops) = (Log::new(), Drops::default());
        let task = spawn(drops.forever());
        let reference = task.task_ref();
        assert!(timeout(Duration::from_millis(1), task).await.is_err());
        petla::yield_now().await;
        assert!(reference.is_finished() && drops.count() == 1);
        let quick = work(&log, &drops);
        assert!(
            timeout(Duration::from_secs(5), quick)
                .await
                .unwrap()
                .is_ok()
        );
        assert_eq!((log.take(), drops.count()), (vec!["done"], 2));
    });
}

#[test]
fn a_timeout_around_a_borrowed_handle_leaves_the_task_to_its_owner() {
    within(async {
        let (log, drops) = (Log::new(), Drops::default());
        let gate = Rc::new(Queue::unbounded());
        let mut task = spawn({
            let (gate, log, output) = (Rc::clone(&gate), log.clone(), drops.guard());
            async move {
                gate.get().await.unwrap();
                log.push("done");
                output
            }
        });
        assert!(timeout(Duration::ZERO, &mut task).await.is_err());
        gate.put_nowait(()).unwrap();
        drop(task.await.unwrap());
        assert_eq!((log.take(), drops.count()), (vec!["done"], 1));
    });
}

#[test]
fn after_cancel_on_drop_it_is_cancelled_awaited_or_not() {
    within(async {
        let (log, drops) = (Log::new(), Drops::default());
        drop(work(&log, &drops).cancel_on_drop());
        let started = work(&log, &drops).cancel_on_drop();
        petla::yield_now().await;
        drop(started);
        let_it_work().await;
        assert_eq!((log.take(), drops.count()), (vec![], 2));
        let kept = work(&log, &drops).cancel_on_drop();
        assert!(kept.await.is_ok());
        assert_eq!(log.take(), ["done"]);
    });
}

#[test]
fn detached_it_runs_on_whatever_happened_before() {
    within(async {
        let ended = Log::new();
        let unit = |name| {
            let ended = ended.clone();
            spawn(async move {
                let_it_work().await;
                ended.push(name);
            })
        };
        unit("plain").detach();
        let mut awaited = unit("awaited");
        assert!(poll_once(&mut awaited).is_pending());
        awaited.detach();
        unit("cancel on drop").cancel_on_drop().detach();
        let cancelled = unit("cancelled");
        cancelled.cancel(());
        cancelled.detach();
        let_it_work().await;
        let_it_work().await;
        assert_eq!(ended.take(), ["plain", "awaited", "cancel on drop"]);
    });
}

#[test]
fn a_detached_task_reports_its_error_once() {
    within(async {
        let reports = collect_reports();
        let failing = |when: bool| {
            spawn(async move {
                if when {
                    petla::yield_now().await;
                }
                Err::<(), _>(io::Error::other("disk full"))
            })
            .named("saver")
        };
        failing(true).detach();
        let_it_work().await;
        let ended = failing(false);
        petla::yield_now().await;
        assert_eq!(reports.len(), 1);
        ended.detach();
        for report in reports.take() {
            assert!(
                report.starts_with("a detached task failed: saver (spawned at "),
                "{report}"
            );
            assert!(report.ends_with("): disk full"), "{report}");
        }
    });
}

#[test]
fn a_detached_task_that_ends_well_or_is_cancelled_reports_nothing() {
    within(async {
        let reports = collect_reports();
        spawn(async {}).detach();
        spawn(async { Ok::<_, io::Error>(5) }).detach();
        spawn(async {
            loop {
                petla::sleep(Duration::MAX).await;
            }
        })
        .detach();
        let cancelled = spawn(pending::<io::Result<()>>());
        cancelled.cancel(());
        cancelled.detach();
        let_it_work().await;
        assert_eq!(reports.take(), [""; 0]);
    });
}

#[test]
fn an_error_that_was_awaited_or_dropped_with_its_handle_is_not_reported() {
    within(async {
        let reports = collect_reports();
        let failing = || spawn(async { Err::<(), _>(io::Error::other("seen by somebody")) });
        assert!(failing().await.unwrap().is_err());
        assert_eq!(
            failing().flatten().await.unwrap_err().to_string(),
            "seen by somebody"
        );
        drop(failing()); // a plain drop cannot know what is in the value
        let_it_work().await;
        assert_eq!(reports.take(), [""; 0]);
    });
}

#[test]
fn an_output_nobody_takes_is_dropped_when_task_and_handle_have_both_ended() {
    within(async {
        let (log, drops) = (Log::new(), Drops::default());
        let kept = work(&log, &drops);
        let_it_work().await;
        assert_eq!(
            (log.take(), drops.count()),
            (vec!["done"], 0),
            "the handle may still want it"
        );
        drop(kept);
        assert_eq!(drops.count(), 1);
        let mut taken = work(&log, &drops);
        let output = (&mut taken).await.unwrap();
        drop(taken);
        assert_eq!(drops.count(), 1);
        drop(output);
        assert_eq!(drops.count(), 2);
    });
}

#[test]
fn a_flattened_handle_follows_the_same_rule() {
    within(async {
        let drops = Drops::default();
        let idle = || {
            let guard = drops.guard();
            spawn(async move {
                let _guard = guard;
                pending::<io::Result<()>>().await
            })
        };
        let mut awaited = idle().flatten();
        drop(idle().flatten());
        assert!(poll_once(&mut awaited).is_pending());
        drop(awaited);
        petla::yield_now().await;
        assert_eq!(drops.count(), 1, "the one that was awaited");
    });
}

#[test]
fn a_handle_that_outlives_its_loop_gives_its_value_or_the_cancellation() {
    let drops = Drops::default();
    let (mut done, mut open, mut panicked, unseen) = within(async {
        let log = Log::new();
        let done = work(&log, &drops);
        let panicked: Task<()> = spawn(async { raise("before the end") });
        let_it_work().await;
        (done, spawn(pending::<()>()), panicked, work(&log, &drops))
    });
    assert!(done.is_finished() && open.is_finished() && unseen.is_finished());
    assert_eq!(open.name(), format!("task-{}", open.id()));
    assert!(!open.cancel("too late"));
    let value = match poll_once(&mut done) {
        Poll::Ready(result) => result.unwrap(),
        Poll::Pending => panic!("it had ended"),
    };
    drop(value);
    assert_eq!(
        drops.count(),
        2,
        "the value, and the future that was dropped with the loop"
    );
    let Poll::Ready(Err(error)) = poll_once(&mut open) else {
        unreachable!()
    };
    assert_eq!(error.reason(), Some("the event loop was closed"));
    let other = EventLoop::new().unwrap();
    let error = other
        .run_until_complete(&mut panicked)
        .unwrap()
        .unwrap_err();
    assert_eq!(error.to_string(), "task panicked: before the end");
    drop(unseen);
    assert_eq!(drops.count(), 2);
}

/// Where a task finds its own handle.
type Own = Rc<RefCell<Option<Task<()>>>>;

/// A task named "snake" that awaits its own handle, by value or borrowed.
fn snake(own: &Own, borrowed: bool) -> u32 {
    let place = Rc::clone(own);
    let line = line!() + 1;
    let task = spawn(async move {
        let mut own = place.take().expect("my own handle");
        if borrowed {
            let _ = timeout(Duration::MAX, &mut own).await;
        } else {
            let _ = own.await;
        }
    });
    own.replace(Some(task.named("snake")));
    line
}

/// K6.
#[test]
fn a_task_that_awaits_itself_panics_and_says_who_and_where() {
    for borrowed in [false, true] {
        within(async {
            let reports = collect_reports();
            let line = snake(&Own::default(), borrowed);
            let_it_work().await;
            let report = reports.only();
            let place = format!("snake (spawned at {}:{line}:", file!());
            assert!(report.contains(&place), "{report}");
            assert!(report.contains("awaits itself: it would never end"));
        });
    }
}

#[test]
fn a_task_may_look_at_its_own_handle_and_others_may_await_it() {
    within(async {
        let own = Own::default();
        let place = Rc::clone(&own);
        let task = spawn(async move {
            let own = place.take().expect("my own handle");
            assert!(!own.is_finished());
            place.replace(Some(own));
            petla::yield_now().await;
        });
        own.replace(Some(task));
        petla::yield_now().await;
        own.take().expect("it put it back").await.unwrap();
    });
}
