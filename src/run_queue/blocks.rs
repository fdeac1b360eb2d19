//! Blocks: the children of one future, who of them was woken, and who polls them.
//!
//! A future that polls many others (`gather`, a task group) gives each a slot of its own, hence
//! a wake token, and all of them a block. A wake of a child notes its number in the block and is
//! passed on to the parent's waker, unless the parent has been woken for another child already.
//! The parent then asks for the numbers, in the order of their wakes: a wake and a poll cost
//! the same however many children there are.
//!
//! # Invariants
//! - **Noted**: a child's number is in `ready` or `woken` if its WOKEN bit is set. (A number may
//!   stand there without it, when its child is over: it is skipped.)
//! - **Told**: while `woken` is not empty the parent has been woken since it last began a poll, or
//!   is being polled; so `parent` is taken when it is woken, and put back by the next poll.
//! - **Unlent**: no waker is cloned, woken or dropped while the blocks are borrowed.
//!
//! # Not here
//! The children themselves, their storage and their polls: `kernel::children` and above.
#![forbid(unsafe_code)]

use std::collections::VecDeque;
use std::ptr::{self, NonNull};
use std::task::Waker;

use slab::Slab;

use super::{RunQueue, State};

/// Stands for "no slot".
const NO_SLOT: u32 = u32::MAX;

/// The waker of whoever polls a block's children.
pub(crate) type Parent = Option<Waker>;

pub(super) struct Blocks<T>(Slab<Block<T>>);

