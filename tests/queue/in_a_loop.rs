//! Queues under a real loop: what only its polls can bring about.

use std::rc::Rc;
use std::time::Duration;

use petla::local::Queue;
use petla::{spawn, timeout};

use super::*;

/// Longer than anything takes; only what hangs takes so long.
const LONG: Duration = Duration::from_secs(20);

/// The "futurelock": the item is granted to a future that its task holds and does not poll.
#[test]
fn a_task_gets_the_item_that_was_granted_to_its_own_sleeping_get() {
    petla::run(async {
        let queue = Rc::new(Queue::unbounded());
        let mut asleep = Box::pin(queue.get());
        std::future::poll_fn(|cx| Poll::Ready(asleep.as_mut().poll(cx).is_pending())).await;
        let producer = spawn({
            let queue = queue.clone();
            async move { queue.put_nowait(1) }
        });
        assert_eq!(timeout(LONG, queue.get()).await.expect("it hangs"), Ok(1));
        assert_eq!(
            producer.await.expect("it neither panics nor is cancelled"),
            Ok(())
        );
        queue.put_nowait(2).unwrap();
        assert_eq!(asleep.await, Ok(2));
    });
}

#[test]
fn an_item_that_a_task_sleeps_through_goes_to_another_task() {
    petla::run(async {
        let queue = Rc::new(Queue::unbounded());
        let mut asleep = Box::pin(queue.get());
        std::future::poll_fn(|cx| Poll::Ready(asleep.as_mut().poll(cx).is_pending())).await;
        let other = spawn({
            let queue = queue.clone();
            async move { queue.get().await }
        });
        petla::yield_now().await; // `other` waits behind `asleep`
        queue.put_nowait(1).unwrap();
        let got = timeout(LONG, other).await.expect("it hangs");
        assert_eq!(got.expect("it neither panics nor is cancelled"), Ok(1));
    });
}

/// All of a queue's waits in one program: producers that wait, workers, join and shutdown.
#[test]
fn workers_finish_what_producers_put() {
    const ITEMS: u32 = 1_000;
    petla::run(async {
        let queue = Rc::new(Queue::bounded(3));
        let workers: Vec<_> = (0..4)
            .map(|_| {
                let queue = queue.clone();
                spawn(async move {
                    let mut sum = 0;
                    while let Ok(item) = queue.take().await {
                        sum += *item;
                        petla::yield_now().await;
                    }
                    sum
                })
            })
            .collect();
        for item in 0..ITEMS {
            queue.put(item).await.expect("it is open");
        }
        timeout(LONG, queue.join()).await.expect("it hangs");
        queue.shutdown(false);
        let mut sum = 0;
        for worker in workers {
            sum += worker.await.expect("it neither panics nor is cancelled");
        }
        assert_eq!(sum, ITEMS * (ITEMS - 1) / 2);
    });
}
