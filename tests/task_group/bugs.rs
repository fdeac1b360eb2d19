//! What asyncio's groups got wrong once.
//!
//! # Not here
//! Why some numbers have no test: `task_group.rs`.

use std::cell::Cell;
use std::future::pending;

use petla::task_group::Cause;
use petla::testing::{Explorer, run};
use petla::{
    CancelScope, TaskGroup, all_tasks, current_task, now, sleep, spawn, spawn_eager, timeout,
    yield_now,
};

use crate::common::{Drops, bump, raise};
use crate::{Group, SECOND, TICK, messages};

// B36
#[test]
fn a_child_whose_handle_is_dropped_runs_on() {
    run(async {
        let done = Cell::new(false);
        let group = TaskGroup::run(async |g: &Group<'_>| {
            drop(g.spawn(async {
                sleep(SECOND).await;
                done.set(true);
            }));
        });
        group.await.unwrap();
        assert!(done.get());
    });
}

// B37
#[test]
fn an_eager_task_may_fail_with_its_group_at_once() {
    run(async {
        let task = spawn_eager(TaskGroup::run(async |_: &Group<'_>| {
            Err::<(), _>("at once")
        }));
        assert!(task.is_finished());
        assert_eq!(messages(&task.await.unwrap().unwrap_err()), ["at once"]);
        yield_now().await;
    });
}

// B38
#[test]
fn all_tasks_sees_the_children_of_an_eager_task() {
    run(async {
        let task = spawn_eager(TaskGroup::run(async |g: &Group<'_>| {
            drop(g.spawn(pending::<()>()).named("inner"));
            pending::<()>().await;
        }));
        assert!(all_tasks().iter().any(|task| task.name() == "inner"));
        assert!(task.cancel(()));
        task.await.unwrap_err();
        assert_eq!(all_tasks().len(), 1);
    });
}

// B39
#[test]
fn a_timeout_in_a_child_of_an_eager_task_is_the_childs() {
    run(async {
        let task = spawn_eager(TaskGroup::run(async |g: &Group<'_>| {
            let child = g.spawn(async {
                let name = current_task().unwrap().name();
                let late = timeout(TICK, pending::<()>()).await;
                assert!(late.is_err() && current_task().unwrap().name() == name);
                Ok(name)
            });
            let child = child.named("child");
            assert_eq!(child.await.unwrap(), "child");
            Ok(current_task().unwrap().name())
        }));
        let task = task.named("eager");
        assert_eq!(task.await.unwrap().unwrap(), "eager");
    });
}

// B40, G11, G15: there is no count; what is left of a group's cancel would end the next wait.
#[test]
fn after_a_group_that_failed_or_was_cancelled_the_caller_waits_as_ever() {
    run(async {
        let failed = TaskGroup::run(async |g: &Group<'_>| {
            g.spawn(async { Err::<(), _>("child") });
            pending::<()>().await;
        });
        failed.await.unwrap_err();
        let cancelled = TaskGroup::run(async |g: &Group<'_>| {
            g.cancel("enough");
            pending::<()>().await;
        });
        let cause = cancelled.await.unwrap_err();
        assert_eq!(cause.cancelled().unwrap().reason(), Some("enough"));
        let begin = now();
        sleep(SECOND).await;
        assert_eq!(now() - begin, SECOND);
    });
}

// B41, G12
#[test]
fn an_outer_group_that_fails_with_its_inner_one_still_ends_its_own_body() {
    let (inner_first, outer_first) = (Cell::new(0), Cell::new(0));
    Explorer::new().seeds(0..50).run(async || {
        for turns in 0..3 {
            let inner_told = Cell::new(None);
            let outer = TaskGroup::run(async |outer: &Group<'_>| {
                outer.spawn(async { Err::<(), _>("outer") });
                let inner = TaskGroup::run(async |inner: &Group<'_>| {
                    inner.spawn(async {
                        for _ in 0..turns {
                            yield_now().await;
                        }
                        Err::<(), _>("inner")
                    });
                    pending::<()>().await;
                });
                inner_told.set(Some(messages(&inner.await.unwrap_err())));
                pending::<()>().await;
            });
            assert_eq!(messages(&outer.await.unwrap_err()), ["outer"]);
            let told = inner_told.take();
            bump(if told.is_some() {
                &inner_first
            } else {
                &outer_first
            });
            assert!(told.is_none_or(|told| told == ["inner"]));
        }
    });
    assert!(inner_first.get() > 0 && outer_first.get() > 0);
}

