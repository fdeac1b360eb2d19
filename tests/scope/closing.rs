//! The end of a loop: clean-ups run within its limit, and nothing else begins.

use std::future::pending;
use std::time::Duration;

use petla::event_loop::RunError;
use petla::testing::VirtualClock;
use petla::{CancelScope, EventLoop, JoinError, sleep, spawn, spawn_eager, yield_now};

use crate::common::hand::hand;
use crate::common::{Log, OnDrop, collect_reports_of, loop_on, raise};
use crate::{Story, ms};

fn on_virtual_time(limit: Duration) -> (EventLoop, VirtualClock) {
    let clock = VirtualClock::auto();
    let builder = EventLoop::builder().clock(clock.clone());
    (builder.cleanup_limit(limit).build().unwrap(), clock)
}

/// A scope that waits for ever, with this to clean up.
async fn open(cleanup: impl Future<Output = ()>) {
    let scope = CancelScope::new();
    let run = scope.run(async move |s| {
        s.on_cancel(cleanup);
        pending::<()>().await
    });
    let _ = run.await;
}

#[test]
fn the_clean_ups_of_all_tasks_run_at_the_same_time() {
    let (event_loop, clock) = on_virtual_time(ms(100));
    let ended = Log::new();
    let theirs = ended.clone();
    let main = async {
        for n in 1..=3 {
            let ended = theirs.clone();
            let cleanup = async move {
                sleep(ms(10 * n)).await;
                ended.push(n);
            };
            spawn(open(cleanup)).detach();
        }
        yield_now().await;
    };
    event_loop.run_until_complete(main).unwrap();
    event_loop.close().unwrap();
    assert_eq!(ended.take(), [1, 2, 3]);
    assert_eq!(clock.elapsed(), ms(30));
}

#[test]
fn what_is_left_is_cancelled_and_its_panics_are_reported() {
    // E7
    let (event_loop, clock) = on_virtual_time(ms(100));
    let reports = collect_reports_of(&event_loop);
    let kept = event_loop
        .run_until_complete(async {
            let kept = [spawn(pending::<()>())];
            drop(spawn(open(async {
                sleep(ms(1)).await;
                raise("while it cleaned up")
            })));
            drop(spawn(async {
                let _bomb = OnDrop(|| raise("in a destructor"));
                pending::<()>().await
            }));
            yield_now().await;
            kept
        })
        .unwrap();
    event_loop.close().unwrap();
    for kept in kept {
        assert!(kept.is_finished());
        assert!(matches!(hand(kept).ready(), Err(JoinError::Cancelled(_))));
    }
    let reports = reports.take();
    assert_eq!(reports.len(), 2, "{reports:?}");
    assert!(
        reports
            .iter()
            .any(|report| report.contains("while it cleaned up"))
    );
    assert!(
        reports
            .iter()
            .any(|report| report.contains("in a destructor"))
    );
    assert_eq!(clock.elapsed(), ms(1));
}

#[test]
fn at_the_limit_of_the_loop_what_still_cleans_up_is_dropped_and_reported() {
    let (event_loop, clock) = on_virtual_time(ms(50));
    let reports = collect_reports_of(&event_loop);
    let dropped = Log::new();
    let theirs = dropped.clone();
    let main = async {
        spawn(open(async move {
            let _gone = OnDrop(|| theirs.push(()));
            pending::<()>().await
        }))
        .detach();
        let scope = CancelScope::new();
        let mut orphan = hand(scope.run(async |s| {
            s.finally_static(pending());
            pending::<()>().await
        }));
        orphan.waits();
        drop(orphan);
        yield_now().await;
    };
    event_loop.run_until_complete(main).unwrap();
    event_loop.close().unwrap();
    assert_eq!((clock.elapsed(), dropped.len()), (ms(50), 1));
    let reports = reports.take();
    assert_eq!(
        reports.len(),
        2,
        "the task of the static one too: {reports:?}"
    );
    assert!(
        reports[0].contains("1 of them, the first registered at tests/scope/closing.rs:"),
        "{reports:?}"
    );
}

