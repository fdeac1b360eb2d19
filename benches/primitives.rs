//! What do the primitives cost when tasks wait for each other?
//!
//! - `lock_contended`: 100 tasks; each holds the lock over one `yield_now`. Nanoseconds a cycle: a
//!   hand-over and two switches of tasks.
//! - `sem_contended`: the same, 1,000 tasks and 10 permits.
//! - `event_broadcast`: 1,000 tasks wait, one sets. Spawn and join are included. Nanoseconds a
//!   task.
//! - `barrier_rounds`: 100 tasks meet again and again. Nanoseconds an arrival.
//! - `condition_pingpong`: a producer and a consumer with room for one item under a lock, and a
//!   condition each. Nanoseconds an item.
//! - `oneshot_roundtrip`: a question through a new oneshot, the answer through another.
//!   Nanoseconds a round trip, two oneshots made and dropped in it.
//! - `watch_broadcast`: a value set again and again; 100 tasks see each of its states. Nanoseconds
//!   a state seen.
//!
//! All tasks are on one loop. Timed: from the first spawn to the last join. Checked: the count
//! under the lock, and that nobody else held it meanwhile; how many were inside; how many were
//! woken; one leader a round; the order of items and answers; that no state was missed.
//!
//! How to read it: on petla's executor the executor is the same for all, and what differs is the
//! primitive. local-sync has semaphores and oneshots only, so its lock is a semaphore of one
//! permit, and its event one of none; tokio's and smol's conditions are built from what wakes one
//! (`petla_bench::events` says how).

use std::cell::Cell;
use std::pin::pin;
use std::rc::Rc;
use std::time::Instant;

use petla_bench::events::{Barriers, Conditions, Events};
use petla_bench::libraries::{Intrusive, IntrusiveLocal, Open, PetlaLocal, PetlaSync, Tokio};
use petla_bench::locks::{Locks, Semaphores};
use petla_bench::runtimes::{Runtime, in_task};
use petla_bench::values::{Oneshots, Watches};
use petla_bench::{Cost, Figure, Sizes, Unit, on_all_libraries, on_libraries, on_tokio_and_smol};

/// Tasks that want one lock, or meet at one barrier, or await one value.
const CROWD: usize = 100;
/// What each of them does, so many times.
const CROWD_ROUNDS: Sizes = Sizes {
    table: 10_000,
    criterion: 1_000,
    smoke: 3,
};

/// Tasks that want permits, or wait for one event.
const MULTITUDE: usize = 1_000;
/// How many may be inside at a time.
const PERMITS: usize = 10;
/// What each of them does, so many times.
const MULTITUDE_ROUNDS: Sizes = Sizes {
    table: 1_000,
    criterion: 100,
    smoke: 2,
};

/// Items, or round trips, between two tasks.
const TRIPS: Sizes = Sizes {
    table: 500_000,
    criterion: 50_000,
    smoke: 100,
};

pub(crate) fn figures() -> Vec<Figure> {
    let figure = |name, operations_each, sizes, contenders| Figure {
        name,
        unit: Unit::Nanoseconds,
        operations_each,
        sizes,
        contenders,
    };
    vec![
        figure(
            "lock_contended",
            CROWD,
            CROWD_ROUNDS,
            on_all_libraries!(lock_contended),
        ),
        figure(
            "sem_contended",
            MULTITUDE,
            MULTITUDE_ROUNDS,
            on_all_libraries!(sem_contended),
        ),
        figure(
            "event_broadcast",
            MULTITUDE,
            MULTITUDE_ROUNDS,
            on_all_libraries!(event_broadcast),
        ),
        figure(
            "barrier_rounds",
            CROWD,
            CROWD_ROUNDS,
            on_tokio_and_smol!(barrier_rounds),
        ),
        figure(
            "condition_pingpong",
            1,
            TRIPS,
            on_tokio_and_smol!(condition_pingpong),
        ),
        figure(
            "oneshot_roundtrip",
            1,
            TRIPS,
            on_all_libraries!(oneshot_roundtrip),
        ),
        figure(
            "watch_broadcast",
            CROWD,
            CROWD_ROUNDS,
            on_libraries!(watch_broadcast:
                PetlaLocal, PetlaSync, Tokio, IntrusiveLocal, Intrusive;
                TokioLocal with Tokio, TokioCurrentThread with Tokio),
        ),
    ]
}

