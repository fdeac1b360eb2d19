//! `gather` and `try_gather`: results in order, limits, errors, cancelling.

use std::cell::Cell;
use std::future::{pending, ready};
use std::rc::Rc;
use std::task::Poll;

use petla::local::Event;
use petla::{Task, gather, gather_limit, spawn, spawn_eager, try_gather, yield_now};

use crate::common::hand::at_once;
use crate::common::{Drops, Log, panic_text, poll_once, raise, within};
use crate::switch::{switch, switches};

#[test]
fn results_come_in_the_order_of_the_input_however_they_end() {
    // W1
    let (knobs, futures) = switches(5);
    let mut all = gather(futures);
    for n in [3, 0, 4, 1] {
        assert!(poll_once(&mut all).is_pending());
        knobs[n].set(n * 10);
    }
    assert!(poll_once(&mut all).is_pending());
    knobs[2].set(20);
    assert_eq!(poll_once(&mut all), Poll::Ready(vec![0, 10, 20, 30, 40]));
}

#[test]
fn nothing_and_one_are_gathered_at_once() {
    assert!(at_once(gather(std::iter::empty::<std::future::Ready<u8>>())).is_empty());
    assert_eq!(at_once(gather([ready(1)])), [1]);
    let none: [std::future::Ready<Result<u8, u8>>; 0] = [];
    assert_eq!(at_once(try_gather(none)), Ok(vec![]));
}

#[test]
fn children_may_borrow_and_be_anything_that_turns_into_a_future() {
    let total = Cell::new(0);
    let add = async |n: &u32| total.set(total.get() + n);
    at_once(gather([1, 2, 3].iter().map(add)));
    assert_eq!(total.get(), 6);
}

#[test]
fn a_limit_holds_and_the_iterator_is_read_one_by_one() {
    let (knobs, futures) = switches(5);
    let begun = Cell::new(0);
    let mut all = gather(futures.into_iter().inspect(|_| begun.set(begun.get() + 1))).limit(2);
    assert_eq!(begun.get(), 0, "nothing happens before the first poll");
    for (n, knob) in knobs.iter().enumerate() {
        assert!(poll_once(&mut all).is_pending());
        assert_eq!(begun.get(), (n + 2).min(5));
        assert_eq!(knob.drops(), 0);
        knob.set(n);
    }
    assert_eq!(poll_once(&mut all), Poll::Ready(vec![0, 1, 2, 3, 4]));
}

#[test]
fn a_place_that_falls_free_keeps_no_old_number() {
    let (knobs, futures) = switches(4);
    let mut all = gather_limit(2, futures);
    for n in [1, 2, 3, 0] {
        assert!(poll_once(&mut all).is_pending());
        knobs[n].set(n);
    }
    assert_eq!(poll_once(&mut all), Poll::Ready(vec![0, 1, 2, 3]));
}

#[test]
fn a_limit_of_zero_is_refused_where_it_is_set() {
    let text = "with a limit of 0 nothing would ever run";
    let children = || [ready(Ok::<_, ()>(1))];
    assert_eq!(panic_text(|| drop(gather(children()).limit(0))), text);
    assert_eq!(panic_text(|| drop(gather_limit(0, children()))), text);
    assert_eq!(panic_text(|| drop(try_gather(children()).limit(0))), text);
}

#[test]
fn a_child_is_dropped_as_soon_as_it_has_ended() {
    let (knobs, futures) = switches(2);
    let mut all = gather(futures);
    assert!(poll_once(&mut all).is_pending());
    knobs[0].set(());
    assert!(poll_once(&mut all).is_pending());
    assert_eq!((knobs[0].drops(), knobs[1].drops()), (1, 0));
    drop(all);
    assert_eq!((knobs[0].drops(), knobs[1].drops()), (1, 1));
}

#[test]
fn polled_again_after_its_result_it_says_so() {
    let mut all = gather([ready(1)]);
    assert!(poll_once(&mut all).is_ready());
    let text = panic_text(|| poll_once(&mut all));
    assert!(
        text.starts_with("a `gather` was polled again after it gave its results"),
        "{text}"
    );
    let mut all = try_gather([ready(Err::<(), _>(1))]);
    assert_eq!(poll_once(&mut all), Poll::Ready(Err(1)));
    let text = panic_text(|| poll_once(&mut all));
    assert!(
        text.starts_with("a `try_gather` was polled again after it gave"),
        "{text}"
    );
}

#[test]
fn the_first_error_in_time_is_the_one_and_the_others_are_gone_when_it_is_seen() {
    let (knobs, futures) = switches::<Result<u8, &str>>(3);
    let mut all = try_gather(futures);
    assert!(poll_once(&mut all).is_pending());
    knobs[2].set(Err("the last of the input"));
    assert_eq!(
        poll_once(&mut all),
        Poll::Ready(Err("the last of the input"))
    );
    assert!(knobs.iter().all(|knob| knob.drops() == 1));
}

#[test]
fn an_error_stops_the_iterator() {
    let begun = Cell::new(0);
    let children = (0..).map(|n| {
        begun.set(n);
        ready(if n < 3 { Ok(n) } else { Err(n) })
    });
    assert_eq!(at_once(try_gather(children)), Err(3));
    assert_eq!(begun.get(), 3);
}

