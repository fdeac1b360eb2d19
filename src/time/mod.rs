//! Sleep, tick, time out.
//!
//! Deadlines are [`Instant`]s with nanosecond resolution; nothing here ever
//! ends early. Futures are plain data: `Send`, movable between loops, armed by the first poll
//! that has to wait, disarmed by drop.
//!
//! ```
//! use std::time::Duration;
//!
//! petla::run(async {
//!     let before = petla::now();
//!     petla::sleep(Duration::from_millis(2)).await;
//!     assert!(petla::now() - before >= Duration::from_millis(2));
//! });
//! ```
//!
//! # Not here
//! The queue of timers (`timer_queue`), the wait itself (`kernel`).

mod condition;
mod interval;
mod sleep;
mod task;
mod timeout;

use std::time::Instant;

pub use condition::WaitForTimeout;
pub use interval::{Interval, MissedTick, Tick, interval};
pub(crate) use sleep::after;
pub use sleep::{Sleep, YieldNow, sleep, sleep_until, yield_now};
pub use task::WaitForTask;
pub use timeout::{Timeout, timeout, timeout_at, wait_for};

use crate::kernel::Kernel;

/// The loop's clock; outside a loop `Instant::now()`.
///
/// # asyncio
/// `loop.time()`, as an `Instant` instead of seconds.
///
/// ```
/// assert!(petla::now() <= petla::now());
/// ```
pub fn now() -> Instant {
    Kernel::with(|kernel| kernel.clock().now()).unwrap_or_else(Instant::now)
}
