//! One value that goes from one owner to another: what a oneshot is made of.
//!
//! With one at each end there is no line, and a lock is more than is needed: a few bits say
//! whose each cell is. Each end does one thing for good, the giver gives (a value, or nothing),
//! the taker leaves, and each can wait for the other's.
//!
//! ```text
//! bits    GIVER.done   TAKER.done   GIVER.waits   TAKER.waits
//!         it gave      it left      each end's own, which it may take back
//! ```
//!
//! # Invariants
//! - **Turns**: the value's cell is the giver's until it gave, then the taker's; unless that had
//!   left before, when it stays the giver's.
//! - **Wakers**: the cell of an end's waker is that end's while it does not say `waits`; while it
//!   does, it is the other one's, who takes the waker out when it is done. To have it back the end
//!   takes the bit back, unless the other one was done by then: then it is the other's for good.
//! - **Shares**: each end has a share of the cells, so they outlive a wake that is under way.
//!
//! # Orderings
//! Release where a bit is set, Acquire where it is seen: what was done before one end was done
//! happens before what the other does next. No value or waker of foreign code is dropped or
//! cloned between two steps that belong together.
//!
//! # Cost
//! A read-modify-write to give, to leave, and to wait for the first time, two to wait on; a load to
//! look.
//!
//! # Not here
//! What the ends are called, and what they say: `oneshot`.

use std::fmt::{self, Debug, Formatter};
use std::task::{Context, Poll, Waker, ready};

use super::{Mode, Shared};
use crate::rt::{Ordering, UnsafeCell};
use crate::wait_list::{Word, wake};

/// What an end says about itself.
#[derive(Clone, Copy)]
struct End {
    /// The bit: it has done its one thing.
    done: usize,
    /// The bit: its waker is in its cell.
    waits: usize,
}

const GIVER: End = End { done: 1, waits: 2 };
const TAKER: End = End { done: 4, waits: 8 };

/// What both ends share.
struct Cells<T, M: Mode> {
    bits: M::Word,
    value: UnsafeCell<Option<T>>,
    taker: UnsafeCell<Option<Waker>>,
    giver: UnsafeCell<Option<Waker>>,
}

// SAFETY: each cell is one end's at a time (Turns, Wakers); a value goes from one thread to
// another, which `Send` allows, and is never seen by two.
unsafe impl<T: Send> Sync for Cells<T, Shared> {}

/// The end that gives.
pub(in crate::primitives) struct Giver<T, M: Mode> {
    cells: M::Ref<Cells<T, M>>,
}

/// The end that takes.
pub(in crate::primitives) struct Taker<T, M: Mode> {
    cells: M::Ref<Cells<T, M>>,
}

pub(in crate::primitives) fn handoff<T, M: Mode>() -> (Giver<T, M>, Taker<T, M>) {
    let cells = M::share(Cells {
        bits: M::Word::new(0),
        value: UnsafeCell::new(None),
        taker: UnsafeCell::new(None),
        giver: UnsafeCell::new(None),
    });
    let giver = Giver {
        cells: cells.clone(),
    };
    (giver, Taker { cells })
}

impl<T, M: Mode> Cells<T, M> {
    fn is_done(&self, end: End) -> bool {
        self.bits.load(Ordering::Acquire) & end.done != 0
    }

    fn waker(&self, end: End) -> &UnsafeCell<Option<Waker>> {
        match end.done == GIVER.done {
            true => &self.giver,
            false => &self.taker,
        }
    }

    /// How many of the two ends wait for the other.
    fn waiting(&self) -> usize {
        let bits = self.bits.load(Ordering::Relaxed);
        let waits = |end: End, other: End| bits & end.waits != 0 && bits & other.done == 0;
        usize::from(waits(GIVER, TAKER)) + usize::from(waits(TAKER, GIVER))
    }

    /// `end` is done: tells the other, which may wait for that. Whether the other was done before.
    fn finish(&self, end: End, other: End) -> bool {
        let own = self.take_back(end, other).unwrap_or_default();
        // Release and Acquire: for whoever sees the bit, and to see what the other end did.
        let before = self.bits.set_bits(end.done, Ordering::AcqRel);
        drop(own); // foreign code: when all is said
        if before & other.waits != 0 {
            let waker = self.waker(other).with_mut(|waker| {
                // SAFETY: the other end said `waits` before this one was done, so the cell is
                // this one's (Wakers), and there for as long as its share (Shares).
                unsafe { &mut *waker }.take()
            });
            if let Some(waker) = waker {
                wake(waker);
            }
        }
        before & other.done != 0
    }

