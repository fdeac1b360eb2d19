//! Reading and writing: the futures that sockets, pipes and terminals share.
//!
//! Each is a [`Wait`] on the descriptor and the caller's buffer, nothing else: it can be moved,
//! sent to another thread, and dropped at any moment. A poll makes the system call; if that
//! would block, the wait is noted with the loop, and dropping the future takes it out again.
//! Which call it is depends on the source: recv(2) and send(2) know nothing of pipes, and a
//! write(2) to a socket could end the process by a signal.
//!
//! A read that fills less than its buffer, or a write that takes less than it was given, has
//! shown that nothing is left. The futures say so ([`Wait::drained`]), and on a TCP socket
//! the next operation waits for an event without asking the kernel once more. When that
//! conclusion holds is the source's business. The end of the stream says nothing of the kind:
//! it is there for every further read.
//!
//! # Invariants
//! - **At once or not at all**: a call that moved data ends its poll with `Ready`, or (the
//!   `_all`, `_exact` and `_to_end` futures) with the data or their count kept.
//!
//! # Cost
//! One system call an operation that is ready. No allocation but the growth of a vector.
//!
//! # Not here
//! Buffering (`streams`). What only sockets can do (`net`).

use std::future::Future;
use std::io::{self, ErrorKind, IoSlice, IoSliceMut};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use crate::kernel::source::{Direction, Kind, Source, Tried, Wait};
use crate::sys::room::Room;
use crate::sys::{pipe, socket};

/// Calls that one poll of `write_all`, `read_exact` and the like makes before it lets others
/// run: a fast peer on another core could keep it going for as long as there are data.
pub(crate) const CALLS_A_POLL: usize = 16;

/// Room that `read_to_end` makes, and how little is worth a call. A pipe holds 64 KiB, most
/// programs print less than 8.
const READ_ROOM: usize = 8 * 1024;
const READ_ROOM_MIN: usize = 1024;

/// The future of `read`.
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct Read<'a> {
    wait: Wait<'a>,
    buf: &'a mut [u8],
}

impl<'a> Read<'a> {
    pub(crate) fn new(source: &'a Source, buf: &'a mut [u8]) -> Read<'a> {
        let wait = source.wait(Direction::Read);
        Read { wait, buf }
    }
}

impl Future for Read<'_> {
    type Output = io::Result<usize>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        poll_read(&mut this.wait, cx, this.buf)
    }
}

/// The future of `read_vectored`.
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct ReadVectored<'a, 'b> {
    wait: Wait<'a>,
    bufs: &'a mut [IoSliceMut<'b>],
}

impl<'a, 'b> ReadVectored<'a, 'b> {
    pub(crate) fn new(source: &'a Source, bufs: &'a mut [IoSliceMut<'b>]) -> Self {
        let wait = source.wait(Direction::Read);
        ReadVectored { wait, bufs }
    }
}

impl Future for ReadVectored<'_, '_> {
    type Output = io::Result<usize>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let ReadVectored { wait, bufs } = &mut *self;
        let room = total(bufs.iter().map(|buf| buf.len()));
        if room == 0 {
            return Poll::Ready(Ok(0));
        }
        let n = ready!(wait.poll_io(cx, |fd| socket::recv_vectored(fd, bufs)))?;
        if 0 < n && n < room {
            wait.drained();
        }
        Poll::Ready(Ok(n))
    }
}

/// The future of `read_exact`.
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct ReadExact<'a> {
    wait: Wait<'a>,
    buf: &'a mut [u8],
    filled: usize,
}

impl<'a> ReadExact<'a> {
    pub(crate) fn new(source: &'a Source, buf: &'a mut [u8]) -> ReadExact<'a> {
        let wait = source.wait(Direction::Read);
        ReadExact {
            wait,
            buf,
            filled: 0,
        }
    }

    /// How many bytes of the buffer are filled so far: what to keep when giving up.
    pub fn filled(&self) -> usize {
        self.filled
    }
}

impl Future for ReadExact<'_> {
    type Output = io::Result<()>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let ReadExact { wait, buf, filled } = &mut *self;
        for _ in 0..CALLS_A_POLL {
            if *filled == buf.len() {
                return Poll::Ready(Ok(()));
            }
            match ready!(poll_read(wait, cx, &mut buf[*filled..]))? {
                0 => return Poll::Ready(Err(ended_early(*filled, buf.len()))),
                n => *filled += n,
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

/// The future of `read_to_end`.
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct ReadToEnd<'a> {
    wait: Wait<'a>,
    into: &'a mut Vec<u8>,
    before: usize,
}

impl<'a> ReadToEnd<'a> {
    pub(crate) fn new(source: &'a Source, into: &'a mut Vec<u8>) -> ReadToEnd<'a> {
        ReadToEnd {
            wait: source.wait(Direction::Read),
            before: into.len(),
            into,
        }
    }
}

impl Future for ReadToEnd<'_> {
    type Output = io::Result<usize>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let ReadToEnd { wait, into, before } = &mut *self;
        for _ in 0..CALLS_A_POLL {
            let room = into.capacity() - into.len();
            if room < READ_ROOM_MIN {
                // Doubles at least, so that all the moves together cost no more than the reads.
                into.try_reserve(READ_ROOM)?;
            }
            match ready!(wait.poll_io(cx, |fd| pipe::read_into_room(fd, into)))? {
                0 => return Poll::Ready(Ok(into.len() - *before)),
                _ => continue,
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

/// The future of `write`.
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct Write<'a> {
    wait: Wait<'a>,
    buf: &'a [u8],
}

impl<'a> Write<'a> {
    pub(crate) fn new(source: &'a Source, buf: &'a [u8]) -> Write<'a> {
        let wait = source.wait(Direction::Write);
        Write { wait, buf }
    }
}

