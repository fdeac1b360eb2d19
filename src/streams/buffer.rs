//! [`Buffer`]: bytes that come in at the end and go out at the front, in memory that is reused.
//!
//! ```text
//!   0         start          end         bytes.len()
//!   │ gone      │  the data   │   room     │
//! ```
//!
//! Empty buffers hold no memory while they wait: a block goes back to a stock of its thread, and
//! ten thousand idle connections share none. A block is full of zeros or old data, so that it is
//! cleared once and not for each connection.
//!
//! # Invariants
//! - **Order**: `start <= end <= bytes.len()`.
//! - **Cheap moves**: data are moved to the front only where the hole is as large as they are, or
//!   when the memory must grow anyway: each byte is moved a constant number of times on average.
//!
//! # Not here
//! Limits: who fills a buffer says when it is enough.

use std::cell::RefCell;
use std::mem;
use std::thread::LocalKey;

use crate::sys::room::Room;

/// Room for one call of recv(2); what most connections ever need.
pub(super) const BLOCK: usize = 16 << 10;
/// Room for as much as a busy socket has at once; for copying.
pub(super) const LARGE_BLOCK: usize = 256 << 10;
/// Bytes of either size that a thread keeps.
const STOCK: usize = 1 << 20;

thread_local! {
    static SPARE: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
    static SPARE_LARGE: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
}

/// The stock of blocks of `size`, which is one of the two.
fn stock(size: usize) -> &'static LocalKey<RefCell<Vec<Vec<u8>>>> {
    match size {
        BLOCK => &SPARE,
        _ => &SPARE_LARGE,
    }
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Buffer {
    bytes: Vec<u8>,
    start: usize,
    end: usize,
}

impl Buffer {
    pub(super) fn len(&self) -> usize {
        self.end - self.start
    }

    pub(super) fn is_empty(&self) -> bool {
        self.start == self.end
    }

    pub(super) fn data(&self) -> &[u8] {
        &self.bytes[self.start..self.end]
    }

    /// Room behind the data, a quarter of the memory at least: say [`filled`](Buffer::filled).
    pub(super) fn room(&mut self) -> &mut [u8] {
        self.begin();
        let quarter = self.bytes.len() / 4;
        if self.bytes.len() - self.end < quarter && !self.move_to_front() {
            let double = self.bytes.len().saturating_mul(2);
            self.bytes.resize(double, 0);
        }
        &mut self.bytes[self.end..]
    }

    /// The whole memory of an empty buffer: a block of `size`, [`BLOCK`] or [`LARGE_BLOCK`].
    pub(super) fn whole_room(&mut self, size: usize) -> &mut [u8] {
        debug_assert!(self.is_empty());
        self.release();
        self.begin_with(size);
        &mut self.bytes
    }

    pub(super) fn filled(&mut self, n: usize) {
        debug_assert!(n <= self.bytes.len() - self.end);
        self.end += n;
    }

    pub(super) fn append(&mut self, data: &[u8]) {
        self.begin();
        if self.bytes.len() - self.end < data.len() {
            self.move_to_front();
        }
        if let Some(room) = self.bytes[self.end..].get_mut(..data.len()) {
            room.copy_from_slice(data);
        } else {
            self.bytes.truncate(self.end);
            self.bytes.extend_from_slice(data);
        }
        self.end += data.len();
    }

    /// Takes out the first `n` bytes, which stay readable until the buffer is used again.
    pub(super) fn consume(&mut self, n: usize) -> &[u8] {
        debug_assert!(n <= self.len());
        let from = self.start;
        self.start += n;
        &self.bytes[from..self.start]
    }

    /// Takes out the first `n` bytes and gives the first `text` of them, if these are UTF-8; else
    /// takes nothing.
    pub(super) fn consume_text(&mut self, text: usize, n: usize) -> Option<&str> {
        debug_assert!(text <= n && n <= self.len());
        let text = str::from_utf8(&self.bytes[self.start..self.start + text]).ok()?;
        self.start += n;
        Some(text)
    }

    /// Moves out as much as `into` has room for; says how much.
    pub(super) fn take(&mut self, into: &mut Room<'_>) -> usize {
        let n = into.put(self.data());
        self.consume(n);
        n
    }

    pub(super) fn take_all(&mut self) -> Vec<u8> {
        self.consume(self.len()).to_vec()
    }

    /// Gives the memory back if there are no data.
    pub(super) fn release(&mut self) {
        if !self.is_empty() {
            return;
        }
        (self.start, self.end) = (0, 0);
        let mut block = mem::take(&mut self.bytes);
        let size = block.capacity();
        if size != BLOCK && size != LARGE_BLOCK {
            return;
        }
        block.resize(size, 0);
        // Fails while the thread ends.
        let _ = stock(size).try_with(|spare| {
            let mut spare = spare.borrow_mut();
            if spare.len() < STOCK / size {
                spare.push(block);
            }
        });
    }

