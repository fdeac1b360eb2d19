//! Barriers polled by hand, in both modes: every way in and out, and wakers that come back.
//!
//! Comments that begin with L name the behaviour of asyncio that a test is about.
//!
//! # Not here
//! Orders of threads: `models`.

use std::cell::RefCell;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Poll, Waker};
use std::thread;

use proptest::prelude::*;

use super::super::hand::*;
use super::{BarrierWait, Broken};
use crate::context;
use crate::wait_list::{Local, Shared};

type Outcome = Result<usize, Broken>;
type Arrival<'a> = Boxed<'a, Outcome>;

/// The outcomes of arrivals that are through.
#[track_caller]
fn outcomes(arrivals: &mut [Arrival<'_>]) -> Vec<Outcome> {
    arrivals.iter_mut().map(ready).collect()
}

fn indices(range: std::ops::Range<usize>) -> Vec<Outcome> {
    range.map(Ok).collect()
}

in_both_modes! { Barrier:
    /// L27.
    fn a_barrier_for_one_never_blocks() {
        let barrier = Barrier::new(1);
        for _ in 0..3 {
            assert_eq!(at_once(barrier.wait()), Ok(0));
        }
        assert_eq!(barrier.n_waiting(), 0);
    }

    /// L28.
    fn indices_are_the_places_of_arrival_and_the_last_does_not_suspend() {
        let barrier = Barrier::new(4);
        let mut first: Vec<_> = (0..3).map(|_| waiting(barrier.wait())).collect();
        assert_eq!(barrier.n_waiting(), 3);
        assert_eq!(at_once(barrier.wait()), Ok(3));
        assert_eq!(barrier.n_waiting(), 0);
        assert_eq!(outcomes(&mut first), indices(0..3));
    }

    /// L29, L30: nobody of the first generation looks before the second is complete.
    fn a_generation_fills_while_nobody_of_the_last_has_run() {
        let barrier = Barrier::new(3);
        let mut all: Vec<Vec<_>> = Vec::new();
        for _ in 0..3 {
            all.push((0..2).map(|_| waiting(barrier.wait())).collect());
            assert_eq!(at_once(barrier.wait()), Ok(2));
        }
        for generation in &mut all {
            assert_eq!(outcomes(generation), indices(0..2));
        }
    }

    fn a_future_that_was_never_polled_has_not_arrived() {
        let barrier = Barrier::new(2);
        let idle = barrier.wait();
        assert_eq!(barrier.n_waiting(), 0);
        drop(idle);
        let mut waits = waiting(barrier.wait());
        assert!(poll(&mut waits).is_pending());
        assert_eq!(barrier.n_waiting(), 1);
    }

    fn polling_again_is_not_arriving_again() {
        let barrier = Barrier::new(2);
        let mut waits = waiting(barrier.wait());
        for _ in 0..3 {
            assert!(poll(&mut waits).is_pending());
        }
        assert_eq!(barrier.n_waiting(), 1);
        assert_eq!(at_once(barrier.wait()), Ok(1));
        assert_eq!(poll(&mut waits), Poll::Ready(Ok(0)));
    }

    fn a_future_that_is_done_arrives_again_when_polled_again() {
        let barrier = Barrier::new(2);
        let mut waits = waiting(barrier.wait());
        assert_eq!(at_once(barrier.wait()), Ok(1));
        assert_eq!(outcomes(std::slice::from_mut(&mut waits)), [Ok(0)]);
        assert!(poll(&mut waits).is_pending());
        assert_eq!(barrier.n_waiting(), 1);
    }

    /// L31.
    fn a_cancelled_arrival_is_taken_back_wherever_it_stands() {
        for gone in 0..4 {
            let barrier = Barrier::new(5);
            let mut waits: Vec<_> = (0..4).map(|_| waiting(barrier.wait())).collect();
            drop(waits.remove(gone));
            assert_eq!(barrier.n_waiting(), 3);
            waits.push(waiting(barrier.wait()));
            assert_eq!(at_once(barrier.wait()), Ok(4));
            assert_eq!(outcomes(&mut waits), indices(0..4));
        }
    }

    fn all_arrivals_can_be_taken_back() {
        let barrier = Barrier::new(3);
        drop([waiting(barrier.wait()), waiting(barrier.wait())]);
        assert_eq!(barrier.n_waiting(), 0);
        assert!(!barrier.is_broken());
        let _waits = [waiting(barrier.wait()), waiting(barrier.wait())];
        assert_eq!(at_once(barrier.wait()), Ok(2));
    }

    fn a_waiter_that_is_through_and_dropped_before_it_looked_changes_nothing() {
        let barrier = Barrier::new(3);
        let mut through: Vec<_> = (0..2).map(|_| waiting(barrier.wait())).collect();
        assert_eq!(at_once(barrier.wait()), Ok(2));
        let _next = waiting(barrier.wait());
        drop(through.remove(0));
        assert_eq!(barrier.n_waiting(), 1);
        assert_eq!(outcomes(&mut through), [Ok(1)]);
        let _next = waiting(barrier.wait());
        assert_eq!(at_once(barrier.wait()), Ok(2));
    }

    /// L32.
    fn a_reset_fails_those_who_wait_and_the_next_generation_is_whole() {
        let barrier = Barrier::new(3);
        let mut old: Vec<_> = (0..2).map(|_| waiting(barrier.wait())).collect();
        barrier.reset();
        assert_eq!((barrier.n_waiting(), barrier.is_broken()), (0, false));
        let mut new: Vec<_> = (0..2).map(|_| waiting(barrier.wait())).collect();
        // Those who failed do not count, whether they look or are dropped.
        assert_eq!(poll(&mut old[0]), Poll::Ready(Err(Broken)));
        drop(old);
        assert_eq!(barrier.n_waiting(), 2);
        assert_eq!(at_once(barrier.wait()), Ok(2));
        assert_eq!(outcomes(&mut new), indices(0..2));
    }

    /// L33.
    fn a_reset_does_not_concern_who_is_through_already() {
        let barrier = Barrier::new(2);
        let mut through = waiting(barrier.wait());
        assert_eq!(at_once(barrier.wait()), Ok(1));
        let mut next = waiting(barrier.wait());
        barrier.reset();
        assert_eq!(poll(&mut next), Poll::Ready(Err(Broken)));
        assert_eq!(poll(&mut through), Poll::Ready(Ok(0)));
    }

    /// L34.
    fn an_abort_fails_those_who_wait_and_those_who_come() {
        let barrier = Barrier::new(3);
        let mut waits: Vec<_> = (0..2).map(|_| waiting(barrier.wait())).collect();
        barrier.abort();
        barrier.abort();
        assert_eq!(outcomes(&mut waits), [Err(Broken), Err(Broken)]);
        for _ in 0..5 {
            assert_eq!(at_once(barrier.wait()), Err(Broken));
        }
        assert_eq!((barrier.n_waiting(), barrier.is_broken()), (0, true));
    }

    /// L35.
    fn a_reset_makes_an_aborted_barrier_whole() {
        let barrier = Barrier::new(2);
        let mut failed = waiting(barrier.wait());
        barrier.abort();
        barrier.reset();
        let mut waits = waiting(barrier.wait());
        assert_eq!(poll(&mut failed), Poll::Ready(Err(Broken)));
        assert_eq!(at_once(barrier.wait()), Ok(1));
        assert_eq!(poll(&mut waits), Poll::Ready(Ok(0)));
    }

    /// L36.
    fn a_barrier_for_none_or_too_many_is_refused() {
        let text = panic_text(|| assert_eq!(Barrier::new(0).parties(), 0));
        assert!(text.contains("give it 1 or more"), "{text}");
        let text = panic_text(|| assert_eq!(Barrier::new(1 << 28).parties(), 0));
        assert!(text.contains("at most 268435455"), "{text}");
        assert_eq!(Barrier::new((1 << 28) - 1).parties(), (1 << 28) - 1);
    }

    fn everybody_is_woken_once_however_many_they_are() {
        let barrier = Barrier::new(100);
        let count = Arc::new(Count::default());
        let waker = Waker::from(count.clone());
        let mut waits: Vec<_> = (0..99).map(|_| waiting_with(barrier.wait(), &waker)).collect();
        assert_eq!(count.get(), 0);
        assert_eq!(at_once(barrier.wait()), Ok(99));
        assert_eq!(count.get(), 99);
        assert_eq!(outcomes(&mut waits), indices(0..99));
        let mut waits: Vec<_> = (0..99).map(|_| waiting_with(barrier.wait(), &waker)).collect();
        barrier.abort();
        assert_eq!(count.get(), 2 * 99);
        assert!(outcomes(&mut waits).iter().all(Result::is_err));
    }

    fn the_waker_of_the_last_poll_is_the_one_that_is_woken() {
        let barrier = Barrier::new(2);
        let [old, new] = [(); 2].map(|()| Arc::new(Count::default()));
        let mut waits = waiting_with(barrier.wait(), &old.clone().into());
        assert!(poll_with(&mut waits, &new.clone().into()).is_pending());
        assert_eq!(at_once(barrier.wait()), Ok(1));
        assert_eq!((old.get(), new.get()), (0, 1));
    }

    /// The first of 100 is woken in the first batch; what it does meets all who are not yet.
    fn a_waker_may_arrive_reset_and_drop_while_others_are_still_to_be_woken() {
        let barrier = Rc::new(Barrier::new(100));
        let arrive = |barrier: &Rc<Barrier>| {
            let barrier = barrier.clone();
            async move { barrier.wait().await }
        };
        let late = Rc::new(RefCell::new(None));
        let to_drop = Rc::new(RefCell::new(None));
        let waker = Hook::waker({
            let (barrier, late, to_drop) = (barrier.clone(), late.clone(), to_drop.clone());
            move || {
                assert_eq!(barrier.statistics().waiting, 99 - 32);
                let mut failed = waiting(arrive(&barrier));
                drop(to_drop.take()); // wakes all that are left
                assert_eq!((barrier.n_waiting(), barrier.statistics().waiting), (1, 1));
                barrier.reset();
                *late.borrow_mut() = Some(waiting(arrive(&barrier)));
                assert_eq!(poll(&mut failed), Poll::Ready(Err(Broken)));
                assert_eq!(barrier.n_waiting(), 1);
            }
        });
        let mut waits = vec![waiting_with(arrive(&barrier), &waker)];
        waits.extend((1..98).map(|_| waiting(arrive(&barrier))));
        *to_drop.borrow_mut() = Some(waiting(arrive(&barrier)));
        assert_eq!(at_once(arrive(&barrier)), Ok(99));
        assert_eq!(outcomes(&mut waits), indices(0..98));
        let mut late = late.take().expect("it came");
        assert!(poll(&mut late).is_pending());
        let statistics = barrier.statistics();
        assert_eq!((statistics.waiting, statistics.holders, statistics.peak), (1, 0, 0));
    }

    fn a_waker_that_panics_keeps_nobody_else_asleep() {
        let barrier = Barrier::new(70);
        let count = Arc::new(Count::default());
        let wakers = [Waker::from(Arc::new(Angry)), count.clone().into()];
        let mut waits: Vec<_> = (0..69)
            .map(|n| waiting_with(barrier.wait(), &wakers[usize::from(n % 3 != 0)]))
            .collect();
        let text = panic_text(|| assert!(at_once(barrier.wait()).is_err()));
        assert_eq!(text, "angry waker");
        assert_eq!(count.get(), 46);
        assert_eq!(outcomes(&mut waits), indices(0..69));
        let _angry = waiting_with(barrier.wait(), &wakers[0]);
        assert_eq!(panic_text(|| barrier.abort()), "angry waker");
        assert!(barrier.is_broken());
    }

    fn an_arrival_that_is_leaked_counts_and_the_barrier_may_move() {
        let barrier = Barrier::new(3);
        leak(waiting(barrier.wait()));
        let mut moved = Box::new(barrier);
        let mut waits = waiting(moved.wait());
        assert_eq!(at_once(moved.wait()), Ok(2));
        assert_eq!(poll(&mut waits), Poll::Ready(Ok(1)));
        drop(waits);
        leak(waiting(moved.wait()));
        *moved = Barrier::new(1); // the old one dies with somebody in line
        assert_eq!(at_once(moved.wait()), Ok(0));
    }

    fn what_it_shows_is_how_it_stands() {
        let barrier = Barrier::new(2);
        let _waits = waiting(barrier.wait());
        assert_eq!(
            format!("{barrier:?}"),
            "Barrier { parties: 2, n_waiting: 1, broken: false }"
        );
        assert_eq!(format!("{:?}", barrier.wait()), "BarrierWait { .. }");
        assert_eq!(barrier.statistics().waiting, 1);
    }

    fn it_can_be_a_constant_part_of_something() {
        let barrier = const { Barrier::new(7) };
        assert_eq!(barrier.parties(), 7);
    }
}

#[test]
fn a_local_arrival_that_its_task_looks_past_stays_through() {
    let barrier = super::Barrier::<Local>::new(2);
    let mut waits = in_task(1, || waiting(barrier.wait()));
    assert_eq!(at_once(barrier.wait()), Ok(1));
    in_task(1, || ()); // polled, and did not look
    assert_eq!(barrier.n_waiting(), 0);
    assert_eq!(in_task(1, || ready(&mut waits)), Ok(0));
}

#[test]
fn threads_wait_for_each_other() {
    static BARRIER: super::Barrier<Shared> = super::Barrier::<Shared>::new(4);
    let threads: Vec<_> = (0..4)
        .map(|_| thread::spawn(|| [(); 50].map(|()| BARRIER.blocking_wait().unwrap())))
        .collect();
    let mut rounds: Vec<_> = threads.into_iter().map(|t| t.join().unwrap()).collect();
    for round in 0..50 {
        rounds.sort_by_key(|indices| indices[round]);
        assert!((0..4).all(|index| rounds[index][round] == index));
    }
}

#[test]
fn a_thread_that_runs_a_loop_is_not_put_to_sleep() {
    let barrier = super::Barrier::<Shared>::new(1);
    let outside = context::set_loop_thread(true);
    let text = panic_text(|| assert!(barrier.blocking_wait().is_err()));
    context::set_loop_thread(outside);
    assert!(text.contains("await `wait` instead"), "{text}");
    assert_eq!(barrier.blocking_wait(), Ok(0));
}

#[test]
fn a_broken_barrier_is_an_io_error() {
    let error = io::Error::from(Broken);
    assert_eq!(error.kind(), io::ErrorKind::Other);
    assert!(error.to_string().starts_with("the barrier is broken"));
}

#[test]
fn a_barrier_and_its_futures_cross_threads_only_if_it_is_shared() {
    fn crosses<T: Send + Sync>() {}
    crosses::<super::Barrier<Shared>>();
    crosses::<BarrierWait<'static, Shared>>();
    crosses::<Broken>();
}

#[test]
fn a_wait_takes_no_more_than_its_place_in_line() {
    assert_eq!(size_of::<BarrierWait<'static, Local>>(), 48);
    assert_eq!(size_of::<super::Barrier<Local>>(), 64);
    assert_eq!(size_of::<super::Barrier<Shared>>(), 40);
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Arrive,
    Poll(usize),
    Drop(usize),
    Abort,
    Reset,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => Just(Step::Arrive),
        3 => (0..16_usize).prop_map(Step::Poll),
        2 => (0..16_usize).prop_map(Step::Drop),
        1 => Just(Step::Abort),
        1 => Just(Step::Reset),
    ]
}

/// A future, and what it must say: nothing yet, or this.
type Expected<'a> = (Arrival<'a>, Option<Outcome>);

