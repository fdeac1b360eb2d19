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
//! Anything but aliases, and what has no `local` twin.

use crate::primitives::{self, Shared as M};

pub use crate::primitives::{
    Borrower, Broken, GetError, OverRelease, PutError, ShutDown, Statistics, TooManyDone,
};

/// At most so many permits. See [`primitives::BoundedSemaphore`].
pub type BoundedSemaphore = primitives::BoundedSemaphore<M>;
/// Waiting for a change under a lock. See [`primitives::Condition`].
pub type Condition = primitives::Condition<M>;
/// A value that one task at a time can reach. See [`primitives::Lock`].
pub type Lock<T> = primitives::Lock<T, M>;
/// The right to a value alone. See [`primitives::LockGuard`].
pub type LockGuard<'a, T> = primitives::LockGuard<'a, T, M>;
/// A value that many can read, or one can change. See [`primitives::RwLock`].
pub type RwLock<T> = primitives::RwLock<T, M>;
/// The right to read a value. See [`primitives::ReadGuard`].
pub type ReadGuard<'a, T> = primitives::ReadGuard<'a, T, M>;
/// At most so many at a time. See [`primitives::Semaphore`].
pub type Semaphore = primitives::Semaphore<M>;
/// A permit of a semaphore. See [`primitives::Permit`].
pub type Permit<'a> = primitives::Permit<'a, M>;
pub use crate::primitives::cancel_token::{CancelToken, UntilCancelled};

/// Something that happens, and that many wait for. See [`primitives::Event`].
pub type Event = primitives::Event<M>;
/// A queue: first in, first out. See [`primitives::Queue`].
pub type Queue<T> = primitives::Queue<T, primitives::Fifo, M>;
/// A stack: last in, first out. See [`primitives::Queue`].
pub type LifoQueue<T> = primitives::Queue<T, primitives::Lifo, M>;
/// A queue that gives the item of the smallest priority first: `put((2, job))`. Equal ones come
/// in the order they were put. See [`primitives::ByPriority`].
pub type PriorityQueue<P, T> = primitives::Queue<(P, T), primitives::ByPriority, M>;
/// A point that nobody passes until all have reached it. See [`primitives::Barrier`].
pub type Barrier = primitives::Barrier<M>;
/// Lets so many in at a time, and knows whom. See [`primitives::CapacityLimiter`].
pub type CapacityLimiter = primitives::CapacityLimiter<M>;
/// The latest value of something. See [`primitives::Watch`].
pub type Watch<T> = primitives::Watch<T, M>;
