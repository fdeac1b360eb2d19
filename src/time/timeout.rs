//! [`timeout`]: a future with a limit.

use std::fmt::{self, Debug, Formatter};
use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use super::now;
use super::sleep::{Sleep, after, sleep_until};
use crate::error::Elapsed;
use crate::kernel::{Lazily, Node};
use crate::pin::pinned;

/// Waits for `future` for at most `limit`, then drops it.
///
/// The limit counts from this call. A future that is ready wins over a limit that has passed;
/// a zero limit still polls it once. [`Elapsed`] converts into `io::Error`, so that I/O reads
/// `timeout(d, stream.read(&mut buf)).await??`.
///
/// # Panics
/// When it has to wait without a running loop on this thread.
///
/// # Cancel safety
/// That of `future`.
///
/// # asyncio
/// `wait_for(future, limit)` and `timeout(limit)`: here the future is dropped, so there is no
/// cancellation to swallow.
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
    timeout_at(after(now(), limit), future)
}

/// Waits for `future` until `deadline`, then drops it. See [`timeout`].
///
/// # Cancel safety
/// That of `future`.
pub fn timeout_at<F: IntoFuture>(deadline: Instant, future: F) -> Timeout<F::IntoFuture> {
    Timeout {
        future: future.into_future(),
        sleep: Some(sleep_until(deadline)),
        node: Node::new(),
    }
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
    let sleep = limit.into().map(|limit| sleep_until(after(now(), limit)));
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
            this.node.open(cx, false);
            if this.node.make_way() {
                return Poll::Pending;
            }
            let _inside = this.node.enter();
            if let Poll::Ready(value) = this.future.poll(cx) {
                return Poll::Ready(Ok(value));
            }
        } else {
            let lazily = Lazily::enter();
            let polled = this.future.poll(cx);
            if let Some(node) = lazily.leave(cx) {
                *this.node = node;
            }
            if let Poll::Ready(value) = polled {
                return Poll::Ready(Ok(value));
            }
        }
        match this.sleep {
            Some(sleep) => ready!(Pin::new(sleep).poll(cx)),
            None => return Poll::Pending,
        }
        if this.node.is_used() {
            ready!(end_inside(this.node));
        }
        Poll::Ready(Err(Elapsed))
    }
}

/// The time is up: scopes inside run their clean-ups before the future is dropped.
#[cold]
fn end_inside(node: &mut Node) -> Poll<()> {
    node.doom_inside();
    match node.has_children() || node.make_way() {
        true => Poll::Pending,
        false => Poll::Ready(()),
    }
}

impl<F> Debug for Timeout<F> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let deadline = self.sleep.as_ref().map(Sleep::deadline);
        f.debug_struct("Timeout")
            .field("deadline", &deadline)
            .finish_non_exhaustive()
    }
}
