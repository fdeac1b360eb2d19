//! Remote wakes: one bit for each task slot.
//!
//! A wake from another thread must not wait, allocate or fail, may come from a waker whose task
//! is long gone, and may come a million times before the loop looks. A bit has all that by
//! nature: setting it twice is setting it once.
//!
//! ```text
//!   groups        one word; bit g: some line whose number is g modulo 64 has a bit
//!   buckets[0]    line 0          each line is one cache line of bits, 512 slots
//!   buckets[1]    line 1
//!   buckets[2]    lines 2, 3      each bucket is as large as all before it together
//!   buckets[3]    lines 4 ..= 7
//! ```
//!
//! Lines are spread over the 64 groups in turn, so that one look at `groups` spares the scan
//! 63 of 64 lines when few slots were woken. For one wake among a million slots a drain takes
//! 0.1 µs; reading all lines would take 6 µs.
//!
//! # Invariants
//! - **Published**: buckets are allocated in order by `grow` before their slots are handed out,
//!   and neither move nor go away before the table entry does.
//! - **Bit, then group**: `set` sets the slot's bit and then its group's, each time, both with
//!   release, and the caller notifies the flag after that. `drain` takes the groups and then
//!   the bits, with acquire. A bit set too late for the drain's look has its group bit set
//!   after the groups were taken: it is found by the next drain.
//! - **No early-out**: a bit that is already set is set again. Another thread may have set it
//!   before the loop's last look; what *we* wrote before our wake is released by our own
//!   read-modify-write only.
//! - **Stale is spurious**: a bit set for a task or a loop that is gone wakes whatever has the
//!   slot now, which a `Future` must allow.
//!
//! # Cost
//! `set`: two locked instructions, no loop. `drain`: eight loads for each line of the groups
//! that were set (8 up to 512 slots, 256 for one group of a million slots), and a locked
//! instruction for each word with bits in it. Memory: a bit a slot; a loop that once had many
//! slots leaves them to the entry's next loop.
//!
//! # Not here
//! Order: within one drain slots come by bucket, group and number, not by time of wake.
//! Generations: a remote wake names a slot and wakes whatever has it.

use std::iter;

use super::published::Published;
use crate::rt::{AtomicU64, Ordering};

/// The slots a loop may have: 8 MiB of bits. Models make do with few, as loom remembers the
/// history of each word.
pub(super) const SLOTS_MAX: u32 = if cfg!(all(test, petla_loom)) {
    256
} else {
    1 << 26
};

const SLOTS_PER_WORD: u32 = u64::BITS;
/// A cache line of words: one set bit sends the scan through no more than it fetches anyway.
const WORDS_PER_LINE: usize = if cfg!(all(test, petla_loom)) { 1 } else { 8 };
const SLOTS_PER_LINE: u32 = SLOTS_PER_WORD * WORDS_PER_LINE as u32;
const GROUPS: u32 = u64::BITS;
const BUCKETS: usize = (SLOTS_MAX / SLOTS_PER_LINE).ilog2() as usize + 1;

const _: () = assert!(
    SLOTS_MAX == SLOTS_PER_LINE << (BUCKETS - 1),
    "the buckets hold them all"
);

/// See the module's header.
#[repr(C)] // `groups` shares the flag's cache line with the first, most used, buckets
pub(super) struct Wakes {
    groups: AtomicU64,
    buckets: [Published<Box<[Line]>>; BUCKETS],
}

impl Wakes {
    /// Without any slot.
    pub(super) fn new() -> Wakes {
        Wakes {
            groups: AtomicU64::new(0),
            buckets: std::array::from_fn(|_| Published::new()),
        }
    }

