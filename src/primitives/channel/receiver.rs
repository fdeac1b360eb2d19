//! The end of a channel that items are taken out at, and a stream of them.
//!
//! As a stream it keeps its place in the line between two calls of `poll_next`, and it is
//! `Unpin`, so that every combinator takes it: its place is on the heap, made when `poll_next`
//! first has to wait. A stream may be left unfinished, as `StreamExt::next` of the `futures`
//! crate in a `select!` does, and items then be taken by other methods. So that an item which
//! was granted to the stream meanwhile is not stuck there:
//! - [`Receiver::next`] goes on where `poll_next` stopped;
//! - [`Receiver::get`] and the calls that do not wait give that place up first.
//!
//! # Not here
//! Getting: it is the queue's.

use std::fmt::{self, Debug, Formatter};
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_core::Stream;

use super::{Channel, End, RECEIVES};
use crate::pin::pinned;
use crate::primitives::queue::OwnedGet;
use crate::primitives::{Fifo, Get, GetError, Mode, Queue, Shared, ShutDown, Statistics};

type Place<T, M> = OwnedGet<Channel<T, M>, T, Fifo, M>;

/// An end of a channel that takes items out. It may be cloned: each item goes to one receiver.
///
/// Made by [`local::channel`](crate::local::channel) and [`sync::channel`](crate::sync::channel).
/// When the last one is dropped, the items that are left are dropped, and every put fails.
///
/// It is a [`Stream`] of the items, which ends when every sender was dropped and nothing is left.
///
/// # asyncio
/// None; the part of a `Queue` that consumers use. In trio, a `MemoryReceiveChannel`.
pub struct Receiver<T, M: Mode> {
    /// There from the first time that `poll_next` had to wait. Dropped before the end is, so
    /// that what was granted to it goes to another receiver.
    place: Option<Place<T, M>>,
    end: End<T, M, RECEIVES>,
}

impl<T, M: Mode> Receiver<T, M> {
    pub(super) fn new(end: End<T, M, RECEIVES>) -> Self {
        Receiver { place: None, end }
    }

    /// Takes an item, once there is one.
    ///
    /// Rights to an item are granted in the order in which the futures of all receivers were
    /// first polled. An unfinished `poll_next` gives its place up.
    ///
    /// # Errors
    /// [`ShutDown`] if every sender was dropped and no item is left.
    ///
    /// # Cancel safety
    /// **Loses place.** No item is lost: one that was granted goes to the next.
    ///
    /// # asyncio
    /// `Queue.get`.
    ///
    /// # Examples
    /// ```
    /// use petla::local::{ShutDown, channel};
    ///
    /// petla::run(async {
    ///     let (sender, receiver) = channel(1);
    ///     sender.put(1).await.unwrap();
    ///     drop(sender);
    ///     assert_eq!(receiver.get().await, Ok(1));
    ///     assert_eq!(receiver.get().await, Err(ShutDown));
    /// });
    /// ```
    #[inline]
    pub fn get(&self) -> Get<'_, T, Fifo, M> {
        self.free_queue().get()
    }

    /// Takes an item if there is one that is promised to nobody.
    ///
    /// # Errors
    /// [`GetError`]: the channel is empty, or every sender was dropped as well.
    ///
    /// # asyncio
    /// `Queue.get_nowait`.
    pub fn get_nowait(&self) -> Result<T, GetError> {
        self.free_queue().get_nowait()
    }

    /// Waits for the next item; `None` once every sender was dropped and nothing is left.
    ///
    /// # Cancel safety
    /// **Loses place**, but one that an unfinished `poll_next` has. No item is lost.
    ///
    /// # asyncio
    /// None.
    ///
    /// # Examples
    /// ```
    /// use petla::{local::channel, spawn};
    ///
    /// petla::run(async {
    ///     let (sender, mut receiver) = channel(2);
    ///     let producer = spawn(async move {
    ///         for n in 1..=3 {
    ///             sender.put(n).await.unwrap();
    ///         }
    ///     }); // the sender is dropped
    ///     let mut sum = 0;
    ///     while let Some(n) = receiver.next().await {
    ///         sum += n;
    ///     }
    ///     assert_eq!(sum, 6);
    ///     producer.await.unwrap();
    /// });
    /// ```
    #[allow(
        clippy::should_implement_trait,
        reason = "the name that streams' users expect"
    )]
    pub fn next(&mut self) -> ReceiverNext<'_, T, M> {
        ReceiverNext {
            place: self.place.as_mut().filter(|place| !place.is_idle()),
            get: self.end.queue().get(),
        }
    }

    /// Whether every sender was dropped: no more items will come than are there.
    ///
    /// # asyncio
    /// None.
    pub fn is_closed(&self) -> bool {
        self.end.queue().is_shut_down()
    }

    /// How many items are in the channel, those that are promised to waiting gets included.
    ///
    /// # asyncio
    /// `Queue.qsize`.
    pub fn len(&self) -> usize {
        self.end.queue().len()
    }

    /// Whether no item is in the channel.
    ///
    /// # asyncio
    /// `Queue.empty`.
    pub fn is_empty(&self) -> bool {
        self.end.queue().is_empty()
    }

    /// How many items fit, or `None` if any number does.
    ///
    /// # asyncio
    /// `Queue.maxsize`.
    pub fn capacity(&self) -> Option<usize> {
        self.end.queue().capacity()
    }

    /// How many wait at either side, how many hold a right to an item or place, and the most
    /// items that ever were in the channel. It walks those who wait.
    pub fn statistics(&self) -> Statistics {
        self.end.queue().statistics()
    }

    /// The queue, when nothing of it is promised to the place that nobody polls now.
    #[inline(always)]
    fn free_queue(&self) -> &Queue<T, Fifo, M> {
        if let Some(place) = &self.place {
            place.give_up();
        }
        self.end.queue()
    }
}

