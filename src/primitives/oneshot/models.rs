//! Loom models of `sync::oneshot`: each end sets, waits, looks or is dropped at every moment.
//!
//! A lost wake-up shows as a deadlock; a value that is lost, doubled or leaked as a wrong count of
//! drops; a value that is taken before it was made as a race of loom's cell.
//!
//! # Bounds
//! All orders of all models are tried in less than a second, with no bound on pre-emptions.
//!
//! # What the models catch
//! `.ci/mutate oneshot/` seeds each line; two pre-emptions suffice for all of them.
//!
//! | mutation | fails |
//! | --- | --- |
//! | an end that is done wakes nobody | `a_value_reaches_..`, `a_setter_..`, `a_thread_sleeps_..` |
//! | an end that is dropped says nothing | `a_setter_that_is_dropped_..`, `a_setter_learns_..` |
//! | the first waker stays | `the_last_waker_..`, `a_setter_learns_..` |
//! | an end looks and waits in two steps | `a_value_reaches_..`, `a_setter_that_is_dropped_..` |
//! | a waker is changed that is the other's by now | `the_last_waker_..` |
//! | a value is set although the getter is gone | `a_setter_learns_..` |
//! | an end is done, or begins to wait, relaxed | `a_value_reaches_..` |
//! | an end looks relaxed | `a_getter_that_comes_late_..` |
//!
//! # Not here
//! `local`: it has no threads; `tests` runs both modes.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use loom::cell::Cell;
use loom::future::block_on;
use loom::thread;

use super::{Abandoned, oneshot};
use crate::rt::{Arc, AtomicUsize, Ordering};
use crate::wait_list::Shared;

type Setter<T> = super::Setter<T, Shared>;
type Getter<T> = super::Getter<T, Shared>;

fn pair<T>() -> (Setter<T>, Getter<T>) {
    oneshot()
}

/// One poll, whose wake-up goes nowhere.
fn poll_once<F: Future + Unpin>(future: &mut F) -> Poll<F::Output> {
    Pin::new(future).poll(&mut Context::from_waker(Waker::noop()))
}

/// Counts its drops.
struct Counted(Arc<AtomicUsize>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn a_value_reaches_the_getter_that_waits_for_it() {
    loom::model(|| {
        let (setter, getter) = pair();
        let made = Arc::new(Cell::new(0));
        let thread = thread::spawn({
            let made = made.clone();
            move || {
                made.set(7);
                setter.set(1)
            }
        });
        assert_eq!(block_on(getter), Ok(1));
        assert_eq!(made.get(), 7);
        assert_eq!(thread.join().unwrap(), Ok(()));
    });
}

#[test]
fn a_getter_that_looks_sees_all_that_happened_before_the_value() {
    loom::model(|| {
        let (setter, mut getter) = pair();
        let made = Arc::new(Cell::new(0));
        let thread = thread::spawn({
            let made = made.clone();
            move || {
                made.set(7);
                setter.set(1).unwrap();
            }
        });
        if getter.get_nowait() == Ok(Some(1)) {
            assert_eq!(made.get(), 7);
        } else {
            assert_eq!(block_on(getter), Ok(1));
        }
        thread.join().unwrap();
    });
}

#[test]
fn a_getter_that_comes_late_sees_all_that_happened_before_the_value() {
    loom::model(|| {
        let (setter, mut getter) = pair();
        let (made, gate) = (Arc::new(Cell::new(0)), Arc::new(AtomicUsize::new(0)));
        let thread = thread::spawn({
            let (made, gate) = (made.clone(), gate.clone());
            move || {
                made.set(7);
                setter.set(1).unwrap();
                gate.fetch_add(1, Ordering::Relaxed);
            }
        });
        // The gate orders nothing. Without it loom does not try the setter's write before the
        // getter's load, as a load of its own comes before that write.
        if gate.fetch_add(0, Ordering::Relaxed) == 1 {
            if poll_once(&mut getter) == Poll::Ready(Ok(1)) {
                assert_eq!(made.get(), 7);
            }
        }
        thread.join().unwrap();
    });
}

#[test]
fn a_setter_that_is_dropped_ends_the_wait() {
    loom::model(|| {
        let (setter, getter) = pair::<u8>();
        let thread = thread::spawn(move || drop(setter));
        assert_eq!(block_on(getter), Err(Abandoned));
        thread.join().unwrap();
    });
}

#[test]
fn a_value_comes_back_or_is_dropped_with_the_getter() {
    for polls in 0..3 {
        loom::model(move || {
            let drops = Arc::new(AtomicUsize::new(0));
            let (setter, mut getter) = pair();
            let value = Counted(drops.clone());
            let thread = thread::spawn(move || setter.set(value));
            let mut taken = false;
            for _ in 0..polls {
                if let Poll::Ready(value) = poll_once(&mut getter) {
                    taken = value.is_ok();
                    break;
                }
            }
            drop(getter);
            match thread.join().unwrap() {
                Ok(()) => {}
                Err(value) => {
                    assert!(!taken, "it was delivered and came back");
                    assert_eq!(drops.load(Ordering::Relaxed), 0);
                    drop(value);
                }
            }
            assert_eq!(drops.load(Ordering::Relaxed), 1);
        });
    }
}

#[test]
fn the_last_waker_that_was_left_is_the_one_that_is_woken() {
    for is_set in [true, false] {
        loom::model(move || {
            let (setter, mut getter) = pair();
            let thread = thread::spawn(move || {
                if is_set {
                    setter.set(1).unwrap();
                }
            });
            let expected = if is_set { Ok(1) } else { Err(Abandoned) };
            // The waker of this poll goes nowhere; that of the next ones must take its place.
            match poll_once(&mut getter) {
                Poll::Ready(result) => assert_eq!(result, expected),
                Poll::Pending => assert_eq!(block_on(getter), expected),
            }
            thread.join().unwrap();
        });
    }
}

#[test]
fn a_setter_learns_that_its_getter_is_gone() {
    loom::model(|| {
        let (mut setter, getter) = pair();
        let thread = thread::spawn(move || drop(getter));
        if poll_once(&mut setter.abandoned()).is_pending() {
            block_on(setter.abandoned());
        }
        assert!(setter.is_abandoned());
        assert_eq!(setter.set(1), Err(1));
        thread.join().unwrap();
    });
}

#[test]
fn a_setter_that_waits_sets_when_it_is_needed() {
    loom::model(|| {
        let (mut setter, getter) = pair();
        let thread = thread::spawn(move || block_on(getter));
        assert!(poll_once(&mut setter.abandoned()).is_pending());
        assert_eq!(setter.set(1), Ok(()));
        assert_eq!(thread.join().unwrap(), Ok(1));
    });
}

#[test]
fn both_ends_can_be_dropped_at_once() {
    loom::model(|| {
        let (mut setter, mut getter) = pair::<u8>();
        assert!(poll_once(&mut getter).is_pending());
        assert!(poll_once(&mut setter.abandoned()).is_pending());
        let thread = thread::spawn(move || drop(setter));
        drop(getter);
        thread.join().unwrap();
    });
}

#[test]
fn a_thread_sleeps_until_the_value_is_set() {
    loom::model(|| {
        let (setter, getter) = pair();
        let sleeper = thread::spawn(move || getter.blocking_get());
        setter.set(1).unwrap();
        assert_eq!(sleeper.join().unwrap(), Ok(1));
    });
}
