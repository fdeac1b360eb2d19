//! Queues between the tasks of a loop, in both modes, and between two loops.

use std::rc::Rc;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use petla::{spawn, timeout, yield_now};

use super::*;
use crate::common::{panic_text, within, yield_until};

in_both_modes! {
    // Q8
    fn producers_and_consumers_pass_a_hundred_items_through_any_small_capacity() {
        for capacity in [1, 2, 3] {
            within(async {
                let queue = Rc::new(Queue::bounded(capacity));
                let producers = [0, 1].map(|name| {
                    let queue = queue.clone();
                    spawn(async move {
                        for item in 0..50 {
                            queue.put((name, item)).await.unwrap();
                        }
                    })
                });
                let consumers = [(); 2].map(|()| {
                    let queue = queue.clone();
                    spawn(async move {
                        let mut got = Vec::new();
                        while let Ok(item) = queue.get().await {
                            got.push(item);
                        }
                        got
                    })
                });
                for producer in producers {
                    producer.await.unwrap();
                }
                queue.shutdown(false);
                let mut all = Vec::new();
                for consumer in consumers {
                    all.extend(consumer.await.unwrap());
                }
                all.sort_unstable();
                let expected = (0..2).flat_map(|name| (0..50).map(move |item| (name, item)));
                assert!(all.into_iter().eq(expected));
                assert!(queue.statistics().peak <= capacity);
            });
        }
    }

    // Q10
    fn a_join_waits_for_a_hundred_items_that_two_workers_finish() {
        within(async {
            let queue = Rc::new(Queue::unbounded());
            let workers = [(); 2].map(|()| {
                let queue = queue.clone();
                spawn(async move {
                    let mut sum = 0;
                    while let Ok(item) = queue.get().await {
                        yield_now().await;
                        sum += item;
                        queue.task_done().unwrap();
                    }
                    sum
                })
            });
            for item in 0..100 {
                queue.put(item).await.unwrap();
            }
            queue.join().await;
            assert_eq!(queue.task_done(), Err(TooManyDone));
            queue.shutdown(false);
            let mut sum = 0;
            for worker in workers {
                sum += worker.await.unwrap();
            }
            assert_eq!(sum, 4_950);
        });
    }

    // Q3, B19
    fn an_item_for_a_task_that_is_cancelled_in_that_tick_goes_to_the_next() {
        within(async {
            let queue = Rc::new(Queue::unbounded());
            let [first, second] = [(); 2].map(|()| {
                let queue = queue.clone();
                spawn(async move { queue.get().await })
            });
            yield_now().await;
            queue.put_nowait(1).unwrap();
            first.cancel(());
            assert_eq!(second.await.unwrap(), Ok(1));
            assert!(first.await.is_err());
        });
    }

    // Q6
    fn the_place_for_a_task_that_is_cancelled_in_that_tick_goes_to_the_next() {
        within(async {
            let queue = Rc::new(Queue::bounded(1));
            queue.put_nowait(1).unwrap();
            let [second, third] = [2, 3].map(|item| {
                let queue = queue.clone();
                spawn(async move { queue.put(item).await })
            });
            yield_now().await;
            assert_eq!(queue.get_nowait(), Ok(1));
            second.cancel(());
            assert_eq!(third.await.unwrap(), Ok(()));
            assert!(second.await.is_err());
            assert_eq!((queue.get_nowait(), queue.len()), (Ok(3), 0));
        });
    }

    // B20 (python/asyncio 343)
    fn no_item_is_lost_when_a_limit_passes_as_it_is_put() {
        within(async {
            const ITEMS: usize = 300;
            let queue = Rc::new(Queue::bounded(1));
            let producer = spawn({
                let queue = queue.clone();
                async move {
                    for item in 0..ITEMS {
                        // A put that is given up put nothing: it is tried again.
                        while timeout(Duration::from_nanos(1), queue.put(item)).await.is_err() {}
                    }
                }
            });
            let (mut got, mut late) = (Vec::new(), 0);
            while got.len() < ITEMS {
                match timeout(Duration::from_nanos(1), queue.get()).await {
                    Ok(item) => got.push(item.unwrap()),
                    Err(_) => late += 1,
                }
            }
            producer.await.unwrap();
            assert!(got.into_iter().eq(0..ITEMS), "{late} were late");
            let now = queue.statistics();
            assert_eq!((now.waiting, now.holders, queue.len()), (0, 0, 0));
        });
    }

    // Q11, Q12
    fn a_shutdown_wakes_the_tasks_that_wait_at_either_side() {
        within(async {
            let (full, empty) = (Rc::new(Queue::bounded(1)), Rc::new(Queue::<u8>::bounded(1)));
            full.put_nowait(1).unwrap();
            let put = spawn({
                let full = full.clone();
                async move { full.put(2).await }
            });
            let get = spawn({
                let empty = empty.clone();
                async move { empty.get().await }
            });
            yield_until(|| full.statistics().waiting + empty.statistics().waiting == 2).await;
            full.shutdown(false);
            empty.shutdown(false);
            assert_eq!(put.await.unwrap(), Err(PutError::ShutDown(2)));
            assert_eq!(get.await.unwrap(), Err(ShutDown));
            assert_eq!(full.get().await, Ok(1));
        });
    }
}

