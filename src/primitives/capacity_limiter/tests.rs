//! Limiters polled by hand, in both modes: every way in and out, and wakers that come back.
//!
//! Comments that begin with `anyio` name the bug there that a test is about.
//!
//! # Not here
//! Orders of threads: `models`. Random programs: `programs`.

mod programs;

use std::cell::RefCell;
use std::collections::VecDeque;
use std::panic::Location;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Waker;
use std::thread;

use super::super::hand::*;
use super::{AcquireToken, Borrower, Token};
use crate::context;
use crate::wait_list::{Local, Shared};

/// What the borrowers called themselves.
fn names(borrowers: &[Borrower]) -> Vec<Option<&str>> {
    borrowers.iter().map(Borrower::name).collect()
}

in_both_modes! { CapacityLimiter:
    fn no_more_than_the_total_have_a_token() {
        let limiter = CapacityLimiter::new(2);
        let first = at_once(limiter.acquire());
        let second = limiter.try_acquire().unwrap();
        assert_eq!((limiter.borrowed(), limiter.available()), (2, 0));
        assert!(limiter.try_acquire().is_none());
        let mut third = waiting(limiter.acquire());
        drop(first);
        let third = ready(&mut third);
        assert_eq!(limiter.borrowed(), 2);
        drop((second, third));
        assert_eq!((limiter.borrowed(), limiter.available(), limiter.total()), (0, 2, 2));
    }

    fn tokens_are_granted_in_the_order_of_the_first_polls() {
        let limiter = CapacityLimiter::new(1);
        let mut token = Some(at_once(limiter.acquire()));
        let mut waits: VecDeque<_> = (0..5).map(|_| waiting(limiter.acquire())).collect();
        while let Some(mut first) = waits.pop_front() {
            token.take();
            assert!(waits.iter_mut().all(|next| poll(next).is_pending()));
            token = Some(ready(&mut first));
        }
    }

    /// anyio 1170: a token was taken between a release and the run of who was woken by it.
    fn a_token_that_is_granted_is_borrowed_before_its_future_runs() {
        let limiter = CapacityLimiter::new(1);
        let token = limiter.try_acquire();
        let mut granted = waiting(limiter.acquire());
        drop(token);
        assert_eq!((limiter.borrowed(), limiter.available()), (1, 0));
        assert!(limiter.try_acquire().is_none());
        let _late = waiting(limiter.acquire());
        assert_eq!(limiter.statistics().waiting, 1);
        let _token = ready(&mut granted);
        assert_eq!(limiter.borrowed(), 1);
    }

    /// anyio 947: the token was lost.
    fn a_granted_future_that_is_dropped_passes_the_token_on() {
        let limiter = CapacityLimiter::new(1);
        let token = limiter.try_acquire();
        let [first, second, mut third] = [(); 3].map(|()| waiting(limiter.acquire()));
        drop(token);
        drop(first);
        drop(second);
        drop(ready(&mut third));
        assert_eq!(limiter.borrowed(), 0);
    }

    fn a_future_that_is_dropped_in_line_leaves_it() {
        for gone in 0..3 {
            let limiter = CapacityLimiter::new(1);
            let mut token = limiter.try_acquire();
            let mut waits: Vec<_> = (0..3).map(|_| waiting(limiter.acquire())).collect();
            drop(waits.remove(gone));
            for next in &mut waits {
                drop(token.take());
                token = Some(ready(next));
            }
            drop(token);
            assert_eq!((limiter.borrowed(), limiter.statistics().waiting), (0, 0));
        }
    }

    fn a_future_that_was_never_polled_has_no_place() {
        let limiter = CapacityLimiter::new(1);
        let idle = limiter.acquire();
        let _token = at_once(limiter.acquire());
        drop(idle);
        assert_eq!(limiter.borrowed(), 1);
    }

    /// anyio 646: raising the total woke nobody.
    fn raising_the_total_wakes_as_many_as_fit_and_nobody_is_overtaken() {
        let limiter = CapacityLimiter::new(0);
        let count = Arc::new(Count::default());
        let waker = Waker::from(count.clone());
        let mut waits: Vec<_> = (0..100)
            .map(|_| waiting_with(limiter.acquire(), &waker))
            .collect();
        limiter.set_total(70);
        assert_eq!((count.get(), limiter.borrowed()), (70, 70));
        assert_eq!(limiter.statistics().waiting, 30);
        let mut tokens: Vec<_> = waits.drain(..70).map(|mut first| ready(&mut first)).collect();
        assert!(waits.iter_mut().all(|next| poll(next).is_pending()));
        limiter.set_total(1000);
        tokens.extend(waits.iter_mut().map(ready));
        assert_eq!((limiter.borrowed(), limiter.available()), (100, 900));
    }

    fn after_the_total_was_lowered_nobody_gets_a_token_until_enough_are_back() {
        let limiter = CapacityLimiter::new(4);
        let mut tokens: Vec<_> = (0..4).map(|_| limiter.try_acquire().unwrap()).collect();
        let mut waits = waiting(limiter.acquire());
        limiter.set_total(2);
        assert_eq!((limiter.borrowed(), limiter.available()), (4, 0));
        for borrowed in [3, 2] {
            tokens.pop();
            assert_eq!(limiter.borrowed(), borrowed);
            assert!(poll(&mut waits).is_pending());
        }
        tokens.pop();
        let _token = ready(&mut waits);
        assert_eq!(limiter.borrowed(), 2);
    }

    fn what_was_granted_before_the_total_was_lowered_stays_granted_or_ends() {
        for claim in [true, false] {
            let limiter = CapacityLimiter::new(1);
            let token = limiter.try_acquire();
            let [mut granted, mut next] = [(); 2].map(|()| waiting(limiter.acquire()));
            drop(token);
            limiter.set_total(0);
            assert_eq!(limiter.borrowed(), 1);
            if claim {
                drop(ready(&mut granted));
            } else {
                drop(granted);
            }
            assert_eq!(limiter.borrowed(), 0);
            assert!(poll(&mut next).is_pending());
            limiter.set_total(1);
            drop(ready(&mut next));
        }
    }

    fn with_a_total_of_0_nobody_gets_in() {
        let limiter = CapacityLimiter::new(0);
        assert!(limiter.try_acquire().is_none());
        let mut waits = waiting(limiter.acquire());
        limiter.set_total(1);
        drop(ready(&mut waits));
        limiter.set_total(0);
        assert!(limiter.try_acquire().is_none());
    }

    fn borrowers_are_listed_in_the_order_in_which_they_got_their_tokens() {
        let limiter = CapacityLimiter::new(3);
        let a = at_once(limiter.acquire_as("a"));
        let b = at_once(limiter.acquire_as(String::from("b")));
        let nameless = limiter.try_acquire();
        drop(a);
        let c = at_once(limiter.acquire_as("c")); // where a was
        assert_eq!(names(&limiter.borrowers()), [Some("b"), None, Some("c")]);
        drop((b, nameless, c));
        assert!(limiter.borrowers().is_empty());
    }

    fn a_borrower_that_had_to_wait_is_listed_when_it_has_its_token() {
        let limiter = CapacityLimiter::new(1);
        let token = at_once(limiter.acquire_as("first"));
        let mut waits = waiting(limiter.acquire_as("second"));
        assert_eq!(names(&limiter.borrowers()), [Some("first")]);
        drop(token);
        assert_eq!((limiter.borrowers().len(), limiter.borrowed()), (0, 1));
        let _token = ready(&mut waits);
        assert_eq!(names(&limiter.borrowers()), [Some("second")]);
    }

    fn a_borrower_is_listed_with_the_place_of_its_call() {
        let limiter = CapacityLimiter::new(3);
        let here = Location::caller();
        let mut tokens = vec![at_once(limiter.acquire())];
        tokens.push(at_once(async { limiter.acquire_as("async").await }));
        tokens.extend(limiter.try_acquire());
        for (line, borrower) in (1..).zip(limiter.borrowers()) {
            let place = borrower.location();
            assert_eq!((place.file(), place.line()), (here.file(), here.line() + line));
        }
        assert_eq!(tokens.len(), 3);
    }

    /// The first of 100 is woken in the first batch, while there are tokens for more.
    fn a_waker_cannot_overtake_those_who_are_still_to_be_woken() {
        let limiter = Rc::new(CapacityLimiter::new(0));
        let acquire = |limiter: &Rc<CapacityLimiter>| {
            let limiter = limiter.clone();
            async move { drop(limiter.acquire().await) }
        };
        let late = Rc::new(RefCell::new(None));
        let to_drop = Rc::new(RefCell::new(None));
        let waker = Hook::waker({
            let (limiter, late, to_drop) = (limiter.clone(), late.clone(), to_drop.clone());
            move || {
                assert_eq!((limiter.borrowed(), limiter.available()), (32, 68));
                assert!(limiter.try_acquire().is_none());
                *late.borrow_mut() = Some(waiting(acquire(&limiter)));
                assert_eq!(limiter.statistics().waiting, 100 - 32 + 1);
                drop(to_drop.take()); // hands on what fits
                assert_eq!((limiter.borrowed(), limiter.statistics().waiting), (100, 0));
            }
        });
        let mut waits = vec![waiting_with(acquire(&limiter), &waker)];
        waits.extend((1..99).map(|_| waiting(acquire(&limiter))));
        *to_drop.borrow_mut() = Some(waiting(acquire(&limiter)));
        limiter.set_total(100);
        waits.iter_mut().for_each(ready);
        ready(&mut late.take().expect("it came"));
        assert_eq!(limiter.borrowed(), 0);
    }

    fn a_waker_that_panics_keeps_nobody_else_asleep_and_loses_no_token() {
        let limiter = CapacityLimiter::new(0);
        let count = Arc::new(Count::default());
        let wakers = [Waker::from(Arc::new(Angry)), count.clone().into()];
        let mut waits: Vec<_> = (0..70)
            .map(|n| waiting_with(limiter.acquire(), &wakers[n % 2]))
            .collect();
        assert_eq!(panic_text(|| limiter.set_total(70)), "angry waker");
        assert_eq!(count.get(), 35);
        drop(waits.iter_mut().map(ready).collect::<Vec<_>>());
        assert_eq!(limiter.borrowed(), 0);
        limiter.set_total(1);
        let token = limiter.try_acquire();
        let mut angry = waiting_with(limiter.acquire(), &wakers[0]);
        assert_eq!(panic_text(|| drop(token)), "angry waker");
        drop(ready(&mut angry));
        assert_eq!((limiter.borrowed(), limiter.borrowers().len()), (0, 0));
    }

    fn the_waker_of_the_last_poll_is_the_one_that_is_woken() {
        let limiter = CapacityLimiter::new(0);
        let [old, new] = [(); 2].map(|()| Arc::new(Count::default()));
        let mut waits = waiting_with(limiter.acquire(), &old.clone().into());
        assert!(poll_with(&mut waits, &new.clone().into()).is_pending());
        limiter.set_total(1);
        assert_eq!((old.get(), new.get()), (0, 1));
    }

    fn what_is_leaked_costs_its_token_and_the_limiter_may_move() {
        let limiter = CapacityLimiter::new(2);
        leak(limiter.try_acquire());
        let token = limiter.try_acquire();
        leak(waiting(limiter.acquire()));
        drop(token); // the leaked future has it
        leak(waiting(limiter.acquire()));
        let limiter = Box::new(limiter);
        assert_eq!((limiter.borrowed(), limiter.borrowers().len()), (2, 1));
        limiter.set_total(4);
        assert_eq!(limiter.borrowed(), 3);
        assert!(limiter.try_acquire().is_some());
    }

    fn what_it_shows_is_how_it_stands() {
        let limiter = CapacityLimiter::new(2);
        let token = at_once(limiter.acquire());
        assert_eq!(format!("{limiter:?}"), "CapacityLimiter { total: 2, borrowed: 1 }");
        assert_eq!(format!("{token:?}"), "Token { .. }");
        let future = format!("{:?}", limiter.acquire_as("me"));
        assert!(future.starts_with("AcquireToken { borrower: Borrower { name: Some(\"me\")"));
        let statistics = limiter.statistics();
        assert_eq!((statistics.waiting, statistics.holders, statistics.peak), (0, 1, 0));
    }

    fn it_can_be_a_constant_part_of_something() {
        let limiter = const { CapacityLimiter::new(7) };
        assert_eq!(limiter.total(), 7);
    }
}

