//! What one turn of the loop costs: two producers, one consumer, a yield after every action.
//!
//! ```text
//! $ cargo run --release --example loop_program -- 500000
//! 500000 actions in 49 ms: 10.2 million actions/s
//! ```
//!
//! An action is one item that a producer puts on the queue and the consumer takes off again. Each
//! side calls `yield_now` (asyncio's `sleep(0)`) after each of its steps, so an action costs two
//! turns through the ready ring and no system call.

use petla::{local::Queue, spawn, yield_now};
use std::{env, error::Error, rc::Rc, time::Instant};

type Shared = Rc<Queue<(usize, Instant)>>;

async fn produce(count: usize, queue: Shared) {
    for number in 1..=count {
        queue
            .put((number, Instant::now()))
            .await
            .expect("only `main` shuts the queue down");
        yield_now().await;
    }
}

/// How many items came, and the sum of their numbers.
async fn consume(queue: Shared) -> (usize, usize) {
    let (mut items, mut sum) = (0, 0);
    while let Ok((number, _put_at)) = queue.get().await {
        items += 1;
        sum += number;
        yield_now().await;
    }
    (items, sum)
}

fn main() -> Result<(), Box<dyn Error>> {
    let argument = env::args()
        .nth(1)
        .map_or(Ok(500_000), |actions| actions.parse());
    let actions: usize = argument.map_err(|_| "usage: loop_program [ACTIONS]")?;
    let half = actions / 2;
    petla::run(async {
        let start = Instant::now();
        let queue: Shared = Rc::new(Queue::unbounded());
        let producers = [half, actions - half].map(|count| spawn(produce(count, queue.clone())));
        let consumer = spawn(consume(queue.clone()));
        for producer in producers {
            producer.await?;
        }
        queue.shutdown(false);
        let (items, sum) = consumer.await?;

        let seconds = start.elapsed().as_secs_f64();
        let up_to = |n: usize| n * (n + 1) / 2;
        assert_eq!((items, sum), (actions, up_to(half) + up_to(actions - half)));
        let (ms, millions) = (1e3 * seconds, actions as f64 / seconds / 1e6);
        println!("{actions} actions in {ms:.0} ms: {millions:.1} million actions/s");
        Ok(())
    })
}
