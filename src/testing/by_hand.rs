//! Futures without a loop: one poll at a time, exactly where the test says.
//!
//! # Not here
//! Counting wakes: a waker of one's own does that, with [`Wake`](std::task::Wake).

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

/// Polls `future` once, with a waker that does nothing.
///
/// Takes any `Unpin` future, and others by `&mut pin!(future)`.
///
/// ```
/// use petla::{local::Queue, testing::poll_once};
/// use std::pin::pin;
///
/// let queue = Queue::unbounded();
/// {
///     let mut get = pin!(queue.get());
///     assert!(poll_once(&mut get).is_pending());
///     queue.put_nowait(1).unwrap(); // granted to `get`, which is dropped
/// }
/// assert_eq!(queue.get_nowait(), Ok(1));
/// ```
pub fn poll_once<F: Future + Unpin>(future: &mut F) -> Poll<F::Output> {
    Pin::new(future).poll(&mut Context::from_waker(Waker::noop()))
}

/// Polls `future` once, and it has to wait.
///
/// # Panics
/// If it is ready.
///
/// ```
/// use petla::{local::Event, testing::{assert_pending, assert_ready}};
/// use std::pin::pin;
///
/// let event = Event::new();
/// let mut wait = pin!(event.wait());
/// assert_pending(&mut wait);
/// event.set();
/// assert_ready(&mut wait);
/// ```
#[track_caller]
pub fn assert_pending<F: Future + Unpin>(future: &mut F) {
    if poll_once(future).is_ready() {
        panic!("the future is ready, and should wait");
    }
}

/// Polls `future` once and gives its value.
///
/// # Panics
/// If it has to wait.
///
/// ```
/// assert_eq!(petla::testing::assert_ready(&mut std::future::ready(5)), 5);
/// ```
#[track_caller]
pub fn assert_ready<F: Future + Unpin>(future: &mut F) -> F::Output {
    match poll_once(future) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("the future waits, and should be ready"),
    }
}
