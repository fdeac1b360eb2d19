//! The futures that take items out: [`Get`], and [`Take`], whose item reports itself done.
//!
//! # Not here
//! The rules: `rules`. Dropping a future that waits needs no code: its waiter does it.

use std::fmt::{self, Debug, Formatter};
use std::future::Future;
use std::ops::{Deref, DerefMut};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use super::order::Order;
use super::rules::{GET, Rules, SHUT, Taken};
use super::{Queue, ShutDown};
use crate::pin::pinned;
use crate::wait_list::{Mode, WaitList, Waiter};

pinned! {
    /// The future of [`Queue::get`].
    #[must_use = "futures do nothing unless awaited"]
    pub struct Get<'a, T, O: Order<T>, M: Mode> {
        #[pin]
        waiter: Waiter<'a, Rules<T, O>, M>,
    }
}

impl<'a, T, O: Order<T>, M: Mode> Get<'a, T, O, M> {
    #[inline(always)]
    pub(super) fn new(queue: &'a Queue<T, O, M>) -> Self {
        Get {
            waiter: queue.waiter(),
        }
    }
}

impl<T, O: Order<T>, M: Mode> Future for Get<'_, T, O, M> {
    type Output = Result<T, ShutDown>;

    #[inline(always)]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        poll_get(self.project().waiter, cx)
    }
}

/// Takes an item with a waiter that does nothing else.
#[inline(always)]
pub(super) fn poll_get<T, O: Order<T>, M: Mode>(
    waiter: Pin<&mut Waiter<'_, Rules<T, O>, M>>,
    cx: &mut Context<'_>,
) -> Poll<Result<T, ShutDown>> {
    if waiter.is_idle() {
        poll_fresh(waiter, cx)
    } else {
        poll_queued(waiter, cx)
    }
}

/// Takes an item at once or gets in line.
#[inline(never)]
fn poll_fresh<T, O: Order<T>, M: Mode>(
    mut waiter: Pin<&mut Waiter<'_, Rules<T, O>, M>>,
    cx: &mut Context<'_>,
) -> Poll<Result<T, ShutDown>> {
    let list = waiter.list();
    let capacity = list.policy().capacity;
    loop {
        if let Some(taken) = list.with(|state, lines| state.try_get(capacity, lines)) {
            return Poll::Ready(taken.map(|taken| taken.release(list)));
        }
        ready!(
            waiter
                .as_mut()
                .enqueue(cx, GET, |state, _| { (!state.is_dry()).then_some(()) })
        );
    }
}

/// Uses the grant, if there is one.
#[inline(never)]
fn poll_queued<T, O: Order<T>, M: Mode>(
    waiter: Pin<&mut Waiter<'_, Rules<T, O>, M>>,
    cx: &mut Context<'_>,
) -> Poll<Result<T, ShutDown>> {
    let list = waiter.list();
    let capacity = list.policy().capacity;
    let taken = match ready!(waiter.poll_grant(cx)) {
        SHUT => Err(ShutDown),
        _ => list.with(|state, lines| state.get_granted(capacity, lines)),
    };
    Poll::Ready(taken.map(|taken| taken.release(list)))
}

impl<T> Taken<T> {
    /// Does what is left to do outside the lock.
    #[inline(always)]
    pub(super) fn release<O: Order<T>, M: Mode>(self, list: &WaitList<Rules<T, O>, M>) -> T {
        if let Some(waker) = self.waker {
            waker.wake();
        }
        if self.draining {
            list.settle(|_, _| ());
        }
        self.item
    }
}

impl<T, O: Order<T>, M: Mode> Debug for Get<'_, T, O, M> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("Get").finish_non_exhaustive()
    }
}

pinned! {
    /// The future of [`Queue::take`].
    #[must_use = "futures do nothing unless awaited"]
    pub struct Take<'a, T, O: Order<T>, M: Mode> {
        queue: &'a Queue<T, O, M>,
        #[pin]
        get: Get<'a, T, O, M>,
    }
}

impl<'a, T, O: Order<T>, M: Mode> Take<'a, T, O, M> {
    pub(super) fn new(queue: &'a Queue<T, O, M>) -> Self {
        Take {
            queue,
            get: Get::new(queue),
        }
    }
}

impl<'a, T, O: Order<T>, M: Mode> Future for Take<'a, T, O, M> {
    type Output = Result<Item<'a, T, O, M>, ShutDown>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let item = ready!(this.get.poll(cx))?;
        Poll::Ready(Ok(Item {
            queue: this.queue,
            item,
        }))
    }
}

impl<T, O: Order<T>, M: Mode> Debug for Take<'_, T, O, M> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("Take").finish_non_exhaustive()
    }
}

/// An item under work, from [`Queue::take`]: dropping it is [`task_done`](Queue::task_done).
///
/// Also when the worker is cancelled or panics, so that a [`join`](Queue::join) does not hang.
pub struct Item<'a, T, O: Order<T>, M: Mode> {
    queue: &'a Queue<T, O, M>,
    item: T,
}

impl<T, O: Order<T>, M: Mode> Deref for Item<'_, T, O, M> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.item
    }
}

impl<T, O: Order<T>, M: Mode> DerefMut for Item<'_, T, O, M> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.item
    }
}

impl<T, O: Order<T>, M: Mode> Drop for Item<'_, T, O, M> {
    fn drop(&mut self) {
        // Too many: somebody called `task_done` for this item as well. Not ours to report.
        let _ = self.queue.task_done();
    }
}

impl<T: Debug, O: Order<T>, M: Mode> Debug for Item<'_, T, O, M> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Item").field(&self.item).finish()
    }
}