// B42
#[test]
fn a_timeout_around_a_group_is_elapsed_and_nothing_else() {
    run(async {
        let begin = now();
        let group = TaskGroup::run(async |g: &Group<'_>| {
            g.spawn(pending::<()>());
        });
        timeout(SECOND, group).await.unwrap_err();
        assert_eq!(now() - begin, SECOND);
    });
}

// B43, G14
#[test]
fn a_grandchild_that_fails_while_it_is_made_ends_all_above() {
    run(async {
        let drops = Drops::default();
        let group = TaskGroup::run(async |g: &Group<'_>| {
            g.spawn(drops.forever());
            let (g1, g2) = (g.clone(), g.clone());
            g.spawn(async move {
                g1.spawn(async move {
                    g2.spawn(async { Err::<(), _>("grandchild") });
                });
            });
            pending::<()>().await;
        });
        assert_eq!(messages(&group.await.unwrap_err()), ["grandchild"]);
        assert_eq!(drops.count(), 1);
    });
}

// B44
#[test]
fn a_child_that_fails_in_its_first_poll_cancels_nothing_outside() {
    run(async {
        let around = CancelScope::new();
        let result = around.run(async |_| {
            let group = TaskGroup::run(async |g: &Group<'_>| {
                g.spawn(async { Err::<(), _>("first poll") });
            });
            let failed = group.await.unwrap_err();
            yield_now().await;
            failed.failures().len()
        });
        assert_eq!(result.await.unwrap(), 1);
    });
}

// B45
#[test]
fn a_child_may_cancel_its_group_in_its_first_poll() {
    run(async {
        let drops = Drops::default();
        let group = TaskGroup::run(async |g: &Group<'_>| {
            g.spawn(drops.forever());
            let g1 = g.clone();
            g.spawn(async move {
                assert!(g1.cancel("from a child"));
                assert!(!g1.cancel("again"));
            });
            pending::<()>().await;
        });
        let cancelled = group.await.unwrap_err();
        assert!(cancelled.failures().is_empty());
        assert_eq!(
            cancelled.cancelled().unwrap().reason(),
            Some("from a child")
        );
        assert_eq!(drops.count(), 1);
    });
}

// B46
#[test]
fn a_timeout_outside_is_not_lost_after_the_groups_own_cancel() {
    run(async {
        let begin = now();
        let late = timeout(SECOND, async {
            let group = TaskGroup::run(async |g: &Group<'_>| {
                g.cancel("own");
                pending::<()>().await;
            });
            group.await.unwrap_err();
            pending::<()>().await;
        });
        assert!(late.await.is_err());
        assert_eq!(now() - begin, SECOND);
    });
}

// B47, G1
#[test]
fn every_sibling_that_fails_in_the_same_turn_is_told() {
    Explorer::new().seeds(0..50).run(async || {
        let group = TaskGroup::supervise(async |g: &Group<'_>| {
            for n in 0..200 {
                g.spawn(async move {
                    yield_now().await;
                    if n % 2 == 0 {
                        Err::<(), _>("even")
                    } else {
                        raise("odd")
                    }
                });
            }
            Err::<(), _>("body")
        });
        let messages = messages(&group.await.unwrap_err());
        let count = |what| messages.iter().filter(|text| **text == what).count();
        assert_eq!(
            (count("even"), count("panicked: odd"), count("body")),
            (100, 100, 1)
        );
    });
}

// B48
#[test]
fn a_child_that_panics_ends_its_group_and_nothing_else() {
    run(async {
        let other = spawn(async { 5 });
        let (name, place) = (Cell::new(None), line!() + 2);
        let group = TaskGroup::run(async |g: &Group<'_>| {
            let child = g.spawn(async { raise("fatal") }).named("unlucky");
            name.set(Some(child.id()));
            pending::<()>().await;
        });
        let failed = group.await.unwrap_err();
        let [failure] = failed.failures() else {
            panic!("{failed}")
        };
        assert_eq!(
            (&*failure.name, failure.spawned_at.line()),
            ("unlucky", place)
        );
        assert_eq!(Some(failure.task), name.get());
        let Cause::Panicked(panic) = &failure.cause else {
            panic!("{failed}")
        };
        assert_eq!(panic.message(), Some("fatal"));
        assert_eq!(other.await.unwrap(), 5);
    });
}
