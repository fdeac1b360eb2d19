//! Queues under a loop's polls, which are made by hand here: grants that lapse.
//!
//! What needs no loop is tested through the public API, in `tests/queue.rs`.

use std::cell::Cell;
use std::cmp::Ordering;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::task::Poll;

use proptest::prelude::*;

use super::{ByPriority, Fifo};
use crate::context;
use crate::primitives::hand::{Boxed, in_task, poll};
use crate::wait_list::{Local, Shared};

type Queue<T> = super::Queue<T, Fifo, Local>;
type SharedQueue<T> = super::Queue<T, Fifo, Shared>;
type PriorityQueue<P, T> = super::Queue<(P, T), ByPriority, Local>;

/// A future that `task` polled once, and that waits.
fn waiting<'a, F: Future + 'a>(task: u32, future: F) -> Boxed<'a, F::Output> {
    let mut future: Boxed<'a, _> = Box::pin(future);
    assert!(in_task(task, || poll(&mut future)).is_pending());
    future
}

#[test]
fn a_get_that_its_task_looks_past_gives_way_to_the_next() {
    let queue = Queue::unbounded();
    let (mut asleep, mut next) = (waiting(1, queue.get()), waiting(2, queue.get()));
    queue.put_nowait('a').unwrap();
    in_task(1, || ());
    assert_eq!(in_task(2, || poll(&mut next)), Poll::Ready(Ok('a')));
    assert!(in_task(1, || poll(&mut asleep)).is_pending());
    queue.put_nowait('b').unwrap();
    assert_eq!(in_task(1, || poll(&mut asleep)), Poll::Ready(Ok('b')));
}

#[test]
fn an_item_whose_get_lapsed_alone_is_free() {
    let queue = Queue::unbounded();
    let mut asleep = waiting(1, queue.get());
    queue.put_nowait(1).unwrap();
    assert!(queue.get_nowait().is_err());
    in_task(1, || ());
    assert_eq!(queue.get_nowait(), Ok(1));
    assert!(in_task(1, || poll(&mut asleep)).is_pending());
}

#[test]
fn a_put_that_its_task_looks_past_keeps_its_item_and_gives_way() {
    let queue = Queue::bounded(1);
    queue.put_nowait(0).unwrap();
    let (mut asleep, mut next) = (waiting(1, queue.put(1)), waiting(2, queue.reserve()));
    queue.get_nowait().unwrap();
    in_task(1, || ());
    match in_task(2, || poll(&mut next)) {
        Poll::Ready(Ok(slot)) => slot.put(2),
        _ => panic!("it was its turn"),
    }
    assert!(in_task(1, || poll(&mut asleep)).is_pending());
    assert_eq!(queue.get_nowait(), Ok(2));
    assert_eq!(in_task(1, || poll(&mut asleep)), Poll::Ready(Ok(())));
    assert_eq!(queue.get_nowait(), Ok(1));
}

#[test]
fn the_end_of_a_join_does_not_lapse() {
    let queue = Queue::unbounded();
    queue.put_nowait(1).unwrap();
    let mut join = waiting(1, queue.join());
    queue.task_done().unwrap();
    queue.put_nowait(2).unwrap();
    in_task(1, || ());
    assert!(in_task(1, || poll(&mut join)).is_ready());
}

#[test]
fn the_news_of_a_shutdown_do_not_lapse() {
    let queue = Queue::<u8>::unbounded();
    let mut get = waiting(1, queue.get());
    queue.shutdown(false);
    in_task(1, || ());
    assert!(matches!(in_task(1, || poll(&mut get)), Poll::Ready(Err(_))));
}

#[test]
fn a_get_that_lapses_after_the_shutdown_lets_the_others_have_the_item() {
    let queue = Queue::unbounded();
    let (mut asleep, mut next) = (waiting(1, queue.get()), waiting(2, queue.get()));
    queue.put_nowait(1).unwrap();
    queue.shutdown(false);
    in_task(1, || ());
    assert_eq!(in_task(2, || poll(&mut next)), Poll::Ready(Ok(1)));
    assert!(matches!(
        in_task(1, || poll(&mut asleep)),
        Poll::Ready(Err(_))
    ));
}

#[test]
fn a_shared_queue_keeps_a_grant_until_it_is_looked_at() {
    let queue = SharedQueue::unbounded();
    let mut asleep = waiting(1, queue.get());
    queue.put_nowait(1).unwrap();
    in_task(1, || ());
    assert!(queue.get_nowait().is_err());
    assert_eq!(queue.statistics().holders, 1);
    assert_eq!(in_task(1, || poll(&mut asleep)), Poll::Ready(Ok(1)));
}

