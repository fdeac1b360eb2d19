//! The lines of one list: who waits for what, first come first.
//!
//! A line is a circle of nodes of which the list knows the first. A circle needs one pointer a
//! line, appends one line to another at once whatever their length, and takes out any node in
//! constant time.
//!
//! # Invariants
//! - **Linked**: a node is in exactly one circle while it is Waiting (a line of its own list) or
//!   Listed (its thread's table, see `lapse`). Otherwise, if it has links, it is alone.
//! - **Own**: a line is reached only through the `&mut` that the list's lock gives out. It is
//!   never walked when the list is dropped: the nodes of leaked futures may still be in it.
//!
//! # Cost
//! All O(1), but `count`.
//!
//! # Not here
//! Wakers are handed back to the caller, who wakes them after releasing the lock.

use std::mem;
use std::ptr::NonNull;
use std::task::Waker;

use super::mode::{Mode, Shared};
use super::node::{LINES_MAX, Links, Node, Slot, Status};
use crate::rt::Ordering;

/// A circle of nodes, first come first.
#[derive(Debug)]
pub struct Line<M: Mode> {
    first: Option<NonNull<Node<M>>>,
}

impl<M: Mode> Default for Line<M> {
    fn default() -> Self {
        Line::new()
    }
}

// SAFETY: the nodes of other threads' futures stay put (Pinned) and are touched under the lock
// (Locked), with which the line itself moves from thread to thread; their wakers are `Send`.
unsafe impl Send for Line<Shared> {}

impl<M: Mode> Line<M> {
    pub(super) const fn new() -> Self {
        Line { first: None }
    }

    pub(super) fn first(&self) -> Option<NonNull<Node<M>>> {
        self.first
    }

    /// Puts `node` last.
    ///
    /// # Safety
    /// `node` is pinned, its links are the caller's and say that it is alone, and it will be
    /// taken out before it dies.
    #[inline]
    pub(super) unsafe fn push_back(&mut self, node: NonNull<Node<M>>) {
        let Some(first) = self.first else {
            self.first = Some(node);
            return;
        };
        // SAFETY: in a circle, so alive (Pinned), and ours (Locked).
        let last = unsafe { Node::links(first, |links| mem::replace(&mut links.prev, node)) };
        // SAFETY: as `first`.
        unsafe { Node::links(last, |links| links.next = node) };
        let join = |links: &mut Links<M>| (links.prev, links.next) = (last, first);
        // SAFETY: promised by the caller.
        unsafe { Node::links(node, join) };
    }

    /// Takes `node` out.
    ///
    /// # Safety
    /// `node` is in this circle.
    #[inline]
    pub(super) unsafe fn remove(&mut self, node: NonNull<Node<M>>) {
        // SAFETY: it is in a circle.
        let successor = unsafe { unlink(node) };
        if self.first == Some(node) {
            self.first = successor;
        }
    }

    /// Puts all of `other`, in order, behind this line.
    fn append(&mut self, other: &mut Line<M>) {
        let Some(theirs) = other.first.take() else {
            return;
        };
        let Some(ours) = self.first else {
            self.first = Some(theirs);
            return;
        };
        // SAFETY: in a circle, so alive (Pinned), and ours (Locked); so are the next three.
        let their_last = unsafe { Node::links(theirs, |l| l.prev) };
        // SAFETY: as above.
        let our_last = unsafe { Node::links(ours, |l| mem::replace(&mut l.prev, their_last)) };
        // SAFETY: as above.
        unsafe { Node::links(our_last, |l| l.next = theirs) };
        // SAFETY: as above.
        unsafe { Node::links(theirs, |l| l.prev = our_last) };
        // SAFETY: as above.
        unsafe { Node::links(their_last, |l| l.next = ours) };
    }

    pub(super) fn count(&self) -> usize {
        let mut count = 0;
        let mut at = self.first;
        while let Some(node) = at {
            count += 1;
            // SAFETY: in a circle, so alive (Pinned), and ours (Locked).
            let next = unsafe { Node::links(node, |l| l.next) };
            at = (Some(next) != self.first).then_some(next);
        }
        count
    }
}

/// Closes a circle behind `node`, which is alone then; its successor, if it was not before.
///
/// # Safety
/// `node` is in a circle, which is the caller's.
#[inline]
unsafe fn unlink<M: Mode>(node: NonNull<Node<M>>) -> Option<NonNull<Node<M>>> {
    // SAFETY: in a circle, so alive (Pinned), and ours.
    let (prev, next) = unsafe { Node::links(node, |links| (links.prev, links.next)) };
    if next == node {
        return None;
    }
    // SAFETY: its neighbours are in the same circle.
    unsafe { Node::links(prev, |links| links.next = next) };
    // SAFETY: as `prev`.
    unsafe { Node::links(next, |links| links.prev = prev) };
    let leave = |links: &mut Links<M>| (links.prev, links.next) = (node, node);
    // SAFETY: as at first.
    unsafe { Node::links(node, leave) };
    Some(next)
}

