//! Loom's proofs of the mailbox: every order of threads and of memory that Rust allows.
//!
//! What a sender announces lies in cells of loom's own ([`Letter`]) or in relaxed atomics, so
//! that a missing happens-before is an error and not luck. A wake that is lost leaves a loop
//! asleep for ever, which loom reports as a deadlock.
//!
//! # What the models catch
//! `.ci/mutate mailbox` seeds each line; two pre-emptions suffice for all of them.
//!
//! | mutation | fails first |
//! | --- | --- |
//! | bit left alone if set; set or taken relaxed; loaded and stored | `wakes_of_one_slot_..` |
//! | group left alone if set | `wakes_of_one_slot_..`, `a_second_wake_..` |
//! | group set or taken relaxed; set before the bit; taken after | `wakes_of_two_slots_..` |
//! | flag looked at before the swap, left if not ASLEEP, or if NOTIFIED | `a_second_wake_..` |
//! | notify without release, open without acquire | `what_is_put_before_..` |
//! | opened by load and store | `.._whose_first_sleep_a_timer_ended` |
//! | sleep by a store, or by load and store; silent bell | `wakes_of_two_slots_..` |
//! | drain before open; notify before the bit | `wakes_of_two_slots_..` |
//! | notify before the post, or not at all | `posts_of_two_threads_..` |
//! | post to any owner; a number given out twice | `a_post_to_a_loop_that_is_gone_..` |
//! | post to no owner; close leaves queue or owner; a take in steps | `.._closing_loop_..` |
//! | an owned entry lent again | `a_free_entry_..`, `loops_that_begin_..` |
//! | published or read relaxed | `a_slot_that_is_handed_out_..` |
//! | published by load and store | `loops_that_begin_..` |
//!
//! Nothing fails when `notify` does not acquire, `open` does not release, or `try_sleep` does
//! neither: no invariant needs them. A claim that leaves flag or bits as they were is at worst a
//! spurious wake; a unit test sees it.
//!
//! # Not here
//! epoll and the eventfd (a unit test of `bell` asks the kernel); forks, the full table and
//! more than two remote threads (unit tests of `table` and the parent module).

mod flag;
mod posts;
mod table;
mod wakes;

use std::{
    sync::atomic::{AtomicUsize as Count, Ordering::Relaxed},
    time::Instant,
};

use loom::{
    model::Builder,
    thread::{self, JoinHandle},
};

use super::{LoopId, Mailbox, Post, table::Table};
use crate::rt::{Arc, AtomicU32, UnsafeCell};

/// Tries every order: for models that end within a second.
fn exhaust(model: impl Fn() + Send + Sync + 'static) {
    run_model(None, model);
}

/// Tries every order with at most `LOOM_MAX_PREEMPTIONS` pre-emptions; without that variable,
/// at most `limit`, which is `None` where all orders take less than a minute.
fn explore(limit: Option<usize>, model: impl Fn() + Send + Sync + 'static) {
    run_model(Builder::new().preemption_bound.or(limit), model);
}

fn run_model(limit: Option<usize>, model: impl Fn() + Send + Sync + 'static) {
    let mut builder = Builder::new();
    builder.preemption_bound = limit;
    let orders = std::sync::Arc::new(Count::new(0));
    let (begun, counted) = (Instant::now(), orders.clone());
    builder.check(move || {
        counted.fetch_add(1, Relaxed);
        model();
    });
    let (orders, spent) = (orders.load(Relaxed), begun.elapsed());
    println!("pre-emptions at most {limit:?}: {orders} orders in {spent:.1?}");
}

/// Something that is written before it is announced, and read after that.
struct Letter(UnsafeCell<bool>);

// SAFETY: loom watches the cell, and fails the model if a write is not alone in it.
unsafe impl Sync for Letter {}

impl Letter {
    fn new() -> Letter {
        Letter(UnsafeCell::new(false))
    }

    fn write(&self) {
        // SAFETY: loom checks that nobody else is in the cell.
        self.0.with_mut(|written| unsafe { *written = true });
    }

    fn is_written(&self) -> bool {
        // SAFETY: loom checks that nobody writes the cell.
        self.0.with(|written| unsafe { *written })
    }
}

/// A table of one entry, lent to a loop with `slots` slots.
fn one_loop(slots: u32) -> (Arc<Table<1>>, LoopId) {
    let table = Arc::new(Table::new());
    let (mailbox, id) = table.claim().unwrap();
    mailbox.grow(slots);
    (table, id)
}

fn entry(table: &Table<1>) -> &Mailbox {
    table.lookup(0).unwrap()
}

/// Starts another thread that knows the table.
fn remote<T: 'static>(
    table: &Arc<Table<1>>,
    work: impl FnOnce(&Table<1>) -> T + 'static,
) -> JoinHandle<T> {
    let table = table.clone();
    thread::spawn(move || work(&table))
}

/// Starts a thread that counts one more announcement and wakes `slot`.
fn announcer(table: &Arc<Table<1>>, announced: &Arc<AtomicU32>, slot: u32) -> JoinHandle<()> {
    let announced = announced.clone();
    remote(table, move |table| {
        announced.fetch_add(1, Relaxed);
        entry(table).wake(slot);
    })
}

/// The owner's half of the protocol, as the parent module's header has it.
fn receive(mailbox: &Mailbox, wake: impl FnMut(u32)) -> Vec<Post> {
    if !mailbox.open() {
        return Vec::new();
    }
    mailbox.drain_wakes(wake);
    mailbox.take_posts()
}

/// The turn of a loop that has nothing else to do.
fn idle_turn(mailbox: &Mailbox, wake: impl FnMut(u32)) -> Vec<Post> {
    if mailbox.try_sleep() {
        mailbox.bell.wait();
    }
    receive(mailbox, wake)
}

/// Runs a loop whose only task is polled at each wake of `slot`, until such a poll counts
/// `goal` announcements.
fn poll_until(mailbox: &Mailbox, slot: u32, announced: &AtomicU32, goal: u32) {
    let mut done = false;
    while !done {
        idle_turn(mailbox, |woken| {
            done |= woken == slot && announced.load(Relaxed) == goal;
        });
    }
}

/// Runs posts; returns how many.
fn run(posts: Vec<Post>) -> usize {
    posts.into_iter().map(|post| post()).count()
}

fn join<T>(threads: impl IntoIterator<Item = JoinHandle<T>>) -> Vec<T> {
    threads
        .into_iter()
        .map(|thread| thread.join().unwrap())
        .collect()
}
