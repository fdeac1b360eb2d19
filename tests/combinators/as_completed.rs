//! `as_completed`: results as they come, from a set that grows.

use std::future::{Future, poll_fn, ready};
use std::pin::Pin;
use std::time::Duration;

use petla::{Stream, as_completed, spawn, timeout, yield_now};

use crate::common::hand::at_once;
use crate::common::{Bell, Log, panic_text, poll_once, within};
use crate::switch::{Knob, switch, switches};

#[test]
fn results_come_in_the_order_in_which_they_end_with_their_numbers() {
    // W14
    within(async {
        let (knobs, futures) = switches(4);
        let mut set = as_completed(futures);
        assert!(poll_once(&mut set.next()).is_pending());
        for n in [2, 0, 3, 1] {
            knobs[n].set(n * 10);
            assert_eq!(set.next().await, Some((n, n * 10)));
        }
        assert_eq!(set.next().await, None);
    });
}

#[test]
fn the_tasks_themselves_may_be_what_is_given() {
    // W14: asyncio yields the original objects.
    within(async {
        let mut tasks = [3, 1].map(|turns| {
            spawn(async move {
                for _ in 0..turns {
                    yield_now().await;
                }
                turns
            })
        });
        let mut ended = as_completed(&mut tasks);
        assert_eq!(ended.next().await.unwrap().0, 1);
        drop(ended);
        assert!(tasks[1].is_finished() && !tasks[0].is_finished());
    });
}

#[test]
fn a_loop_that_was_left_can_be_taken_up_again() {
    // W14
    within(async {
        let mut set = as_completed([1, 2, 3].map(ready));
        let mut sum = 0;
        while let Some((_, n)) = set.next().await {
            sum += n;
            if n == 2 {
                break;
            }
        }
        assert_eq!((sum, set.len()), (3, 0), "the third was not begun");
        while let Some((_, n)) = set.next().await {
            sum += n;
        }
        assert_eq!(sum, 6);
    });
}

#[test]
fn a_limit_of_time_around_next_loses_nothing() {
    // W14: one result, then the timeout, and the other one all the same.
    within(async {
        let (knobs, futures) = switches(2);
        let mut set = as_completed(futures);
        knobs[1].set('b');
        let limit = Duration::from_millis(1);
        assert_eq!(timeout(limit, set.next()).await, Ok(Some((1, 'b'))));
        assert!(timeout(limit, set.next()).await.is_err());
        knobs[0].set('a');
        assert_eq!(timeout(limit, set.next()).await, Ok(Some((0, 'a'))));
    });
}

#[test]
fn the_end_is_given_again_and_again_until_something_is_pushed() {
    within(async {
        let mut set = as_completed([ready('a')]);
        assert_eq!(set.next().await, Some((0, 'a')));
        for _ in 0..3 {
            assert_eq!(set.next().await, None);
        }
        assert_eq!(set.push(ready('b')), 1);
        assert_eq!((set.len(), set.is_empty()), (1, false));
        assert_eq!(set.next().await, Some((1, 'b')));
        assert_eq!((set.next().await, set.is_empty()), (None, true));
    });
}

#[test]
fn of_nothing_the_end_comes_at_once() {
    let mut none = as_completed(std::iter::empty::<std::future::Ready<u8>>());
    assert_eq!((at_once(none.next()), none.len()), (None, 0));
    assert!(none.into_pending().is_empty());
}

#[test]
fn what_is_pushed_before_the_input_was_read_keeps_the_numbers_of_the_input() {
    let mut set = as_completed([10, 11, 12].map(ready)).limit(1);
    assert_eq!(at_once(set.next()), Some((0, 10)));
    assert_eq!(
        (set.push(ready(13)), set.push(ready(14)), set.len()),
        (3, 4, 4)
    );
    for n in 1..5 {
        assert_eq!(at_once(set.next()), Some((n, 10 + n)));
    }
    assert_eq!(at_once(set.next()), None);
}

