//! Loom models of `sync::CapacityLimiter`: tokens that meet cancellations and a changing total.
//!
//! A lost wake-up shows as a deadlock, a lost token as one too or as a wrong count at the end, and
//! two holders of one token as two at once in a loom cell.
//!
//! # Bounds
//! Here the bound on pre-emptions of `.ci/loom`. All orders were tried of all models but
//! `a_cancellation_meets_..`, which was explored up to five pre-emptions, and `a_higher_total_..`
//! and `one_token_lets_one_of_three_..`, up to four.
//!
//! # What the models catch
//! Each line is tried by `.ci/mutate`; two pre-emptions suffice for all of them.
//!
//! | mutation | fails |
//! | --- | --- |
//! | a release grants nobody, or does not wake whom it grants | `one_token_lets_one_of_two_..` |
//! | an acquire in line does not look again | `one_token_lets_one_of_two_..` |
//! | `borrowed` ignores grants | `a_token_cannot_..`, `one_token_lets_one_of_three_..` |
//! | a claim leaves its promise | `one_token_lets_one_of_two_..` |
//! | a claim gives its promise up before it is listed | `one_token_lets_one_of_three_..` |
//! | `left` keeps a grant | `a_cancelled_acquire_..`, `a_cancellation_meets_..` |
//! | `left` gives back what was not granted | `a_cancellation_meets_..` |
//! | `set_total` does not settle | `a_higher_total_..`, `a_limiter_that_is_closed_..` |
//! | `pump` grants once | `a_higher_total_..` |
//! | `feed` ignores the total | `a_lower_total_..` |
//! | a total of 0 is taken for 1 | `a_limiter_that_is_closed_..` |
//!
//! # Not here
//! More than 32 waiters, wakers that come back, lapses in `local`: unit tests.

use std::future::Future;
use std::task::{Context, Waker};

use loom::cell::Cell;
use loom::future::block_on;

use crate::primitives::threads::{poll_once, spawn};
use crate::rt::Arc;
use crate::wait_list::Shared;

type CapacityLimiter = super::CapacityLimiter<Shared>;

fn limiter(total: usize) -> Arc<CapacityLimiter> {
    Arc::new(CapacityLimiter::new(total))
}

/// Takes a token and gives it back.
fn visit(limiter: &CapacityLimiter) {
    drop(block_on(limiter.acquire()));
}

#[track_caller]
fn assert_unused(limiter: &CapacityLimiter, total: usize) {
    assert_eq!((limiter.borrowed(), limiter.available()), (0, total));
    assert!(limiter.borrowers().is_empty());
}

/// Threads that each change one value while they have the only token.
fn take_turns(threads: usize) {
    let limiter = limiter(1);
    let value = Arc::new(Cell::new(0));
    let change = |limiter: &CapacityLimiter, value: &Cell<usize>| {
        let _token = block_on(limiter.acquire());
        value.set(value.get() + 1);
        assert_eq!(limiter.borrowers().len(), 1);
    };
    let others: Vec<_> = (1..threads)
        .map(|_| {
            let value = value.clone();
            spawn(&limiter, move |limiter| change(limiter, &value))
        })
        .collect();
    change(&limiter, &value);
    for other in others {
        other.join().unwrap();
    }
    assert_eq!(value.get(), threads);
    assert_unused(&limiter, 1);
}

#[test]
fn one_token_lets_one_of_two_in_at_a_time() {
    loom::model(|| take_turns(2));
}

#[test]
fn one_token_lets_one_of_three_in_at_a_time() {
    loom::model(|| take_turns(3));
}

#[test]
fn a_cancelled_acquire_passes_its_token_on() {
    loom::model(|| {
        let limiter = limiter(1);
        let token = limiter.try_acquire();
        let mut gone = Box::pin(limiter.acquire());
        let mut cx = Context::from_waker(Waker::noop());
        assert!(gone.as_mut().poll(&mut cx).is_pending());
        let stays = spawn(&limiter, visit);
        drop(token);
        drop(gone);
        stays.join().unwrap();
        assert_unused(&limiter, 1);
    });
}

#[test]
fn a_cancellation_meets_a_grant() {
    loom::model(|| {
        let limiter = limiter(0);
        let stays = spawn(&limiter, visit);
        let opens = spawn(&limiter, |limiter| limiter.set_total(1));
        drop(poll_once(limiter.acquire()));
        stays.join().unwrap();
        opens.join().unwrap();
        assert_unused(&limiter, 1);
    });
}

#[test]
fn a_token_cannot_be_taken_past_who_waits() {
    loom::model(|| {
        let limiter = limiter(1);
        let token = limiter.try_acquire();
        let mut waits = Box::pin(limiter.acquire());
        let mut cx = Context::from_waker(Waker::noop());
        assert!(waits.as_mut().poll(&mut cx).is_pending());
        let thief = spawn(&limiter, |limiter| limiter.try_acquire().is_some());
        drop(token);
        assert!(!thief.join().unwrap());
        assert!(waits.as_mut().poll(&mut cx).is_ready());
    });
}

#[test]
fn a_higher_total_lets_all_in_who_fit() {
    loom::model(|| {
        let limiter = limiter(0);
        let hold = |limiter: &CapacityLimiter| {
            let token = block_on(limiter.acquire());
            std::mem::forget(token);
        };
        let others = [spawn(&limiter, hold), spawn(&limiter, hold)];
        limiter.set_total(2);
        for other in others {
            other.join().unwrap();
        }
        assert_eq!((limiter.borrowed(), limiter.available()), (2, 0));
    });
}

#[test]
fn a_lower_total_lets_nobody_in() {
    loom::model(|| {
        let limiter = limiter(2);
        let [first, second] = [limiter.try_acquire(), limiter.try_acquire()];
        let other = spawn(&limiter, visit);
        limiter.set_total(1);
        drop(first);
        assert_eq!((limiter.borrowed(), limiter.available()), (1, 0));
        assert!(limiter.try_acquire().is_none());
        drop(second);
        other.join().unwrap();
        assert_unused(&limiter, 1);
    });
}

#[test]
fn a_limiter_that_is_closed_and_opened_keeps_who_waits() {
    loom::model(|| {
        let limiter = limiter(1);
        let other = spawn(&limiter, visit);
        limiter.set_total(0);
        assert!(limiter.try_acquire().is_none());
        limiter.set_total(1);
        other.join().unwrap();
        assert_unused(&limiter, 1);
    });
}

#[test]
fn a_thread_sleeps_until_there_is_a_token() {
    loom::model(|| {
        let limiter = limiter(1);
        let sleeper = spawn(&limiter, |limiter| drop(limiter.blocking_acquire()));
        drop(limiter.blocking_acquire());
        sleeper.join().unwrap();
        assert_unused(&limiter, 1);
    });
}
