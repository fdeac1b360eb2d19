//! The time between giving a lock up and having it again: what waiting for a condition is.
//!
//! To give the lock up and to get in the condition's line is one step under the lock's own list
//! lock, so a notification that comes after the first comes after the second. The way back leads
//! through the lock's line, like everybody's.
//!
//! # Invariants
//! **Alone** of the parent: the permits of the guard are given back in the step that enters the
//! annex, and the guard is forgotten before, so that no panic can give them back twice. A guard
//! is made again when the guest, which waits in the line of this room and nowhere else, was
//! granted all permits.
//!
//! # Not here
//! Predicates: `condition`. Who is moved when: `wait_list::annex`.

use std::fmt::{self, Debug, Formatter};
use std::mem::ManuallyDrop;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use super::{ALL, LockGuard, Room};
use crate::pin::pinned;
use crate::primitives::permits::Ledger;
use crate::wait_list::{Annex, Front, Guest, InUse, Mode};

/// A guard that comes back: after the wait, or at once because it was refused.
pub(in crate::primitives) type Back<G> = Result<G, (InUse, G)>;

pinned! {
    /// Gives a guard up, waits in an annex, and gets it back; then it can be used again.
    pub(in crate::primitives) struct Absence<'c, 'a, T: ?Sized, M: Mode> {
        room: &'a Room<T, M>,
        guard: Option<LockGuard<'a, T, M>>,
        #[pin]
        guest: Guest<'a, 'c, Ledger<M>, M>,
    }
}

impl<'c, 'a, T: ?Sized, M: Mode> Absence<'c, 'a, T, M> {
    pub(in crate::primitives) fn new(annex: &'c Annex<M>, guard: LockGuard<'a, T, M>) -> Self {
        Absence {
            room: guard.room,
            guest: Guest::new(guard.room.permits.front(), annex),
            guard: Some(guard),
        }
    }

    /// The guard, if it was not given up.
    pub(in crate::primitives) fn take_guard(self: Pin<&mut Self>) -> Option<LockGuard<'a, T, M>> {
        self.project().guard.take()
    }

    /// To give up once more.
    pub(in crate::primitives) fn again(self: Pin<&mut Self>, guard: LockGuard<'a, T, M>) {
        *self.project().guard = Some(guard);
    }

    /// Gives the guard up, if it has it; else has it again, or waits.
    ///
    /// # Errors
    /// The guard, if the condition is used with another lock at the moment.
    ///
    /// # Panics
    /// If it is polled again after it gave the guard to its caller.
    pub(in crate::primitives) fn poll(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Back<LockGuard<'a, T, M>>> {
        let mut this = self.project();
        if let Some(guard) = this.guard.take() {
            let waker = cx.waker().clone();
            let guard = ManuallyDrop::new(guard);
            let entered = this
                .guest
                .enter(waker, ALL, |ledger| ledger.give(ALL as usize));
            return match entered {
                Ok(()) => Poll::Pending,
                Err(in_use) => Poll::Ready(Err((in_use, ManuallyDrop::into_inner(guard)))),
            };
        }
        if ready!(this.guest.as_mut().poll_grant(cx)).is_none() {
            let permits = &this.room.permits;
            ready!(permits.poll_take_all(this.guest.as_mut().waiter(), cx, ALL));
            this.guest.done();
        }
        Poll::Ready(Ok(LockGuard::new(this.room)))
    }

    /// Ends the wait for a notification: from now on it waits for the lock alone.
    pub(in crate::primitives) fn withdraw(self: Pin<&mut Self>) {
        let guest = self.project().guest;
        if guest.is_in() {
            guest.withdraw();
        }
    }
}

impl<T: ?Sized, M: Mode> LockGuard<'_, T, M> {
    /// Moves the first `n` in the annex to the line of this lock.
    ///
    /// # Errors
    /// [`InUse`]: they wait for another lock.
    pub(in crate::primitives) fn notify(&self, annex: &Annex<M>, n: usize) -> Result<(), InUse> {
        if annex.len() == 0 {
            return Ok(());
        }
        let front = self.room.permits.front();
        front.settle(|(), lines| annex.move_first(lines, n))
    }
}

impl<T: ?Sized, M: Mode> Debug for Absence<'_, '_, T, M> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("Absence").finish_non_exhaustive()
    }
}
