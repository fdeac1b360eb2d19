//! [`gather`]: all results, in the order of the input.
//!
//! # Not here
//! Futures of different types: `gather!` in `tuple`.
#![forbid(unsafe_code)]

use std::fmt::{self, Debug, Formatter};
use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use super::results::Results;

/// Runs many futures at once and gives all their results, in the order of the input.
///
/// The futures live inside this one, in one task: they may borrow, and dropping the whole drops
/// them all. The iterator is read as the work goes on, so an iterator of a million futures with
/// [`limit`](Gather::limit) holds a few at a time. The number of those who wait costs nothing: on
/// a loop a wake leads to one poll. No input, no wait: the result is an empty list.
///
/// To stop at the first error use [`try_gather`](fn@crate::try_gather), to see results as they come
/// [`as_completed`](crate::as_completed), for futures of different types
/// [`gather!`](macro@crate::gather).
///
/// # Panics
/// Polling it again after it gave its results, or after a child panicked. A panic of a child goes
/// through it; tasks (`gather(tasks)`) give it as a value.
///
/// # Cancel safety
/// **Loses data**: what the children have given so far. Each unfinished child is dropped.
///
/// # asyncio
/// `gather(*futures, return_exceptions=True)`: errors are values here, and nothing runs on behind
/// the caller's back. The same future cannot be given twice.
///
/// # Examples
/// ```
/// use std::time::Duration;
///
/// async fn double(n: u64) -> u64 {
///     petla::sleep(Duration::from_millis(n)).await;
///     2 * n
/// }
///
/// petla::run(async {
///     assert_eq!(petla::gather([3, 1, 2].map(double)).await, [6, 2, 4]);
///     let names = ["a", "bc", "def"];
///     let lengths = petla::gather(names.iter().map(async |name| name.len())).limit(2);
///     assert_eq!(lengths.await, [1, 2, 3]);
/// });
/// ```
#[doc(alias = "join_all")]
pub fn gather<I>(futures: I) -> Gather<I::IntoIter>
where
    I: IntoIterator<Item: IntoFuture>,
{
    Gather {
        results: Results::new(futures.into_iter()),
    }
}

/// `gather(futures).limit(n)`, where the number should come first.
///
/// # Panics
/// If `n` is 0.
///
/// # Cancel safety
/// That of [`gather`].
///
/// ```
/// petla::run(async {
///     let squares = petla::gather_limit(2, (1..=3).map(async |n| n * n)).await;
///     assert_eq!(squares, [1, 4, 9]);
/// });
/// ```
#[track_caller]
#[doc(alias = "buffered")]
pub fn gather_limit<I>(n: usize, futures: I) -> Gather<I::IntoIter>
where
    I: IntoIterator<Item: IntoFuture>,
{
    gather(futures).limit(n)
}

/// See [`gather`]. `Send` if the futures and their results are.
#[must_use = "futures do nothing unless awaited"]
pub struct Gather<I: Iterator<Item: IntoFuture>> {
    results: Results<I>,
}

/// The futures are pinned in places of their own.
impl<I: Iterator<Item: IntoFuture>> Unpin for Gather<I> {}

impl<I: Iterator<Item: IntoFuture>> Gather<I> {
    /// At most `n` at once; the iterator is asked for the next when one ends.
    ///
    /// # Panics
    /// If `n` is 0.
    #[track_caller]
    #[must_use = "this gives the future back"]
    #[doc(alias = "buffered")]
    pub fn limit(mut self, n: usize) -> Self {
        self.results.set_limit(n);
        self
    }
}

impl<I: Iterator<Item: IntoFuture>> Future for Gather<I> {
    type Output = Vec<<I::Item as IntoFuture>::Output>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let again =
            "a `gather` was polled again after it gave its results, or after a child panicked";
        let results = ready!(self.results.poll(cx, again, |_| false));
        Poll::Ready(results.collect())
    }
}

impl<I: Iterator<Item: IntoFuture>> Debug for Gather<I> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gather")
            .field("running", &self.results.running())
            .finish_non_exhaustive()
    }
}
