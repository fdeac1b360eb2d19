//! One who watches, and the future that waits for a value that is new to it.
//!
//! # Invariants
//! - **Returned**: `seen` is the number of a value that was returned, or that was there when the
//!   watcher was made. A wake-up alone changes nothing: a future that is dropped after it, or
//!   whose clone of the value panics, leaves the value new.
//!
//! # Cost
//! The future: a node and a reference, 56 bytes.
//!
//! # Not here
//! The value and its number: the parent. Dropping a future that waits needs no code: its waiter
//! does it.

use std::fmt::{self, Debug, Formatter};
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use super::super::blocking;
use super::{Rules, WAIT, Watch};
use crate::pin::pinned;
use crate::wait_list::{Mode, Shared, Waiter};

/// One who waits for changes of a [`Watch`], and knows what it has seen.
///
/// It is made by [`Watch::watcher`]. Each watcher sees for itself.
pub struct Watcher<'a, T, M: Mode> {
    watch: &'a Watch<T, M>,
    /// The number of the value that it saw last.
    seen: u64,
}

impl<'a, T, M: Mode> Watcher<'a, T, M> {
    pub(super) fn new(watch: &'a Watch<T, M>) -> Self {
        Watcher {
            watch,
            seen: watch.list.with(|latest, _| latest.number),
        }
    }

    /// Waits until the latest value is one that this watcher has not seen, and returns a clone
    /// of it; at once if it was set since. Several sets since are one: the last value counts.
    ///
    /// # Cancel safety
    /// **Strict**: a value is seen only when this returned it.
    ///
    /// # asyncio
    /// None; `Condition.wait_for` with a counter.
    ///
    /// # Examples
    /// ```
    /// use petla::local::Watch;
    ///
    /// petla::run(async {
    ///     let level = Watch::new(0);
    ///     let mut watcher = level.watcher();
    ///     level.set(1);
    ///     assert_eq!(watcher.changed().await, 1);
    /// });
    /// ```
    pub fn changed(&mut self) -> Changed<'_, T, M>
    where
        T: Clone,
    {
        Changed {
            waiter: Waiter::new(&self.watch.list),
            seen: &mut self.seen,
        }
    }
}

impl<T: Clone> Watcher<'_, T, Shared> {
    /// Waits for a new value on a thread that runs no loop, which sleeps until there is one.
    ///
    /// # Panics
    /// On a thread that runs a loop.
    ///
    /// # asyncio
    /// None.
    ///
    /// # Examples
    /// ```
    /// use petla::sync::Watch;
    /// use std::thread;
    ///
    /// let level = Watch::new(0);
    /// let mut watcher = level.watcher();
    /// thread::scope(|scope| {
    ///     scope.spawn(|| level.set(1));
    ///     assert_eq!(watcher.blocking_changed(), 1);
    /// });
    /// ```
    #[track_caller]
    pub fn blocking_changed(&mut self) -> T {
        blocking::forbid_on_loop("blocking_changed", "changed");
        blocking::block_on(self.changed())
    }
}

impl<T, M: Mode> Debug for Watcher<'_, T, M> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watcher").finish_non_exhaustive()
    }
}

pinned! {
    /// The future of [`Watcher::changed`].
    ///
    /// Polled again after it was ready, it waits for the next value.
    #[must_use = "futures do nothing unless awaited"]
    pub struct Changed<'a, T, M: Mode> {
        seen: &'a mut u64,
        #[pin]
        waiter: Waiter<'a, Rules<T>, M>,
    }
}

impl<T: Clone, M: Mode> Future for Changed<'_, T, M> {
    type Output = T;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        let mut this = self.project();
        let (value, number) = if this.waiter.is_idle() {
            let seen = **this.seen;
            ready!(this.waiter.enqueue(cx, WAIT, |latest, _| {
                (latest.number != seen).then(|| latest.look())
            }))
        } else {
            ready!(this.waiter.as_mut().poll_grant(cx));
            this.waiter.list().with(|latest, _| latest.look())
        };
        let value = T::clone(&value);
        **this.seen = number;
        Poll::Ready(value)
    }
}

impl<T, M: Mode> Debug for Changed<'_, T, M> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("Changed").finish_non_exhaustive()
    }
}
