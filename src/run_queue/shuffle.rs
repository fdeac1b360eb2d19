//! The order of a batch by a seed: a loop of a test that looks for races.
//!
//! Only what is ready together changes places, within one batch, or one poll of a combinator: what
//! is woken in it still runs in the next. The same seed and the same batches give the same order.
//!
//! # Not here
//! Randomness for anything else: the numbers are even enough to shuffle, and easy to guess.

use std::collections::VecDeque;

use super::RunQueue;

impl<T> RunQueue<T> {
    /// From now on each batch is shuffled, in a way that `seed` decides.
    pub(crate) fn set_seed(&self, seed: u64) {
        self.shuffle.set(Some(seed));
    }

    /// Was a seed given?
    pub(crate) fn is_shuffled(&self) -> bool {
        self.shuffle.get().is_some()
    }

    /// How many entries the batch has that begins now. In the order of their wakes, or shuffled.
    #[inline]
    pub(crate) fn begin_batch(&self) -> u32 {
        let ready = self.ready();
        if let Some(state) = self.shuffle.get() {
            self.shuffle.set(Some(self.shuffle_ready(ready, state)));
        }
        ready
    }

    /// The same for the children that the poll of a combinator or a group begins with.
    #[inline]
    pub(super) fn shuffle_children(&self, ready: &mut VecDeque<u32>) {
        if let Some(mut state) = self.shuffle.get() {
            for last in (1..ready.len()).rev() {
                ready.swap(last, below(&mut state, last as u32 + 1) as usize);
            }
            self.shuffle.set(Some(state));
        }
    }

    /// Fisher and Yates: each place, from the last, swaps with one that is not behind it.
    #[cold]
    fn shuffle_ready(&self, ready: u32, mut state: u64) -> u64 {
        // SAFETY: Unlent.
        let ring = unsafe { &mut *self.ring.get() };
        let mask = ring.len().wrapping_sub(1);
        let at = |place: u32| self.head.get().wrapping_add(place) as usize & mask;
        for last in (1..ready).rev() {
            ring.swap(at(last), at(below(&mut state, last + 1)));
        }
        state
    }
}

/// A number below `limit`; the error of the multiplication is below 2^-32.
fn below(state: &mut u64, limit: u32) -> u32 {
    ((u128::from(next(state)) * u128::from(limit)) >> 64) as u32
}

/// SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014;
/// the constants of Vigna's splitmix64.c). Every seed is good, 0 and neighbours included.
fn next(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mixed = (*state ^ *state >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^ mixed >> 31
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::ptr::NonNull;

    use super::*;

    /// Wakes slots in their order, and gives the order of the batch.
    fn batch(queue: &RunQueue<u32>, slots: &[u32]) -> Vec<u32> {
        slots.iter().for_each(|&slot| queue.queue(slot));
        (0..queue.begin_batch())
            .filter_map(|_| queue.next().map(|ready| ready.slot))
            .collect()
    }

    fn queue_of(seed: u64, tasks: usize) -> (RunQueue<u32>, Vec<u32>) {
        let queue = RunQueue::new(0);
        queue.set_seed(seed);
        queue.grow();
        let slots = (0..tasks).map(|_| queue.insert(NonNull::dangling()));
        let slots = slots.collect();
        (queue, slots)
    }

    #[test]
    fn the_generator_is_the_published_one() {
        let mut state = 1_234_567;
        let numbers = [(); 3].map(|()| next(&mut state));
        let published = [
            6_457_827_717_110_365_317,
            3_203_168_211_198_807_973,
            9_817_491_932_198_370_423,
        ];
        assert_eq!(numbers, published);
    }

    #[test]
    fn each_order_of_three_comes_about_equally_often() {
        let (queue, slots) = queue_of(0, 3);
        let mut counts = HashMap::new();
        for _ in 0..6_000 {
            *counts.entry(batch(&queue, &slots)).or_insert(0) += 1;
        }
        assert_eq!(counts.len(), 6);
        assert!(
            counts.values().all(|n| (850..1150).contains(n)),
            "{counts:?}"
        );
    }

    #[test]
    fn a_batch_keeps_its_entries_also_around_the_end_of_the_ring() {
        let (queue, slots) = queue_of(5, 700);
        for _ in 0..5 {
            let mut order = batch(&queue, &slots);
            assert_ne!(order, slots);
            order.sort_unstable();
            assert_eq!(order, slots);
        }
    }

    #[test]
    fn what_is_woken_in_a_batch_is_not_shuffled_into_it() {
        let (queue, slots) = queue_of(1, 6);
        for &slot in &slots[..3] {
            queue.queue(slot);
        }
        for _ in 0..queue.begin_batch() {
            let ready = queue.next().unwrap();
            assert!(slots[..3].contains(&ready.slot));
            _ = queue.wake_slot(slots[3..][ready.slot as usize % 3]);
        }
        assert_eq!(queue.begin_batch(), 3);
    }

    #[test]
    fn an_empty_batch_and_a_batch_of_one_are_no_trouble() {
        let (queue, slots) = queue_of(u64::MAX, 1);
        assert!(batch(&queue, &[]).is_empty());
        assert_eq!(batch(&queue, &slots), slots);
        let empty = RunQueue::<u32>::new(0);
        empty.set_seed(1);
        assert_eq!(empty.begin_batch(), 0);
    }
}
