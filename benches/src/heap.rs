//! How many bytes of the heap are in use: an allocator that counts.
//!
//! A primitive that boxes its waiters looks small to `size_of`. A binary that makes [`Counting`]
//! its global allocator can ask [`in_use`] before and after, to the byte.
//!
//! # Invariants
//! - **Passed on**: every call goes to the system's allocator unchanged; only sizes are counted.
//! - **Own thread**: the count is the calling thread's, so it moves by what the caller did.
//!
//! # Not here
//! What `malloc` adds to a block: the memory benchmark measures that by resident pages. No timed
//! benchmark counts.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

thread_local! {
    static IN_USE: Cell<usize> = const { Cell::new(0) };
}

/// Bytes that the calling thread has allocated and not freed.
///
/// Always 0 where [`Counting`] is not the global allocator.
pub fn in_use() -> usize {
    IN_USE.get()
}

/// The system's allocator, counted.
#[derive(Debug)]
pub struct Counting;

// SAFETY: by Passed on, the contract is the system allocator's; the count allocates nothing: it is
// a thread-local without destructor, and wraps where a block was allocated by another thread.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        IN_USE.set(IN_USE.get().wrapping_add(layout.size()));
        // SAFETY: by Passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        IN_USE.set(IN_USE.get().wrapping_sub(layout.size()));
        // SAFETY: by Passed on.
        unsafe { System.dealloc(block, layout) }
    }
}