#[test]
fn a_get_that_waits_takes_48_bytes() {
    let queue = Queue::<u64>::unbounded();
    assert_eq!(size_of_val(&queue.get()), 48);
    assert_eq!(size_of_val(&queue.put(1)), 48 + size_of::<Option<u64>>());
}

#[test]
fn a_thread_that_runs_a_loop_is_not_put_to_sleep() {
    let queue = SharedQueue::bounded(1);
    let outside = context::set_loop_thread(true);
    let get = catch_unwind(AssertUnwindSafe(|| queue.blocking_get()));
    let put = catch_unwind(AssertUnwindSafe(|| queue.blocking_put(1)));
    context::set_loop_thread(outside);
    for (panic, advice) in [
        (get.expect_err("it may not"), "await `get` instead"),
        (put.expect_err("it may not"), "await `put` instead"),
    ] {
        assert!(
            panic
                .downcast_ref::<String>()
                .is_some_and(|text| text.contains(advice))
        );
    }
    assert_eq!(queue.blocking_put(1), Ok(()));
    assert_eq!(queue.blocking_get(), Ok(1));
}

/// A priority whose order comes back to the queue that asks for it.
struct Nosy(Rc<PriorityQueue<Nosy, ()>>, Rc<Cell<bool>>);

impl Ord for Nosy {
    fn cmp(&self, _: &Self) -> Ordering {
        if self.1.get() {
            self.0.len();
        }
        Ordering::Equal
    }
}

impl PartialOrd for Nosy {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Nosy {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Nosy {}

#[test]
fn an_order_that_uses_its_own_queue_panics_and_the_queue_goes_on() {
    let queue = Rc::new(PriorityQueue::unbounded());
    let nosy = Rc::new(Cell::new(true));
    let put = || queue.put_nowait((Nosy(queue.clone(), nosy.clone()), ()));
    assert!(put().is_ok());
    let second = catch_unwind(AssertUnwindSafe(|| drop(put())));
    let panic = second.expect_err("it came back");
    assert!(
        panic
            .downcast_ref::<&str>()
            .is_some_and(|text| text.contains("Ord::cmp"))
    );
    nosy.set(false);
    assert!(put().is_ok());
    while queue.get_nowait().is_ok() {}
    queue.shutdown(true);
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Put,
    Get(u32),
    /// A poll of the task that looks at this many of its futures.
    Poll(u32, usize),
    Drop(usize),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        Just(Step::Put),
        (0..3_u32).prop_map(Step::Get),
        ((0..3_u32), (0..3_usize)).prop_map(|(task, looks)| Step::Poll(task, looks)),
        (0..16_usize).prop_map(Step::Drop),
    ]
}

proptest! {
    /// Whatever lapses: no item is lost or doubled, and whoever is idle did not block the rest.
    #[test]
    fn items_survive_any_number_of_lapses(program in prop::collection::vec(step(), 0..60)) {
        let queue = Queue::unbounded();
        let mut gets: Vec<(u32, Boxed<'_, _>)> = Vec::new();
        let mut got = Vec::new();
        let mut put = 0..;
        for step in program {
            match step {
                Step::Put => queue.put_nowait(put.next().unwrap()).unwrap(),
                Step::Get(task) => gets.push((task, Box::pin(queue.get()))),
                Step::Poll(task, mut looks) => in_task(task, || gets.retain_mut(|(of, get)| {
                    if *of != task || looks == 0 {
                        return true;
                    }
                    looks -= 1;
                    match poll(get) {
                        Poll::Ready(item) => got.push(item.unwrap()),
                        Poll::Pending => return true,
                    }
                    false
                })),
                Step::Drop(index) if !gets.is_empty() => drop(gets.remove(index % gets.len())),
                Step::Drop(_) => {}
            }
        }
        // Polls that look at nothing: what was granted lapses, so nothing is promised.
        for task in [0, 1, 2, 0, 1, 2] {
            for _ in 0..gets.len() {
                in_task(task, || ());
            }
        }
        prop_assert_eq!(queue.statistics().holders, 0);
        got.extend(std::iter::from_fn(|| queue.get_nowait().ok()));
        got.sort_unstable();
        prop_assert!(got.into_iter().eq(0..put.start));
    }
}
