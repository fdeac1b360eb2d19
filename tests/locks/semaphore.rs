//! `Semaphore` and `BoundedSemaphore`: permits are conserved, and go round in order.

use std::rc::Rc;

use super::*;

in_both_modes! {
    // L20
    fn a_semaphore_of_zero_waits_for_the_first_permit() {
        let semaphore = Semaphore::new(0);
        assert!(semaphore.try_acquire().is_none());
        let mut wait = waiting(semaphore.acquire());
        semaphore.add_permits(1);
        assert_eq!(wait.ready().count(), 1);
    }

    // L20
    #[should_panic(expected = "more permits than `Semaphore::MAX`")]
    fn a_semaphore_of_too_many_permits_is_refused() {
        let _ = Semaphore::new(Semaphore::MAX + 1);
    }

    // B6 (python/asyncio 270); L3
    fn a_permit_granted_to_one_who_is_cancelled_goes_to_the_next() {
        let semaphore = Semaphore::new(0);
        let (first, mut second) = (waiting(semaphore.acquire()), waiting(semaphore.acquire()));
        semaphore.add_permits(1);
        drop(first);
        second.ready().forget();
        assert_eq!(semaphore.available(), 0);
    }

    // L21
    fn of_four_waiters_two_cancelled_one_release_serves_the_third_alone() {
        let semaphore = Semaphore::new(0);
        let mut waits: Vec<_> = (0..4).map(|_| waiting(semaphore.acquire())).collect();
        waits.drain(..2);
        semaphore.add_permits(1);
        let permit = waits[0].ready();
        waits[1].waits();
        drop(permit);
        drop(waits[1].ready());
        assert_eq!(semaphore.available(), 1);
    }

    // L22
    fn a_cancelled_wait_and_a_release_leave_the_semaphore_to_the_next() {
        within(async {
            let semaphore = Rc::new(Semaphore::new(0));
            let [first, second] = [(); 2].map(|()| {
                let semaphore = semaphore.clone();
                spawn(async move { semaphore.acquire().await.forget() })
            });
            yield_now().await;
            first.cancel(());
            semaphore.add_permits(1);
            second.await.unwrap();
            assert!(first.await.is_err());
            assert_eq!(semaphore.available(), 0);
            assert!(semaphore.try_acquire().is_none());
        });
    }

    // B7 (cpython 90155); L23
    fn a_task_cancelled_exactly_when_it_gets_the_permit_leaves_it_to_later_ones() {
        within(async {
            let semaphore = Rc::new(Semaphore::new(1));
            let permit = semaphore.acquire().await;
            let task = spawn({
                let semaphore = semaphore.clone();
                async move { drop(semaphore.acquire().await) }
            });
            yield_now().await;
            drop(permit);
            task.cancel(());
            drop(semaphore.acquire().await);
            assert!(task.await.is_err());
            assert_eq!(semaphore.available(), 1);
        });
    }

    // B7 (bpo-45997); L24
    fn tasks_that_ask_again_take_turns() {
        within(async {
            let (semaphore, log) = (Rc::new(Semaphore::new(1)), Log::new());
            let tasks = ["c1", "c2", "c3"].map(|name| {
                let (semaphore, log) = (semaphore.clone(), log.clone());
                spawn(async move {
                    for _ in 0..2 {
                        let permit = semaphore.acquire().await;
                        log.push(name);
                        yield_now().await;
                        drop(permit);
                    }
                })
            });
            for task in tasks {
                task.await.unwrap();
            }
            assert_eq!(log.take(), ["c1", "c2", "c3", "c1", "c2", "c3"]);
        });
    }

    // B8 (cpython 93222); L25. There, the second may not take one of the two that are left
    // before the first has run; here the first has its own.
    fn three_permits_before_the_first_waiter_runs_serve_it_and_two_more() {
        let semaphore = Semaphore::new(0);
        let mut first = waiting(semaphore.acquire());
        semaphore.add_permits(3);
        assert_eq!(semaphore.available(), 2);
        let others = (at_once(semaphore.acquire()), at_once(semaphore.acquire()));
        assert!(semaphore.try_acquire().is_none());
        let mut fourth = waiting(semaphore.acquire());
        let first = first.ready();
        fourth.waits();
        drop(others);
        drop((first, fourth.ready()));
        assert_eq!(semaphore.available(), 3);
    }

    // B8
    fn as_many_releases_as_waiters_wake_all_of_them_in_order() {
        within(async {
            let (semaphore, log) = (Rc::new(Semaphore::new(0)), Log::new());
            let tasks: Vec<_> = (0..5)
                .map(|name| {
                    let (semaphore, log) = (semaphore.clone(), log.clone());
                    spawn(async move {
                        let permit = semaphore.acquire().await;
                        log.push(name);
                        if name == 0 {
                            semaphore.add_permits(1); // a waiter that releases itself
                        }
                        permit.forget();
                    })
                })
                .collect();
            yield_now().await;
            (0..4).for_each(|_| semaphore.add_permits(1));
            for task in tasks {
                task.await.unwrap();
            }
            assert_eq!(log.take(), [0, 1, 2, 3, 4]);
            assert_eq!(semaphore.available(), 0);
        });
    }

    fn permits_come_back_when_those_granted_are_cancelled_in_any_order() {
        for gone in 0..3 {
            let semaphore = Semaphore::new(0);
            let mut waits: Vec<_> = (0..3).map(|_| waiting(semaphore.acquire())).collect();
            semaphore.add_permits(2);
            drop(waits.remove(gone));
            let permits: Vec<_> = waits.iter_mut().map(Hand::ready).collect();
            assert_eq!(semaphore.available(), 0);
            drop(permits);
            assert_eq!(semaphore.available(), 2);
        }
    }

    // golang/sync 10
    fn when_the_head_that_needs_much_is_cancelled_the_next_gets_what_fits() {
        let semaphore = Semaphore::new(2);
        let (large, mut small) = (waiting(semaphore.acquire_many(3)), waiting(semaphore.acquire()));
        assert!(semaphore.try_acquire().is_none(), "two are free, but not for who overtakes");
        let bell = Bell::new();
        assert!(bell.poll(&mut small).is_pending());
        drop(large);
        assert_eq!(bell.rings(), 1);
        drop(small.ready());
        assert_eq!(semaphore.available(), 2);
    }

    fn many_permits_are_taken_all_at_once_or_not_at_all() {
        let semaphore = Semaphore::new(0);
        let mut three = waiting(semaphore.acquire_many(3));
        semaphore.add_permits(1);
        semaphore.add_permits(1);
        three.waits();
        assert_eq!(semaphore.available(), 2, "nothing is kept aside for it");
        semaphore.add_permits(1);
        assert_eq!(three.ready().count(), 3);
        assert_eq!(semaphore.available(), 3);
    }

    fn who_needs_little_does_not_overtake_who_needs_much() {
        let semaphore = Semaphore::new(3);
        let two = semaphore.try_acquire_many(2).unwrap();
        let mut large = waiting(semaphore.acquire_many(3));
        let mut small = waiting(semaphore.acquire());
        large.waits();
        drop(two);
        small.waits();
        drop(large.ready());
        drop(small.ready());
    }

    fn no_permits_wait_for_their_turn_and_are_none() {
        let semaphore = Semaphore::new(0);
        assert_eq!(at_once(semaphore.acquire_many(0)).count(), 0);
        let mut first = waiting(semaphore.acquire());
        let mut none = waiting(semaphore.acquire_many(0));
        assert!(semaphore.try_acquire_many(0).is_none(), "somebody waits");
        semaphore.add_permits(1);
        assert_eq!((first.ready().count(), none.ready().count()), (1, 0));
        drop(semaphore.try_acquire_many(0).unwrap());
        assert_eq!(semaphore.available(), 1);
    }

    fn more_permits_at_once_than_can_be_counted_are_refused() {
        let semaphore = Semaphore::new(Semaphore::MAX);
        assert_eq!(Semaphore::MAX_AT_ONCE, 268_435_455);
        for n in [Semaphore::MAX_AT_ONCE + 1, usize::MAX] {
            let text = panic_text(|| drop(semaphore.acquire_many(n)));
            let why = "permits at once are more than `Semaphore::MAX_AT_ONCE`";
            assert_eq!(text, format!("{n} {why}: count in larger units"));
            assert!(semaphore.try_acquire_many(n).is_none());
        }
        let most = at_once(semaphore.acquire_many(Semaphore::MAX_AT_ONCE));
        assert_eq!(most.count(), Semaphore::MAX_AT_ONCE);
        drop(most);
        assert_eq!(semaphore.available(), Semaphore::MAX);
    }

    fn permits_beyond_the_most_are_refused_and_nothing_changes() {
        let semaphore = Semaphore::new(Semaphore::MAX - 1);
        semaphore.add_permits(1);
        let permit = at_once(semaphore.acquire());
        for n in [1, Semaphore::MAX, usize::MAX] {
            // One is free at the moment, but it comes back.
            let text = panic_text(|| semaphore.add_permits(n));
            assert_eq!(text, format!("{n} permits more would be more than `Semaphore::MAX`"));
        }
        drop(permit);
        assert_eq!(semaphore.available(), Semaphore::MAX);
    }

    // L26
    fn a_bounded_semaphore_refuses_more_than_it_began_with() {
        let semaphore = BoundedSemaphore::new(2);
        assert_eq!(semaphore.add_permits(1), Err(OverRelease));
        let permit = at_once(semaphore.acquire());
        assert_eq!(semaphore.add_permits(1), Err(OverRelease), "it is out, and comes back");
        permit.forget();
        assert_eq!(semaphore.add_permits(2), Err(OverRelease));
        assert_eq!(semaphore.add_permits(usize::MAX), Err(OverRelease));
        assert_eq!(semaphore.add_permits(1), Ok(()));
        assert_eq!((semaphore.add_permits(0), semaphore.available()), (Ok(()), 2));
        let error = std::io::Error::from(OverRelease);
        assert_eq!(error.kind(), std::io::ErrorKind::InvalidInput);
    }

    fn more_permits_than_a_bounded_semaphore_has_are_refused() {
        let semaphore = BoundedSemaphore::new(2);
        let text = panic_text(|| drop(semaphore.acquire_many(3)));
        assert_eq!(text, "3 permits of a bounded semaphore of 2 would be waited for for ever");
        assert!(semaphore.try_acquire_many(3).is_none());
        assert_eq!(at_once(semaphore.acquire_many(2)).count(), 2);
    }

    fn a_bounded_semaphore_serves_who_waits_for_a_forgotten_permit() {
        let semaphore = BoundedSemaphore::new(1);
        semaphore.try_acquire().unwrap().forget();
        let mut wait = waiting(semaphore.acquire());
        assert_eq!(semaphore.add_permits(1), Ok(()));
        assert_eq!(semaphore.add_permits(1), Err(OverRelease), "it is granted");
        drop(wait.ready());
        assert_eq!(semaphore.available(), 1);
    }

    fn a_permit_that_owns_its_semaphore_outlives_all_other_owners() {
        let semaphore = Ref::new(Semaphore::new(3));
        let two = at_once(semaphore.acquire_many_owned(2));
        let mut many = waiting(semaphore.acquire_many_owned(2));
        assert_eq!(semaphore.available(), 1);
        let one = semaphore.try_acquire_owned();
        assert!(one.is_none(), "somebody waits");
        assert_eq!(two.count(), 2);
        drop(two);
        let two = many.ready();
        drop(many);
        let seen = Ref::downgrade(&semaphore);
        drop(semaphore);
        assert_eq!(seen.upgrade().unwrap().available(), 1);
        drop(two);
        assert!(seen.upgrade().is_none());
    }

    fn a_forgotten_owned_permit_lets_its_semaphore_go() {
        let semaphore = Ref::new(Semaphore::new(2));
        semaphore.try_acquire_owned().unwrap().forget();
        assert_eq!(Ref::strong_count(&semaphore), 1);
        assert_eq!((semaphore.available(), semaphore.statistics().holders), (1, 0));
    }

    fn a_cancelled_owned_wait_lets_its_semaphore_go_and_passes_its_permit_on() {
        let semaphore = Ref::new(Semaphore::new(0));
        let (owned, mut next) = (waiting(semaphore.acquire_owned()), waiting(semaphore.acquire()));
        semaphore.add_permits(1);
        drop(owned);
        drop(next.ready());
        drop(next);
        assert_eq!(Ref::strong_count(&semaphore), 1);
    }

    fn statistics_tell_how_many_permits_are_out_and_who_waits() {
        let semaphore = Semaphore::new(3);
        let numbers = |waiting, holders| {
            let now = semaphore.statistics();
            assert_eq!((now.waiting, now.holders), (waiting, holders));
        };
        let two = at_once(semaphore.acquire_many(2));
        numbers(0, 2);
        let wait = waiting(semaphore.acquire_many(2));
        numbers(1, 2);
        semaphore.add_permits(1);
        numbers(0, 4); // granted, and not claimed
        drop(wait);
        numbers(0, 2);
        two.forget();
        numbers(0, 0);
        assert_eq!(semaphore.available(), 2);
    }
}
