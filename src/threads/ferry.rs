//! [`Ferry`]: an object whose blocking calls are made on threads, and that always comes back.
//!
//! A file has to travel to a thread for each call, since the call needs it and a future that is
//! dropped cannot wait for the thread. So the object is owned by whoever has it at the moment; the
//! way back is a channel that stays with the owner, whatever becomes of the future.
//!
//! ```text
//!   here ──send──► away: waits for a thread ──► on the thread ──► here
//!                    └── the future is dropped ──┘ └─ dropped: it goes on, and then ─┘
//! ```
//!
//! # Invariants
//! - **Returned**: the cargo's drop sends the object back: after the work, when the work panics,
//!   when it is refused or abandoned before it began. If the owner is gone, it is dropped there.
//! - **Unqueued**: no trip waits for a thread while nobody polls it: a grant of the limiter would
//!   be stuck with it. So a future that is dropped takes back what has not begun. (A `Stream` has
//!   no future that could be dropped: one that nobody polls keeps its place.)
//!
//! # Cost
//! Two allocations a trip, beside those of `to_thread`.
//!
//! # Not here
//! What is done to the object: `fs`, `io`.

use std::fmt::{self, Debug, Formatter};
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use super::to_thread;
use crate::error::JoinError;
use crate::kernel::{Kernel, Outside};
use crate::sync::{Getter, Setter, oneshot};

/// See the module.
pub(crate) struct Ferry<T> {
    place: Place<T>,
}

enum Place<T> {
    Here(T),
    Away(Away<T>),
    /// Only while a function of this file runs.
    Between,
}

struct Away<T> {
    /// What takes it to a thread; nothing once it is there for good.
    trip: Option<Trip>,
    failed: Option<JoinError>,
    /// While somebody waits for a thread whose trip was abandoned.
    outside: Option<Outside>,
    back: Getter<T>,
}

type Trip = Pin<Box<dyn Future<Output = Result<(), JoinError>> + Send>>;

/// The object while it is away.
struct Cargo<T> {
    item: Option<T>,
    back: Option<Setter<T>>,
}

impl<T> Drop for Cargo<T> {
    fn drop(&mut self) {
        if let (Some(item), Some(back)) = (self.item.take(), self.back.take()) {
            drop(back.set(item));
        }
    }
}

impl<T: Send + 'static> Ferry<T> {
    pub(crate) fn new(item: T) -> Ferry<T> {
        let place = Place::Here(item);
        Ferry { place }
    }

    /// The object, unless a thread has it.
    pub(crate) fn here(&mut self) -> Option<&mut T> {
        match &mut self.place {
            Place::Here(item) => Some(item),
            _ => None,
        }
    }

    /// Has a thread do `work` once [`poll_back`](Ferry::poll_back) is polled.
    ///
    /// # Panics
    /// If the object is away.
    pub(crate) fn send(&mut self, work: impl FnOnce(&mut T) + Send + 'static) {
        let Place::Here(item) = std::mem::replace(&mut self.place, Place::Between) else {
            panic!("the object is on a thread already");
        };
        let (setter, back) = oneshot();
        let mut cargo = Cargo {
            item: Some(item),
            back: Some(setter),
        };
        let trip = to_thread(move || {
            // The whole cargo moves in, and is dropped however this ends (Returned).
            let cargo = &mut cargo;
            work(cargo.item.as_mut().expect("it is taken by drop alone"));
        });
        self.place = Place::Away(Away {
            trip: Some(Box::pin(trip)),
            failed: None,
            outside: None,
            back,
        });
    }

    /// Waits until the object is here. An error if the trip that was polled here was refused or
    /// its work panicked; the object is here then too.
    pub(crate) fn poll_back(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), JoinError>> {
        let Place::Away(away) = &mut self.place else {
            return Poll::Ready(Ok(()));
        };
        if let Some(trip) = &mut away.trip {
            away.failed = ready!(trip.as_mut().poll(cx)).err();
            away.trip = None;
        } else if away.outside.is_none() {
            away.outside = Kernel::with(Kernel::home).and_then(|home| home.count(true));
        }
        let item = ready!(Pin::new(&mut away.back).poll(cx));
        let failed = away.failed.take();
        self.place = Place::Here(item.expect("the cargo's drop sets it"));
        Poll::Ready(failed.map_or(Ok(()), Err))
    }

    /// What has not begun will not, what has begun goes on: for futures that are dropped.
    pub(crate) fn abandon(&mut self) {
        if let Place::Away(away) = &mut self.place {
            away.trip = None;
            away.outside = None;
        }
    }

    /// Waits until the object is here; dropped before, it abandons the trip.
    async fn trip(&mut self) -> Result<(), JoinError> {
        let trip = Trips(self);
        poll_fn(|cx| trip.0.poll_back(cx)).await
    }

    /// The object, when the thread that has it for an earlier, abandoned call is done.
    pub(crate) async fn back(&mut self) -> &mut T {
        // The failure of a call that nobody waits for any more is nobody's.
        let _ = self.trip().await;
        self.here().expect("it has come back")
    }

    /// Does `work` on a thread and gives what it returns.
    pub(crate) async fn go<R: Send + 'static>(
        &mut self,
        work: impl FnOnce(&mut T) -> R + Send + 'static,
    ) -> Result<R, JoinError> {
        self.back().await;
        let (setter, mut result) = oneshot();
        self.send(move |item| drop(setter.set(work(item))));
        self.trip().await?;
        let result = result.get_nowait().ok().flatten();
        Ok(result.expect("the work has ended"))
    }
}

