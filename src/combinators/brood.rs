//! [`Brood`]: many futures of one type, polled in place as they are woken. [`Feed`]: a brood that
//! is fed by an iterator, which is what `gather`, `try_gather` and `as_completed` have in common.
//!
//! # Invariants
//! - **Gone**: a child that is ready, or panics, is dropped before anyone hears of it, and gives
//!   its place back.
//! - **Fair**: of those who wait for a turn the first is polled first; one poll takes one future
//!   from the iterator for each child that it polls, so neither keeps the other waiting.
//!
//! # Cost
//! A wake on a loop: O(1). No allocation a child.
//!
//! # Not here
//! What becomes of the results.
#![forbid(unsafe_code)]

use std::collections::VecDeque;
use std::future::{Future, IntoFuture};
use std::mem;
use std::task::{Context, Poll};

use super::turns::Turns;
use crate::pin::PinSlab;

/// See the module.
pub(super) struct Brood<F> {
    slab: PinSlab<F>,
    turns: Turns,
    panicked: bool,
}

/// What one turn came to.
pub(super) enum Turn<T> {
    /// This child has ended.
    Ended(u32, T),
    /// A child was polled and waits.
    Waits,
    /// It is nobody's turn.
    Nobody,
}

impl<F> Brood<F> {
    pub(super) const fn new() -> Self {
        Brood {
            slab: PinSlab::new(),
            turns: Turns::new(),
            panicked: false,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.slab.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.slab.is_empty()
    }

    /// Begins a poll of the parent.
    #[inline]
    pub(super) fn enter(&mut self, cx: &Context<'_>) {
        self.turns.enter(cx, self.slab.indices());
    }

    /// Takes a child in, to be polled in this poll of the parent.
    #[inline]
    pub(super) fn insert(&mut self, future: F) -> u32 {
        let index = self.slab.insert(future);
        self.turns.add(index);
        index
    }

    pub(super) fn is_due(&mut self) -> bool {
        self.turns.is_due()
    }

    /// Drops a child, unless that was done. Its place first: the destructor may panic.
    #[inline]
    fn remove(&mut self, index: u32) {
        self.turns.remove(index);
        self.slab.remove(index);
    }

    /// The children that are left, with their numbers.
    pub(super) fn into_rest(mut self) -> Vec<(u32, F)>
    where
        F: Unpin,
    {
        let indices: Vec<u32> = self.slab.indices().collect();
        let taken = |index| Some((index, self.slab.take(index)?));
        indices.into_iter().filter_map(taken).collect()
    }
}

impl<F: Future> Brood<F> {
    /// Polls the child whose turn it is.
    #[inline]
    pub(super) fn turn(&mut self, cx: &mut Context<'_>) -> Turn<F::Output> {
        let Some(index) = self.turns.next() else {
            return Turn::Nobody;
        };
        let mut guard = Unwinding { brood: self, index };
        let polled = guard.poll(cx);
        if let Some(Poll::Ready(_)) = polled {
            guard.brood.remove(index);
        }
        mem::forget(guard);
        match polled {
            Some(Poll::Ready(output)) => Turn::Ended(index, output),
            _ => Turn::Waits,
        }
    }
}

/// Takes a child out that panics, in its poll or in its drop: Gone.
struct Unwinding<'a, F> {
    brood: &'a mut Brood<F>,
    index: u32,
}

impl<F: Future> Unwinding<'_, F> {
    #[inline]
    fn poll(&mut self, cx: &mut Context<'_>) -> Option<Poll<F::Output>> {
        let Brood { slab, turns, .. } = &mut *self.brood;
        let future = slab.get(self.index)?;
        Some(turns.poll(self.index, cx, |cx| future.poll(cx)))
    }
}

impl<F> Drop for Unwinding<'_, F> {
    fn drop(&mut self) {
        self.brood.panicked = true;
        self.brood.remove(self.index);
    }
}

type Child<I> = <<I as Iterator>::Item as IntoFuture>::IntoFuture;
pub(super) type Output<I> = <<I as Iterator>::Item as IntoFuture>::Output;

