//! What must not break scopes: panics in every user callback, wakers that come back, futures
//! that are leaked or kept unpolled, loops inside loops.

use std::cell::{Cell, RefCell};
use std::future::{pending, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Poll, Wake, Waker};
use std::time::{Duration, Instant};

use petla::testing::VirtualClock;
use petla::{CancelScope, EventLoop, now, shield, sleep, spawn, testing, timeout, yield_now};

use crate::common::hand::{Hand, Meddler, hand};
use crate::common::{
    Bell, Log, OnDrop, collect_reports, collect_reports_of, loop_on, panic_text, poll_once, raise,
};

const LONG: Duration = Duration::from_secs(3600);
const SECOND: Duration = Duration::from_secs(1);

/// A scope that waits for ever in its body.
fn idle(scope: &CancelScope) -> Hand<'static, ()> {
    let scope = scope.clone();
    hand(async move {
        let _ = scope.run(async |_| pending::<()>().await).await;
    })
}

#[test]
fn a_limit_that_was_kept_does_not_keep_its_task_from_being_cancelled() {
    testing::run(async {
        let task = spawn(async {
            let scope = async { CancelScope::new().run(async |_| yield_now().await).await };
            let mut limited = pin!(timeout(LONG, scope));
            limited.as_mut().await.unwrap().unwrap();
            pending::<()>().await;
        });
        sleep(SECOND).await;
        task.cancel("enough");
        let end = timeout(SECOND, task).await.unwrap();
        assert_eq!(end.unwrap_err().reason(), Some("enough"));
    });
}

#[test]
fn limits_in_limits_that_are_over_leave_nothing_open() {
    let clock = VirtualClock::auto();
    let event_loop = loop_on(&clock);
    let main = async {
        let task = spawn(async {
            for yields in [false, true] {
                let scope = CancelScope::new();
                let body = scope.run(async move |_| match yields {
                    true => yield_now().await,
                    false => raise("in the first poll"),
                });
                let limits = timeout(LONG, timeout(LONG, timeout(LONG, body)));
                let mut limits = Box::pin(limits);
                match yields {
                    true => drop(limits.as_mut().await.unwrap()),
                    false => drop(panic_text(|| poll_once(&mut limits))),
                }
            }
            pending::<()>().await;
        });
        sleep(SECOND).await;
        task.cancel(());
        timeout(SECOND, task).await.unwrap().unwrap_err();
    };
    event_loop.run_until_complete(main).unwrap();
    event_loop.close().unwrap();
    assert_eq!(clock.elapsed(), SECOND);
}

#[test]
fn a_refused_second_run_leaves_an_ended_scope_ended() {
    testing::run(async {
        let scope = CancelScope::new();
        scope.run(async |_| ()).await.unwrap();
        let text = panic_text(|| hand(scope.run(async |_| ())).poll());
        assert!(text.contains("for one run"), "{text}");
        assert!(!scope.cancel("too late"));
    });
}

#[test]
fn a_destructor_of_a_lost_clean_up_that_panics_costs_the_others_nothing() {
    testing::run(async {
        let (reports, log) = (collect_reports(), Log::new());
        let scope = CancelScope::new();
        let static_log = log.clone();
        let mut run = hand(scope.run(async |s| {
            s.finally_static(async move { static_log.push("survived") });
            let bomb = OnDrop(|| raise("in a destructor"));
            s.finally(async move { drop(bomb) });
            pending::<()>().await
        }));
        run.waits();
        drop(run);
        assert!(!scope.cancel(()), "it is over");
        yield_now().await;
        assert_eq!(log.take(), ["survived"]);
        let reports = reports.take();
        assert_eq!(reports.len(), 2, "{reports:?}");
    });
}

#[test]
fn destructors_that_panic_while_a_scope_unwinds_do_not_abort() {
    testing::run(async {
        let reports = collect_reports();
        let run = CancelScope::new().run(async |s| {
            let bomb = OnDrop(|| raise("in a clean-up's destructor"));
            s.finally(async move { drop(bomb) });
            let _bomb = OnDrop(|| raise("in the body's destructor"));
            pending::<()>().await
        });
        let mut run = hand(run);
        run.waits();
        assert_eq!(panic_text(|| drop(run)), "in the body's destructor");
        assert_eq!(reports.take().len(), 2, "the panic, and that it was lost");
    });
}

#[test]
fn a_body_that_gave_its_value_is_not_rolled_back_by_a_plain_drop() {
    testing::run(async {
        let (reports, log) = (collect_reports(), Log::new());
        let rollback = log.clone();
        let mut run = hand(CancelScope::new().run(async |s| {
            s.on_cancel_static(async move { rollback.push("rolled back") });
            s.finally(pending());
        }));
        run.waits();
        drop(run);
        yield_now().await;
        assert_eq!(
            (reports.len(), log.len()),
            (1, 0),
            "the one that borrows is lost"
        );
    });
}