type Limiter<M> = super::CapacityLimiter<M>;

#[test]
fn a_local_token_that_its_task_looks_past_goes_to_the_next() {
    let limiter = Limiter::<Local>::new(1);
    let token = limiter.try_acquire();
    let mut asleep = in_task(1, || waiting(limiter.acquire_as("asleep")));
    let mut next = in_task(2, || waiting(limiter.acquire_as("next")));
    drop(token);
    in_task(1, || ());
    let token = in_task(2, || ready(&mut next));
    assert!(in_task(1, || poll(&mut asleep)).is_pending());
    drop(token);
    let _token = in_task(1, || ready(&mut asleep));
    assert_eq!(names(&limiter.borrowers()), [Some("asleep")]);
}

#[test]
fn a_local_token_that_lapses_after_the_total_was_lowered_is_gone() {
    let limiter = Limiter::<Local>::new(1);
    let token = limiter.try_acquire();
    let mut asleep = in_task(1, || waiting(limiter.acquire()));
    let mut next = in_task(2, || waiting(limiter.acquire()));
    drop(token);
    limiter.set_total(0);
    in_task(1, || ());
    assert_eq!(limiter.borrowed(), 0);
    assert!(in_task(2, || poll(&mut next)).is_pending());
    assert!(in_task(1, || poll(&mut asleep)).is_pending());
    limiter.set_total(2);
    drop(in_task(2, || ready(&mut next)));
    drop(in_task(1, || ready(&mut asleep)));
}