#[test]
fn two_loops_share_a_queue() {
    use petla::sync::{PriorityQueue, Queue};
    const ITEMS: usize = 500;
    let queues = Arc::new((Queue::bounded(2), PriorityQueue::bounded(3)));
    let producer = thread::spawn({
        let queues = queues.clone();
        move || {
            within(async {
                for item in 0..ITEMS {
                    queues.0.put(item).await.unwrap();
                    queues.1.reserve().await.unwrap().put((item % 7, item));
                }
                queues.0.join().await;
                queues.0.shutdown(false);
                queues.1.shutdown(false);
            });
        }
    });
    within(async {
        let worker = spawn({
            let queues = queues.clone();
            async move {
                let mut got = Vec::new();
                while let Ok((_, item)) = queues.1.get().await {
                    got.push(item);
                }
                got
            }
        });
        let mut next = 0;
        while let Ok(item) = queues.0.take().await {
            assert_eq!(*item, next);
            next += 1;
        }
        assert_eq!(next, ITEMS);
        let mut got = worker.await.unwrap();
        got.sort_unstable();
        assert!(got.into_iter().eq(0..ITEMS));
    });
    producer.join().unwrap();
}

#[test]
fn calls_that_block_panic_on_the_thread_of_a_loop() {
    let queue = petla::sync::Queue::bounded(1);
    within(async {
        let said = |called: &str, instead: &str| {
            format!(
                "`{called}` was called on a thread that runs a loop, which it would stop: \
                 await `{instead}` instead"
            )
        };
        let text = panic_text(|| queue.blocking_put(1));
        assert_eq!(text, said("blocking_put", "put"));
        let text = panic_text(|| queue.blocking_get());
        assert_eq!(text, said("blocking_get", "get"));
    });
    assert_eq!(
        (queue.blocking_put(1), queue.blocking_get()),
        (Ok(()), Ok(1))
    );
}

#[test]
fn plain_threads_and_the_tasks_of_a_loop_share_one_queue() {
    let there = Arc::new(petla::sync::Queue::bounded(1));
    let back = Arc::new(petla::sync::Queue::bounded(1));
    let thread = thread::spawn({
        let (there, back) = (there.clone(), back.clone());
        move || {
            while let Ok(item) = there.blocking_get() {
                back.blocking_put(item + 1).unwrap();
            }
        }
    });
    within(async {
        for item in 0..300 {
            there.put(item).await.unwrap();
            assert_eq!(back.get().await, Ok(item + 1));
        }
    });
    there.shutdown(false);
    thread.join().unwrap();
}
