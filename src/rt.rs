//! The one file that knows whether the crate runs for real or inside loom or shuttle.
//!
//! Everything that other threads can reach is built from these names, so that the models of
//! `.ci/loom` and the scenes of `.ci/shuttle` exercise the very code that ships. With
//! `--cfg petla_loom`, in tests only, they are loom's; with `--cfg petla_shuttle`, in tests only,
//! they are shuttle's; otherwise the standard library's. The cfgs have names of their own so that
//! dependencies do not switch with us.
//!
//! Shuttle's constructors are `const` and its `Arc` is the standard one, so its world needs no
//! exception outside of this file. It has no cell of its own: what is in cells is not watched.
//!
//! # Not here
//! `std::sync::atomic` used for plain data that only one thread ever changes (the slot keys
//! inside sockets): there is no protocol to model.
#![allow(unused_imports, dead_code, reason = "each world uses its own part")]

pub(crate) use std::sync::atomic::Ordering;

#[cfg(all(test, petla_loom))]
pub(crate) use loom::{
    cell::UnsafeCell,
    sync::atomic::{AtomicPtr, AtomicU8, AtomicU32, AtomicU64, AtomicUsize},
    sync::{Arc, Condvar, Mutex, MutexGuard},
};

#[cfg(all(test, petla_shuttle))]
pub(crate) use shuttle::sync::{
    Arc, Condvar, Mutex, MutexGuard,
    atomic::{AtomicPtr, AtomicU8, AtomicU32, AtomicU64, AtomicUsize},
};

#[cfg(not(all(test, any(petla_loom, petla_shuttle))))]
pub(crate) use std::sync::{
    Arc, Condvar, Mutex, MutexGuard,
    atomic::{AtomicPtr, AtomicU8, AtomicU32, AtomicU64, AtomicUsize},
};

/// A function that is `const`, but in loom's world, where no constructor is.
macro_rules! const_fn {
    ($(#[$meta:meta])* $vis:vis fn $($rest:tt)+) => {
        #[cfg(not(all(test, petla_loom)))]
        $(#[$meta])* $vis const fn $($rest)+
        #[cfg(all(test, petla_loom))]
        $(#[$meta])* $vis fn $($rest)+
    };
}
pub(crate) use const_fn;

/// `std`'s cell with loom's closure interface: no reference can leak out of it.
#[cfg(not(all(test, petla_loom)))]
#[derive(Debug)]
#[repr(transparent)]
pub(crate) struct UnsafeCell<T>(std::cell::UnsafeCell<T>);

#[cfg(not(all(test, petla_loom)))]
impl<T> UnsafeCell<T> {
    pub(crate) const fn new(value: T) -> Self {
        UnsafeCell(std::cell::UnsafeCell::new(value))
    }

    #[inline(always)]
    pub(crate) fn with<R>(&self, f: impl FnOnce(*const T) -> R) -> R {
        f(self.0.get())
    }

    #[inline(always)]
    pub(crate) fn with_mut<R>(&self, f: impl FnOnce(*mut T) -> R) -> R {
        f(self.0.get())
    }
}

/// Locks, whatever another holder's panic left behind: our critical sections run no user code.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex
        .lock()
        .unwrap_or_else(|poisoned| poisoned.into_inner())
}
