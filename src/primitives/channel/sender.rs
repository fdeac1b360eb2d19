//! The end of a channel that items are put in at.
//!
//! # Not here
//! Putting: it is the queue's, with the queue's futures.

use std::fmt::{self, Debug, Formatter};

use super::{End, SENDS};
use crate::primitives::{Fifo, Mode, Put, PutError, Reserve, Shared, Statistics};

/// An end of a channel that puts items in. It may be cloned.
///
/// Made by [`local::channel`](crate::local::channel) and [`sync::channel`](crate::sync::channel).
/// When the last one is dropped, the receivers take what is left and then fail.
///
/// # asyncio
/// None; the part of a `Queue` that producers use. In trio, a `MemorySendChannel`.
pub struct Sender<T, M: Mode> {
    end: End<T, M, SENDS>,
}

impl<T, M: Mode> Sender<T, M> {
    pub(super) fn new(end: End<T, M, SENDS>) -> Self {
        Sender { end }
    }

    /// Puts an item, once there is a place for it.
    ///
    /// Places are granted in the order in which the futures of all senders were first polled.
    ///
    /// # Errors
    /// [`PutError::ShutDown`], with the item, if every receiver was dropped, also while it waits.
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
    ///
    /// # Examples
    /// ```
    /// use petla::local::{PutError, channel};
    ///
    /// petla::run(async {
    ///     let (sender, receiver) = channel(1);
    ///     sender.put(1).await.unwrap();
    ///     drop(receiver);
    ///     assert_eq!(sender.put(2).await, Err(PutError::ShutDown(2)));
    /// });
    /// ```
    #[inline]
    pub fn put(&self, item: T) -> Put<'_, T, Fifo, M> {
        self.end.queue().put(item)
    }

    /// Puts an item if there is a place that is promised to nobody.
    ///
    /// # Errors
    /// [`PutError`], with the item: the channel is full, or every receiver was dropped. It also
    /// counts as full while a put that waited has its place and did not use it yet.
    ///
    /// # asyncio
    /// `Queue.put_nowait`.
    pub fn put_nowait(&self, item: T) -> Result<(), PutError<T>> {
        self.end.queue().put_nowait(item)
    }

    /// Waits for a place and holds it: [`Slot::put`](crate::primitives::Slot::put) then fills it
    /// at once. An item that is put after the last receiver was dropped is dropped as well.
    ///
    /// # Errors
    /// [`ShutDown`](crate::primitives::ShutDown) if every receiver was dropped, also while it
    /// waits.
    ///
    /// # Cancel safety
    /// **Loses place.** A place that was granted goes to the next.
    ///
    /// # asyncio
    /// None.
    pub fn reserve(&self) -> Reserve<'_, T, Fifo, M> {
        self.end.queue().reserve()
    }

    /// Whether every receiver was dropped, so that every put fails.
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

    /// Whether a put would have to wait: all places are taken or promised, or a put that waited
    /// has its place and is about to use it.
    ///
    /// # asyncio
    /// `Queue.full`.
    pub fn is_full(&self) -> bool {
        self.end.queue().is_full()
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
}

impl<T> Sender<T, Shared> {
    /// Puts an item from a thread that runs no loop, which sleeps until there is a place.
    ///
    /// # Errors
    /// [`PutError::ShutDown`], with the item, if every receiver was dropped, also while it waits.
    ///
    /// # Panics
    /// On a thread that runs a loop.
    ///
    /// # asyncio
    /// None; `queue.Queue.put` of the threads' module.
    #[track_caller]
    pub fn blocking_put(&self, item: T) -> Result<(), PutError<T>> {
        self.end.queue().blocking_put(item)
    }
}

impl<T, M: Mode> Clone for Sender<T, M> {
    fn clone(&self) -> Self {
        Sender {
            end: self.end.clone(),
        }
    }
}

impl<T, M: Mode> Debug for Sender<T, M> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender")
            .field("len", &self.len())
            .field("capacity", &self.capacity())
            .field("closed", &self.is_closed())
            .finish()
    }
}
