//! `spawn_eager`: the first step at once, then a task like any other.

use std::future::{Future, pending};
use std::pin::Pin;
use std::rc::Rc;

use petla::local::Queue;
use petla::{Task, all_tasks, current_task, spawn, spawn_eager};

use crate::common::{Drops, Log, poll_once, raise, within};

#[test]
fn the_first_step_is_taken_before_spawn_eager_returns() {
    within(async {
        let log = Log::new();
        let (first, second) = (log.clone(), log.clone());
        let queued = spawn(async move { first.push("queued before") });
        let eager = spawn_eager(async move {
            second.push("first step");
            petla::yield_now().await;
            second.push("second step");
        });
        assert_eq!(log.take(), ["first step"]);
        assert!(!eager.is_finished());
        eager.await.unwrap();
        assert_eq!(log.take(), ["queued before", "second step"]);
        assert!(queued.is_finished());
    });
}

#[test]
fn a_task_that_is_ready_at_once_has_ended_when_spawn_eager_returns() {
    within(async {
        let drops = Drops::default();
        let guard = drops.guard();
        let task = spawn_eager(async move {
            let _guard = guard;
            5
        });
        assert!(task.is_finished());
        assert_eq!(drops.count(), 1);
        assert_eq!(all_tasks().len(), 1, "only the main task is left");
        assert_eq!(task.await.unwrap(), 5);
    });
}

/// Starts itself eagerly, `levels` deep, and notes each level that begins.
fn nest(level: u32, levels: u32, log: Log<u32>) -> Pin<Box<dyn Future<Output = ()>>> {
    Box::pin(async move {
        log.push(level);
        if level < levels {
            spawn_eager(nest(level + 1, levels, log)).await.unwrap();
        }
    })
}

#[test]
fn eager_steps_nest_64_deep_and_then_wait_for_their_turn() {
    within(async {
        for _ in 0..2 {
            let log = Log::new();
            let task = spawn_eager(nest(1, 200, log.clone()));
            assert_eq!(log.take(), (1..=64).collect::<Vec<_>>());
            petla::yield_now().await;
            assert_eq!(
                log.take(),
                (65..=129).collect::<Vec<_>>(),
                "one queued, then 64 again"
            );
            task.await.unwrap();
            assert_eq!(log.take(), (130..=200).collect::<Vec<_>>());
        }
    });
}

#[test]
fn a_panic_in_the_first_step_is_the_tasks_and_not_the_spawners() {
    within(async {
        let main = current_task().unwrap();
        for _ in 0..100 {
            let task: Task<()> = spawn_eager(async { raise("at once") });
            assert!(task.is_finished());
            assert!(task.await.unwrap_err().is_panic());
            assert_eq!(current_task().unwrap(), main);
        }
        let log = Log::new();
        drop(spawn_eager(nest(1, 64, log.clone())));
        assert_eq!(log.len(), 64, "the depth was given back each time");
    });
}

#[test]
fn an_eager_task_is_in_all_tasks_during_its_first_step() {
    within(async {
        let seen = spawn_eager(async {
            let me = current_task().unwrap();
            (me.clone(), all_tasks().contains(&me), me.is_finished())
        });
        let task = seen.task_ref();
        let (me, listed, finished) = seen.await.unwrap();
        assert!(me == task && listed && !finished);
    });
}

#[test]
fn the_current_task_is_swapped_and_put_back_at_every_level() {
    within(async {
        let main = current_task().unwrap();
        let outer = spawn_eager(async {
            let outer = current_task().unwrap();
            let inner = spawn_eager(async { current_task().unwrap() });
            assert_eq!(current_task().unwrap(), outer);
            let waiting = spawn_eager(pending::<()>());
            assert_eq!(current_task().unwrap(), outer);
            drop(waiting);
            assert!(inner.await.unwrap() != outer);
            outer
        });
        assert_eq!(current_task().unwrap(), main);
        assert!(outer.await.unwrap() != main);
    });
}

#[test]
fn an_eager_task_that_cancels_itself_ends_in_the_next_batch() {
    within(async {
        let (drops, log) = (Drops::default(), Log::new());
        let (guard, steps) = (drops.guard(), log.clone());
        let task = spawn_eager(async move {
            let _guard = guard;
            current_task().unwrap().cancel("by itself");
            steps.push("cancelled");
            petla::yield_now().await;
            steps.push("never");
        });
        assert_eq!((drops.count(), task.is_finished()), (0, false));
        assert_eq!(task.await.unwrap_err().reason(), Some("by itself"));
        assert_eq!((drops.count(), log.take()), (1, vec!["cancelled"]));
    });
}

#[test]
fn an_eager_task_that_waits_can_be_cancelled_and_dropped_like_any_other() {
    within(async {
        let drops = Drops::default();
        let guarded = |drops: &Drops| spawn_eager(drops.forever());
        let cancelled = guarded(&drops);
        assert!(cancelled.cancel(()));
        assert!(cancelled.await.unwrap_err().is_cancelled());
        let mut awaited = guarded(&drops);
        assert!(poll_once(&mut awaited).is_pending());
        drop(awaited);
        drop(guarded(&drops).cancel_on_drop());
        petla::yield_now().await;
        assert_eq!(drops.count(), 3);
    });
}

#[test]
fn a_timer_made_in_an_eager_step_wakes_the_eager_task() {
    petla::testing::run(async {
        let task = spawn_eager(async {
            let limit = std::time::Duration::from_millis(1);
            petla::timeout(limit, pending::<()>()).await.is_err()
        });
        assert!(task.await.unwrap());
    });
}

#[test]
fn an_eager_step_hides_no_unclaimed_grant_of_its_spawner() {
    // A task is granted an item while it holds its `get` without polling it. The grant lapses to
    // the next getter, whether or not the task started another one eagerly before.
    for eager in [false, true] {
        within(async {
            let queue = Rc::new(Queue::unbounded());
            let (items, other) = (Rc::clone(&queue), Rc::clone(&queue));
            let sleeper = spawn(async move {
                if eager {
                    drop(spawn_eager(async {}));
                }
                let mut get = Box::pin(items.get());
                assert!(poll_once(&mut get).is_pending());
                loop {
                    petla::yield_now().await; // polled again and again, but not the `get`
                }
            });
            petla::yield_now().await;
            let awake = spawn(async move { other.get().await });
            petla::yield_now().await;
            queue.put_nowait(7).unwrap();
            for _ in 0..5 {
                petla::yield_now().await;
            }
            assert!(awake.is_finished(), "eager: {eager}");
            assert_eq!(awake.await.unwrap(), Ok(7));
            sleeper.cancel(());
        });
    }
}
