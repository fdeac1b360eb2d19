//! Loom models of `sync::Condition`: waits, notifications and cancellations of two or three
//! threads.
//!
//! The value is in loom's own cell. A lost notification shows as a deadlock.
//!
//! # Bounds
//! Here the bound on pre-emptions of `.ci/loom`. All orders were tried of `a_notification_is_..`,
//! `a_notification_that_..`, `a_condition_goes_..` and `a_wait_that_nobody_..`. The others did not
//! end in a minute; they were explored up to three pre-emptions, `a_cancelled_wait_..` up to four.
//!
//! # What the models catch
//! `.ci/mutate condition/` seeds each line; two pre-emptions suffice for all of them.
//!
//! | mutation | fails |
//! | --- | --- |
//! | `enter` gives the lock up before the wait is in line | `a_notification_is_not_lost` |
//! | `retire` keeps the notification | `a_notified_wait_..` |
//! | a wait that leaves stays counted | `a_cancelled_wait_..` |
//! | an empty annex stays lent, or is lent twice | `a_condition_goes_..` |
//! | an annex is lent or given back relaxed | `a_condition_goes_..` |
//! | to notify all moves one | `all_who_wait_..` |
//! | to notify does not settle | `a_notification_is_not_lost` |
//! | who is moved keeps the annex's number | `a_notified_wait_..` |
//! | an annex that everybody left counts as another lock's | `a_cancelled_wait_..` |
//! | who runs out of time stays in the annex | `a_wait_that_nobody_..` |
//! | who runs out of time keeps a notification | `a_wait_that_is_notified_..` |
//! | `close` does not see what was given without the lock | `a_notification_that_..` |
//!
//! # Not here
//! Lapses, which `sync` has not, and long lines: unit and property tests.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use loom::cell::Cell;
use loom::future::block_on;
use loom::thread;

use crate::primitives;
use crate::primitives::threads::{poll_now, spawn};
use crate::primitives::value::Absence;
use crate::rt::Arc;
use crate::wait_list;

type Lock<T> = primitives::Lock<T, wait_list::Shared>;
type Condition = primitives::Condition<wait_list::Shared>;

struct Shared {
    lock: Lock<Cell<usize>>,
    one: Condition,
    two: Condition,
}

fn shared() -> Arc<Shared> {
    Arc::new(Shared {
        lock: Lock::new(Cell::new(0)),
        one: Condition::new(),
        two: Condition::new(),
    })
}

fn wait_until(shared: &Shared, condition: &Condition, value: usize) {
    block_on(async {
        let guard = shared.lock.lock().await;
        let guard = condition.wait_for(guard, |v| v.get() >= value).await;
        assert!(guard.get() >= value);
    });
}

fn set_and_notify(shared: &Shared, value: usize, n: usize) {
    let guard = block_on(shared.lock.lock());
    guard.set(value);
    shared.one.notify(&guard, n);
}

#[test]
fn a_notification_is_not_lost() {
    loom::model(|| {
        let shared = shared();
        let waits = spawn(&shared, |shared| wait_until(shared, &shared.one, 1));
        set_and_notify(&shared, 1, 1);
        waits.join().unwrap();
        assert!(shared.lock.try_lock().is_some());
    });
}

#[test]
fn all_who_wait_are_notified_together() {
    loom::model(|| {
        let shared = shared();
        let wait = |shared: &Shared| wait_until(shared, &shared.one, 1);
        let waits = [spawn(&shared, wait), spawn(&shared, wait)];
        set_and_notify(&shared, 1, usize::MAX);
        for thread in waits {
            thread.join().unwrap();
        }
        assert_eq!(shared.one.statistics().waiting, 0);
        assert!(shared.lock.try_lock().is_some());
    });
}

#[test]
fn a_notified_wait_that_is_cancelled_notifies_the_next() {
    loom::model(|| {
        let shared = shared();
        let cancelled = spawn(&shared, |shared| {
            block_on(async {
                let guard = shared.lock.lock().await;
                if guard.get() >= 1 {
                    // It took the notification of one who waits: it hands it on.
                    shared.one.notify(&guard, 1);
                    return;
                }
                let mut wait = pin!(shared.one.wait(guard));
                assert!(poll_now(wait.as_mut()).await.is_none());
                thread::yield_now();
                if let Some(guard) = poll_now(wait.as_mut()).await {
                    shared.one.notify(&guard, 1);
                }
            });
        });
        let stays = spawn(&shared, |shared| wait_until(shared, &shared.one, 1));
        set_and_notify(&shared, 1, 1);
        cancelled.join().unwrap();
        stays.join().unwrap();
        assert!(shared.lock.try_lock().is_some());
    });
}

#[test]
fn a_cancelled_wait_races_with_those_who_need_no_line() {
    loom::model(|| {
        let shared = shared();
        let cancelled = spawn(&shared, |shared| {
            block_on(async {
                let guard = shared.lock.lock().await;
                let mut wait = pin!(shared.one.wait(guard));
                assert!(poll_now(wait.as_mut()).await.is_none());
            });
        });
        let notifies = spawn(&shared, |shared| {
            let guard = block_on(shared.lock.lock());
            guard.set(guard.get() + 1);
            shared.one.notify_all(&guard);
        });
        {
            let guard = block_on(shared.lock.lock());
            guard.set(guard.get() + 1);
        }
        cancelled.join().unwrap();
        notifies.join().unwrap();
        assert_eq!(shared.lock.try_lock().expect("all are done").get(), 2);
        assert_eq!(shared.one.statistics().waiting, 0);
    });
}

