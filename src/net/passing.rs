//! Passing descriptors through a Unix socket, and asking who is at the other end.
//!
//! A message may carry duplicates of descriptors beside its bytes (`SCM_RIGHTS`, unix(7)). They
//! are handed over with the first of the bytes. Those that are more than the receiver asked for
//! are closed, and it is told.
//!
//! # Cost
//! One system call a message.
//!
//! # Not here
//! The layout of control messages (`sys::ancillary`).

use std::future::Future;
use std::io::{self, ErrorKind};
use std::os::fd::{BorrowedFd, OwnedFd, RawFd};
use std::pin::Pin;
use std::task::{Context, Poll};

use super::datagram::{Patience, Received};
use crate::kernel::source::{Direction, Source, Wait};
use crate::sys::ancillary;

/// How the bytes of a socket are divided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flow {
    Stream,
    Datagrams,
}

/// The future of [`UnixStream::send_with_fds`](super::UnixStream::send_with_fds) and
/// [`UnixDatagram::send_with_fds`](super::UnixDatagram::send_with_fds).
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct SendWithFds<'a> {
    wait: Wait<'a>,
    data: &'a [u8],
    fds: &'a [BorrowedFd<'a>],
    flow: Flow,
    patience: Patience,
}

impl<'a> SendWithFds<'a> {
    pub(super) fn new(
        source: &'a Source,
        data: &'a [u8],
        fds: &'a [BorrowedFd<'a>],
        flow: Flow,
    ) -> SendWithFds<'a> {
        SendWithFds {
            wait: source.wait(Direction::Write),
            data,
            fds,
            flow,
            patience: Patience::new(),
        }
    }
}

impl Future for SendWithFds<'_> {
    type Output = io::Result<usize>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let SendWithFds {
            wait,
            data,
            fds,
            flow,
            patience,
        } = &mut *self;
        if *flow == Flow::Stream && data.is_empty() {
            return Poll::Ready(Err(nothing("send at least one byte")));
        }
        patience.poll_send(wait, cx, |fd| ancillary::send(fd, data, fds))
    }
}

/// The future of [`UnixStream::recv_with_fds`](super::UnixStream::recv_with_fds) and
/// [`UnixDatagram::recv_with_fds`](super::UnixDatagram::recv_with_fds).
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct RecvWithFds<'a> {
    wait: Wait<'a>,
    buf: &'a mut [u8],
    max: usize,
    flow: Flow,
}

impl<'a> RecvWithFds<'a> {
    pub(super) fn new(
        source: &'a Source,
        buf: &'a mut [u8],
        max: usize,
        flow: Flow,
    ) -> RecvWithFds<'a> {
        RecvWithFds {
            wait: source.wait(Direction::Read),
            buf,
            max,
            flow,
        }
    }
}

impl Future for RecvWithFds<'_> {
    type Output = io::Result<(Received, Vec<OwnedFd>)>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let RecvWithFds {
            wait,
            buf,
            max,
            flow,
        } = &mut *self;
        if *flow == Flow::Stream && buf.is_empty() {
            return Poll::Ready(Err(nothing("make room for at least one byte")));
        }
        wait.poll_io(cx, |fd| {
            let message = ancillary::receive(fd, buf, *max, *flow == Flow::Datagrams)?;
            let mut received = Received::new(message.len, buf.len());
            received.lost_fds = message.lost_fds;
            Ok((received, message.fds))
        })
    }
}

/// A stream hands descriptors over with a byte, and has no messages without any.
fn nothing(advice: &str) -> io::Error {
    let message = format!("descriptors go along with the bytes of a stream: {advice}");
    io::Error::new(ErrorKind::InvalidInput, message)
}

/// Who made the other end of a connection, as that process was then: for a listener's client,
/// when it connected; for its server, when it called `listen`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[doc(alias = "UCred")]
#[non_exhaustive]
pub struct PeerCred {
    /// The process, if it is visible from here (in the same or an inner PID namespace). The
    /// number may be another process's by now.
    pub pid: Option<i32>,
    /// Its effective user.
    pub uid: u32,
    /// Its effective group.
    pub gid: u32,
}

impl PeerCred {
    pub(super) fn of(fd: RawFd) -> io::Result<PeerCred> {
        let (pid, uid, gid) = ancillary::peer_credentials(fd)?;
        let pid = (pid > 0).then_some(pid);
        Ok(PeerCred { pid, uid, gid })
    }
}
