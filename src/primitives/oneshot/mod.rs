//! A value that is set once and awaited once: a future that somebody else completes.
//!
//! It joins what is called back to what is awaited: a reply to a request, the outcome of a
//! thread's work. There are two ends, and each learns that the other is gone: the getter of a
//! setter that was dropped fails instead of waiting for ever, and a setter without a getter has
//! its value back.
//!
//! There is one waiter at each end, and a [`Getter`] is owned, to be kept in any struct and sent
//! to any task. So it does not sit on `wait_list`, whose waiters borrow their list, but on a
//! `value::handoff`: a few bits, and a cell for the value and for each end's waker.
//!
//! # Cost
//! One allocation. In `sync` a read-modify-write to set, one for the first poll that waits, and
//! none to drop an end that is done, beside the count of the ends.
//!
//! # Not here
//! Several values: a channel. Several getters: `Watch`, or an `Event`.

#[cfg(all(test, petla_loom))]
mod models;
#[cfg(all(test, not(petla_loom)))]
mod tests;

use std::fmt::{self, Debug, Formatter};
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use super::value::{Giver, Taker, handoff};
use super::{Mode, Shared, Statistics, blocking};
use crate::error::unit_error;

unit_error!(
    /// The setter was dropped without a value.
    ///
    /// # asyncio
    /// None: a future that nobody sets is awaited for ever.
    Abandoned, BrokenPipe, "the value will never be set: its setter was dropped"
);

/// Makes the two ends.
pub(crate) fn oneshot<T, M: Mode>() -> (Setter<T, M>, Getter<T, M>) {
    let (giver, taker) = handoff();
    (Setter { giver }, Getter { taker: Some(taker) })
}

/// The end of a `oneshot` that gives the value.
///
/// Made by [`local::oneshot`](crate::local::oneshot) and [`sync::oneshot`](crate::sync::oneshot).
/// If it is dropped instead, the getter fails with [`Abandoned`].
///
/// # asyncio
/// The side of a `Future` that calls `set_result`. For `set_exception`, use a
/// `Setter<Result<T, E>>`. What there is `InvalidStateError` cannot be written: the setter is
/// used up when it sets.
#[must_use = "a setter that is dropped abandons its getter"]
pub struct Setter<T, M: Mode> {
    giver: Giver<T, M>,
}

impl<T, M: Mode> Setter<T, M> {
    /// Gives the value to the getter.
    ///
    /// # Errors
    /// The value itself, if the getter was dropped. A value that was given and is never taken is
    /// dropped with the getter.
    ///
    /// # asyncio
    /// `Future.set_result`.
    ///
    /// # Examples
    /// ```
    /// use petla::local::oneshot;
    ///
    /// let (setter, getter) = oneshot();
    /// drop(getter);
    /// assert_eq!(setter.set(5), Err(5));
    /// ```
    pub fn set(self, value: T) -> Result<(), T> {
        self.giver.give(value)
    }

    /// Whether the getter was dropped, so that a value would come back.
    ///
    /// # asyncio
    /// `Future.cancelled`.
    pub fn is_abandoned(&self) -> bool {
        self.giver.is_left()
    }

    /// How many of the two ends wait for the other. Nobody holds anything.
    ///
    /// # asyncio
    /// None.
    pub fn statistics(&self) -> Statistics {
        statistics(self.giver.waiting())
    }

    /// Waits until the getter is dropped: nobody wants the value any more.
    ///
    /// The task that waited last is woken, also if it dropped this future meanwhile.
    ///
    /// # Cancel safety
    /// **Strict.**
    ///
    /// # asyncio
    /// `Future.add_done_callback`, to hear of a cancellation.
    ///
    /// # Examples
    /// ```
    /// use petla::{local::oneshot, spawn};
    ///
    /// petla::run(async {
    ///     let (mut setter, getter) = oneshot::<u8>();
    ///     let work = spawn(async move { setter.abandoned().await });
    ///     drop(getter);
    ///     work.await.unwrap(); // it stopped
    /// });
    /// ```
    pub fn abandoned(&mut self) -> UntilAbandoned<'_, T, M> {
        UntilAbandoned { setter: self }
    }
}

impl<T, M: Mode> Debug for Setter<T, M> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("Setter")
            .field("abandoned", &self.is_abandoned())
            .finish()
    }
}

/// The future of [`Setter::abandoned`].
#[must_use = "futures do nothing unless awaited"]
pub struct UntilAbandoned<'a, T, M: Mode> {
    setter: &'a mut Setter<T, M>,
}

