//! [`Input`]: what a reader has received and not given out, and how its connection ended.
//!
//! Every read of several parts goes through here: bytes come into the buffer first and leave it
//! when the whole message is there, so a read that is given up loses nothing.
//!
//! # Invariants
//! - **Sticky**: after the end or an error of the system, the socket is not asked again. It would
//!   tell an error only once, and the next call would take it for an orderly end.
//! - **No memory while idle**: a wait with an empty buffer holds no block.
//!
//! # Not here
//! The futures (`reads`, `lines`): they hold the wait and what is particular to them.

use std::io;
use std::task::{Context, Poll, ready};

use super::buffer::{BLOCK, Buffer};
use super::error::{ReadError, again};
use super::search::{Match, earliest, undecided};
use crate::io::ops::{CALLS_A_POLL, poll_read, try_fill};
use crate::kernel::source::{Tried, Wait};
use crate::sys::room::Room;

/// Room of a caller that is received into directly. Much less would make a call of the system for
/// each small piece; with more, most echoes and copies would go through the buffer for nothing.
const DIRECT: usize = 4 << 10;

const _: () = assert!(DIRECT <= BLOCK);

/// asyncio's limit.
const LIMIT: usize = 64 << 10;

/// See the module.
#[derive(Debug)]
pub(super) struct Input {
    pub(super) buffer: Buffer,
    pub(super) limit: usize,
    end: End,
}

/// How the stream ended.
#[derive(Debug)]
enum End {
    Open,
    Eof,
    Failed(io::Error),
}

impl Input {
    pub(super) fn new() -> Input {
        Input {
            buffer: Buffer::default(),
            limit: LIMIT,
            end: End::Open,
        }
    }

    pub(super) fn at_eof(&self) -> bool {
        matches!(self.end, End::Eof) && self.buffer.is_empty()
    }

    /// Whether reading has met an error of the system, which was told then.
    pub(super) fn has_failed(&self) -> bool {
        matches!(self.end, End::Failed(_))
    }

    /// One poll of a plain read: what is buffered, or else one call of the system.
    pub(super) fn poll_some(
        &mut self,
        wait: &mut Wait<'_>,
        cx: &mut Context<'_>,
        into: &mut Room<'_>,
    ) -> Poll<io::Result<usize>> {
        if into.left() == 0 {
            return Poll::Ready(Ok(0));
        }
        if self.buffer.is_empty() {
            if into.left() >= DIRECT {
                return self.poll_past(wait, cx, |wait| try_fill(wait, into));
            }
            if ready!(self.poll_fill(wait, cx))? == 0 {
                return Poll::Ready(Ok(0));
            }
        }
        Poll::Ready(Ok(self.buffer.take(into)))
    }

    /// Receives until a separator is there, and leaves everything in the buffer. `None`: the
    /// stream has ended before.
    pub(super) fn poll_message(
        &mut self,
        wait: &mut Wait<'_>,
        cx: &mut Context<'_>,
        separators: &[&[u8]],
        searched: &mut usize,
    ) -> Poll<Result<Option<Match>, ReadError>> {
        for _ in 0..CALLS_A_POLL {
            let found = earliest(self.buffer.data(), *searched, separators);
            *searched = undecided(self.buffer.len(), separators);
            let consumed = found.map_or(*searched, |found| found.start);
            if consumed > self.limit {
                return Poll::Ready(Err(ReadError::LimitOverrun { consumed }));
            }
            if found.is_some() || ready!(self.poll_fill(wait, cx))? == 0 {
                return Poll::Ready(Ok(found));
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Receives more into the buffer; 0 is the end.
    pub(super) fn poll_fill(
        &mut self,
        wait: &mut Wait<'_>,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        if let Some(end) = self.ended() {
            return Poll::Ready(end);
        }
        let received = poll_read(wait, cx, self.buffer.room());
        if let Poll::Ready(Ok(n)) = received {
            self.buffer.filled(n);
        }
        self.buffer.release();
        received.map(|result| self.note(result))
    }

    /// Receives by `call` into other memory, past the buffer, which is empty; 0 is the end.
    pub(super) fn poll_past(
        &mut self,
        wait: &mut Wait<'_>,
        cx: &mut Context<'_>,
        call: impl FnOnce(&mut Wait<'_>) -> Tried<usize>,
    ) -> Poll<io::Result<usize>> {
        debug_assert!(self.buffer.is_empty());
        if let Some(end) = self.ended() {
            return Poll::Ready(end);
        }
        let tried = call(wait);
        wait.or_park(cx, tried).map(|result| self.note(result))
    }

    fn ended(&self) -> Option<io::Result<usize>> {
        match &self.end {
            End::Open => None,
            End::Eof => Some(Ok(0)),
            End::Failed(error) => Some(Err(again(error))),
        }
    }

    fn note(&mut self, result: io::Result<usize>) -> io::Result<usize> {
        match &result {
            Ok(0) => self.end = End::Eof,
            // The others are ours, such as "no loop runs here", and pass.
            Err(error) if error.raw_os_error().is_some() => self.end = End::Failed(again(error)),
            _ => {}
        }
        result
    }
}
