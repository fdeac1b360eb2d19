//! A hundred thousand children: every poll is accounted for.

use std::cell::Cell;
use std::future::ready;
use std::rc::Rc;
use std::task::Poll;

use petla::{When, as_completed, gather, spawn, try_gather, wait, yield_now};

use crate::common::hand::at_once;
use crate::common::{Bell, Drops, Log, within};
use crate::switch::switches;

const MANY: usize = 100_000;

#[test]
fn as_many_that_are_ready_are_gathered_with_a_limit_and_without() {
    within(async {
        let numbers: Vec<usize> = (0..MANY).collect();
        assert_eq!(gather((0..MANY).map(ready)).await, numbers);
        assert_eq!(gather((0..MANY).map(ready)).limit(7).await, numbers);
        let fine = (0..MANY).map(|n| ready(Ok::<_, ()>(n)));
        assert_eq!(try_gather(fine).await.unwrap(), numbers);
    });
    assert_eq!(at_once(gather((0..MANY).map(ready))).len(), MANY);
}

#[test]
fn as_many_that_wait_once_are_gathered() {
    within(async {
        let wait = |n| async move {
            yield_now().await;
            n
        };
        let sum: usize = gather((0..MANY).map(wait)).await.into_iter().sum();
        assert_eq!(sum, MANY * (MANY - 1) / 2);
    });
}

#[test]
fn a_wake_costs_one_poll_of_gather() {
    // B55
    within(async {
        let (knobs, futures) = switches(MANY);
        let all = spawn(gather(futures));
        while knobs[MANY - 1].polls() == 0 {
            yield_now().await;
        }
        for (n, knob) in knobs.iter().enumerate() {
            knob.set(n);
            if n % 1000 == 0 {
                yield_now().await;
            }
        }
        assert_eq!(all.await.unwrap().len(), MANY);
        assert!(knobs.iter().all(|knob| knob.polls() == 2));
    });
}

#[test]
fn a_wake_costs_one_poll_of_as_completed() {
    // B55
    within(async {
        let (knobs, futures) = switches(MANY);
        let mut set = as_completed(futures);
        let set_all = async {
            while knobs[MANY - 1].polls() == 0 {
                yield_now().await;
            }
            knobs
                .iter()
                .enumerate()
                .rev()
                .for_each(|(n, knob)| knob.set(n));
        };
        let take_all = async {
            let mut order = Vec::new();
            while let Some((number, n)) = set.next().await {
                assert_eq!(number, n);
                order.push(n);
            }
            order
        };
        let (order, ()) = petla::gather!(take_all, set_all).await;
        assert!(
            order.into_iter().eq((0..MANY).rev()),
            "in the order of the wakes"
        );
        assert!(knobs.iter().all(|knob| knob.polls() == 2));
    });
}

#[test]
fn as_many_tasks_are_waited_for() {
    // B55
    within(async {
        let (knobs, futures) = switches(MANY);
        let mut tasks = futures.into_iter().map(spawn).collect();
        let set = async {
            yield_now().await;
            for knob in &knobs {
                knob.set(());
                yield_now().await;
            }
        };
        let (done, ()) = petla::gather!(wait(&mut tasks, When::All, None), set).await;
        assert_eq!(done.len(), MANY);
    });
}

#[test]
fn the_siblings_of_a_child_that_was_woken_are_not_polled() {
    within(async {
        let (knobs, futures) = switches(12);
        let all = spawn(gather(futures));
        yield_now().await;
        for knob in &knobs {
            knob.wake();
            yield_now().await;
            yield_now().await;
        }
        assert!(knobs.iter().all(|knob| knob.polls() == 2));
        knobs.iter().for_each(|knob| knob.set(()));
        all.await.unwrap();
    });
}

#[test]
fn many_children_do_not_keep_a_task_from_its_turn() {
    within(async {
        let turns = Rc::new(Cell::new(0));
        let counted = Rc::clone(&turns);
        drop(spawn(async move {
            loop {
                counted.set(counted.get() + 1);
                yield_now().await;
            }
        }));
        let polls = 10 * 1000;
        let wait = |_| async {
            for _ in 0..9 {
                yield_now().await;
            }
        };
        gather((0..1000).map(wait)).await;
        assert!(
            turns.get() >= polls / 64,
            "{} turns in {polls} polls",
            turns.get()
        );
    });
}

#[test]
fn children_that_never_rest_do_not_keep_others_from_their_beginning() {
    within(async {
        let begun = Cell::new(0);
        let busy = |n: usize| {
            let begun = &begun;
            async move {
                begun.set(begun.get() + 1);
                while n < 500 && begun.get() < 1000 {
                    yield_now().await;
                }
            }
        };
        gather((0..1000).map(busy)).await;
        assert_eq!(begun.get(), 1000);
    });
}

#[test]
fn an_endless_input_with_a_limit_serves_those_that_wait() {
    within(async {
        let log = Log::new();
        let notes = log.clone();
        let mut set = as_completed((0..).map(move |n: u32| {
            let notes = notes.clone();
            async move {
                if n == 0 {
                    for _ in 0..10 {
                        yield_now().await;
                    }
                    notes.push(());
                }
            }
        }))
        .limit(3);
        while log.len() == 0 {
            set.next().await.unwrap();
        }
    });
}

#[test]
fn a_hundred_thousand_gathers_that_are_dropped_leave_nothing() {
    within(async {
        let (drops, bell) = (Drops::default(), Bell::new());
        for _ in 0..MANY {
            let mut all = gather([drops.forever(), drops.forever()]);
            assert_eq!(bell.poll(&mut all), Poll::Pending);
        }
        assert_eq!((drops.count(), bell.is_kept()), (2 * MANY, false));
    });
}