    /// Makes an empty buffer begin at the front of some memory.
    fn begin(&mut self) {
        self.begin_with(BLOCK);
    }

    fn begin_with(&mut self, size: usize) {
        if self.is_empty() {
            (self.start, self.end) = (0, 0);
        }
        if self.bytes.is_empty() {
            let spare = stock(size).try_with(|spare| spare.borrow_mut().pop());
            self.bytes = spare.ok().flatten().unwrap_or_else(|| vec![0; size]);
        }
    }

    /// How much memory it holds.
    #[cfg(test)]
    pub(super) fn capacity(&self) -> usize {
        self.bytes.capacity()
    }

    /// Closes the hole in front of the data if that is cheap.
    fn move_to_front(&mut self) -> bool {
        let length = self.len();
        if self.start < length {
            return false;
        }
        self.bytes.copy_within(self.start..self.end, 0);
        (self.start, self.end) = (0, length);
        true
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        self.start = self.end;
        self.release();
    }
}

#[cfg(test)]
mod tests {
    use super::{BLOCK, Buffer, LARGE_BLOCK, Room, SPARE, SPARE_LARGE, STOCK};

    fn spare() -> usize {
        SPARE.with_borrow(Vec::len)
    }

    #[test]
    fn data_come_out_as_they_went_in_whatever_the_sizes() {
        let mut buffer = Buffer::default();
        let (mut next_in, mut next_out) = (0_u32, 0_u32);
        for round in 0..2_000_usize {
            let n = round * 7919 % 900;
            let data: Vec<u8> = (0..n).map(|i| (next_in as usize + i) as u8).collect();
            next_in += n as u32;
            if round % 3 == 0 {
                buffer.append(&data);
            } else {
                for part in data.chunks(1 + round % 400) {
                    let room = buffer.room();
                    room[..part.len()].copy_from_slice(part);
                    buffer.filled(part.len());
                }
            }
            let mut out = vec![0; round * 104_729 % 1_000];
            let taken = buffer.take(&mut Room::of(&mut out));
            for byte in &out[..taken] {
                assert_eq!(*byte, next_out as u8);
                next_out += 1;
            }
        }
        assert_eq!(buffer.len(), (next_in - next_out) as usize);
    }

    #[test]
    fn an_empty_buffer_gives_its_block_back_and_the_next_one_takes_it() {
        let mut buffer = Buffer::default();
        buffer.append(b"x");
        buffer.release();
        assert_eq!((spare(), buffer.data()), (0, &b"x"[..]), "not with data");
        buffer.consume(1);
        buffer.release();
        assert_eq!((spare(), buffer.capacity()), (1, 0));
        let mut other = Buffer::default();
        assert_eq!((other.room().len(), spare()), (BLOCK, 0));
        drop(other);
        assert_eq!(spare(), 1);
    }

    #[test]
    fn blocks_of_either_size_have_a_stock_of_their_own() {
        let mut buffer = Buffer::default();
        assert_eq!(buffer.whole_room(LARGE_BLOCK).len(), LARGE_BLOCK);
        buffer.filled(LARGE_BLOCK);
        buffer.consume(LARGE_BLOCK);
        assert_eq!(buffer.whole_room(BLOCK).len(), BLOCK);
        assert_eq!((spare(), SPARE_LARGE.with_borrow(Vec::len)), (0, 1));
        buffer.whole_room(LARGE_BLOCK);
        assert_eq!((spare(), SPARE_LARGE.with_borrow(Vec::len)), (1, 0));
        let many: Vec<Buffer> = (0..2 * STOCK / LARGE_BLOCK)
            .map(|_| {
                let mut buffer = Buffer::default();
                buffer.whole_room(LARGE_BLOCK);
                buffer
            })
            .collect();
        drop(many);
        assert_eq!(SPARE_LARGE.with_borrow(Vec::len), STOCK / LARGE_BLOCK);
    }

    #[test]
    fn a_large_buffer_is_freed() {
        let mut buffer = Buffer::default();
        buffer.append(&vec![1; 3 * BLOCK]);
        buffer.consume(3 * BLOCK);
        buffer.release();
        assert_eq!((spare(), buffer.capacity()), (0, 0));
    }

    #[test]
    fn a_small_rest_does_not_make_the_memory_grow() {
        let mut buffer = Buffer::default();
        for _ in 0..1_000 {
            let n = buffer.room().len();
            buffer.filled(n);
            buffer.consume(buffer.len() - 100);
        }
        assert_eq!(buffer.bytes.len(), BLOCK);
    }
}
