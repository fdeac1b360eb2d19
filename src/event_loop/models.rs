//! Loom's proofs of the two halves of a [`RemoteTask`]: the runner answers, the handle waits.
//!
//! Loom's own `block_on` drives the runner in the place of a loop. What is proved is that nothing
//! is lost between the handle's thread and the runner's, whatever the order: a waiter that is
//! forgotten leaves a model deadlocked, which loom reports, and a result lies in loom's cell
//! ([`Letter`]), so that to read it before it was handed over is an error and not luck.
//!
//! Each of these mistakes, seeded into `remote_task` by `.ci/mutate event_loop`, makes a model
//! fail:
//!
//! - `set` notifies nobody, or before the result is there (`a_thread_that_joins_..`); wakes no
//!   waiter, or takes it in a lock of its own (`a_future_that_awaits_..`); says that it is done
//!   before the result is there; makes the reason outside the lock (`.._reason_of_a_cancel`);
//!   replaces an earlier answer (`the_end_of_the_runner_..`); keeps a result only for who waits.
//! - `poll` keeps the first waker (`the_waker_of_the_last_poll_..`), or looks for the result in one
//!   lock and leaves its waker in another (`a_cancel_that_came_too_late_..`).
//! - `cancel` wakes nobody, wakes before it notes the reason (`a_cancel_ends_..`), or gives the
//!   wrong answer. `cancel_requested` does not keep the task's waker, or not in the lock in which
//!   it looked (`a_cancel_ends_..`).
//! - The runner does not look for a cancel before it makes the future (`.._is_not_even_made`);
//!   its drop answers nothing (`a_runner_that_never_starts_..`).
//!
//! # Not here
//! The post that carries the runner (`mailbox::models`). `join_timeout`: loom's `wait_timeout`
//! never times out, and otherwise it is `join`. Panics of the future, and the report of one that
//! nobody sees: unit tests.

use std::cell::Cell;
use std::future::{Future, pending, poll_fn, ready};
use std::panic::Location;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize as Count, Ordering::Relaxed};
use std::task::{Context, Poll, Waker};

use loom::future::block_on;
use loom::model::Builder;
use loom::thread::{self, JoinHandle};

use super::remote_task::{RemoteTask, Runner, pair};
use crate::error::JoinError;
use crate::rt::{Arc, AtomicU32, UnsafeCell};

/// Tries every order, whatever `LOOM_MAX_PREEMPTIONS` says: all models together take two seconds.
fn exhaust(model: impl Fn() + Send + Sync + 'static) {
    let orders = std::sync::Arc::new(Count::new(0));
    let counted = orders.clone();
    let mut builder = Builder::new();
    builder.preemption_bound = None;
    builder.check(move || {
        counted.fetch_add(1, Relaxed);
        model();
    });
    println!("{} orders, all there are", orders.load(Relaxed));
}

/// Written on one thread, read on another; counts its drops.
struct Letter {
    text: UnsafeCell<u32>,
    drops: Arc<AtomicU32>,
}

// SAFETY: loom watches the cell, and fails the model if a write is not alone in it.
unsafe impl Sync for Letter {}

impl Letter {
    fn write(drops: &Arc<AtomicU32>) -> Letter {
        let letter = Letter {
            text: UnsafeCell::new(0),
            drops: drops.clone(),
        };
        // SAFETY: loom checks that nobody else is in the cell.
        letter.text.with_mut(|text| unsafe { *text = 7 });
        letter
    }

    fn is_written(&self) -> bool {
        // SAFETY: loom checks that nobody writes the cell.
        self.text.with(|text| unsafe { *text == 7 })
    }
}

impl Drop for Letter {
    fn drop(&mut self) {
        self.drops.fetch_add(1, Relaxed);
    }
}

/// A handle, and the runner of a closure that writes a letter.
fn letter() -> (
    RemoteTask<Letter>,
    Runner<impl AsyncFnOnce() -> Letter, Letter>,
    Arc<AtomicU32>,
) {
    let drops = Arc::new(AtomicU32::new(0));
    let count = drops.clone();
    let (task, runner) = halves(async move || Letter::write(&count));
    (task, runner, drops)
}

fn halves<F: AsyncFnOnce() -> T, T>(f: F) -> (RemoteTask<T>, Runner<F, T>) {
    pair(f, Location::caller())
}

/// The loop's thread: drives the runner to its end.
fn start<F, T>(runner: Runner<F, T>) -> JoinHandle<()>
where
    F: AsyncFnOnce() -> T + 'static,
    T: 'static,
{
    thread::spawn(move || block_on(runner.run()))
}

fn poll_once<T: Send>(task: &mut RemoteTask<T>) -> Poll<Result<T, JoinError>> {
    Pin::new(task).poll(&mut Context::from_waker(Waker::noop()))
}