/// A fixed number of lines; an array.
pub trait LineArray<M: Mode> {
    fn empty() -> Self;
    fn all(&mut self) -> &mut [Line<M>];
}

impl<M: Mode, const N: usize> LineArray<M> for [Line<M>; N] {
    fn empty() -> Self {
        const { assert!(N <= LINES_MAX) };
        [const { Line::new() }; N]
    }

    #[inline(always)]
    fn all(&mut self) -> &mut [Line<M>] {
        self
    }
}

/// The lines of one list, while its lock is held.
#[derive(Debug)]
pub struct Lines<'a, M: Mode> {
    lines: &'a mut [Line<M>],
    home: &'a M::Home,
}

impl<'a, M: Mode> Lines<'a, M> {
    #[inline(always)]
    pub(super) fn new(lines: &'a mut [Line<M>], home: &'a M::Home) -> Self {
        Lines { lines, home }
    }

    /// Whether nobody waits on `line`.
    #[inline(always)]
    pub(crate) fn is_empty(&self, line: usize) -> bool {
        self.lines[line].first.is_none()
    }

    /// Gives the first of `line` a right that, unclaimed, others may have. The caller wakes it
    /// after the lock is released.
    #[inline]
    #[must_use = "whoever was granted must be woken"]
    pub(crate) fn grant(&mut self, line: usize, tag: u32) -> Option<Waker> {
        self.release(line, tag, true)
    }

    /// Ends the wait of the first of `line` with news that are of no use to others.
    #[inline]
    #[must_use = "whoever was notified must be woken"]
    pub(crate) fn notify(&mut self, line: usize, tag: u32) -> Option<Waker> {
        self.release(line, tag, false)
    }

    /// Moves everybody from one line to the end of another. They keep the number of the line
    /// they were put on.
    pub(crate) fn move_all(&mut self, from: usize, to: usize) {
        let mut moved = mem::take(&mut self.lines[from]);
        self.lines[to].append(&mut moved);
    }

    /// How many wait on `line`; walks it.
    pub(crate) fn count(&self, line: usize) -> usize {
        self.lines[line].count()
    }

    #[inline]
    fn release(&mut self, line: usize, tag: u32, right: bool) -> Option<Waker> {
        let line = &mut self.lines[line];
        let node = line.first()?;
        // SAFETY: it is the first of this line.
        unsafe { line.remove(node) };
        // SAFETY: it was in a line, so it has links, which are ours until it is granted.
        let waker = unsafe { Node::take_waker(node) };
        // SAFETY: it was just taken out, and `home` belongs to the lock that is held.
        unsafe { Node::grant(node, tag, right, self.home) };
        waker
    }

    /// Puts `node` last on `line`.
    ///
    /// # Safety
    /// `node` is Idle and pinned, belongs to this list, and its waiter will retire it.
    pub(super) unsafe fn enqueue(&mut self, line: usize, node: NonNull<Node<M>>, waker: Waker) {
        let place = &mut self.lines[line];
        // SAFETY: the links of an Idle node are its owner's, who asks.
        unsafe { Node::write_links(node, waker) };
        // SAFETY: alone by that, and the rest is promised by the caller.
        unsafe { place.push_back(node) };
        // SAFETY: it is alive.
        let node = unsafe { node.as_ref() };
        node.set_status(Status::waiting(line, M::task()));
    }

    /// Takes a Waiting node out; its waker, to be dropped after the lock is released.
    ///
    /// # Safety
    /// `node` is Waiting, in this list.
    pub(super) unsafe fn dequeue(&mut self, node: NonNull<Node<M>>) -> Option<Waker> {
        // SAFETY: Waiting, so in a circle (Linked), and the lock is held.
        let successor = unsafe { unlink(node) };
        if let Some(line) = self.lines.iter_mut().find(|line| line.first == Some(node)) {
            line.first = successor;
        }
        // SAFETY: it was in a circle, so it has links, which are ours.
        unsafe { Node::take_waker(node) }
    }

    /// Makes `waker` the one that a Waiting node is woken by, unless the present one does the
    /// same. Gives back the one that is not needed, to be dropped after the lock is released;
    /// fails if `waker` would be needed and is not there.
    ///
    /// # Safety
    /// `node` is Waiting, in this list.
    pub(super) unsafe fn renew(
        &mut self,
        node: NonNull<Node<M>>,
        current: &Waker,
        spare: &mut Option<Waker>,
    ) -> bool {
        // SAFETY: it is alive (Pinned).
        let this = unsafe { node.as_ref() };
        let line = this.status(Ordering::Relaxed).line();
        this.set_status(Status::waiting(line, M::task()));
        let renew = |links: &mut Links<M>| match &mut links.slot {
            Slot::Waker(old) if old.will_wake(current) => true,
            Slot::Waker(old) => match spare {
                Some(new) => {
                    mem::swap(old, new);
                    true
                }
                None => false,
            },
            Slot::ReleasedIn(_) => unreachable!("a Waiting node has its waker"),
        };
        // SAFETY: Waiting, so in a circle, and the lock is held (Locked).
        unsafe { Node::links(node, renew) }
    }
}
