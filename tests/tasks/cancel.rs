//! Cancelling: a request, served at the loop's next chance, that loses no value.

use std::cell::{Cell, RefCell};
use std::future::pending;
use std::rc::Rc;

use petla::event_loop::RunError;
use petla::{ContextVar, EventLoop, JoinError, Task, current_task, spawn};

use crate::common::{Drops, KeepWaker, Log, OnDrop, raise, within};

/// A task that waits for ever and counts its end.
fn idle(drops: &Drops) -> Task<()> {
    spawn(drops.forever())
}

#[test]
fn a_cancelled_task_ends_in_the_next_batch_and_not_inside_the_call() {
    within(async {
        let drops = Drops::default();
        let task = idle(&drops);
        petla::yield_now().await;
        assert!(task.cancel("enough"));
        assert_eq!((drops.count(), task.is_finished()), (0, false));
        petla::yield_now().await;
        assert_eq!((drops.count(), task.is_finished()), (1, true));
        assert_eq!(task.await.unwrap_err().reason(), Some("enough"));
    });
}

#[test]
fn the_first_reason_is_kept() {
    within(async {
        let drops = Drops::default();
        let task = idle(&drops);
        let line = line!() + 1;
        assert!(task.cancel("first"));
        assert!(task.cancel("second"), "it has not ended yet");
        assert!(task.task_ref().cancel(()));
        let Err(JoinError::Cancelled(why)) = task.await else {
            unreachable!()
        };
        assert_eq!((why.reason(), why.location().line()), (Some("first"), line));
    });
}

#[test]
fn a_reason_may_be_left_out_or_made_up_as_one_goes() {
    within(async {
        let drops = Drops::default();
        for (task, told) in [(idle(&drops), None), (idle(&drops), Some("number 7"))] {
            match told {
                None => task.cancel(()),
                Some(_) => task.cancel(format!("number {}", 7)),
            };
            let error = task.await.unwrap_err();
            assert_eq!(error.reason(), told);
            let words = ["task cancelled", "task cancelled: number 7"];
            assert_eq!(error.to_string(), words[usize::from(told.is_some())]);
        }
    });
}

#[test]
fn a_task_cancelled_before_its_first_poll_never_runs() {
    within(async {
        let (ran, drops) = (Rc::new(Cell::new(false)), Drops::default());
        let (mark, guard) = (Rc::clone(&ran), drops.guard());
        let task = spawn(async move {
            let _guard = guard;
            mark.set(true);
        });
        task.cancel("never mind");
        assert!(task.await.unwrap_err().is_cancelled());
        assert_eq!((ran.get(), drops.count()), (false, 1));
    });
}

#[test]
fn a_cancelled_task_is_not_polled_again_though_it_was_woken_first() {
    within(async {
        let (place, log) = (Rc::new(RefCell::new(None)), Log::new());
        let (waker, steps) = (Rc::clone(&place), log.clone());
        let task = spawn(async move {
            steps.push("waits");
            KeepWaker(waker).await;
            steps.push("never");
        });
        petla::yield_now().await;
        place.borrow().as_ref().unwrap().wake_by_ref();
        task.cancel(());
        assert!(task.await.unwrap_err().is_cancelled());
        assert_eq!(log.take(), ["waits"]);
    });
}

#[test]
fn a_value_returned_in_the_poll_that_cancels_itself_is_kept() {
    within(async {
        let task = spawn(async {
            assert!(current_task().unwrap().cancel("too late"));
            "value"
        });
        assert_eq!(task.await.unwrap(), "value");
    });
}

#[test]
fn a_task_that_cancels_itself_and_then_waits_is_not_resumed() {
    within(async {
        let (log, drops) = (Log::new(), Drops::default());
        let (steps, guard) = (log.clone(), drops.guard());
        let task = spawn(async move {
            let _guard = guard;
            current_task().unwrap().cancel("by itself");
            steps.push("before");
            petla::yield_now().await;
            steps.push("after");
        });
        assert_eq!(task.await.unwrap_err().reason(), Some("by itself"));
        assert_eq!((log.take(), drops.count()), (vec!["before"], 1));
    });
}

#[test]
fn a_panic_in_the_poll_that_cancels_itself_is_what_the_waiter_gets() {
    within(async {
        let task: Task<()> = spawn(async {
            current_task().unwrap().cancel("lost to the panic");
            raise("worse")
        });
        assert!(task.await.unwrap_err().is_panic());
    });
}