    /// The owner: makes room for the slots below `slots`.
    ///
    /// # Panics
    /// If `slots` is more than [`SLOTS_MAX`].
    pub(super) fn grow(&self, slots: u32) {
        assert!(
            slots <= SLOTS_MAX,
            "a loop has at most {SLOTS_MAX} slots, {slots} asked for"
        );
        let Some(last) = slots.checked_sub(1) else {
            return;
        };
        let (needed, _) = locate(last / SLOTS_PER_LINE);
        for (number, bucket) in self.buckets.iter().enumerate().take(needed + 1) {
            if bucket.get().is_none() {
                let lines = (0..lines_in(number)).map(|_| Line::new()).collect();
                let published = bucket.publish(Box::new(lines));
                debug_assert!(published.is_ok(), "only the owner grows");
            }
        }
    }

    /// Any thread: marks `slot`; the caller notifies the flag after it. False, and nothing
    /// marked, if there never was such a slot.
    #[inline]
    pub(super) fn set(&self, slot: u32) -> bool {
        let line = slot / SLOTS_PER_LINE;
        let (bucket, offset) = locate(line);
        let Some(lines) = self.buckets.get(bucket).and_then(Published::get) else {
            return false;
        };
        let word = (slot % SLOTS_PER_LINE / SLOTS_PER_WORD) as usize;
        let (mark, group) = (1 << (slot % SLOTS_PER_WORD), 1 << (line % GROUPS));
        lines[offset].0[word].fetch_or(mark, Ordering::Release);
        self.groups.fetch_or(group, Ordering::Release);
        true
    }

    /// The owner, after it opened the flag: takes all marks, and calls `wake` for each.
    pub(super) fn drain(&self, mut wake: impl FnMut(u32)) {
        let groups = self.groups.swap(0, Ordering::Acquire);
        for (lines, first) in self.published() {
            for group in ones(groups) {
                let start = group.wrapping_sub(first) % GROUPS;
                for offset in (start as usize..lines.len()).step_by(GROUPS as usize) {
                    lines[offset].drain((first + offset as u32) * SLOTS_PER_LINE, &mut wake);
                }
            }
        }
    }

    /// The owner: forgets all marks, of whatever group.
    pub(super) fn clear(&self) {
        self.groups.swap(0, Ordering::Acquire);
        for (lines, _) in self.published() {
            lines.iter().for_each(|line| line.drain(0, |_| ()));
        }
    }

    /// The buckets that exist, each with the number of its first line.
    fn published(&self) -> impl Iterator<Item = (&[Line], u32)> {
        let lines = self.buckets.iter().map_while(Published::get);
        lines
            .enumerate()
            .map(|(bucket, lines)| (&**lines, first_line(bucket)))
    }
}

/// The bits of consecutive slots, on a cache line of their own.
#[repr(align(64))]
struct Line([AtomicU64; WORDS_PER_LINE]);

impl Line {
    fn new() -> Line {
        Line(std::array::from_fn(|_| AtomicU64::new(0)))
    }

    /// Takes the marks; `first` is the line's first slot.
    #[inline]
    fn drain(&self, first: u32, mut wake: impl FnMut(u32)) {
        for (number, word) in self.0.iter().enumerate() {
            // A load is enough to skip: a mark whose group bit we took happened before it.
            if word.load(Ordering::Relaxed) != 0 {
                let base = first + number as u32 * SLOTS_PER_WORD;
                ones(word.swap(0, Ordering::Acquire)).for_each(|bit| wake(base + bit));
            }
        }
    }
}

/// The bucket of a line, and its place in it.
#[inline]
fn locate(line: u32) -> (usize, usize) {
    match line.checked_ilog2() {
        None => (0, 0),
        Some(power) => (power as usize + 1, (line - (1 << power)) as usize),
    }
}

/// The number of a bucket's first line.
fn first_line(bucket: usize) -> u32 {
    (1 << bucket) >> 1
}

fn lines_in(bucket: usize) -> u32 {
    first_line(bucket).max(1)
}

/// The numbers of the bits that are set, lowest first.
fn ones(mut bits: u64) -> impl Iterator<Item = u32> {
    iter::from_fn(move || {
        let lowest = bits.trailing_zeros();
        bits &= bits.wrapping_sub(1);
        (lowest < u64::BITS).then_some(lowest)
    })
}

