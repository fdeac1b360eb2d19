//! Any descriptor that epoll knows, awaited: pipes, eventfds, datagram and raw sockets,
//! inotify, devices, libraries with a descriptor of their own.
//!
//! The object stays the user's: he reads and writes it with its own methods, and the loop
//! only tells when. Two ways, for two kinds of use:
//! - [`AsyncFd::read_with`] and [`AsyncFd::write_with`] run an operation until it does not say
//!   `WouldBlock`. They try first and ask the loop afterwards, like the sockets do.
//! - [`AsyncFd::readable`] and [`AsyncFd::writable`] only wait. They ask the kernel what is so
//!   *now* (poll(2)), because nobody tells the loop what was read in between.
//!
//! # Invariants
//! - **First out**: the registration goes before the object does, be it dropped or given back.
//!   The fields are declared, and so dropped, in that order. A number that is closed while
//!   it is registered could be reused, and the next owner would be refused.
//! - **One number**: the descriptor is asked for once, when the object comes in. Hence no
//!   `get_mut`, through which another object could take its place.
//!
//! # Not here
//! O_NONBLOCK: whether an operation blocks is between the object and its user.

use std::fmt::{self, Debug, Formatter};
use std::future::Future;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::pin::Pin;
use std::task::{Context, Poll};

use crate::io::descriptor::refuse_files;
use crate::kernel::source::{Direction, Source, Wait};

/// An object with a descriptor, and the means to wait for it.
///
/// `T` is anything with a descriptor: `OwnedFd`, a standard socket, `Arc` of one, a reference.
/// It is waited for as it is: for `read_with` and `write_with` **set it to non-blocking mode
/// first**, else an operation stops the whole loop.
///
/// Regular files, directories and disks cannot be waited for: they are always ready, even when
/// reading them takes long. Read them with [`fs`](crate::fs).
///
/// # asyncio
/// `loop.add_reader` and `loop.add_writer`, turned into futures.
///
/// # Examples
/// ```
/// use petla::net::AsyncFd;
/// use std::net::UdpSocket;
///
/// petla::run(async {
///     let socket = UdpSocket::bind("127.0.0.1:0")?;
///     socket.set_nonblocking(true)?;
///     let socket = AsyncFd::new(socket)?;
///
///     let here = socket.get_ref().local_addr()?;
///     socket.write_with(|socket| socket.send_to(b"hello", here)).await?;
///
///     let mut buf = [0; 16];
///     let (n, from) = socket.read_with(|socket| socket.recv_from(&mut buf)).await?;
///     assert_eq!((&buf[..n], from), (&b"hello"[..], here));
///     std::io::Result::Ok(())
/// })?;
/// # std::io::Result::Ok(())
/// ```
pub struct AsyncFd<T: AsFd> {
    source: Source,
    object: T,
}

impl<T: AsFd> AsyncFd<T> {
    /// Takes the object in, and changes nothing about it; no loop knows it before the first wait.
    ///
    /// # Errors
    /// `Unsupported` for a regular file, a directory or a disk, and `EBADF` for a descriptor that
    /// is closed. The object is dropped then: give a reference, `AsyncFd::new(&object)`, to keep
    /// it.
    pub fn new(object: T) -> io::Result<AsyncFd<T>> {
        let fd = object.as_fd().as_raw_fd();
        refuse_files(fd)?;
        let source = Source::borrowed(fd);
        Ok(AsyncFd { source, object })
    }

    /// The object, to use it.
    pub fn get_ref(&self) -> &T {
        &self.object
    }

    /// Gives the object back, in whatever mode it is.
    pub fn into_inner(self) -> T {
        let AsyncFd { source, object } = self;
        drop(source); // First out.
        object
    }

