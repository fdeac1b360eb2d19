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
//! Anything but aliases, and the functions that make pairs.

use crate::primitives::{self, Local as M};

pub use crate::primitives::{
    Abandoned, Borrower, Broken, GetError, OverRelease, PutError, ShutDown, Statistics, TooManyDone,
};

/// A point that nobody passes until all have reached it. See [`primitives::Barrier`].
pub type Barrier = primitives::Barrier<M>;
/// At most so many permits. See [`primitives::BoundedSemaphore`].
pub type BoundedSemaphore = primitives::BoundedSemaphore<M>;
/// Lets so many in at a time, and knows whom. See [`primitives::CapacityLimiter`].
pub type CapacityLimiter = primitives::CapacityLimiter<M>;
/// Waiting for a change under a lock. See [`primitives::Condition`].
pub type Condition = primitives::Condition<M>;
/// Something that happens, and that many wait for. See [`primitives::Event`].
pub type Event = primitives::Event<M>;
/// What awaits the value of a [`oneshot`]. See [`primitives::Getter`].
pub type Getter<T> = primitives::Getter<T, M>;
/// A stack: last in, first out. See [`primitives::Queue`].
pub type LifoQueue<T> = primitives::Queue<T, primitives::Lifo, M>;
/// A value that one task at a time can reach. See [`primitives::Lock`].
pub type Lock<T> = primitives::Lock<T, M>;
/// The right to a value alone. See [`primitives::LockGuard`].
pub type LockGuard<'a, T> = primitives::LockGuard<'a, T, M>;
/// A permit that keeps its semaphore. See [`primitives::OwnedPermit`].
pub type OwnedPermit = primitives::OwnedPermit<M>;
/// A permit of a semaphore. See [`primitives::Permit`].
pub type Permit<'a> = primitives::Permit<'a, M>;
/// A queue that gives the item of the smallest priority first: `put((2, job))`. Equal ones come
/// in the order they were put. See [`primitives::ByPriority`].
pub type PriorityQueue<P, T> = primitives::Queue<(P, T), primitives::ByPriority, M>;
/// A queue: first in, first out. See [`primitives::Queue`].
pub type Queue<T> = primitives::Queue<T, primitives::Fifo, M>;
/// The right to read a value. See [`primitives::ReadGuard`].
pub type ReadGuard<'a, T> = primitives::ReadGuard<'a, T, M>;
/// What takes items out of a [`channel`]. See [`primitives::Receiver`].
pub type Receiver<T> = primitives::Receiver<T, M>;
/// A value that many can read, or one can change. See [`primitives::RwLock`].
pub type RwLock<T> = primitives::RwLock<T, M>;
/// At most so many at a time. See [`primitives::Semaphore`].
pub type Semaphore = primitives::Semaphore<M>;
/// What puts items into a [`channel`]. See [`primitives::Sender`].
pub type Sender<T> = primitives::Sender<T, M>;
/// What sets the value of a [`oneshot`]. See [`primitives::Setter`].
pub type Setter<T> = primitives::Setter<T, M>;
/// A place in a limiter. See [`primitives::Token`].
pub type Token<'a> = primitives::Token<'a, M>;
/// The latest value of something. See [`primitives::Watch`].
pub type Watch<T> = primitives::Watch<T, M>;
/// One who waits for a watch's changes. See [`primitives::Watcher`].
pub type Watcher<'a, T> = primitives::Watcher<'a, T, M>;

/// A queue that is shut down when its last sender, or its last receiver, is dropped.
///
/// It holds `capacity` items; `usize::MAX` is any number, and nothing then slows senders down.
/// Room for them is allocated as it is needed. See [`Sender`] and [`Receiver`], which may be
/// cloned.
///
/// # Panics
/// If `capacity` is 0: such a channel could never hold an item.
///
/// # asyncio
/// None; a `Queue` whose `shutdown` nobody has to remember. In trio, `open_memory_channel`.
///
/// # Examples
/// ```
/// use petla::{local, spawn};
///
/// petla::run(async {
///     let (sender, receiver) = local::channel(8);
///     let producers: Vec<_> = [1, 10]
///         .map(|step| {
///             let sender = sender.clone();
///             spawn(async move {
///                 sender.put(step).await.unwrap();
///                 sender.put(2 * step).await.unwrap();
///             })
///         })
///         .into();
///     drop(sender); // those of the producers are left
///     let mut sum = 0;
///     while let Ok(n) = receiver.get().await {
///         sum += n;
///     }
///     assert_eq!(sum, 33);
///     # for producer in producers { producer.await.unwrap() }
/// });
/// ```
#[track_caller]
pub fn channel<T>(capacity: usize) -> (Sender<T>, Receiver<T>) {
    primitives::channel(capacity)
}

/// A value that is set once and awaited once. See [`Setter`] and [`Getter`].
///
/// # asyncio
/// `loop.create_future()`. For `set_exception`, make it of a `Result`. Differs: it has one
/// reader, and a setter that is dropped ends the wait.
///
/// # Examples
/// ```
/// use petla::local::{self, Abandoned};
///
/// petla::run(async {
///     let (setter, getter) = local::oneshot();
///     let answer = petla::spawn(async move { getter.await });
///     setter.set(42).unwrap();
///     assert_eq!(answer.await.unwrap(), Ok(42));
///
///     let (setter, getter) = local::oneshot::<u8>();
///     drop(setter);
///     assert_eq!(getter.await, Err(Abandoned));
/// });
/// ```
pub fn oneshot<T>() -> (Setter<T>, Getter<T>) {
    primitives::oneshot()
}
