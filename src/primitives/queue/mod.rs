//! Queues: bounded or not, first in first out, last in first out, or by priority.
//!
//! A queue joins producers and consumers that do not know each other, and holds producers back
//! when consumers are slower. One core serves all orders and both modes.
//!
//! What is guaranteed, in any mix of the operations below:
//! - Items that were put are taken, dropped by `shutdown(true)`, or still there. No cancellation
//!   loses one, but that of a `put`, which drops the item it still holds (use `reserve`). A
//!   waker of another executor that panics unwinds through the call that woke it, and drops what
//!   that has in hand.
//! - Puts that wait are admitted, and gets that wait are served, in the order of their first
//!   polls. The calls that do not wait fail rather than overtake them.
//!
//! # Cost
//! A put or get that need not wait: one lock, no allocation but the store's growth. One that
//! waits: no allocation either.
//!
//! # Not here
//! The rules: `rules`. The order of items: `order`. Ends that close the queue: a channel.

mod error;
mod get;
mod items;
mod join;
#[cfg(all(test, petla_loom))]
mod models;
mod order;
mod owned;
mod put;
mod rules;
#[cfg(all(test, not(petla_loom)))]
mod tests;

use std::fmt::{self, Debug, Formatter};

pub use error::{GetError, PutError, ShutDown, TooManyDone};
pub use get::{Get, Item, Take};
pub use items::{Items, Next};
pub use join::Join;
pub use order::{ByPriority, Fifo, Heap, Lifo, Order, Store};
pub(super) use owned::OwnedGet;
pub use put::{Put, Reserve, Slot};

use super::{Shared, Statistics, blocking};
use crate::wait_list::{Anchored, Mode, Waiter};
use rules::{Admission, GET, JOIN, JOINED, PUT, Rules, State};

/// A queue between tasks.
///
/// Use it as [`local::Queue`](crate::local::Queue) or [`sync::Queue`](crate::sync::Queue).
///
/// # asyncio
/// `Queue`, `LifoQueue`, `PriorityQueue`. Differs: no item is lost, and no place in the line
/// changes, when a waiter is cancelled or a call comes between a wake-up and its task; equal
/// priorities keep their order.
///
/// # Examples
/// ```
/// use petla::{local::Queue, spawn};
/// use std::rc::Rc;
///
/// let sum = petla::run(async {
///     let queue = Rc::new(Queue::bounded(2));
///     let producer = spawn({
///         let queue = queue.clone();
///         async move {
///             for n in 1..=3 {
///                 queue.put(n).await?;
///             }
///             queue.shutdown(false); // no more to come
///             std::io::Result::Ok(())
///         }
///     });
///     let mut sum = 0;
///     while let Ok(n) = queue.get().await {
///         sum += n;
///     }
///     producer.await.expect("it neither panics nor is cancelled").map(|()| sum)
/// });
/// assert_eq!(sum.unwrap(), 6);
/// ```
#[doc(alias("mpsc", "channel"))]
pub struct Queue<T, O: Order<T>, M: Mode> {
    list: Anchored<Rules<T, O>, M>,
}

impl<T, O: Order<T>, M: Mode> Queue<T, O, M> {
    /// A queue that holds at most `capacity` items. Room for them is allocated as it is needed.
    ///
    /// # Panics
    /// If `capacity` is 0: such a queue could never be put to.
    ///
    /// # asyncio
    /// `Queue(maxsize)`; there 0 means unbounded.
    #[track_caller]
    pub fn bounded(capacity: usize) -> Self {
        assert!(
            capacity > 0,
            "a queue with capacity 0 could never hold an item: \
             use `bounded` with 1 or more, or `unbounded`"
        );
        Queue {
            list: Anchored::new(Rules::new(capacity), State::new()),
        }
    }

    /// A queue that holds any number of items. Nothing then slows producers down.
    ///
    /// # asyncio
    /// `Queue()`.
    pub fn unbounded() -> Self {
        Self::bounded(usize::MAX)
    }