    /// Waits until a read would not block: there are data, the end of the stream, or an error.
    ///
    /// That is so at the moment it returns. Another holder of the descriptor may read first,
    /// so a read may still say `WouldBlock`.
    ///
    /// # Errors
    /// - `Unsupported`: epoll cannot wait for this kind of descriptor.
    /// - `AlreadyExists`: another object of this loop waits for the same descriptor. Use one
    ///   `AsyncFd` from several tasks, by reference, or a duplicate of the descriptor. Also, for a
    ///   moment: the object was given away on another thread, and this loop has yet to hear of it.
    /// - There is no running loop, or this object has waited on another loop before.
    ///
    /// # Cancel safety
    /// **Strict.**
    ///
    /// # asyncio
    /// `loop.add_reader`, for one event.
    ///
    /// # Examples
    /// ```
    /// use petla::net::AsyncFd;
    /// use std::io::{Read, Write};
    ///
    /// petla::run(async {
    ///     let (reader, mut writer) = std::io::pipe()?;
    ///     let reader = AsyncFd::new(reader)?;
    ///     writer.write_all(b"one line\n")?;
    ///     reader.readable().await?;
    ///     let mut buf = [0; 16];
    ///     assert_eq!(reader.get_ref().read(&mut buf)?, 9);
    ///     std::io::Result::Ok(())
    /// })?;
    /// # std::io::Result::Ok(())
    /// ```
    pub fn readable(&self) -> Ready<'_> {
        let wait = self.source.wait(Direction::Read);
        Ready { wait }
    }

    /// Waits until a write would not block: there is room, or an error.
    ///
    /// # Errors
    /// As [`readable`](AsyncFd::readable).
    ///
    /// # Cancel safety
    /// **Strict.**
    ///
    /// # asyncio
    /// `loop.add_writer`, for one event.
    pub fn writable(&self) -> Ready<'_> {
        let wait = self.source.wait(Direction::Write);
        Ready { wait }
    }

    /// Runs a reading operation, again after each event while it says `WouldBlock`.
    ///
    /// `op` is called when the future is first polled, and must not block. It should make one
    /// read until `WouldBlock` or success, not a loop of several that drops what it has read.
    /// `Interrupted` is retried at once.
    ///
    /// # Errors
    /// Those of `op` but `WouldBlock` and `Interrupted`, and those of
    /// [`readable`](AsyncFd::readable).
    ///
    /// # Cancel safety
    /// **Strict**, if `op` is one operation: what it returns comes out of the same poll.
    ///
    /// # asyncio
    /// `loop.sock_recv` and its kin.
    pub fn read_with<F, R>(&self, op: F) -> TryIo<'_, T, F>
    where
        F: FnMut(&T) -> io::Result<R>,
    {
        self.with(Direction::Read, op)
    }

    /// Runs a writing operation, again after each event while it says `WouldBlock`.
    ///
    /// As [`read_with`](AsyncFd::read_with) in everything else.
    ///
    /// # Errors
    /// As [`read_with`](AsyncFd::read_with).
    ///
    /// # Cancel safety
    /// **Strict**, if `op` is one operation.
    ///
    /// # asyncio
    /// `loop.sock_sendto` and its kin.
    pub fn write_with<F, R>(&self, op: F) -> TryIo<'_, T, F>
    where
        F: FnMut(&T) -> io::Result<R>,
    {
        self.with(Direction::Write, op)
    }

    fn with<F>(&self, direction: Direction, op: F) -> TryIo<'_, T, F> {
        TryIo {
            wait: self.source.wait(direction),
            object: &self.object,
            op,
        }
    }
}

impl<T: AsFd> AsFd for AsyncFd<T> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.object.as_fd()
    }
}

impl<T: AsFd + Debug> Debug for AsyncFd<T> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_tuple("AsyncFd").field(&self.object).finish()
    }
}

/// The future of [`AsyncFd::readable`] and [`AsyncFd::writable`].
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct Ready<'a> {
    wait: Wait<'a>,
}

impl Future for Ready<'_> {
    type Output = io::Result<()>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.wait.poll_ready(cx)
    }
}

/// The future of [`AsyncFd::read_with`] and [`AsyncFd::write_with`].
#[must_use = "futures do nothing unless awaited"]
pub struct TryIo<'a, T, F> {
    wait: Wait<'a>,
    object: &'a T,
    op: F,
}

/// No field is ever pinned, the operation included: it is called, not polled.
impl<T, F> Unpin for TryIo<'_, T, F> {}

impl<T, F, R> Future for TryIo<'_, T, F>
where
    F: FnMut(&T) -> io::Result<R>,
{
    type Output = io::Result<R>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<R>> {
        let TryIo { wait, object, op } = &mut *self;
        wait.poll_io(cx, |_fd| op(object))
    }
}

impl<T, F> Debug for TryIo<'_, T, F> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("TryIo").finish_non_exhaustive()
    }
}
