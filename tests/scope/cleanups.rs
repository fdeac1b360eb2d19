//! Clean-ups: which of them run, in which order, for how long, and what they may do.

use std::cell::Cell;
use std::future::pending;
use std::rc::Rc;
use std::time::Duration;

use petla::{
    CancelScope, Cancelled, ContextVar, Scope, current_task, gather, on_cancel, shield, sleep,
    spawn, spawn_eager, testing, timeout, yield_now,
};

use crate::common::hand::hand;
use crate::common::{Drops, OnDrop, collect_reports, panic_text, raise};
use crate::{Story, ms};

/// Runs a body that is cancelled at its first wait.
async fn cancelled(body: impl for<'a, 'b> AsyncFnOnce(&'a Scope<'b>)) {
    let scope = CancelScope::new();
    let end = scope.run(async |s| {
        body(s).await;
        s.cancel(());
        pending::<()>().await
    });
    end.await.unwrap_err();
}

#[test]
fn the_last_registered_runs_first_one_after_the_other() {
    testing::run(async {
        let story = Story::new();
        let scope = CancelScope::new();
        let run = scope.run(async |s| {
            s.on_cancel(story.note_after(ms(1), "first"));
            s.finally(story.note_after(ms(1), "second"));
            s.on_cancel(story.note_after(ms(1), "third"));
            s.cancel(());
            pending::<()>().await
        });
        run.await.unwrap_err();
        story.is(&["1 third", "2 second", "3 first"]);
    });
}

#[test]
fn three_levels_are_cleaned_up_inside_out() {
    testing::run(async {
        let story = Story::new();
        let scopes: [CancelScope; 3] = Default::default();
        let run = scopes[0].run(async |s| {
            s.on_cancel(story.note_after(ms(1), "outer"));
            let run = scopes[1].run(async |s| {
                s.on_cancel(story.note_after(ms(1), "middle, first"));
                s.on_cancel(story.note_after(ms(1), "middle, last"));
                let run = scopes[2].run(async |s| {
                    s.on_cancel(story.note_after(ms(1), "inner"));
                    scopes[0].cancel(());
                    pending::<()>().await
                });
                run.await
            });
            run.await
        });
        assert!(run.await.is_err());
        story.is(&["1 inner", "2 middle, last", "3 middle, first", "4 outer"]);
    });
}

#[test]
fn the_body_is_gone_before_the_first_clean_up() {
    testing::run(async {
        let story = Story::new();
        let scope = CancelScope::new();
        let run = scope.run(async |s| {
            s.finally(async { story.note("clean-up") });
            let _body = OnDrop(|| story.note("body"));
            s.cancel(());
            pending::<()>().await
        });
        run.await.unwrap_err();
        story.is(&["0 body", "0 clean-up"]);
    });
}

#[test]
fn they_may_borrow_what_outlives_the_scope() {
    testing::run(async {
        let mut count = 0;
        let text = String::from("borrowed");
        let scope = CancelScope::new();
        let run = scope.run(async |s| {
            let count = &mut count;
            s.finally(async {
                yield_now().await;
                *count += text.len();
            });
            s.cancel(());
            pending::<()>().await
        });
        run.await.unwrap_err();
        assert_eq!(count, 8);
    });
}

#[test]
fn finally_runs_on_value_panic_and_cancel_and_on_cancel_on_cancel_alone() {
    testing::run(async {
        let story = Story::new();
        for how in ["value", "panic", "cancel"] {
            let scope = CancelScope::new();
            let run = scope.run(async |s| {
                s.finally(async { story.note("finally") });
                s.on_cancel(async { story.note("on_cancel") });
                match how {
                    "value" => {}
                    "panic" => raise("in the body"),
                    _ => {
                        s.cancel(());
                        yield_now().await;
                    }
                }
            });
            let mut run = hand(run);
            match how {
                "panic" => drop(panic_text(|| run.poll())),
                _ => assert_eq!(run.ready().is_ok(), how == "value"),
            }
            match how {
                "cancel" => story.is(&["0 on_cancel", "0 finally"]),
                _ => story.is(&["0 finally"]),
            }
        }
    });
}

#[test]
fn a_panic_of_the_body_goes_on_after_the_clean_ups() {
    testing::run(async {
        let story = Story::new();
        let theirs = story.clone();
        let task = spawn(async move {
            let scope = CancelScope::new();
            let run = scope.run(async |s| {
                s.finally(theirs.note_after(ms(5), "cleaned up"));
                raise("in the body")
            });
            let _: Result<(), Cancelled> = run.await;
        });
        assert!(task.await.unwrap_err().is_panic());
        story.is(&["5 cleaned up"]);
    });
}

