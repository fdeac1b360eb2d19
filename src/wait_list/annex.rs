//! A line outside of its list: whoever waits for a condition, under the lock of another primitive.
//!
//! A condition is waited for by those who held a lock and gave it up, and when it is notified
//! they must queue for that lock again. If their line is under the very list lock of that
//! primitive, then giving the lock up and getting in line is one step, so that no notification
//! falls between the two, and to notify is to move nodes from this line to the lock's: O(1) a
//! waiter, nobody is woken to find the lock taken.
//!
//! ```text
//!           1 enter           2 move_first, 3 withdraw            4 grant, 5 claim
//!   Idle ────────────► Annex ─────────────────────────► the lock's ───────────► Idle
//!    ▲                   │                                  │
//!    └──6 drop: unlink───┘                                  │
//!    └──7 drop: unlink, or hand the grant on; a notification goes to the next
//! ```
//!
//! # Invariants
//! - **Lent**: while somebody is in the annex, `user` is the address of the list that is used
//!   with it, and the line is touched under that list's lock only. `user` changes to an address
//!   under that list's lock, from 0 only; and to 0 under the same lock, when the line is empty.
//! - **Numbered**: a Waiting node notes the line [`ANNEX`] exactly while it is in an annex.
//!
//! # Leaked guests
//! Their nodes stay in the annex for ever, and with them the address of a list that may be gone.
//! A new list at that address is taken for it. Nothing is read through the address; when a node
//! moves to the list's own line, `Mode::adopt` tells it whose it is now. With any other list the
//! annex stays in use.
//!
//! # Not here
//! What is waited for, and looking again: `primitives::condition`.

use std::cell::Cell;
use std::fmt::{self, Debug, Formatter};
use std::pin::Pin;
use std::ptr::NonNull;
use std::task::{Context, Poll, Waker, ready};

use super::WaitList;
use super::front::{Front, Worded};
use super::lines::{Line, Lines};
use super::mode::{Mode, Shared, Word};
use super::node::{LINES_MAX, Node, Phase, Status};
use super::waiter::{OutOrAbort, Waiter};
use crate::rt::{Ordering, UnsafeCell, const_fn};

/// The number that a node in an annex notes as its line. Lists with a guest have fewer lines.
const ANNEX: usize = LINES_MAX - 1;
/// The list's own line that guests are moved to.
const TO: usize = 0;

/// A line whose nodes wait under the lock of the list that uses it.
pub(crate) struct Annex<M: Mode> {
    user: M::Word,
    /// How many are in it; written under the user's lock.
    len: M::Word,
    line: UnsafeCell<Line<M>>,
}

// SAFETY: the line is touched under the lock of its user only (Lent), and is `Send` itself.
unsafe impl Sync for Annex<Shared> {}

/// It is used with another list at the moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct InUse;

macro_rules! new {
    ($mode:ty, $word:path) => {
        impl Annex<$mode> {
            const_fn! {
                /// An annex that no list uses.
                pub(crate) fn new() -> Self {
                    let line = UnsafeCell::new(Line::new());
                    Annex { user: $word(0), len: $word(0), line }
                }
            }
        }
    };
}
new!(super::Local, Cell::new);
new!(Shared, crate::rt::AtomicUsize::new);

impl<M: Mode> Annex<M> {
    /// How many are in it. It is exact for one who holds the lock of which those who enter give
    /// up the guard.
    #[inline(always)]
    pub(crate) fn len(&self) -> usize {
        // Relaxed: that lock orders it, if anything does.
        self.len.load(Ordering::Relaxed)
    }

    /// Moves the first `n` to the end of the list's own first line, with their tags.
    ///
    /// # Errors
    /// [`InUse`]: it is another list that uses it.
    pub(crate) fn move_first(&self, lines: &mut Lines<'_, M>, n: usize) -> Result<(), InUse> {
        // Relaxed: if it is this list, that was said under the lock that is held.
        let user = self.user.load(Ordering::Relaxed);
        if user == 0 {
            return Ok(()); // those who were in it have left meanwhile
        }
        if user != address(lines) {
            return Err(InUse);
        }
        for _ in 0..n.min(self.len()) {
            let first = self.line.with_mut(|line| {
                // SAFETY: the lock of its user is held (Lent), and no reference leaves this.
                unsafe { &*line }.first()
            });
            let Some(node) = first else { break };
            // SAFETY: it is the first of the annex.
            unsafe { self.remove(node) };
            // SAFETY: it is Waiting, was just taken out, and the list's lock is held (Lent).
            unsafe { lines.admit(TO, node) };
        }
        Ok(())
    }

