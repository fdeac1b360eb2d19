//! A value that is set once and awaited once: a future that somebody else completes.
//!
//! It joins what is called back to what is awaited: a reply to a request, the outcome of a
//! thread's work. There are two ends, and each learns that the other is gone: the getter of a
//! setter that was dropped fails instead of waiting for ever, and a setter without a getter has
//! its value back.
//!
//! There is one waiter at each end, and a [`Getter`] is owned, to be kept in any struct and sent
//! to any task. So it does not sit on `wait_list`, whose waiters borrow their list: the state
//! itself has a place for each end's waker.
//!
//! ```text
//!            set                     taken
//!   Open ───────────► Set(value) ────────────► Closed
//!    └─────────── an end is dropped ─────────────▲
//! ```
//!
//! # Invariants
//! - **Forward**: the state moves along the arrows only. Whoever moves it away from Open takes
//!   both wakers out, wakes that of the other end, and drops its own.
//! - **Outside**: a waker is cloned, woken or dropped, and a value dropped, while the lock is not
//!   held. A waker is cloned at the first poll, and when another task polls.
//!
//! # Cost
//! One allocation. A lock to set, one a poll (two if it has to change the waker), none to drop an
//! end that is done. In `local` a lock is a flag.
//!
//! # Not here
//! Several values: a channel. Several getters: `Watch`, or an `Event`.

#[cfg(all(test, petla_loom))]
mod models;
#[cfg(all(test, not(petla_loom)))]
mod tests;

use std::fmt::{self, Debug, Formatter};
use std::future::Future;
use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use super::{Mode, Shared, blocking};
use crate::error::unit_error;
use crate::wait_list::Guarded;

unit_error!(
    /// The setter was dropped without a value.
    ///
    /// # asyncio
    /// None: a future that nobody sets is awaited for ever.
    Abandoned, BrokenPipe, "the value will never be set: its setter was dropped"
);

/// Makes the two ends.
pub(crate) fn oneshot<T, M: Mode>() -> (Setter<T, M>, Getter<T, M>) {
    let common = M::share(M::Guarded::new(State::Open([None, None])));
    let setter = Setter {
        common: Some(common.clone()),
    };
    let getter = Getter {
        common: Some(common),
        waits: false,
    };
    (setter, getter)
}

/// What both ends have.
type Common<T, M> = <M as Mode>::Ref<<M as Mode>::Guarded<State<T>>>;

#[derive(Debug)]
enum State<T> {
    /// Both ends are there, and there is no value: who waits, at [`GETTER`] and [`SETTER`].
    Open([Option<Waker>; 2]),
    /// The value, for the getter.
    Set(T),
    /// The value was taken, or one of the ends was dropped before it was.
    Closed,
}

const GETTER: usize = 0;
const SETTER: usize = 1;

impl<T> State<T> {
    /// Moves on from Open, with the wakers that were there; or gives `next` back.
    fn replace_open(&mut self, next: State<T>) -> Result<[Option<Waker>; 2], State<T>> {
        match self {
            State::Open(wakers) => {
                let wakers = mem::take(wakers);
                *self = next; // an Open state without wakers: no foreign code is dropped
                Ok(wakers)
            }
            _ => Err(next),
        }
    }

    /// The result, if there is one; it is given once.
    fn take(&mut self) -> Result<Option<T>, Abandoned> {
        match self {
            State::Open(_) => Ok(None),
            State::Set(_) | State::Closed => match mem::replace(self, State::Closed) {
                State::Set(value) => Ok(Some(value)),
                _ => Err(Abandoned),
            },
        }
    }

    /// Ready when it is not Open; until then makes sure that `cx` is woken when one end's wait
    /// is over. `Err` asks for a clone of the waker, in `new`, where the old one is left.
    fn poll_end(
        &mut self,
        end: usize,
        cx: &Context<'_>,
        new: &mut Option<Waker>,
    ) -> Result<Poll<()>, NeedsWaker> {
        let State::Open(wakers) = self else {
            return Ok(Poll::Ready(()));
        };
        match &mut wakers[end] {
            Some(old) if old.will_wake(cx.waker()) => {}
            _ if new.is_none() => return Err(NeedsWaker),
            old => mem::swap(old, new),
        }
        Ok(Poll::Pending)
    }
}

