//! The semaphore that refuses to grow: permits lost are given back at most once.
//!
//! # Not here
//! How permits are taken: the semaphore, of which this is one with a bound.

use std::fmt::{self, Debug, Formatter};

use super::{AcquirePermit, Permit, Semaphore};
use crate::error::unit_error;
use crate::primitives::{Local, Mode, Shared, Statistics};
use crate::rt::const_fn;

unit_error!(
    /// More permits were given back than a [`BoundedSemaphore`] began with.
    ///
    /// # asyncio
    /// The `ValueError` of `BoundedSemaphore.release`.
    OverRelease, InvalidInput, "a bounded semaphore was given more permits than it began with"
);

/// A [`Semaphore`] that never holds more permits than it began with.
///
/// Use it as [`local::BoundedSemaphore`](crate::local::BoundedSemaphore) or
/// [`sync::BoundedSemaphore`](crate::sync::BoundedSemaphore).
///
/// Permits that were [forgotten](Permit::forget) can be given back by hand, but no others.
///
/// # asyncio
/// `BoundedSemaphore`. As permits are guards, only [`add_permits`](Self::add_permits) can be one
/// too many.
///
/// # Examples
/// ```
/// use petla::local::{BoundedSemaphore, OverRelease};
///
/// let semaphore = BoundedSemaphore::new(2);
/// assert_eq!(semaphore.add_permits(1), Err(OverRelease));
/// semaphore.try_acquire().expect("both are free").forget();
/// assert_eq!(semaphore.add_permits(1), Ok(()));
/// assert_eq!(semaphore.available(), 2);
/// ```
pub struct BoundedSemaphore<M: Mode> {
    semaphore: Semaphore<M>,
    bound: usize,
}

impl BoundedSemaphore<Local> {
    const_fn! {
        /// A semaphore with `permits` free permits, and never more.
        ///
        /// # Panics
        /// If there are more than [`Semaphore::MAX`].
        pub fn new(permits: usize) -> Self {
            BoundedSemaphore { semaphore: Semaphore::<Local>::new(permits), bound: permits }
        }
    }
}

impl BoundedSemaphore<Shared> {
    const_fn! {
        /// A semaphore with `permits` free permits, and never more.
        ///
        /// # Panics
        /// If there are more than [`Semaphore::MAX`].
        pub fn new(permits: usize) -> Self {
            BoundedSemaphore { semaphore: Semaphore::<Shared>::new(permits), bound: permits }
        }
    }

    /// Takes a permit on a thread that runs no loop, which sleeps until there is one.
    ///
    /// # Panics
    /// On a thread that runs a loop.
    #[track_caller]
    pub fn blocking_acquire(&self) -> Permit<'_, Shared> {
        self.semaphore.blocking_acquire()
    }
}

impl<M: Mode> BoundedSemaphore<M> {
    /// Takes a permit, once there is one: [`Semaphore::acquire`].
    ///
    /// # Cancel safety
    /// **Loses place.** A permit that was granted goes to the next.
    #[inline(always)]
    pub fn acquire(&self) -> AcquirePermit<'_, M> {
        self.semaphore.acquire()
    }

    /// Takes `n` permits, once so many are free: [`Semaphore::acquire_many`].
    ///
    /// # Panics
    /// If `n` is more than it began with: it would wait for ever.
    ///
    /// # Cancel safety
    /// **Loses place.** Permits that were granted go to the next.
    #[track_caller]
    pub fn acquire_many(&self, n: usize) -> AcquirePermit<'_, M> {
        assert!(
            n <= self.bound,
            "{n} permits of a bounded semaphore of {} would be waited for for ever",
            self.bound
        );
        self.semaphore.acquire_many(n)
    }

    /// Takes a permit if one is free and promised to nobody.
    #[inline(always)]
    pub fn try_acquire(&self) -> Option<Permit<'_, M>> {
        self.semaphore.try_acquire()
    }

    /// Takes `n` permits if they are free and nobody waits.
    #[inline(always)]
    pub fn try_acquire_many(&self, n: usize) -> Option<Permit<'_, M>> {
        self.semaphore.try_acquire_many(n)
    }

    /// Gives back permits that were [forgotten](Permit::forget).
    ///
    /// # Errors
    /// [`OverRelease`] if there would be more than it began with. Nothing changed then.
    ///
    /// # asyncio
    /// `BoundedSemaphore.release`.
    pub fn add_permits(&self, n: usize) -> Result<(), OverRelease> {
        self.semaphore.raise_total(n, self.bound)?;
        self.semaphore.permits.give(n);
        Ok(())
    }

    /// How many permits are free and promised to nobody.
    pub fn available(&self) -> usize {
        self.semaphore.available()
    }

    /// How many wait, and how many permits are out or granted. It walks those who wait.
    pub fn statistics(&self) -> Statistics {
        self.semaphore.statistics()
    }
}

impl<M: Mode> Debug for BoundedSemaphore<M> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("BoundedSemaphore")
            .field("available", &self.available())
            .field("bound", &self.bound)
            .finish_non_exhaustive()
    }
}
