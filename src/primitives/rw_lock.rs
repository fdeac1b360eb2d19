//! The readers-writer lock: many may look, or one may change.
//!
//! It is fair between readers and writers: a reader that comes after a writer waits behind it,
//! so that readers that keep coming do not keep writers out, and the readers behind a writer are
//! let in together.
//!
//! # Not here
//! The cell and the guards: `value`. Upgrading a reader: release it and ask for the other.

use std::cell::Cell;
use std::fmt::{self, Debug, Formatter};
use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll};

use super::permits::PermitWaiter;
use super::value::{LockGuard, ReadGuard, Room};
use super::{Local, Mode, Shared, Statistics, blocking};
use crate::pin::pinned;
use crate::rt::const_fn;

/// A value that many tasks can read at a time, or one can change.
///
/// Use it as [`local::RwLock`](crate::local::RwLock) or [`sync::RwLock`](crate::sync::RwLock).
///
/// First come, first served: nobody overtakes. A task that reads and asks to read again can
/// therefore wait for ever, if a writer came between. A panic of a holder releases the lock; it
/// is not poisoned. At most 268,435,455 readers at a time; more wait.
///
/// # asyncio
/// None.
///
/// # Examples
/// ```
/// use petla::local::RwLock;
///
/// petla::run(async {
///     let lock = RwLock::new(1);
///     {
///         let (one, two) = (lock.read().await, lock.read().await);
///         assert_eq!(*one + *two, 2);
///         assert!(lock.try_write().is_none());
///     }
///     *lock.write().await += 1;
///     assert_eq!(*lock.read().await, 2);
/// });
/// ```
pub struct RwLock<T: ?Sized, M: Mode> {
    /// Readers on several threads share the value: see `value` for when it is `Sync`.
    not_sync: PhantomData<Cell<()>>,
    room: Room<T, M>,
}

impl<T> RwLock<T, Local> {
    const_fn! {
        /// A free lock around `value`.
        pub fn new(value: T) -> Self {
            RwLock { not_sync: PhantomData, room: Room::<T, Local>::new(value) }
        }
    }
}

impl<T> RwLock<T, Shared> {
    const_fn! {
        /// A free lock around `value`.
        pub fn new(value: T) -> Self {
            RwLock { not_sync: PhantomData, room: Room::<T, Shared>::new(value) }
        }
    }
}

impl<T: ?Sized, M: Mode> RwLock<T, M> {
    /// Waits until the value may be read, together with others.
    ///
    /// # Cancel safety
    /// **Loses place.** A right that was granted goes to the next.
    #[inline(always)]
    pub fn read(&self) -> Read<'_, T, M> {
        Read {
            room: &self.room,
            value: PhantomData,
            waiter: PermitWaiter::unbound(),
        }
    }

    /// Waits until nobody else has the value, and takes it.
    ///
    /// # Cancel safety
    /// **Loses place.** A right that was granted goes to the next.
    #[inline(always)]
    pub fn write(&self) -> Write<'_, T, M> {
        Write {
            room: &self.room,
            waiter: PermitWaiter::unbound(),
        }
    }

    /// Reads the value if nobody changes it, or waits to.
    pub fn try_read(&self) -> Option<ReadGuard<'_, T, M>> {
        self.room.try_read()
    }

    /// Takes the value if nobody has it or waits for it.
    pub fn try_write(&self) -> Option<LockGuard<'_, T, M>> {
        self.room.try_lock()
    }

    /// The value, without locking: nobody else has the lock if it is borrowed mutably.
    pub fn get_mut(&mut self) -> &mut T {
        self.room.get_mut()
    }

    /// How many wait, and how many hold it: readers, or one writer. It walks those who wait.
    pub fn statistics(&self) -> Statistics {
        self.room.statistics()
    }
}

impl<T, M: Mode> RwLock<T, M> {
    /// The value.
    pub fn into_inner(self) -> T {
        self.room.into_inner()
    }
}

impl<T: ?Sized> RwLock<T, Shared> {
    /// Reads on a thread that runs no loop, which sleeps until it may.
    ///
    /// # Panics
    /// On a thread that runs a loop.
    #[track_caller]
    pub fn blocking_read(&self) -> ReadGuard<'_, T, Shared> {
        blocking::forbid_on_loop("blocking_read", "read");
        blocking::block_on(self.read())
    }

    /// Takes the value on a thread that runs no loop, which sleeps until it may.
    ///
    /// # Panics
    /// On a thread that runs a loop.
    #[track_caller]
    pub fn blocking_write(&self) -> LockGuard<'_, T, Shared> {
        blocking::forbid_on_loop("blocking_write", "write");
        blocking::block_on(self.write())
    }
}

impl<T: Default> Default for RwLock<T, Local> {
    fn default() -> Self {
        Self::new(T::default())
    }
}

impl<T: Default> Default for RwLock<T, Shared> {
    fn default() -> Self {
        Self::new(T::default())
    }
}

impl<T: ?Sized + Debug, M: Mode> Debug for RwLock<T, M> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "RwLock{:?}", &self.room)
    }
}

pinned! {
    /// The future of [`RwLock::read`].
    #[must_use = "futures do nothing unless awaited"]
    pub struct Read<'a, T: ?Sized, M: Mode> {
        room: &'a Room<T, M>,
        /// As if it held the reference: what it gives may be given on several threads.
        value: PhantomData<&'a T>,
        #[pin]
        waiter: PermitWaiter<'a, M>,
    }
}

impl<'a, T: ?Sized, M: Mode> Future for Read<'a, T, M> {
    type Output = ReadGuard<'a, T, M>;

    #[inline(always)]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        this.room.poll_read(this.waiter, cx)
    }
}

impl<T: ?Sized, M: Mode> Debug for Read<'_, T, M> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("Read").finish_non_exhaustive()
    }
}

pinned! {
    /// The future of [`RwLock::write`].
    #[must_use = "futures do nothing unless awaited"]
    pub struct Write<'a, T: ?Sized, M: Mode> {
        room: &'a Room<T, M>,
        #[pin]
        waiter: PermitWaiter<'a, M>,
    }
}

impl<'a, T: ?Sized, M: Mode> Future for Write<'a, T, M> {
    type Output = LockGuard<'a, T, M>;

    #[inline(always)]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        this.room.poll_lock(this.waiter, cx)
    }
}

impl<T: ?Sized, M: Mode> Debug for Write<'_, T, M> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("Write").finish_non_exhaustive()
    }
}
