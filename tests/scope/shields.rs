//! Shields: what a cancel waits for, and what happens after.

use std::cell::Cell;
use std::future::pending;
use std::time::Duration;

use petla::{
    CancelScope, Elapsed, gather, select, shield, sleep, spawn, testing, timeout, wait_for,
    yield_now,
};

use crate::common::{Bell, OnDrop, collect_reports, raise};
use crate::{Story, ms};

#[test]
fn it_gives_what_its_future_gives() {
    // W16: result, exception.
    testing::run(async {
        assert_eq!(shield(async { 5 }).await, 5);
        assert_eq!(
            shield(async { Err::<(), _>("broken") }).await,
            Err("broken")
        );
        let task = spawn(async { shield(async { raise("inside") }).await });
        let error = task.await.map(|(): ()| ()).unwrap_err();
        assert!(error.is_panic());
        assert!(format!("{:?}", shield(async {})).contains("Shield"));
    });
}

#[test]
fn a_cancel_inside_is_none_outside() {
    // W16: inner cancel.
    testing::run(async {
        let outer = CancelScope::new();
        let run = outer.run(async |_| {
            let scope = CancelScope::new();
            scope.cancel("inside");
            let end = shield(scope.run(async |_| ())).await;
            assert_eq!(end.unwrap_err().reason(), Some("inside"));
            yield_now().await;
            5
        });
        assert_eq!(run.await.unwrap(), 5);
    });
}

#[test]
fn a_cancel_outside_waits_and_takes_place_at_the_next_wait() {
    // W16: outer cancel.
    testing::run(async {
        let story = Story::new();
        let scope = CancelScope::new();
        let run = scope.run(async |s| {
            s.cancel(());
            shield(story.note_after(ms(5), "shielded")).await;
            story.note("goes on to the next wait");
            yield_now().await;
            unreachable!("it was cancelled")
        });
        assert!(run.await.map(|(): ()| ()).is_err());
        story.is(&["5 shielded", "5 goes on to the next wait"]);
    });
}

#[test]
fn a_value_right_after_the_shield_is_kept() {
    testing::run(async {
        let scope = CancelScope::new();
        let run = scope.run(async |s| {
            s.cancel("asked");
            shield(sleep(ms(5))).await;
            5
        });
        assert_eq!(run.await.unwrap(), 5);
        assert!(scope.cause().is_some());
    });
}

#[test]
fn an_error_in_a_shield_whose_waiter_was_cancelled_goes_nowhere_unseen() {
    // W16: asyncio logs it once, or twice; here it goes to whoever stands beside it.
    testing::run(async {
        let reports = collect_reports();
        let seen = Cell::new(None);
        let task_seen = &seen;
        let end = timeout(ms(1), async {
            let end = shield(async {
                sleep(ms(5)).await;
                Err::<(), _>("late")
            });
            task_seen.set(Some(end.await.unwrap_err()));
            yield_now().await;
        });
        assert_eq!(end.await, Err(Elapsed));
        assert_eq!(seen.get(), Some("late"));
        assert_eq!(reports.len(), 0);
    });
}

#[test]
fn two_shields_of_one_task_are_two_borrows_of_its_handle() {
    // W16: two shields. What asyncio's shield does for a task: the waiter goes, the task stays.
    testing::run(async {
        let mut task = spawn(async {
            sleep(ms(5)).await;
            5
        });
        assert!(timeout(ms(1), &mut task).await.is_err());
        assert!(timeout(ms(1), &mut task).await.is_err());
        assert_eq!(task.await.unwrap(), 5);
    });
}

#[test]
fn shields_in_a_gather_that_is_cancelled_all_end() {
    // W7
    testing::run(async {
        let story = Story::new();
        let scope = CancelScope::new();
        let run = scope.run(async |s| {
            s.cancel(());
            gather((1..=3).map(|n| shield(story.note_after(ms(n), "ended")))).await;
            story.note("all");
            yield_now().await;
        });
        assert!(run.await.is_err());
        story.is(&["1 ended", "2 ended", "3 ended", "3 all"]);
    });
}

#[test]
fn beside_a_shield_a_plain_sibling_goes_on_until_the_shield_ends() {
    testing::run(async {
        let story = Story::new();
        let scope = CancelScope::new();
        let run = scope.run(async |s| {
            s.cancel(());
            let sibling = story.note_after(ms(2), "sibling");
            let late = story.note_after(ms(9), "late");
            gather!(shield(story.note_after(ms(5), "shielded")), sibling, late).await
        });
        assert!(run.await.is_err());
        story.is(&["2 sibling", "5 shielded"]);
    });
}

#[test]
fn limits_of_all_lengths_wait_for_it() {
    // W15
    testing::run(async {
        let part = || async {
            shield(sleep(ms(5))).await;
            yield_now().await;
            5
        };
        assert_eq!(timeout(Duration::ZERO, part()).await, Err(Elapsed));
        assert_eq!(timeout(ms(1), part()).await, Err(Elapsed));
        assert_eq!(timeout(ms(9), part()).await, Ok(5));
        assert_eq!(wait_for(part(), None).await, Ok(5));
    });
}

