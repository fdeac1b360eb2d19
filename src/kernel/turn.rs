//! The turn of the loop: a batch of polls, looks in between, and sleep when there is nothing.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::task::Waker;

use super::{BELL, Kernel};
use crate::clock::saturating_ns;
use crate::run_queue::Ready;
use crate::sys::process::{FINE_SLACK_NS, TimerSlack};
use crate::task::Header;
use crate::task::report;
use crate::task::token::{self, wake_safely};

/// epoll lets a long wait end late by up to 0.1 % of it; a wait longer than this is done in two
/// steps, of which the second is short.
const LONG_WAIT_NS: u64 = 5_000_000;
/// The part of a long wait that is left to its second step: 0.2 %.
const SECOND_STEP: u64 = 500;

impl Kernel {
    /// Turns until `done`, which is asked after each batch. At least one look and one batch.
    ///
    /// A batch is what is ready when it begins, not what becomes ready meanwhile. A forked
    /// child leaves at once: its tasks are the parent's. So does a loop that two signals told to.
    #[inline(never)] // inside its callers, beside their guards, it is short of registers
    pub(crate) fn run_until(&self, done: impl Fn() -> bool) {
        let _fine = TimerSlack::set(FINE_SLACK_NS);
        let _seat = self.clock.sit_down(self.id);
        self.budget.slept();
        self.look();
        loop {
            let left = match self.is_observed.get() {
                false => self.batch(self.run.ready(), |ready| self.poll(ready)),
                true => self.observed_batch(),
            };
            if left || done() {
                return;
            }
            if self.run.ready() == 0 {
                self.sleep();
            }
        }
    }

    /// A batch of that many polls. True if the loop is to be left at once.
    #[inline(always)]
    fn batch(&self, size: u32, poll: impl Fn(Ready<Header>)) -> bool {
        for _ in 0..size {
            if let Some(ready) = self.run.next() {
                poll(ready);
            }
            if self.budget.spend() {
                self.look();
                if self.is_forked() || self.is_aborted() {
                    return true;
                }
            }
        }
        false
    }

    /// A batch in an order that a seed decides, or in debug mode, or both.
    #[cold]
    #[inline(never)]
    fn observed_batch(&self) -> bool {
        let debug = self.debug.get();
        self.batch(self.run.begin_batch(), |ready| match debug {
            true => self.poll_watched(ready),
            false => self.poll(ready),
        })
    }

    /// What a busy loop does between two polls: takes notice, does not wait.
    #[cold]
    #[inline(never)]
    pub(super) fn look(&self) {
        if self.is_forked() {
            return;
        }
        if self.mailbox.is_notified() {
            self.open_mailbox();
        }
        self.poll_events();
        let now = self.clock.now_ns();
        self.fire_timers(now);
        self.budget.looked(now);
    }

    /// Nothing is ready: waits until a timer, a descriptor or another thread makes it so.
    #[inline(never)]
    fn sleep(&self) {
        if self.has_idle_work() && self.work_idly() {
            return self.budget.slept();
        }
        if !self.spin.is_zero() && self.spin_for_work() {
            return;
        }
        let timeout = self.timeout();
        let patience = timeout.is_none().then(|| self.patience()).flatten();
        match timeout.or(patience) {
            Some(0) => self.poll_events(),
            timeout if self.mailbox.try_sleep() => self.wait_for_events(timeout),
            _ => {} // another thread was faster
        }
        self.clock.resume(self.id);
        let called = self.open_mailbox() || self.events.borrow().iter().next().is_some();
        if !self.timers.borrow().is_empty() {
            self.fire_timers(self.clock.now_ns());
        }
        self.slept(patience.is_some() && !called);
        self.budget.slept();
    }

    /// Looks again and again for as long as the builder's `spin` says; true if work turned up,
    /// or a stop.
    fn spin_for_work(&self) -> bool {
        let until = self.clock.now().checked_add(self.spin);
        while self.run.ready() == 0 && !self.stopping.get() {
            if until.is_some_and(|until| self.clock.now() >= until) {
                return false;
            }
            self.look();
        }
        true
    }

    /// How long to wait for events: `None` for ever, or until somebody turns a virtual clock.
    fn timeout(&self) -> Option<u64> {
        if self.clock.is_virtual() {
            return None;
        }
        let wake_at = self.wake_at()?;
        let left = wake_at.saturating_sub(self.clock.now_ns());
        let early = if left > LONG_WAIT_NS {
            left / SECOND_STEP
        } else {
            0
        };
        Some(left.saturating_sub(early.max(saturating_ns(self.spin))))
    }

    /// Does what other threads want; false if none does.
    fn open_mailbox(&self) -> bool {
        if !self.mailbox.open() {
            return false;
        }
        self.notice_signals();
        self.deliver_signals();
        self.mailbox
            .drain_wakes(|slot| token::wake_slot_of(&self.run, slot));
        for post in self.mailbox.take_posts() {
            let call = AssertUnwindSafe(post);
            if let Err(payload) = catch_unwind(call) {
                report::panicked(
                    "a destructor on behalf of another thread panicked",
                    None,
                    payload,
                );
            }
        }
        true
    }

    /// Asks epoll without waiting, if there is anything to ask about.
    fn poll_events(&self) {
        if !self.reactor.borrow().is_empty() {
            self.wait_for_events(Some(0));
        }
    }

    fn wait_for_events(&self, timeout: Option<u64>) {
        let mut woken = self.woken.take();
        self.collect_events(timeout, &mut woken);
        woken.drain(..).for_each(wake_safely);
        self.woken.set(woken);
    }

    fn collect_events(&self, timeout: Option<u64>, woken: &mut Vec<Waker>) {
        let mut events = self.events.borrow_mut();
        self.epoll
            .wait(&mut events, timeout)
            .expect("epoll is open and its arguments are right");
        let mut reactor = self.reactor.borrow_mut();
        let ready = events.iter().filter(|&(key, _)| key != BELL);
        ready.for_each(|(key, flags)| reactor.event(key, flags, woken));
    }

    /// Wakes whoever waits for a moment up to `now`.
    pub(super) fn fire_timers(&self, now: u64) {
        while let Some(waker) = self.pop_due(now) {
            wake_safely(waker);
        }
    }
}
