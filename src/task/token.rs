//! Integer wakers: a waker's data is `loop | generation | slot`, 64 bits that own nothing.
//!
//! Cloning and dropping such a waker does nothing. Waking it on the thread where its loop runs
//! costs one thread-local load, one compare and [`RunQueue::wake`]; everywhere else, also
//! without a loop and in a dying thread, it sets a bit in the loop's mailbox. A token may
//! outlive its task and its loop: then it is at worst a spurious wake of whoever has the slot
//! now, which the contract of `Future` allows.
//!
//! # Invariants
//! - **Current**: `QUEUE` is null, or points to the run queue of the loop that this thread runs;
//!   `Entered` resets it before the loop can go away.
//! - **Polled**: `TASK` is null, or points to the header of the task whose code is on the stack.
//!
//! # Not here
//! Generations that protect memory: nothing is ever read through a token but a slot.

use std::cell::Cell;
use std::marker::PhantomData;
use std::mem::ManuallyDrop;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::{self, NonNull};
use std::task::{RawWaker, RawWakerVTable, Waker};

use super::header::Header;
use super::{pool, report, trace};
use crate::mailbox;
use crate::run_queue::{GENERATION_BITS, RunQueue, SLOT_BITS};

thread_local! {
    static QUEUE: Cell<*const RunQueue<Header>> = const { Cell::new(ptr::null()) };
    static TASK: Cell<*const Header> = const { Cell::new(ptr::null()) };
}

static VTABLE: RawWakerVTable =
    RawWakerVTable::new(|data| RawWaker::new(data, &VTABLE), wake, wake, |_| ());

fn pack(loop_index: u16, generation: u32, slot: u32) -> *const () {
    let bits = (u64::from(loop_index) << (GENERATION_BITS + SLOT_BITS))
        | (u64::from(generation) << SLOT_BITS)
        | u64::from(slot);
    ptr::without_provenance(bits as usize)
}

fn unpack(data: *const ()) -> (u16, u32, u32) {
    let bits = data.addr() as u64;
    let generation = (bits >> SLOT_BITS) as u32 & ((1 << GENERATION_BITS) - 1);
    let slot = bits as u32 & ((1 << SLOT_BITS) - 1);
    (
        (bits >> (GENERATION_BITS + SLOT_BITS)) as u16,
        generation,
        slot,
    )
}

fn wake(data: *const ()) {
    let (loop_index, generation, slot) = unpack(data);
    match queue() {
        Some(queue) if queue.loop_index() == loop_index => {
            if queue.wake(slot, generation) {
                wake_parents(queue, slot);
            }
            trace::woken(loop_index, slot, Some(generation));
        }
        _ => wake_token_elsewhere(data),
    }
}

/// Goes on from the child in `slot`, which was woken, to its parent, which may be a child too.
#[inline(never)]
fn wake_parents(queue: &RunQueue<Header>, slot: u32) {
    let Some(parent) = queue.rouse(slot) else {
        return;
    };
    let (loop_index, generation, slot) = unpack(parent.data());
    if !is_token(&parent) || loop_index != queue.loop_index() {
        // Taken out of its block, so whatever it does there is none of ours.
        return wake_foreign(parent);
    }
    drop(parent);
    if queue.wake(slot, generation) {
        wake_parents(queue, slot); // a loop, unless spans are to be told
    }
    trace::woken(loop_index, slot, Some(generation));
}

/// Is it one of this crate's?
#[inline]
fn is_token(waker: &Waker) -> bool {
    ptr::eq(waker.vtable(), &VTABLE)
}

/// The slot of `queue` that a token names, if it still belongs to whom it was made for.
pub(crate) fn slot_of(queue: &RunQueue<Header>, waker: &Waker) -> Option<u32> {
    if !is_token(waker) {
        return None;
    }
    let (loop_index, generation, slot) = unpack(waker.data());
    let lives = loop_index == queue.loop_index()
        && slot < queue.slots()
        && generation == queue.generation(slot);
    lives.then_some(slot)
}

/// Unpacks again, so that the path above has less to keep across a call.
#[cold]
#[inline(never)]
fn wake_token_elsewhere(data: *const ()) {
    let (loop_index, _, slot) = unpack(data);
    wake_elsewhere(loop_index, slot);
}

/// Wakes what lives in `slot` of a loop that is alive, from the loop's own thread.
pub(super) fn wake_slot(loop_index: u16, slot: u32) {
    match queue() {
        Some(queue) if queue.loop_index() == loop_index => wake_slot_of(queue, slot),
        _ => wake_elsewhere(loop_index, slot),
    }
}

