//! One waiter's memory: what it waits for, where it stands, and how it is woken.
//!
//! A node lies inside the future that waits, so waiting allocates nothing. Its *word* says all
//! that its owner looks at without a lock; its *links* are unwritten until the first wait, so
//! that a future which is ready at once costs one store.
//!
//! ```text
//!           1 enqueue            2 grant                3 claim
//!   Idle ──────────────► Waiting ─────────► Granted ──────────────► Idle
//!    ▲                      │                   │
//!    └──────4 drop: unlink──┘                   │
//!    └──────5 drop or lapse: hand the grant on──┘
//!
//!   word:  | 63 .. 32 | 31 .. 4 | 3 .. 2 | 1 .. 0 |
//!          |   task   |   tag   |  line  | phase  |
//! ```
//!
//! The *line* is the one it was put on, and tells the primitive what a lost grant was. The
//! *tag* is the waiter's word to the granter while it waits (how many permits it needs), and the
//! granter's to the waiter afterwards (a queue says whether it is an item or the news of a
//! shutdown; a barrier gives the index). The *task* is noted in `Local` only.
//!
//! # Invariants
//! - **Pinned**: while it is Waiting or listed as Granted, a node neither moves nor dies: it
//!   was pinned when it was enqueued, and its waiter's drop takes it out first. A node that is
//!   leaked stays where it is for ever.
//! - **Locked**: the links of a Waiting node are touched under its list's lock only.
//! - **Handed**: the store of Granted ends the granter's use of the node. From then on its links
//!   are the owner's (`Shared`), or its thread's (`Local`).
//! - **Once**: only the owner moves a node from Idle, and only a holder of the lock, or the
//!   owner once it is Granted, moves it back.
//!
//! # Cost
//! 48 bytes in `Local`; to be Idle costs the word and the pointer to the list.
//!
//! # Not here
//! What a grant is worth: that is the primitive's `Policy`.

use std::cell::Cell;
use std::fmt::{self, Debug, Formatter};
use std::marker::PhantomPinned;
use std::mem::{self, MaybeUninit};
use std::ptr::NonNull;
use std::task::Waker;

use super::mode::{Mode, Word};
use crate::rt::{Ordering, UnsafeCell};

/// A waiter's place in a line, if it has one.
pub struct Node<M: Mode> {
    /// The home of the list it may wait in: the list's first field. Written by the owner of an
    /// Idle node, and by [`Mode::adopt`].
    home: Cell<Option<NonNull<M::Home>>>,
    word: M::Word,
    links: UnsafeCell<MaybeUninit<Links<M>>>,
    _pinned: PhantomPinned,
}

const _: () = assert!(cfg!(petla_loom) || size_of::<Node<super::Local>>() == 48);

/// A node's neighbours, itself if it is alone, and what it has for or from its granter.
pub(super) struct Links<M: Mode> {
    pub(super) prev: NonNull<Node<M>>,
    pub(super) next: NonNull<Node<M>>,
    pub(super) slot: Slot,
}

/// What a node with links carries.
pub(super) enum Slot {
    /// It waits, and this wakes it.
    Waker(Waker),
    /// It was released during the poll of this number.
    ReleasedIn(u32),
}

/// Where a node is on its way; see the [module](self).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Phase {
    Idle,
    Waiting,
    Granted,
    /// Granted, and listed among its thread's unclaimed grants.
    Listed,
}

/// A node's word, taken apart.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Status(usize);

const LINE_SHIFT: u32 = 2;
const TAG_SHIFT: u32 = 4;
const TASK_SHIFT: u32 = 32;
const _: () = assert!(
    usize::BITS == 64,
    "the word holds a task and a tag side by side"
);

/// The lines of one list are told apart by two bits.
pub(super) const LINES_MAX: usize = 1 << (TAG_SHIFT - LINE_SHIFT);
/// The largest tag.
pub(crate) const TAG_MAX: u32 = (1 << (TASK_SHIFT - TAG_SHIFT)) - 1;

impl Status {
    pub(super) const IDLE: Status = Status(0);

    #[inline(always)]
    pub(super) fn waiting(line: usize, task: u32) -> Status {
        debug_assert!(line < LINES_MAX, "a list has at most {LINES_MAX} lines");
        Status(1 | line << LINE_SHIFT | (task as usize) << TASK_SHIFT)
    }

    #[inline(always)]
    pub(super) fn with_tag(self, tag: u32) -> Status {
        debug_assert!(tag <= TAG_MAX, "a tag has 28 bits");
        let keep = self.0 & !((TAG_MAX as usize) << TAG_SHIFT);
        Status(keep | (tag as usize) << TAG_SHIFT)
    }

    #[inline(always)]
    fn granted(self, tag: u32, listed: bool) -> Status {
        let keep = self.with_tag(tag).0 & !0b11;
        Status(keep | if listed { 3 } else { 2 })
    }

    #[inline(always)]
    pub(super) fn phase(self) -> Phase {
        match self.0 & 0b11 {
            0 => Phase::Idle,
            1 => Phase::Waiting,
            2 => Phase::Granted,
            _ => Phase::Listed,
        }
    }

