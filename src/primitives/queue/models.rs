//! Loom models of `sync::Queue`, `LifoQueue` and `PriorityQueue`: operations of two or three
//! threads, cancelled at each point.
//!
//! A lost wake-up shows as a deadlock; a lost, doubled or leaked item as a wrong count.
//!
//! # Bounds
//! Here the bound on pre-emptions of `.ci/loom`. All orders were tried of all models but
//! `the_last_item_..`, `an_immediate_shutdown_..` and `a_join_..`, which did not end in a minute
//! and were explored up to five pre-emptions.
//!
//! # What the models catch
//! `.ci/mutate queue` seeds each line; two pre-emptions suffice for all of them.
//!
//! | mutation | fails |
//! | --- | --- |
//! | `Rules::left` keeps a getter's right | `a_cancelled_get_..` |
//! | `Rules::left` keeps a putter's right | `a_cancelled_put_..` |
//! | `get` feeds no putter | `one_place_..`, `a_cancelled_put_..`, `a_put_cannot_..` |
//! | `put` feeds no getter | `one_place_..`, `a_cancelled_get_..`, `a_get_cannot_..` |
//! | `get_granted` does not lower the promise | `one_place_..`, `a_thread_sleeps_..` |
//! | `has_item` ignores promises | `a_get_cannot_..`, `a_cancelled_get_..` |
//! | `has_place` or `is_full` ignores promises | `a_put_cannot_..` |
//! | `shutdown` does not pump | `a_shutdown_ends_..`, `the_last_item_..` |
//! | `release` does not settle while draining | `the_last_item_..` |
//! | `is_exhausted` ignores slots; a slot's drop does not settle | `a_get_waits_for_a_slot_..` |
//! | `shut` does not lower `unfinished` | `an_immediate_shutdown_..` |
//! | `task_done` does not settle | `a_join_..` |
//! | a grant is stored or claimed relaxed | `a_join_..` |
//! | a stack keeps one item, or gives none | `a_stack_..` |
//! | a priority queue gives the worst item, or the oldest | `a_get_that_waited_..` |
//! | `park` sleeps before it looks; a wake sets no flag | `a_thread_sleeps_..` |
//!
//! # Not here
//! More of the orders: the store is plain data under the lock. `local`: it has no threads; `tests`
//! and the property tests compare it with `sync`.

use std::future::Future;
use std::task::Poll;

use loom::cell::Cell;
use loom::future::block_on;
use loom::thread;

use super::{ByPriority, Fifo, GetError, Lifo, PutError, ShutDown};
use crate::primitives::threads::{poll_once, spawn};
use crate::rt::{Arc, AtomicUsize, Ordering};
use crate::wait_list::Shared;

type Queue<T> = super::Queue<T, Fifo, Shared>;

fn bounded<T>(capacity: usize) -> Arc<Queue<T>> {
    Arc::new(Queue::bounded(capacity))
}

#[test]
fn one_place_is_enough() {
    loom::model(|| {
        let queue = bounded(1);
        let producer = spawn(&queue, |queue| {
            block_on(async {
                queue.put(1).await.unwrap();
                queue.put(2).await.unwrap();
            });
        });
        let got = block_on(async { [queue.get().await, queue.get().await] });
        assert_eq!(got, [Ok(1), Ok(2)]);
        producer.join().unwrap();
        assert!(queue.is_empty());
    });
}

#[test]
fn a_cancelled_get_passes_its_right_on() {
    loom::model(|| {
        let queue = bounded(1);
        let stays = spawn(&queue, |queue| block_on(queue.get()).unwrap());
        let producer = spawn(&queue, |queue| queue.put_nowait(7).unwrap());
        if let Some(item) = poll_once(queue.get()) {
            producer.join().unwrap();
            queue.put_nowait(item.unwrap()).unwrap();
        }
        assert_eq!(stays.join().unwrap(), 7);
    });
}

#[test]
fn a_cancelled_put_passes_its_right_on() {
    loom::model(|| {
        let queue = bounded(1);
        queue.put_nowait(0).unwrap();
        let stays = spawn(&queue, |queue| block_on(queue.put(1)).unwrap());
        let consumer = spawn(&queue, |queue| block_on(queue.get()).unwrap());
        let put = poll_once(queue.put(2)).is_some();
        let first = consumer.join().unwrap();
        if put {
            let _ = block_on(queue.get());
        }
        stays.join().unwrap();
        assert_eq!(first, 0);
        assert_eq!(queue.len(), 1);
    });
}

#[test]
fn a_get_cannot_be_overtaken() {
    loom::model(|| {
        let queue = bounded(1);
        let mut waits = Box::pin(queue.get());
        let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
        assert!(waits.as_mut().poll(&mut cx).is_pending());
        let thief = spawn(&queue, |queue| queue.get_nowait());
        queue.put_nowait(7).unwrap();
        assert_eq!(thief.join().unwrap(), Err(GetError::Empty));
        assert_eq!(waits.as_mut().poll(&mut cx), Poll::Ready(Ok(7)));
    });
}

#[test]
fn a_put_cannot_be_overtaken() {
    loom::model(|| {
        let queue = bounded(2);
        let slot = poll_once(queue.reserve()).expect("a place").unwrap();
        queue.put_nowait(1).unwrap();
        let mut waits = Box::pin(queue.put(2));
        let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
        assert!(waits.as_mut().poll(&mut cx).is_pending());
        // Neither the place that the get frees nor, with that promised, the slot's is free.
        let thief = spawn(&queue, |queue| queue.put_nowait(3));
        assert_eq!(queue.get_nowait(), Ok(1));
        drop(slot);
        assert_eq!(thief.join().unwrap(), Err(PutError::Full(3)));
        assert_eq!(waits.as_mut().poll(&mut cx), Poll::Ready(Ok(())));
        assert_eq!(queue.get_nowait(), Ok(2));
    });
}

