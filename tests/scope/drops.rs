//! The table "who drops what" of `petla::scope`, row by row.
//!
//! In each row the same is open: a scope with a clean-up that borrows and takes a while, another
//! scope inside with one that is static, and code between them.

use std::future::{Future, pending, poll_fn};
use std::task::Poll;

use petla::{
    CancelScope, JoinError, all_tasks, gather, move_on_after, now, select, sleep, spawn, testing,
    timeout, try_gather, wait_for, yield_now,
};

use crate::common::hand::{hand, waiting};
use crate::common::{OnDrop, collect_reports, loop_on};
use crate::{Story, ms};

/// What is open inside.
async fn open(story: Story) {
    let outer = CancelScope::new();
    let run = outer.run(async |s| {
        s.on_cancel(story.note_after(ms(2), "outer cleaned up"));
        let inner = CancelScope::new();
        let run = inner.run(async |s| {
            let theirs = story.clone();
            s.on_cancel_static(async move { theirs.note_after(ms(1), "inner cleaned up").await });
            let _body = OnDrop(|| story.note("dropped"));
            pending::<()>().await
        });
        let _ = run.await;
        story.note("resumed between");
    });
    let _ = run.await;
    story.note("resumed");
}

/// Inside out, each after the other.
const IN_ORDER: [&str; 4] = [
    "5 dropped",
    "6 inner cleaned up",
    "8 outer cleaned up",
    "8 over",
];

/// What is told when `ends` ends what is open after 5 ms, and waits for it.
async fn in_order_by(ends: impl AsyncFnOnce(Story)) {
    let story = Story::new();
    ends(story.clone()).await;
    story.note("over");
    story.is(&IN_ORDER);
}

#[test]
fn a_scope_that_is_cancelled_waits_for_what_is_open_inside() {
    testing::run(in_order_by(async |story| {
        let scope = CancelScope::new();
        let remote = scope.clone();
        let canceller = spawn(async move {
            sleep(ms(5)).await;
            remote.cancel(())
        });
        assert!(scope.run(async |_| open(story).await).await.is_err());
        assert!(canceller.await.unwrap());
    }));
}

#[test]
fn so_does_a_deadline() {
    testing::run(async {
        in_order_by(async |story| {
            let scope = CancelScope::new().timeout_at(now() + ms(5));
            assert!(scope.run(async |_| open(story).await).await.is_err());
        })
        .await;
        in_order_by(async |story| {
            let limited = move_on_after(ms(5), async |_| open(story).await);
            assert!(limited.await.is_none());
        })
        .await;
    });
}

#[test]
fn so_does_a_task_that_is_cancelled() {
    testing::run(in_order_by(async |story| {
        let task = spawn(open(story));
        sleep(ms(5)).await;
        task.cancel("enough");
        assert!(matches!(task.await, Err(JoinError::Cancelled(_))));
    }));
}

#[test]
fn so_does_a_task_whose_awaited_handle_is_dropped() {
    testing::run(in_order_by(async |story| {
        let task = waiting(spawn(open(story)));
        sleep(ms(5)).await;
        drop(task);
        sleep(ms(3)).await;
        yield_now().await;
    }));
}

#[test]
fn so_do_timeout_and_wait_for() {
    testing::run(async {
        in_order_by(async |story| assert!(timeout(ms(5), open(story)).await.is_err())).await;
        in_order_by(async |story| assert!(wait_for(open(story), ms(5)).await.is_err())).await;
        in_order_by(async |story| {
            let task = spawn(open(story));
            assert!(task.wait_for(ms(5)).await.unwrap_err().is_timeout());
        })
        .await;
    });
}

#[test]
fn so_does_the_end_of_run() {
    let event_loop = loop_on(&testing::VirtualClock::auto());
    let story = event_loop
        .run_until_complete(async {
            let story = Story::new();
            let theirs = story.clone();
            spawn(async move {
                let _over = OnDrop(|| theirs.note("over"));
                open(theirs.clone()).await;
            })
            .detach();
            sleep(ms(5)).await;
            story
        })
        .unwrap();
    event_loop.close().unwrap();
    story.is(&IN_ORDER);
}

