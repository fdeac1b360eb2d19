//! [`Results`]: many futures and what they gave so far, which is what `gather` and `try_gather`
//! are made of.
//!
//! # Not here
//! What makes an end before all have ended: the two say so.
#![forbid(unsafe_code)]

use std::future::IntoFuture;
use std::mem;
use std::task::{Context, Poll, ready};

use super::brood::{Feed, Output};

/// See the module.
pub(super) struct Results<I: Iterator<Item: IntoFuture>> {
    /// Until the results are given.
    feed: Option<Feed<I>>,
    /// By number.
    results: Vec<Option<Output<I>>>,
}

impl<I: Iterator<Item: IntoFuture>> Results<I> {
    pub(super) fn new(source: I) -> Self {
        Results {
            feed: Some(Feed::new(source)),
            results: Vec::new(),
        }
    }

    /// At most `limit` children at once.
    #[track_caller]
    pub(super) fn set_limit(&mut self, limit: usize) {
        if let Some(feed) = &mut self.feed {
            feed.set_limit(limit);
        }
    }

    /// How many children run now.
    pub(super) fn running(&self) -> usize {
        self.feed.as_ref().map_or(0, Feed::len)
    }

    /// Ready when all have ended, with each result in the order of the input; or when a result
    /// is the `last`, with that one alone.
    ///
    /// # Panics
    /// With `again`, when it is polled after it was ready, or after a child panicked.
    #[inline]
    pub(super) fn poll(
        &mut self,
        cx: &mut Context<'_>,
        again: &str,
        is_last: impl Fn(&Output<I>) -> bool,
    ) -> Poll<impl Iterator<Item = Output<I>>> {
        let feed = self.feed.as_mut().filter(|feed| !feed.has_panicked());
        let feed = feed.expect(again);
        feed.enter(cx);
        let last = loop {
            let next = feed.next(cx);
            self.results.resize_with(feed.begun(), || None);
            match ready!(next) {
                Some((_, result)) if is_last(&result) => break Some(result),
                Some((number, result)) => self.results[number] = Some(result),
                None => break None,
            }
        };
        self.feed = None;
        let mut results = mem::take(&mut self.results);
        if last.is_some() {
            results.clear();
            results.push(last);
        }
        let given = |result: Option<_>| result.expect("every child has ended");
        Poll::Ready(results.into_iter().map(given))
    }
}