#[test]
fn a_shutdown_ends_a_get() {
    loom::model(|| {
        let queue = bounded::<u8>(1);
        let waits = spawn(&queue, |queue| block_on(queue.get()));
        queue.shutdown(false);
        assert_eq!(waits.join().unwrap(), Err(ShutDown));
    });
}

#[test]
fn a_shutdown_ends_a_put() {
    loom::model(|| {
        let queue = bounded(1);
        queue.put_nowait(1).unwrap();
        let waits = spawn(&queue, |queue| block_on(queue.put(2)));
        queue.shutdown(false);
        assert_eq!(waits.join().unwrap(), Err(PutError::ShutDown(2)));
        assert_eq!(queue.get_nowait(), Ok(1));
        assert_eq!(queue.get_nowait(), Err(GetError::ShutDown));
    });
}

#[test]
fn the_last_item_ends_the_other_get() {
    loom::model(|| {
        let queue = bounded(1);
        let gets = [
            spawn(&queue, |queue| block_on(queue.get())),
            spawn(&queue, |queue| block_on(queue.get())),
        ];
        queue.put_nowait(7).unwrap();
        queue.shutdown(false);
        let mut got = gets.map(|thread| thread.join().unwrap());
        got.sort_by_key(Result::is_err);
        assert_eq!(got, [Ok(7), Err(ShutDown)]);
    });
}

#[test]
fn a_get_waits_for_a_slot_that_outlives_the_shutdown() {
    for fill in [true, false] {
        loom::model(move || {
            let queue = bounded(1);
            let consumer = spawn(&queue, |queue| block_on(queue.get()));
            let slot = poll_once(queue.reserve()).expect("a place").unwrap();
            queue.shutdown(false);
            if fill {
                slot.put(7);
            } else {
                drop(slot);
            }
            let expected = if fill { Ok(7) } else { Err(ShutDown) };
            assert_eq!(consumer.join().unwrap(), expected);
        });
    }
}

/// Counts its drops.
struct Counted(Arc<AtomicUsize>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn an_immediate_shutdown_drops_each_item_once() {
    loom::model(|| {
        let drops = Arc::new(AtomicUsize::new(0));
        let queue = bounded(1);
        let [first, second] = [Counted(drops.clone()), Counted(drops.clone())];
        let producer = spawn(&queue, move |queue| {
            block_on(async {
                // What is not put comes back in the error and is dropped there.
                let _ = queue.put(first).await;
                let _ = queue.put(second).await;
            });
        });
        let consumer = spawn(&queue, |queue| {
            if let Ok(item) = block_on(queue.get()) {
                drop(item);
                queue.task_done().unwrap();
            }
        });
        queue.shutdown(true);
        producer.join().unwrap();
        consumer.join().unwrap();
        assert_eq!(drops.load(Ordering::Relaxed), 2);
        block_on(queue.join());
        assert!(queue.is_empty());
    });
}

#[test]
fn a_join_sees_what_the_workers_did() {
    loom::model(|| {
        let queue = Arc::new(Queue::unbounded());
        let made = Arc::new([Cell::new(0), Cell::new(0)]);
        let workers = [0, 1].map(|index| {
            queue.put_nowait(()).unwrap();
            let made = made.clone();
            spawn(&queue, move |queue| {
                block_on(queue.get()).unwrap();
                made[index].set(1);
                queue.task_done().unwrap();
            })
        });
        block_on(queue.join());
        assert_eq!(made.each_ref().map(Cell::get), [1, 1]);
        for worker in workers {
            worker.join().unwrap();
        }
        assert!(queue.task_done().is_err());
    });
}

#[test]
fn a_thread_sleeps_until_there_is_an_item() {
    loom::model(|| {
        let queue = bounded(1);
        let sleeper = spawn(&queue, |queue| queue.blocking_get());
        queue.blocking_put(1).unwrap();
        queue.blocking_put(2).unwrap();
        assert_eq!(sleeper.join().unwrap(), Ok(1));
        assert_eq!(queue.get_nowait(), Ok(2));
    });
}

#[test]
fn a_stack_hands_every_item_over_once() {
    loom::model(|| {
        let stack = Arc::new(super::Queue::<_, Lifo, Shared>::bounded(2));
        let producer = {
            let stack = stack.clone();
            thread::spawn(move || {
                stack.put_nowait(1).unwrap();
                block_on(stack.put(2)).unwrap();
            })
        };
        let cancelled = poll_once(stack.get());
        let first = match cancelled {
            Some(item) => item.unwrap(),
            None => block_on(stack.get()).unwrap(),
        };
        let second = block_on(stack.get()).unwrap();
        producer.join().unwrap();
        assert_eq!(first + second, 3);
        assert!(stack.is_empty());
    });
}

#[test]
fn a_get_that_waited_takes_the_best_item_there_is() {
    loom::model(|| {
        let queue = Arc::new(super::Queue::<_, ByPriority, Shared>::bounded(2));
        let mut waits = Box::pin(queue.get());
        let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
        assert!(waits.as_mut().poll(&mut cx).is_pending());
        let producer = {
            let queue = queue.clone();
            thread::spawn(move || {
                queue.put_nowait((2, 'b')).unwrap();
                queue.put_nowait((1, 'a')).unwrap();
            })
        };
        let early = waits.as_mut().poll(&mut cx);
        producer.join().unwrap();
        match early {
            Poll::Ready(item) => assert!(item.is_ok()),
            Poll::Pending => assert_eq!(waits.as_mut().poll(&mut cx), Poll::Ready(Ok((1, 'a')))),
        }
        assert_eq!(queue.len(), 1);
    });
}
