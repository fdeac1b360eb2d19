//! What asyncio's own tests say of its groups.
//!
//! # Not here
//! Why some numbers have no test: `task_group.rs`.

use std::cell::{Cell, RefCell};
use std::future::pending;
use std::rc::Rc;
use std::time::Duration;

use petla::testing::run;
use petla::{CancelScope, TaskGroup, current_task, now, sleep, spawn, timeout, yield_now};

use crate::common::{Drops, OnDrop, bump, collect_reports, raise};
use crate::{Group, SECOND, TICK, messages};

// G1
#[test]
fn a_group_waits_for_all_and_handles_give_the_values() {
    run(async {
        let kept = RefCell::new(Vec::new());
        let begin = now();
        let group = TaskGroup::run(async |g: &Group<'_>| {
            for n in 0..3 {
                kept.borrow_mut().push(g.spawn(async move {
                    sleep(n * SECOND).await;
                    Ok(n)
                }));
            }
            Ok("body")
        });
        assert_eq!(group.await.unwrap(), "body");
        assert_eq!(now() - begin, 2 * SECOND);
        for (n, task) in (0..).zip(kept.take()) {
            assert!(task.is_finished());
            assert_eq!(task.await.unwrap(), n);
        }
    });
}

// G2
#[test]
fn one_error_cancels_the_siblings_and_the_sleeping_body() {
    run(async {
        let drops = Drops::default();
        let begin = now();
        let group = TaskGroup::run(async |g: &Group<'_>| {
            let _body = drops.guard();
            for _ in 0..5 {
                g.spawn(drops.forever());
            }
            g.spawn(async {
                sleep(SECOND).await;
                Err::<(), _>("late")
            });
            sleep(100 * SECOND).await;
        });
        assert_eq!(messages(&group.await.unwrap_err()), ["late"]);
        assert_eq!((drops.count(), now() - begin), (6, SECOND));
    });
}

// G3
#[test]
fn a_cancel_from_outside_ends_five_children_and_waits_for_their_clean_ups() {
    run(async {
        let cleaned = Rc::new(Cell::new(0));
        let count = cleaned.clone();
        let task = spawn(TaskGroup::run(async move |g: &Group<'_>| {
            for _ in 0..5 {
                let count = count.clone();
                g.spawn(async move {
                    let scope = CancelScope::new();
                    let run = scope.run(async |s| {
                        s.on_cancel(async {
                            sleep(TICK).await;
                            bump(&count);
                        });
                        pending::<()>().await;
                    });
                    run.await.map_err(|_| "not its own")
                });
            }
        }));
        yield_now().await;
        yield_now().await;
        assert!(task.cancel("from outside"));
        let cancelled = task.await.unwrap_err();
        assert_eq!(
            (cancelled.reason(), cleaned.get()),
            (Some("from outside"), 5)
        );
    });
}

// G4, G7: a destructor is all that can still fail in what is cancelled.
#[test]
fn what_fails_while_it_is_cancelled_is_in_the_groups_error() {
    run(async {
        let group = TaskGroup::run(async |g: &Group<'_>| {
            g.spawn(async {
                let _bomb = OnDrop(|| raise("the child's destructor"));
                pending::<()>().await;
            });
            let _bomb = OnDrop(|| raise("the body's destructor"));
            yield_now().await;
            yield_now().await;
            g.cancel("all");
            pending::<()>().await;
        });
        let failed = group.await.unwrap_err();
        let expected = [
            "panicked: the body's destructor",
            "panicked: the child's destructor",
        ];
        assert_eq!(messages(&failed), expected);
        assert_eq!(failed.cancelled().unwrap().reason(), Some("all"));
    });
}

// G5
#[test]
fn an_error_of_the_body_cancels_the_children_and_is_one_of_the_failures() {
    run(async {
        let drops = Drops::default();
        let group = TaskGroup::run(async |g: &Group<'_>| {
            g.spawn(drops.forever());
            yield_now().await;
            Err::<(), _>("body")
        });
        let failed = group.await.unwrap_err();
        assert_eq!(
            (messages(&failed), drops.count()),
            (vec!["body".to_owned()], 1)
        );
        let own = current_task().unwrap();
        assert_eq!(failed.failures()[0].task, own.id());
        assert!(
            failed.cancelled().is_none(),
            "it was cancelled by the failure alone"
        );
    });
}