impl<T, M: Mode> Future for UntilAbandoned<'_, T, M> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.setter.giver.poll_left(cx)
    }
}

impl<T, M: Mode> Debug for UntilAbandoned<'_, T, M> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("UntilAbandoned").finish_non_exhaustive()
    }
}

/// The end of a `oneshot` that awaits the value.
///
/// Made by [`local::oneshot`](crate::local::oneshot) and [`sync::oneshot`](crate::sync::oneshot).
/// It borrows nothing, and may be moved between two polls.
///
/// # Errors
/// Awaited, it gives [`Abandoned`] if the setter was dropped without a value.
///
/// # Panics
/// If it is polled, or asked, after it gave its result.
///
/// # Cancel safety
/// **Loses data** if the future itself is dropped: a value that was set and not taken is dropped
/// with it. Await `&mut getter` to keep it: that is **Strict**.
///
/// # asyncio
/// A `Future` that is awaited. Differs: it has one reader, and a setter that is dropped is an
/// error instead of waiting for ever.
#[must_use = "futures do nothing unless awaited"]
pub struct Getter<T, M: Mode> {
    /// None once it gave its result.
    taker: Option<Taker<T, M>>,
}

const DONE: &str = "a `Getter` gives its result once: it was polled after it was done";

impl<T, M: Mode> Getter<T, M> {
    /// The value, if it was set; `None` if it may still come.
    ///
    /// # Errors
    /// [`Abandoned`], if the setter was dropped without a value.
    ///
    /// # Panics
    /// After it gave its result.
    ///
    /// # asyncio
    /// `Future.result`, which raises `InvalidStateError` as long as there is none.
    ///
    /// # Examples
    /// ```
    /// use petla::local::oneshot;
    ///
    /// let (setter, mut getter) = oneshot();
    /// assert_eq!(getter.get_nowait(), Ok(None));
    /// setter.set('a').unwrap();
    /// assert_eq!(getter.get_nowait(), Ok(Some('a')));
    /// ```
    #[track_caller]
    pub fn get_nowait(&mut self) -> Result<Option<T>, Abandoned> {
        match self.taker.as_mut().expect(DONE).look() {
            None => Ok(None),
            Some(given) => {
                self.taker = None;
                given.map(Some).ok_or(Abandoned)
            }
        }
    }

    /// How many of the two ends wait for the other: none after it gave its result.
    ///
    /// # asyncio
    /// None.
    pub fn statistics(&self) -> Statistics {
        statistics(self.taker.as_ref().map_or(0, Taker::waiting))
    }
}

fn statistics(waiting: usize) -> Statistics {
    Statistics {
        waiting,
        holders: 0,
        peak: 0,
    }
}

impl<T> Getter<T, Shared> {
    /// Waits for the value on a thread that runs no loop, which sleeps until it is there.
    ///
    /// # Errors
    /// [`Abandoned`], if the setter was dropped without a value.
    ///
    /// # Panics
    /// On a thread that runs a loop, and after it gave its result.
    ///
    /// # asyncio
    /// `concurrent.futures.Future.result`.
    ///
    /// # Examples
    /// ```
    /// use petla::sync::oneshot;
    ///
    /// let (setter, getter) = oneshot();
    /// let thread = std::thread::spawn(move || setter.set(6 * 7));
    /// assert_eq!(getter.blocking_get(), Ok(42));
    /// assert_eq!(thread.join().unwrap(), Ok(()));
    /// ```
    #[track_caller]
    pub fn blocking_get(mut self) -> Result<T, Abandoned> {
        blocking::forbid_on_loop("blocking_get", "getter");
        match self.get_nowait()? {
            Some(value) => Ok(value),
            None => blocking::block_on(self),
        }
    }
}

impl<T, M: Mode> Future for Getter<T, M> {
    type Output = Result<T, Abandoned>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let given = ready!(self.taker.as_mut().expect(DONE).poll(cx));
        self.taker = None;
        Poll::Ready(given.ok_or(Abandoned))
    }
}

/// Nothing in it is pinned.
impl<T, M: Mode> Unpin for Getter<T, M> {}

impl<T, M: Mode> Debug for Getter<T, M> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let state = match self.taker.as_ref().map(Taker::has_value) {
            None => "done",
            Some(None) => "waiting",
            Some(Some(true)) => "set",
            Some(Some(false)) => "abandoned",
        };
        f.debug_struct("Getter").field("state", &state).finish()
    }
}
