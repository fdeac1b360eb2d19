//! Closing a loop: every task is dropped while thread-locals live and the loop is current.
//!
//! asyncio's `run` cancels what is left when the main task ends; so does this. If scopes are open
//! somewhere, the loop turns on until their clean-ups have ended, or their time is up. Then it
//! drops what is left. What the destructors do meanwhile must come to an end: new tasks are
//! cancelled at birth, wakes and timers fall on deaf ears, posts are refused and handed back.
//!
//! # Invariants
//! - **Idempotent**: a loop is closed once; later calls do nothing.
//!
//! # Not here
//! The clean-ups themselves: `scope`.
#![deny(unsafe_code)]

use std::task::Waker;

use super::poll::loop_closed;
use super::{Kernel, Phase};
use crate::mailbox;
use crate::reactor::Reactor;
use crate::task::Flags;
use crate::task::token::drop_safely;
use crate::timer_queue::TimerQueue;

impl Kernel {
    /// Drops every task, every timer's and descriptor's waker, and what other threads posted.
    pub(crate) fn close(&self) {
        if self.phase.get() != Phase::Open {
            return;
        }
        let entered = self.enter();
        self.clean_up();
        self.phase.set(Phase::Closing);
        self.drop_tasks();
        self.outsides.report();
        self.stop_listening();
        mailbox::release(self.id).into_iter().for_each(drop_safely);
        drop_safely(self.timers.replace(TimerQueue::new()));
        drop_safely(self.idlers.take());
        drop_safely(self.reactor.replace(Reactor::new()));
        drop_safely(self.run.take_parents());
        drop(entered);
        drop_safely(self.handler.take());
        self.phase.set(Phase::Closed);
    }

    /// Cancels all tasks and turns until no scope is open, or the time is up.
    fn clean_up(&self) {
        if !self.has_clean_ups() || self.is_forked() {
            return;
        }
        self.phase.set(Phase::Cleaning);
        self.watches.clear();
        self.remove_signal_handlers();
        self.cancel_tasks();
        let limit = self.clock.now().checked_add(self.cleanup_limit);
        let limit = limit.map(|limit| (limit, self.arm(limit, Waker::noop().clone())));
        let is_over = || limit.is_some_and(|(limit, _)| self.clock.now() >= limit);
        self.run_until(|| !self.has_clean_ups() || is_over() || self.given_up.get());
        if let Some((_, timer)) = limit {
            timer.disarm();
        }
    }

    fn cancel_tasks(&self) {
        for slot in 0..self.run.slots() {
            let Some(task) = self.run.task(slot) else {
                continue;
            };
            let header = self.header(&task);
            if !header.is(Flags::CLEANER) {
                header.cancel(loop_closed(header.spawned_at()));
            }
        }
    }

    /// No slot is filled again behind the scan: tasks spawned meanwhile get none.
    fn drop_tasks(&self) {
        self.watches.clear();
        self.remove_signal_handlers();
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
