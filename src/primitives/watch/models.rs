//! Loom models of `sync::Watch`: set, get and changed against each other and a cancellation.
//!
//! The values are read from loom's own cells by `clone`, so that loom sees whether the reader may
//! touch them. A lost wake-up shows as a deadlock, a leaked or doubled value as a wrong count.
//!
//! # Bounds
//! Here the bound on pre-emptions of `.ci/loom`. All orders were tried of all models but
//! `every_watcher_..`, which did not end in a minute and was explored up to four pre-emptions.
//!
//! # What the models catch
//! `.ci/mutate watch/` seeds each line; two pre-emptions suffice for all of them.
//!
//! | mutation | fails |
//! | --- | --- |
//! | `set` leaves `WAIT` as it is | `a_watcher_sees_..`, `a_thread_sleeps_..` |
//! | `set` does not count, or counts before the value is there | `a_watcher_sees_..` |
//! | `changed` does not look again under the lock | `a_watcher_sees_..` |
//! | a value counts as seen when the wait for it begins | `a_cancelled_wait_..` |
//! | value and number are read one after the other, in either order | `the_last_of_..` |
//! | a watcher has not seen the value that was there | `a_watcher_sees_..` |
//!
//! # Not here
//! `local` has no threads; more than 32 watchers, re-entrant code of the value: unit tests.

use loom::cell::Cell;
use loom::future::block_on;

use crate::primitives::threads::{poll_once, spawn};
use crate::rt::{Arc, AtomicUsize, Ordering};
use crate::wait_list::Shared;

type Watch<T> = super::Watch<T, Shared>;

/// A number in a cell of loom's.
struct Seen(Cell<usize>);

impl Seen {
    fn new(number: usize) -> Self {
        Seen(Cell::new(number))
    }
}

impl Clone for Seen {
    fn clone(&self) -> Self {
        Seen::new(self.0.get())
    }
}

fn watch() -> Arc<Watch<Seen>> {
    Arc::new(Watch::new(Seen::new(0)))
}

#[test]
fn a_watcher_sees_the_value_that_was_set() {
    loom::model(|| {
        let watch = watch();
        let mut watcher = watch.watcher();
        let setter = spawn(&watch, |watch| watch.set(Seen::new(1)));
        assert_eq!(block_on(watcher.changed()).0.get(), 1);
        setter.join().unwrap();
        assert!(poll_once(watcher.changed()).is_none());
        assert_eq!(watch.statistics().waiting, 0);
    });
}

#[test]
fn the_last_of_several_values_is_seen() {
    loom::model(|| {
        let watch = watch();
        let mut watcher = watch.watcher();
        let setter = spawn(&watch, |watch| {
            watch.set(Seen::new(1));
            watch.set(Seen::new(2));
        });
        let mut last = 0;
        while last != 2 {
            let next = block_on(watcher.changed()).0.get();
            assert!(next > last);
            last = next;
        }
        setter.join().unwrap();
        assert!(poll_once(watcher.changed()).is_none());
    });
}

#[test]
fn a_cancelled_wait_leaves_the_value_new() {
    loom::model(|| {
        let watch = watch();
        let mut watcher = watch.watcher();
        let setter = spawn(&watch, |watch| watch.set(Seen::new(1)));
        if poll_once(watcher.changed()).is_none() {
            assert_eq!(block_on(watcher.changed()).0.get(), 1);
        }
        setter.join().unwrap();
        assert!(poll_once(watcher.changed()).is_none());
        assert_eq!(watch.statistics().waiting, 0);
    });
}

#[test]
fn every_watcher_sees_the_value() {
    loom::model(|| {
        let watch = watch();
        let see = |watch: &Watch<Seen>| {
            let mut watcher = watch.watcher();
            if watch.get().0.get() == 0 {
                assert_eq!(block_on(watcher.changed()).0.get(), 1);
            }
        };
        let watchers = [spawn(&watch, see), spawn(&watch, see)];
        watch.set(Seen::new(1));
        for watcher in watchers {
            watcher.join().unwrap();
        }
        assert_eq!(watch.statistics().waiting, 0);
    });
}

/// Counts its drops.
#[derive(Clone)]
struct Counted(Arc<AtomicUsize>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn every_value_and_clone_is_dropped_once() {
    loom::model(|| {
        let drops = Arc::new(AtomicUsize::new(0));
        let watch = Arc::new(Watch::new(Counted(drops.clone())));
        let setter = spawn(&watch, {
            let next = Counted(drops.clone());
            move |watch| watch.set(next)
        });
        drop(watch.get());
        setter.join().unwrap();
        assert_eq!(drops.load(Ordering::Relaxed), 2);
        drop(watch);
        assert_eq!(drops.load(Ordering::Relaxed), 3);
    });
}

#[test]
fn of_two_values_that_are_set_at_once_both_sides_see_the_same_last() {
    loom::model(|| {
        let watch = watch();
        let mut watcher = watch.watcher();
        let setter = spawn(&watch, |watch| watch.set(Seen::new(1)));
        watch.set(Seen::new(2));
        setter.join().unwrap();
        let seen = block_on(watcher.changed()).0.get();
        assert_eq!(watch.get().0.get(), seen);
        assert!(poll_once(watcher.changed()).is_none());
    });
}

#[test]
fn a_thread_sleeps_until_there_is_a_value() {
    loom::model(|| {
        let watch = watch();
        let setter = spawn(&watch, |watch| watch.set(Seen::new(1)));
        let mut watcher = watch.watcher();
        if watch.get().0.get() == 0 {
            assert_eq!(watcher.blocking_changed().0.get(), 1);
        }
        setter.join().unwrap();
    });
}
