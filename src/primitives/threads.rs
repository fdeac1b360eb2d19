//! For loom models: threads that share a primitive, and futures that are given up.
//!
//! # Not here
//! Polling by hand, where no loom is: `hand`.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::Poll;

use loom::future::block_on;
use loom::thread::{self, JoinHandle};

use crate::rt::Arc;

/// Runs `f` on a thread of its own, with its share of what is shared.
pub(super) fn spawn<S: 'static, R: 'static>(
    shared: &Arc<S>,
    f: impl FnOnce(&S) -> R + 'static,
) -> JoinHandle<R> {
    let shared = shared.clone();
    thread::spawn(move || f(&shared))
}

/// The result of one poll; the future is dropped at once, wherever it stands.
pub(super) fn poll_once<F: Future>(future: F) -> Option<F::Output> {
    block_on(async { poll_now(pin!(future)).await })
}

/// The result of one poll, with this task's waker.
pub(super) async fn poll_now<F: Future>(mut future: Pin<&mut F>) -> Option<F::Output> {
    poll_fn(|cx| match future.as_mut().poll(cx) {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        Poll::Pending => Poll::Ready(None),
    })
    .await
}
