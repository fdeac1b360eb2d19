//! A run: the loop turns until its main task ends, or until it is stopped.
//!
//! The main future is an ordinary task, except that it may borrow from the caller of the run.
//!
//! # Invariants
//! - **Ended**: when `run_main` returns or unwinds, the main task has ended: its future is gone
//!   before what it borrows can be.

use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use super::Kernel;
use crate::error::JoinError;
use crate::task::{Flags, Task};

/// The kernel is running for as long as this lives.
struct Running<'a>(&'a Kernel);

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.running.set(false);
        self.0.stopping.set(false);
    }
}

/// The main task's handle; whatever happens, the task ends with it.
struct Main<'a, T> {
    kernel: &'a Kernel,
    task: Task<T>,
}

impl<T> Drop for Main<'_, T> {
    fn drop(&mut self) {
        self.kernel.end_now(&self.task);
    }
}

impl Kernel {
    /// Turns until `future` is done. `None` if the loop was stopped or interrupted before.
    ///
    /// The caller has checked that no loop runs on this thread and that this one is open.
    pub(crate) fn run_main<F: Future>(
        &self,
        future: F,
        at: &'static Location<'static>,
    ) -> Option<Result<F::Output, JoinError>> {
        let _entered = self.enter();
        self.running.set(true);
        let _running = Running(self);
        let _listening = self.listen();
        // SAFETY: Ended: `main` ends the task before this function is left, and what the
        // future and its output borrow outlives this call.
        let task = unsafe { self.spawn_unchecked(future, at, Flags::NEW) };
        let mut main = Main { kernel: self, task };
        self.cancel_on_signal(&main.task);
        self.run_until(|| main.task.is_finished() || self.stopping.get());
        if !main.task.is_finished() {
            self.notice_signals();
            return None;
        }
        match Pin::new(&mut main.task).poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(result) => Some(result),
            Poll::Pending => None,
        }
    }

    /// Turns until the loop is stopped.
    pub(crate) fn run_forever(&self) {
        let _entered = self.enter();
        self.running.set(true);
        let _running = Running(self);
        let _listening = self.listen();
        self.run_until(|| self.stopping.get());
        self.notice_signals();
    }

    /// Drops a task's future here and now, unless it has ended. Not from inside its own poll.
    fn end_now<T>(&self, task: &Task<T>) {
        if !task.is_finished() {
            let slot = task.slot();
            if let Some(cell) = self.run.task(slot) {
                self.cancel_now(slot, cell);
            }
        }
    }
}
