//! How groups end: failures, cancels, deadlines, drops, leaks, and the end of the loop.
//!
//! # Not here
//! asyncio's list of them: `bugs.rs`, `behaviours.rs`.

use std::cell::{Cell, RefCell};
use std::future::{Future, pending};
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::thread;
use std::time::{Duration, Instant};

use petla::sync::CancelToken;
use petla::testing::{VirtualClock, poll_once, run};
use petla::{
    CancelScope, ErrorGroup, JoinError, TaskGroup, all_tasks, now, shield, sleep, spawn,
    spawn_eager, timeout, yield_now,
};

use crate::common::hand::{hand, leak};
use crate::common::{
    Drops, Log, OnDrop, bump, collect_reports, collect_reports_of, loop_on, raise, within,
};
use crate::{Group, SECOND, TICK, messages};

#[test]
fn the_bodys_value_is_kept_when_the_group_is_cancelled_after_it() {
    run(async {
        let drops = Drops::default();
        let group = TaskGroup::run(async |g: &Group<'_>| {
            g.spawn(drops.forever());
            let g1 = g.clone();
            g.spawn(async move {
                sleep(SECOND).await;
                g1.cancel("later");
            });
            Ok("kept")
        });
        assert_eq!(group.await.unwrap(), "kept");
        assert_eq!(drops.count(), 1);
    });
}

#[test]
fn in_supervise_siblings_and_body_outlive_failures_of_all_kinds() {
    run(async {
        let (done, begin) = (Cell::new(0), now());
        let group = TaskGroup::supervise(async |g: &Group<'_>| {
            g.spawn(async { Err::<(), _>("child") });
            g.spawn(async { raise("child") });
            g.spawn(async {
                sleep(2 * SECOND).await;
                bump(&done);
            });
            sleep(SECOND).await;
            bump(&done);
            raise("body")
        });
        let failed = group.await.unwrap_err();
        let expected = ["child", "panicked: child", "panicked: body"];
        assert_eq!(messages(&failed), expected);
        assert_eq!((done.get(), now() - begin), (2, 2 * SECOND));
    });
}

#[test]
fn a_body_that_panics_cancels_the_children_and_unwinds_no_further() {
    run(async {
        let drops = Drops::default();
        let group = TaskGroup::run(async |g: &Group<'_>| {
            let guard = drops.guard();
            g.spawn(async move {
                let _guard = guard;
                let _bomb = OnDrop(|| raise("destructor"));
                pending::<()>().await;
            });
            yield_now().await;
            yield_now().await;
            raise("body")
        });
        let failed = group.await.unwrap_err();
        assert_eq!(
            messages(&failed),
            ["panicked: body", "panicked: destructor"]
        );
        assert_eq!(drops.count(), 1);
    });
}

#[test]
fn a_child_may_fail_and_panic_in_its_destructor_too() {
    struct Bomb;
    impl Future for Bomb {
        type Output = Result<(), &'static str>;
        fn poll(
            self: Pin<&mut Self>,
            _: &mut std::task::Context<'_>,
        ) -> std::task::Poll<Self::Output> {
            std::task::Poll::Ready(Err("output"))
        }
    }
    impl Drop for Bomb {
        fn drop(&mut self) {
            raise("destructor");
        }
    }
    run(async {
        let group = TaskGroup::run(async |g: &Group<'_>| drop(g.spawn(Bomb)));
        assert_eq!(
            messages(&group.await.unwrap_err()),
            ["output", "panicked: destructor"]
        );
    });
}

#[test]
fn what_does_not_end_in_time_is_dropped_before_the_clean_ups_and_its_panics_are_told() {
    run(async {
        let (log, reports) = (Log::new(), collect_reports());
        let stubborn = async |name: &'static str| {
            let log = log.clone();
            let _bomb = OnDrop(move || {
                log.push(name);
                raise(name);
            });
            let scope = CancelScope::new().cleanup_limit(1000 * SECOND);
            let run = scope.run(async |s| {
                s.on_cancel(pending());
                pending::<()>().await;
            });
            run.await.map_err(|_| "not its own")
        };
        let group = TaskGroup::run(async |g: &Group<'_>| {
            g.finally(async { log.push("clean-up") });
            g.spawn(stubborn("child"));
            g.set_deadline(now() + SECOND);
            stubborn("body").await
        });
        let failed = group.await.unwrap_err();
        assert_eq!(messages(&failed), ["panicked: body", "panicked: child"]);
        assert_eq!(log.take(), ["body", "child", "clean-up"]);
        assert!(failed.cancelled().unwrap().deadline().is_some());
        assert!(
            reports
                .take()
                .iter()
                .all(|report| !report.contains("panicked"))
        );
    });
}

