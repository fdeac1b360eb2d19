//! A capacity limiter: so many at a time, a number that may change, and who they are.
//!
//! Whatever is limited in number (threads, connections, files) wants three things of its limit
//! that a semaphore does not give: to be raised and lowered while it is in use, to say how much of
//! it is in use, and to say by whom, when everybody waits and nobody knows for what. So a limiter
//! has a *total* rather than a number of free permits, and lists its borrowers, each with the
//! place in the source where it asked and the name that it gave.
//!
//! # Invariants
//! - **Within**: when a token is granted, the tokens borrowed are, with it, no more than the
//!   total. A token granted to one who waits is borrowed from that moment, before it runs.
//! - **Fed**: when a release, a cancellation or a change of the total is over, nobody waits while
//!   a token is free.
//! - **Fair**: tokens are granted in the order of the first polls. Nobody takes one past those who
//!   wait.
//!
//! # Cost
//! A token taken or given back: one lock, no allocation but the growth of the list of borrowers.
//! One that is waited for: two locks more.
//!
//! # Not here
//! Counting: `rules`. Waiting: `wait_list`. Permits without names, several at once: `Semaphore`.

mod acquire;
#[cfg(all(test, petla_loom))]
mod models;
mod rules;
#[cfg(all(test, not(petla_loom)))]
mod tests;
mod token;

use std::borrow::Cow;
use std::fmt::{self, Debug, Formatter};
use std::panic::Location;

pub use acquire::AcquireToken;
pub use token::{Borrower, Token};

use super::{Local, Shared, Statistics, blocking};
use crate::rt::const_fn;
use crate::wait_list::{InPlace, Line, LocalLazy, Mode, WaitList};
use rules::{Rules, State, WAIT};

/// Lets so many in at a time, can be changed while it is in use, and knows whom it let in.
///
/// Use it as [`local::CapacityLimiter`](crate::local::CapacityLimiter) or
/// [`sync::CapacityLimiter`](crate::sync::CapacityLimiter).
///
/// # asyncio
/// None; `CapacityLimiter` of anyio. Differs: a borrower is a [`Token`], not a task or an object,
/// so one task may have several, and a token may be given back elsewhere.
///
/// # Examples
/// ```
/// use petla::{local::CapacityLimiter, spawn, yield_now};
/// use std::{cell::Cell, rc::Rc};
///
/// let most = petla::run(async {
///     let shared = Rc::new((CapacityLimiter::new(2), Cell::new(0)));
///     let workers: Vec<_> = (0..5)
///         .map(|_| {
///             let shared = shared.clone();
///             spawn(async move {
///                 let (limiter, most) = &*shared;
///                 let _token = limiter.acquire().await;
///                 most.set(most.get().max(limiter.borrowed()));
///                 yield_now().await;
///                 std::io::Result::Ok(())
///             })
///         })
///         .collect();
///     for worker in workers {
///         worker.await.expect("it neither panics nor is cancelled")?;
///     }
///     std::io::Result::Ok(shared.1.get())
/// });
/// assert_eq!(most.unwrap(), 2);
/// ```
#[doc(alias("limit", "throttle", "bulkhead"))]
pub struct CapacityLimiter<M: Mode> {
    list: M::Lazy<Rules>,
}

macro_rules! new {
    ($mode:ty, |$state:ident| $list:expr) => {
        impl CapacityLimiter<$mode> {
            const_fn! {
                /// A limiter with `total` tokens. With 0 nobody gets one until
                /// [`set_total`](Self::set_total) gives more.
                ///
                /// # asyncio
                /// None; anyio's `CapacityLimiter(total_tokens)`.
                pub fn new(total: usize) -> Self {
                    let $state = State::new(total);
                    CapacityLimiter { list: $list }
                }
            }
        }
    };
}
new!(Local, |state| LocalLazy::new(Rules, state));
new!(Shared, |state| {
    let lines = [Line::new()];
    InPlace(WaitList::<Rules, Shared>::in_place(Rules, state, lines))
});

