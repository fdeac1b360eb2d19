//! What a loop does before it sleeps: tells who waits for that moment, turns an automatic clock.
//!
//! Tests want to act when all tasks are blocked, and want time to pass only then. A loop without
//! such wishes pays one or two branches a sleep. The order is that of urgency:
//!
//! ```text
//!   nothing is ready ─► look, without waiting ─► wake the idle waiters ─► a thread works for
//!   this loop: sleep ─► jump to the next deadline ─► nothing can come: look for tasks that await
//!                                                    each other ─► stuck ─► sleep
//! ```
//!
//! Each step ends it if it brought work. While a thread works for this loop (`outside`) time
//! stands still, also for the other loops on its clock: this one does not rest.
//!
//! # Invariants
//! - **Unlent**: a waker is cloned before the list is borrowed, and woken or dropped after.
//!
//! # Not here
//! The wait itself (`turn`), and which of several loops turns a clock (`clock`).
#![forbid(unsafe_code)]

use std::cell::{Cell, RefCell};
use std::mem;
use std::task::Waker;

use super::{Kernel, Phase, on_loop};
use crate::mailbox::LoopId;
use crate::task::TaskRef;
use crate::task::token::wake_safely;

/// Who waits until nothing is ready, in the order of arrival.
#[derive(Default)]
pub(super) struct Idlers {
    waiting: RefCell<Vec<(u64, Waker)>>,
    last: Cell<u64>,
}

/// A waiter of one loop. Plain data; whoever holds it takes it out.
#[derive(Debug, Clone, Copy)]
pub(crate) struct IdleWait {
    home: LoopId,
    key: u64,
}

/// What [`Kernel::look_at_idle`] found.
pub(crate) enum IdleState {
    Waiting,
    Over,
    /// It belongs to another loop.
    Elsewhere,
}

impl Idlers {
    /// Whoever still waits, for a loop that is closing to drop.
    pub(super) fn take(&self) -> Vec<(u64, Waker)> {
        self.waiting.take()
    }
}

impl Kernel {
    /// Has `waker` woken the next time when nothing is ready.
    pub(crate) fn wait_idle(&self, waker: Waker) -> IdleWait {
        let key = self.idlers.last.get() + 1;
        self.idlers.last.set(key);
        self.idlers.waiting.borrow_mut().push((key, waker));
        IdleWait { home: self.id, key }
    }

    /// Does it still wait? Then `waker` is the one to be woken from now on.
    pub(crate) fn look_at_idle(&self, wait: IdleWait, waker: &Waker) -> IdleState {
        if wait.home != self.id {
            return IdleState::Elsewhere;
        }
        let mut waker = waker.clone();
        let mut waiting = self.idlers.waiting.borrow_mut();
        match waiting.iter_mut().find(|(key, _)| *key == wait.key) {
            None => IdleState::Over,
            Some((_, old)) => {
                mem::swap(old, &mut waker);
                IdleState::Waiting
            }
        }
    }

    fn forget_idle(&self, key: u64) -> Option<Waker> {
        let mut waiting = self.idlers.waiting.borrow_mut();
        let at = waiting.iter().position(|(other, _)| *other == key)?;
        Some(waiting.remove(at).1)
    }

    /// Is there anything to do before a sleep?
    #[inline]
    pub(super) fn has_idle_work(&self) -> bool {
        self.clock.is_virtual() || !self.idlers.waiting.borrow().is_empty()
    }

    /// Does it. True if there is work now, or a stop: no sleep.
    #[cold]
    #[inline(never)]
    pub(super) fn work_idly(&self) -> bool {
        self.look();
        if self.run.ready() > 0 || self.stopping.get() || self.wake_idlers() {
            return true;
        }
        if !self.outsides.are_unawaited() {
            return false; // what the thread brings comes first
        }
        let deadline = self.timers.borrow_mut().next_deadline();
        let deadline = deadline.unwrap_or(u64::MAX); // which is never
        if self.clock.rest(self.id, deadline) {
            self.fire_timers(self.clock.now_ns());
            return true;
        }
        if self.phase.get() == Phase::Cleaning && self.clock.is_manual() {
            self.given_up.set(true); // whoever would turn it waits for this loop to close
        }
        let deaf = self.reactor.borrow().is_empty() && !self.hears_signals();
        // What a thread did before it was counted off is in the mailbox at least.
        let quiet = self.outsides.are_over() && !self.mailbox.is_notified();
        let stuck = deadline == u64::MAX && deaf && quiet;
        if stuck && self.seek_cycles() {
            return true;
        }
        if stuck && self.stop_when_stuck {
            self.stuck.set(self.tasks());
            self.stop();
        }
        self.stopping.get() || self.given_up.get()
    }

    /// All at once: who comes meanwhile waits for the next time.
    fn wake_idlers(&self) -> bool {
        let woken = self.idlers.take();
        let any = !woken.is_empty();
        woken.into_iter().for_each(|(_, waker)| wake_safely(waker));
        any
    }

    /// The tasks that were alive when the loop stopped because it was stuck.
    pub(crate) fn take_stuck(&self) -> Vec<TaskRef> {
        self.stuck.take()
    }
}

impl IdleWait {
    /// Takes it out, here or by a post to the loop's thread.
    pub(crate) fn forget(self) {
        on_loop(self.home, move |kernel| drop(kernel.forget_idle(self.key)));
    }
}
