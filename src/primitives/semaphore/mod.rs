//! Semaphores: at most so many at a time.
//!
//! A permit is a guard: it comes back when it is dropped, whatever ends its holder. So what
//! asyncio's `BoundedSemaphore` guards against, a `release` too many, can happen only where
//! permits are added by hand.
//!
//! # Cost
//! As a lock's: one compare-and-swap to take a permit and one to give it back while nobody waits,
//! no allocation for those who do.
//!
//! # Not here
//! Waiting: `permits`. A number that changes while permits are out: `CapacityLimiter`.

mod bounded;
mod owned;

use std::fmt::{self, Debug, Formatter};
use std::future::Future;
use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

pub use bounded::{BoundedSemaphore, OverRelease};
pub use owned::OwnedPermit;

use super::permits::{NEED_MAX, PERMITS_MAX, PermitWaiter, Permits};
use super::{Local, Mode, Shared, Statistics, blocking};
use crate::pin::pinned;
use crate::rt::{AtomicUsize, Ordering, const_fn};
use crate::wait_list::Word;
use std::cell::Cell;

/// A number of permits that tasks take and give back.
///
/// Use it as [`local::Semaphore`](crate::local::Semaphore) or
/// [`sync::Semaphore`](crate::sync::Semaphore).
///
/// Fair: permits go to whoever waits longest, and nobody who needs less overtakes one who needs
/// more.
///
/// # asyncio
/// `Semaphore`. Differs: a guard in place of `release`; several permits at once. To signal with
/// one (acquire here, release there) use [`Permit::forget`] and
/// [`add_permits`](Self::add_permits).
///
/// # Examples
/// ```
/// use petla::{local::Semaphore, spawn, yield_now};
/// use std::{cell::Cell, rc::Rc};
///
/// let most = petla::run(async {
///     let (semaphore, now, most) = (Rc::new(Semaphore::new(2)), Cell::new(0), Cell::new(0));
///     let state = Rc::new((semaphore, now, most));
///     let tasks: Vec<_> = (0..5)
///         .map(|_| {
///             let state = state.clone();
///             spawn(async move {
///                 let (semaphore, now, most) = &*state;
///                 let _permit = semaphore.acquire().await;
///                 now.set(now.get() + 1);
///                 most.set(most.get().max(now.get()));
///                 yield_now().await;
///                 now.set(now.get() - 1);
///             })
///         })
///         .collect();
///     for task in tasks {
///         task.await?;
///     }
///     Ok::<_, petla::JoinError>(state.2.get())
/// });
/// assert_eq!(most.unwrap(), 2);
/// ```
pub struct Semaphore<M: Mode> {
    permits: Permits<M>,
    /// Free, out, or granted.
    total: M::Word,
}

impl Semaphore<Local> {
    const_fn! {
        /// A semaphore with `permits` free permits; 0 is allowed.
        ///
        /// # Panics
        /// If there are more than [`MAX`](Self::MAX).
        pub fn new(permits: usize) -> Self {
            assert!(permits <= PERMITS_MAX, "more permits than `Semaphore::MAX`");
            Semaphore { permits: Permits::<Local>::new(permits), total: Cell::new(permits) }
        }
    }
}

impl Semaphore<Shared> {
    const_fn! {
        /// A semaphore with `permits` free permits; 0 is allowed.
        ///
        /// # Panics
        /// If there are more than [`MAX`](Self::MAX).
        pub fn new(permits: usize) -> Self {
            assert!(permits <= PERMITS_MAX, "more permits than `Semaphore::MAX`");
            Semaphore { permits: Permits::<Shared>::new(permits), total: AtomicUsize::new(permits) }
        }
    }

    /// Takes a permit on a thread that runs no loop, which sleeps until there is one.
    ///
    /// # Panics
    /// On a thread that runs a loop.
    ///
    /// # asyncio
    /// None; `threading.Semaphore.acquire`.
    #[track_caller]
    pub fn blocking_acquire(&self) -> Permit<'_, Shared> {
        blocking::forbid_on_loop("blocking_acquire", "acquire");
        blocking::block_on(self.acquire())
    }
}

impl<M: Mode> Semaphore<M> {
    /// The most permits that there can be.
    pub const MAX: usize = PERMITS_MAX;
    /// The most permits that can be acquired at once: 268,435,455.
    pub const MAX_AT_ONCE: usize = NEED_MAX as usize;

