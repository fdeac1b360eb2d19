//! Objects that are polled themselves, as the traits of futures-io, tokio and hyper want it.
//!
//! A future of ours holds its wait and takes it back when it is dropped. These traits have no
//! future: whoever polls may go away and never say so. So the wait stays behind
//! ([`Source::standing_wait`]), one for each direction, and wakes the task that polled last.
//!
//! # Invariants
//! - **Exclusive**: polling takes `&mut self`, so there is one reader and one writer, and no
//!   second task that would lose its wake-up to the first.
//!
//! # Not here
//! The traits themselves. Polling through `&TcpStream`: it could not be exclusive.
#![forbid(unsafe_code)]

use std::io::{self, ErrorKind, IoSlice};
use std::net::Shutdown;
use std::task::{Context, Poll};

use crate::io::ops::{try_fill, try_write_vectored};
use crate::io::{PipeReader, PipeWriter};
use crate::kernel::source::{Direction, Kind, Source};
use crate::net::{TcpStream, UnixStream};
use crate::streams::{StreamReader, StreamWriter};
use crate::sys::room::Room;
use crate::sys::socket;

/// What is read by polling.
pub(super) trait PollRead {
    /// Receives into `room`; nothing received is the end of the stream, or there is no room.
    fn poll_read(&mut self, cx: &mut Context<'_>, room: &mut Room<'_>) -> Poll<io::Result<()>>;
}

/// What is written by polling.
pub(super) trait PollWrite {
    /// Takes some of the bytes, in order, and says how many.
    fn poll_write(&mut self, cx: &mut Context<'_>, bufs: &[IoSlice<'_>])
    -> Poll<io::Result<usize>>;

    /// Waits until what was taken is the system's.
    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;

    /// Flushes, and lets the peer read the end.
    fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;
}

/// A descriptor without a buffer.
trait Bare {
    fn source(&self) -> &Source;
}

impl<T: Bare> PollRead for T {
    fn poll_read(&mut self, cx: &mut Context<'_>, room: &mut Room<'_>) -> Poll<io::Result<()>> {
        let mut wait = self.source().standing_wait(Direction::Read);
        let tried = try_fill(&mut wait, room);
        wait.or_park(cx, tried).map_ok(drop)
    }
}

impl<T: Bare> PollWrite for T {
    fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let mut wait = self.source().standing_wait(Direction::Write);
        let tried = try_write_vectored(&mut wait, bufs);
        wait.or_park(cx, tried)
    }

    fn poll_flush(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    /// A pipe has no end but the close of its descriptor.
    fn poll_end(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        let source = self.source();
        let ended = match source.kind() {
            Kind::Tcp | Kind::Socket => socket::shutdown(source.as_raw(), Shutdown::Write),
            Kind::File => Ok(()),
        };
        Poll::Ready(match ended {
            // The peer was faster: there is nobody left to read the end.
            Err(error) if error.kind() == ErrorKind::NotConnected => Ok(()),
            ended => ended,
        })
    }
}

macro_rules! bare {
    ($($object:ident)*) => {$(
        impl Bare for $object {
            fn source(&self) -> &Source {
                &self.source
            }
        }
    )*};
}

bare!(TcpStream UnixStream PipeReader PipeWriter);

impl PollRead for StreamReader {
    fn poll_read(&mut self, cx: &mut Context<'_>, room: &mut Room<'_>) -> Poll<io::Result<()>> {
        StreamReader::poll_read(self, cx, room)
    }
}

impl PollWrite for StreamWriter {
    fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        StreamWriter::poll_write(self, cx, bufs)
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        StreamWriter::poll_flush(self, cx)
    }

    fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        StreamWriter::poll_end(self, cx)
    }
}

/// The writing methods that all three traits have, but for the name of the last.
macro_rules! write_methods {
    ($end:ident) => {
        fn poll_write(
            mut self: Pin<&mut Self>,
            cx: &mut Context<'_>,
            buf: &[u8],
        ) -> Poll<io::Result<usize>> {
            PollWrite::poll_write(&mut *self, cx, &[IoSlice::new(buf)])
        }

        fn poll_write_vectored(
            mut self: Pin<&mut Self>,
            cx: &mut Context<'_>,
            bufs: &[IoSlice<'_>],
        ) -> Poll<io::Result<usize>> {
            PollWrite::poll_write(&mut *self, cx, bufs)
        }

        fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
            PollWrite::poll_flush(&mut *self, cx)
        }

        fn $end(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
            PollWrite::poll_end(&mut *self, cx)
        }
    };
}

pub(super) use write_methods;