    /// The line it was put on.
    #[inline(always)]
    pub(super) fn line(self) -> usize {
        self.0 >> LINE_SHIFT & (LINES_MAX - 1)
    }

    /// What the waiter said when it was put on the line, or the granter when it let it go.
    #[inline(always)]
    pub(super) fn tag(self) -> u32 {
        (self.0 >> TAG_SHIFT) as u32 & TAG_MAX
    }

    /// Who waits, or `context::NO_TASK`.
    #[inline(always)]
    pub(super) fn task(self) -> u32 {
        (self.0 >> TASK_SHIFT) as u32
    }
}

impl<M: Mode> Debug for Node<M> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Node")
            .field(&self.status(Ordering::Relaxed))
            .finish()
    }
}

impl<M: Mode> Node<M> {
    #[inline(always)]
    pub(super) fn new(home: Option<NonNull<M::Home>>) -> Self {
        Node {
            home: Cell::new(home),
            word: M::Word::new(Status::IDLE.0),
            links: UnsafeCell::new(MaybeUninit::uninit()),
            _pinned: PhantomPinned,
        }
    }

    #[inline(always)]
    pub(super) fn home(&self) -> Option<NonNull<M::Home>> {
        self.home.get()
    }

    /// Says whose list it waits in.
    ///
    /// # Safety
    /// The caller owns the node, which is Idle, and `home` is that of the list that its waiter
    /// borrows; or what is said at [`Mode::adopt`].
    #[inline(always)]
    pub(super) unsafe fn set_home(&self, home: NonNull<M::Home>) {
        self.home.set(Some(home));
    }

    #[inline(always)]
    pub(super) fn status(&self, order: Ordering) -> Status {
        Status(self.word.load(order))
    }

    /// Stores a status other than Granted; see [`grant`](Self::grant).
    #[inline(always)]
    pub(super) fn set_status(&self, status: Status) {
        // Relaxed: only the owner reads an Idle or Waiting status outside the lock.
        self.word.store(status.0, Ordering::Relaxed);
    }

    /// Notes the line that a Waiting node was moved to, and a new tag; to be called under the lock.
    pub(super) fn move_to(&self, line: usize, tag: u32) {
        let task = self.status(Ordering::Relaxed).task();
        self.set_status(Status::waiting(line, task).with_tag(tag));
    }

    /// Writes the links of a node that is alone, and is to be woken by `waker`.
    ///
    /// # Safety
    /// `node` does not dangle, and nobody else may touch its links now.
    #[inline]
    pub(super) unsafe fn write_links(node: NonNull<Self>, waker: Waker) {
        let links = Links {
            prev: node,
            next: node,
            slot: Slot::Waker(waker),
        };
        // SAFETY: it does not dangle.
        let node = unsafe { node.as_ref() };
        node.links.with_mut(|place| {
            // SAFETY: nobody else touches the links, and old ones need no drop: the waker of
            // a node is taken out when it leaves its line.
            unsafe { (*place).write(links) };
        });
    }

    /// Takes the waker of a node that leaves its line.
    ///
    /// # Safety
    /// As for [`links`](Self::links).
    #[inline]
    pub(super) unsafe fn take_waker(node: NonNull<Self>) -> Option<Waker> {
        let released = Slot::ReleasedIn(M::poll_number());
        // SAFETY: promised by the caller.
        match unsafe { Node::links(node, |links| mem::replace(&mut links.slot, released)) } {
            Slot::Waker(waker) => Some(waker),
            Slot::ReleasedIn(_) => None,
        }
    }

    /// Shows the links to `f`.
    ///
    /// # Safety
    /// As for [`write_links`](Self::write_links), and the links were written before.
    #[inline(always)]
    pub(super) unsafe fn links<R>(node: NonNull<Self>, f: impl FnOnce(&mut Links<M>) -> R) -> R {
        // SAFETY: it does not dangle.
        let node = unsafe { node.as_ref() };
        node.links.with_mut(|place| {
            // SAFETY: nobody else touches the links.
            let links = unsafe { &mut *place };
            // SAFETY: they were written.
            f(unsafe { links.assume_init_mut() })
        })
    }

    /// Grants: the last thing a granter does to a node.
    ///
    /// `right` says that the grant is one that others could use, and so may lapse.
    ///
    /// # Safety
    /// `node` was just taken out of its line, under the lock of the list with this `home`.
    #[inline]
    pub(super) unsafe fn grant(node: NonNull<Self>, tag: u32, right: bool, home: &M::Home) {
        // SAFETY: it does not dangle (Pinned).
        let this = unsafe { node.as_ref() };
        let status = this.status(Ordering::Relaxed);
        // SAFETY: out of its line, its links are ours until the store below (Handed).
        let listed = right && unsafe { M::list_grant(node, home) };
        // Release: what the granter did before happens before what the waiter does next, and
        // the owner may free the node as soon as it sees this (Handed).
        this.word
            .store(status.granted(tag, listed).0, Ordering::Release);
    }
}
