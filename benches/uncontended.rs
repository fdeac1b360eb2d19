//! What do the primitives cost when nobody waits?
//!
//! One task, nanoseconds a cycle:
//! - `lock_uncontended`: lock, add, unlock.
//! - `rwlock_read_uncontended`, `rwlock_write_uncontended`: the same with a read-write lock.
//! - `sem_uncontended`: take one permit and give it back.
//!
//! Beside them stand two limits, what the processor takes for the least that such a cycle needs:
//! `two stores` (taken, add, free) for a lock of one thread, and `two CAS` (two compare-and-swaps
//! around the add) for one between threads. They have a table of their own.
//!
//! Timed: the cycles. Checked: the count under the lock; that each permit came back, as the next
//! cycle would wait for it without end.
//!
//! How to read it: the executor has no part in this, but tokio's runtimes send a task to the back
//! of the queue after 128 operations that did not wait, and that is in their columns. On petla's
//! executor tokio's primitives do not.

use std::cell::Cell;
use std::hint::black_box;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use petla_bench::locks::{Locks, RwLocks, Semaphores};
use petla_bench::runtimes::{Runtime, in_task};
use petla_bench::{
    Contender, Cost, Figure, Sizes, TWO_CAS, TWO_STORES, Unit, on_all_libraries, on_tokio_and_smol,
};

/// Cycles: 10 ms for two stores.
const CYCLES: Sizes = Sizes {
    table: 5_000_000,
    criterion: 500_000,
    smoke: 100,
};

pub(crate) fn figures() -> Vec<Figure> {
    let figure = |name, contenders| Figure {
        name,
        unit: Unit::Nanoseconds,
        operations_each: 1,
        sizes: CYCLES,
        contenders: with_limits(contenders),
    };
    vec![
        figure("lock_uncontended", on_all_libraries!(lock_uncontended)),
        figure(
            "rwlock_read_uncontended",
            on_tokio_and_smol!(read_uncontended),
        ),
        figure(
            "rwlock_write_uncontended",
            on_tokio_and_smol!(write_uncontended),
        ),
        figure("sem_uncontended", on_all_libraries!(sem_uncontended)),
    ]
}

fn lock_uncontended<R: Runtime, L: Locks>(size: usize) -> Cost {
    let elapsed = in_task::<R, _>(async move {
        let lock = L::new();
        let start = Instant::now();
        for _ in 0..size {
            let mut guard = L::lock(black_box(&lock)).await;
            L::add(&lock, &mut guard, 1);
        }
        let elapsed = start.elapsed();
        let mut guard = L::lock(&lock).await;
        assert_eq!(L::add(&lock, &mut guard, 0), size);
        elapsed
    });
    elapsed.into()
}

fn read_uncontended<R: Runtime, L: RwLocks>(size: usize) -> Cost {
    let elapsed = in_task::<R, _>(async move {
        let lock = L::new();
        *L::write(&lock).await = 1;
        let mut sum = 0;
        let start = Instant::now();
        for _ in 0..size {
            sum += *L::read(black_box(&lock)).await;
        }
        let elapsed = start.elapsed();
        assert_eq!(sum, size);
        elapsed
    });
    elapsed.into()
}

fn write_uncontended<R: Runtime, L: RwLocks>(size: usize) -> Cost {
    let elapsed = in_task::<R, _>(async move {
        let lock = L::new();
        let start = Instant::now();
        for _ in 0..size {
            *L::write(black_box(&lock)).await += 1;
        }
        let elapsed = start.elapsed();
        assert_eq!(*L::read(&lock).await, size);
        elapsed
    });
    elapsed.into()
}

fn sem_uncontended<R: Runtime, S: Semaphores>(size: usize) -> Cost {
    let elapsed = in_task::<R, _>(async move {
        let semaphore = S::new(1); // a permit not given back would be waited for, without end
        let start = Instant::now();
        for _ in 0..size {
            drop(black_box(S::acquire(black_box(&semaphore)).await));
        }
        start.elapsed()
    });
    elapsed.into()
}

/// The limits beside the `contenders` of a figure without waiting.
fn with_limits(mut contenders: Vec<Contender>) -> Vec<Contender> {
    let limits = [
        (TWO_STORES, two_stores as fn(usize) -> Cost),
        (TWO_CAS, two_cas),
    ];
    contenders.extend(limits.map(|(name, run)| Contender { name, run }));
    contenders
}

fn two_stores(size: usize) -> Cost {
    let (taken, number) = (Cell::new(false), Cell::new(0));
    let start = Instant::now();
    for _ in 0..size {
        black_box(&taken).set(true);
        black_box(&number).set(number.get() + 1);
        black_box(&taken).set(false);
    }
    let elapsed = start.elapsed();
    assert_eq!(number.get(), size);
    elapsed.into()
}

fn two_cas(size: usize) -> Cost {
    let (taken, number) = (AtomicBool::new(false), Cell::new(0));
    let swap = |from, to, success| {
        let swapped = black_box(&taken).compare_exchange(from, to, success, Ordering::Relaxed);
        assert!(swapped.is_ok());
    };
    let start = Instant::now();
    for _ in 0..size {
        swap(false, true, Ordering::Acquire);
        black_box(&number).set(number.get() + 1);
        swap(true, false, Ordering::Release);
    }
    let elapsed = start.elapsed();
    assert_eq!(number.get(), size);
    elapsed.into()
}

fn main() {
    petla_bench::criterion_main(figures());
}