impl Future for Write<'_> {
    type Output = io::Result<usize>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let buf = self.buf;
        poll_write(&mut self.wait, cx, buf)
    }
}

/// The future of `write_vectored`.
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct WriteVectored<'a> {
    wait: Wait<'a>,
    bufs: &'a [IoSlice<'a>],
}

impl<'a> WriteVectored<'a> {
    pub(crate) fn new(source: &'a Source, bufs: &'a [IoSlice<'a>]) -> WriteVectored<'a> {
        let wait = source.wait(Direction::Write);
        WriteVectored { wait, bufs }
    }
}

impl Future for WriteVectored<'_> {
    type Output = io::Result<usize>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let WriteVectored { wait, bufs } = &mut *self;
        let tried = try_write_vectored(wait, bufs);
        wait.or_park(cx, tried)
    }
}

/// The future of `write_all`.
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct WriteAll<'a> {
    wait: Wait<'a>,
    buf: &'a [u8],
    written: usize,
}

impl<'a> WriteAll<'a> {
    pub(crate) fn new(source: &'a Source, buf: &'a [u8]) -> WriteAll<'a> {
        let wait = source.wait(Direction::Write);
        WriteAll {
            wait,
            buf,
            written: 0,
        }
    }

    /// How many bytes are written so far: where to go on after giving up.
    pub fn written(&self) -> usize {
        self.written
    }
}

impl Future for WriteAll<'_> {
    type Output = io::Result<()>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let WriteAll { wait, buf, written } = &mut *self;
        for _ in 0..CALLS_A_POLL {
            if *written == buf.len() {
                return Poll::Ready(Ok(()));
            }
            match ready!(poll_write(wait, cx, &buf[*written..]))? {
                0 => return Poll::Ready(Err(ErrorKind::WriteZero.into())),
                n => *written += n,
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

/// One poll of `read`, for futures of other modules that hold a wait of their own.
pub(crate) fn poll_read(
    wait: &mut Wait<'_>,
    cx: &mut Context<'_>,
    buf: &mut [u8],
) -> Poll<io::Result<usize>> {
    let tried = try_read(wait, buf);
    wait.or_park(cx, tried)
}

/// One poll of `write`, for futures of other modules that hold a wait of their own.
pub(crate) fn poll_write(
    wait: &mut Wait<'_>,
    cx: &mut Context<'_>,
    buf: &[u8],
) -> Poll<io::Result<usize>> {
    let tried = try_write(wait, buf);
    wait.or_park(cx, tried)
}

/// The bytes that a vectored call can move: the kernel looks at no more buffers than these.
fn total(lengths: impl Iterator<Item = usize>) -> usize {
    lengths
        .take(socket::BUFFERS_MAX)
        .fold(0, usize::saturating_add)
}

/// Reads what is there.
pub(crate) fn try_read(wait: &mut Wait<'_>, buf: &mut [u8]) -> Tried<usize> {
    try_fill(wait, &mut Room::of(buf))
}

/// The same into memory that need not hold anything yet.
#[inline]
pub(crate) fn try_fill(wait: &mut Wait<'_>, room: &mut Room<'_>) -> Tried<usize> {
    if room.left() == 0 {
        return Ok(Some(0));
    }
    let kind = wait.kind();
    let tried = wait.try_io(|fd| match kind {
        Kind::Tcp | Kind::Socket => socket::recv_into(fd, room),
        Kind::File => pipe::read(fd, room),
    })?;
    if tried.is_some_and(|n| n > 0) && room.left() > 0 {
        wait.drained();
    }
    Ok(tried)
}

/// Writes what the descriptor takes at once.
pub(crate) fn try_write(wait: &mut Wait<'_>, buf: &[u8]) -> Tried<usize> {
    if buf.is_empty() {
        return Ok(Some(0));
    }
    let kind = wait.kind();
    let tried = wait.try_io(|fd| match kind {
        Kind::Tcp | Kind::Socket => socket::send(fd, buf),
        Kind::File => pipe::write(fd, buf),
    })?;
    if tried.is_some_and(|n| n < buf.len()) {
        wait.drained();
    }
    Ok(tried)
}

/// The same from several buffers, in their order.
pub(crate) fn try_write_vectored(wait: &mut Wait<'_>, bufs: &[IoSlice<'_>]) -> Tried<usize> {
    // Often there is one: send(2) has no list to fetch.
    if let [buf] = bufs {
        return try_write(wait, buf);
    }
    let given = total(bufs.iter().map(|buf| buf.len()));
    if given == 0 {
        return Ok(Some(0));
    }
    let kind = wait.kind();
    let tried = wait.try_io(|fd| match kind {
        Kind::Tcp | Kind::Socket => socket::send_vectored(fd, bufs),
        Kind::File => pipe::write_vectored(fd, bufs),
    })?;
    if tried.is_some_and(|n| n < given) {
        wait.drained();
    }
    Ok(tried)
}

/// The error of a `read_exact` that met the end.
pub(crate) fn ended_early(filled: usize, wanted: usize) -> io::Error {
    let message = format!("the stream ended after {filled} of {wanted} bytes");
    io::Error::new(ErrorKind::UnexpectedEof, message)
}