#[test]
fn the_deadline_of_a_group_moves_from_its_body_and_from_a_child() {
    run(async {
        let begin = now();
        let group = TaskGroup::run(async |g: &Group<'_>| {
            g.set_deadline(now() + SECOND);
            let g1 = g.clone();
            g.spawn(async move {
                sleep(SECOND / 2).await;
                g1.set_deadline(now() + 2 * SECOND);
            });
            sleep(Duration::MAX).await;
        });
        let late = group.await.unwrap_err();
        assert_eq!(
            late.cancelled().unwrap().deadline(),
            Some(begin + SECOND * 5 / 2)
        );
        assert_eq!(now() - begin, SECOND * 5 / 2);
        assert!(JoinError::Cancelled(late.cancelled().unwrap().clone()).is_timeout());
    });
}

#[test]
fn an_error_group_becomes_its_first_failure_or_an_io_error() {
    run(async {
        let group = TaskGroup::<io::Error>::supervise(async |g| {
            g.spawn(async { Err::<(), _>(io::Error::from(io::ErrorKind::NotFound)) });
            g.spawn(async { raise("second") });
        });
        let failed: io::Error = group.await.unwrap_err().into();
        assert_eq!(failed.kind(), io::ErrorKind::NotFound);
        assert!(
            failed.to_string().starts_with("2 tasks failed: task-"),
            "{failed}"
        );
        let late = TaskGroup::<io::Error>::run(async |g| {
            g.set_deadline(now() + TICK);
            pending::<()>().await;
        });
        let late: io::Error = late.await.unwrap_err().into();
        assert_eq!(late.kind(), io::ErrorKind::TimedOut);
        let panicked = TaskGroup::<io::Error>::run(async |_| raise("first"));
        let first = panicked.await.unwrap_err().into_first();
        assert!(first.to_string().contains("first"), "{first}");
    });
}

#[test]
fn groups_work_inside_everything_else() {
    async fn two() -> Result<usize, ErrorGroup<&'static str>> {
        let count = Cell::new(0);
        let group = TaskGroup::run(async |g: &Group<'_>| {
            for _ in 0..2 {
                g.spawn(async {
                    sleep(TICK).await;
                    bump(&count);
                });
            }
        });
        group.await?;
        Ok(count.get())
    }
    run(async {
        let (a, b) = petla::gather!(two(), timeout(SECOND, two())).await;
        assert_eq!((a.unwrap(), b.unwrap().unwrap()), (2, 2));
        assert_eq!(spawn_eager(two()).await.unwrap().unwrap(), 2);
        let scope = CancelScope::new();
        let shielded = scope.run(async |s| {
            s.cancel("must wait");
            shield(two()).await.unwrap()
        });
        assert_eq!(shielded.await.unwrap(), 2);
        let outer = TaskGroup::run(async |g: &Group<'_>| {
            let inner = g.spawn(async { two().await.map_err(|_| "inner") });
            Ok(inner.await.unwrap() + two().await.unwrap())
        });
        assert_eq!(outer.await.unwrap(), 4);
    });
}

#[test]
fn a_group_that_is_dropped_half_way_drops_its_children_and_reports_what_was_lost() {
    run(async {
        let (reports, log, drops) = (collect_reports(), Log::new(), Drops::default());
        let (cleaned, child) = (log.clone(), drops.forever());
        let mut group = hand(TaskGroup::supervise(async move |g: &Group<'static>| {
            g.spawn(async { Err::<(), _>("lost") });
            g.spawn(async {
                let _bomb = OnDrop(|| raise("dropped"));
                pending::<()>().await;
            });
            let later = cleaned.clone();
            g.finally_static(async move {
                sleep(SECOND).await;
                later.push("cleaned");
            });
            g.spawn(child);
            pending::<()>().await;
        }));
        group.waits();
        group.waits();
        drop(group);
        assert_eq!(drops.count(), 1);
        let text = reports.take().join("\n");
        assert!(
            text.contains("a failure in a task group that was cancelled"),
            "{text}"
        );
        assert!(
            text.contains("a child of a dropped group panicked"),
            "{text}"
        );
        sleep(2 * SECOND).await;
        assert_eq!(log.take(), ["cleaned"]);
        assert_eq!(all_tasks().len(), 1);
    });
}

