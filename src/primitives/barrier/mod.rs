//! A barrier: a number of tasks wait for each other, then all go on, again and again.
//!
//! Work that goes in rounds needs a point that nobody passes before all have reached it. What is
//! hard is the time between two rounds: some of a round are still being woken when the first
//! arrive for the next one. Here a round, a *generation*, is complete in one step: its last
//! arrival moves all who wait to a second line, each with its index, under the lock. From then on
//! nothing that happens to the barrier concerns them, and the next generation fills at once;
//! nobody waits for the last one to drain.
//!
//! # Invariants
//! - **Whole**: `wait` gives the indices `0..parties` of a generation once each, but those that
//!   were dropped unread, or gives `Broken` to every one that had arrived.
//! - **Counted**: an arrival counts from its first poll until it is dropped, its generation is
//!   complete, or the barrier is aborted or reset. No generation counts an arrival of another.
//!
//! # Cost
//! An arrival: two locks, no allocation. Completing, aborting or resetting walks those who wait,
//! under the lock, and wakes them after it.
//!
//! # Not here
//! Counting: `rules`. Waiting: `wait_list`. One event for any number of waiters: `Event`.

#[cfg(all(test, petla_loom))]
mod models;
mod rules;
#[cfg(all(test, not(petla_loom)))]
mod tests;
mod wait;

use std::fmt::{self, Debug, Formatter};

pub use wait::BarrierWait;

use super::{Local, Shared, Statistics, blocking};
use crate::error::unit_error;
use crate::rt::const_fn;
use crate::wait_list::{Line, Mode, WaitList};
use rules::{Rules, State};

unit_error!(
    /// A [`Barrier`] was aborted, or was reset while this one waited.
    ///
    /// # asyncio
    /// `BrokenBarrierError`.
    Broken, Other, "the barrier is broken: it was aborted, or reset while somebody waited"
);

/// A point that nobody passes until a number of tasks have reached it.
///
/// Use it as [`local::Barrier`](crate::local::Barrier) or [`sync::Barrier`](crate::sync::Barrier).
///
/// It can be used again and again: those who arrive after a generation is complete are of the
/// next one, also while those of the last are still to run.
///
/// # asyncio
/// `Barrier`. Differs: `abort` and `reset` need no `await`, an arrival never has to wait for the
/// last generation to leave, and there is no `async with`, which did nothing at its end.
///
/// # Examples
/// ```
/// use petla::{local::Barrier, spawn};
/// use std::{cell::Cell, rc::Rc};
///
/// let after = petla::run(async {
///     let shared = Rc::new((Barrier::new(3), Cell::new(0)));
///     let workers: Vec<_> = (0..3)
///         .map(|_| {
///             let shared = shared.clone();
///             spawn(async move {
///                 let (barrier, ready) = &*shared;
///                 ready.set(ready.get() + 1);
///                 barrier.wait().await?;
///                 std::io::Result::Ok(ready.get()) // all three are ready
///             })
///         })
///         .collect();
///     let mut after = Vec::new();
///     for worker in workers {
///         after.push(worker.await.expect("it neither panics nor is cancelled")?);
///     }
///     std::io::Result::Ok(after)
/// });
/// assert_eq!(after.unwrap(), [3, 3, 3]);
/// ```
#[doc(alias("CyclicBarrier", "rendezvous"))]
pub struct Barrier<M: Mode> {
    list: WaitList<Rules, M>,
}

macro_rules! new {
    ($mode:ty) => {
        impl Barrier<$mode> {
            const_fn! {
                /// A barrier for `parties` arrivals, from 1 to 268,435,455.
                ///
                /// One for 1 never blocks.
                ///
                /// # Panics
                /// If `parties` is 0 or more than that.
                ///
                /// # asyncio
                /// `Barrier(parties)`.
                #[track_caller]
                pub fn new(parties: usize) -> Self {
                    let lines = [Line::new(), Line::new()];
                    Barrier {
                        list: WaitList::<Rules, $mode>::in_place(
                            Rules::new(parties),
                            State::new(),
                            lines,
                        ),
                    }
                }
            }
        }
    };
}
new!(Local);
new!(Shared);

