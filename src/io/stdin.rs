//! The standard input: bytes and lines, without a thread wherever epoll can do it.
//!
//! One buffer for the whole process lies behind a lock. Bytes enter it as soon as they are read
//! and leave it when a call has all it needs, so whatever is given up loses nothing, on any loop.
//! Whoever waits for more holds the lock; others queue.
//!
//! # Invariants
//! - **Kept**: a future that is dropped has put all it read into the buffer. A thread that reads on
//!   has a block of its own, which the next call empties.
//!
//! # Not here
//! How the bytes are got: `standard`. Terminal modes, line editing.

use std::fmt::{self, Debug, Formatter};
use std::fs;
use std::future::poll_fn;
use std::io::{self, Read as _};
use std::os::fd::{AsFd as _, RawFd};
use std::pin::Pin;
use std::sync::LazyLock;
use std::task::{Context, Poll, ready};

use futures_core::Stream;

use super::standard::Way;
use crate::kernel::source::{Direction, Kind};
use crate::sync::{Lock, LockGuard};
use crate::sys::{memory, pipe, socket};

/// What one call reads at most: as much as a pipe holds.
const BLOCK: usize = 64 << 10;

static INPUT: LazyLock<Lock<Input>> = LazyLock::new(|| Lock::new(Input::default()));

/// What was read and not yet asked for.
#[derive(Default)]
struct Input {
    way: Option<Way<Block>>,
    bytes: Vec<u8>,
    /// Where the data begin in `bytes`.
    start: usize,
}

/// What a thread works with.
struct Block {
    file: fs::File,
    bytes: Vec<u8>,
    /// What the last read gave, until somebody hears of it: an end is not eaten either.
    read: Option<io::Result<usize>>,
}

/// The standard input of the process.
///
/// All handles are the same input: each byte goes to one call, in the order in which they ask. A
/// read that waits keeps neither a loop nor the process from ending, and what was typed meanwhile
/// is there for the next: nothing is eaten. Terminals and pipes are not set to non-blocking mode:
/// the shell, and whoever else has them, will not notice.
///
/// A file, or a terminal that belongs to another user, is read by a thread of the pool. A read that
/// waits there keeps its thread, also when it was given up, until something is typed.
///
/// A read that can go on at once does so: put a [`yield_now`](crate::yield_now) into a loop that
/// reads from a program which never pauses.
///
/// Bytes that [`std::io::stdin`] has read ahead are not seen here, and the other way round: use
/// one of the two.
///
/// # asyncio
/// `loop.connect_read_pipe(.., sys.stdin)`, which sets a terminal to non-blocking mode and refuses
/// files.
///
/// # Examples
/// ```no_run
/// use petla::io::{stdin, stdout};
///
/// petla::run(async {
///     while let Some(line) = stdin().read_line().await? {
///         stdout().write_all(line.to_uppercase() + "\n").await?;
///     }
///     std::io::Result::Ok(())
/// })?;
/// # std::io::Result::Ok(())
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Stdin(());

/// The standard input of the process.
pub fn stdin() -> Stdin {
    Stdin(())
}

impl Stdin {
    /// Reads what is there, at least one byte, and says how many bytes; 0 at the end.
    ///
    /// The end of a terminal (Ctrl-D) is over once it was told: the next read waits again.
    ///
    /// # Errors
    /// Those of read(2); no loop runs here.
    ///
    /// # Cancel safety
    /// **Strict.**
    pub async fn read(self, buf: &mut [u8]) -> io::Result<usize> {
        let mut input = input().await;
        if input.data().is_empty() && !buf.is_empty() {
            input.fill().await?;
        }
        let n = buf.len().min(input.data().len());
        buf[..n].copy_from_slice(&input.data()[..n]);
        input.consume(n);
        Ok(n)
    }

    /// Reads to the end, behind what `into` holds already, and says how many bytes came.
    ///
    /// # Errors
    /// As [`read`](Stdin::read). What came before the error is left to be read.
    ///
    /// # Cancel safety
    /// **Strict.** Nothing is taken before the end has come.
    pub async fn read_to_end(self, into: &mut Vec<u8>) -> io::Result<usize> {
        let mut input = input().await;
        while input.fill().await? > 0 {}
        let n = input.data().len();
        into.extend_from_slice(input.data());
        input.consume(n);
        Ok(n)
    }

    /// Reads a line, without its `\n` or `\r\n`; `None` at the end. The last line may lack its end.
    ///
    /// There is no limit to its length: read pieces of what you do not trust.
    ///
    /// # Errors
    /// `InvalidData`: it is not UTF-8, and left to be read as bytes. Else as [`read`](Stdin::read).
    ///
    /// # Cancel safety
    /// **Strict.** Nothing is taken before the line is there.
    ///
    /// # asyncio
    /// `StreamReader.readline`, which keeps the line's end.
    pub async fn read_line(self) -> io::Result<Option<String>> {
        let mut input = input().await;
        let mut searched = 0;
        loop {
            if let Some(at) = memory::find(&input.data()[searched..], b"\n") {
                return input.take_line(searched + at, searched + at + 1).map(Some);
            }
            searched = input.data().len();
            if input.fill().await? > 0 {
                continue;
            }
            return match searched {
                0 => Ok(None),
                rest => input.take_line(rest, rest).map(Some),
            };
        }
    }