#[test]
fn two_conditions_go_with_one_lock() {
    loom::model(|| {
        let shared = shared();
        let waits = [
            spawn(&shared, |shared| wait_until(shared, &shared.one, 1)),
            spawn(&shared, |shared| wait_until(shared, &shared.two, 1)),
        ];
        {
            let guard = block_on(shared.lock.lock());
            guard.set(1);
            shared.one.notify(&guard, 1);
            shared.two.notify_all(&guard);
        }
        for thread in waits {
            thread.join().unwrap();
        }
    });
}

#[test]
fn a_condition_goes_from_lock_to_lock() {
    loom::model(|| {
        let locks = [(); 2].map(|()| Lock::new(Cell::new(0)));
        let shared = Arc::new((Condition::new(), locks));
        // Whoever comes while the other lock uses it is refused, and changed nothing.
        let visit = |shared: &(Condition, [Lock<Cell<usize>>; 2]), n: usize| {
            block_on(async {
                let guard = shared.1[n].lock().await;
                let mut absence = pin!(Absence::new(&shared.0.annex, guard));
                let first = poll_fn(|cx| Poll::Ready(absence.as_mut().poll(cx))).await;
                if let Poll::Ready(refused) = first {
                    assert!(refused.is_err());
                    return false;
                }
                shared.0.notify(&shared.1[n].lock().await, 1);
                let guard = poll_fn(|cx| absence.as_mut().poll(cx)).await;
                guard.expect("it was let in").set(1);
                true
            })
        };
        let other = spawn(&shared, move |shared| visit(shared, 0));
        visit(&shared, 1);
        other.join().unwrap();
        assert!(visit(&shared, 0) && visit(&shared, 1), "it is free again");
    });
}

#[test]
fn a_wait_that_nobody_notifies_gets_its_lock_back_in_time() {
    loom::model(|| {
        let shared = shared();
        let late = spawn(&shared, |shared| {
            block_on(async {
                let guard = shared.lock.lock().await;
                let mut wait = pin!(shared.one.wait_for(guard, |_| false));
                assert!(poll_now(wait.as_mut()).await.is_none());
                wait.as_mut().hurry();
                let (guard, holds) = poll_fn(|cx| wait.as_mut().poll_outcome(cx)).await;
                assert!(!holds);
                guard.set(guard.get() + 1);
            });
        });
        {
            let guard = block_on(shared.lock.lock());
            guard.set(guard.get() + 1);
        }
        late.join().unwrap();
        assert_eq!(shared.lock.try_lock().expect("all are done").get(), 2);
        assert_eq!(shared.one.statistics().waiting, 0);
    });
}

#[test]
fn a_wait_that_is_notified_when_it_runs_out_of_time_hands_that_on() {
    loom::model(|| {
        let shared = shared();
        let late = spawn(&shared, |shared| {
            block_on(async {
                let guard = shared.lock.lock().await;
                let mut wait = pin!(shared.one.wait_for(guard, |value| value.get() >= 1));
                if let Some(guard) = poll_now(wait.as_mut()).await {
                    return shared.one.notify(&guard, 1);
                }
                thread::yield_now();
                wait.as_mut().hurry();
                let now = poll_fn(|cx| Poll::Ready(wait.as_mut().poll_outcome(cx))).await;
                if let Poll::Ready((guard, holds)) = now {
                    assert_eq!(holds, guard.get() >= 1);
                    // It may have taken the notification that the other waits for.
                    shared.one.notify(&guard, 1);
                }
            });
        });
        let stays = spawn(&shared, |shared| wait_until(shared, &shared.one, 1));
        set_and_notify(&shared, 1, 1);
        late.join().unwrap();
        stays.join().unwrap();
        assert!(shared.lock.try_lock().is_some());
    });
}

#[test]
fn a_notification_that_is_handed_on_races_with_those_who_need_no_line() {
    loom::model(|| {
        let shared = shared();
        let mut cx = Context::from_waker(Waker::noop());
        let mut waits = [(); 2].map(|()| {
            let guard = shared.lock.try_lock().expect("nobody has it");
            let mut wait = Box::pin(shared.one.wait(guard));
            assert!(wait.as_mut().poll(&mut cx).is_pending());
            Some(wait)
        });
        let [notified, next] = &mut waits;
        {
            let guard = shared.lock.try_lock().expect("both gave it up");
            shared.one.notify(&guard, 1);
        }
        let other = spawn(&shared, |shared| {
            if let Some(guard) = shared.lock.try_lock() {
                guard.set(guard.get() + 1);
            }
        });
        drop(notified.take());
        other.join().unwrap();
        let next = next.as_mut().expect("it waits");
        match next.as_mut().poll(&mut cx) {
            Poll::Ready(guard) => guard.set(guard.get() + 1),
            Poll::Pending => panic!("the notification is lost, or the lock"),
        }
    });
}
