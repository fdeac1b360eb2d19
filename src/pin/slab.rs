//! [`PinSlab`]: many futures, each at an address of its own that never changes.
//!
//! A combinator keeps its children here: pinned from the first poll to the drop, found by a small
//! number, without an allocation each. The places stand in chunks, each twice as large as the one
//! before; places that fall free are used again. The slab itself may move at any time.
//!
//! # Invariants
//! - **Stable**: a chunk is a `Vec` that is filled up to the capacity it was made with and no
//!   further, so its places do not move; chunks are not freed before the slab.
//! - **Pinned**: what stands in a place leaves it by being dropped there. Only [`PinSlab::take`]
//!   moves it out, which asks for `Unpin`; nothing here lends a plain `&mut F`.
//!
//! # Cost
//! insert, get, remove: O(1); one allocation a chunk.
//!
//! # Not here
//! Whom to poll: `combinators`.

use std::pin::Pin;

/// Places in the first chunk.
const FIRST_CHUNK: usize = 8;
const _: () = assert!(FIRST_CHUNK.is_power_of_two(), "`locate` counts bits");

/// See the module.
pub(crate) struct PinSlab<F> {
    chunks: Vec<Vec<Option<F>>>,
    /// Places that were used and are empty.
    free: Vec<u32>,
    /// Places that were ever used.
    used: u32,
}

/// The chunk and the place in it of number `index`.
#[inline(always)]
fn locate(index: u32) -> (usize, usize) {
    let shifted = index as usize + FIRST_CHUNK;
    let chunk = (shifted.ilog2() - FIRST_CHUNK.ilog2()) as usize;
    (chunk, shifted - (FIRST_CHUNK << chunk))
}