/// Keeps **Unqueued**.
struct Trips<'a, T: Send + 'static>(&'a mut Ferry<T>);

impl<T: Send + 'static> Drop for Trips<'_, T> {
    fn drop(&mut self) {
        self.0.abandon();
    }
}

impl<T> Debug for Ferry<T> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let here = matches!(self.place, Place::Here(_));
        f.debug_struct("Ferry").field("here", &here).finish()
    }
}

#[cfg(all(test, not(petla_loom)))]
mod tests {
    use super::super::tests::block_on;
    use super::*;
    use std::pin::pin;
    use std::sync::mpsc;
    use std::task::Waker;
    use std::thread;

    /// Polls it once, then drops it.
    fn give_up(future: impl Future) {
        let mut future = pin!(future);
        let polled = future
            .as_mut()
            .poll(&mut Context::from_waker(Waker::noop()));
        assert!(polled.is_pending());
    }

    #[test]
    fn work_that_is_given_up_is_done_before_what_comes_after_it() {
        block_on(async {
            let mut ferry = Ferry::new(Vec::new());
            for round in 0..100 {
                let (begun, has_begun) = mpsc::channel();
                give_up(ferry.go(move |list| {
                    list.push(round);
                    begun.send(()).unwrap();
                }));
                // It has begun, or was taken back.
                let expected = has_begun.recv().is_ok();
                let last = ferry
                    .go(|list: &mut Vec<i32>| list.last().copied())
                    .await
                    .unwrap();
                assert_eq!(last == Some(round), expected);
            }
        });
    }

    #[test]
    fn the_object_comes_back_from_work_that_panics() {
        block_on(async {
            let mut ferry = Ferry::new(1);
            let panicked = ferry
                .go(|_| std::panic::resume_unwind(Box::new("on purpose")))
                .await;
            let error: JoinError = Result::<(), _>::unwrap_err(panicked);
            assert!(error.is_panic());
            assert_eq!(*ferry.back().await, 1);
        });
    }

    #[test]
    fn an_object_whose_owner_is_gone_is_dropped_on_its_thread() {
        struct Drops(mpsc::Sender<thread::ThreadId>);
        impl Drop for Drops {
            fn drop(&mut self) {
                self.0.send(thread::current().id()).unwrap();
            }
        }
        block_on(async {
            let (dropped, is_dropped) = mpsc::channel();
            let ((go, may_go), (begun, has_begun)) = (mpsc::channel(), mpsc::channel());
            let mut ferry = Ferry::new(Drops(dropped));
            give_up(async {
                let work = move |_: &mut Drops| {
                    begun.send(()).unwrap();
                    may_go.recv().unwrap();
                };
                let mut trip = pin!(ferry.go(work));
                poll_fn(|cx| {
                    let polled = trip.as_mut().poll(cx);
                    has_begun.recv().unwrap();
                    polled
                })
                .await
            });
            drop(ferry);
            go.send(()).unwrap();
            assert_ne!(is_dropped.recv().unwrap(), thread::current().id());
        });
    }
}
