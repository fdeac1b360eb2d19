//! What do the primitives cost between two threads, each with a loop of its own?
//!
//! - `lock_2_threads`: both lock, add and unlock as fast as they can. Nanoseconds a cycle.
//! - `queue_2_threads`: one puts, the other gets, room for 64. Nanoseconds an item.
//!
//! Only what may cross threads: petla's `sync`, and the peers of that kind, once on petla's loops
//! and once on their own. Each thread has a CPU of its own, if there are two.
//!
//! Timed: from the moment both threads are ready to the end of the later one. Checked: the count,
//! the order of items.
//!
//! How to read it: a thread that finds the lock taken sleeps, and to wake it costs microseconds. A
//! lock that hands over in order pays that at every hand-over, and since the other thread is back
//! before the woken one runs, two that have met go on meeting. A lock that lets the running thread
//! barge in (async-lock) goes on as if it were alone, and the other starves meanwhile. So compare
//! locks of one kind, and medians: whether the threads meet at all is chance.

use std::sync::{Arc, Barrier};
use std::thread;
use std::time::{Duration, Instant};

use petla_bench::libraries::{AsyncLock, Intrusive, Open, PetlaSync, Tokio};
use petla_bench::locks::Locks;
use petla_bench::queues::Queues;
use petla_bench::runtimes::{Runtime, in_task};
use petla_bench::{Cost, Figure, Sizes, Unit, on_libraries, sys};

/// Cycles of both threads, or items: 2 ms if they never meet, a second if they always do.
const CYCLES: Sizes = Sizes {
    table: 100_000,
    criterion: 10_000,
    smoke: 200,
};

const CAPACITY: usize = 64;

macro_rules! on_each {
    ($work:ident) => {
        on_libraries!($work:
            PetlaSync, Tokio, AsyncLock, Intrusive;
            TokioLocal with Tokio,
            TokioCurrentThread with Tokio,
            Smol with AsyncLock)
    };
}

pub(crate) fn figures() -> Vec<Figure> {
    let figure = |name, contenders| Figure {
        name,
        unit: Unit::Nanoseconds,
        operations_each: 1,
        sizes: CYCLES,
        contenders,
    };
    vec![
        figure("lock_2_threads", on_each!(lock_2_threads)),
        figure("queue_2_threads", on_each!(queue_2_threads)),
    ]
}

fn lock_2_threads<R: Runtime, L: Locks<Lock: Send + Sync>>(size: usize) -> Cost {
    let lock = Arc::new(L::new());
    let cycles = || {
        let lock = lock.clone();
        async move || {
            for _ in 0..size / 2 {
                let mut guard = L::lock(&lock).await;
                L::add(&lock, &mut guard, 1);
            }
        }
    };
    let elapsed = on_two_threads::<R, _, _>(cycles(), cycles());
    let counted = in_task::<R, _>(async move {
        let mut guard = L::lock(&lock).await;
        L::add(&lock, &mut guard, 0)
    });
    assert_eq!(counted, size);
    elapsed.into()
}

fn queue_2_threads<R: Runtime, Q: Queues>(size: usize) -> Cost
where
    Q::Sender<usize>: Send,
    Q::Receiver<usize>: Send,
{
    let (sender, mut receiver) = Q::queue(CAPACITY);
    let put = async move || {
        for number in 0..size {
            Q::put(&sender, number).await.open();
        }
        sender // it lives until the last item has been got
    };
    let get = async move || {
        for number in 0..size {
            assert_eq!(Q::get(&mut receiver).await.open(), number);
        }
        receiver
    };
    on_two_threads::<R, _, _>(put, get).into()
}

/// Runs each in a task on a loop of its own thread; from when both are ready to when both ended.
fn on_two_threads<R: Runtime, A: Send + 'static, B: Send + 'static>(
    first: impl AsyncFnOnce() -> A + Send + 'static,
    second: impl AsyncFnOnce() -> B + Send + 'static,
) -> Duration {
    let ready = Arc::new(Barrier::new(2));
    let other_ready = ready.clone();
    let (first, second) = thread::scope(|scope| {
        let first = scope.spawn(|| on_own_core::<R, A>(0, ready, first));
        let second = scope.spawn(|| on_own_core::<R, B>(1, other_ready, second));
        (first.join(), second.join())
    });
    let (first_start, first_end, _a) = first.expect("the first thread's work succeeds");
    let (second_start, second_end, _b) = second.expect("the second thread's work succeeds");
    first_end.max(second_end) - first_start.min(second_start)
}

fn on_own_core<R: Runtime, T: 'static>(
    number: usize,
    ready: Arc<Barrier>,
    work: impl AsyncFnOnce() -> T + 'static,
) -> (Instant, Instant, T) {
    sys::pin_to_own_core(number);
    in_task::<R, _>(async move {
        ready.wait();
        let start = Instant::now();
        let kept = work().await;
        (start, Instant::now(), kept)
    })
}

fn main() {
    petla_bench::criterion_main(figures());
}