    /// Waits until `other` is done.
    fn poll(&self, end: End, other: End, cx: &mut Context<'_>) -> Poll<()> {
        let bits = self.bits.load(Ordering::Acquire);
        if bits & other.done != 0 {
            return Poll::Ready(());
        }
        let Some(mut old) = self.take_back(end, other) else {
            return Poll::Ready(());
        };
        let same = old.take_if(|old| old.will_wake(cx.waker()));
        let new = same.unwrap_or_else(|| cx.waker().clone());
        self.waker(end).with_mut(|waker| {
            // SAFETY: this end does not say `waits`, so the cell is its own (Wakers). It is empty.
            unsafe { *waker = Some(new) };
        });
        let before = self.bits.set_bits(end.waits, Ordering::AcqRel);
        drop(old); // foreign code: when the new one is in place
        match before & other.done {
            0 => Poll::Pending,
            _ => Poll::Ready(()),
        }
    }

    /// Takes the waker of `end`, which calls this, out of its cell, if there is one; `None` if
    /// `other` is done and may be about to use it.
    fn take_back(&self, end: End, other: End) -> Option<Option<Waker>> {
        // Relaxed: it is this end's own bit.
        if self.bits.load(Ordering::Relaxed) & end.waits == 0 {
            return Some(None);
        }
        let before = self.bits.clear_bits(end.waits, Ordering::AcqRel);
        if before & other.done != 0 {
            return None;
        }
        Some(self.waker(end).with_mut(|waker| {
            // SAFETY: the bit was taken back before the other end was done, so the cell is this
            // end's (Wakers).
            unsafe { &mut *waker }.take()
        }))
    }
}

impl<T, M: Mode> Giver<T, M> {
    /// Gives the value to the taker; back, if that is gone.
    pub(in crate::primitives) fn give(self, value: T) -> Result<(), T> {
        self.cells.value.with_mut(|place| {
            // SAFETY: nothing was given yet, so the cell is ours (Turns).
            unsafe { *place = Some(value) };
        });
        if !self.cells.finish(GIVER, TAKER) {
            return Ok(());
        }
        let value = self.cells.value.with_mut(|place| {
            // SAFETY: the taker left before it was given, so the cell is still ours (Turns).
            unsafe { &mut *place }.take()
        });
        value.map_or(Ok(()), Err)
    }

    pub(in crate::primitives) fn is_left(&self) -> bool {
        self.cells.is_done(TAKER)
    }

    pub(in crate::primitives) fn waiting(&self) -> usize {
        self.cells.waiting()
    }

    /// Waits until the taker is gone.
    pub(in crate::primitives) fn poll_left(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.cells.poll(GIVER, TAKER, cx)
    }
}

impl<T, M: Mode> Drop for Giver<T, M> {
    fn drop(&mut self) {
        if !self.cells.is_done(GIVER) {
            self.cells.finish(GIVER, TAKER);
        }
    }
}

impl<T, M: Mode> Taker<T, M> {
    /// What was given, if that is decided: a value, or nothing. Then nothing more will come.
    pub(in crate::primitives) fn look(&mut self) -> Option<Option<T>> {
        self.is_given().then(|| self.take())
    }

    /// Waits until that is decided.
    pub(in crate::primitives) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<T>> {
        ready!(self.cells.poll(TAKER, GIVER, cx));
        Poll::Ready(self.take())
    }

    /// Whether there is a value, if that is decided.
    pub(in crate::primitives) fn has_value(&self) -> Option<bool> {
        self.is_given().then(|| {
            self.cells.value.with(|place| {
                // SAFETY: it was given, so the cell is ours (Turns), and nobody has a `&mut` to it.
                unsafe { &*place }.is_some()
            })
        })
    }

    pub(in crate::primitives) fn waiting(&self) -> usize {
        self.cells.waiting()
    }

    fn is_given(&self) -> bool {
        self.cells.is_done(GIVER)
    }

    fn take(&mut self) -> Option<T> {
        // Relaxed: it must not order what the caller's look has to.
        let bits = self.cells.bits.load(Ordering::Relaxed);
        debug_assert!(bits & GIVER.done != 0, "the cell is the giver's until then");
        self.cells.value.with_mut(|place| {
            // SAFETY: it was given, and this end is here, so the cell is ours (Turns).
            unsafe { &mut *place }.take()
        })
    }
}

impl<T, M: Mode> Drop for Taker<T, M> {
    fn drop(&mut self) {
        if !self.is_given() {
            self.cells.finish(TAKER, GIVER);
        }
    }
}

impl<T, M: Mode> Debug for Giver<T, M> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("Giver").finish_non_exhaustive()
    }
}

impl<T, M: Mode> Debug for Taker<T, M> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("Taker").finish_non_exhaustive()
    }
}
