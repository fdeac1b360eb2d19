//! Queues: every item has one end, and ends once.

use std::sync::Arc;

use shuttle::future::spawn;

use super::{Notes, Queue, dawdle, explore, join, perhaps, spawn_all};
use crate::primitives::{GetError, PutError};

const PRODUCERS: usize = 3;
const EACH: usize = 4;

/// An item that notes when it is dropped.
struct Item {
    producer: usize,
    number: usize,
    drops: Arc<Notes<[[u32; EACH]; PRODUCERS]>>,
}

impl Drop for Item {
    fn drop(&mut self) {
        self.drops
            .with(|drops| drops[self.producer][self.number] += 1);
    }
}

/// How many items a producer brought in.
async fn produce(
    queue: &Queue<Item>,
    drops: &Arc<Notes<[[u32; EACH]; PRODUCERS]>>,
    producer: usize,
) -> usize {
    let mut put = 0;
    for number in 0..EACH {
        let item = Item {
            producer,
            number,
            drops: drops.clone(),
        };
        if producer == 0 {
            // A place first: nothing is lost with a cancellation.
            if let Some(Ok(slot)) = perhaps(queue.reserve()).await {
                dawdle().await;
                slot.put(item);
                put += 1;
            }
            continue;
        }
        match perhaps(queue.put(item)).await {
            Some(Ok(())) => put += 1,
            Some(Err(PutError::ShutDown(item))) => assert_eq!(item.number, number),
            Some(Err(error)) => panic!("a put that waits never fails so: {error}"),
            None => {}
        }
    }
    put
}

/// How many items a consumer took. Those of one producer come in order.
async fn consume(queue: &Queue<Item>) -> usize {
    let (mut taken, mut next) = (0, [0; PRODUCERS]);
    loop {
        match perhaps(queue.get()).await {
            None => continue,
            Some(Err(_)) => return taken,
            Some(Ok(item)) => {
                assert!(item.number >= next[item.producer], "it was overtaken");
                next[item.producer] = item.number + 1;
                taken += 1;
                queue.task_done().expect("one for each item");
            }
        }
    }
}

/// Three producers, three consumers, one place too few, and a shutdown at some moment. Gives how
/// many items were put and taken.
fn trade(immediate: bool) -> (usize, usize) {
    let queue = Arc::new(Queue::bounded(2));
    let drops = Arc::new(Notes::default());
    let producers = spawn_all(PRODUCERS, |producer| {
        let (queue, drops) = (queue.clone(), drops.clone());
        async move { produce(&queue, &drops, producer).await }
    });
    let consumers = spawn_all(3, |_| {
        let queue = queue.clone();
        async move { consume(&queue).await }
    });
    let shuts = spawn({
        let queue = queue.clone();
        async move {
            for _ in 0..8 {
                dawdle().await;
            }
            queue.shutdown(immediate);
            queue.join().await;
        }
    });
    let put = join(producers).iter().sum();
    let taken = join(consumers).iter().sum();
    join(vec![shuts]);
    assert_eq!(queue.get_nowait().err(), Some(GetError::ShutDown));
    assert_eq!(queue.statistics().holders, 0, "no right is left");
    drop(queue);
    drops.with(|drops| assert_eq!(*drops, [[1; EACH]; PRODUCERS], "each item ends once"));
    (put, taken)
}

#[test]
fn a_queue_that_is_shut_down_is_emptied() {
    explore(|| {
        let (put, taken) = trade(false);
        assert_eq!(put, taken);
    });
}

#[test]
fn an_immediate_shutdown_leaves_no_item_and_nobody_waiting() {
    explore(|| {
        let (put, taken) = trade(true);
        assert!(put >= taken);
    });
}