#[test]
fn only_clean_ups_may_spawn_while_the_loop_closes() {
    let (event_loop, _) = on_virtual_time(ms(50));
    let said = Log::new();
    let theirs = said.clone();
    let main = async {
        let log = theirs.clone();
        spawn(open(async move {
            let task = spawn(async {
                sleep(ms(1)).await;
                spawn(async { "spawned by what a clean-up spawned" }).await
            });
            let inner = task.await.unwrap();
            log.push(format!("the task's task: {}", inner.is_ok()));
            log.push(format!("eager: {}", spawn_eager(yield_now()).await.is_ok()));
        }))
        .detach();
        let log = theirs.clone();
        spawn(async move {
            let _spawns = OnDrop(|| {
                let task = spawn(async {});
                log.push(format!("refused: {}", task.is_finished()));
            });
            pending::<()>().await
        })
        .detach();
        yield_now().await;
    };
    event_loop.run_until_complete(main).unwrap();
    event_loop.close().unwrap();
    assert_eq!(
        said.take(),
        ["refused: true", "the task's task: false", "eager: true"]
    );
}

#[test]
fn a_static_clean_up_outlives_a_plain_drop_and_the_end_of_the_run() {
    let (event_loop, clock) = on_virtual_time(ms(50));
    let ended = Log::new();
    let theirs = ended.clone();
    let main = async {
        let mut run = hand(CancelScope::new().run(async |s| {
            s.on_cancel_static(async move {
                sleep(ms(5)).await;
                theirs.push("first registered");
            });
            s.finally_static(sleep(ms(5)));
            pending::<()>().await
        }));
        run.waits();
    };
    event_loop.run_until_complete(main).unwrap();
    event_loop.close().unwrap();
    assert_eq!(ended.take(), ["first registered"]);
    assert_eq!(clock.elapsed(), ms(10), "last in, first out");
}

#[test]
fn a_main_future_that_is_cancelled_cleans_up_before_the_run_ends() {
    let (event_loop, _) = on_virtual_time(ms(50));
    let end = event_loop.run_until_complete(async {
        let story = Story::new();
        let main = petla::current_task().unwrap();
        drop(spawn(async move { main.cancel("enough") }));
        open(story.note_after(ms(5), "cleaned up")).await;
    });
    assert!(matches!(end, Err(RunError::Cancelled)));
}

#[test]
fn on_a_clock_that_nobody_turns_clean_ups_get_what_they_can_do_at_once() {
    let clock = VirtualClock::manual();
    let event_loop = loop_on(&clock);
    let reports = collect_reports_of(&event_loop);
    let done = Log::new();
    let theirs = done.clone();
    let main = async {
        spawn(open(async move {
            yield_now().await;
            theirs.push("at once");
            sleep(ms(1)).await;
            theirs.push("never");
        }))
        .detach();
        yield_now().await;
    };
    event_loop.run_until_complete(main).unwrap();
    event_loop.close().unwrap();
    assert_eq!(done.take(), ["at once"]);
    assert_eq!(reports.len(), 1);
}

#[test]
fn a_shield_holds_a_loop_up_to_its_limit() {
    for (shielded, expected) in [(20, 20), (80, 50)] {
        let (event_loop, clock) = on_virtual_time(ms(50));
        let main = async move {
            spawn(async move {
                petla::shield(sleep(ms(shielded))).await;
                pending::<()>().await
            })
            .detach();
            yield_now().await;
        };
        event_loop.run_until_complete(main).unwrap();
        event_loop.close().unwrap();
        assert_eq!(clock.elapsed(), ms(expected));
    }
}

#[test]
fn a_scope_that_is_kept_longer_than_its_loop_can_be_polled_and_dropped() {
    let story = Log::new();
    let scope = CancelScope::new();
    let mut run = hand(scope.run(async |s| {
        s.finally(async { story.push("cleaned up") });
        pending::<()>().await
    }));
    let event_loop = EventLoop::new().unwrap();
    event_loop
        .run_until_complete(async { run.waits() })
        .unwrap();
    drop(event_loop);
    run.waits();
    scope.cancel("without a loop");
    assert_eq!(run.ready().unwrap_err().reason(), Some("without a loop"));
    assert_eq!(story.take(), ["cleaned up"]);
}
