//! A cancellation that any thread can ask for, look at, and wait for.
//!
//! Tasks are cancelled by dropping them. A plain thread in a loop of blocking code cannot be: it
//! has to look, and somebody has to tell it. Both hold clones of one token.
//!
//! It is an event that is never cleared, and a cell that is written once, with the reason. The
//! cell is written before the event is set, so whoever finds the event set finds the reason.
//!
//! # Invariants
//! - **Reasoned**: the cause is there before the event is set, and never changes.
//! - **Helped**: whoever comes second sets the event too, before it hears that it was second: the
//!   first may have written the cause and not yet set the event.
//!
//! # Cost
//! `check` while it is not cancelled: one load.
//!
//! # Not here
//! Stopping anything: that is for those who look at the token.

#[cfg(all(test, petla_loom))]
mod models;
#[cfg(all(test, not(petla_loom)))]
mod tests;

use std::fmt::{self, Debug, Formatter};
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use super::event::{Event, EventWait};
use super::{Shared, Statistics, blocking};
use crate::error::{Cancelled, Reason};
use crate::pin::pinned;
use crate::rt::{self, Arc, Mutex};

/// A cancellation that any thread can ask for or look at.
///
/// Its clones are the same token. Once cancelled, it stays so.
///
/// # asyncio
/// None; a `threading.Event` that is looked at.
///
/// # Examples
/// ```
/// use petla::sync::CancelToken;
/// use std::thread;
///
/// let token = CancelToken::new();
/// let worker = thread::spawn({
///     let token = token.clone();
///     move || loop {
///         // ... a piece of blocking work
///         token.check()?;
///     }
/// });
/// assert!(token.cancel("the user left"));
/// let outcome: Result<(), petla::Cancelled> = worker.join().unwrap();
/// assert_eq!(outcome.unwrap_err().reason(), Some("the user left"));
/// ```
#[derive(Clone, Debug, Default)]
#[doc(alias("CancellationToken", "stop_token"))]
pub struct CancelToken(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    cancelled: Event<Shared>,
    cause: Mutex<Option<Cancelled>>,
}

impl CancelToken {
    /// A token that is not cancelled.
    ///
    /// # asyncio
    /// None.
    pub fn new() -> Self {
        CancelToken::default()
    }

    /// Cancels the token, for good: with a text as the reason, or `()`. True for the first call
    /// only, whose reason and place are the ones that stay; but whatever this returns,
    /// [`check`](Self::check) fails from here on.
    ///
    /// # asyncio
    /// None; `Task.cancel(msg)` for a task.
    #[track_caller]
    pub fn cancel(&self, reason: impl Into<Reason>) -> bool {
        let cause = Cancelled::new(reason.into(), Location::caller());
        let first = self.0.note(cause);
        self.0.cancelled.set(); // also if it is not the first (Helped)
        first
    }

    /// Fails once the token was cancelled: to be called now and then by blocking code, with `?`.
    ///
    /// # Errors
    /// [`Cancelled`], with the reason and place of the first [`cancel`](Self::cancel).
    ///
    /// # asyncio
    /// None.
    #[inline]
    pub fn check(&self) -> Result<(), Cancelled> {
        if self.is_cancelled() {
            return Err(self.0.cause());
        }
        Ok(())
    }

    /// Whether it was cancelled.
    ///
    /// # asyncio
    /// None; `threading.Event.is_set`.
    #[inline]
    pub fn is_cancelled(&self) -> bool {
        self.0.cancelled.is_set()
    }

    /// How many wait for it. It walks those who wait.
    ///
    /// # asyncio
    /// None.
    pub fn statistics(&self) -> Statistics {
        self.0.cancelled.statistics()
    }

    /// Waits until the token is cancelled, and says why; at once if it was.
    ///
    /// # Cancel safety
    /// **Strict.**
    ///
    /// # asyncio
    /// None.
    ///
    /// # Examples
    /// ```
    /// use petla::sync::CancelToken;
    /// use std::thread;
    ///
    /// let token = CancelToken::new();
    /// let asker = thread::spawn({
    ///     let token = token.clone();
    ///     move || token.cancel("enough")
    /// });
    /// let cancelled = petla::run(async { token.cancelled().await });
    /// assert_eq!(cancelled.reason(), Some("enough"));
    /// # assert!(asker.join().unwrap());
    /// ```
    pub fn cancelled(&self) -> UntilCancelled<'_> {
        UntilCancelled {
            token: self,
            wait: self.0.cancelled.wait(),
        }
    }

    /// Waits on a thread that runs no loop, which sleeps until the token is cancelled.
    ///
    /// # Panics
    /// On a thread that runs a loop.
    ///
    /// # asyncio
    /// None; `threading.Event.wait`.
    #[track_caller]
    pub fn blocking_cancelled(&self) -> Cancelled {
        blocking::forbid_on_loop("blocking_cancelled", "cancelled");
        blocking::block_on(self.cancelled())
    }
}

impl Inner {
    /// Writes the cause, if it is the first.
    fn note(&self, cause: Cancelled) -> bool {
        let mut place = rt::lock(&self.cause);
        let first = place.is_none();
        if first {
            *place = Some(cause);
        }
        first
    }

    /// The cause, for one who found the event set.
    #[cold]
    fn cause(&self) -> Cancelled {
        let cause = rt::lock(&self.cause).clone();
        cause.expect("the cause is written before the event is set")
    }
}

pinned! {
    /// The future of [`CancelToken::cancelled`].
    #[must_use = "futures do nothing unless awaited"]
    pub struct UntilCancelled<'a> {
        token: &'a CancelToken,
        #[pin]
        wait: EventWait<'a, Shared>,
    }
}

impl Future for UntilCancelled<'_> {
    type Output = Cancelled;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Cancelled> {
        let this = self.project();
        ready!(this.wait.poll(cx));
        Poll::Ready(this.token.0.cause())
    }
}

impl Debug for UntilCancelled<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("UntilCancelled").finish_non_exhaustive()
    }
}