#[cfg(all(test, not(petla_loom)))]
mod tests {
    use super::*;

    fn drained(wakes: &Wakes) -> Vec<u32> {
        let mut slots = Vec::new();
        wakes.drain(|slot| slots.push(slot));
        slots.sort_unstable();
        slots
    }

    #[test]
    fn lines_fill_the_buckets_without_gap_or_overlap() {
        let mut line = 0;
        for bucket in 0..BUCKETS {
            assert_eq!(first_line(bucket), line);
            for offset in [0, lines_in(bucket) / 2, lines_in(bucket) - 1] {
                assert_eq!(locate(line + offset), (bucket, offset as usize));
            }
            line += lines_in(bucket);
        }
        assert_eq!(line * SLOTS_PER_LINE, SLOTS_MAX);
    }

    #[test]
    fn each_marked_slot_is_drained_once_wherever_it_lies() {
        let wakes = Wakes::new();
        wakes.grow(1 << 20);
        let edges = (0..20).flat_map(|power| [(1 << power) - 1, 1 << power]);
        for slot in edges.chain((0..1 << 20).step_by(997)) {
            assert!(wakes.set(slot));
            assert!(wakes.set(slot), "marking again is allowed");
            assert_eq!(drained(&wakes), [slot]);
        }
        assert!(drained(&wakes).is_empty());
    }

    #[test]
    fn marks_in_all_groups_are_drained_together() {
        let wakes = Wakes::new();
        wakes.grow(300_000);
        let marked: Vec<u32> = (0..300_000).step_by(61).collect(); // coprime to 64 and 512
        marked.iter().for_each(|&slot| assert!(wakes.set(slot)));
        assert_eq!(drained(&wakes), marked);
        assert!(drained(&wakes).is_empty());
    }

    #[test]
    fn a_slot_that_never_existed_is_not_marked() {
        let wakes = Wakes::new();
        assert!(!wakes.set(0));
        wakes.grow(1);
        assert!(wakes.set(SLOTS_PER_LINE - 1), "published by the line");
        assert!(!wakes.set(SLOTS_PER_LINE));
        assert!(!wakes.set(SLOTS_MAX));
        assert!(!wakes.set(u32::MAX));
        wakes.grow(SLOTS_PER_LINE + 1);
        assert_eq!(
            drained(&wakes),
            [SLOTS_PER_LINE - 1],
            "what was refused left no mark"
        );
    }

    #[test]
    fn growing_keeps_marks_and_moves_nothing() {
        let wakes = Wakes::new();
        wakes.grow(0);
        assert!(!wakes.set(0), "no slots, no bits");
        wakes.grow(600);
        let before: Vec<*const Line> = wakes.published().map(|(lines, _)| lines.as_ptr()).collect();
        assert!(wakes.set(599));
        wakes.grow(5_000);
        wakes.grow(1);
        let after: Vec<*const Line> = wakes.published().map(|(lines, _)| lines.as_ptr()).collect();
        assert_eq!(after[..before.len()], before);
        assert!(wakes.set(4_999));
        assert_eq!(drained(&wakes), [599, 4_999]);
    }

    #[test]
    fn clearing_forgets_marks_whose_group_was_taken_already() {
        let wakes = Wakes::new();
        wakes.grow(SLOTS_PER_LINE);
        wakes.set(3);
        wakes.groups.swap(0, Ordering::Relaxed); // as a drain that ran between the two marks
        wakes.clear();
        wakes.set(4); // the same group, so the drain looks at slot 3's word
        assert_eq!(drained(&wakes), [4]);
    }

    #[test]
    #[should_panic(expected = "a loop has at most")]
    fn more_slots_than_a_loop_may_have_are_refused() {
        Wakes::new().grow(SLOTS_MAX + 1);
    }
}
