//! [`StreamWriter`]: the sending half of a connection.
//!
//! A thin object over the `connection`, which holds what is unsent. The futures here wait for less
//! of it, and send while they wait.
//!
//! # Not here
//! Sending in the background, errors, the end (`connection`).

use std::fmt::{self, Debug, Formatter};
use std::future::Future;
use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use super::SendFile;
use super::connection::{Connection, End};
use super::outlet::Outlet;
use crate::kernel::source::{Direction, Wait};

/// The sending half of a connection; from [`open_connection`](super::open_connection), or given to
/// the handler of a [`Server`](super::Server).
///
/// [`write`](StreamWriter::write) never waits: it sends at once what the system takes and keeps the
/// rest, which a small task of the loop sends as the peer makes room. So nothing *has* to be
/// awaited for bytes to leave. But await [`drain`](StreamWriter::drain) after writing much, or a
/// slow peer makes the buffer grow without end; and
/// [`wait_closed`](StreamWriter::wait_closed) in the end, to learn that everything was sent.
///
/// | what ends | what happens |
/// | --- | --- |
/// | `write_eof()` | the rest is sent, then the peer reads the end; reading goes on |
/// | `close()` | the same, and reading ends too |
/// | the writer is dropped | as `write_eof()`, in the background |
/// | reader and writer are dropped | the socket is closed as soon as the rest is sent |
/// | `abort()` | the rest is thrown away, and the peer gets a reset |
/// | the loop | the rest is thrown away and reported: `wait_closed` in time |
///
/// Bytes that cannot be sent are never forgotten: `drain` and `wait_closed` give the error, and if
/// nobody calls them, it is reported once to the loop's exception handler.
///
/// # asyncio
/// `StreamWriter`. While there is a rest, its transport is that task here; `all_tasks` shows it.
/// Where asyncio logs "socket.send() raised exception" or raises at once (writing after
/// `write_eof`), the error comes from `drain` and `wait_closed`. Dropping an unclosed writer gives
/// no warning and does not end the reader.
///
/// # Examples
/// ```
/// use petla::net::TcpListener;
/// use petla::streams::open_connection;
///
/// petla::run(async {
///     let listener = TcpListener::bind("127.0.0.1:0").await?;
///     let (_reader, mut writer) = open_connection(listener.local_addr()?).await?;
///     let (peer, _) = listener.accept().await?;
///
///     writer.write(b"hello, ");
///     writer.write(b"world");
///     writer.drain().await?;
///     writer.wait_closed().await?;
///
///     let mut buf = [0; 12];
///     peer.read_exact(&mut buf).await?;
///     assert_eq!(&buf, b"hello, world");
///     assert_eq!(peer.read(&mut buf).await?, 0);
///     std::io::Result::Ok(())
/// })?;
/// # std::io::Result::Ok(())
/// ```
pub struct StreamWriter {
    connection: Rc<Connection>,
}

impl StreamWriter {
    pub(super) fn new(connection: Rc<Connection>) -> StreamWriter {
        StreamWriter { connection }
    }

    /// What a future needs to send.
    pub(super) fn parts(&mut self) -> (Wait<'_>, &Rc<Connection>) {
        let wait = self.connection.source().wait(Direction::Write);
        (wait, &self.connection)
    }

    pub(super) fn connection(&self) -> &Rc<Connection> {
        &self.connection
    }

    /// Gives the connection up, as it is.
    pub(super) fn into_connection(self) -> Rc<Connection> {
        self.connection.let_go();
        Rc::clone(&self.connection)
    }

    /// Sends `data`: at once what the system takes, the rest in the background. Never waits.
    ///
    /// After an error, `close` or `write_eof` the data are thrown away, and `drain` says why.
    pub fn write(&mut self, data: &[u8]) {
        self.connection.write(data);
    }