impl<T> Receiver<T, Shared> {
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
    /// use petla::sync::channel;
    ///
    /// let (sender, receiver) = channel(1);
    /// let producer = std::thread::spawn(move || {
    ///     for n in 0..3 {
    ///         sender.blocking_put(n).unwrap();
    ///     }
    /// });
    /// let mut sum = 0;
    /// while let Ok(n) = receiver.blocking_get() {
    ///     sum += n;
    /// }
    /// assert_eq!(sum, 3);
    /// # producer.join().unwrap();
    /// ```
    #[track_caller]
    pub fn blocking_get(&self) -> Result<T, ShutDown> {
        self.free_queue().blocking_get()
    }
}

impl<T, M: Mode> Clone for Receiver<T, M> {
    /// Another receiver, with no place in the line.
    fn clone(&self) -> Self {
        Receiver::new(self.end.clone())
    }
}

/// # Cancel safety
/// An unfinished `poll_next` keeps its place in the line until another method takes items. No
/// item is lost.
impl<T, M: Mode> Stream for Receiver<T, M> {
    type Item = T;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T>> {
        let Receiver { place, end } = &mut *self;
        if place.is_none() {
            match end.queue().get_nowait() {
                Ok(item) => return Poll::Ready(Some(item)),
                Err(GetError::ShutDown) => return Poll::Ready(None),
                Err(GetError::Empty) => {}
            }
        }
        let new = || Place::<T, M>::new(end.channel.clone(), |channel| &channel.queue);
        place.get_or_insert_with(new).poll(cx).map(Result::ok)
    }
}

/// Nothing in it is pinned: its place is on the heap.
impl<T, M: Mode> Unpin for Receiver<T, M> {}

impl<T, M: Mode> Debug for Receiver<T, M> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver")
            .field("len", &self.len())
            .field("capacity", &self.capacity())
            .field("closed", &self.is_closed())
            .finish()
    }
}

pinned! {
    /// The future of [`Receiver::next`].
    #[must_use = "futures do nothing unless awaited"]
    pub struct ReceiverNext<'a, T, M: Mode> {
        /// Where `poll_next` waits already.
        place: Option<&'a mut Place<T, M>>,
        #[pin]
        get: Get<'a, T, Fifo, M>,
    }
}

impl<T, M: Mode> Future for ReceiverNext<'_, T, M> {
    type Output = Option<T>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T>> {
        let this = self.project();
        let item = match this.place {
            Some(place) => place.poll(cx),
            None => this.get.poll(cx),
        };
        item.map(Result::ok)
    }
}

impl<T, M: Mode> Debug for ReceiverNext<'_, T, M> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReceiverNext").finish_non_exhaustive()
    }
}