    /// The lines, as a [`Stream`] that ends with the input.
    pub fn lines(self) -> StdinLines {
        StdinLines {
            next: None,
            failed: false,
        }
    }
}

async fn input() -> LockGuard<'static, Input> {
    INPUT.lock().await
}

impl Input {
    fn data(&self) -> &[u8] {
        &self.bytes[self.start..]
    }

    fn consume(&mut self, n: usize) {
        self.start += n;
        if self.start == self.bytes.len() {
            // A long line leaves no large buffer behind.
            self.bytes.truncate(0);
            self.bytes.shrink_to(BLOCK);
            self.start = 0;
        }
    }

    /// Takes out `end` bytes, and gives the line that the first `length` of them are.
    fn take_line(&mut self, length: usize, end: usize) -> io::Result<String> {
        let line = &self.data()[..length];
        let line = if end > length {
            line.strip_suffix(b"\r").unwrap_or(line)
        } else {
            line
        };
        let line = str::from_utf8(line).map_err(|_| {
            let message = "a line of the standard input is not UTF-8: read it as bytes";
            io::Error::new(io::ErrorKind::InvalidData, message)
        })?;
        let line = line.to_owned();
        self.consume(end);
        Ok(line)
    }

    /// Reads more, at least one byte, and says how many; 0 is the end. Keeps **Kept**.
    async fn fill(&mut self) -> io::Result<usize> {
        if self.way.as_ref().is_none_or(|way| !way.is_at_home()) {
            let block = |file| Block {
                file,
                bytes: Vec::new(),
                read: None,
            };
            self.way = Some(Way::find(io::stdin().as_fd(), block)?);
        }
        self.bytes.drain(..self.start);
        self.start = 0;
        let Input { way, bytes, .. } = self;
        match way.as_mut().expect("found above") {
            Way::Polled { source, .. } => {
                let mut wait = source.wait(Direction::Read);
                let kind = wait.kind();
                let mut read = |fd| match kind {
                    Kind::File => {
                        bytes.reserve(BLOCK);
                        pipe::read_into_room(fd, bytes)
                    }
                    Kind::Tcp | Kind::Socket => recv(fd, bytes),
                };
                poll_fn(|cx| wait.poll_io(cx, &mut read)).await
            }
            Way::OnThreads(ferry) => {
                if ferry.back().await.read.is_none() {
                    ferry.go(Block::read).await?;
                }
                let block = ferry.back().await;
                let n = block.read.take().expect("it has read")?;
                bytes.append(&mut block.bytes);
                Ok(n)
            }
        }
    }
}

/// Receives behind what `bytes` holds.
fn recv(fd: RawFd, bytes: &mut Vec<u8>) -> io::Result<usize> {
    let old = bytes.len();
    bytes.resize(old + BLOCK, 0);
    let received = socket::recv(fd, &mut bytes[old..]);
    bytes.truncate(old + *received.as_ref().unwrap_or(&0));
    received
}

impl Block {
    /// On a thread.
    fn read(&mut self) {
        self.bytes.resize(BLOCK, 0);
        let read = loop {
            match self.file.read(&mut self.bytes) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                read => break read,
            }
        };
        self.bytes.truncate(*read.as_ref().unwrap_or(&0));
        self.read = Some(read);
    }
}

/// The lines of the standard input; from [`Stdin::lines`]. The first error ends them.
///
/// # Cancel safety
/// **Strict.** Between two lines it holds nothing; while it waits, other readers wait behind it.
#[must_use = "streams do nothing unless polled"]
pub struct StdinLines {
    next: Option<Pin<Box<dyn Future<Output = Line> + Send>>>,
    failed: bool,
}

type Line = io::Result<Option<String>>;

impl StdinLines {
    /// The next line; `None` at the end, and after an error.
    ///
    /// # Errors
    /// Those of [`Stdin::read_line`].
    ///
    /// # Cancel safety
    /// **Strict.**
    pub async fn next(&mut self) -> Option<io::Result<String>> {
        self.next = None; // if it was polled as a stream before: by Kept that loses nothing
        if self.failed {
            return None;
        }
        let line = stdin().read_line().await;
        self.give(line)
    }

    fn give(&mut self, line: Line) -> Option<io::Result<String>> {
        self.failed = line.is_err();
        line.transpose()
    }
}

impl Stream for StdinLines {
    type Item = io::Result<String>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.failed {
            return Poll::Ready(None);
        }
        let next = self
            .next
            .get_or_insert_with(|| Box::pin(stdin().read_line()));
        let line = ready!(next.as_mut().poll(cx));
        self.next = None;
        Poll::Ready(self.give(line))
    }
}

impl Debug for StdinLines {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("StdinLines").finish_non_exhaustive()
    }
}
