//! In which order a queue gives its items back.
//!
//! The queue knows how many may enter and who waits; which item comes out next is the only
//! difference between a queue, a stack and a priority queue. Each is a *store* with `push`,
//! `pop` and `len`, chosen by a type, so that the choice costs nothing at run time.
//!
//! # Cost
//! [`Fifo`] and [`Lifo`]: O(1), amortised. [`ByPriority`]: O(log n), and sixteen bytes an item
//! at most for its place among equals. Nothing is allocated for capacity that is not used.
//!
//! # Not here
//! Order among waiters: it is always first come, first served.

use std::cmp::Ordering;
use std::collections::{BinaryHeap, VecDeque};
use std::fmt::{self, Debug, Formatter};

/// In which order a queue gives its items back: [`Fifo`], [`Lifo`] or [`ByPriority`].
///
/// Sealed: the store is used under the queue's lock, where foreign code must not run.
pub trait Order<T>: sealed::Sealed {
    /// What holds the items.
    type Store: Store<T>;
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for super::Fifo {}
    impl Sealed for super::Lifo {}
    impl Sealed for super::ByPriority {}
}

/// A place for items, without a limit.
#[allow(
    clippy::len_without_is_empty,
    reason = "sealed; only the queue calls it"
)]
pub trait Store<T>: Default {
    #[doc(hidden)]
    fn push(&mut self, item: T);
    #[doc(hidden)]
    fn pop(&mut self) -> Option<T>;
    #[doc(hidden)]
    fn len(&self) -> usize;
}

/// First in, first out.
#[derive(Debug, Clone, Copy)]
pub struct Fifo;

/// Last in, first out.
#[derive(Debug, Clone, Copy)]
pub struct Lifo;

/// Smallest first; equal ones in the order they were put.
///
/// Items are pairs `(priority, item)`, of which only the priority needs an order. Its
/// [`Ord::cmp`] runs while the queue is locked: it must not use the same queue (which panics in
/// [`local`](crate::local) and never returns in [`sync`](crate::sync)), and if it panics, the
/// item that was under way may be dropped.
#[derive(Debug, Clone, Copy)]
pub struct ByPriority;

impl<T> Order<T> for Fifo {
    type Store = VecDeque<T>;
}

impl<T> Order<T> for Lifo {
    type Store = Vec<T>;
}

impl<P: Ord, T> Order<(P, T)> for ByPriority {
    type Store = Heap<P, T>;
}

impl<T> Store<T> for VecDeque<T> {
    #[inline(always)]
    fn push(&mut self, item: T) {
        self.push_back(item);
    }

    #[inline(always)]
    fn pop(&mut self) -> Option<T> {
        self.pop_front()
    }

    #[inline(always)]
    fn len(&self) -> usize {
        self.len()
    }
}

impl<T> Store<T> for Vec<T> {
    fn push(&mut self, item: T) {
        self.push(item);
    }

    fn pop(&mut self) -> Option<T> {
        self.pop()
    }

    fn len(&self) -> usize {
        self.len()
    }
}

/// A stable heap: the smallest priority first, of equal ones the oldest.
pub struct Heap<P, T> {
    entries: BinaryHeap<Entry<P, T>>,
    /// How many were ever pushed; at one a nanosecond it would wrap after 580 years.
    pushed: u64,
}

struct Entry<P, T> {
    priority: P,
    number: u64,
    item: T,
}

impl<P: Ord, T> Ord for Entry<P, T> {
    /// Reversed: the standard heap gives the largest.
    fn cmp(&self, other: &Self) -> Ordering {
        let by_priority = other.priority.cmp(&self.priority);
        by_priority.then_with(|| other.number.cmp(&self.number))
    }
}

impl<P: Ord, T> PartialOrd for Entry<P, T> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<P: Ord, T> PartialEq for Entry<P, T> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl<P: Ord, T> Eq for Entry<P, T> {}

impl<P: Ord, T> Default for Heap<P, T> {
    fn default() -> Self {
        Heap {
            entries: BinaryHeap::new(),
            pushed: 0,
        }
    }
}

impl<P: Ord, T> Store<(P, T)> for Heap<P, T> {
    fn push(&mut self, (priority, item): (P, T)) {
        self.pushed += 1;
        self.entries.push(Entry {
            priority,
            number: self.pushed,
            item,
        });
    }

    fn pop(&mut self) -> Option<(P, T)> {
        self.entries.pop().map(|entry| (entry.priority, entry.item))
    }

    fn len(&self) -> usize {
        self.entries.len()
    }
}

impl<P, T> Debug for Heap<P, T> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("Heap").finish_non_exhaustive()
    }
}
