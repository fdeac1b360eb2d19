//! Loom models of `sync::Barrier`: arrivals of two or three threads, cancelled, failed, repeated.
//!
//! A lost wake-up shows as a deadlock; an arrival that is lost or counted twice as one too, or as
//! a wrong index.
//!
//! # Bounds
//! Here the bound on pre-emptions of `.ci/loom`. All orders were tried of all models but
//! `a_generation_follows_..`, `an_abort_fails_all_..` and `who_arrives_after_..`, which were
//! explored up to five pre-emptions, and `three_get_..`, up to three.
//!
//! # What the models catch
//! Each line is tried by `.ci/mutate`; two pre-emptions suffice for all of them.
//!
//! | mutation | fails |
//! | --- | --- |
//! | the last arrival does not settle | `nobody_is_through_..`, `three_get_..` |
//! | an arrival in line does not look again whether it is the last | `nobody_is_through_..` |
//! | an arrival in line does not look again whether it is broken | `an_abort_meets_..` |
//! | a complete generation still counts | `a_generation_follows_..` |
//! | those who are through keep their line's number | `a_cancelled_arrival_..` |
//! | an index is one too many | `three_get_..` |
//! | `left` takes nobody back | `a_reset_meets_..`, `who_stood_behind_..` |
//! | `left` takes back who is through | `a_cancelled_arrival_..` |
//! | `abort` does not settle | `an_abort_meets_..` |
//! | `reset` does not settle, moves nobody, or does not uncount them | `who_arrives_after_..` |
//! | `abort` fails those who are through and not woken | `an_abort_fails_all_..` |
//! | news are stored or claimed relaxed | `nobody_is_through_..` |
//!
//! # Not here
//! More than 32 waiters, wakers that come back, `local`: unit tests.

use std::future::Future;
use std::task::{Context, Poll, Waker};

use loom::cell::Cell;
use loom::future::block_on;

use super::Broken;
use crate::primitives::threads::{poll_once, spawn};
use crate::rt::Arc;
use crate::wait_list::Shared;

type Barrier = super::Barrier<Shared>;

fn barrier(parties: usize) -> Arc<Barrier> {
    Arc::new(Barrier::new(parties))
}

fn wait(barrier: &Barrier) -> Result<usize, Broken> {
    block_on(barrier.wait())
}

#[test]
fn nobody_is_through_before_all_have_arrived() {
    loom::model(|| {
        let barrier = barrier(2);
        let made = Arc::new([Cell::new(0), Cell::new(0)]);
        let other = spawn(&barrier, {
            let made = made.clone();
            move |barrier| {
                made[0].set(1);
                let index = wait(barrier).unwrap();
                assert_eq!(made[1].get(), 1);
                index
            }
        });
        made[1].set(1);
        let index = wait(&barrier).unwrap();
        assert_eq!(made[0].get(), 1);
        assert_eq!(index + other.join().unwrap(), 1);
        assert_eq!(barrier.n_waiting(), 0);
    });
}

#[test]
fn three_get_each_index_once() {
    loom::model(|| {
        let barrier = barrier(3);
        let others = [spawn(&barrier, wait), spawn(&barrier, wait)];
        let mut indices = vec![wait(&barrier)];
        indices.extend(others.map(|other| other.join().unwrap()));
        indices.sort_by_key(|index| index.unwrap());
        assert_eq!(indices, [Ok(0), Ok(1), Ok(2)]);
    });
}

#[test]
fn a_generation_follows_the_last_at_once() {
    loom::model(|| {
        let barrier = barrier(2);
        let twice = |barrier: &Barrier| [wait(barrier).unwrap(), wait(barrier).unwrap()];
        let other = spawn(&barrier, twice);
        let [first, second] = twice(&barrier);
        assert_eq!(other.join().unwrap(), [1 - first, 1 - second]);
        assert_eq!(barrier.n_waiting(), 0);
    });
}

