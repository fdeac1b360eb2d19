//! [`StreamReader`]: the receiving half of a connection, with lines and messages.
//!
//! A thin object: the buffer and the end of the stream are in `input`, the futures in `reads` and
//! `lines`. All of them are plain data with a wait on the socket: they can be moved, polled by
//! reference, and dropped at any moment without losing a byte.
//!
//! # Not here
//! Decoding beyond lines and separators. Reading from several tasks at once: share the
//! [`TcpStream`](crate::net::TcpStream) itself.

use std::fmt::{self, Debug, Formatter};
use std::rc::Rc;

use super::connection::Connection;
use super::input::Input;
use super::{Lines, Read, ReadExact, ReadLine, ReadUntil};
use crate::kernel::source::{Direction, Wait};

/// The receiving half of a connection; from [`open_connection`](super::open_connection), or given
/// to the handler of a [`Server`](super::Server).
///
/// Every read first gives what is buffered. A read that is dropped before its end loses nothing:
/// the next one goes on. Once the connection failed, each read that finds nothing in the buffer
/// gives that error again.
///
/// A message for [`read_line`](StreamReader::read_line) and
/// [`read_until`](StreamReader::read_until) may have 64 KiB without its separator, or what
/// [`set_limit`](StreamReader::set_limit) says; the buffer never holds more than about twice that.
/// While nobody reads, nothing is received, and the peer has to wait.
///
/// # asyncio
/// `StreamReader`, which receives in the background up to twice its limit. `read()` to the end is
/// a loop here. A second reader is a compile error, not a `RuntimeError`.
///
/// # Examples
/// ```
/// use petla::net::TcpListener;
/// use petla::streams::open_connection;
///
/// petla::run(async {
///     let listener = TcpListener::bind("127.0.0.1:0").await?;
///     let (mut reader, _writer) = open_connection(listener.local_addr()?).await?;
///     let (peer, _) = listener.accept().await?;
///     peer.write_all(b"first\r\nsecond\n1:ab").await?;
///     drop(peer);
///
///     assert_eq!(reader.read_line().await?, Some("first"));
///     assert_eq!(reader.read_line().await?, Some("second"));
///     assert_eq!(reader.read_until(b":").await?, b"1:");
///     let mut two = [0; 2];
///     reader.read_exact(&mut two).await?;
///     assert_eq!(&two, b"ab");
///     assert_eq!(reader.read_line().await?, None);
///     assert!(reader.at_eof());
///     std::io::Result::Ok(())
/// })?;
/// # std::io::Result::Ok(())
/// ```
pub struct StreamReader {
    connection: Rc<Connection>,
    input: Input,
}

impl StreamReader {
    pub(super) fn new(connection: Rc<Connection>) -> StreamReader {
        let input = Input::new();
        StreamReader { connection, input }
    }

    /// What a future needs to read.
    pub(super) fn parts(&mut self) -> (Wait<'_>, &mut Input) {
        let wait = self.connection.source().wait(Direction::Read);
        (wait, &mut self.input)
    }

    /// The same for a reader that is polled itself.
    #[cfg(feature = "_polled")]
    pub(super) fn standing_parts(&mut self) -> (Wait<'_>, &mut Input) {
        let wait = self.connection.source().standing_wait(Direction::Read);
        (wait, &mut self.input)
    }

    pub(super) fn connection(&self) -> &Rc<Connection> {
        &self.connection
    }

    pub(super) fn input(&mut self) -> &mut Input {
        &mut self.input
    }

    /// Reads what is there, at least one byte, and says how many bytes.
    ///
    /// 0 means the end of the stream, again and again; an empty buffer is 0 at once too. With
    /// nothing buffered and room for 4 KiB or more the bytes go straight into `buf`.
    ///
    /// # Errors
    /// `ConnectionReset` and others of recv(2); no loop runs here.
    ///
    /// # Cancel safety
    /// **Strict.** A future that is dropped has read nothing.
    ///
    /// # asyncio
    /// `read(n)`.
    pub fn read<'a>(&'a mut self, buf: &'a mut [u8]) -> Read<'a> {
        let (wait, input) = self.parts();
        Read::new(input, wait, buf)
    }

    /// Reads until `buf` is full.
    ///
    /// # Errors
    /// - [`Incomplete`](super::ReadError::Incomplete) if the stream ends before. What there was is
    ///   in the error, and at the front of `buf`.
    /// - [`Io`](super::ReadError::Io): what has arrived is in the reader, for the next read.
    ///
    /// # Cancel safety
    /// **Strict.** Bytes go straight into `buf`, and a future that is dropped puts them back into
    /// the reader; `buf` keeps a copy of no meaning.
    ///
    /// # asyncio
    /// `readexactly`.
    ///
    /// # Examples
    /// ```
    /// # use petla::{net::TcpListener, streams::open_connection};
    /// # use std::time::Duration;
    /// petla::run(async {
    ///     # let listener = TcpListener::bind("127.0.0.1:0").await?;
    ///     # let (mut reader, _writer) = open_connection(listener.local_addr()?).await?;
    ///     # let (peer, _) = listener.accept().await?;
    ///     peer.write_all(b"half").await?;
    ///     let mut buf = [0; 8];
    ///     let read = reader.read_exact(&mut buf);
    ///     assert!(petla::timeout(Duration::from_millis(1), read).await.is_err());
    ///
    ///     peer.write_all(b" and half").await?;
    ///     reader.read_exact(&mut buf).await?;
    ///     assert_eq!(&buf, b"half and");
    ///     std::io::Result::Ok(())
    /// })?;
    /// # std::io::Result::Ok(())
    /// ```
    #[doc(alias = "readexactly")]
    pub fn read_exact<'a>(&'a mut self, buf: &'a mut [u8]) -> ReadExact<'a> {
        let (wait, input) = self.parts();
        ReadExact::new(input, wait, buf)
    }

