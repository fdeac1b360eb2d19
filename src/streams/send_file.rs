//! [`SendFile`]: from a file into the connection, without passing through this process.
//!
//! # Not here
//! Files that the system cannot send that way are read into the writer's unsent bytes, as a copy
//! does it.

use std::future::Future;
use std::io::{self, ErrorKind};
use std::os::fd::{AsRawFd, BorrowedFd};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use super::buffer::{BLOCK, LARGE_BLOCK};
use super::outlet::Outlet;
use crate::sys::transfer;

/// What one call sends: the loop stands still while the disk is read.
const PIECE: usize = LARGE_BLOCK;
/// Calls that one poll makes before it lets others run.
const CALLS_A_POLL: usize = 4;

/// The future of [`StreamWriter::send_file`](super::StreamWriter::send_file).
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct SendFile<'a> {
    to: Outlet<'a>,
    file: BorrowedFd<'a>,
    offset: u64,
    wanted: u64,
    /// How much of it the system or the writer has.
    taken: u64,
    /// sendfile(2) refuses this file.
    reads: bool,
}

impl<'a> SendFile<'a> {
    pub(super) fn new(
        to: Outlet<'a>,
        file: BorrowedFd<'a>,
        offset: u64,
        wanted: u64,
    ) -> SendFile<'a> {
        SendFile {
            to,
            file,
            offset,
            wanted,
            taken: 0,
            reads: false,
        }
    }

    /// How many bytes of the file the system has taken so far: also after an error.
    pub fn sent(&self) -> u64 {
        self.to.sent()
    }

    /// Moves a piece; 0 is the end of the file.
    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let left = usize::try_from(self.wanted - self.taken).unwrap_or(usize::MAX);
        let (file, from) = (
            self.file.as_raw_fd(),
            self.offset.saturating_add(self.taken),
        );
        if !self.reads {
            let piece = left.min(PIECE);
            let call = |to| transfer::sendfile(to, file, from, piece);
            match ready!(self.to.wait.poll_io(cx, call)) {
                Err(error) if transfer::cannot_sendfile(&error) => self.reads = true,
                result => {
                    self.to.connection.note_sent(*result.as_ref().unwrap_or(&0));
                    return Poll::Ready(result);
                }
            }
        }
        let read = self.to.connection.fill_unsent(|unsent| {
            let room = unsent.whole_room(if left > BLOCK { LARGE_BLOCK } else { BLOCK });
            let length = left.min(room.len());
            let n = transfer::pread(file, &mut room[..length], from)?;
            unsent.filled(n);
            Ok(n)
        });
        Poll::Ready(read)
    }

    fn ended_early(&self) -> io::Error {
        let (taken, wanted) = (self.taken, self.wanted);
        let message =
            format!("the file ended after {taken} of {wanted} bytes that were to be sent");
        io::Error::new(ErrorKind::UnexpectedEof, message)
    }
}

impl Future for SendFile<'_> {
    type Output = io::Result<()>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        for _ in 0..CALLS_A_POLL {
            ready!(this.to.poll_empty(cx))?;
            if this.taken == this.wanted {
                return Poll::Ready(Ok(()));
            }
            match ready!(this.poll_piece(cx))? {
                0 => return Poll::Ready(Err(this.ended_early())),
                n => this.taken += n as u64,
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}
