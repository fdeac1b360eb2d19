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
//! All O(1), but `count` and `move_all_tagged`.
//!
//! # Not here
//! Wakers are handed back to the caller, who wakes them after releasing the lock.

use std::marker::PhantomData;
use std::ptr::NonNull;
use std::task::Waker;
use std::{iter, mem};

use super::mode::{Mode, Shared};
use super::node::{LINES_MAX, Links, Node, Slot, Status};
use super::{Policy, WaitList};
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
    pub(crate) const fn new() -> Self {
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
        self.nodes().count()
    }

    /// Its nodes, from the first to the last.
    fn nodes(&self) -> impl Iterator<Item = NonNull<Node<M>>> {
        iter::successors(self.first, |node| {
            // SAFETY: in a circle, so alive (Pinned), and ours (Locked).
            let next = unsafe { Node::links(*node, |links| links.next) };
            (Some(next) != self.first).then_some(next)
        })
    }

    /// Makes a node wait here, behind all others; `line` is the number that it notes.
    ///
    /// # Safety
    /// `node` is Idle and pinned, belongs to the list whose lock is held, and its waiter will
    /// take it out.
    pub(super) unsafe fn enqueue(
        &mut self,
        line: usize,
        tag: u32,
        node: NonNull<Node<M>>,
        waker: Waker,
    ) {
        // SAFETY: the links of an Idle node are its owner's, who asks.
        unsafe { Node::write_links(node, waker) };
        // SAFETY: alone by that, and the rest is promised by the caller.
        unsafe { self.push_back(node) };
        // SAFETY: it is alive.
        let node = unsafe { node.as_ref() };
        node.set_status(Status::waiting(line, M::task()).with_tag(tag));
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
    /// The list's: a pointer to the whole list.
    home: NonNull<M::Home>,
    list: PhantomData<&'a M::Home>,
}

impl<'a, M: Mode> Lines<'a, M> {
    #[inline(always)]
    pub(super) fn new<P: Policy<M>>(lines: &'a mut [Line<M>], list: &'a WaitList<P, M>) -> Self {
        Lines {
            lines,
            home: NonNull::from(list).cast(),
            list: PhantomData,
        }
    }

    #[inline(always)]
    pub(super) fn home(&self) -> NonNull<M::Home> {
        self.home
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

    /// What the first of `line` said when it was put there, if there is one.
    #[inline]
    pub(crate) fn first_tag(&self, line: usize) -> Option<u32> {
        let first = self.lines[line].first?;
        // SAFETY: it is in a line, so alive (Pinned).
        let status = unsafe { first.as_ref() }.status(Ordering::Relaxed);
        Some(status.tag())
    }

    /// Moves everybody from one line to the end of another. They keep the number of the line
    /// they were put on.
    pub(crate) fn move_all(&mut self, from: usize, to: usize) {
        let mut moved = mem::take(&mut self.lines[from]);
        self.lines[to].append(&mut moved);
    }

    /// The same, but they get the number of the new line, and new tags: by their place in the
    /// old one. Walks them.
    pub(crate) fn move_all_tagged(&mut self, from: usize, to: usize, tag: impl Fn(usize) -> u32) {
        for (place, node) in self.lines[from].nodes().enumerate() {
            // SAFETY: it is in a line, so alive (Pinned).
            unsafe { node.as_ref() }.move_to(to, tag(place));
        }
        self.move_all(from, to);
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
        // SAFETY: the list is borrowed for as long as this is.
        let home = unsafe { self.home.as_ref() };
        // SAFETY: it was just taken out, and `home` belongs to the lock that is held.
        unsafe { Node::grant(node, tag, right, home) };
        waker
    }

    /// Puts `node` last on `line`.
    ///
    /// # Safety
    /// `node` is Idle and pinned, belongs to this list, and its waiter will retire it.
    pub(super) unsafe fn enqueue(
        &mut self,
        line: usize,
        tag: u32,
        node: NonNull<Node<M>>,
        waker: Waker,
    ) {
        // SAFETY: the caller's promise is the same.
        unsafe { self.lines[line].enqueue(line, tag, node, waker) };
    }

    /// Puts a node last on `line` that waited elsewhere under this lock, with its waker and tag.
    ///
    /// # Safety
    /// `node` is Waiting, and was just taken out of its line.
    pub(super) unsafe fn admit(&mut self, line: usize, node: NonNull<Node<M>>) {
        // SAFETY: alone by that, pinned as it is Waiting, and its waiter will take it out.
        unsafe { self.lines[line].push_back(node) };
        // SAFETY: it is alive (Pinned).
        let node = unsafe { node.as_ref() };
        node.move_to(line, node.status(Ordering::Relaxed).tag());
        // SAFETY: it was just put on a line of this list, whose lock is held.
        unsafe { M::adopt(node, self.home) };
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
        let old = this.status(Ordering::Relaxed);
        this.set_status(Status::waiting(old.line(), M::task()).with_tag(old.tag()));
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
