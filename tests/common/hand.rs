//! Futures that are polled by hand, and a macro that runs a test with both families.
//!
//! A primitive needs no loop: what it does between two polls, a drop included, is tried exactly
//! where a test says. [`Hand`] also lets a future be dropped in any state and moved while it
//! waits. A test in [`in_both_modes`] is written once, with the names that `petla::local` and
//! `petla::sync` have in common, and with `Ref` for `Rc` or `Arc`. A [`Meddler`] is a waker that
//! comes back to the primitive that calls it.
//!
//! # Not here
//! Tasks and threads.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};

/// Runs each function with the types of `petla::local` and with those of `petla::sync`.
#[allow(unused_macros, reason = "each test program uses its own part")]
macro_rules! in_both_modes {
    ($($(#[$doc:meta])* fn $name:ident() $body:block)*) => {
        mod local {
            #[allow(unused_imports, reason = "each file uses its own part")]
            use {super::*, petla::local::*, std::rc::Rc as Ref};
            $($(#[$doc])* #[test] fn $name() $body)*
        }
        mod sync {
            #[allow(unused_imports, reason = "each file uses its own part")]
            use {super::*, petla::sync::*, std::sync::Arc as Ref};
            $($(#[$doc])* #[test] fn $name() $body)*
        }
    };
}
#[allow(unused_imports, reason = "each test program uses its own part")]
pub(crate) use in_both_modes;

/// A future that is polled by hand, and may be dropped wherever it stands.
pub(crate) struct Hand<'a, T>(Pin<Box<dyn Future<Output = T> + 'a>>);

pub(crate) fn hand<'a, F: Future + 'a>(future: F) -> Hand<'a, F::Output> {
    Hand(Box::pin(future))
}

impl<T> Hand<'_, T> {
    pub(crate) fn poll(&mut self) -> Poll<T> {
        self.poll_with(Waker::noop())
    }

    pub(crate) fn poll_with(&mut self, waker: &Waker) -> Poll<T> {
        self.0.as_mut().poll(&mut Context::from_waker(waker))
    }

    /// One poll, which must find it ready.
    #[track_caller]
    pub(crate) fn ready(&mut self) -> T {
        match self.poll() {
            Poll::Ready(value) => value,
            Poll::Pending => panic!("it is not ready"),
        }
    }

    /// One poll, which must find it waiting.
    #[track_caller]
    pub(crate) fn waits(&mut self) {
        assert!(self.poll().is_pending(), "it does not wait");
    }
}

/// As a future it may be awaited by a task that has polled it by hand before.
impl<T> Future for Hand<'_, T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        self.0.as_mut().poll(cx)
    }
}

/// A future that was polled once, and waits.
#[track_caller]
pub(crate) fn waiting<'a, F: Future + 'a>(future: F) -> Hand<'a, F::Output> {
    let mut hand = hand(future);
    hand.waits();
    hand
}

/// The value of a future that is ready at once.
#[track_caller]
pub(crate) fn at_once<F: Future>(future: F) -> F::Output {
    hand(future).ready()
}

/// An executor of twenty lines: polls who was woken, until nobody was. How many are left?
pub(crate) fn drive(futures: Vec<Pin<Box<dyn Future<Output = ()> + '_>>>) -> usize {
    struct Ticket(usize, Arc<Mutex<VecDeque<usize>>>);
    impl Wake for Ticket {
        fn wake(self: Arc<Self>) {
            self.1.lock().unwrap().push_back(self.0);
        }
    }
    let ready = Arc::new(Mutex::new((0..futures.len()).collect::<VecDeque<_>>()));
    let mut futures: Vec<_> = futures.into_iter().map(Some).collect();
    loop {
        let Some(number) = ready.lock().unwrap().pop_front() else {
            return futures.iter().flatten().count();
        };
        let waker = Waker::from(Arc::new(Ticket(number, Arc::clone(&ready))));
        let place = &mut futures[number];
        let Some(future) = place else { continue };
        if future
            .as_mut()
            .poll(&mut Context::from_waker(&waker))
            .is_ready()
        {
            *place = None;
        }
    }
}

/// Leaks a value on purpose, where the leak checker finds it.
pub(crate) fn leak<T>(value: T) {
    static LEAKED: Mutex<Vec<usize>> = Mutex::new(Vec::new());
    let leaked = Box::into_raw(Box::new(value)).expose_provenance();
    LEAKED.lock().unwrap().push(leaked);
}

thread_local! {
    /// What a [`Meddler`] does.
    static DEED: RefCell<Option<Box<dyn FnOnce()>>> = const { RefCell::new(None) };
}

/// A waker of this thread that runs what it was told, once, when it is woken or dropped.
pub(crate) struct Meddler {
    on_wake: bool,
}

impl Meddler {
    pub(crate) fn waker(on_wake: bool, deed: impl FnOnce() + 'static) -> Waker {
        DEED.set(Some(Box::new(deed)));
        Waker::from(Arc::new(Meddler { on_wake }))
    }

    fn meddle() {
        if let Some(deed) = DEED.take() {
            deed();
        }
    }

    /// Whether the last one did what it was told.
    pub(crate) fn has_meddled() -> bool {
        DEED.with_borrow(Option::is_none)
    }
}

impl Wake for Meddler {
    fn wake(self: Arc<Self>) {
        if self.on_wake {
            Meddler::meddle();
        }
    }
}

impl Drop for Meddler {
    fn drop(&mut self) {
        if !self.on_wake {
            Meddler::meddle();
        }
    }
}