impl<M: Mode> CapacityLimiter<M> {
    /// Takes a token, once there is one; it is given back when it is dropped.
    ///
    /// Tokens are granted in the order in which the futures were first polled. The borrower is
    /// listed with the place of this call.
    ///
    /// # Cancel safety
    /// **Loses place.** A token that was granted goes to the next.
    ///
    /// # asyncio
    /// None; anyio's `CapacityLimiter.acquire`.
    #[track_caller]
    pub fn acquire(&self) -> AcquireToken<'_, M> {
        self.acquire_by(None)
    }

    /// Takes a token, once there is one, for a borrower of this name.
    ///
    /// # Cancel safety
    /// **Loses place.** A token that was granted goes to the next.
    ///
    /// # asyncio
    /// None; anyio's `CapacityLimiter.acquire_on_behalf_of`.
    ///
    /// # Examples
    /// ```
    /// use petla::local::CapacityLimiter;
    ///
    /// petla::run(async {
    ///     let limiter = CapacityLimiter::new(40);
    ///     let _token = limiter.acquire_as("thumbnails").await;
    ///     let borrowers = limiter.borrowers();
    ///     assert_eq!(borrowers[0].name(), Some("thumbnails"));
    ///     assert!(borrowers[0].location().line() > 0);
    ///     std::io::Result::Ok(())
    /// })
    /// .unwrap();
    /// ```
    #[track_caller]
    pub fn acquire_as(&self, name: impl Into<Cow<'static, str>>) -> AcquireToken<'_, M> {
        self.acquire_by(Some(name.into()))
    }

    #[track_caller]
    fn acquire_by(&self, name: Option<Cow<'static, str>>) -> AcquireToken<'_, M> {
        AcquireToken::new(&self.list, Borrower::new(name, Location::caller()))
    }

    /// [`acquire`](Self::acquire) for a borrower that asked elsewhere.
    pub(crate) fn acquire_at(&self, at: &'static Location<'static>) -> AcquireToken<'_, M> {
        AcquireToken::new(&self.list, Borrower::new(None, at))
    }

    /// Takes a token if there is one that is promised to nobody.
    ///
    /// # asyncio
    /// None; anyio's `CapacityLimiter.acquire_nowait`.
    ///
    /// # Examples
    /// ```
    /// use petla::local::CapacityLimiter;
    ///
    /// let limiter = CapacityLimiter::new(1);
    /// let token = limiter.try_acquire();
    /// assert!(token.is_some());
    /// assert!(limiter.try_acquire().is_none());
    /// drop(token);
    /// assert!(limiter.try_acquire().is_some());
    /// ```
    #[track_caller]
    pub fn try_acquire(&self) -> Option<Token<'_, M>> {
        let mut borrower = Borrower::new(None, Location::caller());
        let list = &*self.list;
        let key = list.with(|state, lines| state.try_lend(lines, &mut borrower))?;
        Some(Token::new(list, key))
    }

    /// How many tokens there are, borrowed or not.
    ///
    /// # asyncio
    /// None; anyio's `CapacityLimiter.total_tokens`.
    pub fn total(&self) -> usize {
        self.list.with(|state, _| state.total)
    }

    /// Changes how many tokens there are.
    ///
    /// If there are more, as many of those who wait as fit get one at once. If there are fewer
    /// than are borrowed, nobody loses a token, and nobody gets one until enough are given back.
    /// With 0 the limiter is closed until it is raised again.
    ///
    /// # asyncio
    /// None; anyio's `CapacityLimiter.total_tokens`, which can be set.
    ///
    /// # Examples
    /// ```
    /// use petla::local::CapacityLimiter;
    ///
    /// let limiter = CapacityLimiter::new(2);
    /// let tokens = [limiter.try_acquire(), limiter.try_acquire()];
    /// limiter.set_total(1);
    /// assert_eq!((limiter.borrowed(), limiter.total()), (2, 1));
    /// let [first, second] = tokens;
    /// drop(first);
    /// assert!(limiter.try_acquire().is_none());
    /// drop(second);
    /// assert!(limiter.try_acquire().is_some());
    /// ```
    pub fn set_total(&self, total: usize) {
        self.list.settle(|state, _| state.total = total);
    }

    /// How many tokens are borrowed, those included that were granted to a future which did not
    /// run since. More than [`total`](Self::total) only after that was lowered.
    ///
    /// # asyncio
    /// None; anyio's `CapacityLimiter.borrowed_tokens`.
    pub fn borrowed(&self) -> usize {
        self.list.with(|state, _| state.borrowed())
    }

    /// How many tokens are not borrowed; 0 if more are than there should be.
    ///
    /// # asyncio
    /// None; anyio's `CapacityLimiter.available_tokens`.
    pub fn available(&self) -> usize {
        self.list.with(|state, _| state.available())
    }

    /// Who has a token, in the order in which they got it. A future that was granted one is not
    /// listed until it ran.
    ///
    /// # asyncio
    /// None; the borrowers in anyio's `CapacityLimiter.statistics`.
    pub fn borrowers(&self) -> Vec<Borrower> {
        let mut borrowers = self.list.with(|state, _| state.borrowers());
        borrowers.sort_unstable_by_key(|(number, _)| *number);
        borrowers
            .into_iter()
            .map(|(_, borrower)| borrower)
            .collect()
    }

    /// How many wait, and how many tokens are borrowed. It walks those who wait.
    pub fn statistics(&self) -> Statistics {
        self.list.with(|state, lines| Statistics {
            waiting: lines.count(WAIT),
            holders: state.borrowed(),
            peak: 0,
        })
    }
}

impl CapacityLimiter<Shared> {
    /// Takes a token on a thread that runs no loop, which sleeps until there is one.
    ///
    /// # Panics
    /// On a thread that runs a loop.
    ///
    /// # asyncio
    /// None.
    ///
    /// # Examples
    /// ```
    /// use petla::sync::CapacityLimiter;
    /// use std::thread;
    ///
    /// static LIMITER: CapacityLimiter = CapacityLimiter::new(2);
    ///
    /// let threads: Vec<_> = (0..4)
    ///     .map(|_| {
    ///         thread::spawn(|| {
    ///             let _token = LIMITER.blocking_acquire();
    ///             LIMITER.borrowed()
    ///         })
    ///     })
    ///     .collect();
    /// for thread in threads {
    ///     assert!((1..=2).contains(&thread.join().unwrap()));
    /// }
    /// ```
    #[track_caller]
    pub fn blocking_acquire(&self) -> Token<'_, Shared> {
        blocking::forbid_on_loop("blocking_acquire", "acquire");
        match self.try_acquire() {
            Some(token) => token,
            None => blocking::block_on(self.acquire()),
        }
    }
}

impl<M: Mode> Debug for CapacityLimiter<M> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let (total, borrowed) = self.list.with(|state, _| (state.total, state.borrowed()));
        f.debug_struct("CapacityLimiter")
            .field("total", &total)
            .field("borrowed", &borrowed)
            .finish()
    }
}
