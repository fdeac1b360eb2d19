//! Locks and readers-writer locks: one alone, or many who only look.

use std::sync::Arc;

use shuttle::future::{block_on, yield_now};
use shuttle::thread;

use super::{Lock, RwLock, STAY, crowd, explore, explore_crowd, join, perhaps, spawn_all, until};

#[test]
fn a_lock_lets_one_of_six_in() {
    explore(|| {
        let lock = Arc::new(Lock::new(0));
        let tasks = spawn_all(4, |_| {
            let lock = lock.clone();
            async move {
                let mut rounds = 0;
                for _ in 0..5 {
                    if let Some(mut value) = perhaps(lock.lock()).await {
                        let seen = *value;
                        yield_now().await; // a second holder would add to the same
                        *value = seen + 1;
                        rounds += 1;
                    }
                }
                rounds
            }
        });
        let threads = [(); 2].map(|()| {
            let lock = lock.clone();
            thread::spawn(move || {
                for _ in 0..5 {
                    let mut value = lock.blocking_lock();
                    let seen = *value;
                    thread::yield_now();
                    *value = seen + 1;
                }
            })
        });
        let rounds: i32 = join(tasks).iter().sum();
        for thread in threads {
            thread.join().unwrap();
        }
        assert_eq!(*lock.try_lock().expect("all are done"), rounds + 10);
        assert_eq!(lock.statistics().waiting, 0);
    });
}

#[test]
fn readers_see_what_one_of_three_writers_left_whole() {
    explore(|| {
        let halves = Arc::new(RwLock::new((0, 0)));
        let readers = spawn_all(4, |_| {
            let halves = halves.clone();
            async move {
                for _ in 0..4 {
                    if let Some(seen) = perhaps(halves.read()).await {
                        let first = seen.0;
                        yield_now().await;
                        assert_eq!(*seen, (first, first));
                    }
                }
            }
        });
        let writers = spawn_all(3, |_| {
            let halves = halves.clone();
            async move {
                let mut rounds = 0;
                for _ in 0..3 {
                    if let Some(mut halves) = perhaps(halves.write()).await {
                        halves.0 += 1;
                        yield_now().await;
                        halves.1 += 1;
                        rounds += 1;
                    }
                }
                rounds
            }
        });
        join(readers);
        let rounds: i32 = join(writers).iter().sum();
        let halves = halves.try_write().expect("all are done");
        assert_eq!(*halves, (rounds, rounds));
    });
}

#[test]
fn a_writer_that_leaves_lets_forty_readers_in() {
    explore_crowd(|| {
        let lock = Arc::new(RwLock::new(0));
        let mut writes = lock.try_write().expect("it is new");
        let readers = crowd(|| {
            let lock = lock.clone();
            async move { *lock.read().await }
        });
        block_on(until(|| lock.statistics().waiting >= STAY));
        *writes = 1;
        drop(writes);
        let seen = join(readers);
        assert!(seen.into_iter().flatten().all(|value| value == 1));
        assert!(lock.try_write().is_some());
    });
}