impl<F> PinSlab<F> {
    pub(crate) const fn new() -> Self {
        PinSlab {
            chunks: Vec::new(),
            free: Vec::new(),
            used: 0,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.used as usize - self.free.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Puts `future` into a free place; gives its number.
    #[inline]
    pub(crate) fn insert(&mut self, future: F) -> u32 {
        if let Some(index) = self.free.pop() {
            let (chunk, place) = locate(index);
            self.chunks[chunk][place] = Some(future);
            return index;
        }
        let index = self.used;
        let (chunk, _) = locate(index);
        if chunk == self.chunks.len() {
            self.chunks.push(Vec::with_capacity(FIRST_CHUNK << chunk));
        }
        debug_assert!(self.chunks[chunk].len() < self.chunks[chunk].capacity());
        self.chunks[chunk].push(Some(future));
        self.used = index.checked_add(1).expect("a slab holds 2^32 futures");
        index
    }

    #[inline]
    fn place(chunks: &mut [Vec<Option<F>>], index: u32) -> Option<Pin<&mut Option<F>>> {
        let (chunk, place) = locate(index);
        let place = chunks.get_mut(chunk)?.get_mut(place)?;
        // SAFETY: the place does not move and is not freed before it is dropped (Stable), and
        // nobody moves out of it (Pinned).
        Some(unsafe { Pin::new_unchecked(place) })
    }

    /// The future of this number, if there is one.
    #[inline]
    pub(crate) fn get(&mut self, index: u32) -> Option<Pin<&mut F>> {
        Self::place(&mut self.chunks, index)?.as_pin_mut()
    }

    /// Drops the future of this number, if there is one, where it stands.
    #[inline]
    pub(crate) fn remove(&mut self, index: u32) {
        if let Some(mut place) = Self::place(&mut self.chunks, index)
            && place.is_some()
        {
            // First, so that the count is right should the destructor panic.
            self.free.push(index);
            place.set(None);
        }
    }

    /// Moves the future of this number out.
    pub(crate) fn take(&mut self, index: u32) -> Option<F>
    where
        F: Unpin,
    {
        let future = Self::place(&mut self.chunks, index)?.get_mut().take()?;
        self.free.push(index);
        Some(future)
    }

    /// The numbers in use, smallest first.
    pub(crate) fn indices(&self) -> impl Iterator<Item = u32> {
        let places = self.chunks.iter().flatten();
        (0..)
            .zip(places)
            .filter_map(|(index, place)| place.is_some().then_some(index))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;
    use std::future::{Future, ready};
    use std::marker::PhantomPinned;
    use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
    use std::task::{Context, Poll, Waker};

    /// Counts its drops, and panics in them if told to.
    struct Counted<'a>(&'a Cell<u32>, bool);

    impl Drop for Counted<'_> {
        fn drop(&mut self) {
            self.0.set(self.0.get() + 1);
            if self.1 {
                resume_unwind(Box::new(()));
            }
        }
    }

    #[test]
    fn numbers_fill_the_chunks_one_after_the_other() {
        let mut expected = Vec::new();
        for chunk in 0..4 {
            expected.extend((0..FIRST_CHUNK << chunk).map(|place| (chunk, place)));
        }
        let located: Vec<_> = (0..).take(expected.len()).map(locate).collect();
        assert_eq!(located, expected);
    }

    #[test]
    fn addresses_stay_while_the_slab_grows_and_moves() {
        let mut slab = PinSlab::new();
        let address = |slab: &mut PinSlab<(u32, PhantomPinned)>, index| {
            std::ptr::from_ref(&*slab.get(index).unwrap()).addr()
        };
        let mut before = Vec::new();
        for n in 0..1000 {
            assert_eq!(slab.insert((n, PhantomPinned)), n);
            before.push(address(&mut slab, n));
        }
        let mut slab = std::hint::black_box(slab);
        for n in 0..1000 {
            assert_eq!(address(&mut slab, n), before[n as usize]);
            assert_eq!(slab.get(n).unwrap().0, n);
        }
    }

    #[test]
    fn futures_are_polled_where_they_stand() {
        let mut slab = PinSlab::new();
        let index = slab.insert(ready(7));
        let future = slab.get(index).unwrap();
        let mut cx = Context::from_waker(Waker::noop());
        assert_eq!(future.poll(&mut cx), Poll::Ready(7));
    }

    #[test]
    fn places_are_used_again_and_absent_numbers_are_nobody() {
        let mut slab = PinSlab::new();
        for n in 0..20 {
            slab.insert(n);
        }
        slab.remove(3);
        slab.remove(3);
        slab.remove(1000);
        assert_eq!(slab.len(), 19);
        assert!(slab.get(3).is_none() && slab.take(3).is_none());
        assert_eq!(slab.take(17), Some(17));
        assert!(slab.indices().eq((0..20).filter(|n| ![3, 17].contains(n))));
        let mut again = [slab.insert(100), slab.insert(101)];
        again.sort_unstable();
        assert_eq!((again, slab.len()), ([3, 17], 20));
        assert_eq!(slab.insert(102), 20);
    }

    #[test]
    fn an_empty_slab_holds_nothing_and_allocates_nothing() {
        let mut slab = PinSlab::<u8>::new();
        assert!(slab.is_empty() && slab.get(0).is_none() && slab.indices().next().is_none());
        assert_eq!(slab.chunks.capacity() + slab.free.capacity(), 0);
    }

    #[test]
    fn each_is_dropped_once_removed_or_left() {
        let drops = Cell::new(0);
        let mut slab = PinSlab::new();
        for _ in 0..30 {
            slab.insert(Counted(&drops, false));
        }
        slab.remove(5);
        assert_eq!(drops.get(), 1);
        drop(slab.take(6));
        assert_eq!(drops.get(), 2);
        drop(slab);
        assert_eq!(drops.get(), 30);
    }

    #[test]
    fn a_destructor_that_panics_runs_once_and_leaves_the_place_free() {
        let drops = Cell::new(0);
        let mut slab = PinSlab::new();
        let index = slab.insert(Counted(&drops, true));
        assert!(catch_unwind(AssertUnwindSafe(|| slab.remove(index))).is_err());
        assert_eq!((drops.get(), slab.len()), (1, 0));
        assert_eq!(slab.insert(Counted(&drops, false)), index);
        drop(slab);
        assert_eq!(drops.get(), 2);
    }
}
