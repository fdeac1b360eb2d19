//! The lock: one task at a time, first come, first served.
//!
//! # Cost
//! Free: a compare-and-swap to take it and one to give it back; in `local` a compare and a store
//! each. A waiter allocates nothing, but the first one that a `local` lock ever has makes its
//! list. 16 bytes in `local`, 24 in `sync`, and the value.
//!
//! # Not here
//! The cell and the guard: `value`. Waiting: `permits`.

use std::fmt::{self, Debug, Formatter};
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use super::permits::PermitWaiter;
use super::value::{LockGuard, Room};
use super::{Local, Mode, Shared, Statistics, blocking};
use crate::pin::pinned;
use crate::rt::const_fn;

/// A value that one task at a time can reach.
///
/// Use it as [`local::Lock`](crate::local::Lock) or [`sync::Lock`](crate::sync::Lock).
///
/// Between two `await`s nothing else runs on a loop, so a `Cell` or `RefCell` often does; a lock
/// is for what must hold across an `await`. It is fair: it goes to whoever waits longest, also
/// when the one who releases it asks for it again at once. It is not re-entrant: a task that has
/// it and waits for it waits for ever. A panic of its holder releases it; it is not poisoned.
///
/// # asyncio
/// `Lock`. Differs: it holds the value that it guards; a guard in place of `release`, which
/// therefore cannot fail or be forgotten; between a release and the next holder's run
/// [`is_locked`](Self::is_locked) stays true; in `local` a grant that its task does not look at
/// lapses.
///
/// # Examples
/// ```
/// use petla::{local::Lock, spawn, yield_now};
/// use std::rc::Rc;
///
/// let log = petla::run(async {
///     let log = Rc::new(Lock::new(String::new()));
///     let tasks = ["a", "b"].map(|name| {
///         let log = log.clone();
///         spawn(async move {
///             let mut log = log.lock().await;
///             log.push_str(name);
///             yield_now().await; // nobody comes between
///             log.push_str(name);
///         })
///     });
///     for task in tasks {
///         task.await?;
///     }
///     Ok::<_, petla::JoinError>(log.try_lock().expect("both are done").clone())
/// });
/// assert_eq!(log.unwrap(), "aabb");
/// ```
#[doc(alias = "Mutex")]
pub struct Lock<T: ?Sized, M: Mode> {
    room: Room<T, M>,
}

impl<T> Lock<T, Local> {
    const_fn! {
        /// A free lock around `value`.
        pub fn new(value: T) -> Self {
            Lock { room: Room::<T, Local>::new(value) }
        }
    }
}

impl<T> Lock<T, Shared> {
    const_fn! {
        /// A free lock around `value`.
        pub fn new(value: T) -> Self {
            Lock { room: Room::<T, Shared>::new(value) }
        }
    }
}

impl<T: ?Sized, M: Mode> Lock<T, M> {
    /// Waits until the lock is free, and takes it.
    ///
    /// It is granted in the order in which the futures were first polled.
    ///
    /// # Cancel safety
    /// **Loses place.** A lock that was granted goes to the next.
    ///
    /// # asyncio
    /// `Lock.acquire`, `async with lock`.
    #[inline(always)]
    pub fn lock(&self) -> Acquire<'_, T, M> {
        Acquire {
            room: &self.room,
            waiter: PermitWaiter::unbound(),
        }
    }

    /// Takes the lock if it is free and promised to nobody.
    ///
    /// # asyncio
    /// None; `if not lock.locked(): await lock.acquire()` does not wait there.
    ///
    /// # Examples
    /// ```
    /// use petla::local::Lock;
    ///
    /// let lock = Lock::new(1);
    /// let guard = lock.try_lock().expect("it is free");
    /// assert!(lock.try_lock().is_none());
    /// drop(guard);
    /// assert!(lock.try_lock().is_some());
    /// ```
    #[inline(always)]
    pub fn try_lock(&self) -> Option<LockGuard<'_, T, M>> {
        self.room.try_lock()
    }

    /// Whether somebody has the lock, or was granted it.
    ///
    /// # asyncio
    /// `Lock.locked`, which is false for a moment when the lock is handed over.
    pub fn is_locked(&self) -> bool {
        self.room.is_locked()
    }

    /// The value, without locking: nobody else has the lock if it is borrowed mutably.
    pub fn get_mut(&mut self) -> &mut T {
        self.room.get_mut()
    }

    /// How many wait, and whether it is held. It walks those who wait.
    pub fn statistics(&self) -> Statistics {
        self.room.statistics()
    }
}

impl<T, M: Mode> Lock<T, M> {
    /// The value.
    pub fn into_inner(self) -> T {
        self.room.into_inner()
    }
}

impl<T: ?Sized> Lock<T, Shared> {
    /// Takes the lock on a thread that runs no loop, which sleeps until it is free.
    ///
    /// # Panics
    /// On a thread that runs a loop.
    ///
    /// # asyncio
    /// None; `threading.Lock.acquire`.
    #[track_caller]
    pub fn blocking_lock(&self) -> LockGuard<'_, T, Shared> {
        blocking::forbid_on_loop("blocking_lock", "lock");
        self.try_lock()
            .unwrap_or_else(|| blocking::block_on(self.lock()))
    }
}

impl<T: Default> Default for Lock<T, Local> {
    fn default() -> Self {
        Self::new(T::default())
    }
}

impl<T: Default> Default for Lock<T, Shared> {
    fn default() -> Self {
        Self::new(T::default())
    }
}

impl<T: ?Sized + Debug, M: Mode> Debug for Lock<T, M> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "Lock{:?}", &self.room)
    }
}

pinned! {
    /// The future of [`Lock::lock`].
    #[must_use = "futures do nothing unless awaited"]
    pub struct Acquire<'a, T: ?Sized, M: Mode> {
        room: &'a Room<T, M>,
        #[pin]
        waiter: PermitWaiter<'a, M>,
    }
}

impl<'a, T: ?Sized, M: Mode> Future for Acquire<'a, T, M> {
    type Output = LockGuard<'a, T, M>;

    #[inline(always)]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        this.room.poll_lock(this.waiter, cx)
    }
}

impl<T: ?Sized, M: Mode> Debug for Acquire<'_, T, M> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("Acquire").finish_non_exhaustive()
    }
}