    /// Takes a node out. An annex that is empty then is free for another list.
    ///
    /// # Safety
    /// `node` is in this annex, and the lock of its user is held.
    unsafe fn remove(&self, node: NonNull<Node<M>>) {
        self.line.with_mut(|line| {
            // SAFETY: the lock of the user is held (Lent), and no reference leaves this.
            let line = unsafe { &mut *line };
            // SAFETY: promised by the caller.
            unsafe { line.remove(node) };
        });
        let len = self.len() - 1;
        self.len.store(len, Ordering::Relaxed);
        if len == 0 {
            // Release: what was done to the line happens before its next user.
            self.user.store(0, Ordering::Release);
        }
    }

    /// Makes the list of these `lines` the user, if there is none or it is that already.
    fn lend(&self, lines: &Lines<'_, M>) -> Result<(), InUse> {
        let address = address(lines);
        // Acquire: the last user emptied the line before.
        match self.user.replace(0, address, Ordering::Acquire) {
            Err(user) if user != address => Err(InUse),
            _ => Ok(()),
        }
    }

    /// Puts a node in, behind the others.
    ///
    /// # Safety
    /// The annex was lent to the list whose lock is held. `node` is Idle and pinned, belongs to
    /// that list, and its owner will take it out.
    unsafe fn enqueue(&self, node: NonNull<Node<M>>, tag: u32, waker: Waker) {
        self.line.with_mut(|line| {
            // SAFETY: the lock of the user is held (Lent), and no reference leaves this.
            let line = unsafe { &mut *line };
            // SAFETY: promised by the caller.
            unsafe { line.enqueue(ANNEX, tag, node, waker) };
        });
        self.len.store(self.len() + 1, Ordering::Relaxed);
    }
}

/// What identifies a list, as long as it lives.
#[inline(always)]
fn address<M: Mode>(lines: &Lines<'_, M>) -> usize {
    lines.home().addr().get()
}

impl<M: Mode> Debug for Annex<M> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("Annex").finish_non_exhaustive()
    }
}

/// How a guest came to where it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// It did not enter, or has claimed the grant.
    Out,
    /// It entered, and leaves the annex by a notification.
    In,
    /// It left the annex on its own.
    Withdrawn,
}

/// A waiter in an annex, and then in the list's own line.
///
/// It comes and goes by the front, as others may use the word while nobody is in line.
pub(crate) struct Guest<'a, 'c, P: Worded<M>, M: Mode> {
    waiter: Waiter<'a, P, M>,
    front: &'a M::Front<P>,
    annex: &'c Annex<M>,
    stage: Cell<Stage>,
}

// SAFETY: as for the waiter. The stage is changed by its owner only.
unsafe impl<P: Worded<Shared>> Sync for Guest<'_, '_, P, Shared> where WaitList<P, Shared>: Sync {}

impl<'a, 'c, P: Worded<M>, M: Mode> Guest<'a, 'c, P, M> {
    pub(crate) fn new(front: &'a M::Front<P>, annex: &'c Annex<M>) -> Self {
        Guest {
            waiter: Waiter::unbound(),
            front,
            annex,
            stage: Cell::new(Stage::Out),
        }
    }

    /// Whether it entered, and has not claimed a grant since.
    pub(crate) fn is_in(&self) -> bool {
        self.stage.get() != Stage::Out
    }

