//! Events, barriers and conditions side by side: what lets tasks wait until others are so far.
//!
//! # Invariants
//! - **All wait first**: a workload sets an event when every task waits on it already. tokio's and
//!   smol's nearest thing to an event keeps nothing for one that comes later; petla's stays set.
//! - **One waits**: the conditions here have one waiter each, so waking one is enough.
//!
//! # Not here
//! Clearing, resetting, aborting: only petla has them all.

use std::future::Future;
use std::ops::DerefMut;

use crate::libraries::{
    AsyncLock, Intrusive, IntrusiveLocal, Library, LocalSync, PetlaLocal, PetlaSync, Tokio,
};

/// A kind of event.
pub trait Events: Library {
    /// The event.
    type Event: 'static;

    /// One that is not set.
    fn new() -> Self::Event;

    /// Waits until it is set.
    fn wait(event: &Self::Event) -> impl Future;

    /// Sets it, by All wait first with all `waiters` waiting.
    fn set(event: &Self::Event, waiters: usize);
}

macro_rules! events {
    ($library:ident, $event:ty $(, $set:literal)?) => {
        impl Events for $library {
            type Event = $event;

            fn new() -> Self::Event {
                <$event>::new($($set)?)
            }

            fn wait(event: &Self::Event) -> impl Future {
                event.wait()
            }

            fn set(event: &Self::Event, _waiters: usize) {
                event.set();
            }
        }
    };
}

events!(PetlaLocal, petla::local::Event);
events!(PetlaSync, petla::sync::Event);
events!(
    IntrusiveLocal,
    futures_intrusive::sync::LocalManualResetEvent,
    false
);
events!(Intrusive, futures_intrusive::sync::ManualResetEvent, false);

/// `Notify`: wakes all that wait, keeps nothing.
impl Events for Tokio {
    type Event = tokio::sync::Notify;

    fn new() -> Self::Event {
        tokio::sync::Notify::new()
    }

    fn wait(event: &Self::Event) -> impl Future {
        event.notified()
    }

    fn set(event: &Self::Event, _waiters: usize) {
        event.notify_waiters();
    }
}

/// `event_listener::Event`: wakes all that wait, keeps nothing.
impl Events for AsyncLock {
    type Event = event_listener::Event;

    fn new() -> Self::Event {
        event_listener::Event::new()
    }

    fn wait(event: &Self::Event) -> impl Future {
        event.listen()
    }

    fn set(event: &Self::Event, _waiters: usize) {
        event.notify(usize::MAX);
    }
}

/// local-sync has no event: a semaphore of no permits, and then of one for each that waits.
impl Events for LocalSync {
    type Event = local_sync::semaphore::Semaphore;

    fn new() -> Self::Event {
        local_sync::semaphore::Semaphore::new(0)
    }

    fn wait(event: &Self::Event) -> impl Future {
        event.acquire()
    }

    fn set(event: &Self::Event, waiters: usize) {
        event.add_permits(waiters);
    }
}

/// A kind of barrier.
pub trait Barriers: Library {
    /// The barrier.
    type Barrier: 'static;
    /// What one that arrived is told when all have.
    type Arrival;

    /// One for `parties` tasks.
    fn new(parties: usize) -> Self::Barrier;

    /// Waits until all have arrived.
    fn wait(barrier: &Self::Barrier) -> impl Future<Output = Self::Arrival>;

    /// Whether it is the one of its round.
    fn is_leader(arrival: Self::Arrival) -> bool;
}

macro_rules! barriers {
    ($library:ident, $barrier:ty, $arrival:ty, $is_leader:expr) => {
        impl Barriers for $library {
            type Barrier = $barrier;
            type Arrival = $arrival;

            fn new(parties: usize) -> Self::Barrier {
                <$barrier>::new(parties)
            }

            fn wait(barrier: &Self::Barrier) -> impl Future<Output = Self::Arrival> {
                barrier.wait()
            }

            fn is_leader(arrival: Self::Arrival) -> bool {
                $is_leader(arrival)
            }
        }
    };
}

barriers!(
    PetlaLocal,
    petla::local::Barrier,
    Result<usize, petla::local::Broken>,
    |arrival| arrival == Ok(0)
);
barriers!(
    PetlaSync,
    petla::sync::Barrier,
    Result<usize, petla::sync::Broken>,
    |arrival| arrival == Ok(0)
);
barriers!(
    Tokio,
    tokio::sync::Barrier,
    tokio::sync::BarrierWaitResult,
    |arrival: tokio::sync::BarrierWaitResult| arrival.is_leader()
);
barriers!(
    AsyncLock,
    async_lock::Barrier,
    async_lock::BarrierWaitResult,
    |arrival: async_lock::BarrierWaitResult| arrival.is_leader()
);

