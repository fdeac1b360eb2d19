//! The futures of a [`StreamReader`](super::StreamReader)'s reads.
//!
//! `Read` and `ReadExact` fill memory of the caller, past the buffer where that saves a copy.
//! `ReadLine` and `ReadUntil` lend a piece of the buffer, so they own the borrow of the reader
//! until they end, and then pass it on.
//!
//! # Invariants
//! - **Given back**: a `ReadExact` that does not end well puts what it took into the reader's
//!   buffer, which is empty then: it takes from the socket only what the buffer does not have.
//!
//! # Not here
//! Lines as a stream (`lines`).

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::slice;
use std::task::{Context, Poll, ready};

use super::error::ReadError;
use super::input::Input;
use super::search::Match;
use crate::io::ops::CALLS_A_POLL;
use crate::kernel::source::Wait;
use crate::sys::room::Room;

const TWICE: &str = "this read is over: it was polled again";

/// The future of [`StreamReader::read`](super::StreamReader::read).
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct Read<'a> {
    wait: Wait<'a>,
    input: &'a mut Input,
    buf: &'a mut [u8],
}

impl<'a> Read<'a> {
    pub(super) fn new(input: &'a mut Input, wait: Wait<'a>, buf: &'a mut [u8]) -> Read<'a> {
        Read { wait, input, buf }
    }
}

impl Future for Read<'_> {
    type Output = io::Result<usize>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let Read { wait, input, buf } = &mut *self;
        input.poll_some(wait, cx, &mut Room::of(buf))
    }
}

/// The future of [`StreamReader::read_exact`](super::StreamReader::read_exact).
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct ReadExact<'a> {
    wait: Wait<'a>,
    input: &'a mut Input,
    buf: &'a mut [u8],
    /// What is to be given back.
    filled: usize,
}

impl<'a> ReadExact<'a> {
    pub(super) fn new(input: &'a mut Input, wait: Wait<'a>, buf: &'a mut [u8]) -> ReadExact<'a> {
        ReadExact {
            wait,
            input,
            buf,
            filled: 0,
        }
    }

    fn give_back(&mut self) {
        let filled = std::mem::take(&mut self.filled);
        if filled > 0 {
            self.input.buffer.append(&self.buf[..filled]);
        }
    }
}

impl Future for ReadExact<'_> {
    type Output = Result<(), ReadError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), ReadError>> {
        let this = &mut *self;
        let mut calls = 0;
        // Looked at before the calls are counted: a full `buf` must not wait, see Given back.
        while this.filled < this.buf.len() {
            if calls == CALLS_A_POLL {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            calls += 1;
            let rest = &mut Room::of(&mut this.buf[this.filled..]);
            match ready!(this.input.poll_some(&mut this.wait, cx, rest)) {
                Ok(0) => {
                    let partial = this.buf[..this.filled].to_vec();
                    this.filled = 0;
                    return Poll::Ready(Err(ReadError::Incomplete { partial }));
                }
                Ok(n) => this.filled += n,
                Err(error) => {
                    this.give_back();
                    return Poll::Ready(Err(error.into()));
                }
            }
        }
        this.filled = 0;
        Poll::Ready(Ok(()))
    }
}

impl Drop for ReadExact<'_> {
    fn drop(&mut self) {
        self.give_back();
    }
}

/// The future of [`StreamReader::read_until`](super::StreamReader::read_until) and
/// [`read_until_any`](super::StreamReader::read_until_any).
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct ReadUntil<'a> {
    wait: Wait<'a>,
    input: Option<&'a mut Input>,
    separators: Separators<'a>,
    searched: usize,
}

#[derive(Debug)]
enum Separators<'a> {
    One(&'a [u8]),
    Any(&'a [&'a [u8]]),
}

impl<'a> Separators<'a> {
    fn as_slice(&self) -> &[&'a [u8]] {
        match self {
            Separators::One(separator) => slice::from_ref(separator),
            Separators::Any(separators) => separators,
        }
    }
}

impl<'a> ReadUntil<'a> {
    #[track_caller]
    pub(super) fn one(input: &'a mut Input, wait: Wait<'a>, separator: &'a [u8]) -> Self {
        ReadUntil::new(input, wait, Separators::One(separator))
    }

    #[track_caller]
    pub(super) fn any(input: &'a mut Input, wait: Wait<'a>, separators: &'a [&'a [u8]]) -> Self {
        assert!(
            !separators.is_empty(),
            "without a separator no message ends"
        );
        ReadUntil::new(input, wait, Separators::Any(separators))
    }

    #[track_caller]
    fn new(input: &'a mut Input, wait: Wait<'a>, separators: Separators<'a>) -> Self {
        let mut each = separators.as_slice().iter();
        assert!(
            each.all(|separator| !separator.is_empty()),
            "an empty separator separates nothing: give at least one byte"
        );
        ReadUntil {
            wait,
            input: Some(input),
            separators,
            searched: 0,
        }
    }
}

impl<'a> Future for ReadUntil<'a> {
    type Output = Result<&'a [u8], ReadError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        let input = this.input.take().expect(TWICE);
        let separators = this.separators.as_slice();
        let found = input.poll_message(&mut this.wait, cx, separators, &mut this.searched);
        let Poll::Ready(found) = found else {
            this.input = Some(input);
            return Poll::Pending;
        };
        Poll::Ready(match found? {
            Some(found) => Ok(input.buffer.consume(found.end)),
            None => {
                let partial = input.buffer.take_all();
                Err(ReadError::Incomplete { partial })
            }
        })
    }
}

/// The future of [`StreamReader::read_line`](super::StreamReader::read_line).
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct ReadLine<'a> {
    wait: Wait<'a>,
    input: Option<&'a mut Input>,
    searched: usize,
}

impl<'a> ReadLine<'a> {
    pub(super) fn new(input: &'a mut Input, wait: Wait<'a>) -> ReadLine<'a> {
        ReadLine {
            wait,
            input: Some(input),
            searched: 0,
        }
    }
}

impl<'a> Future for ReadLine<'a> {
    type Output = Result<Option<&'a str>, ReadError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        let input = this.input.take().expect(TWICE);
        match poll_line(input, &mut this.wait, cx, &mut this.searched) {
            Poll::Pending => {
                this.input = Some(input);
                Poll::Pending
            }
            Poll::Ready(line) => Poll::Ready(take_line(input, line?)),
        }
    }
}

/// Receives until a line is in the buffer; `None` at the end.
pub(super) fn poll_line(
    input: &mut Input,
    wait: &mut Wait<'_>,
    cx: &mut Context<'_>,
    searched: &mut usize,
) -> Poll<Result<Option<Match>, ReadError>> {
    let found = ready!(input.poll_message(wait, cx, &[b"\n"], searched))?;
    let (start, end) = (input.buffer.len(), input.buffer.len());
    let last = (end > 0).then_some(Match { start, end });
    Poll::Ready(Ok(found.or(last)))
}

/// Takes a line out of the buffer, if it is text.
pub(super) fn take_line(input: &mut Input, line: Option<Match>) -> Result<Option<&str>, ReadError> {
    let Some(Match { start, end }) = line else {
        return Ok(None);
    };
    let ended = end > start;
    let stripped = input.buffer.data()[..start].strip_suffix(b"\r");
    let length = stripped.filter(|_| ended).map_or(start, <[u8]>::len);
    let text = input.buffer.consume_text(length, end);
    text.map(Some).ok_or(ReadError::Utf8)
}