impl<M: Mode> Barrier<M> {
    /// Arrives, and waits until all parties of this generation have; gives the index of the
    /// arrival.
    ///
    /// The arrival counts from the future's first poll. The last one does not suspend and has
    /// the index `parties - 1`; the others have their place in the order of arrival, counted
    /// when the last came, so that each index is given once. What a task did before it arrived
    /// happened before whatever another does once it is through.
    ///
    /// # Errors
    /// [`Broken`] if the barrier is broken, or is aborted or reset meanwhile.
    ///
    /// # Cancel safety
    /// **Loses place.** The arrival is taken back, and the indices of those who came later are
    /// one less; nothing breaks. If the generation was complete already, the others go on all
    /// the same.
    ///
    /// # asyncio
    /// `Barrier.wait`.
    ///
    /// # Examples
    /// ```
    /// use petla::local::{Barrier, Broken};
    ///
    /// petla::run(async {
    ///     let alone = Barrier::new(1);
    ///     assert_eq!(alone.wait().await, Ok(0));
    ///     alone.abort();
    ///     assert_eq!(alone.wait().await, Err(Broken));
    ///     std::io::Result::Ok(())
    /// })
    /// .unwrap();
    /// ```
    pub fn wait(&self) -> BarrierWait<'_, M> {
        BarrierWait::new(&self.list)
    }

    /// Breaks the barrier: those who wait, and those who come until [`reset`](Self::reset), fail
    /// with [`Broken`]. Who is through already is not concerned.
    ///
    /// For the task that cannot go on to the next round, so that the others do not wait for it.
    ///
    /// # asyncio
    /// `Barrier.abort`, which must be awaited.
    pub fn abort(&self) {
        self.list.settle(|state, lines| state.fail(lines, true));
    }

    /// Makes the barrier whole and empty: those who wait fail with [`Broken`], and those who
    /// come from now on are a new generation.
    ///
    /// # asyncio
    /// `Barrier.reset`, which must be awaited.
    ///
    /// # Examples
    /// ```
    /// use petla::local::Barrier;
    ///
    /// let barrier = Barrier::new(2);
    /// barrier.abort();
    /// assert!(barrier.is_broken());
    /// barrier.reset();
    /// assert!(!barrier.is_broken());
    /// ```
    pub fn reset(&self) {
        self.list.settle(|state, lines| state.fail(lines, false));
    }

    /// How many have arrived in the generation that is not complete.
    ///
    /// # asyncio
    /// `Barrier.n_waiting`.
    pub fn n_waiting(&self) -> usize {
        self.list.with(|state, _| state.arrived())
    }

    /// Whether it was aborted, and not reset since.
    ///
    /// # asyncio
    /// `Barrier.broken`.
    pub fn is_broken(&self) -> bool {
        self.list.with(|state, _| state.is_broken())
    }

    /// How many arrivals complete a generation.
    ///
    /// # asyncio
    /// `Barrier.parties`.
    pub fn parties(&self) -> usize {
        self.list.policy().parties()
    }

    /// How many wait, those included who are about to be woken. A barrier has no holders.
    pub fn statistics(&self) -> Statistics {
        Statistics {
            waiting: self.list.with(|state, lines| state.waiting(lines)),
            holders: 0,
            peak: 0,
        }
    }
}

impl Barrier<Shared> {
    /// Arrives on a thread that runs no loop, which sleeps until all parties have.
    ///
    /// # Errors
    /// As for [`wait`](Self::wait).
    ///
    /// # Panics
    /// On a thread that runs a loop.
    ///
    /// # asyncio
    /// None; `threading.Barrier.wait`.
    ///
    /// # Examples
    /// ```
    /// use petla::sync::Barrier;
    /// use std::thread;
    ///
    /// static BARRIER: Barrier = Barrier::new(2);
    ///
    /// let other = thread::spawn(|| BARRIER.blocking_wait().unwrap());
    /// let index = BARRIER.blocking_wait().unwrap();
    /// assert_eq!(index + other.join().unwrap(), 1); // 0 and 1
    /// ```
    #[track_caller]
    pub fn blocking_wait(&self) -> Result<usize, Broken> {
        blocking::forbid_on_loop("blocking_wait", "wait");
        blocking::block_on(self.wait())
    }
}

impl<M: Mode> Debug for Barrier<M> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let (waiting, broken) = self
            .list
            .with(|state, _| (state.arrived(), state.is_broken()));
        f.debug_struct("Barrier")
            .field("parties", &self.parties())
            .field("n_waiting", &waiting)
            .field("broken", &broken)
            .finish()
    }
}