#[test]
fn a_cancelled_arrival_counts_wholly_or_not_at_all() {
    loom::model(|| {
        let barrier = barrier(2);
        let other = spawn(&barrier, wait);
        let ours = poll_once(barrier.wait());
        barrier.abort(); // the other may be alone
        let theirs = other.join().unwrap();
        match ours {
            Some(Ok(index)) => assert_eq!((index, theirs), (1, Ok(0))),
            _ => assert!(matches!(theirs, Ok(1) | Err(Broken))),
        }
        // Whichever it was, the next generation is one of two.
        barrier.reset();
        assert_eq!(barrier.n_waiting(), 0);
        assert!(poll_once(barrier.wait()).is_none());
    });
}

#[test]
fn who_stood_behind_a_cancelled_arrival_has_its_index() {
    loom::model(|| {
        let barrier = barrier(3);
        let mut cx = Context::from_waker(Waker::noop());
        let mut gone = Box::pin(barrier.wait());
        assert!(gone.as_mut().poll(&mut cx).is_pending());
        let other = spawn(&barrier, wait);
        drop(gone);
        let mut waits = Box::pin(barrier.wait());
        let mut ours = Vec::new();
        match waits.as_mut().poll(&mut cx) {
            Poll::Ready(_) => panic!("there are two at most"),
            Poll::Pending => ours.push(wait(&barrier).unwrap()),
        }
        match waits.as_mut().poll(&mut cx) {
            Poll::Ready(index) => ours.push(index.unwrap()),
            Poll::Pending => panic!("all have arrived"),
        }
        ours.push(other.join().unwrap().unwrap());
        ours.sort_unstable();
        assert_eq!(ours, [0, 1, 2]);
    });
}

#[test]
fn an_abort_meets_an_arrival() {
    loom::model(|| {
        let barrier = barrier(2);
        let other = spawn(&barrier, wait);
        barrier.abort();
        assert_eq!(other.join().unwrap(), Err(Broken));
        assert_eq!((barrier.n_waiting(), barrier.is_broken()), (0, true));
    });
}

#[test]
fn an_abort_fails_all_of_a_generation_or_none() {
    loom::model(|| {
        let barrier = barrier(2);
        let others = [spawn(&barrier, wait), spawn(&barrier, wait)];
        barrier.abort();
        let [first, second] = others.map(|other| other.join().unwrap());
        match (first, second) {
            (Ok(first), Ok(second)) => assert_eq!(first + second, 1),
            (first, second) => assert_eq!(first, second),
        }
        assert_eq!(barrier.n_waiting(), 0);
    });
}

#[test]
fn a_reset_meets_an_arrival_and_a_cancellation() {
    loom::model(|| {
        let barrier = barrier(2);
        let resetter = spawn(&barrier, Barrier::reset);
        let ours = poll_once(barrier.wait());
        assert!(matches!(ours, None | Some(Err(Broken))));
        resetter.join().unwrap();
        assert_eq!((barrier.n_waiting(), barrier.is_broken()), (0, false));
    });
}

#[test]
fn who_arrives_after_a_reset_is_of_a_new_generation() {
    loom::model(|| {
        let barrier = barrier(2);
        let other = spawn(&barrier, |barrier| {
            wait(barrier).or_else(|Broken| wait(barrier)).unwrap()
        });
        barrier.reset();
        let index = wait(&barrier).unwrap();
        assert_eq!(index + other.join().unwrap(), 1);
        assert_eq!(barrier.n_waiting(), 0);
    });
}

#[test]
fn a_thread_sleeps_until_all_have_arrived() {
    loom::model(|| {
        let barrier = barrier(2);
        let other = spawn(&barrier, |barrier| barrier.blocking_wait().unwrap());
        let index = barrier.blocking_wait().unwrap();
        assert_eq!(index + other.join().unwrap(), 1);
    });
}