// G6
#[test]
fn errors_of_nested_groups_nest_three_deep() {
    run(async {
        let group = TaskGroup::<String>::run(async |one| {
            one.spawn(async {
                let two = TaskGroup::<String>::supervise(async |two| {
                    two.spawn(async {
                        let three = TaskGroup::<&str>::run(async |three| {
                            three.spawn(async { Err::<(), _>("deep") });
                            Err::<(), _>("body")
                        });
                        three
                            .await
                            .map_err(|group| format!("three: {}", messages(&group).len()))
                    });
                    two.spawn(async { Err::<(), _>("two".to_owned()) });
                });
                two.await
                    .map_err(|group| format!("two: {}", messages(&group).join(", ")))
            });
        });
        let failed = group.await.unwrap_err();
        assert_eq!(messages(&failed), ["two: two, three: 1"]);
    });
}

// G8
#[test]
fn children_spawn_siblings_while_the_group_waits_to_end() {
    fn spawn_next<'env>(g: &Group<'env>, count: &'env Cell<usize>, left: usize) {
        let g1 = g.clone();
        g.spawn(async move {
            yield_now().await;
            bump(count);
            if left > 0 {
                spawn_next(&g1, count, left - 1);
            }
        });
    }
    run(async {
        let count = Cell::new(0);
        let group = TaskGroup::run(async |g: &Group<'_>| spawn_next(g, &count, 99));
        group.await.unwrap();
        assert_eq!(count.get(), 100);
    });
}

// G9
#[test]
fn a_group_that_has_failed_or_ended_takes_no_child_and_drops_what_it_is_given() {
    run(async {
        let drops = Drops::default();
        let group = TaskGroup::supervise(async |g: &Group<'static>| {
            let (g1, drops) = (g.clone(), drops.clone());
            g.spawn(async move {
                let _late = OnDrop(move || {
                    let late = g1.spawn(drops.forever());
                    assert!(late.is_finished() && drops.count() == 1, "it is too late");
                });
                pending::<()>().await;
            });
            yield_now().await;
            g.cancel("over");
            pending::<()>().await;
        });
        assert!(group.await.unwrap_err().failures().is_empty());
        let kept = RefCell::new(None);
        let group = TaskGroup::run(async |g: &Group<'static>| {
            kept.replace(Some(g.clone()));
            g.spawn(async { Err::<(), _>("over") });
        });
        group.await.unwrap_err();
        let group = kept.take().unwrap();
        let late = group.spawn(drops.forever());
        assert!(late.is_finished());
        assert_eq!(drops.count(), 2);
        let why = late.await.unwrap_err();
        assert!(why.is_cancelled(), "{why}");
    });
}

// G13
#[test]
fn a_failure_of_a_group_that_is_cancelled_from_outside_is_reported() {
    run(async {
        let reports = collect_reports();
        let task = spawn(async {
            let group = TaskGroup::run(async |g: &Group<'_>| {
                g.spawn(async {
                    let _bomb = OnDrop(|| raise("while it is cancelled"));
                    pending::<()>().await;
                });
            });
            drop(group.await);
            unreachable!("what is cancelled does not go on");
        });
        yield_now().await;
        yield_now().await;
        task.cancel("outside");
        assert_eq!(task.await.unwrap_err().reason(), Some("outside"));
        let report = reports.only();
        assert!(report.contains("while it is cancelled"), "{report}");
    });
}

// T10
#[test]
fn a_group_that_fails_in_a_timeout_gives_its_own_error() {
    run(async {
        let limited = timeout(SECOND, async {
            let group = TaskGroup::run(async |g: &Group<'_>| {
                g.spawn(async {
                    sleep(TICK).await;
                    Err::<(), _>("first")
                });
                sleep(Duration::MAX).await;
            });
            group.await
        });
        let failed = limited.await.expect("it is in time").unwrap_err();
        assert_eq!(messages(&failed), ["first"]);
    });
}
