//! Who is alive and who is ready: task slots with stable addresses, and a FIFO ring of them.
//!
//! A waker is an integer that names a slot and a generation. Waking on the loop's own thread
//! is therefore three plain loads, a compare and two stores, and must stay so: no locked
//! instruction, no allocation, no user code. `T` is what a slot points to (the task's header);
//! this module never looks inside.
//!
//! A slot belongs to a task, or to a *child*: a future that another future polls (`blocks`), so
//! that a wake says which of a thousand children it is for. Children are never in the ring.
//!
//! ```text
//!   free ──insert──► idle ──wake──► queued ──next──► idle ...
//!                      │ remove       │ remove
//!                      ▼              ▼
//!                    free  ◄──next── stale         (the generation grows at remove)
//! ```
//!
//! # Invariants
//! - **Stable**: a chunk, once made, is neither moved nor freed before the queue is.
//! - **Once**: a slot is in the ring at most once, exactly while its state is QUEUED.
//! - **Room**: the ring has a place for every slot; it grows with the slots, when a task is
//!   inserted. So a wake never allocates and a push never overwrites.
//! - **Unlent**: no reference into `chunks`, `free` or `ring` outlives the function that made
//!   it, and none of these functions runs foreign code; so `&mut` to their contents is unique.
//!
//! # Cost
//! 16 bytes a slot, 4 to 8 in the ring, 4 in the list of free slots.
//! # Not here
//! What a task is, wakes from other threads (`mailbox`), which loop is current (`task::waker`).

mod blocks;
mod shuffle;

use std::cell::{Cell, RefCell, UnsafeCell};
use std::ptr::{self, NonNull};

use blocks::Blocks;
pub(crate) use blocks::Parent;

/// Slots come in chunks of this many: 16 KiB, so a small loop stays small and a million tasks
/// make a thousand chunks.
const CHUNK: usize = 1024;

/// Bits of a slot number in a wake token, and in the mailbox.
pub(crate) const SLOT_BITS: u32 = 26;
/// Bits of the generation in a wake token. A wrap can only cause a spurious wake.
pub(crate) const GENERATION_BITS: u32 = 26;
const _: () = assert!(
    SLOT_BITS + GENERATION_BITS + 12 == 64,
    "12 bits remain for the loop"
);

/// What a slot is good for; one compare tells a wake whether it is the common case.
#[derive(Clone, Copy, PartialEq, Eq)]
struct State(u32);

impl State {
    /// A task that waits.
    const IDLE: State = State(0);
    /// In the ring: of a task, or stale.
    const QUEUED: State = State(1);
    const FREE: State = State(2);
    /// A child's: the next bit says that it was woken, the others are its number in its block.
    const CHILD: State = State(3);
    const KIND: u32 = 3;
    const WOKEN: u32 = 4;
    const INDEX_SHIFT: u32 = 3;

    fn child(index: u32) -> State {
        State(State::CHILD.0 | index << State::INDEX_SHIFT)
    }

    fn is_child(self) -> bool {
        self.0 & State::KIND == State::CHILD.0
    }

    fn is_woken(self) -> bool {
        self.0 & State::WOKEN != 0
    }

    fn with_woken(self, woken: bool) -> State {
        State(self.0 & !State::WOKEN | if woken { State::WOKEN } else { 0 })
    }

    fn index(self) -> u32 {
        self.0 >> State::INDEX_SHIFT
    }
}

const _: () = assert!(
    SLOT_BITS + State::INDEX_SHIFT <= u32::BITS,
    "a block may have as many children as there are slots"
);

struct Slot<T> {
    /// The task; of a child's slot the number of its block, as an address; null if it is free.
    owner: Cell<*mut T>,
    generation: Cell<u32>,
    state: Cell<State>,
}

impl<T> Slot<T> {
    fn new() -> Self {
        Slot {
            owner: Cell::new(ptr::null_mut()),
            generation: Cell::new(0),
            state: Cell::new(State::FREE),
        }
    }
}

type Chunk<T> = [Slot<T>; CHUNK];

