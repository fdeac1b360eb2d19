//! Locks, read-write locks and semaphores side by side: what lets some in and holds the others.
//!
//! # Invariants
//! - **A number inside**: every lock guards a `usize`, so that a workload can count under it and
//!   check the count.
//! - **Fair**: futures-intrusive, which lets its users choose, is told to hand over in order, as
//!   petla and tokio do. async-lock lets a newcomer barge in and has no such choice.
//! - **Never closed**: tokio's and local-sync's semaphores can be; nothing here does that.
//!
//! # Not here
//! `try_*`, several permits at a time, owned guards.

use std::cell::Cell;
use std::future::Future;
use std::ops::{Deref, DerefMut};

use crate::libraries::{
    AsyncLock, Intrusive, IntrusiveLocal, Library, LocalSync, PetlaLocal, PetlaSync, Tokio,
};

/// A kind of lock.
pub trait Locks: Library {
    /// The lock around a number.
    type Lock: 'static;
    /// What unlocks when dropped.
    type Guard<'a>;

    /// An unlocked lock around 0.
    fn new() -> Self::Lock;

    /// Waits for the lock.
    fn lock(lock: &Self::Lock) -> impl Future<Output = Self::Guard<'_>>;

    /// Adds `more` to the guarded number; the sum.
    fn add(lock: &Self::Lock, guard: &mut Self::Guard<'_>, more: usize) -> usize;
}

macro_rules! locks {
    ($library:ident, $lock:ty, $guard:ty, $new:expr) => {
        impl Locks for $library {
            type Lock = $lock;
            type Guard<'a> = $guard;

            fn new() -> Self::Lock {
                $new
            }

            fn lock(lock: &Self::Lock) -> impl Future<Output = Self::Guard<'_>> {
                lock.lock()
            }

            fn add(_lock: &Self::Lock, guard: &mut Self::Guard<'_>, more: usize) -> usize {
                **guard += more;
                **guard
            }
        }
    };
}

locks!(
    PetlaLocal,
    petla::local::Lock<usize>,
    petla::local::LockGuard<'a, usize>,
    petla::local::Lock::new(0)
);
locks!(
    PetlaSync,
    petla::sync::Lock<usize>,
    petla::sync::LockGuard<'a, usize>,
    petla::sync::Lock::new(0)
);
locks!(
    Tokio,
    tokio::sync::Mutex<usize>,
    tokio::sync::MutexGuard<'a, usize>,
    tokio::sync::Mutex::new(0)
);
locks!(
    AsyncLock,
    async_lock::Mutex<usize>,
    async_lock::MutexGuard<'a, usize>,
    async_lock::Mutex::new(0)
);
locks!(
    IntrusiveLocal,
    futures_intrusive::sync::LocalMutex<usize>,
    futures_intrusive::sync::LocalMutexGuard<'a, usize>,
    futures_intrusive::sync::LocalMutex::new(0, true)
);
locks!(
    Intrusive,
    futures_intrusive::sync::Mutex<usize>,
    futures_intrusive::sync::MutexGuard<'a, usize>,
    futures_intrusive::sync::Mutex::new(0, true)
);

/// local-sync has no lock: a semaphore of one permit beside the number.
impl Locks for LocalSync {
    type Lock = (local_sync::semaphore::Semaphore, Cell<usize>);
    type Guard<'a> = <LocalSync as Semaphores>::Permit<'a>;

    fn new() -> Self::Lock {
        (<LocalSync as Semaphores>::new(1), Cell::new(0))
    }

    fn lock((semaphore, _): &Self::Lock) -> impl Future<Output = Self::Guard<'_>> {
        semaphore.acquire()
    }

    fn add((_, number): &Self::Lock, guard: &mut Self::Guard<'_>, more: usize) -> usize {
        debug_assert!(guard.is_ok());
        number.set(number.get() + more);
        number.get()
    }
}

/// A kind of read-write lock.
pub trait RwLocks: Library {
    /// The lock around a number.
    type RwLock: 'static;

    /// An unlocked lock around 0.
    fn new() -> Self::RwLock;

    /// Waits until nobody writes.
    fn read(lock: &Self::RwLock) -> impl Future<Output: Deref<Target = usize>>;

    /// Waits until nobody else holds the lock.
    fn write(lock: &Self::RwLock) -> impl Future<Output: DerefMut<Target = usize>>;
}

macro_rules! rw_locks {
    ($library:ident, $lock:ty) => {
        impl RwLocks for $library {
            type RwLock = $lock;

            fn new() -> Self::RwLock {
                <$lock>::new(0)
            }

            fn read(lock: &Self::RwLock) -> impl Future<Output: Deref<Target = usize>> {
                lock.read()
            }

            fn write(lock: &Self::RwLock) -> impl Future<Output: DerefMut<Target = usize>> {
                lock.write()
            }
        }
    };
}

rw_locks!(PetlaLocal, petla::local::RwLock<usize>);
rw_locks!(PetlaSync, petla::sync::RwLock<usize>);
rw_locks!(Tokio, tokio::sync::RwLock<usize>);
rw_locks!(AsyncLock, async_lock::RwLock<usize>);

/// A kind of semaphore.
pub trait Semaphores: Library {
    /// The semaphore.
    type Semaphore: 'static;
    /// What gives its permit back when dropped.
    type Permit<'a>;

    /// A semaphore of `permits`.
    fn new(permits: usize) -> Self::Semaphore;

    /// Waits for a permit.
    fn acquire(semaphore: &Self::Semaphore) -> impl Future<Output = Self::Permit<'_>>;
}

macro_rules! semaphores {
    (
        $library:ident, $semaphore:ty, $permit:ty
        $(, fair: $fair:literal, permits: $one:literal)?
    ) => {
        impl Semaphores for $library {
            type Semaphore = $semaphore;
            type Permit<'a> = $permit;

            fn new(permits: usize) -> Self::Semaphore {
                <$semaphore>::new($($fair,)? permits)
            }

            fn acquire(semaphore: &Self::Semaphore) -> impl Future<Output = Self::Permit<'_>> {
                semaphore.acquire($($one)?)
            }
        }
    };
}

semaphores!(
    PetlaLocal,
    petla::local::Semaphore,
    petla::local::Permit<'a>
);
semaphores!(PetlaSync, petla::sync::Semaphore, petla::sync::Permit<'a>);
semaphores!(
    Tokio,
    tokio::sync::Semaphore,
    Result<tokio::sync::SemaphorePermit<'a>, tokio::sync::AcquireError>
);
semaphores!(
    AsyncLock,
    async_lock::Semaphore,
    async_lock::SemaphoreGuard<'a>
);
semaphores!(
    LocalSync,
    local_sync::semaphore::Semaphore,
    Result<local_sync::semaphore::SemaphorePermit<'a>, local_sync::semaphore::AcquireError>
);
semaphores!(
    IntrusiveLocal,
    futures_intrusive::sync::LocalSemaphore,
    futures_intrusive::sync::LocalSemaphoreReleaser<'a>,
    fair: true,
    permits: 1
);
semaphores!(
    Intrusive,
    futures_intrusive::sync::Semaphore,
    futures_intrusive::sync::SemaphoreReleaser<'a>,
    fair: true,
    permits: 1
);