#[test]
fn a_disarmed_one_does_not_run_and_does_not_pile_up() {
    testing::run(async {
        let drops = Drops::default();
        let scope = CancelScope::new();
        let run = scope.run(async |s| {
            for _ in 0..10_000 {
                let guard = drops.guard();
                let undo = s.on_cancel(async move {
                    let _guard = guard;
                    unreachable!("it was disarmed");
                });
                undo.disarm();
            }
            assert!(drops.count() > 9_000, "only {} are gone", drops.count());
            s.cancel(());
            pending::<()>().await
        });
        run.await.unwrap_err();
        assert_eq!(drops.count(), 10_000);
    });
}

#[test]
fn one_registered_by_a_destructor_of_the_body_runs_as_well() {
    testing::run(async {
        let story = Story::new();
        cancelled(async |s| {
            let theirs = story.clone();
            s.on_cancel(async move { theirs.note("first registered") });
        })
        .await;
        let scope = CancelScope::new();
        let run = scope.run(async |s| {
            let _late = OnDrop(|| drop(s.on_cancel(async { story.note("late") })));
            s.cancel(());
            pending::<()>().await
        });
        run.await.unwrap_err();
        story.is(&["0 first registered", "0 late"]);
    });
}

#[test]
fn one_that_panics_is_reported_and_the_next_runs() {
    testing::run(async {
        let (story, reports) = (Story::new(), collect_reports());
        let scope = CancelScope::new();
        let run = scope.run(async |s| {
            s.on_cancel(async { story.note("next") });
            s.on_cancel(async {
                yield_now().await;
                raise("in a clean-up")
            });
            s.cancel("kept");
            pending::<()>().await
        });
        assert_eq!(run.await.unwrap_err().reason(), Some("kept"));
        story.is(&["0 next"]);
        assert_eq!(
            reports.take(),
            ["a clean-up panicked: panicked: in a clean-up"]
        );
    });
}

#[test]
fn one_that_hangs_is_dropped_at_the_limit_and_its_place_reported() {
    testing::run(async {
        let (story, reports) = (Story::new(), collect_reports());
        let scope = CancelScope::new().cleanup_limit(ms(7));
        let line = Cell::new(0);
        let run = scope.run(async |s| {
            s.on_cancel(async {
                story.note("has its one poll");
                yield_now().await;
                unreachable!("no time is left");
            });
            line.set(line!() + 1);
            s.on_cancel(async {
                let _gone = OnDrop(|| story.note("dropped"));
                pending::<()>().await;
            });
            s.cancel(());
            pending::<()>().await
        });
        run.await.unwrap_err();
        story.is(&["7 dropped", "7 has its one poll"]);
        let reports = reports.take();
        assert_eq!(reports.len(), 2, "{reports:?}");
        let place = format!("tests/scope/cleanups.rs:{}:", line.get());
        assert!(reports[0].contains(&place), "{} not in {reports:?}", place);
        assert!(reports[0].contains("did not end within its limit"));
    });
}

#[test]
fn the_limit_holds_for_what_is_open_inside_and_their_clean_ups() {
    testing::run(async {
        let (story, reports) = (Story::new(), collect_reports());
        let scope = CancelScope::new().cleanup_limit(ms(7));
        let run = scope.run(async |s| {
            let inner = CancelScope::new();
            let run = inner.run(async |i| {
                i.on_cancel(story.note_after(ms(100), "too slow"));
                s.cancel(());
                pending::<()>().await
            });
            run.await
        });
        assert!(run.await.is_err());
        assert_eq!(story.elapsed(), 7);
        let reports = reports.take();
        assert_eq!(reports.len(), 2, "{reports:?}");
        assert!(reports[0].contains("did not end in time and was dropped"));
        assert!(reports[1].contains("clean-ups that borrow were lost"));
        story.is(&[]);
    });
}

#[test]
fn a_limit_of_zero_leaves_each_one_poll() {
    testing::run(async {
        let (story, reports) = (Story::new(), collect_reports());
        let scope = CancelScope::new().cleanup_limit(Duration::ZERO);
        let run = scope.run(async |s| {
            s.on_cancel(async { story.note("at once") });
            s.on_cancel(yield_now());
            s.on_cancel(async { story.note("at once too") });
            s.cancel(());
            pending::<()>().await
        });
        run.await.unwrap_err();
        story.is(&["0 at once too", "0 at once"]);
        assert_eq!(reports.len(), 1);
    });
}