/// Lets the runner's future be Pending once.
async fn yield_once() {
    let yielded = Cell::new(false);
    poll_fn(|cx| {
        if yielded.replace(true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

#[test]
fn a_thread_that_joins_gets_the_result_whole() {
    exhaust(|| {
        let (task, runner, drops) = letter();
        let runner = start(runner);
        assert!(task.join().is_ok_and(|letter| letter.is_written()));
        runner.join().unwrap();
        assert_eq!(drops.load(Relaxed), 1);
    });
}

#[test]
fn a_future_that_awaits_gets_the_result_whole() {
    exhaust(|| {
        let (task, runner, drops) = letter();
        let runner = start(runner);
        assert!(block_on(task).is_ok_and(|letter| letter.is_written()));
        runner.join().unwrap();
        assert_eq!(drops.load(Relaxed), 1);
    });
}

#[test]
fn the_waker_of_the_last_poll_is_the_one_that_is_woken() {
    exhaust(|| {
        let (mut task, runner, _) = letter();
        let runner = start(runner);
        let result = match poll_once(&mut task) {
            Poll::Ready(result) => result,
            Poll::Pending => block_on(task),
        };
        assert!(result.is_ok_and(|letter| letter.is_written()));
        runner.join().unwrap();
    });
}

#[test]
fn a_result_that_is_announced_is_there() {
    exhaust(|| {
        let (mut task, runner, _) = letter();
        let runner = start(runner);
        if task.is_finished() {
            assert!(matches!(poll_once(&mut task), Poll::Ready(Ok(letter)) if letter.is_written()));
        }
        runner.join().unwrap();
    });
}

#[test]
fn a_cancel_ends_a_task_that_would_never_end() {
    exhaust(|| {
        let (task, runner) = halves(async || pending::<()>().await);
        let runner = start(runner);
        assert!(task.cancel("enough"));
        assert_eq!(task.join().unwrap_err().reason(), Some("enough"));
        runner.join().unwrap();
    });
}

#[test]
fn a_cancel_outlives_the_handle_that_asked() {
    exhaust(|| {
        let (task, runner) = halves(async || pending::<()>().await);
        let runner = start(runner);
        task.cancel("enough");
        drop(task);
        runner.join().unwrap();
    });
}

#[test]
fn a_cancel_that_came_too_late_says_so_and_one_that_did_not_may_still_lose() {
    exhaust(|| {
        let (task, runner) = halves(async || yield_once().await);
        let runner = start(runner);
        let heard = task.cancel("enough");
        match block_on(task) {
            Ok(()) => {} // also if it was heard: the poll under way had a value
            Err(error) => assert!(heard && error.reason() == Some("enough")),
        }
        runner.join().unwrap();
    });
}

#[test]
fn a_task_cancelled_before_its_start_is_not_even_made() {
    exhaust(|| {
        let made = Arc::new(AtomicU32::new(0));
        let count = made.clone();
        let (task, runner) = halves(move || {
            count.fetch_add(1, Relaxed);
            ready(())
        });
        let canceller = thread::spawn(move || {
            assert!(task.cancel("enough"));
            task
        });
        let task = canceller.join().unwrap();
        let runner = start(runner);
        assert_eq!(task.join().unwrap_err().reason(), Some("enough"));
        runner.join().unwrap();
        assert_eq!(made.load(Relaxed), 0);
    });
}

#[test]
fn a_handle_dropped_at_any_moment_drops_the_result_once() {
    exhaust(|| {
        let (mut task, runner, drops) = letter();
        let runner = start(runner);
        drop(poll_once(&mut task));
        drop(task);
        runner.join().unwrap();
        assert_eq!(drops.load(Relaxed), 1);
    });
}

#[test]
fn a_runner_that_never_starts_answers_who_joins() {
    exhaust(|| {
        let (task, runner, drops) = letter();
        let closing = thread::spawn(move || drop(runner));
        assert!(task.join().is_err_and(|error| error.is_cancelled()));
        closing.join().unwrap();
        assert_eq!(drops.load(Relaxed), 0);
    });
}

#[test]
fn a_runner_that_never_starts_answers_who_awaits_with_the_reason_of_a_cancel() {
    exhaust(|| {
        let (task, runner, _) = letter();
        let closing = thread::spawn(move || drop(runner));
        let heard = task.cancel("enough");
        let error = block_on(task).err().unwrap();
        assert_eq!(heard, error.reason() == Some("enough"));
        closing.join().unwrap();
    });
}

#[test]
fn the_end_of_the_runner_leaves_the_answer_alone() {
    exhaust(|| {
        let (mut task, runner, drops) = letter();
        let runner = start(runner);
        runner.join().unwrap();
        assert!(matches!(poll_once(&mut task), Poll::Ready(Ok(letter)) if letter.is_written()));
        drop(task);
        assert_eq!(drops.load(Relaxed), 1);
    });
}
