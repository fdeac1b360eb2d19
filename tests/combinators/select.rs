//! `select!`: the first of several, written order, handlers after the losers' end.

use std::future::{pending, ready};
use std::pin::pin;

use petla::{select, spawn, yield_now};

use crate::common::hand::{at_once, hand, waiting};
use crate::common::{Drops, within};
use crate::switch::switch;

#[test]
fn of_two_that_are_ready_the_upper_wins() {
    let won = at_once(async {
        select! {
            _ = pending::<()>() => 0,
            n = ready(1) => n,
            _ = ready("never") => 2,
        }
    });
    assert_eq!(won, 1);
}

#[test]
fn the_losers_are_gone_when_the_handler_runs() {
    let drops = Drops::default();
    let loser = drops.forever();
    let seen = at_once(async {
        select! {
            () = loser => unreachable!(),
            () = ready(()) => drops.count(),
        }
    });
    assert_eq!(seen, 1);
}

#[test]
fn borrows_of_the_arms_are_over_in_the_handlers() {
    at_once(async {
        let mut buffer = vec![1];
        select! {
            () = async { buffer.push(2); pending().await } => unreachable!(),
            n = ready(3) => buffer.push(n),
        }
        assert_eq!(buffer, [1, 2, 3]);
    });
}

#[test]
fn a_handler_may_leave_the_enclosing_function() {
    async fn first(fail: bool) -> Result<u8, &'static str> {
        loop {
            select! {
                n = ready(if fail { Err("failed") } else { Ok(1) }) => {
                    let n = n?;
                    return Ok(n + 1);
                }
                () = pending() => continue
            }
        }
    }
    assert_eq!(at_once(first(false)), Ok(2));
    assert_eq!(at_once(first(true)), Err("failed"));
}

#[test]
fn a_handler_may_await() {
    let (knob, future) = switch::<u8>();
    let mut whole = waiting(async {
        select! { n = ready(1) => n + future.await }
    });
    knob.set(2);
    assert_eq!(whole.ready(), 3);
}

#[test]
fn patterns_take_values_apart_and_commas_are_optional_after_blocks() {
    let sum = at_once(async {
        select! {
            (a, b) = ready((1, 2)) => { a + b }
            _ = pending::<()>() => 0
        }
    });
    assert_eq!(sum, 3);
}

#[test]
fn a_future_given_by_reference_is_kept() {
    let (knob, future) = switch();
    let mut future = pin!(future);
    let mut rounds = 0;
    let mut whole = hand(async {
        loop {
            select! {
                n = &mut future => break n,
                () = yield_now() => rounds += 1,
            }
        }
    });
    whole.waits();
    whole.waits();
    knob.set(5);
    assert_eq!(whole.ready(), 5);
    drop(whole);
    assert!(rounds > 0);
}

#[test]
fn a_task_given_by_value_is_cancelled_and_by_reference_it_runs_on() {
    within(async {
        let (knob, child) = switch();
        let mut kept = spawn(child);
        let lost = spawn(pending::<()>());
        let ended = lost.task_ref();
        select! {
            _ = &mut kept => unreachable!(),
            _ = lost => unreachable!(),
            () = yield_now() => {}
        }
        yield_now().await;
        assert!(ended.is_finished());
        knob.set(1);
        assert_eq!(kept.await.unwrap(), 1);
    });
}