/// What is told when it was dropped after 5 ms, and what was reported.
async fn dropped_by(drops: impl AsyncFnOnce(&Story)) {
    let (story, reports) = (Story::new(), collect_reports());
    drops(&story).await;
    story.note("over");
    sleep(ms(10)).await;
    story.is(&["5 dropped", "5 over", "6 inner cleaned up"]);
    let report = reports.only();
    assert!(report.contains("not cancelled, and clean-ups that borrow were lost: 1 of them"));
    assert!(report.contains("the first registered at tests/scope/drops.rs:"));
}

#[test]
fn select_just_drops() {
    testing::run(dropped_by(async |story| {
        select! {
            () = open(story.clone()) => unreachable!("it waits"),
            () = sleep(ms(5)) => {}
        }
    }));
}

#[test]
fn try_gather_just_drops() {
    testing::run(dropped_by(async |story| {
        let opened = async {
            open(story.clone()).await;
            Ok(())
        };
        let fails = async {
            sleep(ms(5)).await;
            Err::<(), _>("broken")
        };
        assert!(try_gather!(opened, fails).await.is_err());
    }));
}

#[test]
fn gather_that_is_dropped_just_drops() {
    testing::run(dropped_by(async |story| {
        let mut all = hand(gather([open(story.clone())]));
        all.waits();
        sleep(ms(5)).await;
        drop(all);
    }));
}

#[test]
fn a_future_polled_by_hand_is_just_dropped() {
    testing::run(dropped_by(async |story| {
        let opened = waiting(open(story.clone()));
        sleep(ms(5)).await;
        drop(opened);
    }));
}

#[test]
fn a_foreign_combinator_just_drops() {
    async fn race(a: impl Future<Output = ()>, b: impl Future<Output = ()>) {
        let (mut a, mut b) = (Box::pin(a), Box::pin(b));
        poll_fn(|cx| match a.as_mut().poll(cx) {
            Poll::Pending => b.as_mut().poll(cx),
            Poll::Ready(()) => Poll::Ready(()),
        })
        .await;
    }
    testing::run(dropped_by(async |story| {
        race(open(story.clone()), sleep(ms(5))).await
    }));
}

#[test]
fn a_scope_dropped_in_the_middle_of_a_clean_up_hands_on_what_is_static() {
    testing::run(async {
        let (story, reports) = (Story::new(), collect_reports());
        let scope = CancelScope::new();
        let theirs = story.clone();
        let mut run = hand(scope.run(async |s| {
            s.on_cancel(async { unreachable!("it borrows: lost") });
            s.on_cancel_static(async move {
                theirs.note("begun");
                theirs.note_after(ms(1), "ended").await;
            });
            s.cancel(());
            pending::<()>().await
        }));
        run.waits();
        drop(run);
        sleep(ms(1)).await;
        yield_now().await;
        story.is(&["0 begun", "1 ended"]);
        assert_eq!(reports.take().len(), 1);
    });
}

#[test]
fn a_scope_that_never_began_owes_nothing_when_it_is_dropped() {
    testing::run(async {
        let reports = collect_reports();
        drop(CancelScope::new().run(async |s| s.finally(pending())));
        let mut idle = hand(CancelScope::new().run(async |_| pending::<()>().await));
        idle.waits();
        drop(idle);
        assert_eq!(reports.len(), 0);
    });
}

#[test]
fn orphans_that_hang_are_dropped_when_the_time_for_clean_ups_is_up() {
    testing::run(async {
        let reports = collect_reports();
        let mut run = hand(CancelScope::new().run(async |s| {
            s.finally_static(pending());
            pending::<()>().await
        }));
        run.waits();
        drop(run);
        assert_eq!(all_tasks().len(), 2, "a task that cleans up");
        sleep(ms(6000)).await;
        assert_eq!(all_tasks().len(), 1);
        assert_eq!(reports.take().len(), 1);
    });
}
