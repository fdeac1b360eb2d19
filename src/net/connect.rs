//! Connecting a stream: the future of `connect`, and the race of several addresses.
//!
//! A name has often several addresses, and one family of them may lead nowhere: tried one after
//! another, a dead IPv6 route costs minutes. So they race, as RFC 8305 says ("happy eyeballs"):
//! the families take turns, the next attempt begins 250 ms after the last one or as soon as one
//! has failed, and the first that is connected wins. The losers' sockets are closed in the same
//! poll. All attempts are polled in place, with the waker of whoever waits for the race: no
//! task, and dropping the future closes every socket.
//!
//! ```text
//!   connect(2) ── done ──────────────────────────────────► connected
//!       ├─ under way ──► wait until writable ──► SO_ERROR ─┴─► failed
//!       └─ queue full (Unix) ──► sleep ──► again
//! ```
//!
//! The socket is registered with the loop only after connect(2): epoll reports a socket that
//! was never connected as hung up. A Unix listener whose queue is full refuses with EAGAIN,
//! and the kernel offers no event for "has room now"; hence the sleep.
//!
//! # Invariants
//! - **One winner**: the first attempt found connected ends the poll, and with it the race.
//!
//! # Cost
//! A box an attempt, which refers to its own socket while it waits; two system calls, one for
//! `SO_ERROR`, and those of the wait. A timer only while there is a further address.
//!
//! # Not here
//! Sorting the addresses (RFC 6724): the resolver has done that.

use std::collections::VecDeque;
use std::error::Error;
use std::fmt::{self, Debug, Display, Formatter};
use std::future::{self, Future};
use std::io::{self, ErrorKind};
use std::mem;
use std::net::SocketAddr;
use std::os::fd::AsRawFd;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use super::TcpStream;
use super::addr::Addresses;
use super::pauses::Pauses;
use crate::kernel::source::{Direction, Kind, Source};
use crate::sys::socket::{self, Address, Connected};
use crate::time::{self, Sleep};

/// How long an attempt may take before the next begins beside it: RFC 8305's recommendation.
const HEAD_START: Duration = Duration::from_millis(250);

/// The pauses between two tries on a full Unix queue. The first is about as long as a busy
/// server takes for one turn of its loop.
const QUEUE_PAUSE_MIN: Duration = Duration::from_millis(1);
const QUEUE_PAUSE_MAX: Duration = Duration::from_millis(100);

/// The future of [`TcpStream::connect`] and [`UnixStream::connect`](super::UnixStream::connect).
#[must_use = "futures do nothing unless awaited"]
pub struct Connect<T> {
    addresses: Addresses,
    local: Option<SocketAddr>,
    race: Option<Race>,
    finish: fn(Source) -> T,
}

impl<T> Connect<T> {
    pub(super) fn new(addresses: Addresses, finish: fn(Source) -> T) -> Connect<T> {
        Connect {
            addresses,
            local: None,
            race: None,
            finish,
        }
    }
}

impl Connect<TcpStream> {
    /// Connects from this address of the machine; port 0 is any free one.
    ///
    /// Addresses of the other family are then out of reach and fail.
    ///
    /// # Cancel safety
    /// **Strict.**
    ///
    /// # asyncio
    /// `create_connection(local_addr=..)`.
    pub fn local_addr(mut self, addr: impl Into<SocketAddr>) -> Connect<TcpStream> {
        self.local = Some(addr.into());
        self
    }
}

impl<T> Future for Connect<T> {
    type Output = io::Result<T>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<T>> {
        let Connect {
            addresses,
            local,
            race,
            finish,
        } = &mut *self;
        let race = match race {
            Some(race) => race,
            None => {
                let list = ready!(addresses.poll(cx))?;
                race.insert(Race::new(list, local.map(Address::from)))
            }
        };
        let source = ready!(race.poll(cx));
        Poll::Ready(source.map(*finish))
    }
}

impl<T> Debug for Connect<T> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct("Connect");
        if let Some(race) = &self.race {
            out.field("under_way", &race.under_way.len());
        }
        out.finish_non_exhaustive()
    }
}

type Connecting = Pin<Box<dyn Future<Output = io::Result<Source>> + Send>>;

/// The attempts on several addresses.
struct Race {
    waiting: VecDeque<Address>,
    local: Option<Address>,
    under_way: Vec<(Address, Connecting)>,
    head_start: Option<Sleep>,
    failed: Vec<(Address, io::Error)>,
}

