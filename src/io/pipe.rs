//! The two ends of a pipe, and every other descriptor through which bytes flow one way.
//!
//! Both are thin objects over a [`Source`], like the sockets: plain data that belongs to no
//! loop before it has to wait. A pipe is read until `EAGAIN`, never until a short read: the
//! kernel ends a read at the mark of a packet-mode writer, a terminal ends it at each line, and
//! neither announces what lies behind again.
//!
//! # Invariants
//! - **Non-blocking**: the descriptor is in non-blocking mode, whoever made it.
//! - **Pollable**: it is not a file on a disk, where that mode does nothing.
//!
//! # Cost
//! An operation that is ready is one system call. A pipe is one call for both ends.
//!
//! # Not here
//! The futures (`ops`). Buffers and lines (`streams`).

use std::fmt::{self, Debug, Formatter};
use std::io::{self, IoSlice, IoSliceMut};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use super::descriptor::{descriptor, refuse_files};
use super::{Read, ReadExact, ReadToEnd, ReadVectored, Write, WriteAll, WriteVectored, terminal};
use crate::kernel::source::{Kind, Source};
use crate::sys::pipe as calls;

/// Makes a pipe: what is written into one end comes out of the other.
///
/// The system holds 64 KiB between them, unless told otherwise; then a write waits. A child
/// process inherits neither end: give it one with
/// [`into_blocking_fd`](PipeReader::into_blocking_fd).
///
/// # Errors
/// Those of pipe2(2): no descriptor is free (`EMFILE`), for example.
///
/// # asyncio
/// None; `os.pipe` with `connect_read_pipe` and `connect_write_pipe`.
///
/// # Examples
/// ```
/// petla::run(async {
///     let (reader, writer) = petla::io::pipe()?;
///     writer.write_all(b"through the pipe").await?;
///     drop(writer);
///     let mut all = Vec::new();
///     reader.read_to_end(&mut all).await?;
///     assert_eq!(all, b"through the pipe");
///     std::io::Result::Ok(())
/// })?;
/// # std::io::Result::Ok(())
/// ```
pub fn pipe() -> io::Result<(PipeReader, PipeWriter)> {
    let (reader, writer) = calls::pipe()?;
    let source = |fd| Source::new(fd, Kind::File);
    let reader = PipeReader {
        source: source(reader),
    };
    let writer = PipeWriter {
        source: source(writer),
    };
    Ok((reader, writer))
}

/// The end of a pipe, FIFO, terminal, device or socket that is read.
///
/// All operations take `&self`. Dropping it closes the descriptor; whoever writes into the
/// pipe then gets `BrokenPipe`.
///
/// # asyncio
/// `loop.connect_read_pipe`, without a protocol.
#[doc(alias = "Receiver")]
pub struct PipeReader {
    pub(crate) source: Source,
}

impl PipeReader {
    /// Takes over a descriptor: of a pipe, a FIFO, a character device, a pty, a socket.
    ///
    /// `fd` is an `OwnedFd`, or a `ChildStdout`, a `File`, anything that turns into one. It is set
    /// to non-blocking mode, **and so are its duplicates**: the mode belongs to the open file
    /// description, which other processes may share. A terminal is opened anew instead, for
    /// the shell and whoever else uses it must not find it in that mode.
    ///
    /// # Errors
    /// - `Unsupported`: it is a regular file, a directory or a disk, which are always ready, also
    ///   when reading them takes long: read those with [`fs`](crate::fs).
    /// - `InvalidInput`: it is not open for reading.
    /// - `EBADF` and others of fcntl(2); for a terminal those of open(2): a program that changed
    ///   its user may not be allowed to.
    ///
    /// The descriptor is closed then: give a `try_clone()` of it to keep it.
    ///
    /// # Examples
    /// ```
    /// use petla::io::PipeReader;
    /// use std::io::Write;
    ///
    /// petla::run(async {
    ///     let (reader, mut writer) = std::io::pipe()?;
    ///     let reader = PipeReader::from_fd(reader)?;
    ///     writer.write_all(b"hello")?;
    ///     drop(writer);
    ///     let mut text = Vec::new();
    ///     reader.read_to_end(&mut text).await?;
    ///     assert_eq!(text, b"hello");
    ///     std::io::Result::Ok(())
    /// })?;
    /// # std::io::Result::Ok(())
    /// ```
    pub fn from_fd(fd: impl Into<OwnedFd>) -> io::Result<PipeReader> {
        let source = adopt(fd.into(), |access| access.read, "reading")?;
        Ok(PipeReader { source })
    }

    /// Reads what is there, at least one byte, and says how many bytes.
    ///
    /// 0 means that nobody can write into the pipe any more; an empty buffer is 0 at once too.
    /// A FIFO whose first writer has yet to come is at its end as well.
    ///
    /// # Errors
    /// Those of read(2): the end of a pty's master is `EIO`, for example. No loop runs here, or
    /// the object has waited on another loop before.
    ///
    /// # Cancel safety
    /// **Strict.** A future that is dropped has read nothing.
    pub fn read<'a>(&'a self, buf: &'a mut [u8]) -> Read<'a> {
        Read::new(&self.source, buf)
    }