fn lock_contended<R: Runtime, L: Locks>(size: usize) -> Cost {
    let elapsed = in_task::<R, _>(async move {
        let lock = Rc::new(L::new());
        let start = Instant::now();
        let spawn = |_| R::spawn(hold::<R, L>(lock.clone(), size));
        let tasks: Vec<_> = (0..CROWD).map(spawn).collect();
        for task in tasks {
            task.await;
        }
        let elapsed = start.elapsed();
        let mut guard = L::lock(&lock).await;
        assert_eq!(L::add(&lock, &mut guard, 0), CROWD * size);
        elapsed
    });
    elapsed.into()
}

async fn hold<R: Runtime, L: Locks>(lock: Rc<L::Lock>, times: usize) {
    for _ in 0..times {
        let mut guard = L::lock(&lock).await;
        let before = L::add(&lock, &mut guard, 0);
        R::yield_now().await;
        assert_eq!(
            L::add(&lock, &mut guard, 1),
            before + 1,
            "two held the lock"
        );
    }
}

/// What the tasks of a run count together.
#[derive(Debug, Default)]
struct Counts {
    /// How many have begun, are inside, or have ended.
    now: Cell<usize>,
    /// The most that `now` ever was.
    most: Cell<usize>,
}

impl Counts {
    fn up(&self) {
        self.now.set(self.now.get() + 1);
        self.most.set(self.most.get().max(self.now.get()));
    }

    fn down(&self) {
        self.now.set(self.now.get() - 1);
    }

    /// Lets others run until the count is `wanted`.
    async fn reach<R: Runtime>(&self, wanted: usize) {
        while self.now.get() < wanted {
            R::yield_now().await;
        }
    }
}

fn sem_contended<R: Runtime, S: Semaphores>(size: usize) -> Cost {
    let elapsed = in_task::<R, _>(async move {
        let semaphore = Rc::new(S::new(PERMITS));
        let inside = Rc::new(Counts::default());
        let start = Instant::now();
        let spawn = |_| R::spawn(enter::<R, S>(semaphore.clone(), inside.clone(), size));
        let tasks: Vec<_> = (0..MULTITUDE).map(spawn).collect();
        for task in tasks {
            task.await;
        }
        let elapsed = start.elapsed();
        assert_eq!((inside.now.get(), inside.most.get()), (0, PERMITS));
        elapsed
    });
    elapsed.into()
}

async fn enter<R: Runtime, S: Semaphores>(
    semaphore: Rc<S::Semaphore>,
    inside: Rc<Counts>,
    times: usize,
) {
    for _ in 0..times {
        let _permit = S::acquire(&semaphore).await;
        inside.up();
        R::yield_now().await;
        inside.down();
    }
}

fn event_broadcast<R: Runtime, E: Events>(size: usize) -> Cost {
    let elapsed = in_task::<R, _>(async move {
        let start = Instant::now();
        for _ in 0..size {
            broadcast::<R, E>().await;
        }
        start.elapsed()
    });
    elapsed.into()
}

async fn broadcast<R: Runtime, E: Events>() {
    let event = Rc::new(E::new());
    let (begun, woken) = (Rc::new(Counts::default()), Rc::new(Counts::default()));
    let spawn = |_| {
        let (event, begun, woken) = (event.clone(), begun.clone(), woken.clone());
        R::spawn(async move {
            begun.up();
            E::wait(&event).await;
            woken.up();
        })
    };
    let tasks: Vec<_> = (0..MULTITUDE).map(spawn).collect();
    begun.reach::<R>(MULTITUDE).await;
    assert_eq!(woken.now.get(), 0, "a task did not wait");
    E::set(&event, MULTITUDE);
    for task in tasks {
        task.await;
    }
    assert_eq!(woken.now.get(), MULTITUDE);
}

