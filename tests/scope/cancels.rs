//! Who is cancelled by whom, from where, and when a cancel comes too late.

use std::cell::{Cell, RefCell};
use std::future::pending;
use std::rc::Rc;

use petla::sync::CancelToken;
use petla::{
    CancelScope, Cancelled, current_task, gather, shield, sleep, spawn, spawn_eager, testing,
    timeout, yield_now,
};

use crate::common::{OnDrop, panic_text, raise, within};
use crate::{Story, ms};

#[test]
fn a_cancel_reaches_a_body_that_waits() {
    // K1
    testing::run(async {
        let scope = CancelScope::new();
        let remote = scope.clone();
        let canceller = spawn(async move {
            sleep(ms(3)).await;
            (remote.cancel("first"), remote.cancel("second"))
        });
        let cause = scope
            .run(async |_| pending::<()>().await)
            .await
            .unwrap_err();
        assert_eq!(cause.reason(), Some("first"), "twice is once");
        assert_eq!(cause.location().file(), file!());
        assert_eq!(canceller.await.unwrap(), (true, false));
    });
}

#[test]
fn cancelled_before_the_start_the_body_never_starts() {
    // K1
    testing::run(async {
        let scope = CancelScope::new();
        assert!(scope.cancel("early") && !scope.cancel("again"));
        let dropped = Cell::new(false);
        let mark = OnDrop(|| dropped.set(true));
        let run = scope.run(async move |_| {
            let _mark = mark;
            unreachable!("it never starts")
        });
        let end: Result<(), Cancelled> = run.await;
        assert_eq!(end.unwrap_err().reason(), Some("early"));
        assert!(dropped.get());
    });
}

#[test]
fn a_value_given_in_the_poll_that_cancels_is_kept() {
    // K1, B32: asyncio discards it, and once forgot the cancel.
    testing::run(async {
        let scope = CancelScope::new();
        let run = scope.run(async |s| {
            assert!(s.cancel("self"));
            5
        });
        assert_eq!(run.await.unwrap(), 5);
        assert_eq!(scope.cause().unwrap().reason(), Some("self"));
    });
}

#[test]
fn a_body_that_cancels_itself_goes_on_to_its_next_wait() {
    // K1
    testing::run(async {
        let story = Story::new();
        let scope = CancelScope::new();
        let run = scope.run(async |s| {
            s.cancel(());
            story.note("goes on");
            yield_now().await;
            unreachable!("cancelled at the first wait")
        });
        let end: Result<(), Cancelled> = run.await;
        assert_eq!(end.unwrap_err().reason(), None);
        story.is(&["0 goes on"]);
    });
}

#[test]
fn after_the_end_a_cancel_is_refused() {
    // K1
    testing::run(async {
        let scope = CancelScope::new();
        scope.run(async |_| ()).await.unwrap();
        assert!(!scope.cancel("late"));
        assert!(scope.cause().is_none());
        let scope = CancelScope::new();
        drop(scope.run(async |_| ()));
        assert!(scope.cancel("never begun, so not over"));
    });
}

#[test]
fn cancel_and_end_in_one_tick_give_the_value_in_both_orders() {
    // B34
    testing::run(async {
        for cancel_first in [true, false] {
            let scope = CancelScope::new();
            let remote = scope.clone();
            let at = petla::now() + ms(5);
            let cancel = async move {
                petla::sleep_until(at).await;
                remote.cancel("in one tick")
            };
            let run = {
                let scope = scope.clone();
                async move { scope.run(async |_| petla::sleep_until(at).await).await }
            };
            let (run, accepted) = if cancel_first {
                let cancel = spawn(cancel);
                (spawn(run), cancel)
            } else {
                (spawn(run), spawn(cancel))
            };
            let (end, accepted) = (run.await.unwrap(), accepted.await.unwrap());
            assert_eq!(accepted, cancel_first, "the value was there, or not yet");
            // A cancel that came before the poll with the value drops the body.
            assert_eq!(end.is_err(), cancel_first);
            assert_eq!(scope.cause().is_some(), accepted);
        }
    });
}

#[test]
fn a_body_that_cancels_itself_and_awaits_a_task_cancels_that() {
    // B33
    testing::run(async {
        let story = Story::new();
        let ended = story.clone();
        let child = spawn(async move {
            let _ended = OnDrop(|| ended.note("child"));
            pending::<()>().await
        });
        yield_now().await;
        let scope = CancelScope::new();
        let run = scope.run(async |s| {
            s.cancel(());
            let _ = child.await;
        });
        assert!(run.await.is_err());
        yield_now().await;
        story.is(&["0 child"]);
    });
}

