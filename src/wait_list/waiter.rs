//! The part of a future that waits: embedded, pinned, and safe to use.
//!
//! A primitive's future holds a [`Waiter`] beside its own fields (see `pin`). Its `poll` reads:
//!
//! ```text
//! if waiter.is_idle() {
//!     // Try, then try again under the lock, or get in line.
//!     waiter.enqueue(cx, line, |state, lines| attempt)
//! } else {
//!     let tag = ready!(waiter.poll_grant(cx));
//!     // Use the right, which is now the caller's.
//! }
//! ```
//!
//! The attempt under the lock is what makes the wait safe: whatever was given away before is
//! seen, and what is given away later finds the waiter in its line.
//!
//! A waiter that is not made for one list is bound to it (`bind`) before it waits.
//!
//! A waiter that is dropped in a line leaves it; one that is dropped with a grant it did not
//! claim hands the grant to [`Policy::left`]. So no primitive has a `Drop` for its futures.
//!
//! # Invariants
//! Those of `node` and `lines`, and
//! - **Borrowed**: the list outlives the waiter, unless the waiter is leaked; then nothing ever
//!   follows its pointer to the list, but `lapse` to an anchored one.
//!
//! # Not here
//! Waiting in a line that is not the list's own, as for a Condition: `annex`.

use std::marker::PhantomData;
use std::pin::Pin;
use std::ptr::NonNull;
use std::task::{Context, Poll, Waker};

use super::lines::Lines;
use super::mode::{Mode, Shared};
use super::node::{Node, Phase, Status};
use super::{Policy, WaitList, batch};
use crate::rt::Ordering;

/// One place in the lines of a [`WaitList`], taken when there is something to wait for.
pub(crate) struct Waiter<'a, P: Policy<M>, M: Mode> {
    node: Node<M>,
    list: PhantomData<&'a WaitList<P, M>>,
}

// SAFETY: a waiter is a `&WaitList` and a node. The node's links are touched under the list's
// lock, or by the owner once Granted (Locked, Handed); its waker is `Send`.
unsafe impl<P: Policy<Shared>> Send for Waiter<'_, P, Shared> where WaitList<P, Shared>: Sync {}
// SAFETY: through `&Waiter` one gets the list, which is `Sync`, and nothing else.
unsafe impl<P: Policy<Shared>> Sync for Waiter<'_, P, Shared> where WaitList<P, Shared>: Sync {}

impl<'a, P: Policy<M>, M: Mode> Waiter<'a, P, M> {
    /// A waiter that does not wait yet.
    #[inline(always)]
    pub(crate) fn new(list: &'a WaitList<P, M>) -> Self {
        // The pointer is to the whole list, of which the home is the first field.
        Waiter {
            node: Node::new(Some(NonNull::from(list).cast())),
            list: PhantomData,
        }
    }

    /// A waiter that does not wait yet, and must be [bound](Self::bind) before it does.
    #[inline(always)]
    pub(crate) fn unbound() -> Self {
        Waiter {
            node: Node::new(None),
            list: PhantomData,
        }
    }

    /// Says which list it is to wait in. (By `&mut`, in which `'a` can be made no shorter.)
    ///
    /// # Panics
    /// If it is not idle.
    #[inline(always)]
    pub(crate) fn bind(self: Pin<&mut Self>, list: &'a WaitList<P, M>) {
        assert!(self.is_idle(), "it waits already");
        // SAFETY: it is this waiter's, Idle, and borrows the list.
        unsafe { self.node.set_home(NonNull::from(list).cast()) };
    }