/// A kind of condition, on a lock around a place for one item.
pub trait Conditions: Library {
    /// The lock.
    type Lock: 'static;
    /// What unlocks when dropped.
    type Guard<'a>: DerefMut<Target = Option<usize>>;
    /// The condition.
    type Condition: 'static;

    /// An unlocked lock around nothing.
    fn new_lock() -> Self::Lock;

    /// A condition that nobody waits for.
    fn new() -> Self::Condition;

    /// Waits for the lock.
    fn lock(lock: &Self::Lock) -> impl Future<Output = Self::Guard<'_>>;

    /// Unlocks, waits for the condition and locks again, until what is guarded is as `wanted`.
    fn wait_for<'a>(
        condition: &Self::Condition,
        lock: &'a Self::Lock,
        guard: Self::Guard<'a>,
        wanted: fn(&Option<usize>) -> bool,
    ) -> impl Future<Output = Self::Guard<'a>>;

    /// Wakes one that waits for the condition.
    fn notify(condition: &Self::Condition, guard: &Self::Guard<'_>);
}

macro_rules! petla_conditions {
    ($library:ident, $mode:ident) => {
        impl Conditions for $library {
            type Lock = petla::$mode::Lock<Option<usize>>;
            type Guard<'a> = petla::$mode::LockGuard<'a, Option<usize>>;
            type Condition = petla::$mode::Condition;

            fn new_lock() -> Self::Lock {
                petla::$mode::Lock::new(None)
            }

            fn new() -> Self::Condition {
                petla::$mode::Condition::new()
            }

            fn lock(lock: &Self::Lock) -> impl Future<Output = Self::Guard<'_>> {
                lock.lock()
            }

            fn wait_for<'a>(
                condition: &Self::Condition,
                _lock: &'a Self::Lock,
                guard: Self::Guard<'a>,
                wanted: fn(&Option<usize>) -> bool,
            ) -> impl Future<Output = Self::Guard<'a>> {
                condition.wait_for(guard, move |place| wanted(place))
            }

            fn notify(condition: &Self::Condition, guard: &Self::Guard<'_>) {
                condition.notify(guard, 1);
            }
        }
    };
}

petla_conditions!(PetlaLocal, local);
petla_conditions!(PetlaSync, sync);

/// tokio has no condition: a `Notify` beside the `Mutex`.
impl Conditions for Tokio {
    type Lock = tokio::sync::Mutex<Option<usize>>;
    type Guard<'a> = tokio::sync::MutexGuard<'a, Option<usize>>;
    type Condition = tokio::sync::Notify;

    fn new_lock() -> Self::Lock {
        tokio::sync::Mutex::new(None)
    }

    fn new() -> Self::Condition {
        tokio::sync::Notify::new()
    }

    fn lock(lock: &Self::Lock) -> impl Future<Output = Self::Guard<'_>> {
        lock.lock()
    }

    async fn wait_for<'a>(
        condition: &Self::Condition,
        lock: &'a Self::Lock,
        mut guard: Self::Guard<'a>,
        wanted: fn(&Option<usize>) -> bool,
    ) -> Self::Guard<'a> {
        while !wanted(&guard) {
            drop(guard);
            condition.notified().await; // told before it waits: `Notify` keeps one for it
            guard = lock.lock().await;
        }
        guard
    }

    fn notify(condition: &Self::Condition, _guard: &Self::Guard<'_>) {
        condition.notify_one();
    }
}

/// smol's crates have no condition: an `event_listener::Event` beside the `Mutex`.
impl Conditions for AsyncLock {
    type Lock = async_lock::Mutex<Option<usize>>;
    type Guard<'a> = async_lock::MutexGuard<'a, Option<usize>>;
    type Condition = event_listener::Event;

    fn new_lock() -> Self::Lock {
        async_lock::Mutex::new(None)
    }

    fn new() -> Self::Condition {
        event_listener::Event::new()
    }

    fn lock(lock: &Self::Lock) -> impl Future<Output = Self::Guard<'_>> {
        lock.lock()
    }

    async fn wait_for<'a>(
        condition: &Self::Condition,
        lock: &'a Self::Lock,
        mut guard: Self::Guard<'a>,
        wanted: fn(&Option<usize>) -> bool,
    ) -> Self::Guard<'a> {
        while !wanted(&guard) {
            let told = condition.listen(); // from here on, so under the lock
            drop(guard);
            told.await;
            guard = lock.lock().await;
        }
        guard
    }

    fn notify(condition: &Self::Condition, _guard: &Self::Guard<'_>) {
        condition.notify(1);
    }
}