/// A brood and where its children come from. Children are numbered as they come.
pub(super) struct Feed<I: Iterator<Item: IntoFuture>> {
    /// Until it has ended.
    source: Option<I>,
    /// What comes after the source.
    more: VecDeque<I::Item>,
    limit: usize,
    brood: Brood<Child<I>>,
    /// By place in the brood.
    numbers: Vec<usize>,
    begun: usize,
}

impl<I: Iterator<Item: IntoFuture>> Feed<I> {
    pub(super) fn new(source: I) -> Self {
        Feed {
            source: Some(source),
            more: VecDeque::new(),
            limit: usize::MAX,
            brood: Brood::new(),
            numbers: Vec::new(),
            begun: 0,
        }
    }

    /// At most `limit` children at once.
    #[track_caller]
    pub(super) fn set_limit(&mut self, limit: usize) {
        assert!(limit > 0, "with a limit of 0 nothing would ever run");
        self.limit = limit;
    }

    /// Has a child panicked, so that its result will never come?
    pub(super) fn has_panicked(&self) -> bool {
        self.brood.panicked
    }

    /// How many were taken from the source so far.
    pub(super) fn begun(&self) -> usize {
        self.begun
    }

    /// Those that run, and those that wait behind the source.
    pub(super) fn len(&self) -> usize {
        self.brood.len() + self.more.len()
    }

    /// Puts `item` behind all others, which takes the source to its end; gives its number.
    pub(super) fn push(&mut self, item: I::Item) -> usize {
        if let Some(source) = self.source.take() {
            self.more.extend(source);
        }
        self.more.push_back(item);
        self.begun + self.more.len() - 1
    }

    /// Begins a poll of the parent.
    #[inline]
    pub(super) fn enter(&mut self, cx: &Context<'_>) {
        self.brood.enter(cx);
    }

    pub(super) fn is_due(&mut self) -> bool {
        self.brood.is_due()
    }

    /// The next child to end, with its number; `None` when there is none left.
    #[inline]
    pub(super) fn next(&mut self, cx: &mut Context<'_>) -> Poll<Option<(usize, Output<I>)>> {
        loop {
            self.take_in();
            match self.brood.turn(cx) {
                Turn::Ended(index, output) => {
                    return Poll::Ready(Some((self.numbers[index as usize], output)));
                }
                Turn::Waits => {}
                Turn::Nobody => break,
            }
        }
        if !self.brood.is_empty() || !self.has_ended() {
            return Poll::Pending;
        }
        self.brood = Brood::new(); // nothing is kept: no memory, no place, no waker
        Poll::Ready(None)
    }

    fn has_ended(&self) -> bool {
        self.source.is_none() && self.more.is_empty()
    }

    /// Takes one child in, if there is one and it may run now.
    #[inline]
    fn take_in(&mut self) {
        if self.has_ended() || self.brood.len() >= self.limit || self.brood.is_due() {
            return;
        }
        let Some(item) = self.item() else { return };
        let index = self.brood.insert(item.into_future()) as usize;
        if index == self.numbers.len() {
            self.numbers.push(self.begun);
        } else {
            self.numbers[index] = self.begun;
        }
        self.begun += 1;
    }

    #[inline]
    fn item(&mut self) -> Option<I::Item> {
        if let Some(source) = &mut self.source {
            if let Some(item) = source.next() {
                return Some(item);
            }
            self.source = None;
        }
        self.more.pop_front()
    }

    /// Everything that has not ended, begun or not, in order.
    pub(super) fn into_rest(self) -> Vec<(usize, Child<I>)>
    where
        Child<I>: Unpin,
    {
        let number = |(index, future)| (self.numbers[index as usize], future);
        let mut rest: Vec<_> = self.brood.into_rest().into_iter().map(number).collect();
        rest.sort_unstable_by_key(|(number, _)| *number);
        let waiting = self.source.into_iter().flatten().chain(self.more);
        rest.extend((self.begun..).zip(waiting.map(IntoFuture::into_future)));
        rest
    }
}
