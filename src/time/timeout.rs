//! [`timeout`]: a future with a limit.

use std::fmt::{self, Debug, Formatter};
use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use super::sleep::{Sleep, sleep_later, sleep_until};
use crate::error::Elapsed;
use crate::kernel::{CLEANUP_LIMIT, Node};
use crate::pin::pinned;

/// Waits for `future` for at most `limit`, then drops it.
///
/// The limit counts from the first poll that has to wait: one that has not costs no look at the
/// clock. A future that is ready wins over a limit that has passed;
/// only a zero limit polls it exactly once, so that what just yields is too late. Given by
/// reference, a plain future can be awaited again afterwards; what is open in it (scopes) has
/// been cancelled with the limit, see [`scope`](crate::scope). [`Elapsed`] converts into
/// `io::Error`, so that I/O reads `timeout(d, stream.read(&mut buf)).await??`.
///
/// # Panics
/// When it has to wait without a running loop on this thread.
///
/// # Cancel safety
/// That of `future`.
///
/// # asyncio
/// `wait_for(future, limit)` and `timeout(limit)`: here the future is dropped, so there is no
/// cancellation to swallow. As there, the limit begins with the wait, not with this call.
///
/// ```
/// use std::time::Duration;
///
/// petla::run(async {
///     let never = std::future::pending::<()>();
///     assert!(petla::timeout(Duration::from_millis(1), never).await.is_err());
///     assert_eq!(petla::timeout(Duration::ZERO, async { 5 }).await, Ok(5));
/// });
/// ```
pub fn timeout<F: IntoFuture>(limit: Duration, future: F) -> Timeout<F::IntoFuture> {
    with_sleep(future, Some(sleep_later(limit)))
}

/// Waits for `future` until `deadline`, then drops it. See [`timeout`].
///
/// # Cancel safety
/// That of `future`.
pub fn timeout_at<F: IntoFuture>(deadline: Instant, future: F) -> Timeout<F::IntoFuture> {
    with_sleep(future, Some(sleep_until(deadline)))
}

/// [`timeout`] in asyncio's argument order, with its `None` for no limit.
///
/// # Cancel safety
/// That of `future`.
///
/// ```
/// petla::run(async {
///     assert_eq!(petla::wait_for(async { 5 }, None).await, Ok(5));
/// });
/// ```
pub fn wait_for<F: IntoFuture>(
    future: F,
    limit: impl Into<Option<Duration>>,
) -> Timeout<F::IntoFuture> {
    with_sleep(future, limit.into().map(sleep_later))
}

#[inline]
fn with_sleep<F: IntoFuture>(future: F, sleep: Option<Sleep>) -> Timeout<F::IntoFuture> {
    Timeout {
        future: future.into_future(),
        sleep,
        node: Node::new(),
    }
}

pinned! {
    /// See [`timeout`]. `Send` if the future is.
    #[must_use = "futures do nothing unless awaited"]
    pub struct Timeout<F> {
        #[pin]
        future: F,
        sleep: Option<Sleep>,
        node: Node,
    }
}

impl<F: Future> Future for Timeout<F> {
    type Output = Result<F::Output, Elapsed>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        if this.node.is_used() {
            return poll_in_node(this.future, this.sleep, this.node, cx);
        }
        // Before the future is polled it is so for a zero limit, from the second poll on.
        if this.sleep.as_ref().is_some_and(Sleep::is_over) {
            return Poll::Ready(Err(Elapsed));
        }
        let future = this.future;
        if let Poll::Ready(value) = this.node.poll_lazily(cx, |cx| future.poll(cx)) {
            this.node.close();
            return Poll::Ready(Ok(value));
        }
        match this.sleep {
            Some(sleep) => ready!(Pin::new(&mut *sleep).poll(cx)),
            None => return Poll::Pending,
        }
        if this.node.is_used() {
            return end_inside(this.sleep, this.node, cx);
        }
        Poll::Ready(Err(Elapsed))
    }
}

/// A poll of a timeout with a scope inside.
#[cold]
fn poll_in_node<F: Future>(
    future: Pin<&mut F>,
    sleep: &mut Option<Sleep>,
    node: &mut Node,
    cx: &mut Context<'_>,
) -> Poll<Result<F::Output, Elapsed>> {
    node.open(cx, false);
    if node.make_way() {
        return Poll::Pending;
    }
    if sleep.as_ref().is_some_and(Sleep::is_over)
        && let Poll::Ready(elapsed) = end_inside(sleep, node, cx)
    {
        return Poll::Ready(elapsed);
    }
    let inside = node.enter();
    let polled = future.poll(cx);
    drop(inside);
    if let Poll::Ready(value) = polled {
        node.close();
        return Poll::Ready(Ok(value));
    }
    if !node.is_cancelled() {
        match sleep {
            Some(sleep) => ready!(Pin::new(sleep).poll(cx)),
            None => return Poll::Pending,
        }
    }
    end_inside(sleep, node, cx)
}

/// The time is up: scopes inside run their clean-ups before the future is dropped. What is not
/// polled any more is given up after [`CLEANUP_LIMIT`].
#[cold]
fn end_inside<T>(
    limit: &mut Option<Sleep>,
    node: &mut Node,
    cx: &mut Context<'_>,
) -> Poll<Result<T, Elapsed>> {
    let first = !node.is_cancelled();
    node.doom_inside();
    if node.has_children() {
        let Some(limit) = limit else {
            return Poll::Pending;
        };
        if first {
            limit.reset(super::after(super::now(), CLEANUP_LIMIT));
        }
        if Pin::new(limit).poll(cx).is_pending() || node.is_held() {
            return Poll::Pending;
        }
    }
    if node.make_way() {
        return Poll::Pending;
    }
    node.close(); // the future may be kept
    Poll::Ready(Err(Elapsed))
}

impl<F> Debug for Timeout<F> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let deadline = self.sleep.as_ref().map(Sleep::deadline);
        f.debug_struct("Timeout")
            .field("deadline", &deadline)
            .finish_non_exhaustive()
    }
}