    /// Puts an item, once there is a place for it.
    ///
    /// Places are granted in the order in which the futures were first polled, and the tasks of
    /// one loop use them in that order: a put never overtakes one that waits.
    ///
    /// # Errors
    /// [`PutError::ShutDown`], with the item, if the queue is shut down, also while it waits.
    ///
    /// # Panics
    /// If it is polled after it was done.
    ///
    /// # Cancel safety
    /// **Loses data**: the item, which the future holds until it is put. Use
    /// [`reserve`](Self::reserve) to keep it. A place that was granted goes to the next.
    ///
    /// # asyncio
    /// `Queue.put`.
    #[inline]
    pub fn put(&self, item: T) -> Put<'_, T, O, M> {
        Put::new(self, item)
    }

    /// Takes an item, once there is one.
    ///
    /// Rights to an item are granted in the order in which the futures were first polled. Which
    /// item it is, is decided when the future takes it: the first, the last, or the best then.
    ///
    /// # Errors
    /// [`ShutDown`] if the queue is shut down and no item is in it or still to come.
    ///
    /// # Cancel safety
    /// **Loses place.** No item is lost: one that was granted goes to the next.
    ///
    /// # asyncio
    /// `Queue.get`.
    #[inline]
    pub fn get(&self) -> Get<'_, T, O, M> {
        Get::new(self)
    }

    /// Takes an item that reports itself done: dropping it is [`task_done`](Self::task_done).
    ///
    /// # Errors
    /// As for [`get`](Self::get).
    ///
    /// # Cancel safety
    /// **Loses place.** No item is lost.
    ///
    /// # asyncio
    /// None; the guard is in place of `try: ... finally: queue.task_done()`.
    ///
    /// # Examples
    /// ```
    /// use petla::local::Queue;
    ///
    /// petla::run(async {
    ///     let queue = Queue::unbounded();
    ///     queue.put(5).await?;
    ///     let item = queue.take().await?;
    ///     assert_eq!(*item, 5);
    ///     drop(item);
    ///     queue.join().await; // at once: all is done
    ///     std::io::Result::Ok(())
    /// })
    /// .unwrap();
    /// ```
    pub fn take(&self) -> Take<'_, T, O, M> {
        Take::new(self)
    }

    /// Waits for a place and holds it: [`Slot::put`] then fills it at once.
    ///
    /// The way to put an item that must not be dropped by a cancellation, or that is made only
    /// when there is room for it.
    ///
    /// # Errors
    /// [`ShutDown`] if the queue is shut down, also while it waits.
    ///
    /// # Cancel safety
    /// **Loses place.** A place that was granted goes to the next.
    ///
    /// # asyncio
    /// None.
    pub fn reserve(&self) -> Reserve<'_, T, O, M> {
        Reserve::new(self)
    }

    /// Puts an item if there is a place that is promised to nobody.
    ///
    /// # Errors
    /// [`PutError`], with the item: the queue is full, or shut down. It also counts as full while
    /// a put that waited has its place and did not use it yet.
    ///
    /// # asyncio
    /// `Queue.put_nowait`.
    ///
    /// # Examples
    /// ```
    /// use petla::local::{PutError, Queue};
    ///
    /// let queue = Queue::bounded(1);
    /// assert_eq!(queue.put_nowait('a'), Ok(()));
    /// assert_eq!(queue.put_nowait('b'), Err(PutError::Full('b')));
    /// ```
    pub fn put_nowait(&self, item: T) -> Result<(), PutError<T>> {
        let capacity = self.list.policy().capacity;
        let mut item = Some(item);
        let admission = self
            .list
            .with(|state, lines| state.try_put(capacity, lines, &mut item));
        match (admission, item) {
            (Admission::Full, Some(item)) => return Err(PutError::Full(item)),
            (Admission::Shut, Some(item)) => return Err(PutError::ShutDown(item)),
            (Admission::Done(Some(waker)), _) => waker.wake(),
            _ => {}
        }
        Ok(())
    }

    /// Takes an item if there is one that is promised to nobody.
    ///
    /// # Errors
    /// [`GetError`]: the queue is empty, or shut down as well.
    ///
    /// # asyncio
    /// `Queue.get_nowait`.
    pub fn get_nowait(&self) -> Result<T, GetError> {
        let capacity = self.list.policy().capacity;
        let taken = self
            .list
            .with(|state, lines| state.try_get(capacity, lines));
        Ok(taken.ok_or(GetError::Empty)??.release(&self.list))
    }

    /// Reports one item done that was taken before. When every item that was put is done,
    /// [`join`](Self::join) returns.
    ///
    /// # Errors
    /// [`TooManyDone`] if every item was reported done already; nothing changes then.
    ///
    /// # asyncio
    /// `Queue.task_done`.
    pub fn task_done(&self) -> Result<(), TooManyDone> {
        let finished = self.list.with(|state, lines| {
            let finished = state.finish_one()?;
            Some(finished && !lines.is_empty(JOIN))
        });
        if finished.ok_or(TooManyDone)? {
            self.list.settle(|_, _| ());
        }
        Ok(())
    }

    /// Waits until every item that was put has been reported done; at once if there is none.
    ///
    /// Returns when that was so once, even if more was put since.
    ///
    /// # Cancel safety
    /// **Strict.**
    ///
    /// # asyncio
    /// `Queue.join`.
    pub fn join(&self) -> Join<'_, T, O, M> {
        Join::new(self)
    }

    /// Ends the queue. Puts fail from now on, those that wait included.
    ///
    /// With `immediate` false, what is in the queue, or comes through a [`Slot`] that was handed
    /// out before, can still be taken; then gets fail as well. With `immediate` true, gets fail
    /// at once, and what is in the queue is dropped and counts as done. A second call may only
    /// make it immediate.
    ///
    /// # asyncio
    /// `Queue.shutdown(immediate)`.
    ///
    /// # Examples
    /// ```
    /// use petla::local::{GetError, PutError, Queue};
    ///
    /// let queue = Queue::unbounded();
    /// queue.put_nowait(1).unwrap();
    /// queue.shutdown(false);
    /// assert_eq!(queue.put_nowait(2), Err(PutError::ShutDown(2)));
    /// assert_eq!(queue.get_nowait(), Ok(1));
    /// assert_eq!(queue.get_nowait(), Err(GetError::ShutDown));
    /// ```
    pub fn shutdown(&self, immediate: bool) {
        let dropped = self.list.settle(|state, _| state.shut(immediate));
        drop(dropped); // foreign code: after the lock
    }

    /// The items as a stream, which ends when the queue is shut down and empty.
    ///
    /// # Cancel safety
    /// Dropping the stream **loses place**; no item is lost.
    ///
    /// # asyncio
    /// None; an `async for` over a queue was proposed and declined.
    pub fn stream(&self) -> Items<'_, T, O, M> {
        Items::new(self)
    }

    /// How many items are in the queue, those that are promised to waiting gets included.
    ///
    /// # asyncio
    /// `Queue.qsize`.
    pub fn len(&self) -> usize {
        self.list.with(|state, _| store_len(state))
    }

    /// Whether no item is in the queue.
    ///
    /// # asyncio
    /// `Queue.empty`.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether a put would have to wait: all places are taken or promised, or a put that waited
    /// has its place and is about to use it.
    ///
    /// # asyncio
    /// `Queue.full`.
    pub fn is_full(&self) -> bool {
        let capacity = self.list.policy().capacity;
        self.list.with(|state, _| state.is_full(capacity))
    }

    /// How many items fit, or `None` if any number does.
    ///
    /// # asyncio
    /// `Queue.maxsize`.
    pub fn capacity(&self) -> Option<usize> {
        let capacity = self.list.policy().capacity;
        (capacity != usize::MAX).then_some(capacity)
    }

    /// How many wait, how many hold a right to an item or place, and the most items that ever
    /// were in the queue. It walks those who wait.
    pub fn statistics(&self) -> Statistics {
        self.list.with(|state, lines| Statistics {
            waiting: [GET, PUT, JOIN, JOINED]
                .map(|line| lines.count(line))
                .iter()
                .sum(),
            holders: state.promised(),
            peak: state.peak,
        })
    }

    /// Whether it was shut down, so that puts fail.
    pub(super) fn is_shut_down(&self) -> bool {
        self.list.with(|state, _| !state.is_open())
    }

    #[inline(always)]
    fn waiter(&self) -> Waiter<'_, Rules<T, O>, M> {
        Waiter::new(&self.list)
    }
}

