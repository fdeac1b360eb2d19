//! A reader and a writer that are polled themselves, for the traits of `interop`.
//!
//! # Not here
//! The traits, and what a wait without a future means (`interop::polled`).

use std::io::{self, IoSlice};
use std::task::{Context, Poll, ready};

use super::connection::End;
use super::{StreamReader, StreamWriter};
use crate::kernel::source::Direction;
use crate::sys::room::Room;

impl StreamReader {
    pub(crate) fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        room: &mut Room<'_>,
    ) -> Poll<io::Result<()>> {
        let (wait, input) = self.standing_parts();
        input.poll_some(&mut { wait }, cx, room).map_ok(drop)
    }
}

#[cfg(any(feature = "futures-io", feature = "tokio-io"))]
impl StreamReader {
    /// What is buffered, after a call of the system if that is nothing. Nothing is the end.
    pub(crate) fn poll_buffered(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<&[u8]>> {
        let (mut wait, input) = self.standing_parts();
        if input.buffer.is_empty() {
            ready!(input.poll_fill(&mut wait, cx))?;
        }
        drop(wait);
        Poll::Ready(Ok(self.input().buffer.data()))
    }

    /// # Panics
    /// If so much is not buffered.
    pub(crate) fn consume(&mut self, n: usize) {
        let buffer = &mut self.input().buffer;
        assert!(
            n <= buffer.len(),
            "{n} bytes cannot be taken out of {}",
            buffer.len()
        );
        buffer.consume(n);
    }
}

impl StreamWriter {
    /// Waits while more than the high mark is unsent, then takes all.
    pub(crate) fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let (high, _) = self.connection().marks();
        ready!(self.poll_unsent(cx, high))?;
        self.connection().check_open()?;
        self.connection().write_vectored(pieces);
        self.connection().verdict()?;
        Poll::Ready(Ok(pieces.iter().map(|piece| piece.len()).sum()))
    }

    /// Waits until the system has everything.
    pub(crate) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_unsent(cx, 0))?;
        Poll::Ready(self.connection().verdict())
    }

    /// Waits for that, after which the peer reads the end.
    pub(crate) fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.connection().end(End::Eof);
        self.poll_flush(cx)
    }

    fn poll_unsent(&mut self, cx: &mut Context<'_>, rest: usize) -> Poll<io::Result<()>> {
        let mut wait = self.connection().source().standing_wait(Direction::Write);
        self.connection().poll_send(&mut wait, cx, rest)
    }
}