#[test]
fn a_shielded_scope_is_cancelled_from_inside_and_by_its_own_handle() {
    testing::run(async {
        let story = Story::new();
        let outer = CancelScope::new();
        let inner = CancelScope::new().shielded();
        let remote = inner.clone();
        let canceller = spawn(async move {
            sleep(ms(5)).await;
            remote.cancel("by its own handle")
        });
        let run = outer.run(async |s| {
            s.cancel("outside");
            let end = inner.run(async |s| {
                s.on_cancel(story.note_after(ms(1), "cleaned up"));
                pending::<()>().await
            });
            assert_eq!(end.await.unwrap_err().reason(), Some("by its own handle"));
            story.note("ended");
            yield_now().await;
        });
        assert_eq!(run.await.unwrap_err().reason(), Some("outside"));
        assert!(canceller.await.unwrap());
        story.is(&["6 cleaned up", "6 ended"]);
    });
}

#[test]
fn a_shield_that_is_lifted_lets_the_cancel_in() {
    testing::run(async {
        let story = Story::new();
        let outer = CancelScope::new();
        let inner = CancelScope::new().shielded();
        let remote = inner.clone();
        let lifter = spawn(async move {
            sleep(ms(5)).await;
            remote.set_shield(false);
        });
        let run = outer.run(async |s| {
            s.cancel(());
            let _: Result<(), _> = inner
                .run(async |s| {
                    s.on_cancel(story.note_after(ms(1), "cleaned up"));
                    pending().await
                })
                .await;
            unreachable!("it is not resumed")
        });
        assert!(run.await.map(|(): ()| ()).is_err());
        assert!(inner.cause().is_none());
        story.is(&["6 cleaned up"]);
        lifter.await.unwrap();
    });
}

#[test]
fn a_shield_that_is_raised_in_time_holds_and_one_that_comes_late_does_not() {
    testing::run(async {
        for late in [false, true] {
            let story = Story::new();
            let outer = CancelScope::new();
            let run = outer.run(async |o| {
                let inner = CancelScope::new();
                let run = inner.run(async |s| {
                    if late {
                        o.cancel(());
                        yield_now().await;
                    }
                    s.set_shield(true);
                    o.cancel(());
                    story.note_after(ms(5), "shielded").await;
                });
                run.await
            });
            assert_eq!(run.await.is_err(), late);
            match late {
                true => story.is(&[]),
                false => story.is(&["5 shielded"]),
            }
        }
    });
}

#[test]
fn a_shield_in_a_shield_holds_when_the_outer_one_is_lifted() {
    testing::run(async {
        let story = Story::new();
        let outer = CancelScope::new();
        let lifted = CancelScope::new().shielded();
        let run = outer.run(async |o| {
            let run = lifted.run(async |s| {
                o.cancel(());
                s.set_shield(false);
                shield(story.note_after(ms(5), "still shielded")).await;
                pending::<()>().await
            });
            run.await
        });
        assert!(run.await.is_err());
        story.is(&["5 still shielded"]);
    });
}

#[test]
fn it_holds_a_task_that_is_cancelled_by_its_handles_drop() {
    testing::run(async {
        let story = Story::new();
        let theirs = story.clone();
        let mut task = Box::pin(spawn(async move {
            let _gone = OnDrop(|| theirs.note("gone"));
            shield(theirs.note_after(ms(5), "shielded")).await;
            pending::<()>().await
        }));
        select! {
            _ = &mut task => unreachable!("it waits"),
            () = sleep(ms(1)) => {}
        }
        drop(task);
        sleep(ms(9)).await;
        story.is(&["5 shielded", "5 gone"]);
    });
}

#[test]
fn a_plain_drop_does_not_wait_for_it() {
    testing::run(async {
        let story = Story::new();
        select! {
            () = shield(story.note_after(ms(5), "shielded")) => unreachable!("it takes longer"),
            () = sleep(ms(1)) => {}
        }
        sleep(ms(9)).await;
        story.is(&[]);
    });
}

#[test]
fn a_scope_inside_a_shield_is_cancelled_after_it_only() {
    testing::run(async {
        let story = Story::new();
        let scope = CancelScope::new();
        let run = scope.run(async |s| {
            s.cancel(());
            let inside = CancelScope::new();
            shield(inside.run(async |s| {
                s.finally(story.note_after(ms(1), "cleaned up"));
                story.note_after(ms(5), "undisturbed").await;
            }))
            .await
            .unwrap();
            let after = CancelScope::new();
            after.run(async |_| story.note("never")).await
        });
        assert!(run.await.is_err());
        story.is(&["5 undisturbed", "6 cleaned up"]);
    });
}

#[test]
fn a_hundred_thousand_waits_for_one_task_that_are_given_up_leave_nothing() {
    // B58: asyncio's shield is a handle by reference. It has one place for a waker, and an error
    // is whoever's who awaits it in the end, or is reported.
    testing::run(async {
        let reports = collect_reports();
        let work = async || {
            sleep(Duration::from_secs(3600)).await;
            Err::<(), _>("too late")
        };
        let (mut seen, mut unseen) = (spawn(work()), spawn(work()));
        let bells = [Bell::new(), Bell::new()];
        for round in 0..100_000 {
            let bell = &bells[round % 2];
            for task in [&mut seen, &mut unseen] {
                let mut limited = Box::pin(timeout(ms(1), task));
                assert!(bell.poll(&mut limited).is_pending());
            }
        }
        assert!(!bells[0].is_kept(), "no waker but the last is");
        unseen.detach();
        assert_eq!(seen.await.unwrap(), Err("too late"));
        yield_now().await;
        assert_eq!(reports.take().len(), 1, "of the one that was let go");
    });
}
