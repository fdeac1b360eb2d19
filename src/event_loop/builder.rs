//! [`Builder`]: a loop with settings.

use std::io;
use std::time::Duration;

use super::EventLoop;
use crate::clock::VirtualClock;
use crate::kernel::{Kernel, Settings};

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
    settings: Settings,
}

impl Builder {
    pub(super) fn new() -> Self {
        Builder {
            settings: Settings::default(),
        }
    }

    /// Keeps looking for up to `limit` before the loop sleeps, and wakes `limit` early for a
    /// timer to await it awake.
    ///
    /// Trades CPU time for latency; 50 µs is a good first try. Zero, the default, never spins.
    /// Without effect on a virtual clock.
    pub fn spin(mut self, limit: Duration) -> Self {
        self.settings.spin = limit;
        self
    }

    /// Runs the loop by `clock` instead of the system's: for tests. Several loops may have it.
    ///
    /// ```
    /// use petla::{EventLoop, testing::VirtualClock};
    /// use std::time::Duration;
    ///
    /// let event_loop = EventLoop::builder().clock(VirtualClock::auto()).build()?;
    /// let (before, hour) = (event_loop.time(), Duration::from_secs(3600));
    /// event_loop.run_until_complete(async { petla::sleep(hour).await })?;
    /// assert_eq!(event_loop.time() - before, hour);
    /// # std::io::Result::Ok(())
    /// ```
    pub fn clock(mut self, clock: VirtualClock) -> Self {
        self.settings.clock = Some(clock);
        self
    }

    /// Polls the tasks that are ready together in an order that `seed` decides: for tests.
    ///
    /// Without it they run first in, first out. A task woken in a batch still runs in the next
    /// one. The same seed gives the same order again if the tasks do the same again, which takes
    /// a virtual clock, and neither threads nor sockets.
    ///
    /// ```
    /// let event_loop = petla::EventLoop::builder().seed(17).build()?;
    /// assert_eq!(event_loop.run_until_complete(async { 1 })?, 1);
    /// # std::io::Result::Ok(())
    /// ```
    pub fn seed(mut self, seed: u64) -> Self {
        self.settings.seed = Some(seed);
        self
    }

    /// How long the clean-ups of all scopes may take when the loop is closed; 5 s unless set.
    ///
    /// What is left then is dropped and reported. See [`scope`](crate::scope).
    pub fn cleanup_limit(mut self, limit: Duration) -> Self {
        self.settings.cleanup_limit = limit;
        self
    }

    /// Ends a run when nothing in the loop can wake a task. See `EventLoop::take_stuck`.
    pub(crate) fn stop_when_stuck(mut self) -> Self {
        self.settings.stop_when_stuck = true;
        self
    }

    /// Makes the loop.
    ///
    /// # Errors
    /// As [`EventLoop::new`].
    pub fn build(self) -> io::Result<EventLoop> {
        Ok(EventLoop {
            kernel: Kernel::new(self.settings)?,
        })
    }
}
