//! [`Connection`]: the link that a reader and a writer share, and what is still to be sent.
//!
//! A write sends at once what the socket takes. If something is left, a *flusher* is spawned: a
//! task that sends the rest and ends. So bytes leave without anybody waiting for them, as in
//! asyncio, and a connection whose peer keeps up never has a task. Whoever waits (`drain`,
//! `wait_closed`) sends as well: both are woken by the same event, and the first one sends. So
//! a wait needs no flusher, and works while the loop closes and spawns nothing any more.
//!
//! ```text
//!   write ──► socket ──full──► unsent ──► socket        nothing unsent and ..
//!                               ▲    flusher, drain     .. eof wanted: shutdown(Write)
//!                               └─ later writes         .. closed: shutdown(Both)
//! ```
//!
//! # Invariants
//! - **In order**: a write goes to the socket only when nothing is unsent.
//! - **Told**: bytes that were accepted and cannot be sent are an error of every later `drain` and
//!   `wait_closed`, or if there is none, one report.
//! - **No borrow outside**: no borrow of `out` lives while a task is spawned, whose future may be
//!   dropped at once, while a wait clones its waker, while the link is ended, which wakes, or while
//!   something is reported.
//!
//! # Not here
//! Waiting (`writer`); receiving (`input`).

use std::cell::{Cell, RefCell};
use std::fmt::{self, Debug, Formatter};
use std::future;
use std::io::{self, ErrorKind, IoSlice};
use std::net::Shutdown;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use super::buffer::Buffer;
use super::error::again;
use super::link::Link;
use super::server::Seat;
use crate::io::ops::{CALLS_A_POLL, try_write, try_write_vectored};
use crate::kernel::source::{Direction, Source, Tried, Wait};
use crate::kernel::{self, Kernel};
use crate::task::report;

/// asyncio's marks.
const HIGH: usize = 64 << 10;
const LOW: usize = 16 << 10;

/// See the module.
pub(super) struct Connection {
    link: Link,
    out: RefCell<Out>,
    /// If it is a server's.
    seat: Cell<Option<Seat>>,
}

#[derive(Debug)]
struct Out {
    unsent: Buffer,
    /// How many bytes the system took.
    sent: u64,
    high: usize,
    low: usize,
    /// What is to come when nothing is unsent.
    wanted: End,
    /// What came already.
    done: End,
    failure: Option<io::Error>,
    /// Something was written after the end.
    refused: bool,
    /// Somebody got the error, or nobody can.
    told: bool,
    /// A flusher is there.
    flushing: bool,
    /// The writer was dropped.
    orphan: bool,
}

/// How far the sending direction is ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum End {
    Open,
    /// The peer reads the end of the stream.
    Eof,
    /// Receiving ends as well.
    Closed,
}

impl Connection {
    pub(super) fn new(link: Link) -> Rc<Connection> {
        let out = Out {
            unsent: Buffer::default(),
            sent: 0,
            high: HIGH,
            low: LOW,
            wanted: End::Open,
            done: End::Open,
            failure: None,
            refused: false,
            told: false,
            flushing: false,
            orphan: false,
        };
        Rc::new(Connection {
            link,
            out: RefCell::new(out),
            seat: Cell::new(None),
        })
    }

    pub(super) fn link(&self) -> &Link {
        &self.link
    }

    pub(super) fn source(&self) -> &Source {
        self.link.source()
    }

    /// Counts it among the clients of a server, as long as it lives.
    pub(super) fn seat(&self, seat: Seat) {
        self.seat.set(Some(seat));
    }

    /// Counts it no more.
    pub(super) fn unseat(&self) -> Option<Seat> {
        self.seat.take()
    }

    pub(super) fn unsent(&self) -> usize {
        self.out.borrow().unsent.len()
    }

    /// How many bytes the system took so far.
    pub(super) fn sent(&self) -> u64 {
        self.out.borrow().sent
    }

    pub(super) fn is_closing(&self) -> bool {
        self.out.borrow().wanted == End::Closed
    }

    pub(super) fn set_marks(&self, high: usize, low: usize) {
        let mut out = self.out.borrow_mut();
        (out.high, out.low) = (high, low);
    }

    /// The marks above which `drain` waits, and down to which.
    pub(super) fn marks(&self) -> (usize, usize) {
        let out = self.out.borrow();
        (out.high, out.low)
    }

    /// Sends what the socket takes at once, and keeps the rest.
    pub(super) fn write(self: &Rc<Self>, data: &[u8]) {
        let wait = &mut self.source().wait(Direction::Write);
        self.out.borrow_mut().write(wait, data);
        self.flush();
    }