    /// The list it may wait in.
    ///
    /// # Panics
    /// If it was not bound to one.
    #[inline(always)]
    pub(crate) fn list(&self) -> &'a WaitList<P, M> {
        let home = self.node.home().expect("a waiter is bound before it waits");
        let list = home.cast::<WaitList<P, M>>();
        // SAFETY: it came from a `&'a WaitList` in `new` or `bind` (Borrowed).
        unsafe { list.as_ref() }
    }

    /// Whether it stands in no line and has no grant: because it never waited, or used its
    /// grant, or slept through it.
    #[inline(always)]
    pub(crate) fn is_idle(&self) -> bool {
        // Relaxed: only the owner leaves Idle.
        self.node.status(Ordering::Relaxed) == Status::IDLE
    }

    /// Claims the grant, of which this is the tag: the right is the caller's from here on. As
    /// long as there is none, makes sure that it is this task that will be woken.
    ///
    /// # Panics
    /// If it is idle.
    #[inline]
    pub(crate) fn poll_grant(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<u32> {
        assert!(!self.is_idle(), "it does not wait");
        let node = self.node();
        // Acquire: what the granter did happened before what this task does with the grant.
        let mut status = self.node.status(Ordering::Acquire);
        if status.phase() == Phase::Waiting {
            if self.list().renew(node, cx.waker()) {
                return Poll::Pending;
            }
            status = self.node.status(Ordering::Acquire);
        }
        if status.phase() == Phase::Listed {
            // SAFETY: it is Listed, and claimed here, once.
            unsafe { M::unlist_grant(node) };
        }
        // SAFETY: it was linked once, and its links are the owner's by now (Handed).
        let is_alone = || unsafe { Node::links(node, |links| links.next == node) };
        debug_assert!(is_alone(), "a node that was released is in no circle");
        self.node.set_status(Status::IDLE);
        Poll::Ready(status.tag())
    }

    /// Tries once more under the lock; if `attempt` gives nothing, waits on `line`.
    ///
    /// # Panics
    /// If it is not idle.
    #[inline]
    pub(crate) fn enqueue<R>(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        line: usize,
        attempt: impl FnOnce(&mut P::State, &mut Lines<'_, M>) -> Option<R>,
    ) -> Poll<R> {
        self.enqueue_tagged(cx, line, 0, attempt)
    }

    /// The same, with a word to the granter.
    #[inline]
    pub(crate) fn enqueue_tagged<R>(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        line: usize,
        tag: u32,
        attempt: impl FnOnce(&mut P::State, &mut Lines<'_, M>) -> Option<R>,
    ) -> Poll<R> {
        assert!(self.is_idle(), "it waits already");
        // Foreign code: cloned before the lock is taken and, if unused, dropped after it.
        let mut waker = Some(cx.waker().clone());
        let node = self.node();
        let polled = self.list().with(|state, lines| {
            if let Some(result) = attempt(state, lines) {
                return Poll::Ready(result);
            }
            if let Some(waker) = waker.take() {
                // SAFETY: it is Idle, pinned by `self`, of this list, and `drop` retires it.
                unsafe { lines.enqueue(line, tag, node, waker) };
            }
            Poll::Pending
        });
        if let Some(unused) = waker {
            // If its drop panics, what the attempt took must not be lost with that.
            batch::discard(unused);
        }
        polled
    }

    /// The node, to be touched through the pointer only.
    #[inline(always)]
    pub(super) fn node(&self) -> NonNull<Node<M>> {
        NonNull::from(&self.node)
    }
}

impl<P: Policy<M>, M: Mode> Drop for Waiter<'_, P, M> {
    #[inline(always)]
    fn drop(&mut self) {
        if !self.is_idle() {
            let _out = OutOrAbort(self);
            // SAFETY: the node is of this list, and was enqueued.
            unsafe { self.list().retire(self.node()) };
        }
    }
}

/// Keeps a waiter's memory from being freed while it is linked: **Pinned** has no other way out
/// when the list cannot be entered, because the waiter is dropped by an `Ord::cmp` under it.
pub(super) struct OutOrAbort<'w, 'a, P: Policy<M>, M: Mode>(pub(super) &'w Waiter<'a, P, M>);

impl<P: Policy<M>, M: Mode> Drop for OutOrAbort<'_, '_, P, M> {
    #[inline]
    fn drop(&mut self) {
        if !self.0.is_idle() {
            eprintln!(
                "petla: a waiter was dropped from inside `Ord::cmp` of its own queue's items"
            );
            std::process::abort();
        }
    }
}

impl<P: Policy<M>, M: Mode> WaitList<P, M> {
    /// Makes `waker` the one to wake a node of this list by; false if it was granted meanwhile.
    ///
    /// Most polls of a waiter that waits come from a task that waits for several things, with
    /// the same waker as before; so the lock is taken first, and the waker cloned only if it
    /// turns out to be new.
    fn renew(&self, node: NonNull<Node<M>>, waker: &Waker) -> bool {
        let mut spare = None;
        loop {
            let renewed = self.with(|_, lines| {
                // SAFETY: its waiter is alive: it calls this.
                let status = unsafe { node.as_ref() }.status(Ordering::Relaxed);
                if status.phase() != Phase::Waiting {
                    return None;
                }
                // SAFETY: it is Waiting, in this list.
                Some(unsafe { lines.renew(node, waker, &mut spare) })
            });
            match renewed {
                None => return false,
                Some(true) => return true,
                Some(false) => spare = Some(waker.clone()),
            }
        }
    }

    /// Makes a node Idle that will not claim its grant, or not wait on; hands a grant on.
    ///
    /// # Safety
    /// `node` does not dangle, is of this list, and is not Idle.
    #[cold]
    pub(super) unsafe fn retire(&self, node: NonNull<Node<M>>) {
        // SAFETY: the caller's promise is the same.
        let unused = self.settle(|state, lines| unsafe { self.take_out(node, state, lines) });
        drop(unused);
    }

    /// The same under the lock: a waker to be dropped after it. Nothing is granted yet.
    ///
    /// # Safety
    /// `node` does not dangle and is of this list; `lines` are this list's.
    pub(super) unsafe fn take_out(
        &self,
        node: NonNull<Node<M>>,
        state: &mut P::State,
        lines: &mut Lines<'_, M>,
    ) -> Option<Waker> {
        // SAFETY: promised by the caller.
        let this = unsafe { node.as_ref() };
        // Relaxed: grants are made under this lock.
        let status = this.status(Ordering::Relaxed);
        let mut grant = Some(status.tag());
        let mut waker = None;
        match status.phase() {
            Phase::Idle => return None,
            Phase::Waiting => {
                grant = None;
                // SAFETY: Waiting, of this list.
                waker = unsafe { lines.dequeue(node) };
            }
            // SAFETY: Listed, and off the table from here on.
            Phase::Listed => unsafe { M::unlist_grant(node) },
            Phase::Granted => {}
        }
        this.set_status(Status::IDLE);
        self.policy().left(state, status.line(), grant);
        waker
    }
}
