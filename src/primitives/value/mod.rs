//! A value, and permits to it: who has one may look, who has all may change it.
//!
//! A lock and a readers-writer lock are the same thing: a reader takes one permit, a writer all
//! of them, and a lock has writers only. So there is one [`Room`], one guard for those who have
//! it to themselves, one for those who share it. This and `handoff`, where a value changes its
//! owner, are the only places above the wait list with `unsafe`: the cells that values lie in.
//!
//! # Invariants
//! - **Alone**: a [`LockGuard`] exists only while it owns [`ALL`] permits of its room, and a
//!   [`ReadGuard`] while it owns one. They are made in this module only, when the permits were
//!   just taken, and give them back when they are dropped. So while a `LockGuard` exists there is
//!   no other guard.
//! - **Shares**: only `RwLock` makes `ReadGuard`s, and it is `Sync` only if the value is, too.
//!
//! # Panics in a critical section
//! A guard that is dropped by a panic gives the lock back like any other; nothing is poisoned.
//! The value is as the panic left it. A task's panic ends that task alone, and whoever awaits it
//! learns of it; a lock that then failed for everybody else would turn one error into many.
//!
//! # Not here
//! Who is next: `permits`. The public types: `lock`, `rw_lock`, `condition`.

mod absence;
mod handoff;

use std::cell::UnsafeCell;
use std::fmt::{self, Debug, Display, Formatter};
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

pub(super) use absence::{Absence, Back};
pub(super) use handoff::{Giver, Taker, handoff};

use super::permits::{NEED_MAX, PermitWaiter, Permits};
use super::{Local, Mode, RwLock, Shared, Statistics};
use crate::rt::const_fn;

/// All permits of a room: as many readers at most, 268,435,455.
const ALL: u32 = NEED_MAX;

/// A value that is reached through guards only.
pub(super) struct Room<T: ?Sized, M: Mode> {
    permits: Permits<M>,
    value: UnsafeCell<T>,
}

// SAFETY: the guards hand the value from thread to thread, one at a time (Alone), which `Send`
// allows; or show it to several at once, for which `RwLock` asks for `Sync` as well (Shares).
unsafe impl<T: ?Sized + Send> Sync for Room<T, Shared> {}

// SAFETY: its guards show the value to several threads at once, and hand it on (Shares).
unsafe impl<T: ?Sized + Send + Sync> Sync for RwLock<T, Shared> {}

impl<T> Room<T, Local> {
    const_fn! {
        pub(super) fn new(value: T) -> Self {
            Room { permits: Permits::<Local>::new(ALL as usize), value: UnsafeCell::new(value) }
        }
    }
}

impl<T> Room<T, Shared> {
    const_fn! {
        pub(super) fn new(value: T) -> Self {
            Room { permits: Permits::<Shared>::new(ALL as usize), value: UnsafeCell::new(value) }
        }
    }
}

impl<T, M: Mode> Room<T, M> {
    pub(super) fn into_inner(self) -> T {
        self.value.into_inner()
    }
}

impl<T: ?Sized, M: Mode> Room<T, M> {
    pub(super) fn get_mut(&mut self) -> &mut T {
        self.value.get_mut()
    }

    #[inline(always)]
    pub(super) fn try_lock(&self) -> Option<LockGuard<'_, T, M>> {
        let taken = self.permits.try_take_all(ALL as usize);
        taken.then(|| LockGuard::new(self))
    }

    pub(super) fn try_read(&self) -> Option<ReadGuard<'_, T, M>> {
        self.permits.try_take(1).then(|| ReadGuard::new(self))
    }

    #[inline(always)]
    pub(super) fn poll_lock<'a>(
        &'a self,
        waiter: Pin<&mut PermitWaiter<'a, M>>,
        cx: &mut Context<'_>,
    ) -> Poll<LockGuard<'a, T, M>> {
        ready!(self.permits.poll_take_all(waiter, cx, ALL));
        Poll::Ready(LockGuard::new(self))
    }

    #[inline(always)]
    pub(super) fn poll_read<'a>(
        &'a self,
        waiter: Pin<&mut PermitWaiter<'a, M>>,
        cx: &mut Context<'_>,
    ) -> Poll<ReadGuard<'a, T, M>> {
        ready!(self.permits.poll_take(waiter, cx, 1));
        Poll::Ready(ReadGuard::new(self))
    }

    /// Whether somebody has it to themselves, or is about to.
    pub(super) fn is_locked(&self) -> bool {
        self.permits.free() == 0
    }

    pub(super) fn statistics(&self) -> Statistics {
        let holders = match self.permits.free() {
            0 => 1,
            free => ALL as usize - free,
        };
        self.permits.statistics(holders)
    }
}

