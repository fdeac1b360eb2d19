//! A place that is filled once, from any thread, and then read without a lock.
//!
//! A waker may be used long after the task and the loop it belongs to, and at the very moment
//! in which a loop grows. What a waker reaches is therefore never freed and never moved: the
//! entries of the loop table and the chunks of wake bits are put into such places and stay
//! there as long as the place itself, which for the table's static means until the process
//! ends.
//!
//! The standard library's `OnceLock` promises the same, but its atomics are not loom's, and
//! losing a race into it drops the value inside. All `unsafe` code of the mailbox is here.
//!
//! # Invariants
//! - **Once**: the pointer is null or comes from `Box::into_raw`; it changes only from null,
//!   by one compare-exchange, so at most one box is ever given up to a place.
//! - **Kept**: that box is freed by the place's `Drop` alone, which needs the place
//!   exclusively, while every reference handed out borrows the place.
//! - **Whole**: publishing releases and reading acquires, so a reader that sees the pointer
//!   sees the finished value.
//!
//! # Cost
//! A read is one acquire load: on x86-64 and, at the price of `ldar`, on AArch64 a plain load.
//!
//! # Not here
//! Replacing or taking out a value, waiting for one: nobody needs it, and `wake` may not wait.

use std::{marker::PhantomData, ptr};

use crate::rt::{AtomicPtr, Ordering};

/// An empty place, or a value that stays there; see the module's header.
pub(super) struct Published<T> {
    pointer: AtomicPtr<T>,
    owns: PhantomData<Box<T>>, // `Send` and `Sync` only where the box itself is
}

impl<T> Published<T> {
    /// An empty place.
    #[cfg(not(all(test, petla_loom)))]
    pub(super) const fn new() -> Self {
        Published {
            pointer: AtomicPtr::new(ptr::null_mut()),
            owns: PhantomData,
        }
    }

    /// An empty place; loom's atomics have no constant constructor.
    #[cfg(all(test, petla_loom))]
    pub(super) fn new() -> Self {
        Published {
            pointer: AtomicPtr::new(ptr::null_mut()),
            owns: PhantomData,
        }
    }

    /// The value, once it is published.
    #[inline]
    pub(super) fn get(&self) -> Option<&T> {
        let pointer = self.pointer.load(Ordering::Acquire);
        // SAFETY: null or a box's pointer, by Once; not freed while `self` is borrowed, by
        // Kept; and finished before we could see it, by Whole.
        unsafe { pointer.as_ref() }
    }

    /// Fills the place; gives the value back if another thread was first.
    pub(super) fn publish(&self, value: Box<T>) -> Result<&T, Box<T>> {
        let (empty, filled) = (ptr::null_mut(), Box::into_raw(value));
        let (won, lost) = (Ordering::Release, Ordering::Relaxed);
        match self.pointer.compare_exchange(empty, filled, won, lost) {
            // SAFETY: from a box, and from now on freed by our `Drop` alone, by Kept.
            Ok(_) => Ok(unsafe { &*filled }),
            // SAFETY: `filled` comes from `Box::into_raw` above and was not given up, as the
            // exchange failed; nobody else ever saw it.
            Err(_) => Err(unsafe { Box::from_raw(filled) }),
        }
    }
}

impl<T> Drop for Published<T> {
    fn drop(&mut self) {
        let pointer = self.pointer.load(Ordering::Acquire);
        if !pointer.is_null() {
            // SAFETY: the box given up by `publish`, the only one, by Once; no reference into
            // it is left, as each borrowed the place that we now have exclusively, by Kept.
            drop(unsafe { Box::from_raw(pointer) });
        }
    }
}

#[cfg(all(test, not(petla_loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_filled_once_and_gives_the_second_value_back() {
        let place = Published::new();
        assert!(place.get().is_none());
        let first: *const String = place.publish(Box::new("first".to_owned())).unwrap();
        assert_eq!(
            *place.publish(Box::new("second".to_owned())).unwrap_err(),
            "second"
        );
        assert_eq!(place.get().unwrap(), "first");
        assert!(ptr::eq(first, place.get().unwrap()));
    }

    #[test]
    fn a_published_value_is_dropped_with_its_place() {
        let value = std::sync::Arc::new(());
        let place = Published::new();
        place.publish(Box::new(value.clone())).unwrap();
        assert_eq!(std::sync::Arc::strong_count(&value), 2);
        drop(place);
        assert_eq!(std::sync::Arc::strong_count(&value), 1);
    }
}