/// Wakes what lives in `slot` of this thread's loop.
#[inline]
pub(crate) fn wake_slot_of(queue: &RunQueue<Header>, slot: u32) {
    let loop_index = queue.loop_index();
    if queue.wake_slot(slot) {
        wake_parents(queue, slot);
    }
    trace::woken(loop_index, slot, None);
}

#[cold]
#[inline(never)]
fn wake_elsewhere(loop_index: u16, slot: u32) {
    if let Some(mailbox) = mailbox::lookup(loop_index) {
        mailbox.wake(slot);
    }
}

#[inline(always)]
pub(super) fn queue<'a>() -> Option<&'a RunQueue<Header>> {
    let queue = QUEUE.get();
    // SAFETY: Current. The reference is used and forgotten before any foreign code runs.
    unsafe { queue.as_ref() }
}

/// The waker of the task in `slot`. It owns nothing, so it is not dropped.
#[inline(always)]
pub(crate) fn waker(loop_index: u16, generation: u32, slot: u32) -> ManuallyDrop<Waker> {
    let data = pack(loop_index, generation, slot);
    // SAFETY: the functions of VTABLE accept any data, from any thread, at any time.
    ManuallyDrop::new(unsafe { Waker::new(data, &VTABLE) })
}

/// Wakes; a foreign waker that panics is reported, so that it loses nobody else's wake.
#[inline]
pub(crate) fn wake_safely(waker: Waker) {
    if is_token(&waker) {
        wake(waker.data());
    } else {
        wake_foreign(waker);
    }
}

fn wake_foreign(waker: Waker) {
    if let Err(payload) = catch_unwind(AssertUnwindSafe(|| waker.wake())) {
        report::panicked("a waker panicked", None, payload);
    }
}

/// Drops something foreign; a panic is reported.
pub(crate) fn drop_safely<T>(value: T) {
    if let Err(payload) = catch_unwind(AssertUnwindSafe(|| drop(value))) {
        report::panicked("a destructor panicked", None, payload);
    }
}

/// Makes a run queue the one that wakes on this thread go to, until dropped. No task of it runs
/// yet: one that does belongs to the loop in which this one is closed.
pub(crate) struct Entered<'a> {
    outer: *const RunQueue<Header>,
    outer_task: *const Header,
    _queue: PhantomData<&'a RunQueue<Header>>,
}

pub(crate) fn enter(queue: &RunQueue<Header>) -> Entered<'_> {
    Entered {
        outer: QUEUE.replace(queue),
        outer_task: TASK.replace(ptr::null()),
        _queue: PhantomData,
    }
}

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        pool::clear();
        QUEUE.set(self.outer);
        TASK.set(self.outer_task);
    }
}

/// Does a loop run on this thread?
#[inline(always)]
pub(super) fn is_entered() -> bool {
    !QUEUE.get().is_null()
}

/// Makes a task the current one until dropped.
pub(crate) struct Polling(*const Header);

#[inline(always)]
pub(crate) fn begin(task: NonNull<Header>) -> Polling {
    Polling(TASK.replace(task.as_ptr()))
}

impl Drop for Polling {
    #[inline(always)]
    fn drop(&mut self) {
        TASK.set(self.0);
    }
}

/// The task, or callback, whose code is on the stack.
#[inline]
pub(crate) fn current<'a>() -> Option<&'a Header> {
    // SAFETY: Polled: the loop's share keeps the header alive while its code is on the stack.
    unsafe { TASK.get().as_ref() }
}

/// In the child of a fork: this thread runs no loop. The parent's structures are left alone.
pub(crate) fn forget_after_fork() {
    QUEUE.set(ptr::null());
    TASK.set(ptr::null());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_gives_back_what_was_packed() {
        for parts in [
            (0, 0, 0),
            (4095, (1 << 26) - 1, (1 << 26) - 1),
            (7, 1, 1 << 25),
        ] {
            assert_eq!(unpack(pack(parts.0, parts.1, parts.2)), parts);
        }
    }

    #[test]
    fn a_token_of_a_loop_that_never_was_wakes_nothing() {
        wake(pack(4000, 12, 34));
    }

    #[test]
    fn tokens_are_equal_exactly_when_they_wake_the_same_task() {
        assert!(waker(1, 2, 3).will_wake(&waker(1, 2, 3)));
        assert!(!waker(1, 2, 3).will_wake(&waker(1, 2, 4)));
        assert!(!waker(1, 2, 3).will_wake(&waker(1, 3, 3)));
    }
}