    /// Enters the annex, with a tag for when it is moved, and runs `release` in the same step.
    /// What that makes possible is granted.
    ///
    /// # Errors
    /// [`InUse`]: somebody is in the annex who came by another list. Nothing happened then.
    pub(crate) fn enter(
        mut self: Pin<&mut Self>,
        waker: Waker,
        tag: u32,
        release: impl FnOnce(&P),
    ) -> Result<(), InUse> {
        assert!(!self.is_in(), "it entered already");
        let list = self.front.enter();
        self.as_mut().waiter().bind(list);
        let node = self.waiter.node();
        let entered = list.settle(|_, lines| {
            if let Err(in_use) = self.annex.lend(lines) {
                return Err((in_use, waker)); // foreign: it is dropped after the lock
            }
            // SAFETY: it was lent. The node is Idle, pinned by `self`, of this list, and `drop`
            // takes it out.
            unsafe { self.annex.enqueue(node, tag, waker) };
            self.stage.set(Stage::In);
            release(list.policy());
            Ok(())
        });
        self.front.leave();
        entered.map_err(|(in_use, _waker)| in_use)
    }

    /// Claims the grant and is out, as with [`Waiter::poll_grant`]. `Ready(None)`: there was one,
    /// and it lapsed; the guest has to get in the list's line again, by its
    /// [`waiter`](Self::waiter).
    ///
    /// # Panics
    /// If it is not in.
    pub(crate) fn poll_grant(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<u32>> {
        assert!(self.is_in(), "it did not enter");
        if self.waiter.is_idle() {
            return Poll::Ready(None);
        }
        let tag = ready!(self.as_mut().waiter().poll_grant(cx));
        self.done();
        Poll::Ready(Some(tag))
    }

    /// Notes that it has what it waited for: a notification that led to this is used up.
    pub(crate) fn done(&self) {
        self.stage.set(Stage::Out);
    }

    /// Leaves the annex for the end of the list's own line, unless a notification was faster.
    pub(crate) fn withdraw(self: Pin<&mut Self>) {
        let node = self.waiter.node();
        self.front.settle(|_, lines| {
            // SAFETY: its waiter is alive: this is it.
            if is_in_annex(unsafe { node.as_ref() }) {
                // SAFETY: it is in this annex, so this list uses that (Lent), and has its lock.
                unsafe { self.annex.remove(node) };
                // SAFETY: it is Waiting, was just taken out, and the lock is held.
                unsafe { lines.admit(TO, node) };
                self.stage.set(Stage::Withdrawn);
            }
        });
    }

    /// The waiter, to get in the list's line with after a lapse.
    pub(crate) fn waiter(self: Pin<&mut Self>) -> Pin<&mut Waiter<'a, P, M>> {
        // SAFETY: a guest does not move its waiter out, nor does its drop, and it is `Unpin`
        // only if the waiter is.
        unsafe { self.map_unchecked_mut(|guest| &mut guest.waiter) }
    }

    /// Takes the node out of where it is, hands a grant on, and a notification too.
    #[cold]
    fn retire(&self) {
        let node = self.waiter.node();
        let unused = self.front.settle(|state, lines| {
            // SAFETY: its waiter is alive: this is it.
            let this = unsafe { node.as_ref() };
            if is_in_annex(this) {
                // SAFETY: it is in this annex, so this list uses that (Lent), and has its lock.
                unsafe { self.annex.remove(node) };
                this.set_status(Status::IDLE);
                // SAFETY: it was in a line, so it has links, which are ours.
                return unsafe { Node::take_waker(node) };
            }
            let list = self.waiter.list();
            // SAFETY: it is of this list, whose lock is held.
            let waker = unsafe { list.take_out(node, state, lines) };
            if self.stage.get() == Stage::In {
                // Somebody of another list is in it: then nobody waits for this notification.
                let _ = self.annex.move_first(lines, 1);
            }
            waker
        });
        drop(unused);
    }
}

/// Whether it is in an annex, for a holder of the lock.
fn is_in_annex<M: Mode>(node: &Node<M>) -> bool {
    // Relaxed: it is moved under the lock.
    let status = node.status(Ordering::Relaxed);
    status.phase() == Phase::Waiting && status.line() == ANNEX
}

impl<P: Worded<M>, M: Mode> Drop for Guest<'_, '_, P, M> {
    fn drop(&mut self) {
        if self.is_in() {
            let _out = OutOrAbort(&self.waiter);
            self.retire();
        }
    }
}

impl<P: Worded<M>, M: Mode> Debug for Guest<'_, '_, P, M> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Guest").field(&self.stage.get()).finish()
    }
}