struct NeedsWaker;

/// Wakes one end and drops the waker of the other.
fn wake(wakers: [Option<Waker>; 2], end: usize) {
    let [getter, setter] = wakers;
    let (woken, _dropped) = match end {
        GETTER => (getter, setter),
        _ => (setter, getter),
    };
    if let Some(waker) = woken {
        waker.wake();
    }
}

/// Looks under the lock, and again with a cloned waker if that is needed.
fn poll_with<T, G: Guarded<State<T>>, R>(
    state: &G,
    mut new: Option<Waker>,
    cx: &Context<'_>,
    mut look: impl FnMut(&mut State<T>, &mut Option<Waker>) -> Result<Poll<R>, NeedsWaker>,
) -> Poll<R> {
    loop {
        if let Ok(polled) = state.with(|state| look(state, &mut new)) {
            return polled;
        }
        new = Some(cx.waker().clone());
    }
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
    /// `None` once it has set.
    common: Option<Common<T, M>>,
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
    pub fn set(mut self, value: T) -> Result<(), T> {
        let Some(common) = self.common.take() else {
            return Err(value);
        };
        match common.with(move |state| state.replace_open(State::Set(value))) {
            Ok(wakers) => {
                wake(wakers, GETTER);
                Ok(())
            }
            Err(State::Set(value)) => Err(value),
            Err(_) => unreachable!("what was to be set comes back"),
        }
    }

    /// Whether the getter was dropped, so that a value would come back.
    ///
    /// # asyncio
    /// `Future.cancelled`.
    pub fn is_abandoned(&self) -> bool {
        let state = self.common.as_ref();
        state.is_none_or(|state| state.with(|state| !matches!(state, State::Open(_))))
    }

    /// Waits until the getter is dropped: nobody wants the value any more.
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

impl<T, M: Mode> Drop for Setter<T, M> {
    fn drop(&mut self) {
        let Some(common) = self.common.take() else {
            return;
        };
        if let Ok(wakers) = common.with(|state| state.replace_open(State::Closed)) {
            wake(wakers, GETTER);
        }
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

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        match &self.setter.common {
            Some(common) => poll_with(&**common, None, cx, |state, new| {
                state.poll_end(SETTER, cx, new)
            }),
            None => Poll::Ready(()),
        }
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
    /// `None` once it gave its result.
    common: Option<Common<T, M>>,
    /// Whether it left a waker behind, so that another is probably not needed.
    waits: bool,
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
        let taken = self.common.as_ref().expect(DONE).with(State::take);
        if !matches!(taken, Ok(None)) {
            self.common = None;
        }
        taken
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
        let common = self.common.as_ref().expect(DONE);
        // The first wait will need a waker; cloning it now saves looking twice.
        let new = (!self.waits).then(|| cx.waker().clone());
        let polled = poll_with(&**common, new, cx, |state, new| {
            let polled = state.poll_end(GETTER, cx, new)?;
            Ok(polled.map(|()| state.take()))
        });
        self.waits = true;
        polled.map(|taken| {
            self.common = None;
            taken.map(|value| value.expect("it is not Open any more"))
        })
    }
}

/// Nothing in it is pinned.
impl<T, M: Mode> Unpin for Getter<T, M> {}

impl<T, M: Mode> Drop for Getter<T, M> {
    fn drop(&mut self) {
        let Some(common) = self.common.take() else {
            return;
        };
        match common.with(|state| mem::replace(state, State::Closed)) {
            State::Open(wakers) => wake(wakers, SETTER),
            State::Set(value) => drop(value), // foreign code: after the lock
            State::Closed => {}
        }
    }
}

impl<T, M: Mode> Debug for Getter<T, M> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let name = |state: &mut State<T>| match state {
            State::Open(_) => "waiting",
            State::Set(_) => "set",
            State::Closed => "abandoned",
        };
        let state = self
            .common
            .as_ref()
            .map_or("done", |state| state.with(name));
        f.debug_struct("Getter").field("state", &state).finish()
    }
}