    /// Takes a permit, once there is one.
    ///
    /// Permits are granted in the order in which the futures were first polled.
    ///
    /// # Cancel safety
    /// **Loses place.** A permit that was granted goes to the next.
    ///
    /// # asyncio
    /// `Semaphore.acquire`, `async with semaphore`.
    #[inline(always)]
    pub fn acquire(&self) -> AcquirePermit<'_, M> {
        AcquirePermit::new(self, 1)
    }

    /// Takes `n` permits, once so many are free: all at once, never a part. 0 waits for its turn
    /// and takes nothing.
    ///
    /// While it waits, those behind it wait too, however few they need. More permits than there
    /// are wait for [`add_permits`](Self::add_permits).
    ///
    /// # Panics
    /// If `n` is above [`MAX_AT_ONCE`](Self::MAX_AT_ONCE).
    ///
    /// # Cancel safety
    /// **Loses place.** Permits that were granted go to the next.
    ///
    /// # asyncio
    /// None.
    ///
    /// # Examples
    /// ```
    /// use petla::local::Semaphore;
    ///
    /// petla::run(async {
    ///     let megabytes = Semaphore::new(100);
    ///     let large = megabytes.acquire_many(80).await;
    ///     assert_eq!(megabytes.available(), 20);
    ///     drop(large);
    ///     assert_eq!(megabytes.available(), 100);
    /// });
    /// ```
    #[track_caller]
    pub fn acquire_many(&self, n: usize) -> AcquirePermit<'_, M> {
        assert!(
            n <= Self::MAX_AT_ONCE,
            "{n} permits at once are more than `Semaphore::MAX_AT_ONCE`: count in larger units"
        );
        AcquirePermit::new(self, n as u32)
    }

    /// Takes a permit if one is free and promised to nobody.
    ///
    /// # asyncio
    /// None.
    #[inline(always)]
    pub fn try_acquire(&self) -> Option<Permit<'_, M>> {
        self.try_acquire_many(1)
    }

    /// Takes `n` permits if they are free and nobody waits. None if `n` is above
    /// [`MAX_AT_ONCE`](Self::MAX_AT_ONCE).
    ///
    /// # asyncio
    /// None.
    #[inline(always)]
    pub fn try_acquire_many(&self, n: usize) -> Option<Permit<'_, M>> {
        let taken = n <= Self::MAX_AT_ONCE && self.permits.try_take(n);
        taken.then(|| Permit::new(self, n as u32))
    }

    /// Adds permits for good.
    ///
    /// # Panics
    /// If there would be more than [`MAX`](Self::MAX). Nothing changed then.
    ///
    /// # asyncio
    /// `Semaphore.release` without an `acquire` before.
    #[track_caller]
    pub fn add_permits(&self, n: usize) {
        assert!(
            self.raise_total(n, PERMITS_MAX).is_ok(),
            "{n} permits more would be more than `Semaphore::MAX`"
        );
        self.permits.give(n);
    }

    /// How many permits are free and promised to nobody.
    ///
    /// # asyncio
    /// `Semaphore._value`, which is private there; `locked()` is `available() == 0`.
    pub fn available(&self) -> usize {
        self.permits.free()
    }

    /// How many wait, and how many permits are out or granted. It walks those who wait.
    pub fn statistics(&self) -> Statistics {
        let total = self.total.load(Ordering::Relaxed);
        // Saturating: they are read one after the other.
        let out = total.saturating_sub(self.permits.free());
        self.permits.statistics(out)
    }

    /// Counts `n` permits more, if there are then no more than `limit`.
    fn raise_total(&self, n: usize, limit: usize) -> Result<(), OverRelease> {
        let mut total = self.total.load(Ordering::Relaxed);
        loop {
            let raised = total.checked_add(n).filter(|raised| *raised <= limit);
            let raised = raised.ok_or(OverRelease)?;
            // Relaxed: it is a count, and orders nothing.
            match self.total.replace(total, raised, Ordering::Relaxed) {
                Ok(()) => return Ok(()),
                Err(found) => total = found,
            }
        }
    }

    /// Counts `n` permits less, which were taken.
    fn lower_total(&self, n: usize) {
        self.total.add(n.wrapping_neg(), Ordering::Relaxed);
    }
}

impl<M: Mode> Debug for Semaphore<M> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("Semaphore")
            .field("available", &self.available())
            .finish_non_exhaustive()
    }
}

pinned! {
    /// The future of [`Semaphore::acquire`] and [`Semaphore::acquire_many`].
    #[must_use = "futures do nothing unless awaited"]
    pub struct AcquirePermit<'a, M: Mode> {
        semaphore: &'a Semaphore<M>,
        need: u32,
        #[pin]
        waiter: PermitWaiter<'a, M>,
    }
}

impl<'a, M: Mode> AcquirePermit<'a, M> {
    #[inline(always)]
    fn new(semaphore: &'a Semaphore<M>, need: u32) -> Self {
        AcquirePermit {
            semaphore,
            need,
            waiter: PermitWaiter::unbound(),
        }
    }
}

impl<'a, M: Mode> Future for AcquirePermit<'a, M> {
    type Output = Permit<'a, M>;

    #[inline(always)]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let permits = &this.semaphore.permits;
        ready!(permits.poll_take(this.waiter, cx, *this.need));
        Poll::Ready(Permit::new(this.semaphore, *this.need))
    }
}

impl<M: Mode> Debug for AcquirePermit<'_, M> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("AcquirePermit")
            .field("need", &self.need)
            .finish_non_exhaustive()
    }
}

/// One permit or several, from [`Semaphore::acquire`]. Dropping it gives them to the next in
/// line.
#[must_use = "the permit is given back when dropped"]
pub struct Permit<'a, M: Mode> {
    semaphore: &'a Semaphore<M>,
    count: u32,
}

impl<'a, M: Mode> Permit<'a, M> {
    #[inline(always)]
    fn new(semaphore: &'a Semaphore<M>, count: u32) -> Self {
        Permit { semaphore, count }
    }

    /// How many permits it stands for.
    pub fn count(&self) -> usize {
        self.count as usize
    }

    /// Takes the permits out of the semaphore for good, instead of giving them back.
    ///
    /// # Examples
    /// ```
    /// use petla::local::Semaphore;
    ///
    /// let semaphore = Semaphore::new(1);
    /// semaphore.try_acquire().expect("one is free").forget();
    /// assert!(semaphore.try_acquire().is_none());
    /// semaphore.add_permits(1);
    /// assert!(semaphore.try_acquire().is_some());
    /// ```
    pub fn forget(self) {
        self.semaphore.lower_total(self.count());
        mem::forget(self);
    }
}

impl<M: Mode> Drop for Permit<'_, M> {
    #[inline(always)]
    fn drop(&mut self) {
        self.semaphore.permits.give(self.count());
    }
}

impl<M: Mode> Debug for Permit<'_, M> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Permit").field(&self.count).finish()
    }
}
