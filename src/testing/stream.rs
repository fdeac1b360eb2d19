//! [`stream_pair`]: two ends of a connection in memory, with the ways of a socket.
//!
//! Code under test sees the methods of [`TcpStream`](crate::net::TcpStream), and the test decides
//! how little fits at a time. No descriptor is involved, so virtual time and seeds rule all of it.
//!
//! # Not here
//! The queue of bytes (`pipe`). Addresses and socket options: nothing is there to have them.

use std::fmt::{self, Debug, Formatter};
use std::future::Future;
use std::io;
use std::net::Shutdown;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use super::pipe::Pipe;
use crate::io::ops::ended_early;

/// Two connected streams; `capacity` bytes fit into each direction.
///
/// A small capacity shows what a program does with short reads and writes.
///
/// # Panics
/// If `capacity` is 0.
///
/// ```
/// use petla::testing::{self, stream_pair};
///
/// testing::run(async {
///     let (client, server) = stream_pair(4);
///     let echo = petla::spawn(async move {
///         let mut buf = [0; 64];
///         loop {
///             match server.read(&mut buf).await? {
///                 0 => return std::io::Result::Ok(()),
///                 n => server.write_all(&buf[..n]).await?,
///             }
///         }
///     });
///     client.write_all(b"ping").await?;
///     let mut answer = [0; 4];
///     client.read_exact(&mut answer).await?;
///     assert_eq!(&answer, b"ping");
///     drop(client);
///     echo.await.unwrap()
/// })?;
/// # std::io::Result::Ok(())
/// ```
#[track_caller]
#[doc(alias = "duplex")]
pub fn stream_pair(capacity: usize) -> (MemoryStream, MemoryStream) {
    assert!(capacity > 0, "a stream needs room for at least one byte");
    let (one, other) = (Rc::new(Pipe::new(capacity)), Rc::new(Pipe::new(capacity)));
    let first = MemoryStream {
        incoming: one.clone(),
        outgoing: other.clone(),
    };
    let second = MemoryStream {
        incoming: other,
        outgoing: one,
    };
    (first, second)
}

/// One end of a connection in memory. From [`stream_pair`].
///
/// All operations take `&self`. Dropping it closes both directions; what was written can still be
/// read. (A TCP stream that is dropped with unread data resets the connection: this one does not.)
pub struct MemoryStream {
    incoming: Rc<Pipe>,
    outgoing: Rc<Pipe>,
}

impl MemoryStream {
    /// Reads what has arrived, at least one byte, and says how many bytes.
    ///
    /// 0 means the end of the stream, again and again; an empty buffer is 0 at once too. Several
    /// reads may wait at the same time: whichever task runs first gets the data.
    ///
    /// # Errors
    /// None; the result is that of a socket.
    ///
    /// # Cancel safety
    /// **Strict.** A future that is dropped has read nothing.
    pub fn read<'a>(&'a self, buf: &'a mut [u8]) -> Read<'a> {
        Read {
            pipe: &self.incoming,
            buf,
        }
    }

    /// Reads until the buffer is full.
    ///
    /// # Errors
    /// `UnexpectedEof` if the stream ends before; the message says after how many bytes.
    ///
    /// # Cancel safety
    /// **Loses data**: the bytes read so far are in the buffer and not in the stream any more.
    /// [`ReadExact::filled`] says how many: keep the future and give `&mut future` to the
    /// `timeout` or `select!`.
    pub fn read_exact<'a>(&'a self, buf: &'a mut [u8]) -> ReadExact<'a> {
        ReadExact {
            pipe: &self.incoming,
            buf,
            filled: 0,
        }
    }

    /// Writes as much as there is room for, at least one byte, and says how many bytes.
    ///
    /// # Errors
    /// `BrokenPipe` if the other end is gone or does not read any more, or this one has ended
    /// its writing.
    ///
    /// # Cancel safety
    /// **Strict.** A future that is dropped has written nothing.
    pub fn write<'a>(&'a self, buf: &'a [u8]) -> Write<'a> {
        Write {
            pipe: &self.outgoing,
            buf,
        }
    }

    /// Writes the whole buffer.
    ///
    /// If two tasks do this at once, their data mix wherever the stream was full.
    ///
    /// # Errors
    /// As [`write`](MemoryStream::write), after an unknown part was written.
    ///
    /// # Cancel safety
    /// **Loses data**: a part may be written. [`WriteAll::written`] says how much: keep the
    /// future and give `&mut future` to the `timeout` or `select!`.
    pub fn write_all<'a>(&'a self, buf: &'a [u8]) -> WriteAll<'a> {
        WriteAll {
            pipe: &self.outgoing,
            buf,
            written: 0,
        }
    }

    /// Ends one direction or both, at once.
    ///
    /// After `Shutdown::Write` the other end reads what was sent and then the end of the stream;
    /// reading from it goes on. After `Shutdown::Read` this end reads what has arrived and then
    /// the end of the stream, and the other one cannot write.
    ///
    /// # Errors
    /// None; the result is that of a socket.
    pub fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        if matches!(how, Shutdown::Read | Shutdown::Both) {
            self.incoming.refuse();
        }
        if matches!(how, Shutdown::Write | Shutdown::Both) {
            self.outgoing.end();
        }
        Ok(())
    }
}

impl Drop for MemoryStream {
    fn drop(&mut self) {
        self.incoming.refuse();
        self.outgoing.end();
    }
}

impl Debug for MemoryStream {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryStream")
            .field("incoming", &self.incoming)
            .field("outgoing", &self.outgoing)
            .finish()
    }
}

/// The future of [`MemoryStream::read`].
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct Read<'a> {
    pipe: &'a Pipe,
    buf: &'a mut [u8],
}

impl Future for Read<'_> {
    type Output = io::Result<usize>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Read { pipe, buf } = &mut *self;
        pipe.poll_read(cx, buf).map(Ok)
    }
}

/// The future of [`MemoryStream::read_exact`].
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct ReadExact<'a> {
    pipe: &'a Pipe,
    buf: &'a mut [u8],
    filled: usize,
}

impl ReadExact<'_> {
    /// How many bytes of the buffer are filled so far: what to keep when giving up.
    pub fn filled(&self) -> usize {
        self.filled
    }
}

impl Future for ReadExact<'_> {
    type Output = io::Result<()>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let ReadExact { pipe, buf, filled } = &mut *self;
        while *filled < buf.len() {
            match ready!(pipe.poll_read(cx, &mut buf[*filled..])) {
                0 => return Poll::Ready(Err(ended_early(*filled, buf.len()))),
                n => *filled += n,
            }
        }
        Poll::Ready(Ok(()))
    }
}

/// The future of [`MemoryStream::write`].
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct Write<'a> {
    pipe: &'a Pipe,
    buf: &'a [u8],
}

impl Future for Write<'_> {
    type Output = io::Result<usize>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.pipe.poll_write(cx, self.buf)
    }
}

/// The future of [`MemoryStream::write_all`].
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct WriteAll<'a> {
    pipe: &'a Pipe,
    buf: &'a [u8],
    written: usize,
}

impl WriteAll<'_> {
    /// How many bytes are written so far: where to go on after giving up.
    pub fn written(&self) -> usize {
        self.written
    }
}

impl Future for WriteAll<'_> {
    type Output = io::Result<()>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let WriteAll { pipe, buf, written } = &mut *self;
        while *written < buf.len() {
            *written += ready!(pipe.poll_write(cx, &buf[*written..]))?;
        }
        Poll::Ready(Ok(()))
    }
}
