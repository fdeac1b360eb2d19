//! A get that keeps its queue alive itself, and keeps its place in the line when it is moved.
//!
//! It is what an owned stream of items waits with, see `channel`: its place must last from one
//! poll to the next, and it has nothing to borrow the queue from but itself.
//!
//! A place that nobody can poll must not hold a right to an item: its owner
//! [gives it up](OwnedGet::give_up) before anything else takes items in its stead.
//!
//! # Not here
//! How the queue is kept alive: `wait_list::Held`.

use std::fmt::{self, Debug, Formatter};
use std::task::{Context, Poll};

use super::get::poll_get;
use super::order::Order;
use super::rules::Rules;
use super::{Queue, ShutDown};
use crate::wait_list::{Held, Mode};

/// A place in the line of those who get from a queue that is in a `C`.
pub(in crate::primitives) struct OwnedGet<C, T, O: Order<T>, M: Mode> {
    held: Held<C, Rules<T, O>, M>,
}

impl<C, T, O: Order<T>, M: Mode> OwnedGet<C, T, O, M> {
    pub(in crate::primitives) fn new(
        owner: M::Ref<C>,
        queue: impl FnOnce(&C) -> &Queue<T, O, M>,
    ) -> Self {
        OwnedGet {
            held: Held::new(owner, |owner| &queue(owner).list),
        }
    }

    /// Takes an item, or waits for one. It may be polled again afterwards.
    pub(in crate::primitives) fn poll(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<T, ShutDown>> {
        self.held.with(|waiter| poll_get(waiter, cx))
    }

    /// Whether it has neither a place nor a right to an item.
    pub(in crate::primitives) fn is_idle(&self) -> bool {
        self.held.is_idle()
    }

    /// Leaves the line; a right to an item goes to the next.
    pub(in crate::primitives) fn give_up(&self) {
        self.held.give_up();
    }
}

impl<C, T, O: Order<T>, M: Mode> Debug for OwnedGet<C, T, O, M> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("OwnedGet").finish_non_exhaustive()
    }
}