    /// Reads into several buffers, each filled before the next (at most 1024 of them).
    ///
    /// # Errors
    /// As [`read`](PipeReader::read).
    ///
    /// # Cancel safety
    /// **Strict.**
    pub fn read_vectored<'a, 'b>(&'a self, bufs: &'a mut [IoSliceMut<'b>]) -> ReadVectored<'a, 'b> {
        ReadVectored::new(&self.source, bufs)
    }

    /// Reads until the buffer is full.
    ///
    /// # Errors
    /// `UnexpectedEof` if the pipe ends before; the message says after how many bytes. Else as
    /// [`read`](PipeReader::read).
    ///
    /// # Cancel safety
    /// **Loses data**: the bytes read so far are in the buffer; [`ReadExact::filled`] counts them.
    pub fn read_exact<'a>(&'a self, buf: &'a mut [u8]) -> ReadExact<'a> {
        ReadExact::new(&self.source, buf)
    }

    /// Reads to the end, behind what `into` holds already, and says how many bytes came.
    ///
    /// There is no limit to how many: read in pieces what you do not trust.
    ///
    /// # Errors
    /// As [`read`](PipeReader::read); what came before the error is in `into`.
    ///
    /// # Cancel safety
    /// **Strict.** What was read stays in `into`, and the next call goes on behind it. It returns
    /// how many bytes came since that call.
    pub fn read_to_end<'a>(&'a self, into: &'a mut Vec<u8>) -> ReadToEnd<'a> {
        ReadToEnd::new(&self.source, into)
    }

    /// Gives the descriptor up, **still in non-blocking mode**.
    pub fn into_fd(self) -> OwnedFd {
        self.source.into_fd()
    }

    /// Gives the descriptor up in blocking mode, as programs expect of their standard input.
    ///
    /// The mode belongs to the open file description: duplicates of the descriptor block from
    /// now on too. The ends of a pipe do not share one.
    ///
    /// # Errors
    /// Those of setting the mode; the descriptor is closed then.
    pub fn into_blocking_fd(self) -> io::Result<OwnedFd> {
        blocking(self.into_fd())
    }
}

/// The end of a pipe, FIFO, terminal, device or socket that is written.
///
/// All operations take `&self`. Dropping it closes the descriptor; the last writer's close is
/// the end for those who read.
///
/// # asyncio
/// `loop.connect_write_pipe`, without a protocol.
#[doc(alias = "Sender")]
pub struct PipeWriter {
    pub(crate) source: Source,
}

impl PipeWriter {
    /// Takes over a descriptor, as [`PipeReader::from_fd`] does.
    ///
    /// # Errors
    /// `InvalidInput` if it is not open for writing; else as [`PipeReader::from_fd`].
    pub fn from_fd(fd: impl Into<OwnedFd>) -> io::Result<PipeWriter> {
        let source = adopt(fd.into(), |access| access.write, "writing")?;
        Ok(PipeWriter { source })
    }

    /// Writes as much as the pipe takes, at least one byte, and says how many bytes.
    ///
    /// Up to 4096 bytes go into a pipe together or not at all, so several writers do not
    /// mix their lines.
    ///
    /// # Errors
    /// `BrokenPipe` when nobody can read any more. Rust programs ignore SIGPIPE, which would
    /// come with it and end the process: one that has restored the signal's default dies here.
    /// Others of write(2); no loop runs here, or the object has waited on another loop before.
    ///
    /// # Cancel safety
    /// **Strict.** A future that is dropped has written nothing.
    pub fn write<'a>(&'a self, buf: &'a [u8]) -> Write<'a> {
        Write::new(&self.source, buf)
    }

    /// Writes from several buffers, in their order (at most 1024 of them).
    ///
    /// # Errors
    /// As [`write`](PipeWriter::write).
    ///
    /// # Cancel safety
    /// **Strict.**
    pub fn write_vectored<'a>(&'a self, bufs: &'a [IoSlice<'a>]) -> WriteVectored<'a> {
        WriteVectored::new(&self.source, bufs)
    }

    /// Writes the whole buffer.
    ///
    /// # Errors
    /// As [`write`](PipeWriter::write), after an unknown part was written.
    ///
    /// # Cancel safety
    /// **Loses data**: a part may be written; [`WriteAll::written`] counts it.
    pub fn write_all<'a>(&'a self, buf: &'a [u8]) -> WriteAll<'a> {
        WriteAll::new(&self.source, buf)
    }

    /// Gives the descriptor up, **still in non-blocking mode**.
    pub fn into_fd(self) -> OwnedFd {
        self.source.into_fd()
    }

    /// Gives the descriptor up in blocking mode, as programs expect of their standard output.
    /// See [`PipeReader::into_blocking_fd`].
    ///
    /// # Errors
    /// Those of setting the mode; the descriptor is closed then.
    pub fn into_blocking_fd(self) -> io::Result<OwnedFd> {
        blocking(self.into_fd())
    }
}

/// Keeps **Pollable** and **Non-blocking**.
fn adopt(
    fd: OwnedFd,
    fits: impl FnOnce(calls::Access) -> bool,
    purpose: &str,
) -> io::Result<Source> {
    let raw = fd.as_raw_fd();
    refuse_files(raw)?;
    if !fits(calls::access(raw)?) {
        let message = format!("the descriptor is not open for {purpose}: open it with that mode");
        return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
    }
    if terminal::is_shared(fd.as_fd()) {
        return Ok(Source::new(terminal::open_own(fd.as_fd())?, Kind::File));
    }
    calls::set_nonblocking(raw, true)?;
    Ok(Source::adopted(fd, Kind::File))
}

fn blocking(fd: OwnedFd) -> io::Result<OwnedFd> {
    calls::set_nonblocking(fd.as_raw_fd(), false)?;
    Ok(fd)
}

macro_rules! end {
    ($end:ident) => {
        impl Debug for $end {
            fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
                let fd = self.source.as_raw();
                f.debug_struct(stringify!($end)).field("fd", &fd).finish()
            }
        }

        descriptor!($end);
    };
}

end!(PipeReader);
end!(PipeWriter);
