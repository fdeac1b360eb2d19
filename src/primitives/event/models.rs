//! Loom models of `sync::Event`: set, clear and wait against each other and a cancellation.
//!
//! What a set announces lies in loom's own cells, so that loom sees whether the waiter may touch
//! it. A lost wake-up shows as a deadlock.
//!
//! # Bounds
//! Here the bound on pre-emptions of `.ci/loom`. All orders that loom tells apart were tried of all
//! models but `a_cancelled_wait_takes_..` and `a_set_ends_..`, which did not end in a minute and
//! were explored up to four pre-emptions.
//!
//! # What the models catch
//! `.ci/mutate event/` seeds each line; two pre-emptions suffice for all of them.
//!
//! | mutation | fails |
//! | --- | --- |
//! | `expect` does not look again, or does not say WAITERS | `a_wait_sees_what_..` |
//! | `set` does not ask for WAITERS, or leaves `WAIT` as it is | `a_wait_sees_what_..` |
//! | `pump` does not clear WAITERS | `a_cancelled_wait_leaves_..` |
//! | `pump` clears WAITERS while somebody waits | `a_cancelled_wait_takes_..` |
//! | `set` does not count, or `clear` takes the count back | `a_wait_sees_a_set_..` |
//! | `set` does not write what is set already; `clear` is relaxed | `whoever_clears_..` |
//! | a `clear` that finds it cleared looks at nothing | `the_second_to_clear_..` |
//! | `set` is relaxed | `a_wait_sees_what_..`, `a_wait_sees_a_set_..` |
//! | `set` is relaxed under the lock | `a_set_ends_..` |
//! | `happened_since` is relaxed | `a_wait_sees_what_..` |
//! | `is_set` is relaxed | `whoever_finds_..` |
//! | `pump` clears WAITERS relaxed | `a_cancelled_wait_hides_..` |
//!
//! # Not here
//! `local` has no threads; more than 32 waiters, re-entrant wakers: unit tests.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Waker};

use loom::cell::Cell;
use loom::future::block_on;

use super::{EventWait, GENERATION, WAITERS};
use crate::primitives::threads::{poll_once, spawn};
use crate::rt::{Arc, AtomicUsize, Ordering};
use crate::wait_list::Shared;

type Event = super::Event<Shared>;

/// What a set announces, and a gate.
///
/// Two threads pass the gate in either order, and nothing else is ordered by that. Loom compares
/// an access with the last one of the same word alone; so a compare-and-swap that a load of its
/// own thread precedes is never tried before an earlier load of another thread. With a gate
/// behind the one and before the other it is.
struct Made {
    value: Cell<usize>,
    gate: AtomicUsize,
}

impl Made {
    fn new() -> Arc<Self> {
        Arc::new(Made {
            value: Cell::new(0),
            gate: AtomicUsize::new(0),
        })
    }

    fn pass(&self) {
        self.gate.fetch_add(1, Ordering::Relaxed);
    }
}

/// Nobody waits, and the word does not say that anybody does.
fn assert_no_trace(event: &Event) {
    assert_eq!(event.statistics().waiting, 0);
    assert_eq!(event.news().word.load(Ordering::Relaxed) & WAITERS, 0);
}

#[test]
fn a_wait_sees_what_was_done_before_the_set() {
    loom::model(|| {
        let event = Arc::new(Event::new());
        let made = Made::new();
        let setter = spawn(&event, {
            let made = made.clone();
            move |event| {
                made.value.set(1);
                event.set();
                made.pass();
            }
        });
        made.pass();
        block_on(event.wait());
        assert_eq!(made.value.get(), 1);
        setter.join().unwrap();
        assert_no_trace(&event);
    });
}

#[test]
fn whoever_finds_it_set_sees_what_was_done_before() {
    loom::model(|| {
        let event = Arc::new(Event::new());
        let made = Made::new();
        let setter = spawn(&event, {
            let made = made.clone();
            move |event| {
                made.value.set(1);
                event.set();
                made.pass();
            }
        });
        made.pass();
        if event.is_set() {
            assert_eq!(made.value.get(), 1);
        }
        setter.join().unwrap();
    });
}

#[test]
fn a_wait_sees_a_set_that_was_cleared_at_once() {
    loom::model(|| {
        let event = Arc::new(Event::new());
        let made = Made::new();
        let wait = event.wait();
        let setter = spawn(&event, {
            let made = made.clone();
            move |event| {
                made.value.set(1);
                event.set();
                event.clear();
                made.pass();
            }
        });
        made.pass();
        block_on(wait);
        assert_eq!(made.value.get(), 1);
        setter.join().unwrap();
        assert!(!event.is_set());
        assert_no_trace(&event);
    });
}

#[test]
fn a_set_ends_the_wait_of_all() {
    loom::model(|| {
        let event = Arc::new(Event::new());
        let made = Made::new();
        let others = [(); 2].map(|()| {
            let made = made.clone();
            spawn(&event, move |event| {
                block_on(event.wait());
                assert_eq!(made.value.get(), 1);
            })
        });
        made.value.set(1);
        event.set();
        for other in others {
            other.join().unwrap();
        }
        assert_no_trace(&event);
    });
}