#[test]
fn an_error_in_the_place_of_a_cancel_leaves_nothing_behind() {
    // B40
    testing::run(async {
        let outer = CancelScope::new();
        let run = outer.run(async |_| {
            let inner = CancelScope::new();
            inner.cancel("inside");
            let end = inner.run(async |_| ()).await;
            end.map_err(|_| "replaced")?;
            Ok::<(), &str>(())
        });
        assert_eq!(run.await.unwrap(), Err("replaced"));
        assert!(outer.cause().is_none());
        yield_now().await;
        timeout(ms(5), sleep(ms(1))).await.unwrap();
    });
}

#[test]
fn a_panic_in_a_body_ends_its_task_and_nothing_else() {
    // B48
    testing::run(async {
        let task = spawn(async {
            let scope = CancelScope::new();
            scope.run(async |_| raise("in the body")).await
        });
        let other = spawn(sleep(ms(5)));
        let error = task.await.map(|_: Result<(), _>| ()).unwrap_err();
        assert!(error.is_panic());
        other.await.unwrap();
    });
}

#[test]
fn what_is_shielded_to_the_end_ignores_the_cancel_and_gives_its_value() {
    // K3
    testing::run(async {
        let task = spawn(async {
            shield(async {
                sleep(ms(5)).await;
                5
            })
            .await
        });
        yield_now().await;
        assert!(task.cancel("ignored"));
        assert_eq!(task.await.unwrap(), 5);
    });
}

#[test]
fn scopes_of_an_eager_task_belong_to_it_and_not_to_where_it_was_spawned() {
    // K12, also bug 39: a timeout inside an eager step.
    testing::run(async {
        let story = Story::new();
        let outer = CancelScope::new();
        let kept = RefCell::new(None);
        let result = outer.run(async |s| {
            let theirs = story.clone();
            let eager = spawn_eager(async move {
                let inner = CancelScope::new();
                let limited = timeout(
                    ms(8),
                    inner.run(async |s| {
                        s.on_cancel(theirs.note_after(ms(1), "inner"));
                        pending::<()>().await
                    }),
                );
                limited.await.map(|_| ()).unwrap_err();
                current_task().unwrap().id()
            });
            kept.replace(Some(eager));
            s.on_cancel(story.note_after(ms(1), "outer"));
            sleep(ms(1)).await;
            s.cancel(());
            pending::<()>().await
        });
        assert!(result.await.is_err());
        story.is(&["2 outer"]);
        let eager = kept.take().unwrap();
        let id = eager.id();
        assert_eq!(eager.await.unwrap(), id);
        story.is(&["9 inner"]);
    });
}

#[test]
fn the_outer_cancel_is_not_seen_between_two_scopes() {
    testing::run(async {
        let story = Story::new();
        let outer = CancelScope::new();
        let result = outer.run(async |s| {
            let inner = CancelScope::new();
            let run = inner.run(async |_| {
                s.cancel("all");
                pending::<()>().await
            });
            let _ = run.await;
            unreachable!("the code between is not resumed")
        });
        assert_eq!(
            result.await.map(|(): ()| ()).unwrap_err().reason(),
            Some("all")
        );
        story.is(&[]);
    });
}

#[test]
fn a_cancelled_scope_is_a_state_every_wait_in_it_ends() {
    testing::run(async {
        let story = Story::new();
        let outer = CancelScope::new();
        let result = outer.run(async |s| {
            s.cancel("for good");
            shield(async {
                sleep(ms(5)).await;
                story.note("shielded");
            })
            .await;
            let late = CancelScope::new();
            let _: Result<(), _> = late.run(async |_| unreachable!("never starts")).await;
            unreachable!("and never ends")
        });
        assert!(result.await.map(|(): ()| ()).is_err());
        story.is(&["5 shielded"]);
    });
}

#[test]
fn a_cancel_from_a_destructor_of_the_body_comes_too_late_for_its_reason() {
    testing::run(async {
        let scope = CancelScope::new();
        let theirs = scope.clone();
        let run = scope.run(async |s| {
            let _cancels = OnDrop(move || assert!(!theirs.cancel("second")));
            s.cancel("first");
            pending::<()>().await
        });
        assert_eq!(run.await.unwrap_err().reason(), Some("first"));
    });
}

#[test]
fn a_destructor_may_cancel_the_scope_around_its_own() {
    testing::run(async {
        let (outer, inner) = (CancelScope::new(), CancelScope::new());
        let theirs = outer.clone();
        let result = outer.run(async |_| {
            inner.cancel(());
            let cancels = OnDrop(move || assert!(theirs.cancel("by a destructor")));
            let run = inner.run(async move |_| {
                let _cancels = cancels;
            });
            let _ = run.await;
            pending::<()>().await
        });
        assert_eq!(result.await.unwrap_err().reason(), Some("by a destructor"));
    });
}

#[test]
fn a_clean_up_may_cancel_its_own_scope_and_changes_nothing() {
    testing::run(async {
        let scope = CancelScope::new();
        let theirs = scope.clone();
        let run = scope.run(async |s| {
            s.finally(async move {
                assert!(theirs.cancel("too late for the body"));
                yield_now().await;
            });
            5
        });
        assert_eq!(run.await.unwrap(), 5);
        assert!(scope.cause().is_some());
    });
}

