//! Watches in both modes, polled by hand: what a watcher has seen, and what a cancellation, a
//! foreign waker or the value's own code may do.
//!
//! # Not here
//! Orders of threads: `models`. Tasks of a loop: the tests of the crate.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::task::{Poll, Wake};

use super::{Changed, Watch, Watcher};
use crate::context;
use crate::primitives::hand::{Boxed, leak, poll, waiting, waiting_with};
use crate::wait_list::{Local, Shared};

/// More than two batches of wakers.
const MANY: usize = 70;

/// Runs each test with the watches of each mode.
macro_rules! in_both_modes {
    ($($(#[$doc:meta])* fn $name:ident() $body:block)*) => {
        mod local {
            use super::*;
            type Watch<T> = super::Watch<T, Local>;
            $($(#[$doc])* #[test] fn $name() $body)*
        }
        mod sync {
            use super::*;
            type Watch<T> = super::Watch<T, Shared>;
            $($(#[$doc])* #[test] fn $name() $body)*
        }
    };
}

fn at_once<'a, F: Future + 'a>(future: F) -> Option<F::Output> {
    match poll(&mut (Box::pin(future) as Boxed<'a, _>)) {
        Poll::Ready(output) => Some(output),
        Poll::Pending => None,
    }
}

/// Notes its number in a list when it is woken.
struct Numbered(usize, Arc<Mutex<Vec<usize>>>);

impl Wake for Numbered {
    fn wake(self: Arc<Self>) {
        self.1.lock().unwrap().push(self.0);
    }
}

struct Panics;

impl Wake for Panics {
    fn wake(self: Arc<Self>) {
        panic!("a waker's panic");
    }
}

/// A value with a clone that may panic, and a drop that looks at what it came from.
struct Odd {
    number: usize,
    panics: Rc<Cell<bool>>,
    on_drop: Rc<RefCell<Box<dyn FnMut()>>>,
}

impl Odd {
    fn new(number: usize) -> Self {
        Odd {
            number,
            panics: Rc::default(),
            on_drop: Rc::new(RefCell::new(Box::new(|| ()))),
        }
    }
}

impl Clone for Odd {
    fn clone(&self) -> Self {
        assert!(!self.panics.get(), "a value's panic");
        Odd {
            number: self.number,
            panics: self.panics.clone(),
            on_drop: self.on_drop.clone(),
        }
    }
}

impl Drop for Odd {
    fn drop(&mut self) {
        if let Ok(mut act) = self.on_drop.try_borrow_mut() {
            act();
        }
    }
}

in_both_modes! {
    fn a_watcher_has_seen_the_value_that_was_there() {
        let watch = Watch::new(1);
        let mut watcher = watch.watcher();
        assert_eq!(at_once(watcher.changed()), None);
        assert_eq!(watch.get(), 1);
    }

    fn a_value_that_was_set_since_is_there_at_once_and_seen_once() {
        let watch = Watch::new(1);
        let mut watcher = watch.watcher();
        watch.set(2);
        watch.set(3);
        assert_eq!(watch.get(), 3);
        assert_eq!(at_once(watcher.changed()), Some(3));
        assert_eq!(at_once(watcher.changed()), None);
    }

    fn an_equal_value_is_new_all_the_same() {
        let watch = Watch::new(1);
        let mut watcher = watch.watcher();
        watch.set(1);
        assert_eq!(at_once(watcher.changed()), Some(1));
    }

    fn a_wait_ends_with_the_next_value_and_returns_the_last() {
        let watch = Watch::new(0);
        let mut watcher = watch.watcher();
        let mut changed = waiting(watcher.changed());
        assert_eq!(watch.statistics().waiting, 1);
        watch.set(1);
        watch.set(2);
        assert_eq!(poll(&mut changed), Poll::Ready(2));
        assert_eq!(watch.statistics().waiting, 0);
        drop(changed);
        assert_eq!(at_once(watcher.changed()), None);
    }

    fn a_future_that_was_ready_waits_for_the_next_value() {
        let watch = Watch::new(0);
        let mut watcher = watch.watcher();
        let mut changed = waiting(watcher.changed());
        for value in 1..4 {
            watch.set(value);
            assert_eq!(poll(&mut changed), Poll::Ready(value));
            assert!(poll(&mut changed).is_pending());
        }
    }

    fn every_watcher_sees_for_itself() {
        let watch = Watch::new(0);
        let (mut early, mut other) = (watch.watcher(), watch.watcher());
        let mut changed = waiting(early.changed());
        watch.set(1);
        let mut late = watch.watcher();
        assert_eq!(poll(&mut changed), Poll::Ready(1));
        assert_eq!(at_once(other.changed()), Some(1));
        assert_eq!(at_once(late.changed()), None);
    }

    /// Before the set, after the wake-up, and never polled.
    fn a_cancelled_wait_leaves_the_value_new() {
        let watch = Watch::new(0);
        let mut watcher = watch.watcher();
        drop(waiting(watcher.changed()));
        assert_eq!(watch.statistics().waiting, 0);
        let changed = waiting(watcher.changed());
        watch.set(1);
        drop(changed);
        drop(watcher.changed());
        assert_eq!(watch.statistics().waiting, 0);
        assert_eq!(at_once(watcher.changed()), Some(1));
    }

    fn a_set_wakes_all_in_the_order_in_which_they_began_to_wait() {
        let watch = Watch::new(0);
        let woken = Arc::new(Mutex::new(Vec::new()));
        let mut watchers: Vec<_> = (0..MANY).map(|_| watch.watcher()).collect();
        let mut waits: Vec<_> = watchers
            .iter_mut()
            .enumerate()
            .map(|(n, watcher)| {
                let waker = Arc::new(Numbered(n, woken.clone())).into();
                waiting_with(watcher.changed(), &waker)
            })
            .collect();
        assert_eq!(watch.statistics().waiting, MANY);
        watch.set(1);
        assert!(woken.lock().unwrap().iter().copied().eq(0..MANY));
        assert!(waits.iter_mut().all(|wait| poll(wait) == Poll::Ready(1)));
    }

    fn a_panicking_waker_costs_neither_the_value_nor_another_wake_up() {
        let watch = Watch::new(0);
        let woken = Arc::new(Mutex::new(Vec::new()));
        let (mut first, mut second) = (watch.watcher(), watch.watcher());
        let mut first = waiting_with(first.changed(), &Arc::new(Panics).into());
        let bell = Arc::new(Numbered(2, woken.clone())).into();
        let mut second = waiting_with(second.changed(), &bell);
        assert!(catch_unwind(AssertUnwindSafe(|| watch.set(1))).is_err());
        assert_eq!(*woken.lock().unwrap(), [2]);
        assert_eq!(poll(&mut first), Poll::Ready(1));
        assert_eq!(poll(&mut second), Poll::Ready(1));
    }

    fn a_clone_that_panics_leaves_the_value_new() {
        let watch = Watch::new(Odd::new(0));
        let mut watcher = watch.watcher();
        let odd = Odd::new(1);
        let panics = odd.panics.clone();
        let mut changed = waiting(watcher.changed());
        watch.set(odd);
        panics.set(true);
        assert!(catch_unwind(AssertUnwindSafe(|| poll(&mut changed).is_ready())).is_err());
        assert!(catch_unwind(AssertUnwindSafe(|| watch.get())).is_err());
        panics.set(false);
        assert!(matches!(poll(&mut changed), Poll::Ready(Odd { number: 1, .. })));
    }

    /// No code of the value runs under the lock.
    fn a_value_may_use_its_watch_while_it_is_dropped() {
        let watch = Rc::new(Watch::new(Odd::new(1)));
        let found = Rc::new(Cell::new(0));
        let on_drop = watch.get().on_drop.clone();
        *on_drop.borrow_mut() = Box::new({
            let (watch, found) = (watch.clone(), found.clone());
            move || found.set(watch.get().number)
        });
        watch.set(Odd::new(2));
        assert_eq!(found.get(), 2, "the old value sees the new one");
        *on_drop.borrow_mut() = Box::new(|| ());
    }

    fn a_value_lives_as_long_as_somebody_looks_at_it() {
        let value = Rc::new(1);
        let watch = Watch::new(value.clone());
        let looked = watch.get();
        watch.set(Rc::new(2));
        assert_eq!(Rc::strong_count(&value), 2);
        drop(looked);
        assert_eq!(Rc::strong_count(&value), 1);
    }

    fn a_watch_moves_and_dies_though_leaked_waits_are_in_its_line() {
        let watch = Watch::new(0);
        let woken = Arc::new(Mutex::new(Vec::new()));
        let mut watcher = Box::new(watch.watcher());
        let waker = Arc::new(Numbered(1, woken.clone())).into();
        leak(waiting_with(watcher.changed(), &waker));
        let mut other = watch.watcher();
        leak(waiting(other.changed()));
        leak(watcher);
        let moved = Box::new(watch);
        let mut watcher = moved.watcher();
        let mut changed = waiting(watcher.changed());
        moved.set(1);
        assert_eq!(*woken.lock().unwrap(), [1]);
        assert_eq!(poll(&mut changed), Poll::Ready(1));
        let mut last = moved.watcher();
        leak(waiting(last.changed()));
    }

    fn a_task_that_looks_past_the_news_still_gets_them() {
        let watch = Watch::new(0);
        let mut watcher = watch.watcher();
        let (outer, _) = context::begin_poll(1);
        let mut changed = waiting(watcher.changed());
        context::end_poll(outer);
        watch.set(1);
        let (outer, _) = context::begin_poll(1);
        context::end_poll(outer);
        assert!(!crate::wait_list::has_unclaimed(1));
        assert_eq!(poll(&mut changed), Poll::Ready(1));
    }

    fn its_debug_form_shows_the_value() {
        let watch = Watch::<u8>::default();
        assert_eq!(format!("{watch:?}"), "Watch(0)");
        assert_eq!(format!("{:?}", watch.watcher()), "Watcher { .. }");
        assert_eq!(format!("{:?}", watch.watcher().changed()), "Changed { .. }");
    }
}

#[test]
fn a_thread_that_runs_a_loop_is_not_put_to_sleep() {
    let watch = Watch::<_, Shared>::new(0);
    let mut watcher = watch.watcher();
    let outside = context::set_loop_thread(true);
    let changed = catch_unwind(AssertUnwindSafe(|| watcher.blocking_changed()));
    context::set_loop_thread(outside);
    let panic = changed.expect_err("it may not");
    let text = panic.downcast_ref::<String>().unwrap();
    assert!(text.contains("await `changed` instead"), "{text}");
    watch.set(1);
    assert_eq!(watcher.blocking_changed(), 1);
}

#[test]
fn a_shared_watch_and_its_watchers_cross_threads() {
    fn crosses<T: Send + Sync>() {}
    crosses::<Watch<u8, Shared>>();
    crosses::<Watcher<'_, u8, Shared>>();
    crosses::<Changed<'_, u8, Shared>>();
}

#[test]
fn a_wait_takes_56_bytes() {
    assert_eq!(size_of::<Changed<'_, [u8; 100], Shared>>(), 56);
    assert_eq!(size_of::<Watcher<'_, [u8; 100], Shared>>(), 16);
}
