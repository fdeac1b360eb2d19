//! Combinators without a loop, in foreign executors, and on their way between loops.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::thread;

use petla::sync::Event;
use petla::{EventLoop, When, as_completed, gather, run, spawn, try_gather, wait, yield_now};

use crate::common::hand::drive;
use crate::common::{Bell, poll_once, within};
use crate::switch::switches;

/// Every combinator at once, fed by `switches` that a sibling sets.
fn a_day_of_work() -> Vec<Pin<Box<dyn Future<Output = ()>>>> {
    let (knobs, futures) = switches(9);
    let mut futures = futures.into_iter();
    let mut three = || -> Vec<_> { futures.by_ref().take(3).collect() };
    let (first, second, third) = (three(), three(), three());
    let all = async move {
        let (a, b) = petla::gather!(gather(first), try_gather(second).limit(2)).await;
        assert_eq!((a, b), (vec![Ok(0), Ok(1), Ok(2)], Ok(vec![3, 4, 5])));
    };
    let each = async move {
        let mut set = as_completed(third);
        let mut sum = 0;
        while let Some((_, n)) = set.next().await {
            sum += n.unwrap();
        }
        assert_eq!(sum, 6 + 7 + 8);
    };
    let set = async move {
        for n in [8, 2, 5, 0, 1, 7, 6, 4, 3] {
            yield_now().await;
            knobs[n].set(Ok::<usize, ()>(n));
        }
    };
    vec![Box::pin(all), Box::pin(each), Box::pin(set)]
}

#[test]
fn a_foreign_executor_runs_them_without_a_loop() {
    // B57
    assert_eq!(drive(a_day_of_work()), 0);
}

#[test]
fn a_foreign_executor_runs_them_inside_a_loop() {
    within(async { assert_eq!(drive(a_day_of_work()), 0) });
}

#[test]
fn a_loop_runs_them_in_one_task_and_in_several() {
    within(async {
        gather(a_day_of_work()).await;
        gather(a_day_of_work().into_iter().map(spawn)).await;
    });
}

#[test]
fn a_foreign_waker_is_woken_and_replaced() {
    let (knobs, futures) = switches(3);
    let mut all = gather(futures);
    let (early, late) = (Bell::new(), Bell::new());
    assert!(early.poll(&mut all).is_pending() && late.poll(&mut all).is_pending());
    knobs[1].set(());
    assert_eq!((early.rings(), late.rings()), (0, 1));
}

#[test]
fn begun_on_one_loop_it_ends_on_another_or_on_none() {
    let loops = [(); 2].map(|()| EventLoop::new().unwrap());
    let (knobs, futures) = switches(6);
    let mut all = gather(futures);
    let mut once = |at: usize, knob: usize| {
        let poll = poll_fn(|cx| Poll::Ready(Pin::new(&mut all).poll(cx)));
        let polled = match loops.get(at) {
            Some(there) => there.run_until_complete(poll).unwrap(),
            None => poll_once(&mut std::pin::pin!(poll)).map(|polled| match polled {
                Poll::Ready(results) => results,
                Poll::Pending => Vec::new(),
            }),
        };
        knobs[knob].set(knob);
        matches!(polled, Poll::Ready(results) if !results.is_empty())
    };
    const NOWHERE: usize = 2;
    for (knob, at) in [0, 1, NOWHERE, 0, NOWHERE, 1].into_iter().enumerate() {
        assert!(!once(at, knob));
    }
    let results = loops[0].run_until_complete(&mut all).unwrap();
    assert_eq!(results, [0, 1, 2, 3, 4, 5]);
}

#[test]
fn on_the_new_loop_a_wake_reaches_the_child() {
    let loops = [(); 2].map(|()| EventLoop::new().unwrap());
    let (knobs, futures) = switches(3);
    let mut all = gather(futures);
    for there in &loops {
        there
            .run_until_complete(async { assert!(poll_once(&mut all).is_pending()) })
            .unwrap();
    }
    let results = loops[1].run_until_complete(async {
        drop(spawn(async move {
            for knob in knobs {
                yield_now().await;
                knob.set(1);
            }
        }));
        all.await
    });
    assert_eq!(results.unwrap(), [1, 1, 1]);
}

#[test]
fn begun_on_one_thread_it_ends_or_is_dropped_on_another() {
    for ends in [true, false] {
        let event = Arc::new(Event::new());
        let wait = |_| {
            let event = Arc::clone(&event);
            async move { event.wait().await }
        };
        let mut all = gather((0..100).map(wait).collect::<Vec<_>>());
        run(async {
            assert!(poll_once(&mut all).is_pending());
            let event = Arc::clone(&event);
            let there = thread::spawn(move || {
                if ends {
                    let count = run(async move {
                        assert!(poll_once(&mut all).is_pending());
                        event.set();
                        all.await.len()
                    });
                    assert_eq!(count, 100);
                }
            });
            there.join().unwrap();
            yield_now().await;
        });
    }
}

#[test]
fn tasks_of_another_loop_are_waited_for_and_gathered() {
    let (home, away) = (EventLoop::new().unwrap(), EventLoop::new().unwrap());
    let turns = |event_loop: &EventLoop| {
        for _ in 0..3 {
            event_loop.run_until_complete(yield_now()).unwrap();
        }
    };
    let (knobs, futures) = switches(3);
    let mut tasks: Vec<_> = futures.into_iter().map(|f| home.spawn(f)).collect();
    turns(&home);
    let mut first = wait(&mut tasks, When::FirstCompleted, None);
    let poll = async { assert!(poll_once(&mut first).is_pending()) };
    away.run_until_complete(poll).unwrap();
    knobs[1].set(1);
    turns(&home);
    let done = away.run_until_complete(first).unwrap();
    assert_eq!((done.len(), tasks.len()), (1, 2));
    let rest = away.spawn(gather(tasks));
    turns(&away);
    knobs.iter().for_each(|knob| knob.set(2));
    turns(&away);
    assert!(!rest.is_finished(), "their loop has not run");
    turns(&home);
    let values = away.run_until_complete(rest).unwrap().unwrap();
    assert!(values.into_iter().map(Result::unwrap).eq([2, 2]));
}

#[test]
fn it_outlives_its_loop() {
    let (knobs, futures) = switches(2);
    let mut all = gather(futures);
    within(async { assert!(poll_once(&mut all).is_pending()) });
    knobs.iter().for_each(|knob| knob.set(1));
    assert_eq!(poll_once(&mut all), Poll::Ready(vec![1, 1]));
}
