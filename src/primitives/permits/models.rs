//! Loom models of `sync::Lock`, `sync::RwLock` and `sync::Semaphore`: two or three threads, with
//! waiters that are cancelled at each point.
//!
//! What a lock guards lies in loom's own cells, so that loom sees who may touch it when. A lost
//! wake-up shows as a deadlock, a lost or doubled permit as a wrong count at the end.
//!
//! # Bounds
//! Here the bound on pre-emptions of `.ci/loom`. All orders were tried of those with two threads,
//! but `a_lock_is_taken_again_..`, and of `a_cancelled_writer_..` and `a_cancelled_acquire_of_..`.
//! The others did not end in a minute; they were explored up to four pre-emptions, but
//! `permits_that_come_one_..` and `readers_share_..` up to three.
//!
//! # What the models catch
//! `.ci/mutate permits/` seeds each line; two pre-emptions suffice for all of them.
//!
//! | of | mutation | fails |
//! | --- | --- | --- |
//! | lock | it is taken, or given back, relaxed | `a_lock_lets_..` |
//! | lock | it is taken past those who wait | `a_lock_that_is_handed_..` |
//! | lock | who waits does not say so; the word is opened too early | `a_lock_lets_..` |
//! | lock | `left` keeps what was granted | `a_cancelled_lock_..` |
//! | readers-writer lock | a reader takes no permit, a writer one | `readers_share_..` |
//! | readers-writer lock | a reader's permit is given back relaxed | `readers_share_..` |
//! | readers-writer lock | `pump` grants nobody | `a_cancelled_writer_..` |
//! | semaphore | a permit is taken, or what is left is stored, relaxed | `what_was_done_..` |
//! | semaphore | permits are given past those who wait | `permits_that_come_one_..` |
//! | semaphore | `grant_first` grants what is not there | `permits_that_come_one_..` |
//! | semaphore | `give_slow` grants one only | `permits_that_come_together_..` |
//! | semaphore | `pump` grants nobody | `a_cancelled_acquire_of_many_..` |
//! | bounded | the total is raised without looking again | `a_bounded_semaphore_..` |
//! | bounded | a forgotten permit still counts | `a_bounded_semaphore_..` |
//!
//! # Not here
//! Conditions: their own models. `local`, more than three waiters: unit and property tests.

use std::future::Future;
use std::task::{Context, Waker};

use loom::cell::Cell;
use loom::future::block_on;

use crate::primitives::threads::{poll_once, spawn};
use crate::primitives::{self, OverRelease, Shared};
use crate::rt::Arc;

type Lock<T> = primitives::Lock<T, Shared>;
type RwLock<T> = primitives::RwLock<T, Shared>;
type Semaphore = primitives::Semaphore<Shared>;
type BoundedSemaphore = primitives::BoundedSemaphore<Shared>;

fn increment(lock: &Lock<Cell<usize>>) {
    let value = block_on(lock.lock());
    value.set(value.get() + 1);
}

#[test]
fn a_lock_lets_one_thread_in_at_a_time() {
    loom::model(|| {
        let lock = Arc::new(Lock::new(Cell::new(0)));
        let threads = [spawn(&lock, increment), spawn(&lock, increment)];
        increment(&lock);
        for thread in threads {
            thread.join().unwrap();
        }
        assert_eq!(lock.try_lock().expect("all are done").get(), 3);
    });
}

#[test]
fn a_lock_is_taken_again_and_again() {
    loom::model(|| {
        let lock = Arc::new(Lock::new(Cell::new(0)));
        let twice = |lock: &Lock<Cell<usize>>| {
            increment(lock);
            increment(lock);
        };
        let other = spawn(&lock, twice);
        twice(&lock);
        other.join().unwrap();
        assert_eq!(lock.try_lock().expect("all are done").get(), 4);
    });
}

#[test]
fn a_cancelled_lock_is_free_for_the_next() {
    loom::model(|| {
        let lock = Arc::new(Lock::new(Cell::new(0)));
        let guard = lock.try_lock().unwrap();
        let cancelled = spawn(&lock, |lock| drop(poll_once(lock.lock())));
        let stays = spawn(&lock, increment);
        guard.set(1);
        drop(guard);
        cancelled.join().unwrap();
        stays.join().unwrap();
        assert_eq!(lock.try_lock().expect("all are done").get(), 2);
    });
}

#[test]
fn a_lock_that_is_handed_over_is_not_free() {
    loom::model(|| {
        let lock = Arc::new(Lock::new(Cell::new(0)));
        let guard = lock.try_lock().unwrap();
        let mut waits = Box::pin(lock.lock());
        let mut cx = Context::from_waker(Waker::noop());
        assert!(waits.as_mut().poll(&mut cx).is_pending());
        let thief = spawn(&lock, |lock| lock.try_lock().is_some());
        drop(guard);
        assert!(!thief.join().unwrap(), "it was promised");
        assert!(waits.as_mut().poll(&mut cx).is_ready());
    });
}