#[test]
fn cancelling_a_task_that_has_ended_is_false_however_it_ended() {
    within(async {
        let value = spawn(async { 1 });
        let panicked: Task<()> = spawn(async { raise("ended") });
        let cancelled = idle(&Drops::default());
        cancelled.cancel(());
        petla::yield_now().await;
        assert!(!value.cancel("a"));
        assert!(!panicked.cancel("b"));
        assert!(!cancelled.cancel("c"));
        assert_eq!(value.await.unwrap(), 1);
        assert!(panicked.await.unwrap_err().is_panic());
        assert_eq!(cancelled.await.unwrap_err().reason(), None);
    });
}

#[test]
fn a_waiter_learns_of_the_cancellation_when_the_future_is_gone() {
    within(async {
        for _ in 0..3 {
            let drops = Drops::default();
            let task = idle(&drops);
            petla::yield_now().await;
            task.cancel(());
            assert!(task.await.is_err());
            assert_eq!(drops.count(), 1);
        }
    });
}

#[test]
fn tasks_are_cancelled_in_the_order_of_the_requests() {
    within(async {
        let log = Log::new();
        let tasks: Vec<Task<()>> = (0..5)
            .map(|n| {
                let log = log.clone();
                spawn(async move {
                    let _note = OnDrop(|| log.push(n));
                    pending().await
                })
            })
            .collect();
        petla::yield_now().await;
        for n in [3, 1, 4, 0, 2] {
            tasks[n].cancel(());
        }
        petla::yield_now().await;
        assert_eq!(log.take(), [3, 1, 4, 0, 2]);
    });
}

#[test]
fn a_task_can_cancel_its_spawner() {
    within(async {
        let spawner = spawn(async {
            let me = current_task().unwrap();
            spawn(async move { me.cancel("by the child") })
                .await
                .unwrap();
            pending::<()>().await
        });
        assert_eq!(spawner.await.unwrap_err().reason(), Some("by the child"));
    });
}

static PLACE: ContextVar<&str> = ContextVar::new(|| "nowhere");

#[test]
fn the_destructors_of_a_cancelled_task_run_as_that_task() {
    within(async {
        let log = Log::new();
        let notes = log.clone();
        let task = spawn(async move {
            PLACE.set("inside");
            let _note = OnDrop(|| {
                let me = current_task().unwrap();
                notes.push((me.name(), PLACE.get(), me.is_finished()));
                drop(spawn(async {}));
            });
            pending::<()>().await
        })
        .named("dying");
        petla::yield_now().await;
        task.cancel(());
        assert!(task.await.is_err());
        assert_eq!(log.take(), [("dying".into(), "inside", false)]);
    });
}

#[test]
fn a_destructor_that_panics_makes_a_cancelled_task_a_panicked_one() {
    within(async {
        let task = spawn(async {
            let _broken = OnDrop(|| raise("while cancelled"));
            pending::<()>().await
        });
        petla::yield_now().await;
        task.cancel(());
        assert_eq!(
            task.await.unwrap_err().to_string(),
            "task panicked: while cancelled"
        );
    });
}

#[test]
fn cancelling_the_main_task_ends_the_run_with_an_error() {
    let event_loop = EventLoop::new().unwrap();
    let drops = Drops::default();
    let result = event_loop.run_until_complete(async {
        let _guard = drops.guard();
        let me = current_task().unwrap();
        drop(spawn(async move { me.cancel("no main") }));
        pending::<()>().await
    });
    assert_eq!((result, drops.count()), (Err(RunError::Cancelled), 1));
    assert_eq!(
        event_loop.run_until_complete(async { 1 }),
        Ok(1),
        "the loop stays usable"
    );
}

#[test]
fn a_cancel_between_two_runs_is_served_by_the_next() {
    let event_loop = EventLoop::new().unwrap();
    let drops = Drops::default();
    let task = event_loop.spawn(drops.forever());
    event_loop.run_until_complete(petla::yield_now()).unwrap();
    assert!(task.cancel("between runs") && !task.is_finished());
    let error = event_loop.run_until_complete(task).unwrap().unwrap_err();
    assert_eq!((error.reason(), drops.count()), (Some("between runs"), 1));
}
