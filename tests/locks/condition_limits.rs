//! `Condition::wait_for_timeout` and a `timeout` around a wait: in time, late, late while the
//! lock is taken, and cancelled in each of these phases.
//!
//! On virtual time: a sleep as long as the limit brings a wait past it.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use petla::{sleep, testing, timeout};

use super::*;
use crate::common::LONG;

const SHORT: Duration = Duration::from_micros(100);

/// Lets the limit of a wait pass; it must not be done then. `left` says that it waits for no
/// notification any more.
async fn make_late<T>(wait: &mut Hand<'_, T>, left: impl Fn() -> bool) {
    sleep(SHORT).await;
    wait.waits();
    assert!(left());
}

in_both_modes! {
    fn a_predicate_that_holds_at_once_needs_no_limit() {
        testing::run(async {
            let (lock, condition) = (Lock::new(1), Condition::new());
            for limit in [Duration::ZERO, SHORT, Duration::MAX] {
                let wait = condition.wait_for_timeout(lock.lock().await, limit, |n| *n == 1);
                let (guard, holds) = at_once(wait);
                assert_eq!((*guard, holds), (1, true));
            }
        });
    }

    // L18
    fn a_notification_in_time_gives_the_guard_and_true() {
        testing::run(async {
            let (lock, condition) = (Lock::new(0), Condition::new());
            let wait = condition.wait_for_timeout(lock.lock().await, LONG, |n| *n == 2);
            let mut wait = waiting(wait);
            for _ in 0..2 {
                wait.waits();
                let mut guard = lock.lock().await;
                *guard += 1;
                condition.notify(&guard, 1);
            }
            let (guard, holds) = wait.ready();
            assert_eq!((*guard, holds), (2, true));
        });
    }

    // L18, B16 (bpo-33638)
    fn a_limit_that_passes_gives_the_guard_and_false() {
        testing::run(async {
            for limit in [Duration::ZERO, SHORT] {
                let (lock, condition) = (Lock::new(0), Condition::new());
                let wait = condition.wait_for_timeout(lock.lock().await, limit, |n| *n == 1);
                let (mut guard, holds) = wait.await;
                assert!(!holds && lock.is_locked());
                *guard += 1;
                drop(guard);
                assert_eq!((lock.is_locked(), condition.statistics().waiting), (false, 0));
            }
        });
    }

    fn the_predicate_is_asked_once_more_when_the_limit_has_passed() {
        testing::run(async {
            let (lock, condition) = (Lock::new(0), Condition::new());
            let wait = condition.wait_for_timeout(lock.lock().await, SHORT, |n| *n == 1);
            let wait = waiting(wait);
            *lock.lock().await = 1; // nobody is notified
            let (guard, holds) = wait.await;
            assert_eq!((*guard, holds), (1, true));
        });
    }

    // B16 (cpython 86766)
    fn a_late_wait_has_the_lock_again_only_when_its_holder_is_done() {
        for change in [0, 1] {
            testing::run(async {
                let (lock, condition) = (Lock::new(0), Condition::new());
                let wait = condition.wait_for_timeout(lock.lock().await, SHORT, |n| *n == 1);
                let mut wait = waiting(wait);
                let mut held = lock.lock().await;
                make_late(&mut wait, || condition.statistics().waiting == 0).await;
                assert_eq!(lock.statistics().waiting, 1, "it waits for the lock alone");
                *held = change;
                drop(held);
                let (guard, holds) = wait.ready();
                assert_eq!((*guard, holds), (change, change == 1));
            });
        }
    }

    fn a_late_wait_stands_behind_those_who_wait_for_the_lock() {
        testing::run(async {
            let (lock, condition) = (Lock::new(0), Condition::new());
            let wait = condition.wait_for_timeout(lock.lock().await, SHORT, |_| false);
            let mut wait = waiting(wait);
            let held = lock.lock().await;
            let mut first = waiting(lock.lock());
            make_late(&mut wait, || condition.statistics().waiting == 0).await;
            drop(held);
            wait.waits();
            drop(first.ready());
            assert!(!wait.ready().1);
        });
    }

    fn a_notification_goes_past_a_wait_that_is_late() {
        testing::run(async {
            let (lock, condition) = (Lock::new(0), Condition::new());
            let late = condition.wait_for_timeout(lock.lock().await, SHORT, |_| false);
            let mut late = waiting(late);
            let mut other = waiting(condition.wait(lock.lock().await));
            let held = lock.lock().await;
            make_late(&mut late, || condition.statistics().waiting == 1).await;
            condition.notify(&held, 1);
            drop(held);
            drop(late.ready());
            drop(other.ready());
        });
    }

    fn a_notification_before_the_limit_is_not_taken_back_by_it() {
        testing::run(async {
            let (lock, condition) = (Lock::new(0), Condition::new());
            let limit = Duration::ZERO; // passed at the second poll
            let wait = condition.wait_for_timeout(lock.lock().await, limit, |n| *n == 1);
            let mut wait = waiting(wait);
            let mut other = waiting(condition.wait(lock.lock().await));
            let mut held = lock.lock().await;
            condition.notify(&held, 1);
            wait.waits(); // late, and next for the lock
            *held = 1;
            drop(held);
            assert!(wait.ready().1);
            other.waits();
            assert_eq!(condition.statistics().waiting, 1);
        });
    }

    // B14
    fn a_notification_before_the_limit_is_passed_on_by_one_who_is_late_and_cancelled() {
        testing::run(async {
            let (lock, condition) = (Lock::new(0), Condition::new());
            let limit = Duration::ZERO;
            let wait = condition.wait_for_timeout(lock.lock().await, limit, |_| false);
            let mut wait = waiting(wait);
            let mut other = waiting(condition.wait(lock.lock().await));
            let held = lock.lock().await;
            condition.notify(&held, 1);
            wait.waits(); // late, and next for the lock
            drop(wait);
            drop(held);
            drop(other.ready());
        });
    }

    fn a_limited_wait_that_is_never_polled_releases_the_lock() {
        testing::run(async {
            let (lock, condition) = (Lock::new(0), Condition::new());
            drop(condition.wait_for_timeout(lock.lock().await, LONG, |_| false));
            assert!(!lock.is_locked());
        });
    }

    fn a_limited_wait_that_is_cancelled_leaves_the_condition() {
        testing::run(async {
            let (lock, condition) = (Lock::new(0), Condition::new());
            drop(waiting(condition.wait_for_timeout(lock.lock().await, LONG, |_| false)));
            assert_eq!((lock.is_locked(), condition.statistics().waiting), (false, 0));
        });
    }

    // B14
    fn a_limited_wait_that_is_cancelled_after_its_notification_passes_it_on() {
        testing::run(async {
            for granted in [false, true] {
                let (lock, condition) = (Lock::new(0), Condition::new());
                let wait = condition.wait_for_timeout(lock.lock().await, LONG, |_| true);
                drop(at_once(wait));
                let wait = condition.wait_for_timeout(lock.lock().await, LONG, |_| false);
                let wait = waiting(wait);
                let mut other = waiting(condition.wait(lock.lock().await));
                let held = lock.lock().await;
                condition.notify(&held, 1);
                if granted {
                    drop(held);
                    drop(wait);
                } else {
                    drop(wait);
                    drop(held);
                }
                drop(other.ready());
                assert!(!lock.is_locked());
            }
        });
    }

    fn a_late_wait_that_is_cancelled_makes_no_notification_up() {
        testing::run(async {
            for granted in [false, true] {
                let (lock, condition) = (Lock::new(0), Condition::new());
                let wait = condition.wait_for_timeout(lock.lock().await, SHORT, |_| false);
                let mut wait = waiting(wait);
                let mut other = waiting(condition.wait(lock.lock().await));
                let held = lock.lock().await;
                make_late(&mut wait, || condition.statistics().waiting == 1).await;
                if granted {
                    drop(held);
                    drop(wait);
                } else {
                    drop(wait);
                    drop(held);
                }
                other.waits();
                let now = lock.statistics();
                assert_eq!((now.waiting, now.holders), (0, 0));
            }
        });
    }

    // L18, B16: what a `timeout` around the wait does lose is the guard, and nothing else.
    fn a_timeout_around_a_wait_releases_the_lock_and_leaves_the_condition() {
        testing::run(async {
            let (lock, condition) = (Lock::new(0), Condition::new());
            let wait = timeout(SHORT, condition.wait(lock.lock().await));
            assert!(wait.await.is_err());
            assert_eq!((lock.is_locked(), condition.statistics().waiting), (false, 0));
            let guard = lock.lock().await;
            condition.notify(&guard, 1);
        });
    }

    // B17 (anyio): nothing absorbs the cancellation, so nothing spins while it waits.
    fn a_cancelled_wait_whose_lock_is_held_ends_and_is_not_polled_again() {
        testing::run(async {
            let shared = Rc::new((Lock::new(0), Condition::new()));
            let polls = Rc::new(Cell::new(0));
            let task = spawn({
                let (shared, polls) = (shared.clone(), polls.clone());
                async move {
                    let mut wait = Box::pin(shared.1.wait(shared.0.lock().await));
                    let wait = std::future::poll_fn(|cx| {
                        polls.set(polls.get() + 1);
                        wait.as_mut().poll(cx)
                    });
                    drop(wait.await);
                }
            });
            yield_now().await;
            let held = shared.0.lock().await;
            shared.1.notify(&held, 1);
            task.cancel(());
            assert!(task.await.is_err());
            assert_eq!(polls.get(), 1, "it is dropped, not asked again");
            drop(held);
            assert!(!shared.0.is_locked());
        });
    }

    fn a_limited_wait_in_a_task_has_its_guard_in_both_cases() {
        testing::run(async {
            let shared = Rc::new((Lock::new(Vec::new()), Condition::new(), Cell::new(0)));
            let consumer = spawn({
                let shared = shared.clone();
                async move {
                    loop {
                        let items = shared.0.lock().await;
                        let some = |items: &mut Vec<u8>| !items.is_empty();
                        let (mut items, holds) =
                            shared.1.wait_for_timeout(items, SHORT, some).await;
                        if holds {
                            return items.pop();
                        }
                        assert!(items.is_empty());
                        shared.2.set(shared.2.get() + 1);
                    }
                }
            });
            sleep(SHORT * 3).await;
            assert_eq!(shared.2.get(), 2);
            let mut items = shared.0.lock().await;
            items.push(7);
            shared.1.notify(&items, 1);
            drop(items);
            assert_eq!(consumer.await.unwrap(), Some(7));
            assert!(!shared.0.is_locked());
        });
    }
}

#[test]
#[should_panic(expected = "loop")]
fn a_limit_needs_a_loop() {
    let (lock, condition) = (petla::sync::Lock::new(()), petla::sync::Condition::new());
    let wait = condition.wait_for_timeout(at_once(lock.lock()), LONG, |()| false);
    drop(hand(wait).poll());
}