impl Race {
    fn new(list: Vec<Address>, local: Option<Address>) -> Race {
        Race {
            waiting: take_turns(list),
            local,
            under_way: Vec::new(),
            head_start: None,
            failed: Vec::new(),
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Source>> {
        loop {
            let failed_before = self.failed.len();
            if let Some(winner) = self.poll_attempts(cx) {
                self.under_way.clear();
                self.head_start = None;
                return Poll::Ready(Ok(winner));
            }
            let failed = self.failed.len() > failed_before;
            if !failed && !self.under_way.is_empty() && self.poll_head_start(cx).is_pending() {
                return Poll::Pending;
            }
            match self.waiting.pop_front() {
                Some(next) => self.begin(next),
                None if self.under_way.is_empty() => {
                    return Poll::Ready(Err(all_failed(mem::take(&mut self.failed))));
                }
                None => return Poll::Pending,
            }
        }
    }

    /// Keeps **One winner**.
    fn poll_attempts(&mut self, cx: &mut Context<'_>) -> Option<Source> {
        let mut index = 0;
        while let Some((_, attempt)) = self.under_way.get_mut(index) {
            match attempt.as_mut().poll(cx) {
                Poll::Pending => index += 1,
                Poll::Ready(Ok(winner)) => return Some(winner),
                Poll::Ready(Err(error)) => {
                    let (address, _) = self.under_way.remove(index);
                    self.failed.push((address, error));
                }
            }
        }
        None
    }

    /// Ready when the next attempt may begin; never, if there is none.
    fn poll_head_start(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        match &mut self.head_start {
            Some(head_start) => Pin::new(head_start).poll(cx),
            None => Poll::Pending,
        }
    }

    fn begin(&mut self, address: Address) {
        let attempt = Box::pin(connect(address, self.local));
        self.under_way.push((address, attempt));
        self.head_start = match self.waiting.is_empty() {
            true => None,
            false => Some(time::sleep(HEAD_START)),
        };
    }
}

/// The families by turns, each in its order, beginning with that of the first address.
fn take_turns(list: Vec<Address>) -> VecDeque<Address> {
    if list.len() < 3 {
        return list.into();
    }
    let first_is_v6 = list.first().is_some_and(Address::is_v6);
    let (first, other): (Vec<_>, Vec<_>) = list
        .into_iter()
        .partition(|address| address.is_v6() == first_is_v6);
    let (mut first, mut other) = (first.into_iter(), other.into_iter());
    let mut turns = VecDeque::with_capacity(first.len() + other.len());
    while first.len() + other.len() > 0 {
        turns.extend(first.next());
        turns.extend(other.next());
    }
    turns
}

async fn connect(address: Address, local: Option<Address>) -> io::Result<Source> {
    let kind = if address.is_inet() {
        Kind::Tcp
    } else {
        Kind::Socket
    };
    let fd = socket::open(&address)?;
    if let Some(local) = &local {
        bind_local(fd.as_raw_fd(), &address, local)?;
    }
    let source = Source::new(fd, kind);
    let mut pauses = Pauses::from(QUEUE_PAUSE_MIN);
    loop {
        match socket::connect(source.as_raw(), &address)? {
            Connected::Done => return Ok(source),
            Connected::UnderWay => break,
            Connected::QueueFull => {}
        }
        pauses.begin(QUEUE_PAUSE_MAX);
        future::poll_fn(|cx| pauses.poll(cx)).await?;
    }
    let mut writable = source.wait(Direction::Write);
    future::poll_fn(|cx| writable.poll_ready(cx)).await?;
    drop(writable);
    match socket::take_error(source.as_raw())? {
        Some(error) => Err(error),
        None => Ok(source),
    }
}

/// The port may be one that an old connection still lingers on: the pair of addresses counts.
fn bind_local(fd: i32, address: &Address, local: &Address) -> io::Result<()> {
    if address.is_v6() != local.is_v6() {
        let message = "the local address is of the other family: give one for each";
        return Err(io::Error::new(ErrorKind::InvalidInput, message));
    }
    socket::set(fd, socket::REUSE_ADDR, 1)?;
    socket::bind(fd, local)
}

/// The one error as it is, or all of them.
fn all_failed(mut failed: Vec<(Address, io::Error)>) -> io::Error {
    let Some((_, last)) = failed.last() else {
        return ErrorKind::AddrNotAvailable.into(); // the list has one address at least
    };
    let kind = last.kind();
    if failed.len() == 1 {
        return failed.remove(0).1;
    }
    let named = |(address, error): (Address, _)| Some((address.to_inet().ok()?, error));
    let attempts = failed.into_iter().filter_map(named).collect();
    io::Error::new(kind, ConnectErrors { attempts })
}

/// Why none of several addresses could be connected to.
///
/// It is inside the [`io::Error`] of [`TcpStream::connect`], whose kind is that of the last
/// attempt to fail: `error.get_ref().and_then(|inner| inner.downcast_ref::<ConnectErrors>())`.
///
/// # asyncio
/// The exception group of `create_connection(all_errors=True)`.
#[derive(Debug)]
pub struct ConnectErrors {
    attempts: Vec<(SocketAddr, io::Error)>,
}

impl ConnectErrors {
    /// Each address and what became of it, in the order in which they failed.
    pub fn attempts(&self) -> &[(SocketAddr, io::Error)] {
        &self.attempts
    }
}

impl Display for ConnectErrors {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "none of {} addresses answers", self.attempts.len())?;
        for (index, (address, error)) in self.attempts.iter().enumerate() {
            let comma = if index == 0 { ": " } else { "; " };
            write!(f, "{comma}{address}: {error}")?;
        }
        Ok(())
    }
}

impl Error for ConnectErrors {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_take_turns_and_the_first_address_stays_the_first() {
        let turns = |texts: &[&str]| {
            let list = texts.iter().map(|text| text.parse::<SocketAddr>().unwrap());
            let turns = take_turns(list.map(Address::from).collect()).into_iter();
            turns
                .map(|address| address.to_inet().unwrap().to_string())
                .collect::<Vec<_>>()
        };
        let mixed = ["[::1]:1", "[::2]:1", "1.0.0.1:1", "[::3]:1", "1.0.0.2:1"];
        let expected = ["[::1]:1", "1.0.0.1:1", "[::2]:1", "1.0.0.2:1", "[::3]:1"];
        assert_eq!(turns(&mixed), expected);
        let ipv4 = ["1.0.0.1:1", "1.0.0.2:1", "1.0.0.3:1", "[::1]:1"];
        let expected = ["1.0.0.1:1", "[::1]:1", "1.0.0.2:1", "1.0.0.3:1"];
        assert_eq!(turns(&ipv4), expected);
        assert!(turns(&[]).is_empty());
    }
}