#[test]
fn one_may_spawn_and_open_scopes_and_limits_while_all_around_is_cancelled() {
    testing::run(async {
        let story = Story::new();
        let outer = CancelScope::new();
        let run = outer.run(async |o| {
            let scope = CancelScope::new();
            let run = scope.run(async |s| {
                s.on_cancel(async {
                    let task = spawn(async {
                        sleep(ms(1)).await;
                        5
                    });
                    assert_eq!(task.await.unwrap(), 5);
                    assert_eq!(spawn_eager(async { 6 }).await.unwrap(), 6);
                    story.note("spawned");
                    let own = CancelScope::new().timeout(ms(2));
                    let inside = own.run(async |s| {
                        s.on_cancel(story.note_after(ms(1), "cleaned up inside"));
                        shield(sleep(ms(1))).await;
                        pending::<()>().await
                    });
                    assert!(inside.await.unwrap_err().deadline().is_some());
                    assert!(timeout(ms(1), pending::<()>()).await.is_err());
                    assert_eq!(gather([async { 1 }]).await, [1]);
                    story.note("ended");
                });
                o.cancel(());
                pending::<()>().await
            });
            run.await
        });
        assert!(run.await.is_err());
        story.is(&["1 spawned", "4 cleaned up inside", "5 ended"]);
    });
}

#[test]
fn one_that_is_nested_in_another_runs_before_that_goes_on() {
    testing::run(async {
        let story = Story::new();
        let scope = CancelScope::new();
        let run = scope.run(async |s| {
            s.finally(async {
                let inner = CancelScope::new();
                let run = inner.run(async |s| {
                    s.finally(story.note_after(ms(1), "inner"));
                });
                run.await.unwrap();
                story.note("outer");
            });
        });
        run.await.unwrap();
        story.is(&["1 inner", "1 outer"]);
    });
}

#[test]
fn no_cancel_reaches_one_that_runs() {
    testing::run(async {
        let story = Story::new();
        let theirs = story.clone();
        let task = spawn(async move {
            let limited = timeout(ms(2), async {
                let scope = CancelScope::new();
                let run = scope.run(async |s| {
                    s.on_cancel(theirs.note_after(ms(10), "not disturbed"));
                    s.cancel(());
                    pending::<()>().await
                });
                run.await
            });
            let _ = limited.await;
            theirs.note("the limit is served");
            pending::<()>().await
        });
        sleep(ms(5)).await;
        task.cancel("in the midst of it");
        assert!(task.await.map(|(): ()| ()).unwrap_err().is_cancelled());
        story.is(&["10 not disturbed"]);
    });
}

static CITY: ContextVar<&str> = ContextVar::new(|| "nowhere");

#[test]
fn it_runs_as_its_task_with_the_tasks_values_also_as_a_task_of_its_own() {
    testing::run(async {
        let story = Story::new();
        let theirs = story.clone();
        let task = spawn(async move {
            CITY.set("Paris");
            let id = current_task().unwrap().id();
            let scope = CancelScope::new();
            let run = scope.run(async |s| {
                s.finally(async {
                    yield_now().await;
                    assert_eq!(current_task().unwrap().id(), id);
                    theirs.note(CITY.get());
                });
                CITY.set("Rome");
            });
            run.await.unwrap();
            let orphan = theirs.clone();
            let mut dropped = hand(CancelScope::new().run(async |s| {
                s.finally_static(async move {
                    yield_now().await;
                    assert_ne!(current_task().unwrap().id(), id);
                    orphan.note(CITY.get());
                });
                pending::<()>().await
            }));
            dropped.waits();
            CITY.set("Oslo");
        });
        task.await.unwrap();
        sleep(ms(1)).await;
        story.is(&["0 Rome", "0 Oslo"]);
    });
}

#[test]
fn what_a_running_will_registers_may_look_at_its_task_when_it_is_dropped() {
    testing::run(async {
        let place = Rc::new(Cell::new(None));
        let keep = place.clone();
        let task = spawn(async move {
            on_cancel(async move {
                let looks = OnDrop(move || keep.set(current_task()));
                on_cancel(async move { drop(looks) }).disarm();
            });
            pending::<()>().await
        });
        yield_now().await;
        task.cancel(());
        assert!(task.await.is_err());
        let task = place.take().unwrap();
        assert!(task.is_finished() && !task.cancel("it is gone"));
    });
}
