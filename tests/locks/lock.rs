//! `Lock`: handed over in order, and never lost to one who is cancelled.

use std::future::poll_fn;
use std::rc::Rc;

use super::*;

in_both_modes! {
    // L1
    fn the_lock_goes_to_those_who_wait_in_the_order_of_their_first_polls() {
        let lock = Lock::new(());
        let guard = at_once(lock.lock());
        let mut all: Vec<_> = (0..3).map(|_| waiting(lock.lock())).collect();
        let mut last = guard;
        while !all.is_empty() {
            drop(last);
            all.iter_mut().skip(1).for_each(Hand::waits);
            last = all.remove(0).ready();
        }
        drop(last);
        assert!(!lock.is_locked());
    }

    // L1
    fn three_tasks_pass_through_the_lock_in_order() {
        within(async {
            let (lock, log) = (Rc::new(Lock::new(())), Log::new());
            let guard = lock.lock().await;
            let tasks = [1, 2, 3].map(|name| {
                let (lock, log) = (lock.clone(), log.clone());
                spawn(async move {
                    let _guard = lock.lock().await;
                    log.push((name, "has it"));
                    yield_now().await;
                    log.push((name, "leaves"));
                })
            });
            yield_now().await;
            assert_eq!((log.len(), lock.statistics().waiting), (0, 3));
            drop(guard);
            for task in tasks {
                task.await.unwrap();
            }
            let expected: Vec<_> =
                (1..=3).flat_map(|name| [(name, "has it"), (name, "leaves")]).collect();
            assert_eq!(log.take(), expected);
        });
    }

    // L2
    fn a_cancelled_wait_leaves_no_waiter() {
        let lock = Lock::new(());
        let guard = at_once(lock.lock());
        drop(waiting(lock.lock()));
        assert_eq!(lock.statistics().waiting, 0);
        drop(guard);
        assert!(lock.try_lock().is_some());
    }

    // L2
    fn a_cancelled_task_leaves_no_waiter() {
        within(async {
            let lock = Rc::new(Lock::new(()));
            let guard = lock.lock().await;
            let task = spawn({
                let lock = lock.clone();
                async move { drop(lock.lock().await) }
            });
            yield_now().await;
            assert_eq!(lock.statistics().waiting, 1);
            task.cancel("enough");
            assert!(task.await.unwrap_err().is_cancelled());
            assert_eq!(lock.statistics().waiting, 0);
            drop(guard);
            assert!(!lock.is_locked());
        });
    }

    // B1 (bpo-27585); L3
    fn a_lock_granted_to_one_who_is_cancelled_goes_to_the_next() {
        let lock = Lock::new(());
        let guard = at_once(lock.lock());
        let (second, mut third) = (waiting(lock.lock()), waiting(lock.lock()));
        drop(guard);
        drop(second);
        drop(third.ready());
        assert!(!lock.is_locked());
    }

    // B1; L3
    fn a_task_cancelled_in_the_tick_of_its_grant_passes_the_lock_on() {
        within(async {
            let lock = Rc::new(Lock::new(()));
            let guard = lock.lock().await;
            let [second, third] = [(); 2].map(|()| {
                let lock = lock.clone();
                spawn(async move { drop(lock.lock().await) })
            });
            yield_now().await;
            drop(guard);
            second.cancel("in the same tick");
            assert!(second.await.unwrap_err().is_cancelled());
            third.await.unwrap();
            assert!(!lock.is_locked());
        });
    }

    // B2 (cpython 76915); L4
    fn a_cancelled_waiter_and_a_release_at_once_make_one_new_holder() {
        for release_first in [false, true] {
            let lock = Lock::new(());
            let first = at_once(lock.lock());
            let mut all: Vec<_> = (0..3).map(|_| waiting(lock.lock())).collect();
            let second = all.remove(0);
            if release_first {
                drop(first);
                drop(second);
            } else {
                drop(second);
                drop(first);
            }
            let holders: Vec<_> = all.iter_mut().map(|wait| wait.poll()).collect();
            assert!(holders[0].is_ready() && holders[1].is_pending());
            assert!(lock.try_lock().is_none());
        }
    }

    // B3 (python/asyncio 393); L5
    fn a_release_passes_over_one_who_is_gone() {
        within(async {
            for release_first in [false, true] {
                let lock = Rc::new(Lock::new(()));
                let guard = lock.lock().await;
                let [gone, next] = [(); 2].map(|()| {
                    let lock = lock.clone();
                    spawn(async move { drop(lock.lock().await) })
                });
                yield_now().await;
                if release_first {
                    drop(guard);
                    gone.cancel(());
                } else {
                    gone.cancel(());
                    drop(guard); // the head is cancelled, and still in line
                }
                next.await.unwrap();
                assert!(gone.await.unwrap_err().is_cancelled());
            }
        });
    }

    // B4 (anyio 1145)
    fn a_newcomer_gets_a_lock_whose_waiters_are_all_cancelled() {
        within(async {
            let lock = Rc::new(Lock::new(()));
            let guard = lock.lock().await;
            let waiters = [(); 3].map(|()| {
                let lock = lock.clone();
                spawn(async move { drop(lock.lock().await) })
            });
            yield_now().await;
            assert_eq!(lock.statistics().waiting, 3);
            for waiter in &waiters {
                waiter.cancel(()); // not unlinked yet: that takes a turn
            }
            drop(guard);
            drop(lock.lock().await);
            for waiter in waiters {
                assert!(waiter.await.unwrap_err().is_cancelled());
            }
            assert!(!lock.is_locked());
        });
    }

    // B5 (anyio 387)
    fn no_lock_is_held_by_a_task_that_is_gone() {
        within(async {
            let lock = Rc::new(Lock::new(()));
            let guard = lock.lock().await;
            let task = spawn({
                let lock = lock.clone();
                async move { drop(lock.lock().await) }
            });
            yield_now().await;
            drop(guard); // handed over
            assert!(lock.is_locked());
            task.cancel(());
            assert!(task.await.is_err());
            assert!(lock.try_lock().is_some());
        });
    }

    // L6: a release needs a guard, and the guard is used up; what asyncio refuses at run time
    // does not compile.
    fn a_lock_is_released_once_by_each_guard() {
        let lock = Lock::new(1);
        drop(at_once(lock.lock()));
        let guard = lock.try_lock();
        assert!(guard.is_some() && lock.is_locked());
        assert!(lock.try_lock().is_none(), "the first guard released it once only");
    }

    // L7
    fn an_error_that_ends_the_block_releases_the_lock() {
        async fn fail(lock: &Lock<u8>) -> Result<(), &'static str> {
            let mut guard = lock.lock().await;
            *guard = 7;
            Err("as planned")?;
            *guard = 8;
            Ok(())
        }
        let lock = Lock::new(0);
        assert_eq!(at_once(fail(&lock)), Err("as planned"));
        assert_eq!(lock.try_lock().as_deref(), Some(&7));
    }

    fn nobody_overtakes_those_who_wait() {
        let lock = Lock::new(());
        let guard = at_once(lock.lock());
        let mut second = waiting(lock.lock());
        drop(guard);
        assert!(lock.is_locked(), "it is promised");
        assert!(lock.try_lock().is_none());
        let mut third = waiting(lock.lock());
        drop(second.ready());
        drop(third.ready());
        assert!(lock.try_lock().is_some());
    }

    fn a_task_that_asks_again_at_once_waits_behind_the_others() {
        within(async {
            let (lock, log) = (Rc::new(Lock::new(())), Log::new());
            let tasks = ["a", "b"].map(|name| {
                let (lock, log) = (lock.clone(), log.clone());
                spawn(async move {
                    for _ in 0..3 {
                        let _guard = lock.lock().await;
                        log.push(name);
                        yield_now().await;
                    }
                })
            });
            for task in tasks {
                task.await.unwrap();
            }
            assert_eq!(log.take(), ["a", "b", "a", "b", "a", "b"]);
        });
    }

    fn a_future_that_was_never_polled_stands_in_no_line() {
        let lock = Lock::new(());
        let early = lock.lock();
        let guard = at_once(lock.lock());
        let mut late = waiting(lock.lock());
        drop(guard);
        drop(late.ready());
        drop(early);
        assert_eq!((lock.is_locked(), lock.statistics().waiting), (false, 0));
    }

    fn a_wait_that_moves_between_two_tasks_wakes_the_one_that_polled_it_last() {
        let lock = Lock::new(());
        let guard = at_once(lock.lock());
        let (old, new) = (Bell::new(), Bell::new());
        let mut wait = hand(lock.lock());
        assert!(old.poll(&mut wait).is_pending());
        assert!(new.poll(&mut wait).is_pending());
        assert!(!old.is_kept());
        drop(guard);
        assert_eq!((old.rings(), new.rings()), (0, 1));
        drop(wait.ready());
    }

    fn a_held_lock_never_wakes_those_who_wait() {
        let lock = Lock::new(());
        let guard = at_once(lock.lock());
        let bells = [(); 3].map(|()| Bell::new());
        let mut waits = [(); 3].map(|()| hand(lock.lock()));
        for (bell, wait) in bells.iter().zip(&mut waits) {
            assert!(bell.poll(wait).is_pending());
        }
        assert!(lock.try_lock().is_none());
        drop(guard);
        assert_eq!(bells.each_ref().map(|bell| bell.rings()), [1, 0, 0], "one is woken, not all");
    }

    fn the_value_is_reached_without_locking_by_who_owns_the_lock() {
        let mut lock = Lock::new(vec![1]);
        lock.get_mut().push(2);
        at_once(lock.lock()).push(3);
        assert_eq!(lock.into_inner(), [1, 2, 3]);
    }

    fn a_lock_may_guard_what_has_no_size() {
        let lock: Box<Lock<[u8]>> = Box::new(Lock::new([1, 2, 3]));
        at_once(lock.lock())[1] = 7;
        assert_eq!(format!("{lock:?}"), "Lock([1, 7, 3])");
        let guard = lock.try_lock();
        assert_eq!(format!("{lock:?}"), "Lock(<locked>)");
        assert_eq!(format!("{:?}", guard.unwrap()), "[1, 7, 3]");
    }

    fn statistics_tell_who_holds_and_who_waits() {
        let lock = Lock::new(());
        let numbers = |waiting, holders| {
            let now = lock.statistics();
            assert_eq!((now.waiting, now.holders), (waiting, holders));
        };
        numbers(0, 0);
        let guard = at_once(lock.lock());
        let (_second, _third) = (waiting(lock.lock()), waiting(lock.lock()));
        numbers(2, 1);
        drop(guard);
        numbers(1, 1); // one was granted it
    }
}

/// The "futurelock": the lock is granted to a future that its task holds and does not poll.
#[test]
fn a_task_gets_the_lock_that_was_granted_to_its_own_sleeping_wait() {
    within(async {
        let lock = Rc::new(petla::local::Lock::new(()));
        let guard = lock.lock().await;
        let mut asleep = Box::pin(lock.lock());
        poll_fn(|cx| Poll::Ready(asleep.as_mut().poll(cx).is_pending())).await;
        drop(guard);
        drop(lock.lock().await);
        drop(asleep.await);
        assert!(!lock.is_locked());
    });
}

#[test]
fn statistics_of_sync_show_a_grant_that_nobody_claims() {
    within(async {
        let lock = petla::sync::Lock::new(());
        let guard = lock.lock().await;
        let mut asleep = Box::pin(lock.lock());
        poll_fn(|cx| Poll::Ready(asleep.as_mut().poll(cx).is_pending())).await;
        drop(guard);
        yield_now().await;
        let now = lock.statistics();
        assert_eq!((now.waiting, now.holders), (0, 1));
        drop(asleep);
        assert_eq!(lock.statistics().holders, 0);
    });
}
