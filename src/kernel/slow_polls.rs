//! Debug mode: a poll that holds the loop for long is reported, with its task.
//!
//! On one thread a task that computes, or blocks, stops all others. Nothing can interrupt it;
//! but somebody can say who it was. It takes two clock reads a poll, so it is off unless asked for.
//!
//! # Not here
//! Where inside the task: that takes a profiler.

use std::time::{Duration, Instant};

use super::Kernel;
use crate::run_queue::Ready;
use crate::task::{Header, TaskRef, report};

/// asyncio's `slow_callback_duration`.
pub(crate) const SLOW: Duration = Duration::from_millis(100);

impl Kernel {
    /// Reports polls from now on that take longer than the limit, or does not.
    pub(crate) fn set_debug(&self, on: bool) {
        self.debug.set(on);
        self.is_observed.set(on || self.run.is_shuffled());
    }

    pub(crate) fn set_slow(&self, limit: Duration) {
        self.slow.set(limit);
    }

    /// Polls, and looks at the real clock before and after.
    #[cold]
    #[inline(never)]
    pub(super) fn poll_watched(&self, ready: Ready<Header>) {
        let header = self.header(&ready.task);
        let (task, is_callback) = (TaskRef::of(header), header.is_callback());
        let begun = Instant::now();
        self.poll(ready);
        let took = begun.elapsed();
        if took >= self.slow.get() {
            let what = if is_callback { "callback" } else { "task" };
            let held = format!("a {what} held up the loop for {took:.1?}");
            report::report(&held, Some(&task), None);
        }
    }
}
