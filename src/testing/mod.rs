//! A clock that tests turn, every order of tasks, futures polled by hand.
//!
//! A test of asynchronous code is slow when it waits for time to pass, and proves little when it
//! saw one order of its tasks. Here an hour takes no time, and a race shows with its seed:
//!
//! ```
//! use petla::testing::{self, Explorer};
//! use std::{cell::Cell, time::Duration};
//!
//! testing::run(async {
//!     let never = std::future::pending::<()>();
//!     assert!(petla::timeout(Duration::from_secs(3600), never).await.is_err());
//! });
//!
//! // Nothing is lost between the `await`s of one task: here there are none.
//! Explorer::new().seeds(0..100).run(async || {
//!     let n = std::rc::Rc::new(Cell::new(0));
//!     let count = || petla::spawn({ let n = n.clone(); async move { n.set(n.get() + 1) } });
//!     let (a, b) = (count(), count());
//!     a.await.unwrap();
//!     b.await.unwrap();
//!     assert_eq!(n.get(), 2);
//! });
//! ```
//!
//! # Which of them
//! - Time: [`run()`] on an automatic clock; [`VirtualClock::manual`] to stop it between two
//!   moments.
//! - Order: [`Explorer`] tries many, [`Sequencer`] prescribes one, [`wait_all_tasks_blocked`]
//!   waits until all that can happen has happened.
//! - One future without a loop: [`poll_once`], [`assert_pending`], [`assert_ready`].
//! - Connections without sockets: [`stream_pair`].
//!
//! # Not here
//! Real threads and sockets: time does not wait for them on a virtual clock. Test them on a real
//! one, with [`run`](crate::run).

mod blocked;
mod by_hand;
mod explorer;
#[cfg(test)]
mod faults;
mod pipe;
mod run;
mod sequencer;
mod stream;

pub use crate::clock::VirtualClock;
pub use blocked::{AllTasksBlocked, wait_all_tasks_blocked};
pub use by_hand::{assert_pending, assert_ready, poll_once};
pub use explorer::Explorer;
pub use run::run;
#[doc(hidden)]
pub use run::{run_seeds, run_test};
pub use sequencer::{At, Sequencer};
pub use stream::{MemoryStream, Read, ReadExact, Write, WriteAll, stream_pair};
