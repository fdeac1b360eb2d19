//! [`Children`]: what a combinator needs of the loop, so that a wake finds the child it is for.
//!
//! Whoever polls many futures gives each a *place*: a wake token of its own. Each poll it asks
//! [`next`](Children::next) whom to poll, in the order of the wakes. Plain data, like a timer's
//! key, so that a combinator is `Send` if its children are.
//!
//! # The rules
//! - One poll serves those who were woken before it began, so a child that wakes itself does not
//!   keep the other tasks waiting.
//! - Each child counts as a poll of the loop. When a look is due, the rest is postponed: the
//!   parent wakes itself and returns.
//! - On another loop than before the children get new places, and all are polled again: what
//!   they left behind names the old ones. Without a loop there are no places; every poll of the
//!   parent polls every child, with the parent's waker.
//!
//! # Not here
//! The block itself (`run_queue::blocks`), the futures (`combinators`).
#![forbid(unsafe_code)]

use std::mem::ManuallyDrop;
use std::ptr::NonNull;
use std::task::{Context, Waker};

use super::{Kernel, on_loop};
use crate::context;
use crate::mailbox::LoopId;
use crate::run_queue::Parent;
use crate::task::Header;
use crate::task::token::{self, drop_safely, wake_safely};

/// The places of one future's children. Dropping it gives them back.
#[derive(Debug)]
pub(crate) struct Children {
    block: Option<Block>,
    /// The child that `next` gave last, and its slot.
    turn: (u32, u32),
    /// The budget of this poll is used up.
    due: bool,
    /// The block has been made, and nobody has heard of it: a waker's clone may panic before.
    is_fresh: bool,
}

#[derive(Debug, Clone, Copy)]
struct Block {
    home: LoopId,
    number: u32,
}

/// Where a poll takes place: what [`Children::enter`] found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// On the loop of the last poll.
    Same,
    /// On a loop where no child has a place yet: each is to be added, in order.
    Fresh,
    /// On no loop: all are to be polled with the caller's waker.
    Nowhere,
}

impl Children {
    pub(crate) const fn new() -> Self {
        Children {
            block: None,
            turn: (u32::MAX, u32::MAX),
            due: false,
            is_fresh: false,
        }
    }

    /// Begins a poll of the parent.
    pub(crate) fn enter(&mut self, cx: &Context<'_>) -> Place {
        let (place, block) = self.open();
        if let Some(block) = block {
            Kernel::with(|kernel| kernel.begin_block(block, cx.waker()));
        }
        self.is_fresh = false;
        place
    }

    /// The same but for the waker, which is foreign code: the number of the block that is to
    /// [begin](Kernel::begin_block).
    pub(super) fn open(&mut self) -> (Place, Option<u32>) {
        // One child at least, also for a child that is the last in its own parent's budget:
        // it might be the last each time.
        self.due = false;
        let here = Kernel::with(Kernel::id);
        if self.block.map(|block| block.home) != here {
            self.leave();
            self.is_fresh = true;
        }
        let block = Kernel::with(|kernel| {
            let block = self.block.get_or_insert_with(|| Block {
                home: kernel.id,
                number: kernel.run.make_block(),
            });
            block.number
        });
        let place = match block {
            None => Place::Nowhere,
            Some(_) if self.is_fresh => Place::Fresh,
            Some(_) => Place::Same,
        };
        (place, block)
    }

    /// A new block has its children.
    pub(super) fn settle(&mut self) {
        self.is_fresh = false;
    }

    /// Gives child `index` a place; it will be polled by this poll of the parent.
    pub(crate) fn add(&mut self, index: u32) {
        self.with_block(|kernel, block| {
            kernel.make_room();
            kernel.run.insert_ready_child(block, index);
        });
    }

