//! One direction of a [`MemoryStream`](super::MemoryStream): bytes in a queue of limited size.
//!
//! # Invariants
//! - **Told**: whatever lets a waiting side go on (bytes, room, an end) wakes all of that side.
//!   A waiter that was dropped leaves at most its waker behind, until then.
//! - **Unlent**: a waker is cloned before the state is borrowed, and woken or dropped after.
//!
//! # Not here
//! Futures and the two directions together (`stream`).

use std::cell::RefCell;
use std::collections::VecDeque;
use std::fmt::{self, Debug, Formatter};
use std::io::{self, ErrorKind};
use std::mem;
use std::task::{Context, Poll, Waker};

pub(super) struct Pipe {
    capacity: usize,
    state: RefCell<State>,
}

#[derive(Default)]
struct State {
    bytes: VecDeque<u8>,
    /// Nothing more will be written.
    ended: bool,
    /// Nobody will read what is written.
    unread: bool,
    readers: Vec<Waker>,
    writers: Vec<Waker>,
}

impl Pipe {
    pub(super) fn new(capacity: usize) -> Self {
        Pipe {
            capacity,
            state: RefCell::default(),
        }
    }

    /// Takes what is there; 0 at the end.
    pub(super) fn poll_read(&self, cx: &Context<'_>, buf: &mut [u8]) -> Poll<usize> {
        if buf.is_empty() {
            return Poll::Ready(0);
        }
        let waker = cx.waker().clone();
        let mut state = self.state.borrow_mut();
        let n = buf.len().min(state.bytes.len());
        if n == 0 && !state.ended && !state.unread {
            return keep(&mut state.readers, waker);
        }
        for (place, byte) in buf.iter_mut().zip(state.bytes.drain(..n)) {
            *place = byte;
        }
        let writers = mem::take(&mut state.writers);
        drop(state);
        writers.into_iter().for_each(Waker::wake);
        Poll::Ready(n)
    }

    /// Takes as much as there is room for.
    pub(super) fn poll_write(&self, cx: &Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        if buf.is_empty() {
            return Poll::Ready(Ok(0));
        }
        let waker = cx.waker().clone();
        let mut state = self.state.borrow_mut();
        if state.ended || state.unread {
            return Poll::Ready(Err(ErrorKind::BrokenPipe.into()));
        }
        let n = buf.len().min(self.capacity - state.bytes.len());
        if n == 0 {
            return keep(&mut state.writers, waker);
        }
        state.bytes.extend(&buf[..n]);
        let readers = mem::take(&mut state.readers);
        drop(state);
        readers.into_iter().for_each(Waker::wake);
        Poll::Ready(Ok(n))
    }

    /// The writing side has said all; what is in the queue can still be read.
    pub(super) fn end(&self) {
        self.change(|state| state.ended = true);
    }

    /// The reading side takes no more; what is in the queue it may still take.
    pub(super) fn refuse(&self) {
        self.change(|state| state.unread = true);
    }

    /// How many bytes are under way.
    fn len(&self) -> usize {
        self.state.borrow().bytes.len()
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        let mut state = self.state.borrow_mut();
        change(&mut state);
        let readers = mem::take(&mut state.readers);
        let writers = mem::take(&mut state.writers);
        drop(state);
        let woken = readers.into_iter().chain(writers);
        woken.for_each(Waker::wake);
    }
}

impl Debug for Pipe {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {} bytes", self.len(), self.capacity)
    }
}

/// Keeps a waker once, however often its task asks.
fn keep<T>(wakers: &mut Vec<Waker>, waker: Waker) -> Poll<T> {
    if !wakers.iter().any(|kept| kept.will_wake(&waker)) {
        wakers.push(waker);
    }
    Poll::Pending
}
