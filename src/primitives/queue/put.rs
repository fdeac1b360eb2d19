//! The futures that bring items in: [`Put`] with its item, [`Reserve`] without one.
//!
//! Both wait on the same line for the same right to a place, so they are served in one order.
//! They differ in who holds the item meanwhile, and so in what a cancellation drops.
//!
//! # Not here
//! The rules: `rules`. Dropping a future that waits needs no code: its waiter does it.

use std::fmt::{self, Debug, Formatter};
use std::future::Future;
use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use super::order::Order;
use super::rules::{Admission, PUT, Rules, SHUT};
use super::{PutError, Queue, ShutDown};
use crate::pin::pinned;
use crate::wait_list::{Mode, Waiter};

pinned! {
    /// The future of [`Queue::put`].
    #[must_use = "futures do nothing unless awaited"]
    pub struct Put<'a, T, O: Order<T>, M: Mode> {
        item: Option<T>,
        #[pin]
        waiter: Waiter<'a, Rules<T, O>, M>,
    }
}

impl<'a, T, O: Order<T>, M: Mode> Put<'a, T, O, M> {
    #[inline(always)]
    pub(super) fn new(queue: &'a Queue<T, O, M>, item: T) -> Self {
        Put {
            item: Some(item),
            waiter: queue.waiter(),
        }
    }
}

impl<T, O: Order<T>, M: Mode> Future for Put<'_, T, O, M> {
    type Output = Result<(), PutError<T>>;

    #[inline(always)]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if self.waiter.is_idle() {
            self.poll_fresh(cx)
        } else {
            self.poll_queued(cx)
        }
    }
}

impl<T, O: Order<T>, M: Mode> Put<'_, T, O, M> {
    /// Puts at once or gets in line.
    #[inline(never)]
    fn poll_fresh(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), PutError<T>>> {
        let mut this = self.project();
        let list = this.waiter.list();
        let capacity = list.policy().capacity;
        loop {
            match list.with(|state, lines| state.try_put(capacity, lines, this.item)) {
                Admission::Full => {
                    assert!(this.item.is_some(), "`Put` was polled after it was done");
                }
                admission => return Poll::Ready(finish(admission, this.item)),
            }
            let mut has_place = false;
            let changed = this.waiter.as_mut().enqueue(cx, PUT, |state, _| {
                has_place = state.has_place(capacity);
                (!state.is_open() || !state.is_full(capacity)).then_some(())
            });
            if changed.is_pending() {
                if has_place {
                    list.settle(|_, _| ());
                }
                return Poll::Pending;
            }
        }
    }

    /// Uses the grant, if there is one.
    #[inline(never)]
    fn poll_queued(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), PutError<T>>> {
        let mut this = self.project();
        let list = this.waiter.list();
        let admission = match ready!(this.waiter.as_mut().poll_grant(cx)) {
            SHUT => Admission::Shut,
            _ => list.with(|state, lines| state.put_granted(lines, this.item)),
        };
        Poll::Ready(finish(admission, this.item))
    }
}

/// Does what is left to do outside the lock.
#[inline(always)]
fn finish<T>(admission: Admission, item: &mut Option<T>) -> Result<(), PutError<T>> {
    match admission {
        Admission::Done(None) => Ok(()),
        Admission::Done(Some(waker)) => {
            waker.wake();
            Ok(())
        }
        Admission::Full | Admission::Shut => Err(PutError::ShutDown(
            item.take().expect("an item that was not put"),
        )),
    }
}

impl<T, O: Order<T>, M: Mode> Debug for Put<'_, T, O, M> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("Put").finish_non_exhaustive()
    }
}

pinned! {
    /// The future of [`Queue::reserve`].
    #[must_use = "futures do nothing unless awaited"]
    pub struct Reserve<'a, T, O: Order<T>, M: Mode> {
        queue: &'a Queue<T, O, M>,
        #[pin]
        waiter: Waiter<'a, Rules<T, O>, M>,
    }
}

impl<'a, T, O: Order<T>, M: Mode> Reserve<'a, T, O, M> {
    pub(super) fn new(queue: &'a Queue<T, O, M>) -> Self {
        Reserve {
            queue,
            waiter: queue.waiter(),
        }
    }
}

impl<'a, T, O: Order<T>, M: Mode> Future for Reserve<'a, T, O, M> {
    type Output = Result<Slot<'a, T, O, M>, ShutDown>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let list = this.waiter.list();
        let capacity = list.policy().capacity;
        let admission = if !this.waiter.is_idle() {
            match ready!(this.waiter.as_mut().poll_grant(cx)) {
                SHUT => Admission::Shut,
                _ => list.with(|state, _| state.reserve_granted()),
            }
        } else {
            let mut has_place = false;
            let admission = this.waiter.enqueue(cx, PUT, |state, _| {
                has_place = state.has_place(capacity);
                match state.try_reserve(capacity) {
                    Admission::Full => None,
                    admission => Some(admission),
                }
            });
            if admission.is_pending() && has_place {
                list.settle(|_, _| ());
            }
            ready!(admission)
        };
        Poll::Ready(match admission {
            Admission::Done(_) => Ok(Slot { queue: this.queue }),
            Admission::Full | Admission::Shut => Err(ShutDown),
        })
    }
}

impl<T, O: Order<T>, M: Mode> Debug for Reserve<'_, T, O, M> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reserve").finish_non_exhaustive()
    }
}

/// A right to put one item, from [`Queue::reserve`].
///
/// Dropping it gives the place to the next who waits for one. It is good also after a
/// [`shutdown(false)`](Queue::shutdown): those who get wait for its item, or for its drop.
#[must_use = "the slot is given back when dropped"]
pub struct Slot<'a, T, O: Order<T>, M: Mode> {
    queue: &'a Queue<T, O, M>,
}

impl<T, O: Order<T>, M: Mode> Slot<'_, T, O, M> {
    /// Puts the item, at once. After a [`shutdown(true)`](Queue::shutdown) it is dropped, like
    /// all that was in the queue then.
    ///
    /// # Examples
    /// ```
    /// use petla::local::Queue;
    ///
    /// petla::run(async {
    ///     let queue = Queue::bounded(1);
    ///     let slot = queue.reserve().await?;
    ///     assert!(queue.put_nowait(1).is_err()); // the place is taken
    ///     slot.put(2);
    ///     assert_eq!(queue.get().await?, 2);
    ///     std::io::Result::Ok(())
    /// })
    /// .unwrap();
    /// ```
    pub fn put(self, item: T) {
        let queue = self.queue;
        mem::forget(self); // the slot is used up below, not given back
        match queue.list.with(|state, lines| state.fill_slot(lines, item)) {
            Ok(Some(waker)) => waker.wake(),
            Ok(None) => {}
            Err(item) => drop(item),
        }
    }
}

impl<T, O: Order<T>, M: Mode> Drop for Slot<'_, T, O, M> {
    fn drop(&mut self) {
        self.queue.list.settle(|state, _| state.give_back_slot());
    }
}

impl<T, O: Order<T>, M: Mode> Debug for Slot<'_, T, O, M> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("Slot").finish_non_exhaustive()
    }
}
