//! Every primitive once, generic over who shares it.
//!
//! Use the aliases in [`local`](crate::local) (the tasks of one loop: no atomics, not `Send`) and
//! [`sync`](crate::sync) (between loops and threads). This module is public because an alias
//! shows no methods in the documentation: they are all here.
//!
//! All primitives are fair, first come, first served: what is released goes to the one who waits
//! longest, and nobody overtakes. All may be cancelled at any point by dropping the future that
//! waits. A grant that was made to it goes to the next. In [`local`](crate::local) the same
//! happens to a grant that a task does not look at in its next poll, because it holds the future
//! without polling it; that future then starts at the end of the line. A future or receiver that
//! waited in one task and is moved to another must be polled there: a grant to the task before
//! wakes nobody, and lapses only if that task is polled again.
//!
//! # Not here
//! Waiting: `wait_list`, which knows nothing of what is waited for.

mod barrier;
mod blocking;
pub(crate) mod cancel_token;
mod capacity_limiter;
mod channel;
mod condition;
mod event;
#[cfg(all(test, not(petla_loom)))]
mod hand;
mod lock;
mod oneshot;
mod permits;
mod queue;
mod rw_lock;
#[cfg(all(test, petla_shuttle))]
mod schedules;
mod semaphore;
#[cfg(all(test, petla_loom))]
mod threads;
#[allow(
    unsafe_code,
    reason = "the cells of guarded values; nothing else here has any"
)]
mod value;
mod watch;

pub use crate::wait_list::{Local, Mode, Shared};
pub use barrier::{Barrier, BarrierWait, Broken};
pub use capacity_limiter::{AcquireToken, Borrower, CapacityLimiter, Token};
pub(crate) use channel::channel;
pub use channel::{Receiver, ReceiverNext, Sender};
pub use condition::{Condition, Wait, WaitFor};
pub use event::{Event, EventWait};
pub use lock::{Acquire, Lock};
pub(crate) use oneshot::oneshot;
pub use oneshot::{Abandoned, Getter, Setter, UntilAbandoned};
pub use queue::{
    ByPriority, Fifo, Get, GetError, Heap, Item, Items, Join, Lifo, Next, Order, Put, PutError,
    Queue, Reserve, ShutDown, Slot, Store, Take, TooManyDone,
};
pub use rw_lock::{Read, RwLock, Write};
pub use semaphore::{AcquirePermit, BoundedSemaphore, OverRelease, OwnedPermit, Permit, Semaphore};
pub use value::{LockGuard, ReadGuard};
pub use watch::{Changed, Watch, Watcher};

/// How much a primitive is used, at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Statistics {
    /// Futures in its lines.
    pub waiting: usize,
    /// Rights given out: grants that their future has not claimed yet, and whatever guards,
    /// permits or slots are held.
    pub holders: usize,
    /// For a queue: the most items that it ever held.
    pub peak: usize,
}