fn barrier_rounds<R: Runtime, B: Barriers>(size: usize) -> Cost {
    let elapsed = in_task::<R, _>(async move {
        let barrier = Rc::new(B::new(CROWD));
        let start = Instant::now();
        let spawn = |_| {
            let barrier = barrier.clone();
            R::spawn(async move {
                let mut led = 0;
                for _ in 0..size {
                    led += usize::from(B::is_leader(B::wait(&barrier).await));
                }
                led
            })
        };
        let tasks: Vec<_> = (0..CROWD).map(spawn).collect();
        let mut led = 0;
        for task in tasks {
            led += task.await;
        }
        let elapsed = start.elapsed();
        assert_eq!(led, size, "not one leader a round");
        elapsed
    });
    elapsed.into()
}

/// Room for one item, and who waits for what.
struct Place<C: Conditions> {
    lock: C::Lock,
    filled: C::Condition,
    emptied: C::Condition,
}

impl<C: Conditions> Place<C> {
    async fn put(&self, item: usize) {
        let mut guard = C::lock(&self.lock).await;
        guard = C::wait_for(&self.emptied, &self.lock, guard, Option::is_none).await;
        *guard = Some(item);
        C::notify(&self.filled, &guard);
    }

    async fn take(&self) -> usize {
        let mut guard = C::lock(&self.lock).await;
        guard = C::wait_for(&self.filled, &self.lock, guard, Option::is_some).await;
        C::notify(&self.emptied, &guard);
        guard.take().expect("waited for an item")
    }
}

fn condition_pingpong<R: Runtime, C: Conditions>(size: usize) -> Cost {
    let elapsed = in_task::<R, _>(async move {
        let place = Rc::new(Place::<C> {
            lock: C::new_lock(),
            filled: C::new(),
            emptied: C::new(),
        });
        let filling = place.clone();
        let start = Instant::now();
        let producer = R::spawn(async move {
            for number in 0..size {
                filling.put(number).await;
            }
        });
        for number in 0..size {
            assert_eq!(place.take().await, number);
        }
        producer.await;
        start.elapsed()
    });
    elapsed.into()
}

fn oneshot_roundtrip<R: Runtime, O: Oneshots>(size: usize) -> Cost {
    let elapsed = in_task::<R, _>(async move {
        // Where each side leaves the setter for what it will wait for next.
        let (question, answer) = (Rc::new(Cell::new(None)), Rc::new(Cell::new(None)));
        let (asked, answered) = (question.clone(), answer.clone());
        let start = Instant::now();
        let (setter, mut getter) = O::new();
        question.set(Some(setter));
        let server = R::spawn(async move {
            for _ in 0..size {
                let number = O::get(pin!(getter)).await.open();
                let setter;
                (setter, getter) = O::new();
                asked.set(Some(setter));
                O::set(answered.take().expect("one is to be told"), number + 1);
            }
        });
        for number in 0..size {
            let (setter, getter) = O::new();
            answer.set(Some(setter));
            O::set(question.take().expect("one is to be asked"), number);
            assert_eq!(O::get(pin!(getter)).await.open(), number + 1);
        }
        server.await;
        start.elapsed()
    });
    elapsed.into()
}

fn watch_broadcast<R: Runtime, W: Watches>(size: usize) -> Cost {
    let elapsed = in_task::<R, _>(async move {
        let watch = Rc::new(W::new());
        let (begun, seen) = (Rc::new(Counts::default()), Rc::new(Counts::default()));
        let start = Instant::now();
        let spawn = |_| {
            let (watch, begun, seen) = (watch.clone(), begun.clone(), seen.clone());
            R::spawn(async move {
                let mut watcher = W::watcher(&watch);
                begun.up();
                for number in 1..=size {
                    let changed = W::changed(&mut watcher).await;
                    assert_eq!(W::number(&mut watcher, changed), number);
                    seen.up();
                }
            })
        };
        let tasks: Vec<_> = (0..CROWD).map(spawn).collect();
        begun.reach::<R>(CROWD).await;
        for number in 1..=size {
            W::set(&watch, number);
            seen.reach::<R>(number * CROWD).await;
        }
        for task in tasks {
            task.await;
        }
        start.elapsed()
    });
    elapsed.into()
}

fn main() {
    petla_bench::criterion_main(figures());
}
