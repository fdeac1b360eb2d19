//! `Condition`: no notification is lost, and whoever was notified has the lock again.

use std::cell::Cell;
use std::rc::Rc;

use super::*;

in_both_modes! {
    // L11: waiting and notifying take a guard, so asyncio's error does not compile.
    fn a_wait_gives_the_lock_up_and_gives_it_back() {
        let (lock, condition) = (Lock::new(0), Condition::new());
        let mut wait = hand(condition.wait(at_once(lock.lock())));
        assert!(lock.is_locked(), "it is given up at the first poll");
        wait.waits();
        assert!(!lock.is_locked());
        let mut guard = at_once(lock.lock());
        *guard = 1;
        condition.notify(&guard, 1);
        wait.waits();
        drop(guard);
        let guard = wait.ready();
        assert_eq!((*guard, lock.is_locked()), (1, true));
        drop(guard);
        assert!(!lock.is_locked());
    }

    // L12
    fn notifications_go_to_the_first_and_each_runs_with_the_lock() {
        let (lock, condition) = (Lock::new(()), Condition::new());
        let mut waits: Vec<_> =
            (0..5).map(|_| waiting(condition.wait(at_once(lock.lock())))).collect();
        let notify = |n| condition.notify(&at_once(lock.lock()), n);
        notify(0);
        assert_eq!(condition.statistics().waiting, 5);
        notify(1);
        assert_eq!(condition.statistics().waiting, 4);
        waits[1].waits();
        drop(waits.remove(0).ready());
        notify(2048);
        assert_eq!(condition.statistics().waiting, 0);
        while !waits.is_empty() {
            waits.iter_mut().skip(1).for_each(Hand::waits); // only one has the lock
            drop(waits.remove(0).ready());
        }
        assert!(!lock.is_locked());
        condition.notify_all(&at_once(lock.lock())); // nobody: nothing
    }

    // L12
    fn a_notification_wakes_nobody_before_the_lock_is_free() {
        let (lock, condition) = (Lock::new(()), Condition::new());
        let bells = [(); 3].map(|()| Bell::new());
        let mut waits = [(); 3].map(|()| waiting(condition.wait(at_once(lock.lock()))));
        for (bell, wait) in bells.iter().zip(&mut waits) {
            assert!(bell.poll(wait).is_pending());
        }
        let rings = || bells.each_ref().map(|bell| bell.rings());
        let guard = at_once(lock.lock());
        condition.notify_all(&guard);
        assert_eq!(rings(), [0, 0, 0]);
        drop(guard);
        assert_eq!(rings(), [1, 0, 0], "no herd");
        drop(waits[0].ready());
        assert_eq!(rings(), [1, 1, 0]);
    }

    // tokio 7996
    fn a_notification_after_one_to_all_goes_to_who_came_between() {
        let (lock, condition) = (Lock::new(()), Condition::new());
        let mut early = [(); 2].map(|()| waiting(condition.wait(at_once(lock.lock()))));
        condition.notify_all(&at_once(lock.lock()));
        drop(early[0].ready());
        let guard = early[1].ready();
        let mut late = waiting(condition.wait(guard));
        condition.notify(&at_once(lock.lock()), 1);
        drop(late.ready());
        assert_eq!((condition.statistics().waiting, lock.is_locked()), (0, false));
    }

    fn those_notified_stand_behind_those_who_wait_for_the_lock() {
        let (lock, condition) = (Lock::new(()), Condition::new());
        let mut notified = waiting(condition.wait(at_once(lock.lock())));
        let guard = at_once(lock.lock());
        let mut first = waiting(lock.lock());
        condition.notify(&guard, 1);
        let mut last = waiting(lock.lock());
        drop(guard);
        notified.waits();
        drop(first.ready());
        last.waits();
        drop(notified.ready());
        drop(last.ready());
    }

    // B12 (bpo-22970); L13. A dropped future has nobody to hold the lock for, so in place of
    // asyncio's "still holds the lock" nothing is held, and nothing is left behind.
    fn a_cancelled_wait_holds_nothing_and_leaves_nothing() {
        let (lock, condition) = (Lock::new(()), Condition::new());
        drop(hand(condition.wait(at_once(lock.lock())))); // never polled
        assert!(!lock.is_locked());
        drop(waiting(condition.wait(at_once(lock.lock()))));
        assert_eq!((condition.statistics().waiting, lock.is_locked()), (0, false));
        let notified = waiting(condition.wait(at_once(lock.lock())));
        condition.notify(&at_once(lock.lock()), 1);
        assert!(lock.is_locked(), "it is granted");
        drop(notified);
        assert!(!lock.is_locked());
    }

    // B12, B13 (cpython 77022); L14
    fn a_task_cancelled_while_the_lock_is_contested_ends_and_the_lock_goes_on() {
        within(async {
            let shared = Rc::new((Lock::new(()), Condition::new()));
            let task = spawn({
                let shared = shared.clone();
                async move { drop(shared.1.wait(shared.0.lock().await).await) }
            });
            yield_now().await;
            let guard = shared.0.lock().await;
            shared.1.notify(&guard, 1);
            let other = spawn({
                let shared = shared.clone();
                async move { drop(shared.0.lock().await) }
            });
            yield_now().await;
            task.cancel("while it waits for the lock");
            assert!(task.await.unwrap_err().is_cancelled(), "not swallowed");
            drop(guard);
            other.await.unwrap();
            assert!(!shared.0.is_locked());
        });
    }

    // B15 (cpython 111693); L15
    fn the_reason_of_a_cancelled_wait_is_the_one_that_was_given() {
        within(async {
            for notified in [false, true] {
                let shared = Rc::new((Lock::new(()), Condition::new()));
                let task = spawn({
                    let shared = shared.clone();
                    async move { drop(shared.1.wait(shared.0.lock().await).await) }
                });
                yield_now().await;
                let guard = shared.0.lock().await;
                if notified {
                    shared.1.notify(&guard, 1);
                }
                task.cancel("this one");
                assert_eq!(task.await.unwrap_err().reason(), Some("this one"));
            }
        });
    }

    // B14 (cpython 112202, anyio 1075); L16
    fn a_notification_goes_on_when_its_target_is_cancelled_in_any_phase() {
        for granted in [false, true] {
            let (lock, condition) = (Lock::new(()), Condition::new());
            let [first, mut second] =
                [(); 2].map(|()| waiting(condition.wait(at_once(lock.lock()))));
            let guard = at_once(lock.lock());
            condition.notify(&guard, 1);
            if granted {
                drop(guard);
                drop(first); // it had the lock
                drop(second.ready());
            } else {
                drop(first); // it waited for the lock
                second.waits();
                drop(guard);
                drop(second.ready());
            }
            assert!(!lock.is_locked());
        }
    }

    // B14
    fn an_item_is_consumed_though_the_consumer_that_was_notified_is_cancelled() {
        within(async {
            let shared = Rc::new((Lock::new(0), Condition::new()));
            let [first, second] = [(); 2].map(|()| {
                let shared = shared.clone();
                spawn(async move {
                    let items = shared.0.lock().await;
                    let mut items = shared.1.wait_for(items, |items| *items > 0).await;
                    *items -= 1;
                })
            });
            yield_now().await;
            let mut items = shared.0.lock().await;
            *items += 1;
            shared.1.notify(&items, 1);
            drop(items);
            first.cancel(());
            second.await.unwrap();
            assert!(first.await.is_err());
            assert_eq!(shared.0.try_lock().as_deref(), Some(&0));
        });
    }

    fn a_wait_that_is_cancelled_before_its_notification_takes_none() {
        let (lock, condition) = (Lock::new(()), Condition::new());
        let [first, mut second, mut third] =
            [(); 3].map(|()| waiting(condition.wait(at_once(lock.lock()))));
        drop(first);
        condition.notify(&at_once(lock.lock()), 1);
        drop(second.ready());
        third.waits();
        assert_eq!(condition.statistics().waiting, 1);
    }

    // L17
    fn a_predicate_that_holds_needs_no_wait() {
        let (lock, condition) = (Lock::new(3), Condition::new());
        let guard = at_once(condition.wait_for(at_once(lock.lock()), |n| *n == 3));
        assert_eq!((*guard, lock.is_locked()), (3, true));
    }

    // L17
    fn a_predicate_is_asked_after_each_notification_until_it_holds() {
        let (lock, condition, asked) = (Lock::new(0), Condition::new(), Cell::new(0));
        let is_three = |n: &mut i32| {
            asked.set(asked.get() + 1);
            *n == 3
        };
        let mut wait = waiting(condition.wait_for(at_once(lock.lock()), is_three));
        for n in 1..=3 {
            assert_eq!((asked.get(), condition.statistics().waiting), (n, 1));
            let mut guard = at_once(lock.lock());
            *guard += 1;
            condition.notify(&guard, 1);
            drop(guard);
            if n < 3 {
                wait.waits();
            }
        }
        assert_eq!(*wait.ready(), 3);
        assert_eq!(asked.get(), 4);
    }

    // L17
    fn a_predicate_may_change_the_value() {
        let (lock, condition) = (Lock::new(vec![1]), Condition::new());
        let take = |items: &mut Vec<i32>| items.pop() == Some(1);
        assert!(at_once(condition.wait_for(at_once(lock.lock()), take)).is_empty());
    }

    fn a_wait_for_that_is_cancelled_between_two_looks_passes_its_notification_on() {
        let (lock, condition) = (Lock::new(0), Condition::new());
        let mut first = waiting(condition.wait_for(at_once(lock.lock()), |n| *n == 9));
        let mut second = waiting(condition.wait(at_once(lock.lock())));
        condition.notify(&at_once(lock.lock()), 1);
        first.waits(); // it looked, used the notification up, and waits behind the second
        drop(first);
        second.waits();
        condition.notify(&at_once(lock.lock()), 1);
        drop(second.ready());
    }

    // L19
    fn several_conditions_go_with_one_lock() {
        let (lock, full, empty) = (Lock::new(()), Condition::new(), Condition::new());
        let mut waits_full = waiting(full.wait(at_once(lock.lock())));
        let mut waits_empty = waiting(empty.wait(at_once(lock.lock())));
        empty.notify_all(&at_once(lock.lock()));
        waits_full.waits();
        drop(waits_empty.ready());
        full.notify_all(&at_once(lock.lock()));
        drop(waits_full.ready());
    }

    fn a_second_lock_is_a_panic_that_releases_it() {
        const TEXT: &str = "this condition is waited for with another lock at the moment: \
            a condition goes with one lock";
        let (one, other, condition) = (Lock::new(0), Lock::new(0), Condition::new());
        let mut wait = waiting(condition.wait(at_once(one.lock())));
        let mut wrong = hand(condition.wait(at_once(other.lock())));
        assert_eq!(panic_text(|| wrong.poll()), TEXT);
        assert!(!other.is_locked());
        let mut wrong = hand(condition.wait_for(at_once(other.lock()), |_| false));
        assert_eq!(panic_text(|| wrong.poll()), TEXT);
        assert!(!other.is_locked());
        let guard = at_once(other.lock());
        assert_eq!(panic_text(|| condition.notify_all(&guard)), TEXT);
        assert_eq!(panic_text(|| condition.notify(&guard, 1)), TEXT);
        assert_eq!(panic_text(|| condition.notify(&guard, 0)), TEXT);
        drop(guard);
        condition.notify(&at_once(one.lock()), 1);
        drop(wait.ready());
        // Nobody waits: the condition may go with the other one now.
        let mut wait = waiting(condition.wait(at_once(other.lock())));
        condition.notify(&at_once(other.lock()), 1);
        drop(wait.ready());
    }

    fn a_second_lock_is_right_once_those_who_waited_are_notified() {
        let (one, other, condition) = (Lock::new(()), Lock::new(()), Condition::new());
        let mut wait = waiting(condition.wait(at_once(one.lock())));
        condition.notify(&at_once(one.lock()), 1); // it waits for the lock alone
        let mut second = waiting(condition.wait(at_once(other.lock())));
        drop(wait.ready());
        condition.notify(&at_once(other.lock()), 1);
        drop(second.ready());
    }

    fn a_lock_may_go_when_nobody_waits_for_its_condition() {
        let condition = Condition::new();
        for _ in 0..3 {
            let lock = Box::new(Lock::new(()));
            drop(waiting(condition.wait(at_once(lock.lock()))));
            let mut wait = waiting(condition.wait(at_once(lock.lock())));
            condition.notify(&at_once(lock.lock()), 1);
            drop(wait.ready());
        }
    }

    fn a_guard_of_a_rw_lock_waits_as_well() {
        let (lock, condition) = (RwLock::new(0), Condition::new());
        let mut wait = waiting(condition.wait(at_once(lock.write())));
        let reader = at_once(lock.read());
        let mut writer = waiting(lock.write());
        drop(reader);
        let guard = writer.ready();
        condition.notify(&guard, 1);
        drop(guard);
        *wait.ready() += 1;
        assert_eq!(*at_once(lock.read()), 1);
    }
}