#[test]
fn a_cancelled_body_whose_destructor_panics_is_rolled_back_all_the_same() {
    testing::run(async {
        let log = Log::new();
        let end = spawn({
            let log = log.clone();
            async move {
                let scope = CancelScope::new();
                let body = scope.run(async |s| {
                    s.on_cancel(async { log.push("rolled back") });
                    let _bomb = OnDrop(|| raise("in a destructor"));
                    s.cancel(());
                    pending::<()>().await
                });
                let _ = body.await;
            }
        });
        assert!(end.await.unwrap_err().is_panic());
        assert_eq!(log.take(), ["rolled back"]);
    });
}

#[test]
fn the_wait_for_a_shield_takes_no_time_from_the_clean_ups() {
    for shielded in [Duration::from_millis(900), 100 * SECOND] {
        testing::run(async {
            let log = Log::new();
            let scope = CancelScope::new().cleanup_limit(SECOND);
            let result = scope.run(async |s| {
                s.on_cancel(async {
                    sleep(Duration::from_millis(500)).await;
                    log.push("rolled back");
                });
                s.cancel(());
                shield(sleep(shielded)).await;
                pending::<()>().await
            });
            assert!(result.await.is_err());
            assert_eq!(log.take(), ["rolled back"]);
        });
    }
}

#[test]
fn a_deadline_without_a_loop_panics_where_it_has_to_be_waited_for() {
    let scope = CancelScope::new().timeout_at(Instant::now() + LONG);
    let text = panic_text(|| hand(scope.run(async |_| pending::<()>().await)).poll());
    assert!(text.contains("needs a running event loop"), "{text}");
    let scope = CancelScope::new().timeout_at(Instant::now() + LONG);
    assert_eq!(hand(scope.run(async |_| 5)).ready().unwrap(), 5);
}

/// Where a waker finds what it meddles with.
type Kept = Rc<RefCell<Option<Hand<'static, ()>>>>;

#[test]
fn a_waker_may_poll_or_drop_the_scope_that_wakes_it() {
    for deed in ["poll", "drop"] {
        testing::run(async {
            let reports = collect_reports();
            let (outer, inner) = (CancelScope::new(), CancelScope::new().shielded());
            let kept: Kept = Rc::new(RefCell::new(Some(idle(&inner))));
            let theirs = Rc::clone(&kept);
            let waker = Meddler::waker(true, move || match deed {
                "poll" => theirs.borrow_mut().as_mut().unwrap().waits(),
                _ => drop(theirs.take()),
            });
            let mut run = hand(outer.run(async |_| {
                let mut theirs = kept.take().unwrap();
                assert!(theirs.poll_with(&waker).is_pending());
                kept.replace(Some(theirs));
                pending::<()>().await
            }));
            run.waits();
            outer.cancel(());
            // Which wakes the shield. Polled by its waker, it is inside no more.
            run.ready().unwrap_err();
            assert!(Meddler::has_meddled());
            assert_eq!(reports.take(), Vec::<String>::new());
        });
    }
}

#[test]
fn a_waker_that_is_dropped_may_use_the_scope_that_kept_it() {
    testing::run(async {
        let scope = CancelScope::new();
        let theirs = scope.clone();
        let mut run = idle(&scope);
        let waker = Meddler::waker(false, move || {
            theirs.set_shield(true);
            theirs.set_deadline(now() + LONG);
            theirs.cancel("by a waker");
        });
        assert!(run.poll_with(&waker).is_pending());
        drop(waker);
        run.ready();
        assert!(Meddler::has_meddled());
        assert_eq!(scope.cause().unwrap().reason(), Some("by a waker"));
    });
}

#[test]
fn a_waker_that_panics_does_not_reach_whoever_cancels() {
    testing::run(async {
        let reports = collect_reports();
        let (scope, bell) = (CancelScope::new(), Bell::broken());
        let mut run = idle(&scope);
        assert!(bell.poll(&mut run).is_pending());
        assert!(scope.cancel("anyway"));
        assert_eq!(reports.take().len(), 1);
        run.ready();
    });
}

#[test]
fn a_loop_does_not_wait_for_scopes_that_nobody_can_poll() {
    let clock = VirtualClock::auto();
    let event_loop = loop_on(&clock);
    let mut kept = idle(&CancelScope::new());
    event_loop
        .run_until_complete(async {
            let mut leaked = idle(&CancelScope::new());
            leaked.waits();
            kept.waits();
            crate::common::hand::leak(leaked);
        })
        .unwrap();
    event_loop.close().unwrap();
    assert_eq!(clock.elapsed(), Duration::ZERO);
}

/// Polls a scope by hand when it is dropped.
struct PollsScope;

impl Drop for PollsScope {
    fn drop(&mut self) {
        let mut run = hand(CancelScope::new().run(async |_| {
            let inner = async {
                CancelScope::new()
                    .run(async |_| pending::<()>().await)
                    .await
            };
            let _ = timeout(LONG, inner).await;
        }));
        run.waits();
    }
}