#[test]
fn a_limit_holds_for_what_is_pushed_too() {
    let (knobs, mut futures) = switches(4);
    let rest = futures.split_off(2);
    let mut set = as_completed(futures).limit(2);
    for future in rest {
        set.push(future);
    }
    assert!(poll_once(&mut set.next()).is_pending());
    let begun = |knobs: &[Knob<()>]| knobs.iter().filter(|k| k.polls() > 0).count();
    assert_eq!(begun(&knobs), 2);
    knobs[1].set(());
    assert_eq!(at_once(set.next()), Some((1, ())));
    assert!(poll_once(&mut set.next()).is_pending());
    assert_eq!(begun(&knobs), 3);
    assert_eq!(
        panic_text(|| drop(set.limit(0))),
        "with a limit of 0 nothing would ever run"
    );
}

#[test]
fn the_pending_come_back_untouched_begun_or_not() {
    within(async {
        let (knobs, futures) = switches(5);
        let mut tasks = futures.into_iter().map(spawn);
        let mut set = as_completed(tasks.by_ref().take(4)).limit(2);
        assert!(poll_once(&mut set.next()).is_pending());
        knobs[0].set(0);
        assert_eq!(set.next().await.unwrap().0, 0);
        set.push(spawn(async { 5 }));
        let pending = set.into_pending();
        assert!(pending.iter().map(|(number, _)| *number).eq([1, 2, 3, 4]));
        for (knob, n) in knobs[1..4].iter().zip(1..) {
            knob.set(n);
        }
        let mut values = Vec::new();
        for (_, task) in pending {
            values.push(task.await.unwrap());
        }
        assert_eq!(values, [1, 2, 3, 5]);
    });
}

#[test]
fn a_dropped_next_loses_nothing() {
    let (knob, future) = switch();
    let mut set = as_completed([future]);
    let bell = Bell::new();
    assert!(bell.poll(&mut set.next()).is_pending());
    knob.set(7);
    assert_eq!((bell.rings(), at_once(set.next())), (1, Some((0, 7))));
}

#[test]
fn it_is_a_stream() {
    async fn collect<S: Stream + Unpin>(mut stream: S) -> Vec<S::Item> {
        let mut items = Vec::new();
        while let Some(item) = poll_fn(|cx| Pin::new(&mut stream).poll_next(cx)).await {
            items.push(item);
        }
        items
    }
    let items = at_once(collect(as_completed(["a", "b"].map(ready))));
    assert_eq!(items, [(0, "a"), (1, "b")]);
}

#[test]
fn boxed_futures_of_many_kinds_fit_into_one_set() {
    type Boxed = Pin<Box<dyn Future<Output = u8>>>;
    let mut set = as_completed([Box::pin(async { 1u8 }) as Boxed]);
    set.push(Box::pin(ready(2)));
    assert_eq!(
        (at_once(set.next()), at_once(set.next())),
        (Some((0, 1)), Some((1, 2)))
    );
}

#[test]
fn a_loop_over_results_that_are_all_there_lets_other_tasks_run() {
    within(async {
        let log = Log::new();
        let others = log.clone();
        drop(spawn(async move {
            loop {
                others.push(());
                yield_now().await;
            }
        }));
        let mut set = as_completed((0..1000).map(ready));
        while set.next().await.is_some() {}
        assert!(log.len() >= 10, "{} turns in 1,000 results", log.len());
    });
}

#[test]
fn several_that_ended_meanwhile_are_given_one_by_one() {
    let (knobs, futures) = switches(3);
    let mut set = as_completed(futures);
    assert!(poll_once(&mut set.next()).is_pending());
    knobs[2].set(2);
    knobs[0].set(0);
    let mut given = [at_once(set.next()), at_once(set.next())];
    given.sort_unstable();
    assert_eq!(given, [Some((0, 0)), Some((2, 2))]);
    assert!(poll_once(&mut set.next()).is_pending());
}
