//! [`try_gather`]: all values, or the first error.
//!
//! # Not here
//! Futures of different types: `try_gather!` in `tuple`.
#![forbid(unsafe_code)]

use std::fmt::{self, Debug, Formatter};
use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use super::results::Results;

/// Runs many futures at once and gives all their values, in the order of the input; the first
/// error ends it and drops the others.
///
/// The first is the one that comes first in time. When it is returned, the other futures are
/// gone, and so is the iterator. Otherwise this is [`gather`](fn@crate::gather).
///
/// # Errors
/// The first error of a child.
///
/// # Panics
/// Polling it again after it gave its result, or after a child panicked.
///
/// # Cancel safety
/// **Loses data**: what the children have given so far. Each unfinished child is dropped.
///
/// # asyncio
/// `gather(*futures)`, which lets the others run on after an error, and drops their errors
/// without a word. Tasks given by value are cancelled here; `wait` leaves them alone.
///
/// # Examples
/// ```
/// async fn parse(text: &str) -> Result<i32, std::num::ParseIntError> {
///     text.parse()
/// }
///
/// petla::run(async {
///     assert_eq!(petla::try_gather(["1", "2"].map(parse)).await, Ok(vec![1, 2]));
///     assert!(petla::try_gather(["1", "two", "3"].map(parse)).limit(1).await.is_err());
/// });
/// ```
#[doc(alias = "try_join_all")]
pub fn try_gather<I, T, E>(futures: I) -> TryGather<I::IntoIter>
where
    I: IntoIterator<Item: IntoFuture<Output = Result<T, E>>>,
{
    TryGather {
        results: Results::new(futures.into_iter()),
    }
}

/// See [`try_gather`]. `Send` if the futures and their results are.
#[must_use = "futures do nothing unless awaited"]
pub struct TryGather<I: Iterator<Item: IntoFuture>> {
    results: Results<I>,
}

/// The futures are pinned in places of their own.
impl<I: Iterator<Item: IntoFuture>> Unpin for TryGather<I> {}

impl<I: Iterator<Item: IntoFuture>> TryGather<I> {
    /// At most `n` at once; the iterator is asked for the next when one ends.
    ///
    /// # Panics
    /// If `n` is 0.
    #[track_caller]
    #[must_use = "this gives the future back"]
    #[doc(alias = "try_buffered")]
    pub fn limit(mut self, n: usize) -> Self {
        self.results.set_limit(n);
        self
    }
}

impl<I, T, E> Future for TryGather<I>
where
    I: Iterator<Item: IntoFuture<Output = Result<T, E>>>,
{
    type Output = Result<Vec<T>, E>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let again =
            "a `try_gather` was polled again after it gave its result, or after a child panicked";
        let results = ready!(self.results.poll(cx, again, Result::is_err));
        Poll::Ready(results.collect())
    }
}

impl<I: Iterator<Item: IntoFuture>> Debug for TryGather<I> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("TryGather")
            .field("running", &self.results.running())
            .finish_non_exhaustive()
    }
}
