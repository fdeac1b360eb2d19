//! Primitives between loops and threads: `Send + Sync`.
//!
//! Shared by reference or `Arc` between tasks of any loop, of another runtime, and plain threads
//! (`blocking_*`). Tasks of one loop are better off with [`local`](crate::local), under the same
//! names. All are aliases: their methods are documented in [`primitives`].
//!
//! [`primitives`]: crate::primitives
//!
//! A grant stays with the future that got it until that is polled or dropped: do not keep one
//! that waits without polling it.
//!
//! # Not here
//! Anything but aliases.

use crate::primitives::{self, Shared as M};

pub use crate::primitives::{GetError, PutError, ShutDown, Statistics, TooManyDone};

/// A queue: first in, first out. See [`primitives::Queue`].
pub type Queue<T> = primitives::Queue<T, primitives::Fifo, M>;
/// A stack: last in, first out. See [`primitives::Queue`].
pub type LifoQueue<T> = primitives::Queue<T, primitives::Lifo, M>;
/// A queue that gives the item of the smallest priority first: `put((2, job))`. Equal ones come
/// in the order they were put. See [`primitives::ByPriority`].
pub type PriorityQueue<P, T> = primitives::Queue<(P, T), primitives::ByPriority, M>;