/// A task whose turn it is.
pub(crate) struct Ready<T> {
    pub(crate) slot: u32,
    pub(crate) generation: u32,
    pub(crate) task: NonNull<T>,
}

/// The slots and the ready ring of one loop.
pub(crate) struct RunQueue<T> {
    chunks: UnsafeCell<Vec<Box<Chunk<T>>>>,
    free: UnsafeCell<Vec<u32>>,
    ring: UnsafeCell<Vec<u32>>,
    /// Ring positions; they wrap, and are masked with the ring's length, a power of two.
    head: Cell<u32>,
    tail: Cell<u32>,
    slots: Cell<u32>,
    live: Cell<u32>,
    blocks: RefCell<Blocks<T>>,
    loop_index: u16,
    /// The state of the generator that shuffles batches, if they are to be.
    shuffle: Cell<Option<u64>>,
}

impl<T> RunQueue<T> {
    pub(crate) fn new(loop_index: u16) -> Self {
        RunQueue {
            chunks: UnsafeCell::new(Vec::new()),
            free: UnsafeCell::new(Vec::new()),
            ring: UnsafeCell::new(Vec::new()),
            head: Cell::new(0),
            tail: Cell::new(0),
            slots: Cell::new(0),
            live: Cell::new(0),
            blocks: RefCell::new(Blocks::new()),
            loop_index,
            shuffle: Cell::new(None),
        }
    }

    /// The number of this loop in wake tokens.
    #[inline(always)]
    pub(crate) fn loop_index(&self) -> u16 {
        self.loop_index
    }

    /// How many entries the ring holds: the size of the next batch.
    #[inline(always)]
    pub(crate) fn ready(&self) -> u32 {
        self.tail.get().wrapping_sub(self.head.get())
    }

    /// How many tasks are alive.
    pub(crate) fn live(&self) -> u32 {
        self.live.get()
    }

    /// Will what lives in the slot be polled, without another wake?
    pub(crate) fn is_awake(&self, index: u32) -> bool {
        let state = self.slot(index).state.get();
        state == State::QUEUED || state.is_child() && state.is_woken()
    }

    /// Is there one task at most, and no child of any?
    pub(crate) fn is_lonely(&self) -> bool {
        self.live.get() < 2 && self.blocks.borrow().is_empty()
    }

    /// How many slots there are; the mailbox needs a wake bit for each.
    pub(crate) fn slots(&self) -> u32 {
        self.slots.get()
    }

    /// Is there a free slot, so that `insert` will not grow?
    #[inline(always)]
    pub(crate) fn has_free(&self) -> bool {
        // SAFETY: Unlent.
        let free = unsafe { &*self.free.get() };
        !free.is_empty()
    }

    /// Gives `task` a slot, not queued. The caller has made room with `grow`.
    #[inline]
    pub(crate) fn insert(&self, task: NonNull<T>) -> u32 {
        let index = self.take_free();
        let slot = self.slot(index);
        slot.owner.set(task.as_ptr());
        slot.state.set(State::IDLE);
        self.live.set(self.live.get() + 1);
        index
    }

    #[inline(always)]
    fn take_free(&self) -> u32 {
        // SAFETY: Unlent.
        let free = unsafe { &mut *self.free.get() };
        free.pop().expect("grow() was called when no slot was free")
    }

    /// Takes the task's slot away. A queued slot is recycled when the ring reaches it.
    #[inline]
    pub(crate) fn remove(&self, index: u32) {
        self.live.set(self.live.get() - 1);
        self.retire(index);
    }

    /// Ends a slot's use: from here on the tokens that name it are old.
    #[inline(always)]
    fn retire(&self, index: u32) {
        let slot = self.slot(index);
        slot.owner.set(ptr::null_mut());
        slot.generation
            .set(slot.generation.get().wrapping_add(1) & ((1 << GENERATION_BITS) - 1));
        if slot.state.get() != State::QUEUED {
            self.recycle(index);
        }
    }

    #[inline(always)]
    fn recycle(&self, index: u32) {
        self.slot(index).state.set(State::FREE);
        // SAFETY: Unlent.
        let free = unsafe { &mut *self.free.get() };
        free.push(index);
    }