    /// [`write`](StreamWriter::write) of several pieces, in their order: what the system takes is
    /// sent by one call (of the first 1024 pieces), without joining them.
    ///
    /// # asyncio
    /// `writelines`.
    ///
    /// # Examples
    /// ```
    /// # use petla::net::UnixStream;
    /// use std::io::IoSlice;
    ///
    /// petla::run(async {
    ///     # let (stream, peer) = UnixStream::pair()?;
    ///     # let (_reader, mut writer) = stream.into_streams();
    ///     let (head, body) = (b"length: 3\n", b"abc");
    ///     writer.write_vectored(&[IoSlice::new(head), IoSlice::new(body)]);
    ///     let mut buf = [0; 13];
    ///     peer.read_exact(&mut buf).await?;
    ///     assert_eq!(&buf, b"length: 3\nabc");
    ///     std::io::Result::Ok(())
    /// })?;
    /// # std::io::Result::Ok(())
    /// ```
    #[doc(alias = "writelines")]
    pub fn write_vectored(&mut self, pieces: &[IoSlice<'_>]) {
        self.connection.write_vectored(pieces);
    }

    /// Waits while too much is unsent: if it is more than the high mark, until it is no more than
    /// the low one. Otherwise ends at once; some bytes may still be on their way out.
    ///
    /// # Errors
    /// What made bytes be lost since the connection began, each time:
    /// - `BrokenPipe`, `ConnectionReset` and others of send(2).
    /// - `BrokenPipe` too, if something was written after `close` or `write_eof`.
    /// - `ConnectionAborted` after [`abort`](StreamWriter::abort).
    ///
    /// No loop runs here: nothing is lost.
    ///
    /// # Cancel safety
    /// **Strict.** What is unsent goes on being sent.
    ///
    /// # asyncio
    /// `drain`, with the same marks.
    pub fn drain(&mut self) -> Drain<'_> {
        let (wait, connection) = self.parts();
        Drain {
            connection,
            wait,
            rest: None,
        }
    }

    /// Sends `count` bytes of a file, from `offset` on, behind what was written before. They go
    /// from the system's cache to the connection, and not through this process (sendfile(2)).
    ///
    /// Ends when the system has taken them all. The position of the file does not matter and is not
    /// changed. Where sendfile(2) refuses the file, as it does some of /proc, it is read instead.
    ///
    /// What is not in the cache is read from the disk **while the loop stands still**, up to 256
    /// KiB a call. For files on slow disks read in a thread, and [`write`](StreamWriter::write).
    ///
    /// # Errors
    /// - `UnexpectedEof` if the file ends before; the message says after how many bytes.
    /// - Those of [`drain`](StreamWriter::drain); `BrokenPipe` if the writer is closed already.
    /// - Those of reading the file: `EISDIR`, `ESPIPE` for what has no positions, `EIO`.
    ///
    /// [`SendFile::sent`] says how much was sent before.
    ///
    /// # Cancel safety
    /// **Loses data**: a part may be sent, which [`SendFile::sent`] counts; what was read of a file
    /// that sendfile(2) refuses is [`unsent`](StreamWriter::unsent) besides, and sent by itself.
    ///
    /// # asyncio
    /// `loop.sendfile(transport, file, offset, count)`, which ends without an error where the file
    /// does.
    ///
    /// # Examples
    /// ```
    /// use petla::net::TcpListener;
    /// use petla::streams::open_connection;
    /// use std::fs::File;
    ///
    /// petla::run(async {
    ///     let listener = TcpListener::bind("127.0.0.1:0").await?;
    ///     let (_reader, mut writer) = open_connection(listener.local_addr()?).await?;
    ///     let (peer, _) = listener.accept().await?;
    ///
    ///     let file = File::open(std::env::current_exe()?)?;
    ///     writer.write(b"the file: ");
    ///     writer.send_file(&file, 1, 3).await?;
    ///
    ///     let mut buf = [0; 13];
    ///     peer.read_exact(&mut buf).await?;
    ///     assert_eq!(&buf, b"the file: ELF");
    ///     std::io::Result::Ok(())
    /// })?;
    /// # std::io::Result::Ok(())
    /// ```
    #[doc(alias = "sendfile")]
    pub fn send_file<'a>(
        &'a mut self,
        file: &'a impl AsFd,
        offset: u64,
        count: u64,
    ) -> SendFile<'a> {
        let (wait, connection) = self.parts();
        let to = Outlet::new(connection, wait);
        SendFile::new(to, file.as_fd(), offset, count)
    }

    /// The peer reads the end of the stream, after everything that was written. Reading goes on.
    ///
    /// # asyncio
    /// `write_eof`.
    pub fn write_eof(&mut self) {
        self.connection.end(End::Eof);
    }

    /// Closes the connection when everything is sent: the peer reads the end, and so does the
    /// reader of this end, after what has arrived already. Returns at once.
    ///
    /// The descriptor itself lives until reader and writer are dropped.
    ///
    /// # asyncio
    /// `close`.
    pub fn close(&mut self) {
        self.connection.end(End::Closed);
    }

    /// Closes the connection, if that has not been done, and waits until everything is sent.
    ///
    /// Sent means handed to the system, not received by the peer.
    ///
    /// # Errors
    /// Those of [`drain`](StreamWriter::drain).
    ///
    /// # Cancel safety
    /// **Strict.** The rest is sent and the connection closed all the same.
    ///
    /// # asyncio
    /// `wait_closed`, which waits for somebody else's `close`.
    pub fn wait_closed(&mut self) -> WaitClosed<'_> {
        let (wait, connection) = self.parts();
        WaitClosed { connection, wait }
    }

    /// Closes the connection at once and throws away what is unsent. The reader comes to the end;
    /// the peer gets a reset, or the end if this is no TCP connection.
    ///
    /// For a peer that has stopped reading: a writer that is closed or dropped waits for it.
    ///
    /// # asyncio
    /// `writer.transport.abort()`.
    pub fn abort(&mut self) {
        self.connection.abort();
    }

    /// Whether [`close`](StreamWriter::close), [`wait_closed`](StreamWriter::wait_closed) or
    /// [`abort`](StreamWriter::abort) was called.
    pub fn is_closing(&self) -> bool {
        self.connection.is_closing()
    }

    /// How many bytes wait to be sent.
    ///
    /// # asyncio
    /// `writer.transport.get_write_buffer_size()`.
    #[doc(alias = "get_write_buffer_size")]
    pub fn unsent(&self) -> usize {
        self.connection.unsent()
    }

    /// Sets the marks of [`drain`](StreamWriter::drain), in bytes; 65,536 and 16,384 unless told.
    /// With 0 and 0 it waits until everything is sent.
    ///
    /// # Panics
    /// If `low` is above `high`.
    ///
    /// # asyncio
    /// `writer.transport.set_write_buffer_limits(high, low)`.
    #[track_caller]
    #[doc(alias = "set_write_buffer_limits")]
    pub fn set_marks(&mut self, high: usize, low: usize) {
        assert!(
            low <= high,
            "the low mark ({low}) is above the high one ({high})"
        );
        self.connection.set_marks(high, low);
    }

    /// The address of this end.
    ///
    /// # Errors
    /// - Those of getsockname(2).
    /// - `InvalidData` if this is a Unix connection, `Unsupported` if it is a pipe.
    ///
    /// # asyncio
    /// `get_extra_info("sockname")`.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.connection.link().local_addr()
    }

    /// The address of the other end.
    ///
    /// # Errors
    /// - `NotConnected` if the connection is gone.
    /// - `InvalidData` if this is a Unix connection, `Unsupported` if it is a pipe.
    ///
    /// # asyncio
    /// `get_extra_info("peername")`.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.connection.link().peer_addr()
    }
}