    /// Who is to be polled now. `None` when all were served, or when the loop is due for a look:
    /// then the parent has been woken again, for the rest.
    #[inline]
    pub(crate) fn next(&mut self) -> Option<u32> {
        if self.due {
            let parent = self.with_block(Kernel::postpone_children).flatten();
            parent.into_iter().for_each(wake_safely);
            return None;
        }
        let next = self.with_block(|kernel, block| kernel.run.next_child(block));
        let (index, slot) = next.flatten()?;
        self.turn = (index, slot);
        Some(index)
    }

    /// Calls `f`, which polls the child that `next` gave, with the waker of its place.
    #[inline]
    pub(crate) fn poll<R>(&mut self, index: u32, f: impl FnOnce(&mut Context<'_>) -> R) -> R {
        let waker = self.waker(index);
        f(&mut Context::from_waker(&waker))
    }

    /// The waker of the child that `next` gave, for one poll.
    #[inline]
    fn waker(&mut self, index: u32) -> ManuallyDrop<Waker> {
        debug_assert_eq!(self.turn.0, index, "`next` says who is to be polled");
        let slot = self.turn.1;
        Kernel::with_current("a poll of a child", |kernel| {
            self.due |= kernel.budget.spend();
            kernel.child_waker(slot)
        })
    }

    /// The number of its block on the loop that it is on.
    pub(super) fn block(&self) -> Option<u32> {
        self.block.map(|block| block.number)
    }

    /// Child `index` is over: its place is free, and so is its number.
    pub(crate) fn remove(&mut self, index: u32) {
        self.with_block(|kernel, block| kernel.run.remove_child(block, index));
    }

    /// Is the loop due for a look? Then the parent has been woken again, and takes nothing new.
    pub(crate) fn is_due(&mut self) -> bool {
        if self.due {
            self.wake_parent();
        }
        self.due
    }

    fn wake_parent(&mut self) {
        let parent = self.with_block(|kernel, block| kernel.run.take_parent(block));
        if let Some(parent) = parent.flatten() {
            wake_safely(parent);
        }
    }

    /// Gives the block back to its loop.
    fn leave(&mut self) {
        if let Some(Block { home, number }) = self.block.take() {
            on_loop(home, move |kernel| {
                drop_safely(kernel.run.remove_block(number))
            });
        }
    }

    /// The block and its loop, which is the one that runs here: in a poll, after `enter`.
    #[inline]
    fn with_block<R>(&self, f: impl FnOnce(&Kernel, u32) -> R) -> Option<R> {
        let block = self.block?;
        Kernel::with(|kernel| (kernel.id == block.home).then(|| f(kernel, block.number))).flatten()
    }
}

impl Drop for Children {
    fn drop(&mut self) {
        self.leave();
    }
}

impl Kernel {
    /// Begins a poll of a block's parent, whose waker is `waker`.
    pub(super) fn begin_block(&self, block: u32, waker: &Waker) {
        let parent = self.run.needs_parent(block, waker).then(|| waker.clone());
        drop(self.run.begin(block, parent));
    }

    /// Leaves whoever is ready to the parent's next poll; gives the parent, which is to be woken
    /// for that.
    #[cold]
    pub(super) fn postpone_children(&self, block: u32) -> Parent {
        if !self.run.has_woken_children(block) {
            return None;
        }
        context::postpone();
        self.run.take_parent(block)
    }

    /// The waker of the child in `slot`.
    #[inline]
    pub(super) fn child_waker(&self, slot: u32) -> ManuallyDrop<Waker> {
        token::waker(self.run.loop_index(), self.run.generation(slot), slot)
    }

    /// Gives a task a slot as a child, with room for it in the ring and the mailbox. It is woken:
    /// gives the parent, if that is to be woken too.
    #[inline]
    pub(super) fn insert_task(
        &self,
        block: u32,
        index: u32,
        task: NonNull<Header>,
    ) -> (u32, Parent) {
        self.make_room();
        self.run.insert_woken_child(block, index, task)
    }
}