impl<T> Blocks<T> {
    pub(super) fn new() -> Self {
        Blocks(Slab::new())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

struct Block<T> {
    /// Taken when it is woken.
    parent: Parent,
    /// To be polled by the parent's present poll, first woken first.
    ready: VecDeque<u32>,
    /// Woken since that began.
    woken: VecDeque<u32>,
    children: Vec<Child<T>>,
    /// Of a group: the number of its node among the loop's scopes. It means nothing here.
    node: Option<u32>,
}

struct Child<T> {
    slot: u32,
    /// The child, if it is a task.
    task: Option<NonNull<T>>,
}

/// Puts a child into its place; numbers may be left out.
#[inline]
fn put_child<T>(children: &mut Vec<Child<T>>, index: u32, child: Child<T>) {
    let index = index as usize;
    if index == children.len() {
        return children.push(child);
    }
    let nobody = || Child {
        slot: NO_SLOT,
        task: None,
    };
    if index > children.len() {
        children.resize_with(index + 1, nobody);
    }
    debug_assert_eq!(children[index].slot, NO_SLOT, "one child a number");
    children[index] = child;
}

impl<T> RunQueue<T> {
    /// A new block without children.
    pub(crate) fn make_block(&self) -> u32 {
        let block = Block {
            parent: None,
            ready: VecDeque::new(),
            woken: VecDeque::new(),
            children: Vec::new(),
            node: None,
        };
        self.blocks.borrow_mut().0.insert(block) as u32
    }

    /// Ends a block and the slots of its children. Gives back what is foreign.
    #[must_use = "the waker's destructor is foreign code: drop it where that may run"]
    pub(crate) fn remove_block(&self, block: u32) -> Parent {
        let block = self.blocks.borrow_mut().0.remove(block as usize);
        let slots = block.children.iter().map(|child| child.slot);
        slots
            .filter(|&slot| slot != NO_SLOT)
            .for_each(|slot| self.retire(slot));
        block.parent
    }

    /// The parent begins a poll: those that were woken are ready now. `parent` is its waker if
    /// [`needs_parent`](RunQueue::needs_parent) said so; gives the one before back.
    #[must_use = "the waker's destructor is foreign code: drop it where that may run"]
    pub(crate) fn begin(&self, block: u32, parent: Parent) -> Parent {
        let mut blocks = self.blocks.borrow_mut();
        let block = &mut blocks.0[block as usize];
        if block.ready.is_empty() {
            std::mem::swap(&mut block.ready, &mut block.woken);
        } else {
            block.ready.append(&mut block.woken);
        }
        self.shuffle_children(&mut block.ready);
        match parent {
            Some(parent) => block.parent.replace(parent),
            None => None,
        }
    }

    /// Whether `waker` is not the one that the block's children wake.
    pub(crate) fn needs_parent(&self, block: u32, waker: &Waker) -> bool {
        let blocks = self.blocks.borrow();
        let parent = &blocks.0[block as usize].parent;
        !parent
            .as_ref()
            .is_some_and(|parent| parent.will_wake(waker))
    }

    /// Gives child `index` of a block a slot, and has it polled by the present poll of its parent.
    /// The caller has made room with `grow`.
    pub(crate) fn insert_ready_child(&self, block: u32, index: u32) {
        let slot = self.take_child_slot(block, index);
        let block = &mut self.blocks.borrow_mut().0[block as usize];
        put_child(&mut block.children, index, Child { slot, task: None });
        block.ready.push_back(index);
    }

    /// The same for a child that is a task, and has it polled by the next poll of its parent.
    /// Gives its slot, and the parent, if it is to be woken.
    #[inline]
    #[must_use]
    pub(crate) fn insert_woken_child(
        &self,
        block: u32,
        index: u32,
        task: NonNull<T>,
    ) -> (u32, Parent) {
        let slot = self.take_child_slot(block, index);
        let block = &mut self.blocks.borrow_mut().0[block as usize];
        let task = Some(task);
        put_child(&mut block.children, index, Child { slot, task });
        block.woken.push_back(index);
        (slot, block.parent.take())
    }

    #[inline]
    fn take_child_slot(&self, block: u32, index: u32) -> u32 {
        let at = self.take_free();
        let slot = self.slot(at);
        slot.owner.set(ptr::without_provenance_mut(block as usize));
        slot.state.set(State::child(index).with_woken(true));
        at
    }

    /// Child `index` is over.
    pub(crate) fn remove_child(&self, block: u32, index: u32) {
        let mut blocks = self.blocks.borrow_mut();
        let child = &mut blocks.0[block as usize].children[index as usize];
        child.task = None;
        let slot = std::mem::replace(&mut child.slot, NO_SLOT);
        drop(blocks);
        if slot != NO_SLOT {
            self.retire(slot);
        }
    }

    /// Takes out the next child to be polled, and its slot.
    #[inline]
    pub(crate) fn next_child(&self, block: u32) -> Option<(u32, u32)> {
        let mut blocks = self.blocks.borrow_mut();
        let block = &mut blocks.0[block as usize];
        loop {
            let index = block.ready.pop_front()?;
            let slot = block.children[index as usize].slot;
            if slot == NO_SLOT {
                continue;
            }
            let state = &self.slot(slot).state;
            if state.get().is_woken() {
                state.set(state.get().with_woken(false));
                return Some((index, slot));
            }
        }
    }

    /// Notes that the child in `slot` was woken; gives the parent, if it is to be woken.
    #[inline(never)]
    #[must_use]
    pub(crate) fn rouse(&self, slot: u32) -> Parent {
        let place = self.slot(slot);
        let state = place.state.get();
        debug_assert!(state.is_child(), "`wake` said so");
        if state.is_woken() {
            return None;
        }
        place.state.set(state.with_woken(true));
        let mut blocks = self.blocks.borrow_mut();
        let block = &mut blocks.0[place.owner.get().addr()];
        block.woken.push_back(state.index());
        block.parent.take()
    }

    /// The parent has been woken by other means: nobody wakes it again before its next poll.
    #[must_use = "the waker's destructor is foreign code: drop it where that may run"]
    pub(crate) fn take_parent(&self, block: u32) -> Parent {
        self.blocks.borrow_mut().0[block as usize].parent.take()
    }

    /// Is somebody to be polled, now or in the next poll?
    pub(crate) fn has_woken_children(&self, block: u32) -> bool {
        let blocks = self.blocks.borrow();
        let block = &blocks.0[block as usize];
        !block.ready.is_empty() || !block.woken.is_empty()
    }

    /// The wakers of all parents, for a loop that is being closed.
    pub(crate) fn take_parents(&self) -> Vec<Waker> {
        let mut blocks = self.blocks.borrow_mut();
        let parents = blocks
            .0
            .iter_mut()
            .filter_map(|(_, block)| block.parent.take());
        parents.collect()
    }

    /// Notes the number of a group's node.
    pub(crate) fn set_group_node(&self, block: u32, node: Option<u32>) {
        self.blocks.borrow_mut().0[block as usize].node = node;
    }

    /// The number that the parent of the child in `slot` has noted.
    pub(crate) fn group_node(&self, slot: u32) -> Option<u32> {
        let place = self.slot(slot);
        if !place.state.get().is_child() {
            return None;
        }
        self.blocks.borrow().0[place.owner.get().addr()].node
    }

    /// The child in `slot`, if it is a task.
    pub(crate) fn child_task(&self, slot: u32) -> Option<NonNull<T>> {
        let place = self.slot(slot);
        let state = place.state.get();
        if !state.is_child() {
            return None;
        }
        let blocks = self.blocks.borrow();
        blocks.0[place.owner.get().addr()].children[state.index() as usize].task
    }

    /// The waker of the parent of the child in `slot`, looked at by `f`.
    pub(crate) fn with_parent<R>(&self, slot: u32, f: impl FnOnce(Option<&Waker>) -> R) -> R {
        let place = self.slot(slot);
        let blocks = self.blocks.borrow();
        let block = place
            .state
            .get()
            .is_child()
            .then(|| place.owner.get().addr());
        f(block.and_then(|block| blocks.0.get(block)?.parent.as_ref()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_children(count: u32) -> (RunQueue<u32>, u32, Vec<u32>) {
        let queue = RunQueue::new(0);
        queue.grow();
        let block = queue.make_block();
        (0..count).for_each(|index| queue.insert_ready_child(block, index));
        let slots = std::iter::from_fn(|| queue.next_child(block)).map(|(_, slot)| slot);
        let slots = slots.collect();
        (queue, block, slots)
    }

    fn wake(queue: &RunQueue<u32>, slot: u32) -> Parent {
        assert!(queue.wake(slot, queue.generation(slot)), "it is a child's");
        queue.rouse(slot)
    }

    fn served(queue: &RunQueue<u32>, block: u32) -> Vec<u32> {
        let children = std::iter::from_fn(|| queue.next_child(block));
        children.map(|(index, _)| index).collect()
    }

    #[test]
    fn children_come_out_in_the_order_of_their_wakes_in_the_next_poll() {
        let (queue, block, slots) = with_children(4);
        for at in [2, 0, 2, 3] {
            assert!(wake(&queue, slots[at]).is_none());
        }
        assert!(
            served(&queue, block).is_empty(),
            "the poll under way does not see them"
        );
        assert!(queue.begin(block, None).is_none());
        assert_eq!(served(&queue, block), [2, 0, 3]);
        assert_eq!(queue.ready(), 0, "children are never in the ring");
    }

    #[test]
    fn the_parent_is_woken_once_a_poll() {
        let (queue, block, slots) = with_children(3);
        assert!(queue.begin(block, Some(Waker::noop().clone())).is_none());
        assert!(wake(&queue, slots[0]).is_some());
        assert!(wake(&queue, slots[1]).is_none());
        assert!(queue.needs_parent(block, Waker::noop()));
        assert!(queue.begin(block, Some(Waker::noop().clone())).is_none());
        assert!(wake(&queue, slots[1]).is_none(), "it is ready already");
        assert!(wake(&queue, slots[2]).is_some());
    }

    #[test]
    fn what_a_poll_leaves_comes_before_what_was_woken_since() {
        let (queue, block, slots) = with_children(3);
        assert!(wake(&queue, slots[2]).is_none());
        assert!(wake(&queue, slots[1]).is_none());
        assert!(queue.begin(block, None).is_none());
        assert_eq!(queue.next_child(block).unwrap().0, 2);
        assert!(wake(&queue, slots[0]).is_none());
        assert!(queue.begin(block, None).is_none());
        assert_eq!(served(&queue, block), [1, 0]);
    }

    #[test]
    fn a_wake_of_a_child_that_is_over_does_nothing() {
        let (queue, block, slots) = with_children(2);
        let generation = queue.generation(slots[0]);
        assert!(wake(&queue, slots[0]).is_none());
        queue.remove_child(block, 0);
        assert!(!queue.wake(slots[0], generation));
        assert!(queue.begin(block, None).is_none());
        assert!(served(&queue, block).is_empty());
        queue.insert_ready_child(block, 0);
        assert_eq!(
            served(&queue, block),
            [0],
            "the number is used again, and given once"
        );
    }

    #[test]
    fn a_block_gives_all_its_slots_back() {
        let (queue, block, slots) = with_children(5);
        queue.remove_child(block, 3);
        assert!(queue.remove_block(block).is_none());
        let again = queue.make_block();
        (0..5).for_each(|index| queue.insert_ready_child(again, index));
        let taken = std::iter::from_fn(|| queue.next_child(again)).map(|(_, slot)| slot);
        let mut taken: Vec<u32> = taken.collect();
        taken.sort_unstable();
        let mut slots = slots;
        slots.sort_unstable();
        assert_eq!(taken, slots);
        assert_eq!(queue.live(), 0);
    }
}
