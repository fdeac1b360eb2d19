//! The one structure that every primitive waits on: fair, cancellable, without allocation.
//!
//! Locks, semaphores, events and queues differ in what they give away; what happens to those
//! who must wait for it is the same, and easy to get wrong: a wake-up that is lost because its
//! waiter was cancelled at that moment, a place in the line that outlives its future, a waker
//! called under a lock. It is solved here once. A primitive is a *state* and up to four
//! *lines* under one lock, a [`WaitList`], and a [`Policy`], which says what happens when
//! somebody leaves and who can be granted what. Its futures embed a [`Waiter`].
//!
//! # Rules
//! - A grant is a right, recorded in the state by the granter. Who is granted and does not
//!   claim it (drop, lapse) gives it to [`Policy::left`]; then [`Policy::pump`] finds the next.
//! - First come, first granted. Nobody overtakes: what is promised is not free.
//! - Wakers are cloned before the lock is taken, woken and dropped after it is released. No
//!   user code runs under it, but `Ord::cmp` of a priority queue.
//! - No `SeqCst`, no fences: a grant is stored with Release and claimed with Acquire, all else
//!   is under the lock.
//! - A leaked waiter (`mem::forget`) costs its place in the line, never memory safety.
//!
//! # Invariants
//! They stand where they are kept: `node` (**Pinned**, **Locked**, **Handed**, **Once**), `lines`
//! (**Linked**, **Own**), `waiter` (**Borrowed**), `lapse` (**Anchored**, **Table**, **Leaf**),
//! `batch` (**All**, **Filled**), `mode` (**Exclusive**), `front` (**Waiters**, **Sum**), `annex`
//! (**Lent**, **Numbered**), `lazy` (**Made**), `held` (**Kept**, **First**, **Erased**, **Same**).
//!
//! # How the other primitives sit on it
//! - *Lock, Semaphore*: a word `permits << 1 | WAITERS` in the policy is the fast path; while
//!   WAITERS is set it is written under the lock only. The need goes into the tag. `pump` grants
//!   from the front while the need fits, `left` gives permits back. `poll_grant` claims without
//!   the lock. A `front` makes the list when somebody first waits: constructors are `const`.
//! - *Event*: `set` moves the whole line to a second one at once (`move_all`) and notifies that in
//!   batches, so a late-comer is not among them. News never lapse, so the list need not be
//!   anchored.
//! - *Barrier*: the last arrival moves all to a second line, with their indices as tags.
//! - *CapacityLimiter*: all it knows is in the state; a `lazy` list is anchored when it is first
//!   used.
//! - *Condition*: its line, an `annex`, lies in it, but under the lock of the list it is used
//!   with. To notify is to move the first node to the lock's line, where everything above
//!   applies to it.
//!
//! # Not here
//! Timeouts (drop the future), several lists for one waiter, any knowledge of tasks or loops but
//! `context`'s two numbers.

mod annex;
mod batch;
mod front;
mod held;
mod lapse;
mod lazy;
mod lines;
mod mode;
#[cfg(all(test, petla_loom))]
mod models;
mod node;
#[cfg(all(test, not(petla_loom)))]
pub(crate) mod tests;
mod waiter;

use std::fmt::{self, Debug, Formatter};
use std::ops::Deref;

pub(crate) use annex::{Annex, Guest, InUse};
pub(crate) use batch::{Batch, wake};
pub(crate) use front::{Front, LocalFront, WAITERS, Worded};
pub(crate) use held::Held;
pub(crate) use lapse::{after_poll, has_unclaimed};
pub(crate) use lazy::LocalLazy;
pub(crate) use lines::{Line, Lines};
pub(crate) use mode::{Guarded, InPlace, Word};
pub use mode::{Local, Mode, Shared};
pub(crate) use node::TAG_MAX;
pub(crate) use waiter::Waiter;

use lines::LineArray;

/// What a primitive does when waiters leave, and whom it can grant what.
///
/// Called under the list's lock: it must not call user code.
pub trait Policy<M: Mode>: Sized {
    /// What the lock guards beside the lines.
    type State;
    /// `[Line<M>; N]`, at most four.
    type Lines: LineArray<M>;

    /// Accounts for a waiter that came by `line` and is gone: with the tag of a grant that it
    /// did not claim, or without one.
    fn left(&self, state: &mut Self::State, line: usize, grant: Option<u32>);

    /// Grants whatever can be granted, until the batch is full.
    fn pump(&self, state: &mut Self::State, lines: &mut Lines<'_, M>, batch: &mut Batch);
}

/// A state and its lines under one lock.
#[repr(C)] // the home comes first: a pointer to the list is one to it
pub struct WaitList<P: Policy<M>, M: Mode> {
    home: M::Home,
    policy: P,
    guarded: M::Guarded<Inner<P, M>>,
}

impl<P: Policy<M>, M: Mode> Debug for WaitList<P, M> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("WaitList").finish_non_exhaustive()
    }
}

struct Inner<P: Policy<M>, M: Mode> {
    state: P::State,
    lines: P::Lines,
}

impl<P: Policy<M>, M: Mode> WaitList<P, M> {
    fn new(home: M::Home, policy: P, state: P::State) -> Self {
        let lines = P::Lines::empty();
        WaitList {
            home,
            policy,
            guarded: M::Guarded::new(Inner { state, lines }),
        }
    }

    fn home(&self) -> &M::Home {
        &self.home
    }

    /// What the primitive keeps outside the lock.
    #[inline(always)]
    pub(crate) fn policy(&self) -> &P {
        &self.policy
    }

    /// Runs `f` under the lock.
    ///
    /// # Panics
    /// In `Local`, if it is called from inside itself.
    #[inline(always)]
    pub(crate) fn with<R>(&self, f: impl FnOnce(&mut P::State, &mut Lines<'_, M>) -> R) -> R {
        self.guarded.with(|inner| {
            let mut lines = Lines::new(inner.lines.all(), self);
            f(&mut inner.state, &mut lines)
        })
    }

    /// Runs `f` under the lock, then grants and wakes whatever that made possible.
    pub(crate) fn settle<R>(&self, f: impl FnOnce(&mut P::State, &mut Lines<'_, M>) -> R) -> R {
        let mut batch = Batch::new();
        let result = self.with(|state, lines| {
            let result = f(state, lines);
            self.policy.pump(state, lines, &mut batch);
            result
        });
        self.wake(&mut batch);
        result
    }

    /// Grants and wakes whatever is possible, those in the batch first.
    pub(crate) fn pump(&self, mut batch: Batch) {
        self.with(|state, lines| self.policy.pump(state, lines, &mut batch));
        self.wake(&mut batch);
    }

    /// Wakes the batch, and as long as it was full grants and wakes more.
    fn wake(&self, batch: &mut Batch) {
        loop {
            let more = batch.is_full();
            batch.wake();
            if !more {
                return batch.finish();
            }
            self.with(|state, lines| self.policy.pump(state, lines, batch));
        }
    }
}

/// A [`WaitList`] whose grants lapse, in `Local`: it stays at one address for that.
pub(crate) struct Anchored<P: Policy<M>, M: Mode>(M::Place<WaitList<P, M>>);

impl<P: Policy<M>, M: Mode> Anchored<P, M> {
    pub(crate) fn new(policy: P, state: P::State) -> Self {
        Anchored(M::anchor(policy, state))
    }
}

impl<P: Policy<M>, M: Mode> Deref for Anchored<P, M> {
    type Target = WaitList<P, M>;

    #[inline(always)]
    fn deref(&self) -> &WaitList<P, M> {
        &self.0
    }
}
