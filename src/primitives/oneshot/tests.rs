//! Both ends in both modes, polled by hand.
//!
//! # Not here
//! Two threads at once: `models`.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::marker::PhantomPinned;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use crate::context;
use crate::primitives::hand::panic_text;
use crate::primitives::{self, Abandoned, Getter, Local, Setter, Shared, UntilAbandoned};

/// Counts how often it rings, and runs the thread's [`ACTION`] then and when it is dropped.
#[derive(Default)]
struct Bell {
    rings: AtomicUsize,
}

thread_local! {
    static ACTION: RefCell<Option<Box<dyn FnOnce()>>> = const { RefCell::new(None) };
}

/// What the next bell does that rings or is dropped.
fn then(action: impl FnOnce() + 'static) {
    ACTION.set(Some(Box::new(action)));
}

fn act() {
    if let Some(action) = ACTION.take() {
        action();
    }
}

fn has_acted() -> bool {
    ACTION.with_borrow(Option::is_none)
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.rings.fetch_add(1, Ordering::Relaxed);
        act();
    }
}

impl Drop for Bell {
    fn drop(&mut self) {
        act();
    }
}

fn bell() -> Arc<Bell> {
    Arc::default()
}

impl Bell {
    fn rings(&self) -> usize {
        self.rings.load(Ordering::Relaxed)
    }

    fn poll<F: Future + Unpin>(self: &Arc<Self>, future: &mut F) -> Poll<F::Output> {
        let waker = Waker::from(self.clone());
        Pin::new(future).poll(&mut Context::from_waker(&waker))
    }
}

fn poll<F: Future + Unpin>(future: &mut F) -> Poll<F::Output> {
    Pin::new(future).poll(&mut Context::from_waker(Waker::noop()))
}

