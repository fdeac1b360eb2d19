//! Primitives of one loop: no atomics, not `Send`.
//!
//! For tasks of the same thread, which is most of them. What crosses threads or loops is in
//! [`sync`](crate::sync), under the same names. All are aliases: their methods are documented in
//! [`primitives`].
//!
//! [`primitives`]: crate::primitives
//!
//! A grant that a task does not look at, because it holds the waiting future without polling it,
//! lapses: the next in line gets it.
//!
//! # Not here
//! Anything but aliases.

use crate::primitives::{self, Local as M};

pub use crate::primitives::{GetError, PutError, ShutDown, Statistics, TooManyDone};

/// A queue: first in, first out. See [`primitives::Queue`].
pub type Queue<T> = primitives::Queue<T, primitives::Fifo, M>;
/// A stack: last in, first out. See [`primitives::Queue`].
pub type LifoQueue<T> = primitives::Queue<T, primitives::Lifo, M>;
/// A queue that gives the item of the smallest priority first: `put((2, job))`. Equal ones come
/// in the order they were put. See [`primitives::ByPriority`].
pub type PriorityQueue<P, T> = primitives::Queue<(P, T), primitives::ByPriority, M>;
