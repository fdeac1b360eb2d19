//! [`as_completed`]: results in the order in which they come, from a set that may grow.
//!
//! # Not here
//! Tasks that are only looked at, not awaited: `wait`.
#![forbid(unsafe_code)]

use std::fmt::{self, Debug, Formatter};
use std::future::{Future, IntoFuture};
use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_core::Stream;

use super::brood::Feed;

/// Runs many futures at once and gives each result as it comes, with the future's number in the
/// input.
///
/// The futures live inside the [`AsCompleted`] and run while it is polled: in
/// [`next`](AsCompleted::next), or as a [`Stream`]. The iterator is read as the work goes on, as
/// for [`gather`](fn@crate::gather). Several that have ended are given in the order of their
/// wake-ups; a loop over results that are all there lets other tasks run now and then.
///
/// # asyncio
/// `async for task in as_completed(tasks)`; here with numbers, since futures have no identity.
/// Its `timeout=` is a [`timeout_at`](crate::timeout_at) around each `next`, which loses nothing.
///
/// # Examples
/// ```
/// use std::time::Duration;
///
/// petla::run(async {
///     let naps = [30, 10, 20].map(|ms| petla::sleep(Duration::from_millis(ms)));
///     let mut ended = petla::as_completed(naps);
///     let mut order = Vec::new();
///     while let Some((number, ())) = ended.next().await {
///         order.push(number);
///     }
///     assert_eq!(order, [1, 2, 0]);
/// });
/// ```
#[doc(alias = "buffer_unordered")]
pub fn as_completed<I>(futures: I) -> AsCompleted<I::IntoIter>
where
    I: IntoIterator<Item: IntoFuture>,
{
    AsCompleted {
        feed: Feed::new(futures.into_iter()),
        gave: false,
    }
}

/// A set of futures that gives their results as they come; made by [`as_completed`].
///
/// [`push`](Self::push) adds to the set at any time: with tasks it is what others call a
/// `JoinSet`, with any futures a `FuturesUnordered`. Dropping it drops every unfinished future.
///
/// # Panics
/// A panic of a child goes through `next`; that child is gone then, the others go on.
///
/// # Cancel safety
/// **Strict**: a result is given by the poll that gets it, and the futures stay in the set.
///
/// # Examples
/// ```
/// use std::future::{Ready, ready};
///
/// petla::run(async {
///     // A crawler: what is found leads to more.
///     let mut found = petla::as_completed([ready(1)]).limit(10);
///     let mut sum = 0;
///     while let Some((_, n)) = found.next().await {
///         sum += n;
///         if n < 4 {
///             found.push(ready(2 * n));
///         }
///     }
///     assert_eq!(sum, 1 + 2 + 4);
/// });
/// ```
#[doc(alias("JoinSet", "FuturesUnordered"))]
#[must_use = "streams do nothing unless polled"]
pub struct AsCompleted<I: Iterator<Item: IntoFuture>> {
    feed: Feed<I>,
    /// The last poll gave something.
    gave: bool,
}

/// The futures are pinned in places of their own.
impl<I: Iterator<Item: IntoFuture>> Unpin for AsCompleted<I> {}

impl<I: Iterator<Item: IntoFuture>> AsCompleted<I> {
    /// At most `n` at once; the next begins when one has ended.
    ///
    /// # Panics
    /// If `n` is 0.
    #[track_caller]
    #[must_use = "this gives the set back"]
    pub fn limit(mut self, n: usize) -> Self {
        self.feed.set_limit(n);
        self
    }

    /// The next result, and the number of its future; `None` when nothing is left, until
    /// something is pushed.
    ///
    /// # Cancel safety
    /// **Strict.**
    #[doc(alias("join_next", "select_next_some"))]
    #[allow(clippy::should_implement_trait, reason = "it is that of a stream")]
    pub fn next(&mut self) -> Next<'_, I> {
        Next { set: self }
    }

    /// Adds a future to the end of the input; gives its number.
    ///
    /// It begins with the next poll, within the limit. The first call reads the iterator to its
    /// end, so that numbers stay those of the input: an endless one would never let it return.
    ///
    /// ```
    /// # petla::run(async {
    /// let mut set = petla::as_completed([petla::spawn(async { 'a' })]);
    /// assert_eq!(set.push(petla::spawn(async { 'b' })), 1);
    /// assert_eq!(set.len(), 2);
    /// let (number, letter) = set.next().await.unwrap();
    /// assert_eq!((number, letter.unwrap()), (0, 'a'));
    /// # });
    /// ```
    pub fn push(&mut self, future: I::Item) -> usize {
        self.feed.push(future)
    }

    /// How many results are to come, as far as the iterator has been read: it is read by polls
    /// and by [`push`](Self::push).
    pub fn len(&self) -> usize {
        self.feed.len()
    }

    /// Is [`len`](Self::len) zero?
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Gives back all that has not ended, with its number, in the order of the input.
    ///
    /// Nothing is dropped or cancelled: tasks run on. The iterator is read to its end, so an
    /// endless one would never let this return. Futures that have been polled may move only if
    /// they are `Unpin`, as tasks and boxed futures are.
    ///
    /// # Cancel safety
    /// That of the futures.
    ///
    /// ```
    /// # petla::run(async {
    /// let tasks = [1, 2].map(|n| petla::spawn(async move { n }));
    /// let mut set = petla::as_completed(tasks);
    /// let (number, _) = set.next().await.unwrap();
    /// let pending = set.into_pending();
    /// assert_eq!((number, pending.len(), pending[0].0), (0, 1, 1));
    /// # });
    /// ```
    pub fn into_pending(self) -> Vec<(usize, <I::Item as IntoFuture>::IntoFuture)>
    where
        <I::Item as IntoFuture>::IntoFuture: Unpin,
    {
        self.feed.into_rest()
    }
}

impl<I: Iterator<Item: IntoFuture>> Stream for AsCompleted<I> {
    type Item = (usize, <I::Item as IntoFuture>::Output);

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        // Who awaits nothing but this, and always gets something, must let others run as well.
        let rest = mem::take(&mut this.gave) && this.feed.is_due();
        this.feed.enter(cx);
        if rest {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let next = ready!(this.feed.next(cx));
        this.gave = next.is_some();
        Poll::Ready(next)
    }
}

impl<I: Iterator<Item: IntoFuture>> Debug for AsCompleted<I> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("AsCompleted")
            .field("len", &self.len())
            .finish_non_exhaustive()
    }
}

/// The future of [`AsCompleted::next`].
///
/// # Cancel safety
/// **Strict.**
#[must_use = "futures do nothing unless awaited"]
#[derive(Debug)]
pub struct Next<'a, I: Iterator<Item: IntoFuture>> {
    set: &'a mut AsCompleted<I>,
}

impl<I: Iterator<Item: IntoFuture>> Future for Next<'_, I> {
    type Output = Option<(usize, <I::Item as IntoFuture>::Output)>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut *self.set).poll_next(cx)
    }
}
