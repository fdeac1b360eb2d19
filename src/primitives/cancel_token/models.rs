//! Loom models of the cancel token: two who cancel, one who looks, one who waits.
//!
//! # Bounds
//! Here the bound on pre-emptions of `.ci/loom`. All orders were tried of all models but
//! `a_cancellation_ends_..`, which did not end in a minute and was explored up to three
//! pre-emptions.
//!
//! # What the models catch
//! `.ci/mutate cancel_token/` seeds each line; two pre-emptions suffice for all of them.
//!
//! | mutation | fails |
//! | --- | --- |
//! | the event is set before the cause is written | `a_check_that_fails_..` |
//! | the second leaves the event to the first | `one_of_two_..` |
//! | a later cause takes the place of the first | `one_of_two_..` |
//! | `cancel` sets no event | `a_cancellation_..`, `one_of_two_..` |
//!
//! # Not here
//! Waiting itself: the models of `event`.

use loom::cell::Cell;
use loom::future::block_on;
use loom::thread;

use super::CancelToken;
use crate::rt::{Arc, AtomicUsize, Ordering};

fn spawn<R: 'static>(
    token: &CancelToken,
    f: impl FnOnce(&CancelToken) -> R + 'static,
) -> thread::JoinHandle<R> {
    let token = token.clone();
    thread::spawn(move || f(&token))
}

#[test]
fn one_of_two_is_the_first_and_both_may_rely_on_it() {
    loom::model(|| {
        let token = CancelToken::new();
        let cancel = |token: &CancelToken, reason: &'static str| {
            let first = token.cancel(reason);
            let cancelled = token.check().expect_err("it was cancelled");
            assert_eq!(cancelled.reason() == Some(reason), first);
            first
        };
        let other = spawn(&token, move |token| cancel(token, "theirs"));
        let ours = cancel(&token, "ours");
        let theirs = other.join().unwrap();
        assert_ne!(ours, theirs);
    });
}

#[test]
fn a_check_that_fails_sees_the_reason_and_what_was_done_before() {
    loom::model(|| {
        let token = CancelToken::new();
        let value = Arc::new(Cell::new(0));
        let gate = Arc::new(AtomicUsize::new(0));
        let asker = spawn(&token, {
            let (value, gate) = (value.clone(), gate.clone());
            move |token| {
                value.set(1);
                assert!(token.cancel("enough"));
                gate.fetch_add(1, Ordering::Relaxed);
            }
        });
        // As in the models of `event`: lets loom try the orders in which the set came first.
        gate.fetch_add(1, Ordering::Relaxed);
        if let Err(cancelled) = token.check() {
            assert_eq!(cancelled.reason(), Some("enough"));
            assert_eq!(value.get(), 1);
        }
        asker.join().unwrap();
        assert!(token.check().is_err());
    });
}

#[test]
fn a_cancellation_ends_the_wait_of_all() {
    loom::model(|| {
        let token = CancelToken::new();
        let wait = |token: &CancelToken| block_on(token.cancelled());
        let others = [spawn(&token, wait), spawn(&token, wait)];
        assert!(token.cancel("enough"));
        for other in others {
            assert_eq!(other.join().unwrap().reason(), Some("enough"));
        }
    });
}

#[test]
fn a_thread_sleeps_until_the_token_is_cancelled() {
    loom::model(|| {
        let token = CancelToken::new();
        let sleeper = spawn(&token, CancelToken::blocking_cancelled);
        assert!(token.cancel(()));
        assert_eq!(sleeper.join().unwrap().reason(), None);
    });
}
