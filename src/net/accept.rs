//! Accepting connections, whatever befalls one of them or the process.
//!
//! Three things go wrong while a server accepts, and none is a reason to stop serving:
//! - The connection is gone before it is taken (`ECONNABORTED` and its kin). The next one is
//!   tried at once.
//! - The process has no descriptor left, or the system no memory (`EMFILE`, `ENFILE`,
//!   `ENOBUFS`, `ENOMEM`). The connection stays in the kernel's queue, and the listener
//!   readable, so trying again at once would spin. The future sleeps, longer each time, and
//!   says so on stderr, once a minute at most.
//! - The caller gives up. The connection is taken in the very poll that returns it, so a
//!   future that is dropped before has taken none.
//!
//! ```text
//!   accept4 ── Ok ─────────────────────────► Ready
//!      ├── would block ──► wait ────────────► accept4
//!      ├── one lost ────────────────────────► accept4
//!      ├── exhausted ──► sleep 10 ms .. 1 s ─► accept4
//!      └── any other error ────────────────► Ready
//! ```
//!
//! # Cost
//! One system call a connection, its address included.
//!
//! # Not here
//! A limit on open connections: a semaphore around the handler, or `streams`.

use std::fmt::{self, Debug, Formatter};
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::pin::Pin;
use std::sync::Mutex;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use futures_core::Stream;

use super::TcpStream;
use super::pauses::Pauses;
use crate::kernel::source::{Direction, Source, Wait};
use crate::sys::socket::{self, AcceptFailure, Address};
use crate::task::report;

/// Pauses while descriptors are exhausted. The first is short, as one may be closed any
/// moment; the last is what asyncio waits always.
const PAUSE_MIN: Duration = Duration::from_millis(10);
const PAUSE_MAX: Duration = Duration::from_secs(1);

/// How often the exhaustion is reported.
const REPORT_EVERY: Duration = Duration::from_secs(60);

/// Makes what `accept` returns.
type Finish<T> = fn(OwnedFd, Address) -> io::Result<T>;

/// The future of [`TcpListener::accept`](super::TcpListener::accept) and
/// [`UnixListener::accept`](super::UnixListener::accept).
#[must_use = "futures do nothing unless awaited"]
pub struct Accept<'a, T = (TcpStream, SocketAddr)> {
    wait: Wait<'a>,
    pauses: Pauses,
    finish: Finish<T>,
}

impl<'a, T> Accept<'a, T> {
    pub(crate) fn new(source: &'a Source, finish: Finish<T>) -> Accept<'a, T> {
        Accept {
            wait: source.wait(Direction::Read),
            pauses: Pauses::from(PAUSE_MIN),
            finish,
        }
    }
}

impl<T> Future for Accept<'_, T> {
    type Output = io::Result<T>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<T>> {
        loop {
            ready!(self.pauses.poll(cx))?;
            let error = match ready!(self.wait.poll_io(cx, socket::accept)) {
                Ok((fd, peer)) => {
                    self.pauses = Pauses::from(PAUSE_MIN);
                    return Poll::Ready((self.finish)(fd, peer));
                }
                Err(error) => error,
            };
            match socket::accept_failure(&error) {
                AcceptFailure::OneLost => {}
                AcceptFailure::Exhausted => {
                    warn(&error);
                    self.pauses.begin(PAUSE_MAX);
                }
                AcceptFailure::Fatal => return Poll::Ready(Err(error)),
            }
        }
    }
}

impl<T> Debug for Accept<'_, T> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("Accept")
            .field("out_of_descriptors", &self.pauses.is_pausing())
            .finish_non_exhaustive()
    }
}

/// Warns that no connection can be accepted, unless it was said a moment ago.
fn warn(error: &io::Error) {
    static LAST: Mutex<Option<Instant>> = Mutex::new(None);
    let now = Instant::now();
    {
        let mut last = LAST.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        if last.is_some_and(|last| now.duration_since(last) < REPORT_EVERY) {
            return;
        }
        *last = Some(now);
    }
    report::warning(&format!(
        "cannot accept connections: {error}; they wait, and accepting is tried again every \
         second at least. Raise the limit (`ulimit -n`) or bound the open connections"
    ));
}

/// The connections of a listener, one after another, without end: made by
/// [`TcpListener::incoming`](super::TcpListener::incoming) and
/// [`UnixListener::incoming`](super::UnixListener::incoming).
///
/// As a [`Stream`] it fits every combinator of `futures-util`; alone, [`next`](Incoming::next)
/// is enough.
#[derive(Debug)]
#[must_use = "streams do nothing unless polled"]
pub struct Incoming<'a, T = (TcpStream, SocketAddr)> {
    accept: Accept<'a, T>,
}

impl<'a, T> Incoming<'a, T> {
    pub(super) fn new(accept: Accept<'a, T>) -> Incoming<'a, T> {
        Incoming { accept }
    }

    /// The next connection; never `None`.
    ///
    /// # Errors
    /// Those of [`TcpListener::accept`](super::TcpListener::accept). The stream goes on after one,
    /// and a listener that is broken gives it again and again: leave the loop.
    ///
    /// # Cancel safety
    /// **Strict.**
    ///
    /// # Examples
    /// ```
    /// use petla::net::{TcpListener, TcpStream};
    ///
    /// petla::run(async {
    ///     let listener = TcpListener::bind("127.0.0.1:0").await?;
    ///     let client = TcpStream::connect(listener.local_addr()?).await?;
    ///     let mut incoming = listener.incoming();
    ///     let (_stream, peer) = incoming.next().await.unwrap()?;
    ///     assert_eq!(peer, client.local_addr()?);
    ///     std::io::Result::Ok(())
    /// })?;
    /// # std::io::Result::Ok(())
    /// ```
    pub async fn next(&mut self) -> Option<io::Result<T>> {
        Some(Pin::new(&mut self.accept).await)
    }
}

impl<T> Stream for Incoming<'_, T> {
    type Item = io::Result<T>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Pin::new(&mut self.accept).poll(cx).map(Some)
    }
}
