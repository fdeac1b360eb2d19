//! Permits that own their semaphore: for tasks that are spawned with one.
//!
//! # Not here
//! Another way to wait: it is the borrowed permit's, inside a future that owns the semaphore.

use std::fmt::{self, Debug, Formatter};
use std::future::Future;
use std::mem;
use std::rc::Rc;
#[cfg(not(all(test, petla_loom)))]
use std::sync::Arc;

use super::Semaphore;
#[cfg(not(all(test, petla_loom)))]
use crate::primitives::Shared;
use crate::primitives::{Local, Mode};

/// Permits that keep their semaphore, from [`Semaphore::acquire_owned`]. Dropping it gives them
/// to the next in line.
#[must_use = "the permit is given back when dropped"]
pub struct OwnedPermit<M: Mode> {
    semaphore: M::Ref<Semaphore<M>>,
    count: u32,
}

/// The same methods for `Rc` and `Arc`: a receiver cannot be generic over them.
macro_rules! owned {
    ($mode:ty, $pointer:ident) => {
        impl Semaphore<$mode> {
            /// Takes a permit that keeps the semaphore, for a task of its own.
            ///
            /// # Cancel safety
            /// **Loses place.** A permit that was granted goes to the next.
            ///
            /// # asyncio
            /// None: there every permit is the whole program's.
            ///
            /// # Examples
            /// ```
            /// use petla::{local::Semaphore, spawn};
            /// use std::rc::Rc;
            ///
            /// petla::run(async {
            ///     let semaphore = Rc::new(Semaphore::new(1));
            ///     let permit = semaphore.acquire_owned().await;
            ///     let task = spawn(async move { drop(permit) });
            ///     semaphore.acquire().await.forget(); // once the task is done
            ///     task.await
            /// })
            /// .unwrap();
            /// ```
            pub fn acquire_owned(
                self: &$pointer<Self>,
            ) -> impl Future<Output = OwnedPermit<$mode>> + use<> {
                self.acquire_many_owned(1)
            }

            /// Takes `n` permits that keep the semaphore: see
            /// [`acquire_many`](Self::acquire_many).
            ///
            /// # Panics
            /// If `n` is above [`MAX_AT_ONCE`](Self::MAX_AT_ONCE), when it is polled.
            ///
            /// # Cancel safety
            /// **Loses place.** Permits that were granted go to the next.
            pub fn acquire_many_owned(
                self: &$pointer<Self>,
                n: usize,
            ) -> impl Future<Output = OwnedPermit<$mode>> + use<> {
                let semaphore = self.clone();
                async move {
                    let permit = semaphore.acquire_many(n).await;
                    let count = permit.count;
                    mem::forget(permit); // it is the owned one's from here on
                    OwnedPermit { semaphore, count }
                }
            }

            /// Takes a permit that keeps the semaphore, if one is free and promised to nobody.
            pub fn try_acquire_owned(self: &$pointer<Self>) -> Option<OwnedPermit<$mode>> {
                let permit = self.try_acquire()?;
                let count = permit.count;
                mem::forget(permit);
                Some(OwnedPermit {
                    semaphore: self.clone(),
                    count,
                })
            }
        }
    };
}
owned!(Local, Rc);
#[cfg(not(all(test, petla_loom)))] // loom's `Arc` can be no receiver
owned!(Shared, Arc);

impl<M: Mode> OwnedPermit<M> {
    /// How many permits it stands for.
    pub fn count(&self) -> usize {
        self.count as usize
    }

    /// Takes the permits out of the semaphore for good, instead of giving them back.
    pub fn forget(mut self) {
        self.semaphore.lower_total(self.count());
        self.count = 0; // and the semaphore is let go
    }
}

impl<M: Mode> Drop for OwnedPermit<M> {
    fn drop(&mut self) {
        if self.count != 0 {
            self.semaphore.permits.give(self.count());
        }
    }
}

impl<M: Mode> Debug for OwnedPermit<M> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_tuple("OwnedPermit").field(&self.count).finish()
    }
}
