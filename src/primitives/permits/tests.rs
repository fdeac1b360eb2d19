//! What cannot be seen from outside: sizes, grants that lapse, and permits that dropped and
//! lapsed waiters left inside a `local` list while its front was open.
//!
//! # Not here
//! Random programs against a model, the behaviours one by one, loops, threads: the tests of the
//! crate.

use std::future::Future;
use std::task::{Context, Waker};

use super::{PermitWaiter, Permits};
use crate::primitives;
use crate::primitives::hand::{Boxed, in_task, leak, poll};
use crate::wait_list::{Front, Local, Shared, WAITERS, has_unclaimed};

type Lock<T> = primitives::Lock<T, Local>;
type Semaphore = primitives::Semaphore<Local>;
type Condition = primitives::Condition<Local>;

/// A future that `task` polled once, and that waits.
fn waiting<'a, F: Future + 'a>(task: u32, future: F) -> Boxed<'a, F::Output> {
    let mut future: Boxed<'a, _> = Box::pin(future);
    assert!(in_task(task, || poll(&mut future)).is_pending());
    future
}

#[test]
fn a_lock_is_two_words_in_local_and_three_in_sync() {
    assert_eq!(size_of::<Lock<()>>(), 16);
    assert_eq!(size_of::<primitives::Lock<(), Shared>>(), 24);
    assert_eq!(size_of::<Semaphore>(), 24);
    assert_eq!(size_of::<primitives::Semaphore<Shared>>(), 32);
}

#[test]
fn a_lock_that_never_had_a_waiter_has_no_list() {
    let lock = Lock::new(1);
    drop(lock.try_lock());
    let guard = lock.try_lock();
    assert!(lock.try_lock().is_none());
    drop(guard);
    assert_eq!(lock.statistics().waiting, 0);
    assert!(format!("{lock:?}").contains('1'));
    let semaphore = Semaphore::new(0);
    assert!(semaphore.try_acquire().is_none());
    semaphore.add_permits(1);
    assert!(semaphore.try_acquire().is_some());
}

#[test]
fn a_lock_that_its_task_looks_past_goes_to_the_next() {
    let lock = Lock::new(());
    let guard = lock.try_lock();
    let (mut asleep, mut next) = (waiting(1, lock.lock()), waiting(2, lock.lock()));
    drop(guard);
    in_task(1, || ());
    let guard = in_task(2, || poll(&mut next));
    assert!(guard.is_ready());
    assert!(in_task(1, || poll(&mut asleep)).is_pending());
    drop(guard);
    assert!(in_task(1, || poll(&mut asleep)).is_ready());
}

#[test]
fn a_lock_that_lapses_with_nobody_in_line_is_free() {
    let lock = Lock::new(());
    let guard = lock.try_lock();
    let mut asleep = waiting(1, lock.lock());
    drop(guard);
    assert!(lock.is_locked(), "it is granted");
    in_task(1, || ());
    assert!(!lock.is_locked());
    let guard = lock.try_lock();
    assert!(guard.is_some() && lock.is_locked());
    assert!(in_task(1, || poll(&mut asleep)).is_pending());
    drop(guard);
    assert!(in_task(1, || poll(&mut asleep)).is_ready());
    assert!(!lock.is_locked());
}

#[test]
fn permits_of_a_dropped_waiter_are_found_wherever_the_others_are() {
    let semaphore = Semaphore::new(3);
    let all = semaphore.try_acquire_many(3).unwrap();
    let granted = waiting(1, semaphore.acquire_many(2));
    drop(all); // two are granted, one is free, in front
    assert_eq!(semaphore.available(), 1);
    drop(granted); // two more, inside
    assert_eq!(semaphore.available(), 3);
    let one = semaphore.try_acquire().expect("the one in front");
    assert_eq!(semaphore.available(), 2);
    let two = semaphore.try_acquire_many(2).expect("both inside");
    assert_eq!(semaphore.available(), 0);
    drop((one, two));
    assert_eq!(semaphore.available(), 3);
    assert!(semaphore.try_acquire_many(3).is_some());
}