#[test]
fn a_local_token_of_a_leaked_future_lapses_although_the_limiter_moved() {
    let limiter = Limiter::<Local>::new(1);
    let token = limiter.try_acquire();
    in_task(1, || leak(waiting(limiter.acquire())));
    drop(token);
    let limiter = Box::new(limiter);
    assert_eq!(limiter.borrowed(), 1);
    in_task(1, || ());
    assert_eq!(limiter.borrowed(), 0);
    let token = limiter.try_acquire();
    in_task(1, || leak(waiting(limiter.acquire())));
    drop(token);
    drop(limiter); // with a grant that could lapse
    in_task(1, || ());
}

#[test]
fn a_shared_token_stays_with_the_future_that_got_it() {
    let limiter = Limiter::<Shared>::new(1);
    let token = limiter.try_acquire();
    let mut asleep = in_task(1, || waiting(limiter.acquire()));
    drop(token);
    in_task(1, || ());
    assert_eq!(limiter.statistics().holders, 1);
    drop(in_task(1, || ready(&mut asleep)));
}

#[test]
fn a_local_limiter_needs_no_code_to_be_made() {
    thread_local! {
        static LIMITER: Limiter<Local> = const { Limiter::<Local>::new(1) };
    }
    LIMITER.with(|limiter| {
        let token = limiter.try_acquire();
        assert!(token.is_some() && limiter.try_acquire().is_none());
    });
}