#[test]
fn values_come_in_order_if_there_is_no_error() {
    let (knobs, futures) = switches::<Result<usize, ()>>(3);
    let mut all = try_gather(futures).limit(2);
    for n in [1, 2, 0] {
        assert!(poll_once(&mut all).is_pending());
        knobs[n].set(Ok(n));
    }
    assert_eq!(poll_once(&mut all), Poll::Ready(Ok(vec![0, 1, 2])));
}

#[test]
fn an_error_among_gathered_results_stops_nobody() {
    // B52, W3: errors, panics and cancelled children are results like others.
    within(async {
        let cancelled = spawn(pending());
        cancelled.cancel("not needed");
        let tasks: [Task<Result<u8, u8>>; 4] = [
            spawn(async { Err(1) }),
            cancelled,
            spawn(async { raise("broken") }),
            spawn(async {
                yield_now().await;
                Ok(2)
            }),
        ];
        let results = gather(tasks).await;
        assert!(matches!(results[0], Ok(Err(1))));
        assert_eq!(
            results[1].as_ref().unwrap_err().reason(),
            Some("not needed")
        );
        assert!(results[2].as_ref().unwrap_err().is_panic());
        assert!(matches!(results[3], Ok(Ok(2))));
    });
}

#[test]
fn tasks_given_by_reference_run_on_after_the_first_error() {
    // W2, B52: asyncio's default, where one asks for it.
    within(async {
        let go = Rc::new(Event::new());
        let waits = Rc::clone(&go);
        let mut tasks = [
            spawn(async move {
                waits.wait().await;
                Ok(1)
            }),
            spawn(async { Err("early") }),
        ];
        let value = async |task: &mut Task<_>| task.await.unwrap();
        assert_eq!(try_gather(tasks.iter_mut().map(value)).await, Err("early"));
        go.set();
        let [first, _] = tasks;
        assert_eq!(first.await.unwrap(), Ok(1));
    });
}

#[test]
fn cancelling_the_task_that_gathers_cancels_every_child() {
    // W4, B49: the cancel is neither swallowed nor late.
    within(async {
        let drops = Drops::default();
        let children: Vec<_> = (0..3).map(|_| spawn(drops.forever())).collect();
        let outer = spawn(gather(children));
        yield_now().await;
        yield_now().await;
        assert!(outer.cancel("enough"));
        assert_eq!(outer.await.unwrap_err().reason(), Some("enough"));
        yield_now().await;
        assert_eq!(drops.count(), 3);
    });
}

#[test]
fn a_cancel_after_the_results_are_there_is_refused() {
    // W5, B50
    within(async {
        let outer = spawn(gather([ready(1), ready(2)]));
        yield_now().await;
        assert!(outer.is_finished() && !outer.cancel("too late"));
        assert_eq!(outer.await.unwrap(), [1, 2]);
    });
}

#[test]
fn a_cancel_between_the_last_child_and_the_results_is_obeyed() {
    // B50: asyncio said yes, and cancelled nothing.
    within(async {
        let (knobs, futures) = switches(2);
        let outer = spawn(gather(futures));
        yield_now().await;
        knobs.iter().for_each(|knob| knob.set(1));
        assert!(outer.cancel("in between"));
        assert_eq!(outer.await.unwrap_err().reason(), Some("in between"));
        assert!(knobs.iter().all(|knob| knob.drops() == 1));
    });
}

#[test]
fn a_loop_that_gathers_again_and_again_can_be_cancelled() {
    // W6
    within(async {
        let rounds = Rc::new(Cell::new(0));
        let counted = Rc::clone(&rounds);
        let outer = spawn(async move {
            loop {
                gather([spawn(yield_now()), spawn(yield_now())]).await;
                counted.set(counted.get() + 1);
            }
        });
        while rounds.get() < 3 {
            yield_now().await;
        }
        assert!(outer.cancel(()));
        let error: petla::JoinError = match outer.await {
            Err(error) => error,
            Ok(never) => never,
        };
        assert!(error.is_cancelled());
    });
}

#[test]
fn borrowed_tasks_survive_the_gather_that_is_dropped() {
    // W7
    within(async {
        let (knob, child) = switch();
        let mut task = spawn(child);
        let mut all = Box::pin(gather([&mut task]));
        assert!(poll_once(&mut all).is_pending());
        drop(all);
        yield_now().await;
        knob.set(5);
        assert_eq!(task.await.unwrap(), 5);
    });
}

#[test]
fn children_that_ended_before_are_gathered_in_the_first_poll() {
    // B51
    within(async {
        let tasks = [1, 2].map(|n| spawn_eager(async move { n }));
        let mut all = gather(tasks);
        let Poll::Ready(results) = poll_once(&mut all) else {
            panic!("all were ready");
        };
        assert_eq!(
            results[0].as_ref().unwrap() + results[1].as_ref().unwrap(),
            3
        );
    });
}

#[test]
fn gathers_three_deep_give_their_results_in_order() {
    within(async {
        let log = Log::new();
        let deep = gather((0..3).map(|a| {
            let log = log.clone();
            gather((0..3).map(move |b| {
                let log = log.clone();
                gather((0..3).map(move |c| {
                    let log = log.clone();
                    async move {
                        for _ in 0..(2 * a + b + c) % 4 {
                            yield_now().await;
                        }
                        log.push((a, b, c));
                        9 * a + 3 * b + c
                    }
                }))
            }))
        }));
        let numbers: Vec<u32> = deep.await.into_iter().flatten().flatten().collect();
        assert_eq!(numbers, (0..27).collect::<Vec<_>>());
        assert_eq!(log.len(), 27);
    });
}
