//! `CapacityLimiter`: never more than the total, whoever is cancelled and however it changes.

use std::rc::Rc;

use super::*;
use crate::common::raise;

in_both_modes! {
    // B9 (anyio 947)
    fn a_token_granted_to_one_who_is_cancelled_goes_to_the_next() {
        let limiter = CapacityLimiter::new(1);
        let token = at_once(limiter.acquire());
        let (gone, mut next) = (waiting(limiter.acquire()), waiting(limiter.acquire()));
        drop(token);
        drop(gone);
        drop(next.ready());
        assert_eq!((limiter.borrowed(), limiter.available()), (0, 1));
    }

    // B9
    fn a_task_cancelled_in_the_tick_of_its_grant_leaves_the_token() {
        within(async {
            let limiter = Rc::new(CapacityLimiter::new(1));
            let token = limiter.acquire().await;
            let task = spawn({
                let limiter = limiter.clone();
                async move { drop(limiter.acquire().await) }
            });
            yield_now().await;
            drop(token);
            task.cancel(());
            assert!(task.await.is_err());
            assert_eq!(limiter.borrowed(), 0);
            assert!(limiter.try_acquire().is_some());
        });
    }

    // B10 (anyio 1170)
    fn nobody_takes_a_token_between_its_release_and_the_run_of_who_was_granted_it() {
        let limiter = CapacityLimiter::new(2);
        let (one, two) = (at_once(limiter.acquire()), at_once(limiter.acquire()));
        let mut wait = waiting(limiter.acquire());
        drop(one);
        assert_eq!((limiter.borrowed(), limiter.available()), (2, 0));
        assert!(limiter.try_acquire().is_none());
        let mut late = waiting(limiter.acquire());
        let three = wait.ready();
        assert_eq!(limiter.borrowed(), limiter.total());
        late.waits();
        drop((two, three));
        drop(late.ready());
    }

    // B11 (anyio 646)
    fn a_total_that_is_raised_lets_those_in_who_wait() {
        let limiter = CapacityLimiter::new(0);
        let bells = [(); 4].map(|()| Bell::new());
        let mut waits = [(); 4].map(|()| hand(limiter.acquire()));
        for (bell, wait) in bells.iter().zip(&mut waits) {
            assert!(bell.poll(wait).is_pending());
        }
        limiter.set_total(3);
        assert_eq!(bells.each_ref().map(|bell| bell.rings()), [1, 1, 1, 0]);
        assert_eq!((limiter.borrowed(), limiter.total()), (3, 3));
        waits[3].waits();
        let tokens: Vec<_> = waits[..3].iter_mut().map(Hand::ready).collect();
        limiter.set_total(usize::MAX);
        drop(waits[3].ready());
        drop(tokens);
        assert_eq!(limiter.available(), usize::MAX);
    }

    // B11
    fn a_total_that_is_raised_serves_a_line_longer_than_a_batch() {
        let limiter = CapacityLimiter::new(0);
        let mut waits: Vec<_> = (0..100).map(|_| waiting(limiter.acquire())).collect();
        limiter.set_total(99);
        let tokens: Vec<_> = waits.iter_mut().take(99).map(Hand::ready).collect();
        waits[99].waits();
        assert_eq!(limiter.borrowed(), 99);
        drop(tokens);
        drop(waits[99].ready());
    }

    fn a_total_that_is_lowered_takes_no_token_away_and_gives_none_until_it_fits() {
        let limiter = CapacityLimiter::new(3);
        let mut tokens: Vec<_> = (0..3).map(|_| at_once(limiter.acquire())).collect();
        let mut wait = waiting(limiter.acquire());
        limiter.set_total(1);
        assert_eq!((limiter.borrowed(), limiter.available()), (3, 0));
        tokens.pop();
        tokens.pop();
        wait.waits();
        tokens.pop();
        let token = wait.ready();
        assert_eq!(limiter.borrowed(), 1);
        limiter.set_total(0);
        drop(token);
        assert!(limiter.try_acquire().is_none());
        drop(waiting(limiter.acquire()));
        assert_eq!(limiter.statistics().waiting, 0);
    }

    // B9
    fn a_grant_that_is_dropped_after_the_total_was_lowered_goes_to_nobody() {
        let limiter = CapacityLimiter::new(1);
        let token = at_once(limiter.acquire());
        let (granted, mut next) = (waiting(limiter.acquire()), waiting(limiter.acquire()));
        drop(token);
        limiter.set_total(0);
        assert_eq!(limiter.borrowed(), 1, "it was granted, and keeps it");
        drop(granted);
        next.waits();
        assert_eq!(limiter.borrowed(), 0);
        limiter.set_total(1);
        drop(next.ready());
    }

    fn borrowers_are_listed_with_name_and_place_in_the_order_of_their_loans() {
        let limiter = CapacityLimiter::new(3);
        let first = at_once(limiter.acquire_as("first"));
        let line = line!() + 1;
        let second = at_once(limiter.acquire());
        let third = limiter.try_acquire().unwrap();
        drop(first);
        let fourth = at_once(limiter.acquire_as(String::from("fourth")));
        let borrowers = limiter.borrowers();
        let names: Vec<_> = borrowers.iter().map(|borrower| borrower.name()).collect();
        assert_eq!(names, [None, None, Some("fourth")]);
        assert_eq!(borrowers[0].location().line(), line);
        assert_eq!(borrowers[1].location().line(), line + 1);
        assert!(borrowers[0].location().file().ends_with("limiter.rs"));
        drop((second, third, fourth));
        assert!(limiter.borrowers().is_empty());
    }

    fn statistics_tell_how_many_borrow_and_wait() {
        let limiter = CapacityLimiter::new(1);
        let token = at_once(limiter.acquire());
        let _waits = (waiting(limiter.acquire()), waiting(limiter.acquire()));
        let now = limiter.statistics();
        assert_eq!((now.waiting, now.holders), (2, 1));
        drop(token);
        let now = limiter.statistics();
        assert_eq!((now.waiting, now.holders, limiter.borrowers().len()), (1, 1, 0));
    }

    fn a_leaked_wait_for_a_token_takes_one_and_the_others_go_on() {
        let limiter = CapacityLimiter::new(0);
        leak(waiting(limiter.acquire()));
        let limiter = Box::new(limiter);
        let mut next = waiting(limiter.acquire());
        limiter.set_total(1);
        next.waits();
        limiter.set_total(2);
        drop(next.ready());
        assert_eq!(limiter.borrowed(), 1);
    }

    fn a_panic_of_a_borrower_gives_its_token_back() {
        let limiter = CapacityLimiter::new(1);
        assert_eq!(
            panic_text(|| {
                let _token = at_once(limiter.acquire());
                raise("in the middle")
            }),
            "in the middle"
        );
        assert_eq!((limiter.borrowed(), limiter.borrowers().len()), (0, 0));
    }
}

