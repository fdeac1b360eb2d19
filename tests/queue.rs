//! Queues by their public API, in both modes, polled by hand: nearly nothing needs a loop.
//!
//! Comments that begin with a number name the asyncio behaviour (Q) or historical bug (B) that a
//! test is about.
//!
//! # Not here
//! Random programs against a model: `queue_properties.rs`. Orders of threads: the loom models.

use std::future::Future;
use std::pin::Pin;
use std::sync::Mutex;
use std::task::{Context, Poll, Waker};

#[path = "queue/ends.rs"]
mod ends;
#[path = "queue/in_a_loop.rs"]
mod in_a_loop;
#[path = "queue/items.rs"]
mod items;
#[path = "queue/threads.rs"]
mod threads;
#[path = "queue/waits.rs"]
mod waits;

/// Runs each function with the types of `petla::local` and with those of `petla::sync`.
macro_rules! in_both_modes {
    ($($(#[$doc:meta])* fn $name:ident() $body:block)*) => {
        mod local {
            #[allow(unused_imports, reason = "each file uses its own part")]
            use {super::*, petla::local::*};
            $($(#[$doc])* #[test] fn $name() $body)*
        }
        mod sync {
            #[allow(unused_imports, reason = "each file uses its own part")]
            use {super::*, petla::sync::*};
            $($(#[$doc])* #[test] fn $name() $body)*
        }
    };
}
use in_both_modes;

/// A future that is polled by hand, and may be dropped wherever it stands.
struct Hand<'a, T>(Pin<Box<dyn Future<Output = T> + 'a>>);

fn hand<'a, F: Future + 'a>(future: F) -> Hand<'a, F::Output> {
    Hand(Box::pin(future))
}

impl<T> Hand<'_, T> {
    fn poll(&mut self) -> Poll<T> {
        self.poll_with(Waker::noop())
    }

    fn poll_with(&mut self, waker: &Waker) -> Poll<T> {
        self.0.as_mut().poll(&mut Context::from_waker(waker))
    }

    /// One poll, which must find it ready.
    #[track_caller]
    fn ready(&mut self) -> T {
        match self.poll() {
            Poll::Ready(value) => value,
            Poll::Pending => panic!("it is not ready"),
        }
    }
}

/// A future that was polled once, and waits.
#[track_caller]
fn waiting<'a, F: Future + 'a>(future: F) -> Hand<'a, F::Output> {
    let mut hand = hand(future);
    assert!(hand.poll().is_pending(), "it does not wait");
    hand
}

/// The value of a future that is ready at once.
#[track_caller]
fn at_once<F: Future>(future: F) -> F::Output {
    hand(future).ready()
}

/// Leaks a value on purpose, where the leak checker finds it.
fn leak<T>(value: T) {
    static LEAKED: Mutex<Vec<usize>> = Mutex::new(Vec::new());
    let leaked = Box::into_raw(Box::new(value)).expose_provenance();
    LEAKED.lock().unwrap().push(leaked);
}