macro_rules! in_both_modes {
    ($($(#[$doc:meta])* fn $name:ident() $body:block)*) => {
        mod in_local {
            use {super::*, Local as M};
            in_both_modes!(@in $($(#[$doc])* fn $name() $body)*);
        }
        mod in_sync {
            use {super::*, Shared as M};
            in_both_modes!(@in $($(#[$doc])* fn $name() $body)*);
        }
    };
    (@in $($(#[$doc:meta])* fn $name:ident() $body:block)*) => {
        fn oneshot<T>() -> (Setter<T, M>, Getter<T, M>) {
            primitives::oneshot()
        }
        $($(#[$doc])* #[test] fn $name() $body)*
    };
}

in_both_modes! {
    fn a_value_that_is_set_first_is_there_at_once() {
        let (setter, mut getter) = oneshot();
        assert_eq!(setter.set(1), Ok(()));
        assert_eq!(poll(&mut getter), Poll::Ready(Ok(1)));
    }

    fn a_getter_that_waits_is_woken_once_by_the_value() {
        let (setter, mut getter) = oneshot();
        let bell = bell();
        assert!(bell.poll(&mut getter).is_pending());
        assert_eq!(getter.get_nowait(), Ok(None));
        setter.set(1).unwrap();
        assert_eq!(bell.rings(), 1);
        assert_eq!(getter.get_nowait(), Ok(Some(1)));
        drop(getter);
        assert_eq!((bell.rings(), Arc::strong_count(&bell)), (1, 1));
    }

    fn a_setter_that_is_dropped_ends_the_wait() {
        let (setter, mut getter) = oneshot::<u8>();
        let bell = bell();
        assert!(bell.poll(&mut getter).is_pending());
        drop(setter);
        assert_eq!(bell.rings(), 1);
        assert_eq!(bell.poll(&mut getter), Poll::Ready(Err(Abandoned)));
        assert_eq!(Arc::strong_count(&bell), 1);
        let (setter, mut getter) = oneshot::<u8>();
        drop(setter);
        assert_eq!(getter.get_nowait(), Err(Abandoned));
    }

    fn a_value_without_a_getter_comes_back() {
        let (setter, getter) = oneshot();
        assert!(!setter.is_abandoned());
        drop(getter);
        assert!(setter.is_abandoned());
        assert_eq!(setter.set("back"), Err("back"));
    }

    fn a_value_that_is_never_taken_is_dropped_once() {
        let value = Rc::new(());
        let (setter, getter) = oneshot();
        setter.set(value.clone()).unwrap();
        assert_eq!(Rc::strong_count(&value), 2);
        drop(getter);
        assert_eq!(Rc::strong_count(&value), 1);
    }

    fn a_getter_that_is_cancelled_lets_go_of_its_waker() {
        let (setter, mut getter) = oneshot::<u8>();
        let bell = bell();
        assert!(bell.poll(&mut getter).is_pending());
        drop(getter);
        assert_eq!(Arc::strong_count(&bell), 1);
        assert_eq!(setter.set(1), Err(1));
        assert_eq!(bell.rings(), 0);
    }

    fn the_last_waker_is_the_one_that_is_woken() {
        let (setter, mut getter) = oneshot();
        let (first, second) = (bell(), bell());
        assert!(first.poll(&mut getter).is_pending());
        assert!(second.poll(&mut getter).is_pending());
        assert_eq!(Arc::strong_count(&first), 1);
        setter.set(1).unwrap();
        assert_eq!((first.rings(), second.rings()), (0, 1));
    }

    fn a_waker_that_wakes_the_same_is_not_cloned_again() {
        let (_setter, mut getter) = oneshot::<u8>();
        let bell = bell();
        let waker = Waker::from(bell.clone());
        for _ in 0..3 {
            let mut cx = Context::from_waker(&waker);
            assert!(Pin::new(&mut getter).poll(&mut cx).is_pending());
            assert_eq!(Arc::strong_count(&bell), 3);
        }
    }

    fn a_getter_may_move_while_it_waits() {
        let (setter, mut getter) = oneshot();
        assert!(poll(&mut getter).is_pending());
        let mut moved = Box::new(getter);
        setter.set(1).unwrap();
        assert_eq!(poll(&mut moved), Poll::Ready(Ok(1)));
    }

    fn a_value_may_borrow() {
        let text = String::from("lent");
        let (setter, mut getter) = oneshot();
        setter.set(&text).unwrap();
        assert_eq!(poll(&mut getter), Poll::Ready(Ok(&text)));
    }

    fn a_getter_gives_its_result_once() {
        let (setter, mut getter) = oneshot();
        setter.set(1).unwrap();
        assert!(poll(&mut getter).is_ready());
        let text = "a `Getter` gives its result once: it was polled after it was done";
        assert_eq!(panic_text(|| poll(&mut getter)), text);
        assert_eq!(panic_text(|| getter.get_nowait()), text);
        let (setter, mut getter) = oneshot::<u8>();
        drop(setter);
        assert!(getter.get_nowait().is_err());
        assert_eq!(panic_text(|| poll(&mut getter)), text);
    }

    fn a_setter_learns_that_its_getter_is_gone() {
        let (mut setter, getter) = oneshot::<u8>();
        let bell = bell();
        assert!(bell.poll(&mut setter.abandoned()).is_pending());
        drop(getter);
        assert_eq!(bell.rings(), 1);
        assert!(bell.poll(&mut setter.abandoned()).is_ready());
        assert!(bell.poll(&mut setter.abandoned()).is_ready());
        drop(setter);
        assert_eq!(Arc::strong_count(&bell), 1);
    }

    fn a_setter_that_waited_can_still_set() {
        let (mut setter, mut getter) = oneshot();
        let bell = bell();
        assert!(bell.poll(&mut setter.abandoned()).is_pending());
        setter.set(1).unwrap();
        assert_eq!((bell.rings(), Arc::strong_count(&bell)), (0, 1));
        assert_eq!(poll(&mut getter), Poll::Ready(Ok(1)));
    }

    fn each_end_has_a_waker_of_its_own() {
        let (mut setter, mut getter) = oneshot::<u8>();
        let (sets, gets) = (bell(), bell());
        assert!(sets.poll(&mut setter.abandoned()).is_pending());
        assert!(gets.poll(&mut getter).is_pending());
        drop(setter);
        assert_eq!((sets.rings(), gets.rings()), (0, 1));
        assert_eq!(Arc::strong_count(&sets), 1);
        drop(getter);
        assert_eq!(Arc::strong_count(&gets), 1);
    }

    /// Were it woken under the lock, `local` would panic and `sync` never return.
    fn a_waker_may_take_the_value_that_it_tells_of() {
        let (setter, mut getter) = oneshot();
        assert!(bell().poll(&mut getter).is_pending());
        then(move || assert_eq!(getter.get_nowait(), Ok(Some(1))));
        setter.set(1).unwrap();
        assert!(has_acted());
    }

    fn a_waker_may_use_the_setter_when_it_is_replaced() {
        let (setter, mut getter) = oneshot();
        assert!(bell().poll(&mut getter).is_pending());
        then(move || setter.set(1).unwrap());
        // The first bell goes, and sets the value that this poll did not see.
        let second = bell();
        assert!(second.poll(&mut getter).is_pending());
        assert!(has_acted());
        assert_eq!(second.rings(), 1);
        assert_eq!(poll(&mut getter), Poll::Ready(Ok(1)));
    }

    fn the_value_is_there_although_its_waker_panics() {
        let (setter, mut getter) = oneshot();
        assert!(bell().poll(&mut getter).is_pending());
        then(|| panic!("the waker panics"));
        assert_eq!(panic_text(|| setter.set(1)), "the waker panics");
        assert_eq!(poll(&mut getter), Poll::Ready(Ok(1)));
    }

    fn the_end_is_known_although_its_waker_panics() {
        let (setter, mut getter) = oneshot::<u8>();
        assert!(bell().poll(&mut getter).is_pending());
        then(|| panic!("the waker panics"));
        assert_eq!(panic_text(|| drop(setter)), "the waker panics");
        assert_eq!(poll(&mut getter), Poll::Ready(Err(Abandoned)));
    }

    fn both_ends_say_how_many_wait() {
        let (mut setter, mut getter) = oneshot::<u8>();
        let waiting = |setter: &Setter<_, M>, getter: &Getter<_, M>| {
            (setter.statistics().waiting, getter.statistics().waiting)
        };
        assert_eq!(waiting(&setter, &getter), (0, 0));
        assert!(poll(&mut getter).is_pending());
        assert_eq!(waiting(&setter, &getter), (1, 1));
        assert!(poll(&mut setter.abandoned()).is_pending());
        assert_eq!(waiting(&setter, &getter), (2, 2));
        setter.set(1).unwrap();
        assert_eq!(getter.statistics().waiting, 0);
        assert!(poll(&mut getter).is_ready());
        assert_eq!(getter.statistics().waiting, 0);
    }

    fn an_end_says_in_which_state_it_is() {
        let (setter, mut getter) = oneshot();
        assert_eq!(format!("{setter:?}"), "Setter { abandoned: false }");
        assert_eq!(format!("{getter:?}"), "Getter { state: \"waiting\" }");
        setter.set(1).unwrap();
        assert_eq!(format!("{getter:?}"), "Getter { state: \"set\" }");
        assert!(poll(&mut getter).is_ready());
        assert_eq!(format!("{getter:?}"), "Getter { state: \"done\" }");
        let (setter, getter) = oneshot::<u8>();
        drop(setter);
        assert_eq!(format!("{getter:?}"), "Getter { state: \"abandoned\" }");
    }
}

#[test]
fn a_getter_is_unpin_whatever_the_value() {
    fn is_unpin<T: Unpin>() {}
    is_unpin::<Getter<PhantomPinned, Local>>();
    is_unpin::<Getter<PhantomPinned, Shared>>();
}

#[test]
fn the_ends_of_sync_cross_threads_and_are_shared() {
    fn crosses<T: Send + Sync>() {}
    // Of the value only `Send` is asked.
    crosses::<Setter<Cell<u8>, Shared>>();
    crosses::<Getter<Cell<u8>, Shared>>();
    crosses::<UntilAbandoned<'_, Cell<u8>, Shared>>();
}

#[test]
fn an_end_takes_one_word() {
    assert_eq!(size_of::<Setter<[u64; 9], Local>>(), 8);
    assert_eq!(size_of::<Getter<[u64; 9], Local>>(), 8);
    assert_eq!(size_of::<Setter<[u64; 9], Shared>>(), 8);
    assert_eq!(size_of::<Getter<[u64; 9], Shared>>(), 8);
}

#[test]
fn a_thread_that_runs_a_loop_is_not_put_to_sleep() {
    let (setter, getter) = primitives::oneshot::<_, Shared>();
    let outside = context::set_loop_thread(true);
    let text = panic_text(|| getter.blocking_get());
    context::set_loop_thread(outside);
    assert!(text.contains("await `getter` instead"), "{text}");
    assert_eq!(setter.set(1), Err(1));
}
