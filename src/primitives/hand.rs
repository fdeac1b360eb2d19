//! For tests: futures polled by hand, and wakers that count, come back or panic.
//!
//! Most of what a primitive promises is about one order of polls, drops and releases. By hand
//! that order is written down in the test, and nothing else runs between two steps.
//!
//! # Not here
//! Random programs: each primitive's own. Threads: the loom models.
#![allow(dead_code, reason = "each primitive uses its own part")]

use std::cell::RefCell;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::ptr;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};

pub(super) use crate::wait_list::tests::{Count, in_task};

/// Runs each function with a type of the parent module in each mode.
macro_rules! in_both_modes {
    ($type:ident: $($(#[$doc:meta])* fn $name:ident() $body:block)*) => {
        mod local {
            use super::*;
            type $type = super::super::$type<crate::wait_list::Local>;
            $($(#[$doc])* #[test] fn $name() $body)*
        }
        mod sync {
            use super::*;
            type $type = super::super::$type<crate::wait_list::Shared>;
            $($(#[$doc])* #[test] fn $name() $body)*
        }
    };
}
pub(super) use in_both_modes;

pub(super) type Boxed<'a, T> = Pin<Box<dyn Future<Output = T> + 'a>>;

pub(super) fn poll_with<T>(future: &mut Boxed<'_, T>, waker: &Waker) -> Poll<T> {
    future.as_mut().poll(&mut Context::from_waker(waker))
}

pub(super) fn poll<T>(future: &mut Boxed<'_, T>) -> Poll<T> {
    poll_with(future, Waker::noop())
}

/// A future that was polled once, and waits.
#[track_caller]
pub(super) fn waiting<'a, F: Future + 'a>(future: F) -> Boxed<'a, F::Output> {
    waiting_with(future, Waker::noop())
}

/// The same, to be woken by `waker`.
#[track_caller]
pub(super) fn waiting_with<'a, F: Future + 'a>(future: F, waker: &Waker) -> Boxed<'a, F::Output> {
    let mut future: Boxed<'a, F::Output> = Box::pin(future);
    let first = poll_with(&mut future, waker);
    assert!(first.is_pending(), "it does not wait");
    future
}

/// The value of a future that is done.
#[track_caller]
pub(super) fn ready<T>(future: &mut Boxed<'_, T>) -> T {
    match poll(future) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("it waits"),
    }
}

/// The value of a future that need not wait.
#[track_caller]
pub(super) fn at_once<'a, F: Future + 'a>(future: F) -> F::Output {
    ready(&mut (Box::pin(future) as Boxed<'a, F::Output>))
}

thread_local! {
    /// What [`Hook`] does when it is woken, once.
    static ON_WAKE: RefCell<Option<Box<dyn FnOnce()>>> = const { RefCell::new(None) };
}

/// A waker that runs a closure of its thread; one at a time.
pub(super) struct Hook;

impl Wake for Hook {
    fn wake(self: Arc<Self>) {
        if let Some(run) = ON_WAKE.take() {
            run();
        }
    }
}

impl Hook {
    pub(super) fn waker(run: impl FnOnce() + 'static) -> Waker {
        ON_WAKE.set(Some(Box::new(run)));
        Waker::from(Arc::new(Hook))
    }
}

/// A waker that panics.
pub(super) struct Angry;

impl Wake for Angry {
    fn wake(self: Arc<Self>) {
        panic!("angry waker");
    }
}

/// What `f` panics with.
#[track_caller]
pub(super) fn panic_text<R>(f: impl FnOnce() -> R) -> String {
    let passed = catch_unwind(AssertUnwindSafe(f));
    let panic = passed.err().expect("it may not pass");
    match panic.downcast::<String>() {
        Ok(text) => *text,
        Err(panic) => (*panic.downcast_ref::<&str>().expect("text")).to_owned(),
    }
}

/// Leaks a value on purpose, where the leak checker finds it.
pub(super) fn leak<'a, T>(value: T) -> &'a mut T {
    static LEAKED: Mutex<Vec<usize>> = Mutex::new(Vec::new());
    let leaked = Box::leak(Box::new(value));
    let address = ptr::from_mut(leaked).expose_provenance();
    LEAKED.lock().unwrap().push(address);
    leaked
}
