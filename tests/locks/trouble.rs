//! What must not break a primitive: panics, leaked futures, long lines, wakers that come back.

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

use super::*;
use crate::common::hand::Meddler;
use crate::common::raise;

/// Runs `f`, which must panic.
#[track_caller]
fn unwinds(f: impl FnOnce()) {
    assert!(
        catch_unwind(AssertUnwindSafe(f)).is_err(),
        "it should panic"
    );
}

in_both_modes! {
    fn a_panic_in_a_critical_section_releases_the_lock_and_poisons_nothing() {
        let lock = Lock::new(0);
        let mut next = None;
        unwinds(|| {
            let mut guard = at_once(lock.lock());
            next = Some(waiting(lock.lock()));
            *guard = 1;
            raise("in the middle");
        });
        let mut guard = next.unwrap().ready();
        assert_eq!(*guard, 1, "the value is as the panic left it");
        *guard = 2;
        drop(guard);
        assert_eq!(*at_once(lock.lock()), 2);
    }

    fn a_task_that_panics_with_a_guard_leaves_the_lock_to_the_next() {
        within(async {
            let lock = Rc::new(Lock::new(0));
            let [first, second] = [true, false].map(|fails| {
                let lock = lock.clone();
                spawn(async move {
                    let mut guard = lock.lock().await;
                    yield_now().await;
                    *guard += 1;
                    if fails {
                        raise("in the middle");
                    }
                    *guard
                })
            });
            assert!(first.await.unwrap_err().is_panic());
            assert_eq!(second.await.unwrap(), 2);
        });
    }

    fn a_panic_with_a_permit_or_a_reader_gives_it_back() {
        let (semaphore, lock) = (Semaphore::new(2), RwLock::new(()));
        unwinds(|| {
            let _both = (at_once(semaphore.acquire_many(2)), at_once(lock.read()));
            raise("in the middle");
        });
        assert_eq!(semaphore.available(), 2);
        assert!(lock.try_write().is_some());
        unwinds(|| {
            let _writer = at_once(lock.write());
            raise("in the middle");
        });
        assert!(lock.try_write().is_some());
    }

    fn a_predicate_that_panics_releases_the_lock() {
        let (lock, condition) = (Lock::new(0), Condition::new());
        let fails_at = |bad| {
            move |n: &mut i32| if *n == bad { raise("no such number") } else { false }
        };
        unwinds(|| drop(at_once(condition.wait_for(at_once(lock.lock()), fails_at(0)))));
        assert!(!lock.is_locked());
        let mut wait = waiting(condition.wait_for(at_once(lock.lock()), fails_at(1)));
        let mut guard = at_once(lock.lock());
        *guard = 1;
        condition.notify(&guard, 1);
        drop(guard);
        unwinds(|| drop(wait.poll()));
        assert!(!lock.is_locked());
        drop(wait);
        assert_eq!((condition.statistics().waiting, lock.is_locked()), (0, false));
    }

    fn a_leaked_wait_for_a_lock_takes_its_turn_and_nothing_breaks() {
        for moved in [false, true] {
            let lock = Lock::new(1);
            let guard = at_once(lock.lock());
            leak(waiting(lock.lock()));
            drop(guard);
            assert!(lock.try_lock().is_none(), "the leaked one has it");
            let lock = if moved { *Box::new(lock) } else { lock };
            let mut next = waiting(lock.lock());
            next.waits();
            drop(next);
            let now = lock.statistics();
            assert_eq!((now.waiting, now.holders), (0, 1));
            assert_eq!(lock.into_inner(), 1);
        }
    }

    fn a_leaked_wait_for_a_permit_takes_one_and_the_others_go_on() {
        for moved in [false, true] {
            let semaphore = Semaphore::new(0);
            leak(waiting(semaphore.acquire()));
            leak(waiting(semaphore.acquire()));
            let semaphore = if moved { *Box::new(semaphore) } else { semaphore };
            let mut next = waiting(semaphore.acquire());
            semaphore.add_permits(2);
            next.waits();
            semaphore.add_permits(1);
            drop(next.ready());
            assert_eq!(semaphore.available(), 1);
            drop(next);
            drop(Box::new(semaphore));
        }
    }

    fn leaked_waits_for_a_rw_lock_take_their_turn_and_nothing_breaks() {
        let lock = RwLock::new(());
        let writer = at_once(lock.write());
        leak(waiting(lock.read()));
        drop(writer);
        let lock = Box::new(lock);
        drop(lock.try_read().expect("readers share"));
        assert!(lock.try_write().is_none(), "the leaked one reads");
        leak(waiting(lock.write()));
        assert!(lock.try_read().is_none(), "and another waits to write");
    }

    fn a_wait_that_is_leaked_in_a_condition_takes_a_notification_and_the_lock() {
        for moved in [false, true] {
            let (lock, condition) = (Lock::new(()), Condition::new());
            leak(waiting(condition.wait(at_once(lock.lock()))));
            let mut next = waiting(condition.wait(at_once(lock.lock())));
            condition.notify(&at_once(lock.lock()), 1);
            assert!(lock.is_locked(), "the leaked one has it");
            next.waits();
            drop(next);
            let both = if moved { *Box::new((lock, condition)) } else { (lock, condition) };
            assert_eq!(both.1.statistics().waiting, 0);
            waiting(both.0.lock()).waits();
        }
    }

    // A later list may have the address of the one that is gone, and is taken for it then.
    fn a_condition_with_a_leaked_wait_of_a_lock_that_is_gone_refuses_others_or_serves_them() {
        let condition = Condition::new();
        {
            let lock = Box::new(Lock::new(()));
            leak(waiting(condition.wait(at_once(lock.lock()))));
        }
        let condition = Box::new(condition);
        for _ in 0..100 {
            let lock = Box::new(Lock::new(()));
            let mut wait = hand(condition.wait(at_once(lock.lock())));
            match catch_unwind(AssertUnwindSafe(|| wait.poll())) {
                Err(_) => assert!(!lock.is_locked(), "refused, and released"),
                Ok(polled) => assert!(polled.is_pending()),
            }
        }
    }

    fn a_leaked_guard_keeps_its_lock() {
        let lock = Lock::new(1);
        leak(at_once(lock.lock()));
        assert!(lock.try_lock().is_none());
        assert_eq!(lock.into_inner(), 1);
        let semaphore = Semaphore::new(1);
        leak(at_once(semaphore.acquire()));
        let now = semaphore.statistics();
        assert_eq!((semaphore.available(), now.holders), (0, 1));
    }

    // tokio 3661, 5396: wakers are called in batches, and the batches have seams.
    fn lines_longer_than_a_batch_of_wakers_are_served_to_the_end() {
        for count in [31, 32, 33, 63, 64, 65, 100] {
            let semaphore = Semaphore::new(0);
            let bells: Vec<_> = (0..count).map(|_| Bell::new()).collect();
            let mut waits: Vec<_> = (0..count).map(|_| hand(semaphore.acquire())).collect();
            for (bell, wait) in bells.iter().zip(&mut waits) {
                assert!(bell.poll(wait).is_pending());
            }
            semaphore.add_permits(count - 1);
            let rung = bells.iter().filter(|bell| bell.rings() == 1).count();
            assert_eq!((rung, bells[count - 1].rings()), (count - 1, 0));
            semaphore.add_permits(1);
            let permits: Vec<_> = waits.iter_mut().map(Hand::ready).collect();
            drop(permits);
            assert_eq!(semaphore.available(), count);
        }
    }

    fn a_hundred_waits_for_a_lock_and_a_condition_come_out_in_order() {
        let (lock, condition) = (Lock::new(Vec::new()), Condition::new());
        let mut waits: Vec<_> =
            (0..100).map(|_| waiting(condition.wait(at_once(lock.lock())))).collect();
        condition.notify_all(&at_once(lock.lock()));
        for (number, wait) in waits.iter_mut().enumerate() {
            wait.ready().push(number);
        }
        assert!(at_once(lock.lock()).iter().copied().eq(0..100));
    }

    fn a_hundred_waits_that_are_cancelled_in_a_jumble_leave_the_line_whole() {
        let lock = Lock::new(());
        let guard = at_once(lock.lock());
        let mut waits: Vec<_> = (0..100).map(|number| (number, waiting(lock.lock()))).collect();
        let mut at = 0;
        for _ in 0..60 {
            at = (at + 37) % waits.len();
            drop(waits.remove(at));
        }
        assert_eq!(lock.statistics().waiting, 40);
        drop(guard);
        for (_, wait) in &mut waits {
            drop(wait.ready());
        }
        assert!(waits.is_sorted_by_key(|(number, _)| *number));
        assert!(!lock.is_locked());
    }

    // tokio 5429, 5578: a waker may do anything, so it is called outside the lock.
    fn a_waker_may_use_the_lock_that_wakes_it() {
        let lock = Rc::new(Lock::new(()));
        let same = lock.clone();
        let waker = Meddler::waker(true, move || {
            assert!(same.try_lock().is_none() && same.is_locked());
            assert_eq!(same.statistics().waiting, 0);
            drop(waiting(same.lock()));
        });
        let guard = at_once(lock.lock());
        let mut wait = hand(lock.lock());
        assert!(wait.poll_with(&waker).is_pending());
        drop(guard);
        assert!(Meddler::has_meddled());
        drop(wait.ready());
    }

    fn a_waker_may_cancel_the_next_in_line_and_add_permits() {
        let semaphore: &'static Semaphore = Box::leak(Box::new(Semaphore::new(0)));
        let mut first = hand(semaphore.acquire());
        let slot = Rc::new(RefCell::new(None));
        let (taken, again) = (slot.clone(), semaphore);
        let waker = Meddler::waker(true, move || {
            drop(taken.take()); // it was granted in the same batch
            again.add_permits(1);
        });
        assert!(first.poll_with(&waker).is_pending());
        slot.replace(Some(waiting(semaphore.acquire())));
        let mut third = waiting(semaphore.acquire());
        semaphore.add_permits(2);
        assert!(Meddler::has_meddled());
        let permits = (first.ready(), third.ready());
        assert_eq!(semaphore.available(), 1);
        drop(permits);
        assert_eq!((semaphore.available(), semaphore.statistics().waiting), (3, 0));
        leak(semaphore);
    }

    fn a_waker_that_takes_and_releases_the_lock_leaves_it_free() {
        let lock: &'static Lock<()> = Box::leak(Box::new(Lock::new(())));
        let guard = at_once(lock.lock());
        let slot = Rc::new(RefCell::new(None));
        let taken = slot.clone();
        let waker = Meddler::waker(true, move || {
            drop(taken.take()); // it has the lock, and gives it back
            drop(lock.try_lock().expect("nobody waits"));
        });
        let mut wait = hand(lock.lock());
        assert!(wait.poll_with(&waker).is_pending());
        slot.replace(Some(wait));
        drop(guard);
        assert!(Meddler::has_meddled());
        assert!(lock.try_lock().is_some());
        leak(lock);
    }

    // tokio 5471: an old waker is dropped outside the lock as well.
    fn a_waker_may_use_the_lock_when_it_is_replaced_or_dropped() {
        for cancel in [false, true] {
            let lock = Rc::new(Lock::new(()));
            let same = lock.clone();
            let waker = Meddler::waker(false, move || {
                assert!(same.try_lock().is_none());
                drop(waiting(same.lock()));
            });
            let guard = at_once(lock.lock());
            let mut wait = hand(lock.lock());
            assert!(wait.poll_with(&waker).is_pending());
            drop(waker);
            assert!(!Meddler::has_meddled());
            if cancel {
                drop(wait);
            } else {
                wait.waits(); // with another waker
                drop(wait);
            }
            assert!(Meddler::has_meddled());
            drop(guard);
            assert!(!lock.is_locked());
        }
    }

    fn a_waker_may_use_the_condition_that_it_waits_for() {
        let both = Rc::new((Lock::new(()), Condition::new()));
        let same = both.clone();
        let waker = Meddler::waker(true, move || {
            assert!(same.0.try_lock().is_none());
            assert_eq!(same.1.statistics().waiting, 1);
        });
        let mut wait = hand(both.1.wait(at_once(both.0.lock())));
        assert!(wait.poll_with(&waker).is_pending());
        let mut other = waiting(both.1.wait(at_once(both.0.lock())));
        both.1.notify(&at_once(both.0.lock()), 1);
        assert!(Meddler::has_meddled());
        drop(wait.ready());
        both.1.notify(&at_once(both.0.lock()), 1);
        drop(other.ready());
    }

    fn a_waker_that_panics_is_heard_of_and_keeps_nobody_waiting() {
        let semaphore = Semaphore::new(0);
        let (broken, bells) = (Bell::broken(), [Bell::new(), Bell::new()]);
        let mut first = hand(semaphore.acquire());
        assert!(broken.poll(&mut first).is_pending());
        let mut others = [(); 2].map(|()| hand(semaphore.acquire()));
        for (bell, wait) in bells.iter().zip(&mut others) {
            assert!(bell.poll(wait).is_pending());
        }
        assert_eq!(panic_text(|| semaphore.add_permits(3)), "the bell is broken");
        assert_eq!(bells.each_ref().map(|bell| bell.rings()), [1, 1]);
        drop((first.ready(), others.each_mut().map(|wait| wait.ready())));
        assert_eq!(semaphore.available(), 3);
    }

    fn a_waker_that_panics_when_the_lock_is_released_does_not_keep_it() {
        let lock = Lock::new(());
        let guard = at_once(lock.lock());
        let broken = Bell::broken();
        let mut wait = hand(lock.lock());
        assert!(broken.poll(&mut wait).is_pending());
        assert_eq!(panic_text(|| drop(guard)), "the bell is broken");
        drop(wait.ready());
        assert!(!lock.is_locked());
    }
}

#[test]
fn a_lock_that_was_granted_to_a_leaked_wait_of_a_task_lapses() {
    within(async {
        let lock = petla::local::Lock::new(());
        let guard = lock.lock().await;
        let mut leaked = Box::pin(lock.lock());
        std::future::poll_fn(|cx| {
            assert!(leaked.as_mut().poll(cx).is_pending());
            Poll::Ready(())
        })
        .await;
        leak(leaked);
        drop(guard);
        let lock = Box::new(lock);
        drop(lock.lock().await);
        assert!(!lock.is_locked());
    });
}