/// The right to a value alone, from [`Lock::lock`](super::Lock::lock) or
/// [`RwLock::write`](super::RwLock::write). Dropping it releases the lock to the next in line.
#[must_use = "the lock is released when the guard is dropped"]
pub struct LockGuard<'a, T: ?Sized, M: Mode> {
    room: &'a Room<T, M>,
    /// As if it held the reference: invariant in `T`, `Send` and `Sync` as that would be.
    value: PhantomData<&'a mut T>,
}

impl<'a, T: ?Sized, M: Mode> LockGuard<'a, T, M> {
    /// For one who took all permits of `room`.
    #[inline(always)]
    fn new(room: &'a Room<T, M>) -> Self {
        LockGuard {
            room,
            value: PhantomData,
        }
    }
}

impl<T: ?Sized, M: Mode> Deref for LockGuard<'_, T, M> {
    type Target = T;

    #[inline(always)]
    fn deref(&self) -> &T {
        // SAFETY: nobody else reaches the value while this exists (Alone), and `&mut` to it come
        // from `&mut self` only.
        unsafe { &*self.room.value.get() }
    }
}

impl<T: ?Sized, M: Mode> DerefMut for LockGuard<'_, T, M> {
    #[inline(always)]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: nobody else reaches the value while this exists (Alone).
        unsafe { &mut *self.room.value.get() }
    }
}

impl<T: ?Sized, M: Mode> Drop for LockGuard<'_, T, M> {
    #[inline(always)]
    fn drop(&mut self) {
        self.room.permits.give_all(ALL as usize);
    }
}

impl<T: ?Sized + Debug, M: Mode> Debug for LockGuard<'_, T, M> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        Debug::fmt(&**self, f)
    }
}

impl<T: ?Sized + Display, M: Mode> Display for LockGuard<'_, T, M> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        Display::fmt(&**self, f)
    }
}

/// The right to look at a value together with others, from [`RwLock::read`](super::RwLock::read).
#[must_use = "the lock is released when the guard is dropped"]
pub struct ReadGuard<'a, T: ?Sized, M: Mode> {
    room: &'a Room<T, M>,
    value: PhantomData<&'a T>,
}

impl<'a, T: ?Sized, M: Mode> ReadGuard<'a, T, M> {
    /// For one who took a permit of `room`.
    #[inline(always)]
    fn new(room: &'a Room<T, M>) -> Self {
        ReadGuard {
            room,
            value: PhantomData,
        }
    }
}

impl<T: ?Sized, M: Mode> Deref for ReadGuard<'_, T, M> {
    type Target = T;

    #[inline(always)]
    fn deref(&self) -> &T {
        // SAFETY: while this exists nobody has all permits, so nobody changes the value (Alone).
        unsafe { &*self.room.value.get() }
    }
}

impl<T: ?Sized, M: Mode> Drop for ReadGuard<'_, T, M> {
    #[inline(always)]
    fn drop(&mut self) {
        self.room.permits.give(1);
    }
}

impl<T: ?Sized + Debug, M: Mode> Debug for ReadGuard<'_, T, M> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        Debug::fmt(&**self, f)
    }
}

impl<T: ?Sized + Display, M: Mode> Display for ReadGuard<'_, T, M> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        Display::fmt(&**self, f)
    }
}

impl<T: ?Sized + Debug, M: Mode> Debug for Room<T, M> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        // Not `try_read`, by Shares.
        match self.try_lock() {
            Some(value) => write!(f, "({:?})", &&*value),
            None => f.write_str("(<locked>)"),
        }
    }
}
