//! A watch: the latest value of something, and a wait for the next.
//!
//! A configuration, a price, a state of a connection: who looks wants the present value, and who
//! waits wants to hear of a new one, but nobody wants all those between. So there is one value
//! and its number. A [`Watcher`] notes the number that it saw last, and waits while it is the
//! present one.
//!
//! The value is shared: a `get` takes a reference under the lock, and clones the value after it.
//! An old value is dropped by whoever is the last to look at it, after the lock as well. So `T`'s
//! code may use the watch itself.
//!
//! # Invariants
//! - **Numbered**: value and number change together, under the lock; no number comes twice.
//! - **Fed**: when the lock is released, everybody in `WAIT` has seen the present value. A `set`
//!   moves them all to `WOKEN`, from where they are notified in batches.
//!
//! # Cost
//! A `set`: one allocation, the lock, and a wake-up for each who waits. A `get`: the lock and the
//! clone. A wait: no allocation.
//!
//! # Not here
//! Every value, in order: a queue. An end: the watch ends with its last user.

mod changed;
#[cfg(all(test, petla_loom))]
mod models;
#[cfg(all(test, not(petla_loom)))]
mod tests;

use std::fmt::{self, Debug, Formatter};
use std::marker::PhantomData;
use std::mem;

pub use changed::{Changed, Watcher};

use super::{Shared, Statistics};
use crate::wait_list::{Batch, Line, Lines, Local, Mode, Policy, WaitList};

/// Who waits for a value.
const WAIT: usize = 0;
/// Who waits for its wake-up, as a value came.
const WOKEN: usize = 1;

/// The policy of a watch.
#[derive(Debug)]
pub struct Rules<T>(PhantomData<fn() -> T>);

/// What the lock guards.
#[derive(Debug)]
pub struct Latest<T, M: Mode> {
    value: M::Ref<T>,
    /// How often the value was set.
    number: u64,
}

impl<T, M: Mode> Latest<T, M> {
    /// The value and its number.
    fn look(&self) -> (M::Ref<T>, u64) {
        (self.value.clone(), self.number)
    }
}

impl<T, M: Mode> Policy<M> for Rules<T> {
    type State = Latest<T, M>;
    type Lines = [Line<M>; 2];

    fn left(&self, _: &mut Self::State, _: usize, _: Option<u32>) {}

    fn pump(&self, _: &mut Self::State, lines: &mut Lines<'_, M>, batch: &mut Batch) {
        while !batch.is_full() && !lines.is_empty(WOKEN) {
            batch.push(lines.notify(WOKEN, 0));
        }
    }
}

/// The latest value of something: set by some, looked at and awaited by many.
///
/// Use it as [`local::Watch`](crate::local::Watch) or [`sync::Watch`](crate::sync::Watch).
///
/// # asyncio
/// None; an attribute, and a `Condition` to announce its changes.
///
/// # Examples
/// ```
/// use petla::{local::Watch, spawn};
/// use std::rc::Rc;
///
/// let seen = petla::run(async {
///     let level = Rc::new(Watch::new(0));
///     let observer = spawn({
///         let level = level.clone();
///         async move {
///             let mut watcher = level.watcher();
///             watcher.changed().await
///         }
///     });
///     petla::yield_now().await; // the observer waits now
///     level.set(1);
///     level.set(2);
///     assert_eq!(level.get(), 2);
///     observer.await
/// });
/// assert_eq!(seen.unwrap(), 2); // of several values the last
/// ```
#[doc(alias("watch", "Observable"))]
pub struct Watch<T, M: Mode> {
    list: WaitList<Rules<T>, M>,
}

macro_rules! new {
    ($mode:ty) => {
        impl<T> Watch<T, $mode> {
            /// A watch with its first value.
            ///
            /// # asyncio
            /// None.
            pub fn new(value: T) -> Self {
                let latest = Latest {
                    value: <$mode>::share(value),
                    number: 0,
                };
                let lines = [Line::new(), Line::new()];
                Watch {
                    list: WaitList::<Rules<T>, $mode>::in_place(Rules(PhantomData), latest, lines),
                }
            }
        }

        impl<T: Default> Default for Watch<T, $mode> {
            fn default() -> Self {
                Watch::<T, $mode>::new(T::default())
            }
        }
    };
}
new!(Local);
new!(Shared);

impl<T, M: Mode> Watch<T, M> {
    /// Makes `value` the latest one, and wakes all who wait for a change. The value before it is
    /// dropped when nobody looks at it any more, by this call or by the last who does.
    ///
    /// # asyncio
    /// None.
    pub fn set(&self, value: T) {
        let mut value = M::share(value);
        self.list.settle(|latest, lines| {
            mem::swap(&mut latest.value, &mut value);
            latest.number += 1;
            lines.move_all(WAIT, WOKEN);
        });
        drop(value); // foreign code: after the lock
    }

    /// A clone of the latest value. It does not count as seen by any [`Watcher`].
    ///
    /// # asyncio
    /// None.
    pub fn get(&self) -> T
    where
        T: Clone,
    {
        let (value, _) = self.list.with(|latest, _| latest.look());
        T::clone(&value)
    }

    /// One who waits for changes, and has seen the present value.
    ///
    /// # asyncio
    /// None.
    pub fn watcher(&self) -> Watcher<'_, T, M> {
        Watcher::new(self)
    }

    /// How many wait. Nobody holds a watch, and it has no peak. It walks those who wait.
    pub fn statistics(&self) -> Statistics {
        self.list.with(|_, lines| Statistics {
            waiting: lines.count(WAIT) + lines.count(WOKEN),
            holders: 0,
            peak: 0,
        })
    }
}

impl<T: Debug, M: Mode> Debug for Watch<T, M> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let (value, _) = self.list.with(|latest, _| latest.look());
        f.debug_tuple("Watch").field(&*value).finish()
    }
}