#[test]
fn a_linked_token_cancels_with_its_reason_before_and_while_it_runs() {
    testing::run(async {
        let token = CancelToken::new();
        let scope = CancelScope::new().linked(&token);
        let theirs = token.clone();
        let canceller = spawn(async move {
            sleep(ms(5)).await;
            theirs.cancel("by a token")
        });
        let cause = scope
            .run(async |_| pending::<()>().await)
            .await
            .unwrap_err();
        assert_eq!(cause.reason(), Some("by a token"));
        assert!(canceller.await.unwrap());
        let late = CancelScope::new().linked(&token);
        let end: Result<(), _> = late.run(async |_| unreachable!("cancelled before")).await;
        assert_eq!(end.unwrap_err().reason(), Some("by a token"));
        assert_eq!(token.statistics().waiting, 0);
    });
}

#[test]
fn a_linked_token_is_cancelled_with_its_scope_and_not_by_its_end() {
    testing::run(async {
        let (late, outer, ended) = (CancelToken::new(), CancelToken::new(), CancelToken::new());
        let scope = CancelScope::new().linked(&late).timeout(ms(5));
        assert!(scope.run(async |_| pending::<()>().await).await.is_err());
        assert!(late.check().is_err());

        let inner = CancelScope::new().linked(&outer);
        let run = CancelScope::new().run(async |s| {
            s.cancel("from above");
            inner.run(async |_| pending::<()>().await).await
        });
        assert!(run.await.is_err());
        assert!(outer.check().is_err());

        let scope = CancelScope::new().linked(&ended);
        assert_eq!(scope.run(async |_| 5).await.unwrap(), 5);
        assert!(ended.check().is_ok());
    });
}

#[test]
fn a_followed_token_cancels_and_is_left_alone() {
    testing::run(async {
        let token = CancelToken::new();
        let short = CancelScope::new().following(&token).timeout(ms(5));
        assert!(short.run(async |_| pending::<()>().await).await.is_err());
        assert!(token.check().is_ok());

        let other = CancelScope::new().following(&token);
        let run = other.run(async |_| {
            token.cancel("all end");
            pending::<()>().await
        });
        assert_eq!(run.await.unwrap_err().reason(), Some("all end"));
    });
}

#[test]
fn a_linked_token_is_cancelled_by_another_thread() {
    within(async {
        let token = CancelToken::new();
        let (begun, begins) = std::sync::mpsc::channel::<()>();
        let theirs = token.clone();
        let thread = std::thread::spawn(move || {
            begins.recv().unwrap();
            theirs.cancel("from a thread")
        });
        let scope = CancelScope::new().linked(&token);
        let run = scope.run(async |_| {
            begun.send(()).unwrap();
            pending::<()>().await
        });
        assert_eq!(run.await.unwrap_err().reason(), Some("from a thread"));
        assert!(thread.join().unwrap());
    });
}

#[test]
fn a_scope_beside_others_in_one_gather_is_cancelled_alone() {
    testing::run(async {
        let story = Story::new();
        let scopes: Vec<_> = (0..3).map(|_| CancelScope::new()).collect();
        let middle = scopes[1].clone();
        let canceller = spawn(async move {
            sleep(ms(2)).await;
            middle.cancel(())
        });
        let runs = scopes.iter().map(|scope| {
            let story = &story;
            async move {
                let run = scope.run(async |s| {
                    s.on_cancel(story.note_after(ms(1), "cleaned up"));
                    sleep(ms(5)).await;
                });
                let end = run.await.is_ok();
                story.note(if end { "value" } else { "cancelled" });
                end
            }
        });
        assert_eq!(gather(runs).await, [true, false, true]);
        assert!(canceller.await.unwrap());
        story.is(&["3 cleaned up", "3 cancelled", "5 value", "5 value"]);
    });
}

#[test]
fn a_panic_after_a_cancel_goes_on_and_the_scope_is_over() {
    testing::run(async {
        let scope = CancelScope::new();
        let mut run = crate::common::hand::hand(scope.run(async |s| {
            s.cancel("first");
            raise("then a panic")
        }));
        assert_eq!(
            panic_text(|| {
                let _: std::task::Poll<Result<(), _>> = run.poll();
            }),
            "then a panic"
        );
        assert!(!scope.cancel("late"));
    });
}

#[test]
fn a_scope_says_what_it_is() {
    testing::run(async {
        let scope = CancelScope::default();
        assert!(format!("{scope:?}").contains("New"));
        let told = Rc::new(Cell::new(0));
        scope
            .run(async |s| {
                told.set(format!("{s:?}").len());
                s.cancel(());
            })
            .await
            .unwrap();
        assert!(told.get() > 0 && format!("{scope:?}").contains("Over"));
    });
}
