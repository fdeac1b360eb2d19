//! What does it cost to hand an item from one task to another?
//!
//! - `pingpong`: two tasks, two queues for one item; an item goes there and back. Every hop is a
//!   wake and a switch. Nanoseconds a round trip.
//! - `queue_spsc`: one producer, one consumer, room for 64. Most puts and gets find what they
//!   want; one in 64 waits. Nanoseconds an item.
//! - `queue_mpsc`: 100 producers and room for 64, so that producers always wait in line: the cost
//!   of a fair queue under pressure. Nanoseconds an item.
//! - `channel_spsc`: the same as `queue_spsc`, with petla's `channel`, the queue of two ends that
//!   its last end closes. The peers' queues are all of that kind.
//!
//! Each runtime uses the queue that its users use, and each queue is measured on petla's executor
//! too. petla's has two modes, `local` (one loop) and `sync` (any thread). tokio's and smol's
//! queues may cross threads, as `sync` may; monoio's (`local-sync`) may not, and does not keep
//! order among waiting producers. The local one of futures-intrusive has room for 64 always.
//!
//! Timed: from the first spawn to the last join. Checked: order with one producer, the sum with
//! many.

use std::time::Instant;

use petla_bench::libraries::Open;
use petla_bench::queues::{PetlaLocalChannel, PetlaSyncChannel, Queues};
use petla_bench::runtimes::{Runtime, in_task};
use petla_bench::{Cost, Figure, Sizes, Unit, on_all_libraries};

/// Round trips.
const TRIPS: Sizes = Sizes {
    table: 500_000,
    criterion: 50_000,
    smoke: 100,
};

/// Items: 20 ms on the fastest queue.
const ITEMS: Sizes = Sizes {
    table: 2_000_000,
    criterion: 200_000,
    smoke: 300,
};

/// Room that lets both sides run for a while; the smoke size still fills it.
const CAPACITY: usize = 64;
const _: () = assert!(ITEMS.smoke > CAPACITY);

/// More than there is room for, so that some always wait.
const PRODUCERS: usize = 100;
const _: () = assert!(PRODUCERS > CAPACITY && ITEMS.smoke.is_multiple_of(PRODUCERS));

pub(crate) fn figures() -> Vec<Figure> {
    let figure = |name, sizes, contenders| Figure {
        name,
        unit: Unit::Nanoseconds,
        operations_each: 1,
        sizes,
        contenders,
    };
    vec![
        figure("pingpong", TRIPS, on_all_libraries!(pingpong)),
        figure("queue_spsc", ITEMS, on_all_libraries!(spsc)),
        figure("queue_mpsc", ITEMS, on_all_libraries!(mpsc)),
        figure(
            "channel_spsc",
            ITEMS,
            on_all_libraries!(spsc: PetlaLocalChannel, PetlaSyncChannel),
        ),
    ]
}

fn pingpong<R: Runtime, Q: Queues>(size: usize) -> Cost {
    let elapsed = in_task::<R, _>(async move {
        let (there, mut arrived) = Q::queue(1);
        let (back, mut returned) = Q::queue(1);
        let start = Instant::now();
        let echo = R::spawn(async move {
            for _ in 0..size {
                let number: usize = Q::get(&mut arrived).await.open();
                Q::put(&back, number).await.open();
            }
        });
        for number in 0..size {
            Q::put(&there, number).await.open();
            assert_eq!(Q::get(&mut returned).await.open(), number);
        }
        echo.await;
        start.elapsed()
    });
    elapsed.into()
}

fn spsc<R: Runtime, Q: Queues>(size: usize) -> Cost {
    let elapsed = in_task::<R, _>(async move {
        let (sender, mut receiver) = Q::queue(CAPACITY);
        let start = Instant::now();
        let consumer = R::spawn(async move {
            for number in 0..size {
                assert_eq!(Q::get(&mut receiver).await.open(), number);
            }
        });
        let producer = R::spawn(produce::<Q>(sender, size));
        producer.await;
        consumer.await;
        start.elapsed()
    });
    elapsed.into()
}

fn mpsc<R: Runtime, Q: Queues>(size: usize) -> Cost {
    let each = size / PRODUCERS;
    let (elapsed, sum) = in_task::<R, _>(async move {
        let (sender, mut receiver) = Q::queue(CAPACITY);
        let start = Instant::now();
        let consumer = R::spawn(async move {
            let mut sum = 0;
            for _ in 0..each * PRODUCERS {
                sum += Q::get(&mut receiver).await.open();
            }
            sum
        });
        let spawn = |_| R::spawn(produce::<Q>(sender.clone(), each));
        let producers: Vec<_> = (0..PRODUCERS).map(spawn).collect();
        for producer in producers {
            producer.await;
        }
        let sum = consumer.await;
        (start.elapsed(), sum)
    });
    assert_eq!(sum, PRODUCERS * (each * (each - 1) / 2));
    elapsed.into()
}

async fn produce<Q: Queues>(sender: Q::Sender<usize>, count: usize) {
    for number in 0..count {
        Q::put(&sender, number).await.open();
    }
}

fn main() {
    petla_bench::criterion_main(figures());
}