#[test]
fn a_grant_to_a_leaked_waiter_lapses_though_its_semaphore_moved() {
    let semaphore = Semaphore::new(0);
    leak(waiting(1, semaphore.acquire()));
    let moved = Box::new(semaphore);
    moved.add_permits(1);
    assert_eq!(moved.available(), 0);
    in_task(1, || ());
    assert_eq!(moved.available(), 1);
    assert!(moved.try_acquire().is_some());
}

#[test]
fn a_grant_to_a_leaked_waiter_outlives_its_lock() {
    let lock = Lock::new(());
    let guard = lock.try_lock();
    leak(waiting(1, lock.lock()));
    drop(guard);
    drop(lock);
    in_task(1, || ());
    assert!(!has_unclaimed(1));
}

#[test]
fn a_condition_keeps_its_notification_when_the_lock_lapses() {
    let (lock, condition) = (Lock::new(0), Condition::new());
    let mut asleep = waiting(1, condition.wait(lock.try_lock().unwrap()));
    let mut next = waiting(2, condition.wait(lock.try_lock().unwrap()));
    condition.notify(&lock.try_lock().unwrap(), 1);
    in_task(1, || ()); // the lock was granted, and lapses
    assert!(!lock.is_locked());
    assert!(in_task(2, || poll(&mut next)).is_pending());
    assert!(
        in_task(1, || poll(&mut asleep)).is_ready(),
        "it was notified, and waits for the lock alone"
    );
}

#[test]
fn a_notified_wait_that_is_dropped_after_its_lock_lapsed_notifies_the_next() {
    let (lock, condition) = (Lock::new(0), Condition::new());
    let asleep = waiting(1, condition.wait(lock.try_lock().unwrap()));
    let mut next = waiting(2, condition.wait(lock.try_lock().unwrap()));
    condition.notify(&lock.try_lock().unwrap(), 1);
    in_task(1, || ());
    let guard = lock.try_lock().expect("the lock lapsed");
    drop(asleep);
    assert!(in_task(2, || poll(&mut next)).is_pending());
    drop(guard); // by the front: it must see who waits now
    assert!(in_task(2, || poll(&mut next)).is_ready());
}

#[test]
fn waiters_leaked_in_a_condition_are_told_of_a_lock_in_the_place_of_theirs() {
    let condition = Condition::new();
    // The lists of locks are of one size, so one of some dozen gets the place of the first.
    let mut locks = Vec::new();
    {
        let lock = Lock::new(());
        leak(waiting(1, condition.wait(lock.try_lock().unwrap())));
    }
    assert_eq!(condition.statistics().waiting, 1);
    for _ in 0..64 {
        let lock = Lock::new(());
        let guard = lock.try_lock().unwrap();
        drop(waiting(2, lock.lock())); // makes the list
        let notified = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            condition.notify(&guard, 1);
        }));
        drop(guard);
        locks.push(lock);
        if notified.is_ok() {
            break;
        }
    }
    in_task(1, || ());
    drop(locks);
    assert!(!has_unclaimed(1));
}

#[test]
fn the_front_is_open_again_when_nobody_waits() {
    let permits = Permits::<Local>::new(1);
    let is_open = || permits.front.word().get() & WAITERS == 0;
    assert!(permits.try_take(1) && is_open());
    let mut waiter = Box::pin(PermitWaiter::unbound());
    let mut cx = Context::from_waker(Waker::noop());
    assert!(permits.poll_take(waiter.as_mut(), &mut cx, 1).is_pending());
    assert!(!is_open(), "who gives a permit must see who waits");
    permits.give(1);
    assert!(is_open(), "it is granted, and nobody is in line");
    assert!(permits.poll_take(waiter.as_mut(), &mut cx, 1).is_ready());
    permits.give(1);
    assert!(is_open() && permits.front.list().is_some());
    // Who finds too little in front looks inside, and leaves the front open too.
    assert!(!permits.try_take(2) && is_open());
}
