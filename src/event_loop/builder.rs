//! [`Builder`]: a loop with settings.

use std::io;
use std::time::Duration;

use super::EventLoop;
use crate::kernel::Kernel;

/// Settings of a loop. From [`EventLoop::builder`].
///
/// ```
/// use std::time::Duration;
///
/// let event_loop = petla::EventLoop::builder().spin(Duration::from_micros(50)).build()?;
/// assert_eq!(event_loop.run_until_complete(async { 1 })?, 1);
/// # std::io::Result::Ok(())
/// ```
#[derive(Debug, Clone)]
#[must_use = "a builder does nothing until build()"]
pub struct Builder {
    spin: Duration,
}

impl Builder {
    pub(super) fn new() -> Self {
        Builder {
            spin: Duration::ZERO,
        }
    }

    /// Keeps looking for up to `limit` before the loop sleeps, and wakes `limit` early for a
    /// timer to await it awake.
    ///
    /// Trades CPU time for latency; 50 µs is a good first try. Zero, the default, never spins.
    pub fn spin(mut self, limit: Duration) -> Self {
        self.spin = limit;
        self
    }

    /// Makes the loop.
    ///
    /// # Errors
    /// As [`EventLoop::new`].
    pub fn build(self) -> io::Result<EventLoop> {
        Ok(EventLoop {
            kernel: Kernel::new(self.spin)?,
        })
    }
}
