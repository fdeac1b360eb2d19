//! A queue as a stream of its items.
//!
//! A `Stream` must keep its place between two calls of `poll_next` and should be movable, so
//! that every combinator takes it. [`Items`] is therefore `Unpin`: its place in the line is on
//! the heap, allocated the first time `poll_next` must wait, and kept. The inherent
//! [`next`](Items::next) waits inside its own future and allocates nothing.
//!
//! # Not here
//! Reporting items done: use [`Queue::take`].

use std::fmt::{self, Debug, Formatter};
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_core::Stream;

use super::order::Order;
use super::{Get, GetError, Queue};
use crate::pin::pinned;
use crate::wait_list::Mode;

/// The items of a queue, from [`Queue::stream`]: they end when it is shut down and empty.
#[must_use = "streams do nothing unless polled"]
pub struct Items<'a, T, O: Order<T>, M: Mode> {
    queue: &'a Queue<T, O, M>,
    /// There from the first time that `poll_next` found the queue empty.
    get: Option<Pin<Box<Get<'a, T, O, M>>>>,
}

impl<'a, T, O: Order<T>, M: Mode> Items<'a, T, O, M> {
    pub(super) fn new(queue: &'a Queue<T, O, M>) -> Self {
        Items { queue, get: None }
    }

    /// Waits for the next item; `None` once the queue is shut down and empty.
    ///
    /// # Cancel safety
    /// **Loses place.** No item is lost.
    ///
    /// # Examples
    /// ```
    /// use petla::local::Queue;
    ///
    /// petla::run(async {
    ///     let queue = Queue::unbounded();
    ///     queue.put_nowait(3).unwrap();
    ///     queue.put_nowait(4).unwrap();
    ///     queue.shutdown(false);
    ///     let (mut items, mut sum) = (queue.stream(), 0);
    ///     while let Some(item) = items.next().await {
    ///         sum += item;
    ///     }
    ///     assert_eq!(sum, 7);
    /// });
    /// ```
    #[allow(
        clippy::should_implement_trait,
        reason = "the name that streams' users expect"
    )]
    pub fn next(&mut self) -> Next<'_, 'a, T, O, M> {
        let get = Get::new(self.queue);
        Next { items: self, get }
    }
}

impl<T, O: Order<T>, M: Mode> Stream for Items<'_, T, O, M> {
    type Item = T;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T>> {
        let queue = self.queue;
        if self.get.is_none() {
            match queue.get_nowait() {
                Ok(item) => return Poll::Ready(Some(item)),
                Err(GetError::ShutDown) => return Poll::Ready(None),
                Err(GetError::Empty) => {}
            }
        }
        let get = self.get.get_or_insert_with(|| Box::pin(Get::new(queue)));
        get.as_mut().poll(cx).map(Result::ok)
    }
}

impl<T, O: Order<T>, M: Mode> Debug for Items<'_, T, O, M> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("Items").finish_non_exhaustive()
    }
}

pinned! {
    /// The future of [`Items::next`].
    #[must_use = "futures do nothing unless awaited"]
    pub struct Next<'s, 'a, T, O: Order<T>, M: Mode> {
        items: &'s mut Items<'a, T, O, M>,
        #[pin]
        get: Get<'a, T, O, M>,
    }
}

impl<T, O: Order<T>, M: Mode> Future for Next<'_, '_, T, O, M> {
    type Output = Option<T>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T>> {
        let this = self.project();
        if this.items.get.is_some() {
            // `poll_next` was called before and may have a place in the line, or a grant.
            return Pin::new(&mut **this.items).poll_next(cx);
        }
        this.get.poll(cx).map(Result::ok)
    }
}

impl<T, O: Order<T>, M: Mode> Debug for Next<'_, '_, T, O, M> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("Next").finish_non_exhaustive()
    }
}
