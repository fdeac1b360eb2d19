//! Sending and receiving datagrams: the futures that UDP and Unix datagram sockets share.
//!
//! A datagram is moved whole or not at all, so each future is one system call that succeeds
//! once. A buffer that is too short loses the rest of the datagram, which is said in
//! [`Received`]; it is no error, for the peer could end a careless server by it.
//!
//! ```text
//!   sendto ── sent ───────────────────────────────────────────► Ready
//!      └── EAGAIN ─┬─ own buffer full ──► wait until writable ─► sendto
//!                  └─ receiver's queue full (Unix) ──► sleep ──► sendto
//! ```
//!
//! A Unix datagram may be refused because the *receiver's* queue is full. The kernel tells a
//! socket that is connected to that receiver when there is room. Any other counts as writable all
//! the time, and each refusal is a new event, because it gives the buffer of its datagram back:
//! to wait for events would be to spin. So a socket that is writable and was refused sleeps.
//!
//! # Cost
//! One system call a datagram. No allocation.
//!
//! # Not here
//! Several datagrams in one call; descriptors (`passing`).

use std::fmt::{self, Debug, Formatter};
use std::future::Future;
use std::io::{self, ErrorKind};
use std::os::fd::RawFd;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use super::pauses::Pauses;
use crate::kernel::source::{Direction, Source, Wait};
use crate::sys::datagram::{self, Receive};
use crate::sys::epoll::poll_now;
use crate::sys::socket::Address;

/// The pauses while a receiver's queue is full; as for a full queue of connections.
const PAUSE_MIN: Duration = Duration::from_millis(1);
const PAUSE_MAX: Duration = Duration::from_millis(100);

/// How much of a datagram, or of a message with descriptors, has come.
///
/// `&buf[..received.len]` are the data. A datagram that was longer than the buffer is cut, and
/// the rest is gone: [`is_truncated`](Received::is_truncated) says so.
///
/// # asyncio
/// `loop.sock_recvfrom` cuts without a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Received {
    /// How many bytes of the buffer were filled.
    pub len: usize,
    /// How long the datagram was when it was sent: a buffer that takes it whole.
    pub full_len: usize,
    /// Whether more descriptors came along than `recv_with_fds` was told to take: those are closed
    /// now. The other operations take none, close all, and do not say so.
    pub lost_fds: bool,
}

impl Received {
    /// `full` bytes came for a buffer of `room`.
    pub(super) fn new(full: usize, room: usize) -> Received {
        Received {
            len: full.min(room),
            full_len: full,
            lost_fds: false,
        }
    }

    /// Whether the buffer was too short, and a part of the datagram is lost.
    pub fn is_truncated(self) -> bool {
        self.full_len > self.len
    }
}

/// Makes the outcome of a receive: what has come, and from whom.
pub(super) type Finish<T> = fn(Received, Address) -> io::Result<T>;

pub(super) fn without_sender(received: Received, _from: Address) -> io::Result<Received> {
    Ok(received)
}

/// The future of `recv`, `recv_from`, `peek` and `peek_from` of the datagram sockets.
#[must_use = "futures do nothing unless awaited"]
pub struct Recv<'a, T = Received> {
    wait: Wait<'a>,
    buf: &'a mut [u8],
    how: Receive,
    finish: Finish<T>,
}

impl<'a, T> Recv<'a, T> {
    pub(super) fn new(
        source: &'a Source,
        buf: &'a mut [u8],
        how: Receive,
        finish: Finish<T>,
    ) -> Recv<'a, T> {
        Recv {
            wait: source.wait(Direction::Read),
            buf,
            how,
            finish,
        }
    }
}

impl<T> Future for Recv<'_, T> {
    type Output = io::Result<T>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<T>> {
        let Recv {
            wait,
            buf,
            how,
            finish,
        } = &mut *self;
        wait.poll_io(cx, |fd| receive(fd, buf, *how, *finish))
    }
}

impl<T> Debug for Recv<'_, T> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct("Recv");
        out.field("room", &self.buf.len()).field("how", &self.how);
        out.finish_non_exhaustive()
    }
}

/// One receive that never waits.
pub(super) fn try_recv<T>(source: &Source, buf: &mut [u8], finish: Finish<T>) -> io::Result<T> {
    source.try_io(Direction::Read, |fd| {
        receive(fd, buf, Receive::Take, finish)
    })
}

fn receive<T>(fd: RawFd, buf: &mut [u8], how: Receive, finish: Finish<T>) -> io::Result<T> {
    let (full, from) = datagram::receive(fd, buf, how)?;
    finish(Received::new(full, buf.len()), from)
}

/// The future of `send` and `send_to` of the datagram sockets.
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct SendDatagram<'a> {
    wait: Wait<'a>,
    data: &'a [u8],
    target: Option<Address>,
    /// Why there is no such target; told by the first poll.
    refused: Option<io::Error>,
    patience: Patience,
}

impl<'a> SendDatagram<'a> {
    pub(super) fn new(
        source: &'a Source,
        data: &'a [u8],
        target: Option<Address>,
    ) -> SendDatagram<'a> {
        SendDatagram {
            wait: source.wait(Direction::Write),
            data,
            target,
            refused: None,
            patience: Patience::new(),
        }
    }

    pub(super) fn checked(
        source: &'a Source,
        data: &'a [u8],
        target: io::Result<Address>,
    ) -> SendDatagram<'a> {
        let (target, refused) = match target {
            Ok(target) => (Some(target), None),
            Err(error) => (None, Some(error)),
        };
        SendDatagram {
            refused,
            ..SendDatagram::new(source, data, target)
        }
    }
}

impl Future for SendDatagram<'_> {
    type Output = io::Result<usize>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        if let Some(error) = self.refused.take() {
            return Poll::Ready(Err(error));
        }
        let SendDatagram {
            wait,
            data,
            target,
            patience,
            ..
        } = &mut *self;
        patience.poll_send(wait, cx, |fd| datagram::send(fd, data, target.as_ref()))
    }
}

/// One send that never waits.
pub(super) fn try_send(source: &Source, data: &[u8], target: Option<Address>) -> io::Result<usize> {
    source.try_io(Direction::Write, |fd| {
        datagram::send(fd, data, target.as_ref())
    })
}

/// What a send does when it is refused: it waits for an event, or sleeps where none will come.
#[derive(Debug)]
pub(super) struct Patience(Pauses);

impl Patience {
    pub(super) fn new() -> Patience {
        Patience(Pauses::from(PAUSE_MIN))
    }

    pub(super) fn poll_send(
        &mut self,
        wait: &mut Wait<'_>,
        cx: &mut Context<'_>,
        mut send: impl FnMut(RawFd) -> io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        loop {
            ready!(self.0.poll(cx))?;
            let sent = ready!(wait.poll_io(cx, |fd| match send(fd) {
                Err(error) if error.kind() == ErrorKind::WouldBlock && poll_now(fd, true)? =>
                    Ok(None),
                result => result.map(Some),
            }))?;
            if let Some(n) = sent {
                return Poll::Ready(Ok(n));
            }
            self.0.begin(PAUSE_MAX);
        }
    }
}