#[test]
fn threads_take_turns() {
    static LIMITER: Limiter<Shared> = Limiter::<Shared>::new(2);
    static INSIDE: AtomicUsize = AtomicUsize::new(0);
    let visit = || {
        for _ in 0..100 {
            let token = LIMITER.blocking_acquire();
            assert!(INSIDE.fetch_add(1, Ordering::Relaxed) < 2);
            thread::yield_now();
            INSIDE.fetch_sub(1, Ordering::Relaxed);
            drop(token);
        }
    };
    let threads: Vec<_> = (0..4).map(|_| thread::spawn(visit)).collect();
    threads
        .into_iter()
        .for_each(|thread| thread.join().unwrap());
    assert_eq!((LIMITER.borrowed(), LIMITER.borrowers().len()), (0, 0));
}

#[test]
fn a_thread_that_runs_a_loop_is_not_put_to_sleep() {
    let limiter = Limiter::<Shared>::new(1);
    let outside = context::set_loop_thread(true);
    let text = panic_text(|| drop(limiter.blocking_acquire()));
    context::set_loop_thread(outside);
    assert!(text.contains("await `acquire` instead"), "{text}");
    let (_token, line) = (limiter.blocking_acquire(), line!());
    assert_eq!(limiter.borrowers()[0].location().line(), line);
}

#[test]
fn a_limiter_and_what_it_gives_cross_threads_only_if_it_is_shared() {
    fn crosses<T: Send + Sync>() {}
    crosses::<Limiter<Shared>>();
    crosses::<AcquireToken<'static, Shared>>();
    crosses::<Token<'static, Shared>>();
    crosses::<Borrower>();
}

#[test]
fn a_future_has_room_for_its_place_in_line_and_its_borrower_only() {
    assert_eq!(size_of::<AcquireToken<'static, Local>>(), 80);
    assert_eq!(size_of::<Token<'static, Local>>(), 16);
    assert_eq!(size_of::<Limiter<Local>>(), 72);
    assert_eq!(size_of::<Limiter<Shared>>(), 80);
}