    /// Reads a line, without its `\n` or `\r\n`. The text borrows the reader's buffer.
    ///
    /// `None` is the end of the stream. Text that ends without a `\n` is a line as well, the last.
    ///
    /// # Errors
    /// - [`LimitOverrun`](super::ReadError::LimitOverrun) and [`Utf8`](super::ReadError::Utf8): the
    ///   line is still in the reader, and the next `read_line` says the same.
    /// - [`Io`](super::ReadError::Io).
    ///
    /// # Cancel safety
    /// **Strict.**
    ///
    /// # asyncio
    /// `readline`, which keeps the `\n`, and throws away a line that is too long.
    #[doc(alias = "readline")]
    pub fn read_line(&mut self) -> ReadLine<'_> {
        let (wait, input) = self.parts();
        ReadLine::new(input, wait)
    }

    /// The lines that are still to come, each as a `String`.
    ///
    /// # asyncio
    /// `async for line in reader`.
    pub fn lines(&mut self) -> Lines<'_> {
        let (wait, input) = self.parts();
        Lines::new(input, wait)
    }

    /// Reads up to `separator`, and gives the message with it. It borrows the reader's buffer.
    ///
    /// # Errors
    /// - [`LimitOverrun`](super::ReadError::LimitOverrun): the data are still in the reader.
    /// - [`Incomplete`](super::ReadError::Incomplete) if the stream ends before; also if nothing
    ///   is left at all.
    /// - [`Io`](super::ReadError::Io).
    ///
    /// # Panics
    /// If the separator is empty.
    ///
    /// # Cancel safety
    /// **Strict.**
    ///
    /// # asyncio
    /// `readuntil(separator)`.
    ///
    /// # Examples
    /// ```
    /// # use petla::{net::TcpListener, streams::{ReadError, open_connection}};
    /// petla::run(async {
    ///     # let listener = TcpListener::bind("127.0.0.1:0").await?;
    ///     # let (mut reader, _writer) = open_connection(listener.local_addr()?).await?;
    ///     # let (peer, _) = listener.accept().await?;
    ///     # peer.write_all(b"name: value\r\n\r\n0123456789").await?;
    ///     # drop(peer);
    ///     assert_eq!(reader.read_until(b"\r\n\r\n").await?, b"name: value\r\n\r\n");
    ///
    ///     reader.set_limit(4);
    ///     let Err(ReadError::LimitOverrun { consumed }) = reader.read_until(b";").await else {
    ///         panic!("ten bytes are more than four")
    ///     };
    ///     let mut skipped = vec![0; consumed];
    ///     reader.read_exact(&mut skipped).await?;
    ///     assert_eq!(skipped, b"0123456789");
    ///     std::io::Result::Ok(())
    /// })?;
    /// # std::io::Result::Ok(())
    /// ```
    #[track_caller]
    #[doc(alias = "readuntil")]
    pub fn read_until<'a>(&'a mut self, separator: &'a [u8]) -> ReadUntil<'a> {
        let (wait, input) = self.parts();
        ReadUntil::one(input, wait, separator)
    }

    /// [`read_until`](StreamReader::read_until) the first of several separators: the one that
    /// ends first makes the message.
    ///
    /// # Errors
    /// As there.
    ///
    /// # Panics
    /// If there is no separator, or an empty one.
    ///
    /// # Cancel safety
    /// **Strict.**
    ///
    /// # asyncio
    /// `readuntil((first, second))`.
    #[track_caller]
    pub fn read_until_any<'a>(&'a mut self, separators: &'a [&'a [u8]]) -> ReadUntil<'a> {
        let (wait, input) = self.parts();
        ReadUntil::any(input, wait, separators)
    }

    /// Whether a read has met the end of the stream, and everything before it was given out.
    ///
    /// Asks nobody: as long as no read has come to the end it is `false`.
    pub fn at_eof(&self) -> bool {
        self.input.at_eof()
    }

    /// How many bytes were received and not read yet. There may be more in the socket.
    pub fn buffered(&self) -> usize {
        self.input.buffer.len()
    }

    /// How long a message may be without its separator, in bytes; 65,536 unless told.
    pub fn limit(&self) -> usize {
        self.input.limit
    }

    /// Sets that limit. It concerns the messages and lines of all later reads.
    ///
    /// # asyncio
    /// `open_connection(limit=..)`.
    pub fn set_limit(&mut self, bytes: usize) {
        self.input.limit = bytes;
    }
}

impl Debug for StreamReader {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("StreamReader")
            .field("fd", &self.connection.source().as_raw())
            .field("buffered", &self.input.buffer.len())
            .field("at_eof", &self.at_eof())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use crate::event_loop::run;
    use crate::net::TcpListener;
    use crate::streams::open_connection;
    use std::pin::Pin;
    use std::task::{Context, Waker};

    #[test]
    fn a_reader_that_waits_with_nothing_holds_no_memory() {
        let idle = run(async {
            let listener = TcpListener::bind("127.0.0.1:0").await?;
            let (mut reader, _writer) = open_connection(listener.local_addr()?).await?;
            let (peer, _) = listener.accept().await?;
            let mut cx = Context::from_waker(Waker::noop());
            for _ in 0..2 {
                let mut line = reader.read_line();
                assert!(Pin::new(&mut line).poll(&mut cx).is_pending());
                drop(line);
                assert_eq!(reader.input.buffer.capacity(), 0);
                peer.write_all(b"line\n").await?;
                assert_eq!(reader.read_line().await?, Some("line"));
            }
            std::io::Result::Ok(())
        });
        idle.unwrap();
    }
}
