//! How long does the classic asyncio loop program take?
//!
//! Two producers put (number, time) on an unbounded queue, one consumer takes them, and each
//! yields (asyncio's `sleep(0)`) after each of its steps: 500,000 actions, an action being one
//! item put and taken. People run it to compare event loops; `examples/loop_program.rs` is the
//! same program to read.
//!
//! Timed: the whole of it, two clock readings included, in milliseconds. Checked: each producer's
//! items come in order, and no item's time lies in the future. While both producers run, the
//! queue grows, as the consumer takes one item a turn; later the consumer turns alone.
//!
//! How to read it: an item costs two turns of the loop, a put, a get and two clock readings (some
//! 20 ns each). asyncio needs about a second.

use std::time::Instant;

use petla_bench::libraries::{AsyncLock, Open, PetlaLocal, PetlaSync};
use petla_bench::queues::{LocalSyncUnbounded, Queues, TokioUnbounded, UNBOUNDED};
use petla_bench::runtimes::{Runtime, in_task};
use petla_bench::{Cost, Figure, Sizes, Unit, on_libraries};

/// The program's own number; criterion gets a tenth.
const ACTIONS: Sizes = Sizes {
    table: 500_000,
    criterion: 50_000,
    smoke: 100,
};

const PRODUCERS: usize = 2;

/// Producer, its count so far, when it was put.
type Item = (usize, usize, Instant);

pub(crate) fn figures() -> Vec<Figure> {
    vec![Figure {
        name: "seed_500k_actions",
        unit: Unit::MillisecondsInAll,
        operations_each: 1,
        sizes: ACTIONS,
        contenders: on_libraries!(loop_program: PetlaLocal, PetlaSync;
            TokioLocal with TokioUnbounded,
            TokioCurrentThread with TokioUnbounded,
            Smol with AsyncLock,
            Monoio with LocalSyncUnbounded),
    }]
}

fn loop_program<R: Runtime, Q: Queues>(size: usize) -> Cost {
    let each = size / PRODUCERS;
    let (elapsed, taken) = in_task::<R, _>(async move {
        let (sender, receiver) = Q::queue(UNBOUNDED);
        let start = Instant::now();
        let spawn = |producer| R::spawn(produce::<R, Q>(producer, each, sender.clone()));
        let producers = [0, 1].map(spawn);
        let consumer = R::spawn(consume::<R, Q>(each * PRODUCERS, receiver));
        for producer in producers {
            producer.await;
        }
        let taken = consumer.await;
        (start.elapsed(), taken)
    });
    assert_eq!(taken, [each; PRODUCERS]);
    elapsed.into()
}

async fn produce<R: Runtime, Q: Queues>(name: usize, count: usize, queue: Q::Sender<Item>) {
    for number in 0..count {
        Q::put(&queue, (name, number, Instant::now())).await.open();
        R::yield_now().await;
    }
}

/// How many items came from each producer.
async fn consume<R: Runtime, Q: Queues>(
    count: usize,
    mut queue: Q::Receiver<Item>,
) -> [usize; PRODUCERS] {
    let mut taken = [0; PRODUCERS];
    for _ in 0..count {
        let (producer, number, put_at) = Q::get(&mut queue).await.open();
        assert_eq!(number, taken[producer]);
        assert!(put_at <= Instant::now());
        taken[producer] += 1;
        R::yield_now().await;
    }
    taken
}

fn main() {
    petla_bench::criterion_main(figures());
}
