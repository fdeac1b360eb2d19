//! How operations on a queue fail.
//!
//! A failed put gives its item back, whatever that item is: the errors ask nothing of `T`.
//! All convert into [`io::Error`], none into `Interrupted`.
//!
//! # Not here
//! Cancellation: a dropped future gives no error.

use std::error::Error;
use std::fmt::{self, Debug, Display, Formatter};
use std::io;

use crate::error::unit_error;

const FULL: &str = "the queue is full: await `put`, or take an item first";
const EMPTY: &str = "the queue is empty: await `get`, or put an item first";
const SHUT_DOWN: &str = "the queue is shut down";

unit_error!(
    /// The queue was shut down, and holds nothing that could be taken.
    ///
    /// # asyncio
    /// `QueueShutDown`.
    ShutDown, BrokenPipe, "the queue is shut down"
);

unit_error!(
    /// `task_done` was called more often than items were put.
    ///
    /// # asyncio
    /// The `ValueError` of `Queue.task_done`.
    TooManyDone, InvalidInput, "task_done was called more often than items were put"
);

/// Why an item was not put. It comes back: see [`into_inner`](PutError::into_inner).
///
/// # asyncio
/// `QueueFull` and `QueueShutDown`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum PutError<T> {
    /// There is no free place; only from calls that do not wait.
    Full(T),
    /// The queue was shut down.
    ShutDown(T),
}

impl<T> PutError<T> {
    /// The item that was not put.
    pub fn into_inner(self) -> T {
        match self {
            PutError::Full(item) | PutError::ShutDown(item) => item,
        }
    }

    fn text(&self) -> &'static str {
        match self {
            PutError::Full(_) => FULL,
            PutError::ShutDown(_) => SHUT_DOWN,
        }
    }
}

impl<T> Debug for PutError<T> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            PutError::Full(_) => "Full(..)",
            PutError::ShutDown(_) => "ShutDown(..)",
        })
    }
}

impl<T> Display for PutError<T> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

impl<T> Error for PutError<T> {}

impl<T> From<PutError<T>> for io::Error {
    /// `WouldBlock` if the queue was full, else `BrokenPipe`. The item is dropped.
    fn from(error: PutError<T>) -> Self {
        match error {
            PutError::Full(_) => io::Error::new(io::ErrorKind::WouldBlock, error.text()),
            PutError::ShutDown(_) => ShutDown.into(),
        }
    }
}

/// Why no item was taken at once.
///
/// # asyncio
/// `QueueEmpty` and `QueueShutDown`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GetError {
    /// There is no item that is not promised to somebody who waits.
    Empty,
    /// The queue was shut down, and holds nothing that could be taken.
    ShutDown,
}

impl Display for GetError {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            GetError::Empty => EMPTY,
            GetError::ShutDown => SHUT_DOWN,
        })
    }
}

impl Error for GetError {}

impl From<ShutDown> for GetError {
    fn from(_: ShutDown) -> Self {
        GetError::ShutDown
    }
}

impl From<GetError> for io::Error {
    /// `WouldBlock` if the queue was empty, else `BrokenPipe`.
    fn from(error: GetError) -> Self {
        match error {
            GetError::Empty => io::Error::new(io::ErrorKind::WouldBlock, error),
            GetError::ShutDown => ShutDown.into(),
        }
    }
}