/// Ends the wait of all who are not through.
fn end(all: &mut [Expected<'_>], outcome: impl Fn(usize) -> Outcome) {
    let waiting = all.iter_mut().filter(|(_, through)| through.is_none());
    for (place, (_, through)) in waiting.enumerate() {
        *through = Some(outcome(place));
    }
}

/// Runs a program on a barrier and on a list of who is to be told what.
fn compare<'a>(
    parties: usize,
    program: Vec<Step>,
    barrier: &'a super::Barrier<Local>,
) -> Result<(), TestCaseError> {
    let mut all: Vec<Expected<'a>> = Vec::new();
    let mut broken = false;
    for step in program {
        let waiting = all.iter().filter(|(_, through)| through.is_none()).count();
        match step {
            Step::Arrive => {
                let mut arrival: Arrival<'a> = Box::pin(barrier.wait());
                let expected = match (broken, waiting + 1 == parties) {
                    (true, _) => Poll::Ready(Err(Broken)),
                    (_, true) => Poll::Ready(Ok(parties - 1)),
                    _ => Poll::Pending,
                };
                prop_assert_eq!(poll(&mut arrival), expected);
                match expected {
                    Poll::Pending => all.push((arrival, None)),
                    Poll::Ready(Ok(_)) => end(&mut all, Ok),
                    Poll::Ready(_) => {}
                }
            }
            Step::Poll(index) if index < all.len() => {
                let (arrival, through) = &mut all[index];
                match poll(arrival) {
                    Poll::Pending => prop_assert_eq!(None, *through),
                    Poll::Ready(outcome) => {
                        prop_assert_eq!(Some(outcome), *through);
                        drop(all.remove(index));
                    }
                }
            }
            Step::Drop(index) if index < all.len() => drop(all.remove(index)),
            Step::Poll(_) | Step::Drop(_) => {}
            Step::Abort | Step::Reset => {
                broken = matches!(step, Step::Abort);
                if broken {
                    barrier.abort()
                } else {
                    barrier.reset()
                }
                end(&mut all, |_| Err(Broken));
            }
        }
        let waiting = all.iter().filter(|(_, through)| through.is_none()).count();
        prop_assert_eq!(
            (barrier.n_waiting(), barrier.is_broken()),
            (waiting, broken)
        );
    }
    Ok(())
}

proptest! {
    /// Whole, Counted.
    #[test]
    fn any_program_ends_as_the_plain_model_does(
        parties in 1..5_usize,
        program in prop::collection::vec(step(), 0..80),
    ) {
        compare(parties, program, &super::Barrier::<Local>::new(parties))?;
    }
}
