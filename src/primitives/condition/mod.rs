//! Conditions: waiting under a lock until what it guards has changed.
//!
//! A condition has no state of its own: the lock's value is what tasks wait for. Waiting takes
//! the guard and gives one back. Between the two the lock is free, and whoever changed the value
//! says so with the guard in hand. Several conditions may go with one lock; one condition goes
//! with one lock at a time.
//!
//! To notify wakes nobody: those notified are moved to the lock's line, behind those who already
//! wait there, and each is woken when it has the lock. A notification is never lost: who is
//! cancelled after it, waiting for the lock or granted it, hands it to the next who waits.
//!
//! # Not here
//! Giving the lock up and getting it back: `value::absence`. The line: `wait_list::annex`. A
//! limit of time: `time::condition`, as it needs a loop.

#[cfg(all(test, petla_loom))]
mod models;
mod wait;

use std::fmt::{self, Debug, Formatter};

pub use wait::{Wait, WaitFor};

use super::{Local, LockGuard, Mode, Shared, Statistics, blocking};
use crate::rt::const_fn;
use crate::wait_list::{Annex, InUse};

const OTHER_LOCK: &str = "this condition is waited for with another lock at the moment: \
    a condition goes with one lock";

/// Lets tasks that hold a lock wait until others have changed what it guards.
///
/// Use it as [`local::Condition`](crate::local::Condition) or
/// [`sync::Condition`](crate::sync::Condition).
///
/// In `local`, a task that holds a notified wait without polling it loses the lock that was
/// granted to it, as with any primitive, but keeps the notification until it polls or drops the
/// wait.
///
/// # asyncio
/// `Condition`. Differs: it owns no lock, but takes and returns guards of any; wake-ups without
/// cause do not happen; a cancelled wait returns without the lock, as a dropped future has nobody
/// to give it to; notifying without the lock does not compile.
///
/// # Examples
/// ```
/// use petla::{local::{Condition, Lock}, spawn};
/// use std::rc::Rc;
///
/// let got = petla::run(async {
///     let shared = Rc::new((Lock::new(Vec::new()), Condition::new()));
///     let consumer = spawn({
///         let shared = shared.clone();
///         async move {
///             let (items, changed) = &*shared;
///             let items = items.lock().await;
///             let mut items = changed.wait_for(items, |items| items.len() >= 2).await;
///             items.pop()
///         }
///     });
///     let (items, changed) = &*shared;
///     for n in 1..=2 {
///         let mut items = items.lock().await;
///         items.push(n);
///         changed.notify(&items, 1);
///     }
///     consumer.await
/// });
/// assert_eq!(got.unwrap(), Some(2));
/// ```
#[doc(alias = "Condvar")]
pub struct Condition<M: Mode> {
    annex: Annex<M>,
}

impl Condition<Local> {
    const_fn! {
        /// A condition that nobody waits for.
        pub fn new() -> Self {
            Condition { annex: Annex::<Local>::new() }
        }
    }
}

impl Condition<Shared> {
    const_fn! {
        /// A condition that nobody waits for.
        pub fn new() -> Self {
            Condition { annex: Annex::<Shared>::new() }
        }
    }

    /// Waits on a thread that runs no loop, which sleeps until it is notified and has the lock
    /// again.
    ///
    /// # Panics
    /// On a thread that runs a loop, and as [`wait`](Self::wait).
    ///
    /// # asyncio
    /// None; `threading.Condition.wait`.
    #[track_caller]
    pub fn blocking_wait<'a, T: ?Sized>(
        &self,
        guard: LockGuard<'a, T, Shared>,
    ) -> LockGuard<'a, T, Shared> {
        blocking::forbid_on_loop("blocking_wait", "wait");
        blocking::block_on(self.wait(guard))
    }

    /// Waits on a thread that runs no loop until `predicate` holds.
    ///
    /// # Panics
    /// On a thread that runs a loop, and as [`wait`](Self::wait).
    ///
    /// # asyncio
    /// None; `threading.Condition.wait_for`.
    #[track_caller]
    pub fn blocking_wait_for<'a, T: ?Sized>(
        &self,
        guard: LockGuard<'a, T, Shared>,
        predicate: impl FnMut(&mut T) -> bool,
    ) -> LockGuard<'a, T, Shared> {
        blocking::forbid_on_loop("blocking_wait_for", "wait_for");
        blocking::block_on(self.wait_for(guard, predicate))
    }
}

impl<M: Mode> Condition<M> {
    /// Releases the lock, waits for a notification, and has the lock again.
    ///
    /// The lock is released at the first poll. Those notified get the lock in the order in which
    /// they were notified, behind those who waited for it before.
    ///
    /// # Panics
    /// If somebody waits for this condition with another lock.
    ///
    /// # Cancel safety
    /// **Loses data**: the guard, which was given up. A notification goes to the next who waits.
    ///
    /// # asyncio
    /// `Condition.wait`, which takes the lock again even when cancelled.
    #[inline]
    pub fn wait<'c, 'a, T: ?Sized>(&'c self, guard: LockGuard<'a, T, M>) -> Wait<'c, 'a, T, M> {
        Wait::new(&self.annex, guard)
    }

    /// Waits until `predicate` holds, and has the lock then. It looks at once, and after each
    /// notification.
    ///
    /// # Panics
    /// If somebody waits for this condition with another lock, and if `predicate` panics; the
    /// lock is released then.
    ///
    /// # Cancel safety
    /// **Loses data**: the guard. A notification goes to the next who waits.
    ///
    /// # asyncio
    /// `Condition.wait_for`.
    pub fn wait_for<'c, 'a, T: ?Sized, F>(
        &'c self,
        guard: LockGuard<'a, T, M>,
        predicate: F,
    ) -> WaitFor<'c, 'a, T, F, M>
    where
        F: FnMut(&mut T) -> bool,
    {
        WaitFor::new(&self.annex, guard, predicate)
    }

    /// Notifies the first `n` who wait, or all if they are fewer.
    ///
    /// They run when they have the lock, of which the caller holds the guard.
    ///
    /// # Panics
    /// If those who wait do so with another lock.
    ///
    /// # asyncio
    /// `Condition.notify(n)`.
    #[doc(alias = "notify_one")]
    pub fn notify<T: ?Sized>(&self, guard: &LockGuard<'_, T, M>, n: usize) {
        if guard.notify(&self.annex, n) == Err(InUse) {
            panic!("{OTHER_LOCK}");
        }
    }

    /// Notifies all who wait.
    ///
    /// # Panics
    /// If they wait with another lock.
    ///
    /// # asyncio
    /// `Condition.notify_all`.
    pub fn notify_all<T: ?Sized>(&self, guard: &LockGuard<'_, T, M>) {
        self.notify(guard, usize::MAX);
    }

    /// How many wait for a notification. Those who have one wait for the lock.
    pub fn statistics(&self) -> Statistics {
        Statistics {
            waiting: self.annex.len(),
            holders: 0,
            peak: 0,
        }
    }
}

impl Default for Condition<Local> {
    fn default() -> Self {
        Self::new()
    }
}

impl Default for Condition<Shared> {
    fn default() -> Self {
        Self::new()
    }
}

impl<M: Mode> Debug for Condition<M> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("Condition")
            .field("waiting", &self.annex.len())
            .finish()
    }
}