#[test]
fn two_loops_and_a_plain_thread_share_a_limiter_that_changes() {
    use petla::sync::CapacityLimiter;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    let shared = Arc::new((CapacityLimiter::new(2), AtomicUsize::new(0)));
    let enter = |shared: &(CapacityLimiter, AtomicUsize)| {
        let now = shared.1.fetch_add(1, Ordering::Relaxed) + 1;
        assert!(now <= 4, "{now} are in");
    };
    let loops = [(); 2].map(|()| {
        let shared = shared.clone();
        std::thread::spawn(move || {
            within(async {
                let tasks = [(); 3].map(|()| {
                    let shared = shared.clone();
                    spawn(async move {
                        for _ in 0..200 {
                            let token = shared.0.acquire().await;
                            enter(&shared);
                            yield_now().await;
                            shared.1.fetch_sub(1, Ordering::Relaxed);
                            drop(token);
                        }
                    })
                });
                for task in tasks {
                    task.await.unwrap();
                }
            });
        })
    });
    for round in 0..200 {
        shared.0.set_total(round % 5); // at most 4
        shared.0.set_total(1 + round % 4);
        let token = shared.0.blocking_acquire();
        enter(&shared);
        shared.1.fetch_sub(1, Ordering::Relaxed);
        drop(token);
    }
    for thread in loops {
        thread.join().unwrap();
    }
    assert_eq!(shared.0.borrowed(), 0);
    within(async {
        let text = panic_text(|| drop(shared.0.blocking_acquire()));
        assert!(text.ends_with("await `acquire` instead"), "{text}");
    });
}
