//! A waiter that keeps its list alive: for whoever waits and borrows nothing.
//!
//! A future borrows the primitive that it waits for, and most do well with that. A stream that is
//! owned, and has a place in the line between two polls, cannot: it would have to borrow from
//! what it owns itself. Here the waiter and what its list lies in are kept side by side, and
//! together they are as safe as a borrow: the list stays where it is while anything of its owner
//! is left, and the waiter is gone before that is.
//!
//! The waiter is on the heap, so that a [`Held`] may be moved while it waits.
//!
//! # Invariants
//! - **Kept**: `owner` is a share of an `Rc` or `Arc`, so what it points to neither moves nor
//!   dies, and nobody has a `&mut` to it, before `owner` is dropped. The waiter's list was
//!   borrowed from that, so it is as good until then.
//! - **First**: the waiter is dropped by `drop`, so before `owner`, which is never replaced. A
//!   `Held` that is leaked leaks its share, and with it the list.
//! - **Erased**: `waiter` came from `Box::into_raw` of a `Waiter<'_, P, M>`, and is used as one.
//!   Its lifetime is given anew at each use: no longer than `self` is borrowed.
//! - **Same**: the waiter stays with its list. It cannot be bound to another outside of
//!   `wait_list`; nor can another take its place through the pin, as it is shown for a lifetime
//!   that is unknown to whom it is shown, so that no other list is known to live that long.
//!
//! # Cost
//! One allocation, and a share of the owner. Nothing when it waits again.
//!
//! # Not here
//! What is waited for.

use std::fmt::{self, Debug, Formatter};
use std::marker::PhantomData;
use std::pin::Pin;
use std::ptr::NonNull;

use super::mode::{Mode, Shared};
use super::waiter::Waiter;
use super::{Policy, WaitList};

/// A waiter, and a share of the `C` that its list is in.
pub(crate) struct Held<C, P: Policy<M>, M: Mode> {
    /// A box of a `Waiter<'_, P, M>` (Erased).
    waiter: NonNull<()>,
    _owner: M::Ref<C>,
    /// Invariant: the waiter is used with the very policy it was made with.
    _policy: PhantomData<fn(P) -> P>,
}

// SAFETY: it is a waiter, which is `Send` and `Sync` if its list is `Sync`, and an `Arc`.
unsafe impl<C: Send + Sync, P: Policy<Shared>> Send for Held<C, P, Shared> where
    WaitList<P, Shared>: Sync
{
}
// SAFETY: as above; through `&Held` the waiter is only read, or retired under its list's lock.
unsafe impl<C: Send + Sync, P: Policy<Shared>> Sync for Held<C, P, Shared> where
    WaitList<P, Shared>: Sync
{
}

impl<C, P: Policy<M>, M: Mode> Held<C, P, M> {
    /// A waiter that does not wait yet, for the list that `list` finds in what it is to own.
    pub(crate) fn new(owner: M::Ref<C>, list: impl FnOnce(&C) -> &WaitList<P, M>) -> Self {
        let waiter = Box::new(Waiter::new(list(&owner)));
        Held {
            waiter: NonNull::from(Box::leak(waiter)).cast(),
            _owner: owner,
            _policy: PhantomData,
        }
    }

    /// Shows the waiter, to wait with.
    pub(crate) fn with<R>(&mut self, f: impl FnOnce(Pin<&mut Waiter<'_, P, M>>) -> R) -> R {
        // SAFETY: it is a waiter (Erased), whose list is alive while `self` is borrowed (Kept),
        // and `self` is borrowed mutably.
        let waiter = unsafe { self.waiter.cast::<Waiter<'_, P, M>>().as_mut() };
        // SAFETY: it stays in its box until it is dropped there (First).
        f(unsafe { Pin::new_unchecked(waiter) })
    }

    /// Whether it stands in no line and has no grant.
    pub(crate) fn is_idle(&self) -> bool {
        self.shared().is_idle()
    }

    /// Leaves the line, and hands a grant on.
    ///
    /// Others may do the same at that moment: only who has it alone, in [`with`](Self::with), can
    /// claim a grant or get in line again.
    pub(crate) fn give_up(&self) {
        let (waiter, list) = (self.shared(), self.shared().list());
        if waiter.is_idle() {
            return;
        }
        let node = waiter.node();
        // SAFETY: the node is of this list, and alive: this has it.
        let unused = list.settle(|state, lines| unsafe { list.take_out(node, state, lines) });
        drop(unused);
    }

    fn shared(&self) -> &Waiter<'_, P, M> {
        // SAFETY: it is a waiter (Erased), whose list is alive while `self` is borrowed (Kept).
        unsafe { self.waiter.cast::<Waiter<'_, P, M>>().as_ref() }
    }
}

impl<C, P: Policy<M>, M: Mode> Drop for Held<C, P, M> {
    fn drop(&mut self) {
        let waiter = self.waiter.cast::<Waiter<'_, P, M>>();
        // SAFETY: it came from a box (Erased), and is not used afterwards (First).
        drop(unsafe { Box::from_raw(waiter.as_ptr()) });
    }
}

impl<C, P: Policy<M>, M: Mode> Debug for Held<C, P, M> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("Held").finish_non_exhaustive()
    }
}
