//! Closing a loop: every task is dropped while thread-locals live and the loop is current.
//!
//! asyncio's `run` cancels what is left when the main task ends; so does this, by dropping.
//! What the destructors do meanwhile must come to an end: new tasks are cancelled at birth,
//! wakes and timers fall on deaf ears, posts are refused and handed back.
//!
//! # Invariants
//! - **Idempotent**: a loop is closed once; later calls do nothing.
//!
//! # Not here
//! Asynchronous clean-ups: a loop drops, it does not wait.
#![deny(unsafe_code)]

use super::{Kernel, Phase};
use crate::mailbox;
use crate::reactor::Reactor;
use crate::task::token::drop_safely;
use crate::timer_queue::TimerQueue;

impl Kernel {
    /// Drops every task, every timer's and descriptor's waker, and what other threads posted.
    pub(crate) fn close(&self) {
        if self.phase.get() != Phase::Open {
            return;
        }
        self.phase.set(Phase::Closing);
        let entered = self.enter();
        self.drop_tasks();
        mailbox::release(self.id).into_iter().for_each(drop_safely);
        drop_safely(self.timers.replace(TimerQueue::new()));
        drop_safely(self.idlers.take());
        drop_safely(self.reactor.replace(Reactor::new()));
        drop(entered);
        drop_safely(self.handler.take());
        self.phase.set(Phase::Closed);
    }

    /// No slot is filled again behind the scan: tasks spawned meanwhile get none.
    fn drop_tasks(&self) {
        self.watches.clear();
        for slot in 0..self.run.slots() {
            if let Some(task) = self.run.task(slot) {
                self.cancel_now(slot, task);
            }
        }
    }
}

impl Drop for Kernel {
    fn drop(&mut self) {
        self.close();
    }
}
