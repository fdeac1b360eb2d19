//! [`Turns`]: whose turn it is among the children of a combinator.
//!
//! On a loop each child has a wake token of its own, so that a wake costs the poll of one child
//! (`kernel::Children`). Without a loop nobody can tell who was woken: each poll of the parent
//! polls every child once, with the parent's waker. This file makes the two look the same.
//!
//! # Not here
//! The children themselves: a slab (`brood`), a list of tasks (`wait`).
#![forbid(unsafe_code)]

use std::collections::VecDeque;
use std::task::Context;

use crate::kernel::{Children, Place};

/// See the module. Children go by number.
#[derive(Debug)]
pub(super) struct Turns {
    places: Children,
    on_loop: bool,
    /// Without a loop: whom this poll of the parent has not polled yet.
    rest: VecDeque<u32>,
}

impl Turns {
    pub(super) const fn new() -> Self {
        Turns {
            places: Children::new(),
            on_loop: false,
            rest: VecDeque::new(),
        }
    }

    /// Begins a poll of the parent, which has these `living` children.
    #[inline]
    pub(super) fn enter(&mut self, cx: &Context<'_>, living: impl Iterator<Item = u32>) {
        self.rest.clear();
        let place = self.places.enter(cx);
        self.on_loop = place != Place::Nowhere;
        match place {
            Place::Same => {}
            Place::Fresh => living.for_each(|index| self.places.add(index)),
            Place::Nowhere => self.rest.extend(living),
        }
    }

    /// A child more, to be polled in this poll of the parent.
    #[inline]
    pub(super) fn add(&mut self, index: u32) {
        if self.on_loop {
            self.places.add(index);
        } else {
            self.rest.push_back(index);
        }
    }

    /// Whose turn it is. `None` if everybody had one, or if the loop has other things to do: then
    /// the parent has been woken again.
    #[inline]
    pub(super) fn next(&mut self) -> Option<u32> {
        if self.on_loop {
            self.places.next()
        } else {
            self.rest.pop_front()
        }
    }

    /// Calls `f`, which polls the child that [`next`](Self::next) gave.
    #[inline]
    pub(super) fn poll<R>(
        &mut self,
        index: u32,
        cx: &mut Context<'_>,
        f: impl FnOnce(&mut Context<'_>) -> R,
    ) -> R {
        if self.on_loop {
            self.places.poll(index, f)
        } else {
            f(cx)
        }
    }

    /// The child is over; its number may be used again.
    #[inline]
    pub(super) fn remove(&mut self, index: u32) {
        if self.on_loop {
            self.places.remove(index);
        }
    }

    /// Has the loop other things to do? Then the parent has been woken again.
    #[inline]
    pub(super) fn is_due(&mut self) -> bool {
        self.on_loop && self.places.is_due()
    }
}
