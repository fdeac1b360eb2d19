//! Memory of ended tasks, kept for the next ones of the same size.
//!
//! A loop that spawns as fast as tasks end would otherwise spend a third of its time in
//! malloc. Lists are per thread and need no lock: a cell is freed on the thread it was made on.
//!
//! # Invariants
//! - **Class**: a block in the list of class `c` was allocated with `layout(c)`, and nobody
//!   else knows it.
//! - **Bounded**: a list holds at most `KEPT_BYTES`; `clear` empties all when the thread's
//!   loop ends, and without a loop nothing is kept. So nothing outlives its thread.
//!
//! # Cost
//! One load and one store to take or to give; 16 bytes of thread-local memory a class.
//! # Not here
//! Futures above 1 KiB and over-aligned ones: malloc's cost is small beside theirs.

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::cell::Cell;
use std::ptr::{self, NonNull};

/// Class `c` holds blocks of `16 c + 8` bytes, which glibc's malloc stores without padding.
const CLASSES: usize = 64;
/// Memory kept in a class: a hundred thousand small tasks can end and be spawned again without
/// malloc, which takes half as long as the rest of it together.
const KEPT_BYTES: usize = 8 << 20;
const ALIGN: usize = 8;

/// A free block; the list goes through the blocks themselves.
struct Block {
    next: *mut Block,
}

struct List {
    first: Cell<*mut Block>,
    length: Cell<u32>,
}

thread_local! {
    static LISTS: [List; CLASSES] = const {
        [const { List { first: Cell::new(ptr::null_mut()), length: Cell::new(0) } }; CLASSES]
    };
}

/// The class of a cell, or `None` for one that is malloc's business.
pub(super) const fn class_of(cell: Layout) -> Option<usize> {
    let class = cell.size().saturating_sub(8).div_ceil(16);
    if cell.align() <= ALIGN && class < CLASSES {
        Some(class)
    } else {
        None
    }
}

fn layout(class: usize) -> Layout {
    // No overflow: a class is below CLASSES.
    Layout::from_size_align(16 * class + 8, ALIGN).expect("small and a power of two")
}

/// How many blocks a list holds at most.
#[inline(always)]
const fn kept_max(class: usize) -> u32 {
    (KEPT_BYTES / (16 * class + 8)) as u32
}

/// Memory for a cell of this class.
#[inline(always)]
pub(super) fn take(class: usize) -> NonNull<u8> {
    LISTS.with(|lists| {
        let list = &lists[class];
        let Some(block) = NonNull::new(list.first.get()) else {
            return fresh(class);
        };
        // SAFETY: Class: the block is ours, and its `next` was written by `give`.
        list.first.set(unsafe { block.as_ref() }.next);
        list.length.set(list.length.get() - 1);
        block.cast()
    })
}

#[cold]
#[inline(never)]
fn fresh(class: usize) -> NonNull<u8> {
    // SAFETY: the size is not zero.
    let memory = unsafe { alloc(layout(class)) };
    NonNull::new(memory).unwrap_or_else(|| handle_alloc_error(layout(class)))
}

/// Gives memory back; `keep` it for the next cell, if a loop runs that will clear the lists.
///
/// # Safety
/// `memory` came from `take(class)` and is not used any more.
#[inline(always)]
pub(super) unsafe fn give(memory: NonNull<u8>, class: usize, keep: bool) {
    LISTS.with(|lists| {
        let list = &lists[class];
        if keep && list.length.get() < kept_max(class) {
            let block = memory.cast::<Block>();
            // SAFETY: the caller's: the memory is free; it is large and aligned enough for a
            // `Block` in every class a cell can have.
            unsafe {
                block.write(Block {
                    next: list.first.get(),
                })
            };
            list.first.set(block.as_ptr());
            list.length.set(list.length.get() + 1);
        } else {
            // SAFETY: the caller's.
            unsafe { dealloc(memory.as_ptr(), layout(class)) };
        }
    });
}

/// Frees what is kept. Called when the thread's loop ends.
pub(super) fn clear() {
    LISTS.with(|lists| {
        for (class, list) in lists.iter().enumerate() {
            list.length.set(0);
            let mut next = list.first.replace(ptr::null_mut());
            while let Some(block) = NonNull::new(next) {
                // SAFETY: Class.
                next = unsafe { block.as_ref() }.next;
                // SAFETY: Class.
                unsafe { dealloc(block.as_ptr().cast(), layout(class)) };
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_that_was_kept_is_the_next_one_taken() {
        let class = class_of(Layout::new::<[u64; 9]>()).unwrap();
        let block = take(class);
        // SAFETY: taken above, of the same class.
        unsafe { give(block, class, true) };
        assert_eq!(take(class), block);
        // SAFETY: taken above, of the same class.
        unsafe { give(block, class, true) };
        clear();
        assert!(LISTS.with(|lists| lists.iter().all(|list| list.first.get().is_null())));
    }

    #[test]
    fn every_class_holds_every_cell_that_is_put_in_it() {
        for size in 56..=16 * (CLASSES - 1) + 8 {
            let class = class_of(Layout::from_size_align(size, 8).unwrap()).unwrap();
            assert!(layout(class).size() >= size && layout(class).size() < size + 16);
        }
        assert_eq!(class_of(Layout::new::<[u64; 130]>()), None);
        assert_eq!(class_of(Layout::from_size_align(64, 64).unwrap()), None);
    }

    #[test]
    fn lists_are_bounded() {
        let class = class_of(Layout::new::<[u64; 11]>()).unwrap();
        let blocks: Vec<_> = (0..kept_max(class) + 5).map(|_| take(class)).collect();
        for block in blocks {
            // SAFETY: taken above, of the same class.
            unsafe { give(block, class, true) };
        }
        assert_eq!(
            LISTS.with(|lists| lists[class].length.get()),
            kept_max(class)
        );
        clear();
    }
}