impl<T, O: Order<T>> Queue<T, O, Shared> {
    /// Puts an item from a thread that runs no loop, which sleeps until there is a place.
    ///
    /// # Errors
    /// [`PutError::ShutDown`], with the item, if the queue is shut down, also while it waits.
    ///
    /// # Panics
    /// On a thread that runs a loop.
    ///
    /// # asyncio
    /// None; `queue.Queue.put` of the threads' module.
    #[track_caller]
    pub fn blocking_put(&self, item: T) -> Result<(), PutError<T>> {
        blocking::forbid_on_loop("blocking_put", "put");
        match self.put_nowait(item) {
            Err(PutError::Full(item)) => blocking::block_on(self.put(item)),
            result => result,
        }
    }

    /// Takes an item on a thread that runs no loop, which sleeps until there is one.
    ///
    /// # Errors
    /// As for [`get`](Self::get).
    ///
    /// # Panics
    /// On a thread that runs a loop.
    ///
    /// # asyncio
    /// None; `queue.Queue.get` of the threads' module.
    ///
    /// # Examples
    /// ```
    /// use petla::sync::Queue;
    /// use std::{sync::Arc, thread};
    ///
    /// let queue = Arc::new(Queue::bounded(1));
    /// let producer = thread::spawn({
    ///     let queue = queue.clone();
    ///     move || {
    ///         for n in 0..3 {
    ///             queue.blocking_put(n).unwrap();
    ///         }
    ///         queue.shutdown(false);
    ///     }
    /// });
    /// let mut sum = 0;
    /// while let Ok(n) = queue.blocking_get() {
    ///     sum += n;
    /// }
    /// assert_eq!(sum, 3);
    /// # producer.join().unwrap();
    /// ```
    #[track_caller]
    pub fn blocking_get(&self) -> Result<T, ShutDown> {
        blocking::forbid_on_loop("blocking_get", "get");
        match self.get_nowait() {
            Ok(item) => Ok(item),
            Err(GetError::ShutDown) => Err(ShutDown),
            Err(GetError::Empty) => blocking::block_on(self.get()),
        }
    }
}

fn store_len<T, S: Store<T>>(state: &State<S>) -> usize {
    state.store.len()
}

impl<T, O: Order<T>, M: Mode> Debug for Queue<T, O, M> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let (len, promised, open) = self
            .list
            .with(|state, _| (store_len(state), state.promised(), state.is_open()));
        f.debug_struct("Queue")
            .field("len", &len)
            .field("capacity", &self.capacity())
            .field("promised", &promised)
            .field("shut_down", &!open)
            .finish()
    }
}