#[test]
fn the_children_of_a_group_that_is_leaked_never_run_and_are_in_nobodys_way() {
    let event_loop = loop_on(&VirtualClock::auto());
    let (drops, polls) = (Drops::default(), Rc::new(Cell::new(0)));
    let (guard, count) = (drops.guard(), polls.clone());
    let handle = event_loop.run_until_complete(async {
        let place = Rc::new(RefCell::new(None));
        let borrowed = Cell::new(0);
        let (keep, local) = (place.clone(), &borrowed);
        let mut group = Box::pin(TaskGroup::run(async move |g: &Group<'_>| {
            let child = g.spawn(async move {
                let _guard = guard;
                loop {
                    bump(local);
                    bump(&count);
                    yield_now().await;
                }
            });
            keep.replace(Some(child.named("leaked")));
            pending::<()>().await;
        }));
        for _ in 0..3 {
            assert!(poll_once(&mut group).is_pending());
        }
        assert!(local.get() > 0);
        leak(group);
        place.take()
    });
    let handle = handle.unwrap().unwrap();
    let before = polls.get();
    let alone = event_loop.run_until_complete(async {
        assert!(all_tasks().iter().any(|task| task.name() == "leaked"));
        assert!(handle.cancel("nobody listens"));
        sleep(SECOND).await;
        assert!(!handle.is_finished() && handle.task_ref().cancel("again"));
        drop(handle);
        all_tasks().len()
    });
    assert_eq!(alone.unwrap(), 2);
    event_loop.close().unwrap();
    assert_eq!((polls.get(), drops.count()), (before, 0));
}

#[test]
fn when_the_main_future_ends_children_run_their_clean_ups() {
    let log = Log::new();
    let cleaned = log.clone();
    run(async move {
        drop(spawn(TaskGroup::run(async move |g: &Group<'static>| {
            let in_child = cleaned.clone();
            g.spawn(async move {
                let scope = CancelScope::new();
                let run = scope.run(async |s| {
                    s.on_cancel(async {
                        sleep(TICK).await;
                        in_child.push("child");
                    });
                    pending::<()>().await;
                });
                run.await.map_err(|_| "not its own")
            });
            g.finally_static(async move { cleaned.push("group") });
            pending::<()>().await;
        })));
        yield_now().await;
        yield_now().await;
    });
    assert_eq!(log.take(), ["child", "group"]);
}

#[test]
fn a_loop_that_is_closed_reports_what_fails_in_children() {
    let event_loop = loop_on(&VirtualClock::auto());
    let reports = collect_reports_of(&event_loop);
    let main = async {
        drop(spawn(TaskGroup::run(async move |g: &Group<'static>| {
            g.spawn(async {
                let _bomb = OnDrop(|| raise("at the end"));
                pending::<()>().await;
            });
        })));
        yield_now().await;
        yield_now().await;
    };
    event_loop.run_until_complete(main).unwrap();
    event_loop.close().unwrap();
    let report = reports.only();
    assert!(report.contains("at the end"), "{report}");
}

#[test]
fn a_token_cancels_a_group_from_another_thread() {
    within(async {
        let token = CancelToken::new();
        let (ready, remote) = (std::sync::mpsc::channel(), token.clone());
        let thread = thread::spawn(move || {
            ready.1.recv().unwrap();
            remote.cancel("from afar");
        });
        let drops = Drops::default();
        let scope = CancelScope::new().linked(&token);
        let result = scope.run(async |_| {
            let group = TaskGroup::run(async |g: &Group<'_>| {
                let guard = drops.guard();
                g.spawn(async move {
                    let _guard = guard;
                    ready.0.send(()).unwrap();
                    pending::<()>().await;
                });
            });
            group.await
        });
        assert_eq!(result.await.unwrap_err().reason(), Some("from afar"));
        assert_eq!(drops.count(), 1);
        thread.join().unwrap();
    });
}

#[test]
fn a_group_that_waits_for_ever_is_named_when_the_test_is_stuck() {
    let begin = Instant::now();
    let text = crate::common::panic_text(|| {
        run(async {
            let group = TaskGroup::run(async |g: &Group<'_>| {
                drop(g.spawn(pending::<()>()).named("stuck child"));
            });
            group.await
        })
    });
    assert!(text.contains("stuck child"), "{text}");
    assert!(
        begin.elapsed() < Duration::from_secs(4),
        "no real time passes"
    );
}

#[test]
fn a_clean_up_may_run_a_group_while_the_loop_closes() {
    let log = Log::new();
    let cleaned = log.clone();
    run(async move {
        drop(spawn(async move {
            let scope = CancelScope::new();
            let run = scope.run(async |s| {
                s.on_cancel(async {
                    let group = TaskGroup::run(async |g: &Group<'_>| {
                        g.spawn(async {
                            sleep(TICK).await;
                            cleaned.push("child");
                        });
                    });
                    group.await.unwrap();
                    cleaned.push("clean-up");
                });
                pending::<()>().await;
            });
            drop(run.await);
        }));
        yield_now().await;
    });
    assert_eq!(log.take(), ["child", "clean-up"]);
}

#[test]
fn a_clean_up_that_is_registered_after_the_end_is_reported() {
    run(async {
        let reports = collect_reports();
        let after = TaskGroup::run(async |g: &Group<'_>| Ok(g.clone()));
        let after = after.await.unwrap();
        after.on_cancel(async { unreachable!("it is too late") });
        let told = reports.take();
        assert!(told[0].contains("had ended, and will not run"), "{told:?}");
    });
}