#[test]
fn a_cancelled_wait_leaves_no_trace() {
    loom::model(|| {
        let event = Arc::new(Event::new());
        let setter = spawn(&event, |event| {
            event.set();
            event.clear();
        });
        poll_once(event.wait());
        assert_no_trace(&event);
        setter.join().unwrap();
        assert_no_trace(&event);
    });
}

#[test]
fn a_cancelled_wait_takes_no_wake_up_along() {
    loom::model(|| {
        let event = Arc::new(Event::new());
        let stays = spawn(&event, |event| block_on(event.wait()));
        let setter = spawn(&event, Event::set);
        poll_once(event.wait());
        stays.join().unwrap();
        setter.join().unwrap();
        assert_no_trace(&event);
    });
}

#[test]
fn a_cancelled_wait_hides_no_set_from_others() {
    loom::model(|| {
        let event = Arc::new(Event::new());
        let made = Made::new();
        let wait = event.wait();
        let setter = spawn(&event, {
            let made = made.clone();
            move |event| {
                made.value.set(1);
                event.set();
                event.clear();
                poll_once(event.wait());
                made.pass();
            }
        });
        made.pass();
        block_on(wait);
        assert_eq!(made.value.get(), 1);
        setter.join().unwrap();
        assert_no_trace(&event);
    });
}

#[test]
fn a_late_comer_is_not_woken_by_an_earlier_set() {
    loom::model(|| {
        let event = Arc::new(Event::new());
        let early = spawn(&event, |event| poll_once(event.wait()).is_some());
        event.set();
        event.clear();
        assert!(
            poll_once(event.wait()).is_none(),
            "it was woken by a set before its time"
        );
        early.join().unwrap();
        assert_no_trace(&event);
    });
}

#[test]
fn two_sets_and_a_clear_end_every_wait_that_was_there() {
    loom::model(|| {
        let event = Arc::new(Event::new());
        let waits = [(); 2].map(|()| {
            let mut wait = Box::pin(event.wait());
            let mut cx = Context::from_waker(Waker::noop());
            assert!(wait.as_mut().poll(&mut cx).is_pending());
            wait
        });
        let others = [
            spawn(&event, Event::set),
            spawn(&event, |event| {
                event.set();
                event.clear();
            }),
        ];
        for wait in waits {
            block_on(wait);
        }
        for other in others {
            other.join().unwrap();
        }
        assert_no_trace(&event);
    });
}

/// Work that is announced by an event: it is made before `set`, and looked for after `clear`.
#[test]
fn whoever_clears_and_looks_misses_no_work() {
    loom::model(|| {
        let event = Arc::new(Event::new());
        event.set();
        let work = Arc::new(AtomicUsize::new(0));
        let maker = spawn(&event, {
            let work = work.clone();
            move |event| {
                work.store(1, Ordering::Relaxed);
                event.set();
            }
        });
        loop {
            event.clear();
            if work.load(Ordering::Relaxed) == 1 {
                break;
            }
            block_on(event.wait());
        }
        maker.join().unwrap();
    });
}

/// Two clear; the second finds it cleared already, and looks for work all the same.
#[test]
fn the_second_to_clear_sees_the_work_too() {
    loom::model(|| {
        let event = Arc::new(Event::new());
        let work = Arc::new(AtomicUsize::new(0));
        // Orders nothing. Without it loom does not try the first clear's write before the load of
        // the second's.
        let gate = Arc::new(AtomicUsize::new(0));
        let maker = spawn(&event, {
            let work = work.clone();
            move |event| {
                work.store(1, Ordering::Relaxed);
                event.set();
            }
        });
        let first = spawn(&event, {
            let gate = gate.clone();
            move |event| {
                event.clear();
                gate.fetch_add(1, Ordering::Relaxed);
            }
        });
        gate.fetch_add(1, Ordering::Relaxed);
        let was_set = event.news().word.load(Ordering::Relaxed) >= GENERATION;
        event.clear();
        assert!(!was_set || work.load(Ordering::Relaxed) == 1);
        maker.join().unwrap();
        first.join().unwrap();
    });
}

#[test]
fn a_wait_that_moved_to_another_task_is_woken_there() {
    loom::model(|| {
        let event = Arc::new(Event::new());
        let setter = spawn(&event, Event::set);
        let mut wait: Pin<Box<EventWait<'_, _>>> = Box::pin(event.wait());
        let mut nobody = Context::from_waker(Waker::noop());
        if wait.as_mut().poll(&mut nobody).is_pending() {
            block_on(wait);
        }
        setter.join().unwrap();
    });
}

#[test]
fn a_thread_sleeps_until_the_event_is_set() {
    loom::model(|| {
        let event = Arc::new(Event::new());
        let sleeper = spawn(&event, Event::blocking_wait);
        event.set();
        sleeper.join().unwrap();
        assert_no_trace(&event);
    });
}