impl Drop for StreamWriter {
    fn drop(&mut self) {
        self.connection.orphan();
    }
}

impl Debug for StreamWriter {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("StreamWriter")
            .field("fd", &self.connection.source().as_raw())
            .field("unsent", &self.unsent())
            .field("is_closing", &self.is_closing())
            .finish_non_exhaustive()
    }
}

/// The future of [`StreamWriter::drain`].
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct Drain<'a> {
    connection: &'a Rc<Connection>,
    wait: Wait<'a>,
    /// How much may stay unsent; decided by the first poll.
    rest: Option<usize>,
}

impl Drain<'_> {
    fn decide(&self) -> usize {
        let (high, low) = self.connection.marks();
        if self.connection.unsent() > high {
            low
        } else if self.connection.flush() {
            usize::MAX
        } else {
            // Nobody sends it by itself.
            0
        }
    }
}

impl Future for Drain<'_> {
    type Output = io::Result<()>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let rest = self.rest.unwrap_or_else(|| self.decide());
        let this = &mut *self;
        this.rest = Some(rest);
        ready!(this.connection.poll_send(&mut this.wait, cx, rest))?;
        Poll::Ready(this.connection.verdict())
    }
}

/// The future of [`StreamWriter::wait_closed`].
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct WaitClosed<'a> {
    connection: &'a Rc<Connection>,
    wait: Wait<'a>,
}

impl Future for WaitClosed<'_> {
    type Output = io::Result<()>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        this.connection.end(End::Closed);
        ready!(this.connection.poll_send(&mut this.wait, cx, 0))?;
        Poll::Ready(this.connection.verdict())
    }
}

#[cfg(test)]
mod tests {
    use crate::event_loop::run;
    use crate::net::{TcpListener, TcpStream};
    use crate::streams::open_connection;

    #[test]
    fn small_writes_do_not_wait_for_the_answer_to_the_last() {
        let opened = run(async {
            let listener = TcpListener::bind("127.0.0.1:0").await?;
            let (reader, writer) = open_connection(listener.local_addr()?).await?;
            let (stream, _) = TcpStream::from_streams(reader, writer).unwrap();
            assert!(stream.nodelay()?);
            std::io::Result::Ok(())
        });
        opened.unwrap();
    }
}
