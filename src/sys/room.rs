//! [`Room`]: memory to receive into, which need not hold anything yet.
//!
//! Libraries lend such memory to be read into ([`MaybeUninit`]), and filling it with zeroes first
//! would cost as much as many a read. So what receives takes a `Room`, which knows how much of it
//! was written; a plain slice is room too.
//!
//! # Invariants
//! - **Written**: the first `filled` bytes of `memory` have been written.
//! - **Only written**: a byte that was initialised stays so: nothing here or at the kernel writes
//!   anything but bytes.
//!
//! # Not here
//! The calls that fill it (`socket`, `pipe`).

use std::mem::MaybeUninit;

use libc::c_void;

/// See the module.
pub(crate) struct Room<'a> {
    memory: &'a mut [MaybeUninit<u8>],
    filled: usize,
}

impl<'a> Room<'a> {
    pub(crate) fn new(memory: &'a mut [MaybeUninit<u8>]) -> Room<'a> {
        Room { memory, filled: 0 }
    }

    #[inline]
    pub(crate) fn of(memory: &'a mut [u8]) -> Room<'a> {
        let memory = std::ptr::from_mut(memory) as *mut [MaybeUninit<u8>];
        // SAFETY: the same memory and lifetime, a type of the same layout; Only written.
        let memory = unsafe { &mut *memory };
        Room { memory, filled: 0 }
    }

    /// How many bytes were written.
    #[cfg(any(test, feature = "_polled"))]
    #[inline]
    pub(crate) fn filled(&self) -> usize {
        self.filled
    }

    /// How many more there is room for.
    #[inline]
    pub(crate) fn left(&self) -> usize {
        self.memory.len() - self.filled
    }

    /// Copies as much of `data` as there is room for, and says how much.
    pub(crate) fn put(&mut self, data: &[u8]) -> usize {
        let n = data.len().min(self.left());
        let bytes = std::ptr::from_ref(&data[..n]) as *const [MaybeUninit<u8>];
        // SAFETY: the same memory and lifetime; what is initialised may also count as if not.
        let bytes = unsafe { &*bytes };
        self.memory[self.filled..][..n].copy_from_slice(bytes);
        self.filled += n;
        n
    }

    /// Where the next byte belongs, and how many there may be.
    #[inline]
    pub(super) fn rest(&mut self) -> (*mut c_void, usize) {
        let rest = &mut self.memory[self.filled..];
        (rest.as_mut_ptr().cast::<c_void>(), rest.len())
    }

    /// Counts bytes that the kernel has written.
    ///
    /// # Safety
    /// The first `n` bytes of `rest` have been written, and nothing but bytes.
    #[inline]
    pub(super) unsafe fn advance(&mut self, n: usize) {
        self.filled += n;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_put_in_fills_the_room_from_its_front() {
        let mut memory = [0; 5];
        let mut room = Room::of(&mut memory);
        assert_eq!((room.put(b"abc"), room.left()), (3, 2));
        assert_eq!((room.put(b"defg"), room.left()), (2, 0));
        assert_eq!((room.put(b"h"), room.filled()), (0, 5));
        assert_eq!(&memory, b"abcde");
    }
}
