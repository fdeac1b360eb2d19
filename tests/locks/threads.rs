//! The `sync` family between threads: plain ones, those of loops, and two loops at once.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use petla::sync::{BoundedSemaphore, Condition, Lock, RwLock, Semaphore};

use super::*;
use crate::common::{LONG, poll_once, yield_until};

/// Runs `f` on a thread of its own, and fails if it hangs.
#[track_caller]
fn bounded<R: Send + 'static>(f: impl FnOnce() -> R + Send + 'static) -> R {
    let (send, receive) = mpsc::channel();
    let thread = thread::spawn(move || send.send(f()));
    match receive.recv_timeout(LONG) {
        Ok(value) => {
            thread.join().unwrap().unwrap();
            value
        }
        Err(mpsc::RecvTimeoutError::Timeout) => panic!("it hangs"),
        Err(mpsc::RecvTimeoutError::Disconnected) => match thread.join() {
            Err(payload) => std::panic::resume_unwind(payload),
            Ok(_) => unreachable!("it sends when it ends"),
        },
    }
}

/// Runs `task` four times on each of two loops of two threads, which share what it is given.
fn on_two_loops<S, F>(shared: S, task: impl Fn(Arc<S>) -> F + Send + Copy + 'static) -> Arc<S>
where
    S: Send + Sync + 'static,
    F: Future<Output = ()> + 'static,
{
    let shared = Arc::new(shared);
    let threads = [(); 2].map(|()| {
        let shared = shared.clone();
        thread::spawn(move || {
            within(async {
                let tasks: Vec<_> = (0..4).map(|_| spawn(task(shared.clone()))).collect();
                for task in tasks {
                    task.await.unwrap();
                }
            });
        })
    });
    for thread in threads {
        thread.join().unwrap();
    }
    shared
}

#[test]
fn two_loops_share_a_lock() {
    let lock = on_two_loops(Lock::new((0, 0)), |lock| async move {
        for round in 0..500 {
            let mut pair = lock.lock().await;
            assert_eq!(pair.0, pair.1);
            pair.0 += 1;
            if round % 8 == 0 {
                yield_now().await; // the guard is kept across an await
            }
            pair.1 += 1;
        }
    });
    assert_eq!(*lock.try_lock().unwrap(), (4_000, 4_000));
}

#[test]
fn two_loops_share_a_rw_lock() {
    let lock = on_two_loops(RwLock::new((0, 0)), |lock| async move {
        for round in 0..300 {
            if round % 3 == 0 {
                let mut pair = lock.write().await;
                pair.0 += 1;
                yield_now().await;
                pair.1 += 1;
            } else {
                let pair = lock.read().await;
                assert_eq!(pair.0, pair.1);
            }
        }
    });
    assert_eq!(*lock.try_read().unwrap(), (800, 800));
}

#[test]
fn two_loops_share_a_semaphore_and_never_have_more_than_its_permits() {
    let shared = (Semaphore::new(3), AtomicUsize::new(0));
    let shared = on_two_loops(shared, |shared| async move {
        let (semaphore, out) = &*shared;
        for round in 0..300 {
            let need = 1 + round % 3;
            let permit = semaphore.acquire_many(need).await;
            let now = out.fetch_add(need, Ordering::Relaxed) + need;
            assert!(now <= 3, "{now} permits of 3 are out");
            if round % 4 == 0 {
                yield_now().await;
            }
            out.fetch_sub(need, Ordering::Relaxed);
            drop(permit);
        }
    });
    assert_eq!(shared.0.available(), 3);
}

#[test]
fn two_loops_share_a_bounded_semaphore() {
    let semaphore = on_two_loops(BoundedSemaphore::new(2), |semaphore| async move {
        for _ in 0..200 {
            semaphore.acquire().await.forget();
            semaphore.add_permits(1).expect("one was forgotten");
        }
    });
    assert_eq!(semaphore.available(), 2);
    assert!(semaphore.add_permits(1).is_err());
}

#[test]
fn two_loops_share_a_condition_and_lose_no_notification() {
    const ITEMS: usize = 200;
    struct Shared {
        items: Lock<Vec<usize>>,
        changed: Condition,
        taken: AtomicUsize,
        role: AtomicUsize,
    }
    let shared = Shared {
        items: Lock::new(Vec::new()),
        changed: Condition::new(),
        taken: AtomicUsize::new(0),
        role: AtomicUsize::new(0),
    };
    // Eight tasks: each is a producer or a consumer, by its turn.
    let shared = on_two_loops(shared, |shared| async move {
        let produces = shared.role.fetch_add(1, Ordering::Relaxed) % 2 == 0;
        for item in 0..ITEMS {
            let mut items = shared.items.lock().await;
            if produces {
                items.push(item);
                shared.changed.notify(&items, 1);
            } else {
                let some = |items: &mut Vec<usize>| !items.is_empty();
                items = shared.changed.wait_for(items, some).await;
                items.pop();
                shared.taken.fetch_add(1, Ordering::Relaxed);
            }
        }
    });
    assert_eq!(shared.taken.load(Ordering::Relaxed), 4 * ITEMS);
    assert!(shared.items.try_lock().unwrap().is_empty());
}

#[test]
fn plain_threads_and_the_tasks_of_a_loop_share_one_line() {
    let shared = Arc::new((Lock::new(0), Semaphore::new(2), RwLock::new(0)));
    let threads = [(); 2].map(|()| {
        let shared = shared.clone();
        thread::spawn(move || {
            for _ in 0..300 {
                *shared.0.blocking_lock() += 1;
                let _permit = shared.1.blocking_acquire();
                assert!(*shared.2.blocking_read() <= 1_200);
                *shared.2.blocking_write() += 1;
            }
        })
    });
    within(async {
        let tasks = [(); 2].map(|()| {
            let shared = shared.clone();
            spawn(async move {
                for _ in 0..300 {
                    *shared.0.lock().await += 1;
                    let _permit = shared.1.acquire().await;
                    yield_now().await;
                    assert!(*shared.2.read().await <= 1_200);
                    *shared.2.write().await += 1;
                }
            })
        });
        for task in tasks {
            task.await.unwrap();
        }
    });
    for thread in threads {
        thread.join().unwrap();
    }
    let shared = Arc::into_inner(shared).unwrap();
    assert_eq!(
        (shared.0.into_inner(), shared.2.into_inner()),
        (1_200, 1_200)
    );
    assert_eq!(shared.1.available(), 2);
}

#[test]
fn a_plain_thread_stands_in_line_with_tasks_and_is_woken_by_them() {
    bounded(|| {
        let lock = Arc::new(Lock::new(Vec::new()));
        within(async {
            let mut guard = lock.lock().await;
            let thread = thread::spawn({
                let lock = lock.clone();
                move || lock.blocking_lock().push("thread")
            });
            yield_until(|| lock.statistics().waiting == 1).await;
            let task = spawn({
                let lock = lock.clone();
                async move { lock.lock().await.push("task") }
            });
            yield_now().await;
            guard.push("main");
            drop(guard);
            task.await.unwrap();
            thread.join().unwrap();
        });
        assert_eq!(*lock.blocking_lock(), ["main", "thread", "task"]);
    });
}

#[test]
fn a_condition_joins_threads_and_tasks() {
    bounded(|| {
        let shared = Arc::new((Lock::new(0), Condition::new()));
        let consumer = thread::spawn({
            let shared = shared.clone();
            move || {
                let guard = shared.0.blocking_lock();
                let guard = shared.1.blocking_wait(guard);
                let mut guard = shared.1.blocking_wait_for(guard, |n| *n >= 10);
                *guard += 100;
                shared.1.notify_all(&guard);
            }
        });
        within(async {
            yield_until(|| shared.1.statistics().waiting == 1).await;
            for _ in 0..10 {
                let mut guard = shared.0.lock().await;
                *guard += 1;
                shared.1.notify(&guard, 1);
                drop(guard);
                yield_now().await;
            }
            let guard = shared.0.lock().await;
            let guard = shared.1.wait_for(guard, |n| *n >= 110).await;
            assert_eq!(*guard, 110);
        });
        consumer.join().unwrap();
    });
}

#[test]
fn a_permit_for_a_thread_that_sleeps_comes_from_a_loop() {
    bounded(|| {
        let semaphore = Arc::new(BoundedSemaphore::new(1));
        within(async {
            let permit = semaphore.acquire().await;
            let sleeper = thread::spawn({
                let semaphore = semaphore.clone();
                move || semaphore.blocking_acquire().count()
            });
            yield_until(|| semaphore.statistics().waiting == 1).await;
            drop(permit);
            assert_eq!(sleeper.join().unwrap(), 1);
        });
    });
}

#[test]
fn calls_that_block_panic_on_the_thread_of_a_loop() {
    let said = |called: &str, instead: &str| {
        format!(
            "`{called}` was called on a thread that runs a loop, which it would stop: \
             await `{instead}` instead"
        )
    };
    let (lock, condition) = (Lock::new(()), Condition::new());
    let (semaphore, bounded) = (Semaphore::new(1), BoundedSemaphore::new(1));
    let rw_lock = RwLock::new(());
    within(async {
        let text = panic_text(|| drop(lock.blocking_lock()));
        assert_eq!(text, said("blocking_lock", "lock"));
        let text = panic_text(|| drop(rw_lock.blocking_read()));
        assert_eq!(text, said("blocking_read", "read"));
        let text = panic_text(|| drop(rw_lock.blocking_write()));
        assert_eq!(text, said("blocking_write", "write"));
        let text = panic_text(|| drop(semaphore.blocking_acquire()));
        assert_eq!(text, said("blocking_acquire", "acquire"));
        let text = panic_text(|| drop(bounded.blocking_acquire()));
        assert_eq!(text, said("blocking_acquire", "acquire"));
        let text = panic_text(|| drop(condition.blocking_wait(at_once(lock.lock()))));
        assert_eq!(text, said("blocking_wait", "wait"));
        let wait = || condition.blocking_wait_for(at_once(lock.lock()), |()| true);
        assert_eq!(panic_text(wait), said("blocking_wait_for", "wait_for"));
    });
    // Nothing was taken, the guards were dropped; and no loop runs on this thread any more.
    drop((lock.blocking_lock(), rw_lock.blocking_write()));
    drop((semaphore.blocking_acquire(), bounded.blocking_acquire()));
}

#[test]
fn a_thread_that_slept_in_a_lock_keeps_its_own_park_token() {
    bounded(|| {
        let lock = Lock::new(());
        thread::scope(|scope| {
            let guard = lock.blocking_lock();
            let sleeper = scope.spawn(|| {
                thread::current().unpark();
                drop(lock.blocking_lock());
                thread::park(); // at once: the token is still there
            });
            while lock.statistics().waiting == 0 {
                thread::yield_now();
            }
            drop(guard);
            sleeper.join().unwrap();
        });
    });
}

#[test]
fn a_guard_that_is_dropped_on_another_thread_releases_the_lock() {
    static LOCK: Lock<i32> = Lock::new(0);
    static RW_LOCK: RwLock<i32> = RwLock::new(0);
    static SEMAPHORE: Semaphore = Semaphore::new(1);
    bounded(|| {
        within(async {
            let mut guard = LOCK.lock().await;
            let (reader, permit) = (RW_LOCK.read().await, SEMAPHORE.acquire().await);
            let waiter = spawn(async {
                let _all = (SEMAPHORE.acquire().await, RW_LOCK.write().await);
                *LOCK.lock().await
            });
            yield_now().await;
            let other = thread::spawn(move || {
                *guard += 1;
                drop((permit, reader, guard));
            });
            assert_eq!(waiter.await.unwrap(), 1);
            other.join().unwrap();
        });
    });
}

#[test]
fn a_wait_that_is_dropped_on_another_thread_leaves_the_line() {
    static LOCK: Lock<()> = Lock::new(());
    let guard = at_once(LOCK.lock());
    let mut wait = Box::pin(LOCK.lock());
    assert!(poll_once(&mut wait).is_pending());
    thread::spawn(move || drop(wait)).join().unwrap();
    assert_eq!(LOCK.statistics().waiting, 0);
    let mut granted = Box::pin(LOCK.lock());
    assert!(poll_once(&mut granted).is_pending());
    drop(guard);
    thread::spawn(move || drop(granted)).join().unwrap();
    assert!(!LOCK.is_locked());
}

#[test]
fn an_owned_permit_goes_with_a_thread() {
    let semaphore = Arc::new(Semaphore::new(1));
    within(async {
        let permit = semaphore.acquire_owned().await;
        let worker = thread::spawn(move || drop(permit));
        drop(semaphore.acquire().await);
        worker.join().unwrap();
    });
    assert_eq!(Arc::strong_count(&semaphore), 1);
}

#[test]
fn a_wait_with_a_limit_loses_nothing_to_another_thread() {
    // The limit passes while the lock is taken, granted or free, as the threads happen to meet.
    bounded(|| {
        let shared = Arc::new((Lock::new(0_u32), Condition::new()));
        let producer = thread::spawn({
            let shared = shared.clone();
            move || {
                for _ in 0..300 {
                    let mut guard = shared.0.blocking_lock();
                    *guard += 1;
                    shared.1.notify(&guard, 1);
                }
            }
        });
        within(async {
            let (mut taken, mut late) = (0, 0_u32);
            while taken < 300 {
                let guard = shared.0.lock().await;
                let limit = Duration::from_micros(20);
                let (mut guard, some) = shared.1.wait_for_timeout(guard, limit, |n| *n > 0).await;
                assert_eq!(some, *guard > 0);
                late += u32::from(!some);
                taken += std::mem::take(&mut *guard);
            }
            assert_eq!(taken, 300, "{late} were late");
        });
        producer.join().unwrap();
    });
}

#[test]
fn waits_that_are_given_up_on_two_threads_lose_no_permit() {
    let shared = (Semaphore::new(1), AtomicUsize::new(0));
    let shared = on_two_loops(shared, |shared| async move {
        let (semaphore, done) = &*shared;
        let mut round = 0;
        while done.load(Ordering::Relaxed) < 1_000 {
            let mut wait = hand(semaphore.acquire());
            let mut polled = wait.poll();
            yield_now().await;
            round += 1;
            if polled.is_pending() && round % 2 == 0 {
                polled = wait.poll();
            }
            // Every other wait is dropped without another look, granted or not.
            done.fetch_add(usize::from(polled.is_ready()), Ordering::Relaxed);
        }
    });
    let now = shared.0.statistics();
    assert_eq!((now.waiting, now.holders, shared.0.available()), (0, 0, 1));
}
