//! `Task::wait_for`, and `wait_for` of plain futures: limits, zero limits, and what is lost.

use std::cell::Cell;
use std::future::{pending, ready};
use std::rc::Rc;
use std::time::Duration;

use petla::{Elapsed, JoinError, now, spawn, spawn_eager, wait_for, yield_now};

use crate::common::{Drops, OnDrop, poll_once, raise, within};
use crate::switch::switch;

const SHORT: Duration = Duration::from_millis(1);
const LONG: Duration = Duration::from_secs(3600);

#[test]
fn a_value_in_time_is_given_with_a_limit_and_without() {
    // W15
    within(async {
        let task = || {
            spawn(async {
                yield_now().await;
                7
            })
        };
        assert_eq!(task().wait_for(LONG).await.unwrap(), 7);
        assert_eq!(task().wait_for(None).await.unwrap(), 7);
        assert_eq!(wait_for(task(), LONG).await.unwrap().unwrap(), 7);
    });
}

#[test]
fn at_the_limit_the_task_is_cancelled_and_says_by_which_deadline_set_where() {
    within(async {
        let before = now();
        let line = line!() + 1;
        let limited = spawn(pending::<()>()).wait_for(SHORT);
        let error = limited.await.unwrap_err();
        assert!(error.is_timeout() && error.reason().is_none());
        let JoinError::Cancelled(why) = error else {
            unreachable!()
        };
        let deadline = why.deadline().unwrap();
        assert!(deadline >= before + SHORT && deadline <= now());
        assert_eq!(
            (why.location().file(), why.location().line()),
            (file!(), line)
        );
        assert_eq!(
            std::io::Error::from(why).kind(),
            std::io::ErrorKind::TimedOut
        );
    });
}

#[test]
fn when_it_returns_the_task_is_gone() {
    // B26, also for a limit of zero.
    within(async {
        for limit in [Duration::ZERO, SHORT] {
            let drops = Drops::default();
            let task = spawn(drops.forever());
            yield_now().await;
            assert!(task.wait_for(limit).await.unwrap_err().is_timeout());
            assert_eq!(drops.count(), 1);
        }
    });
}

#[test]
fn a_value_that_the_task_still_produces_is_kept() {
    // B27, W15: the limit strikes while a part of the task is shielded.
    within(async {
        let task = spawn(petla::shield(async {
            yield_now().await;
            yield_now().await;
            7
        }));
        yield_now().await;
        assert_eq!(task.wait_for(Duration::ZERO).await.unwrap(), 7);
    });
}

#[test]
fn a_limit_of_zero_interrupts_a_task_that_only_yields() {
    // B28
    within(async {
        let turns = Rc::new(Cell::new(0));
        let counted = Rc::clone(&turns);
        let task = spawn(async move {
            loop {
                counted.set(counted.get() + 1);
                yield_now().await;
            }
        });
        yield_now().await;
        let error: Result<(), _> = task.wait_for(Duration::ZERO).await;
        assert!(error.unwrap_err().is_timeout());
        assert_eq!(turns.get(), 1);
    });
}

#[test]
fn a_limit_of_zero_around_a_future_ends_one_that_waits() {
    // B28, W15
    within(async {
        assert_eq!(
            wait_for(pending::<()>(), Duration::ZERO).await,
            Err(Elapsed)
        );
        assert_eq!(wait_for(ready(1), Duration::ZERO).await, Ok(1));
    });
}

#[test]
fn a_finished_task_wins_over_a_limit_of_zero() {
    // W15, also when it ends in the very tick in which the wait begins.
    within(async {
        assert_eq!(
            spawn_eager(async { 1 })
                .wait_for(Duration::ZERO)
                .await
                .unwrap(),
            1
        );
        let (knob, future) = switch();
        let task = spawn(future);
        yield_now().await;
        knob.set(2);
        yield_now().await;
        assert_eq!(task.wait_for(Duration::ZERO).await.unwrap(), 2);
    });
}

#[test]
fn a_task_that_was_never_polled_never_runs_with_a_limit_of_zero() {
    // W15
    within(async {
        let ran = Rc::new(Cell::new(false));
        let mark = Rc::clone(&ran);
        let task = spawn(async move { mark.set(true) });
        assert!(
            task.wait_for(Duration::ZERO)
                .await
                .unwrap_err()
                .is_timeout()
        );
        assert!(!ran.get());
    });
}

#[test]
fn a_panic_of_the_clean_up_beats_the_limit() {
    // W15: an inner error during the cancel wins.
    within(async {
        let task = spawn(async {
            let _broken = OnDrop(|| raise("while cleaning up"));
            pending::<()>().await
        });
        yield_now().await;
        let error = task.wait_for(Duration::ZERO).await.unwrap_err();
        assert_eq!(error.to_string(), "task panicked: while cleaning up");
    });
}

#[test]
fn an_earlier_cancel_keeps_its_reason() {
    // B30's relative: the limit does not pass for what was asked before.
    within(async {
        let task = spawn(pending::<()>());
        task.cancel("by hand");
        let error = task.wait_for(Duration::ZERO).await.unwrap_err();
        assert_eq!(
            (error.reason(), error.is_timeout()),
            (Some("by hand"), false)
        );
    });
}

#[test]
fn an_outer_cancel_is_not_lost_when_the_inner_task_ends_in_the_same_tick() {
    // B25
    within(async {
        let (knob, future) = switch::<()>();
        let inner = spawn(future);
        let outer = spawn(async move {
            inner.wait_for(LONG).await.unwrap();
            pending::<()>().await
        });
        yield_now().await;
        yield_now().await;
        knob.set(());
        outer.cancel("from outside");
        assert_eq!(outer.await.unwrap_err().reason(), Some("from outside"));
    });
}

#[test]
fn an_outer_cancel_cancels_the_inner_task() {
    // W15
    within(async {
        let drops = Drops::default();
        let inner = spawn(drops.forever());
        let outer = spawn(inner.wait_for(LONG));
        yield_now().await;
        yield_now().await;
        outer.cancel(());
        assert!(outer.await.is_err());
        yield_now().await;
        assert_eq!(drops.count(), 1);
    });
}

#[test]
fn dropped_before_its_end_it_cancels_the_task_if_it_was_polled() {
    within(async {
        let (knobs, futures) = crate::switch::switches::<()>(2);
        let mut limited: Vec<_> = futures
            .into_iter()
            .map(|f| spawn(f).wait_for(LONG))
            .collect();
        yield_now().await;
        assert!(poll_once(&mut limited[0]).is_pending());
        drop(limited);
        yield_now().await;
        assert_eq!([knobs[0].drops(), knobs[1].drops()], [1, 0]);
    });
}

#[test]
fn a_borrowed_task_survives_the_limit() {
    // W15: what asyncio needs a shield for.
    within(async {
        for limit in [Duration::ZERO, SHORT] {
            let (knob, future) = switch();
            let mut task = spawn(future);
            assert_eq!(wait_for(&mut task, limit).await.unwrap_err(), Elapsed);
            knob.set(3);
            assert_eq!(wait_for(&mut task, None).await.unwrap().unwrap(), 3);
        }
    });
}