    /// The same for several pieces, in their order.
    pub(super) fn write_vectored(self: &Rc<Self>, pieces: &[IoSlice<'_>]) {
        let wait = &mut self.source().wait(Direction::Write);
        self.out.borrow_mut().write_vectored(wait, pieces);
        self.flush();
    }

    /// Can more be sent?
    pub(super) fn check_open(&self) -> io::Result<()> {
        let mut out = self.out.borrow_mut();
        out.verdict()?;
        if out.wanted != End::Open {
            let message = "this writer is closed: nothing more can be sent";
            return Err(io::Error::new(ErrorKind::BrokenPipe, message));
        }
        Ok(())
    }

    /// Lets `fill` put bytes where those are that are to be sent; there are none now. They are
    /// sent by `poll_send`, or after `flush`.
    pub(super) fn fill_unsent<R>(&self, fill: impl FnOnce(&mut Buffer) -> R) -> R {
        let mut out = self.out.borrow_mut();
        let filled = fill(&mut out.unsent);
        out.unsent.release();
        filled
    }

    /// Counts bytes that were sent past the buffer.
    pub(super) fn note_sent(&self, n: usize) {
        self.out.borrow_mut().sent += n as u64;
    }

    /// Ends the sending direction as soon as nothing is unsent.
    pub(super) fn end(self: &Rc<Self>, how: End) {
        let end = {
            let mut out = self.out.borrow_mut();
            out.wanted = out.wanted.max(how);
            out.end()
        };
        self.shut(end);
        self.flush();
    }

    /// Throws away what is unsent, and resets the connection.
    pub(super) fn abort(&self) {
        let end = {
            let mut out = self.out.borrow_mut();
            out.wanted = End::Closed;
            out.fail(io::Error::new(
                ErrorKind::ConnectionAborted,
                "this connection was aborted",
            ));
            out.told = true;
            out.end()
        };
        self.link.reset();
        self.shut(end);
    }

    /// Ends what is to be ended now; who waits for the link may be woken.
    fn shut(&self, end: Option<Shutdown>) {
        if let Some(how) = end {
            self.link.shutdown(how);
        }
    }

    /// Whether reader and writer have it to themselves, with nothing unsent and nothing ended.
    pub(super) fn is_whole(self: &Rc<Self>) -> bool {
        let out = self.out.borrow();
        let open = out.wanted == End::Open && out.failure.is_none();
        open && out.unsent.is_empty() && Rc::strong_count(self) == 2
    }

    /// The halves may be dropped: that ends nothing any more.
    pub(super) fn let_go(&self) {
        self.out.borrow_mut().done = End::Closed;
    }

    pub(super) fn into_link(self) -> Link {
        self.link
    }

    /// The writer is gone: whatever goes wrong from now on nobody asks for.
    pub(super) fn orphan(self: &Rc<Self>) {
        self.out.borrow_mut().orphan = true;
        if Rc::strong_count(self) > 1 || self.unsent() > 0 {
            self.end(End::Eof);
        }
        if !self.out.borrow().flushing {
            self.report();
        }
    }

    /// What became of the bytes so far. An error counts as told.
    pub(super) fn verdict(&self) -> io::Result<()> {
        self.out.borrow_mut().verdict()
    }

    /// Sees to it that what is unsent is sent by itself; false if no loop can do that.
    pub(super) fn flush(self: &Rc<Self>) -> bool {
        {
            let mut out = self.out.borrow_mut();
            if out.unsent.is_empty() || out.flushing {
                return true;
            }
            if !Kernel::runs_here() {
                return false;
            }
            out.flushing = true;
        }
        let flusher = Flusher(Rc::clone(self));
        // On a loop that closes, this drops the future at once.
        let task = kernel::spawn(async move {
            let mut wait = flusher.0.source().wait(Direction::Write);
            // The error is kept in the connection.
            let _ = future::poll_fn(|cx| flusher.0.poll_send(&mut wait, cx, 0)).await;
        });
        task.named("petla: sends what a peer was too slow for")
            .detach();
        self.out.borrow().flushing
    }

    /// Sends until at most `rest` bytes are unsent.
    pub(super) fn poll_send(
        &self,
        wait: &mut Wait<'_>,
        cx: &mut Context<'_>,
        rest: usize,
    ) -> Poll<io::Result<()>> {
        for _ in 0..CALLS_A_POLL {
            let tried = {
                let out = self.out.borrow();
                if out.failure.is_some() || out.unsent.len() <= rest {
                    return Poll::Ready(Ok(()));
                }
                try_write(wait, out.unsent.data())
            };
            match ready!(wait.or_park(cx, tried)) {
                Ok(n) => {
                    let end = self.out.borrow_mut().sent(n);
                    self.shut(end);
                }
                Err(error) if error.raw_os_error().is_some() => self.out.borrow_mut().fail(error),
                // "No loop runs here" and the like: the bytes stay.
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Says once that accepted bytes are lost and nobody will ask.
    fn report(&self) {
        let (lost, error) = {
            let mut out = self.out.borrow_mut();
            let lost = out.unsent.len();
            out.unsent = Buffer::default();
            let error = out.verdict_once().or_else(|| {
                let message = format!("{lost} bytes: await `wait_closed` before the loop ends");
                (lost > 0).then(|| io::Error::other(message))
            });
            (lost, error)
        };
        if let Some(error) = error {
            let message = match lost {
                0 => "a StreamWriter could not send everything, and nobody asked",
                _ => "a StreamWriter was dropped with bytes that cannot be sent any more",
            };
            report::report(message, None, Some(&error));
        }
    }
}

impl Debug for Connection {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("link", &self.link)
            .field("out", &self.out)
            .finish_non_exhaustive()
    }
}

impl Out {
    fn write(&mut self, wait: &mut Wait<'_>, data: &[u8]) {
        if !data.is_empty()
            && self.takes()
            && let Some(sent) = self.send(|| try_write(wait, data))
            && sent < data.len()
        {
            self.unsent.append(&data[sent..]);
        }
    }

    fn write_vectored(&mut self, wait: &mut Wait<'_>, pieces: &[IoSlice<'_>]) {
        if pieces.iter().all(|piece| piece.is_empty()) || !self.takes() {
            return;
        }
        let Some(mut sent) = self.send(|| try_write_vectored(wait, pieces)) else {
            return;
        };
        for piece in pieces {
            let gone = sent.min(piece.len());
            sent -= gone;
            if gone < piece.len() {
                self.unsent.append(&piece[gone..]);
            }
        }
    }

    /// Whether more may be written. Notes it if it comes too late.
    fn takes(&mut self) -> bool {
        let ended = self.wanted != End::Open;
        if ended && self.failure.is_none() {
            self.refused = true;
            self.told = false;
        }
        !ended && self.failure.is_none()
    }

    /// How much a call that sends at once has sent, if it may be made; `None` if the connection
    /// is lost.
    fn send(&mut self, call: impl FnOnce() -> Tried<usize>) -> Option<usize> {
        if !self.unsent.is_empty() {
            return Some(0);
        }
        match call() {
            Ok(tried) => {
                let n = tried.unwrap_or(0);
                self.sent += n as u64;
                Some(n)
            }
            Err(error) if error.raw_os_error().is_some() => {
                self.fail(error);
                None
            }
            // Not on its loop: whoever waits for the bytes will be told.
            Err(_) => Some(0),
        }
    }

    /// Says what is to be ended now.
    fn sent(&mut self, n: usize) -> Option<Shutdown> {
        self.unsent.consume(n);
        self.sent += n as u64;
        self.end()
    }

    /// What is to be ended now, if nothing is unsent.
    fn end(&mut self) -> Option<Shutdown> {
        if !self.unsent.is_empty() {
            return None;
        }
        self.unsent.release();
        if self.done >= self.wanted {
            return None;
        }
        self.done = self.wanted;
        Some(match self.done {
            End::Closed => Shutdown::Both,
            _ => Shutdown::Write,
        })
    }

    /// The connection is lost, and with it what is unsent.
    fn fail(&mut self, error: io::Error) {
        self.unsent = Buffer::default();
        self.told = false;
        self.failure = Some(error);
    }

    fn verdict(&mut self) -> io::Result<()> {
        let error = match &self.failure {
            Some(failure) => again(failure),
            None if self.refused => io::Error::new(
                ErrorKind::BrokenPipe,
                "something was written after this writer was closed, and not sent",
            ),
            None => return Ok(()),
        };
        self.told = true;
        Err(error)
    }

    /// The error, if nobody was told yet.
    fn verdict_once(&mut self) -> Option<io::Error> {
        (!self.told).then(|| self.verdict().err()).flatten()
    }
}

/// Dropped with the task that sends, however that ends.
struct Flusher(Rc<Connection>);

impl Drop for Flusher {
    fn drop(&mut self) {
        let orphan = {
            let mut out = self.0.out.borrow_mut();
            out.flushing = false;
            out.orphan
        };
        if orphan {
            self.0.report();
        }
    }
}