    /// The slot's present generation, for its wake token.
    #[inline(always)]
    pub(crate) fn generation(&self, index: u32) -> u32 {
        self.slot(index).generation.get()
    }

    /// Queues the slot's task if the generation is the present one and it is not queued yet.
    /// Any numbers are allowed: those of a task long gone do nothing. True if the slot is a
    /// child's: then the caller calls [`rouse`](RunQueue::rouse).
    #[inline]
    #[must_use]
    pub(crate) fn wake(&self, index: u32, generation: u32) -> bool {
        index < self.slots.get() && self.generation(index) == generation && self.wake_slot(index)
    }

    /// Queues whatever lives in the slot. At worst a spurious wake; ignores unknown slots. True
    /// if the slot is a child's, as in `wake`.
    #[inline]
    #[must_use]
    pub(crate) fn wake_slot(&self, index: u32) -> bool {
        if index >= self.slots.get() {
            return false;
        }
        let slot = self.slot(index);
        let state = slot.state.get();
        if state == State::IDLE {
            slot.state.set(State::QUEUED);
            self.push(index);
        }
        state.is_child()
    }

    /// Queues a task that was just inserted.
    #[inline]
    pub(crate) fn queue(&self, index: u32) {
        self.slot(index).state.set(State::QUEUED);
        self.push(index);
    }

    #[inline(always)]
    fn push(&self, index: u32) {
        let tail = self.tail.get();
        // SAFETY: Unlent.
        let ring = unsafe { &mut *self.ring.get() };
        let at = tail as usize & (ring.len() - 1);
        // SAFETY: Room: there are slots, so the ring is not empty and `at` is masked into it.
        let place = unsafe { ring.get_unchecked_mut(at) };
        *place = index;
        self.tail.set(tail.wrapping_add(1));
    }

    /// Takes the oldest entry of the ring. `None` if it is empty, or if that task is gone.
    #[inline(always)]
    pub(crate) fn next(&self) -> Option<Ready<T>> {
        let head = self.head.get();
        if head == self.tail.get() {
            return None;
        }
        // SAFETY: Unlent.
        let ring = unsafe { &*self.ring.get() };
        let at = head as usize & (ring.len() - 1);
        // SAFETY: Room: the ring is not empty and `at` is masked into it.
        let index = *unsafe { ring.get_unchecked(at) };
        self.head.set(head.wrapping_add(1));
        let slot = self.slot(index);
        let Some(task) = NonNull::new(slot.owner.get()) else {
            self.recycle(index);
            return None;
        };
        slot.state.set(State::IDLE);
        Some(Ready {
            slot: index,
            generation: slot.generation.get(),
            task,
        })
    }

    #[inline(always)]
    fn slot(&self, index: u32) -> &Slot<T> {
        debug_assert!(index < self.slots.get(), "slot numbers come from insert()");
        // SAFETY: Unlent.
        let chunks = unsafe { &*self.chunks.get() };
        // SAFETY: every slot number in use is below `slots`, and `grow` makes the chunks first.
        let chunk = unsafe { chunks.get_unchecked(index as usize / CHUNK) };
        let slot: *const Slot<T> = &chunk[index as usize % CHUNK];
        // SAFETY: Stable: the slot outlives the borrow of `self`, whatever `chunks` does.
        unsafe { &*slot }
    }

    /// Adds a chunk of slots and makes room for them in the ring.
    ///
    /// # Panics
    /// Beyond 2^26 (67 million) slots.
    #[cold]
    #[inline(never)]
    pub(crate) fn grow(&self) {
        let old = self.slots.get();
        let new = old + CHUNK as u32;
        assert!(
            new <= 1 << SLOT_BITS,
            "a loop holds at most 67 million tasks"
        );
        let chunk: Box<[Slot<T>]> = (0..CHUNK).map(|_| Slot::new()).collect();
        let Ok(chunk) = chunk.try_into() else {
            unreachable!("the chunk has CHUNK slots")
        };
        // SAFETY: Unlent.
        let chunks = unsafe { &mut *self.chunks.get() };
        chunks.push(chunk);
        self.slots.set(new);
        // SAFETY: Unlent.
        let free = unsafe { &mut *self.free.get() };
        free.extend((old..new).rev());
        self.grow_ring(new as usize);
    }

