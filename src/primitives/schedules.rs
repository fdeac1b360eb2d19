//! Random schedules of the `sync` primitives: more tasks and longer stories than loom can hold.
//!
//! A model tries every order of two or three threads and a handful of steps. What takes more
//! than that to go wrong is looked for here: scenes of 6 to 50 tasks, run by shuttle under a few
//! thousand schedules that are drawn anew in each run. One half lets a random task take each
//! step. The other, PCT, gives the tasks random priorities and changes them at three random
//! places, and so keeps some asleep for long. In most scenes futures are cancelled after a random
//! number of polls.
//!
//! # What it can find
//! Lost wake-ups, which show as deadlocks; rights that are lost or doubled; two that hold what one
//! may have. A failure prints its schedule, which `shuttle::replay` runs again.
//!
//! # What it cannot find
//! - Wrong orderings: all atomics are sequentially consistent here. Nor does it watch the cells:
//!   tasks are switched at atomics, mutexes and yields only. Both are loom's part.
//! - What no schedule that was drawn contains: a run without failure proves nothing.
//!
//! # What it caught
//! Each line was seeded once, with the 3,000 schedules of each kind that are the default.
//!
//! | mutation | fails |
//! | --- | --- |
//! | a lost grant of permits is not given back | `locks`, `semaphores`, `conditions` |
//! | who leaves hands its grant on to nobody | six, as `a_lock_..`, `a_limit_..`, `a_channel_..` |
//! | permits are taken past those who wait | `a_lock_..`, `readers_..`, `semaphores` |
//! | a notified guest that leaves notifies nobody | `conditions` |
//! | a getter, or a putter, that leaves a queue keeps its right | `queues` |
//! | only one full batch is granted and woken | `forty_parties_..`, `permits_that_come_..` |
//! | a set is not counted in the generation | `a_set_reaches_..` |
//! | a cancelled arrival at a barrier still counts | `arrivals_that_..` |
//! | a lost grant of a limiter stays promised | `a_limit_..` |
//! | the last sender does not close the channel | `a_channel_..` |
//!
//! # Not here
//! `local`, which has no threads: property tests. Proofs: the `models` beside each primitive.

mod barriers;
mod channels;
mod conditions;
mod events;
mod locks;
mod queues;
mod semaphores;

use std::env;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::{Mutex, PoisonError};
use std::task::Poll;

use shuttle::future::{JoinHandle, block_on, spawn, yield_now};
use shuttle::rand::{Rng, thread_rng};

use crate::wait_list::Shared;

type Barrier = super::Barrier<Shared>;
type CapacityLimiter = super::CapacityLimiter<Shared>;
type Condition = super::Condition<Shared>;
type Event = super::Event<Shared>;
type Lock<T> = super::Lock<T, Shared>;
type Queue<T> = super::Queue<T, super::Fifo, Shared>;
type RwLock<T> = super::RwLock<T, Shared>;
type Semaphore = super::Semaphore<Shared>;
type Watch<T> = super::Watch<T, Shared>;

/// How many schedules of each kind a scene is run under, unless `PETLA_SCHEDULES` says it.
const SCHEDULES: usize = 3_000;
/// How many steps PCT takes from the task whose turn it is.
const DEPTH: usize = 3;

/// Runs `scene` under many schedules. A scene ends when all its tasks have.
fn explore(scene: fn()) {
    explore_some(schedules(), scene);
}

/// The same for a scene with a [`crowd`], whose schedules are ten times as long.
fn explore_crowd(scene: fn()) {
    explore_some(schedules().div_ceil(10), scene);
}

fn explore_some(count: usize, scene: fn()) {
    shuttle::check_random(scene, count);
    shuttle::check_pct(scene, count, DEPTH);
}

fn schedules() -> usize {
    env::var("PETLA_SCHEDULES").map_or(SCHEDULES, |text| {
        text.parse()
            .expect("PETLA_SCHEDULES is not a number of schedules")
    })
}

/// The result of `future`, unless it is cancelled: half of them are dropped after 1 to 3 polls.
async fn perhaps<F: Future>(future: F) -> Option<F::Output> {
    match thread_rng().gen_range(1..=6) {
        patience @ 1..=3 => briefly(future, patience).await,
        _ => Some(future.await),
    }
}

/// The result of `future`, if it has one at one of its first polls; then it is cancelled.
async fn briefly<F: Future>(future: F, polls: usize) -> Option<F::Output> {
    let mut future = pin!(future);
    for _ in 0..polls {
        let polled = poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx))).await;
        if let Poll::Ready(output) = polled {
            return Some(output);
        }
        yield_now().await; // whatever it waits for may happen now
    }
    None
}

/// How many of a [`crowd`] stay: more than are woken under one lock.
const STAY: usize = 40;

/// 48 tasks, of which the last 8 may walk away from the future that `wait` makes.
fn crowd<F>(wait: impl Fn() -> F) -> Vec<JoinHandle<Option<F::Output>>>
where
    F: Future<Output: Send> + Send + 'static,
{
    spawn_all(STAY + 8, |number| {
        let future = wait();
        async move {
            match number < STAY {
                true => Some(future.await),
                false => perhaps(future).await,
            }
        }
    })
}

/// Lets others run until `holds` does.
async fn until(holds: impl Fn() -> bool) {
    while !holds() {
        yield_now().await;
    }
}

/// Lets others run, a random number of times.
async fn dawdle() {
    for _ in 0..thread_rng().gen_range(0..4) {
        yield_now().await;
    }
}

/// What each of the tasks gave.
fn join<T>(tasks: Vec<JoinHandle<T>>) -> Vec<T> {
    let tasks = tasks.into_iter();
    tasks
        .map(|task| block_on(task).expect("nobody aborts a task"))
        .collect()
}

/// `count` tasks that run what `task` makes of their numbers.
fn spawn_all<F>(count: usize, task: impl Fn(usize) -> F) -> Vec<JoinHandle<F::Output>>
where
    F: Future<Output: Send> + Send + 'static,
{
    (0..count).map(|number| spawn(task(number))).collect()
}

/// The test's own notes: the scheduler knows nothing of them, so taking them is no step.
#[derive(Default)]
struct Notes<T>(Mutex<T>);

impl<T> Notes<T> {
    fn with<R>(&self, f: impl FnOnce(&mut T) -> R) -> R {
        f(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
