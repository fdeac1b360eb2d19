//! The cancel token, polled by hand: who is first, what everybody else hears of it, and when.
//!
//! # Not here
//! Orders of threads: `models`.

use std::future::Future;
use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};
use std::thread;

use super::{CancelToken, UntilCancelled};
use crate::context;
use crate::error::{Cancelled, Reason};

fn poll<F: Future>(future: Pin<&mut F>) -> Option<F::Output> {
    match future.poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => Some(output),
        Poll::Pending => None,
    }
}

#[test]
fn the_first_reason_and_place_stay() {
    let token = CancelToken::new();
    let other = token.clone();
    assert!(!token.is_cancelled() && token.check().is_ok());
    let line = Location::caller().line() + 1;
    assert!(token.cancel("first"));
    assert!(!other.cancel(String::from("second")));
    for token in [token, other] {
        let cancelled = token.check().expect_err("it was cancelled");
        assert_eq!(cancelled.reason(), Some("first"));
        assert_eq!(cancelled.location().line(), line);
        assert_eq!(cancelled.location().file(), file!());
        assert_eq!(cancelled.deadline(), None);
        assert!(token.is_cancelled());
    }
}

#[test]
fn a_token_may_be_cancelled_for_no_reason() {
    let token = CancelToken::default();
    assert!(token.cancel(()));
    assert_eq!(token.check().expect_err("it was cancelled").reason(), None);
}

#[test]
fn all_who_wait_and_all_who_come_later_are_told() {
    let token = CancelToken::new();
    let mut waits: Vec<_> = (0..70).map(|_| Box::pin(token.cancelled())).collect();
    assert!(waits.iter_mut().all(|wait| poll(wait.as_mut()).is_none()));
    token.cancel("enough");
    for _ in 0..2 {
        let mut told = waits.iter_mut().map(|wait| poll(wait.as_mut()));
        assert!(told.all(|cancelled| cancelled.is_some_and(|c| c.reason() == Some("enough"))));
    }
    assert!(poll(pin!(token.cancelled())).is_some());
}

#[test]
fn a_wait_that_is_dropped_leaves_no_trace() {
    let token = CancelToken::new();
    let mut wait = Box::pin(token.cancelled());
    assert!(poll(wait.as_mut()).is_none());
    drop(wait);
    assert_eq!(token.0.cancelled.statistics().waiting, 0);
    assert!(token.cancel(()));
}

#[test]
fn a_reason_that_panics_cancels_nothing() {
    struct Panics;
    impl From<Panics> for Reason {
        fn from(_: Panics) -> Self {
            panic!("a reason's panic");
        }
    }
    let token = CancelToken::new();
    assert!(catch_unwind(AssertUnwindSafe(|| token.cancel(Panics))).is_err());
    assert!(token.check().is_ok());
    assert!(token.cancel(()));
}

#[test]
fn blocking_code_in_another_thread_is_told() {
    let token = CancelToken::new();
    let work = {
        let token = token.clone();
        move || -> Cancelled {
            loop {
                if let Err(cancelled) = token.check() {
                    return cancelled;
                }
                thread::yield_now();
            }
        }
    };
    let sleep = {
        let token = token.clone();
        move || token.blocking_cancelled()
    };
    let threads = [thread::spawn(work), thread::spawn(sleep)];
    assert!(token.cancel("enough"));
    for thread in threads {
        assert_eq!(thread.join().unwrap().reason(), Some("enough"));
    }
}

#[test]
fn a_token_counts_those_who_wait() {
    let token = CancelToken::new();
    let mut waits = [(); 2].map(|()| Box::pin(token.cancelled()));
    for wait in &mut waits {
        let mut cx = Context::from_waker(Waker::noop());
        assert!(wait.as_mut().poll(&mut cx).is_pending());
    }
    assert_eq!(token.statistics().waiting, 2);
    drop(waits);
    assert_eq!(token.statistics().waiting, 0);
}

#[test]
fn a_thread_that_runs_a_loop_is_not_put_to_sleep() {
    let token = CancelToken::new();
    let outside = context::set_loop_thread(true);
    let cancelled = catch_unwind(AssertUnwindSafe(|| token.blocking_cancelled()));
    context::set_loop_thread(outside);
    let panic = cancelled.expect_err("it may not");
    let text = panic.downcast_ref::<String>().unwrap();
    assert!(text.contains("await `cancelled` instead"), "{text}");
}

#[test]
fn a_token_and_its_waits_cross_threads() {
    fn crosses<T: Send + Sync>() {}
    crosses::<CancelToken>();
    crosses::<UntilCancelled<'_>>();
    assert_eq!(size_of::<CancelToken>(), 8);
    assert_eq!(size_of::<UntilCancelled<'_>>(), 64);
}