    fn grow_ring(&self, slots: usize) {
        // SAFETY: Unlent.
        let ring = unsafe { &mut *self.ring.get() };
        if slots <= ring.len() {
            return;
        }
        let mut larger = Vec::with_capacity(slots.next_power_of_two());
        for at in 0..self.ready() {
            let from = self.head.get().wrapping_add(at) as usize & (ring.len() - 1);
            larger.push(ring[from]);
        }
        self.head.set(0);
        self.tail.set(larger.len() as u32);
        larger.resize(slots.next_power_of_two(), 0);
        *ring = larger;
    }

    /// The task in slot `index`, if there is one that the loop polls.
    pub(crate) fn task(&self, index: u32) -> Option<NonNull<T>> {
        if index >= self.slots.get() {
            return None;
        }
        let slot = self.slot(index);
        if slot.state.get().is_child() {
            return None;
        }
        NonNull::new(slot.owner.get())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn queue() -> RunQueue<u32> {
        let queue = RunQueue::new(3);
        queue.grow();
        queue
    }

    fn add(queue: &RunQueue<u32>, value: &u32) -> u32 {
        if !queue.has_free() {
            queue.grow();
        }
        queue.insert(NonNull::from(value))
    }

    #[test]
    fn tasks_come_out_in_the_order_of_their_wakes() {
        let (queue, value) = (queue(), 0);
        let slots: Vec<u32> = (0..5).map(|_| add(&queue, &value)).collect();
        for &at in &[3, 1, 4, 1, 0] {
            _ = queue.wake_slot(slots[at]);
        }
        let order: Vec<u32> = std::iter::from_fn(|| queue.next())
            .map(|ready| ready.slot)
            .collect();
        assert_eq!(order, [slots[3], slots[1], slots[4], slots[0]]);
    }

    #[test]
    fn a_wake_of_an_old_generation_does_nothing() {
        let (queue, value) = (queue(), 0);
        let slot = add(&queue, &value);
        let generation = queue.generation(slot);
        queue.remove(slot);
        assert_eq!(add(&queue, &value), slot, "the slot is used again");
        _ = queue.wake(slot, generation);
        assert_eq!(queue.ready(), 0);
        _ = queue.wake(slot, queue.generation(slot));
        assert_eq!(queue.ready(), 1);
    }

    #[test]
    fn a_slot_that_is_still_in_the_ring_is_not_given_out_again() {
        let (queue, value) = (queue(), 0);
        let slot = add(&queue, &value);
        _ = queue.wake_slot(slot);
        queue.remove(slot);
        assert_ne!(add(&queue, &value), slot);
        assert!(queue.next().is_none(), "the entry is stale");
        assert_eq!(add(&queue, &value), slot);
    }

    #[test]
    fn the_ring_keeps_its_order_when_it_grows_around_its_end() {
        let (queue, value) = (queue(), 0);
        let slots: Vec<u32> = (0..1024).map(|_| add(&queue, &value)).collect();
        for _ in 0..1000 {
            _ = queue.wake_slot(slots[7]);
            assert!(queue.next().is_some());
        }
        slots.iter().for_each(|&slot| {
            _ = queue.wake_slot(slot);
        });
        let late = add(&queue, &value);
        _ = queue.wake_slot(late);
        let order: Vec<u32> = std::iter::from_fn(|| queue.next())
            .map(|ready| ready.slot)
            .collect();
        assert_eq!(order, [&slots[..], &[late]].concat());
    }

    #[test]
    fn numbers_that_name_no_slot_are_ignored() {
        let queue = RunQueue::<u32>::new(0);
        _ = queue.wake(5, 0);
        _ = queue.wake_slot(u32::MAX);
        assert!(queue.next().is_none());
        assert_eq!((queue.ready(), queue.live(), queue.slots()), (0, 0, 0));
    }
}