#[test]
fn a_scope_begins_in_the_handler_of_a_loop_that_is_closed_inside_another() {
    testing::run(async {
        let inner = EventLoop::new().unwrap();
        let seen = Rc::new(Cell::new(0));
        let count = Rc::clone(&seen);
        inner.set_exception_handler(move |_| {
            drop(PollsScope);
            assert!(petla::current_task().is_none());
            count.set(count.get() + 1);
        });
        for _ in 0..3 {
            inner
                .spawn(async {
                    let _bomb = OnDrop(|| raise("in a destructor"));
                    let _run = idle(&CancelScope::new()).await;
                })
                .detach();
        }
        inner.call_soon({
            let bomb = OnDrop(|| raise("in a callback's destructor"));
            move || drop(bomb)
        });
        let mut mine = idle(&CancelScope::new());
        mine.waits();
        inner.close().unwrap();
        drop(inner);
        assert!(seen.get() > 0);
        drop(mine);
    });
}

#[test]
fn a_scope_begins_in_a_destructor_on_a_loop_that_closes() {
    let event_loop = EventLoop::new().unwrap();
    let reports = collect_reports_of(&event_loop);
    let spawns = OnDrop(|| {
        let polls = PollsScope;
        drop(spawn(async move { drop(polls) }));
    });
    event_loop
        .spawn(async move {
            let _spawns = spawns;
            pending::<()>().await
        })
        .detach();
    event_loop.run_until_complete(yield_now()).unwrap();
    event_loop.close().unwrap();
    assert_eq!(reports.take(), Vec::<String>::new());
}

#[test]
fn a_loop_that_is_closed_inside_another_on_the_same_clock_does_not_hang() {
    let clock = VirtualClock::auto();
    let build = || loop_on(&clock);
    let (outer, inner) = (build(), build());
    let log = Log::new();
    let theirs = log.clone();
    inner
        .spawn(async move {
            let scope = CancelScope::new();
            let run = scope.run(async |s| {
                s.finally(async move {
                    sleep(SECOND).await;
                    theirs.push("in time");
                });
                pending::<()>().await
            });
            let _ = run.await;
        })
        .detach();
    inner.run_until_complete(yield_now()).unwrap();
    outer
        .run_until_complete(async {
            inner.close().unwrap();
        })
        .unwrap();
    assert_eq!(log.take(), ["in time"]);
}

#[test]
fn a_limit_that_moves_below_what_is_cancelled_takes_the_scopes_in_it_along() {
    testing::run(async {
        for by_task in [false, true] {
            let begin = now();
            let task = spawn(async move {
                let inner = CancelScope::new();
                let mut limited = Box::pin(timeout(LONG, inner.run(async |_| sleep(LONG).await)));
                assert!(poll_once(&mut limited).is_pending());
                let outer = CancelScope::new();
                let run = outer.run(async |s| {
                    match by_task {
                        true => drop(petla::current_task().unwrap().cancel(())),
                        false => drop(s.cancel(())),
                    }
                    shield(yield_now()).await;
                    let _ = limited.await;
                });
                assert!(run.await.is_err());
            });
            assert_eq!(task.await.is_err(), by_task);
            assert_eq!(now(), begin);
        }
    });
}

#[test]
fn what_a_shield_leaves_open_is_cancelled_with_what_is_around() {
    testing::run(async {
        let (begin, outer) = (now(), CancelScope::new());
        let inner = CancelScope::new();
        let mut limited = Box::pin(timeout(LONG, inner.run(async |_| sleep(LONG).await)));
        let run = outer.run(async |s| {
            s.cancel(());
            shield(async {
                assert!(poll_once(&mut limited).is_pending());
                yield_now().await;
            })
            .await;
            let _ = limited.await;
        });
        assert!(run.await.is_err());
        assert_eq!(now(), begin);
    });
}

/// A waker of no executor, whose destructor panics.
struct Bomb;

impl Wake for Bomb {
    fn wake(self: Arc<Self>) {}
}

impl Drop for Bomb {
    fn drop(&mut self) {
        raise("the waker is dropped");
    }
}

#[test]
fn a_waker_whose_destructor_panics_holds_up_no_cancel() {
    testing::run(async {
        let reports = collect_reports();
        let waker = Rc::new(RefCell::new(Some(Waker::from(Arc::new(Bomb)))));
        let (place, lent) = (Rc::new(RefCell::new(None)), waker.clone());
        let keep = place.clone();
        let task = spawn(async move {
            let scope = CancelScope::new();
            let run = scope.run(async |s| {
                s.on_cancel(pending());
                pending::<()>().await;
            });
            keep.replace(Some(hand(run)));
            poll_fn::<(), _>(|_| {
                let (mut run, waker) = (keep.borrow_mut(), lent.borrow());
                if let (Some(run), Some(waker)) = (run.as_mut(), waker.as_ref()) {
                    assert!(run.poll_with(waker).is_pending());
                }
                Poll::Pending
            })
            .await;
        });
        yield_now().await;
        task.cancel(());
        yield_now().await;
        yield_now().await;
        assert!(!task.is_finished(), "a clean-up runs in it");
        waker.take();
        let run = place.take();
        let dropped = catch_unwind(AssertUnwindSafe(|| drop(run)));
        assert!(timeout(SECOND, task).await.is_ok(), "it was told");
        assert!(dropped.is_ok() && reports.len() > 0);
    });
}