#[test]
fn readers_share_and_a_writer_is_alone() {
    loom::model(|| {
        let lock = Arc::new(RwLock::new(Cell::new(0)));
        let read = |lock: &RwLock<Cell<usize>>| block_on(lock.read()).get();
        let readers = [spawn(&lock, read), spawn(&lock, read)];
        {
            let value = block_on(lock.write());
            value.set(1);
            value.set(2);
        }
        for reader in readers {
            assert_ne!(reader.join().unwrap(), 1);
        }
        assert!(lock.try_write().is_some());
    });
}

#[test]
fn a_cancelled_writer_lets_the_readers_behind_it_in() {
    loom::model(|| {
        let lock = Arc::new(RwLock::new(Cell::new(0)));
        let first = lock.try_read().unwrap();
        let writer = spawn(&lock, |lock| drop(poll_once(lock.write())));
        let reader = spawn(&lock, |lock| block_on(lock.read()).get());
        reader.join().unwrap();
        drop(first);
        writer.join().unwrap();
        assert!(lock.try_write().is_some());
    });
}

/// A semaphore, and what is written before permits are given.
struct Signal {
    semaphore: Semaphore,
    written: Cell<usize>,
}

fn signal(permits: usize) -> Arc<Signal> {
    Arc::new(Signal {
        semaphore: Semaphore::new(permits),
        written: Cell::new(0),
    })
}

#[test]
fn what_was_done_before_a_permit_came_is_seen_by_all_who_get_one() {
    loom::model(|| {
        let shared = signal(0);
        let waits = spawn(&shared, |shared| {
            block_on(shared.semaphore.acquire()).forget();
            assert_eq!(shared.written.get(), 1);
        });
        let tries = spawn(&shared, |shared| {
            if let Some(permit) = shared.semaphore.try_acquire() {
                permit.forget();
                assert_eq!(shared.written.get(), 1);
            }
        });
        shared.written.set(1);
        shared.semaphore.add_permits(2);
        waits.join().unwrap();
        tries.join().unwrap();
    });
}

#[test]
fn permits_that_come_one_by_one_add_up() {
    loom::model(|| {
        let shared = Arc::new(Semaphore::new(0));
        let giver = spawn(&shared, |semaphore| semaphore.add_permits(1));
        let other = spawn(&shared, |semaphore| semaphore.add_permits(1));
        block_on(shared.acquire_many(2)).forget();
        giver.join().unwrap();
        other.join().unwrap();
        assert_eq!(shared.available(), 0);
        assert_eq!(shared.statistics().holders, 0);
    });
}

#[test]
fn permits_that_come_together_wake_all_whom_they_serve() {
    loom::model(|| {
        let shared = Arc::new(Semaphore::new(0));
        let take = |semaphore: &Semaphore| block_on(semaphore.acquire()).forget();
        let takers = [spawn(&shared, take), spawn(&shared, take)];
        shared.add_permits(2);
        for taker in takers {
            taker.join().unwrap();
        }
        assert_eq!(shared.available(), 0);
    });
}

#[test]
fn a_cancelled_acquire_races_with_those_who_need_no_line() {
    loom::model(|| {
        let shared = Arc::new(Semaphore::new(0));
        let cancelled = spawn(&shared, |semaphore| drop(poll_once(semaphore.acquire())));
        let giver = spawn(&shared, |semaphore| semaphore.add_permits(1));
        shared.add_permits(1);
        cancelled.join().unwrap();
        giver.join().unwrap();
        assert_eq!(shared.available(), 2);
    });
}

#[test]
fn a_cancelled_acquire_of_many_lets_the_small_one_behind_it_go() {
    loom::model(|| {
        let shared = Arc::new(Semaphore::new(1));
        let many = spawn(&shared, |semaphore| {
            drop(poll_once(semaphore.acquire_many(2)));
        });
        let one = spawn(&shared, |semaphore| drop(block_on(semaphore.acquire())));
        many.join().unwrap();
        one.join().unwrap();
        assert_eq!(shared.available(), 1);
    });
}

#[test]
fn a_bounded_semaphore_takes_each_lost_permit_back_once() {
    loom::model(|| {
        let shared = Arc::new(BoundedSemaphore::new(2));
        shared.try_acquire().unwrap().forget();
        let give = |semaphore: &BoundedSemaphore| semaphore.add_permits(1);
        let other = spawn(&shared, give);
        let mut given = [give(&shared), other.join().unwrap()];
        given.sort_by_key(Result::is_err);
        assert_eq!(given, [Ok(()), Err(OverRelease)]);
        assert_eq!(shared.available(), 2);
    });
}

#[test]
fn a_thread_sleeps_until_the_lock_is_free() {
    loom::model(|| {
        let lock = Arc::new(Lock::new(Cell::new(0)));
        let guard = lock.try_lock().unwrap();
        let other = spawn(&lock, |lock| lock.blocking_lock().get());
        guard.set(1);
        drop(guard);
        assert_eq!(other.join().unwrap(), 1);
    });
}
