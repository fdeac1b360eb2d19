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

    /// Debug mode: see [`EventLoop::set_debug`].
    pub fn debug(mut self, on: bool) -> Self {
        self.settings.debug = on;
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

    /// Has Ctrl-C end a run as it ends a program: in order, and at once when asked twice.
    ///
    /// While [`run_until_complete`](EventLoop::run_until_complete) or
    /// [`run_forever`](EventLoop::run_forever) runs, the process has a handler for SIGINT; then
    /// it has again what it had before, unless somebody installed another meanwhile.
    ///
    /// | SIGINT | `run_until_complete(main)` | `run_forever()` |
    /// | --- | --- | --- |
    /// | the first | cancels `main`, reason "interrupted by SIGINT" | ends after the batch |
    /// | the second | drops `main` where it is and ends | |
    /// | one, while a task hogs the thread and the one before is not noticed | ends the process | |
    ///
    /// The run gives [`RunError::Interrupted`](crate::event_loop::RunError::Interrupted), or
    /// `main`'s value if it still had one; if `main` was cancelled already by somebody else, it
    /// stays that one's. A signal that comes when the result is there changes nothing.
    ///
    /// All loops of the process that run and asked for it are told, on any thread; one that hogs
    /// its thread is enough for the last row. A loop in which somebody listens to SIGINT by name
    /// ([`signal`](crate::signal)) gives it to him instead. The child of a fork inside a run ends
    /// by the first signal. A SIGINT that the process was started to ignore is taken all the
    /// same.
    ///
    /// # asyncio
    /// What `asyncio.run` does unasked, on the main thread only.
    ///
    /// ```
    /// use petla::{EventLoop, event_loop::RunError};
    ///
    /// let event_loop = EventLoop::builder().sigint(true).build()?;
    /// match event_loop.run_until_complete(async { 1 }) {
    ///     Ok(value) => assert_eq!(value, 1),
    ///     Err(RunError::Interrupted) => println!("Ctrl-C: now the clean-up"),
    ///     Err(error) => return Err(error.into()),
    /// }
    /// event_loop.close()?;
    /// # std::io::Result::Ok(())
    /// ```
    pub fn sigint(mut self, on: bool) -> Self {
        self.settings.sigint = on;
        self
    }

    /// The same for SIGTERM, by which service managers end a program: the reason is "terminated
    /// by SIGTERM", the run gives
    /// [`RunError::Terminated`](crate::event_loop::RunError::Terminated).
    ///
    /// With [`sigint`](Builder::sigint) the two count together: the second of either ends the
    /// run at once, and the first names the error.
    ///
    /// # asyncio
    /// Not there.
    ///
    /// ```
    /// let builder = petla::EventLoop::builder().sigint(true).sigterm(true);
    /// assert_eq!(builder.build()?.run_until_complete(async { 1 })?, 1);
    /// # std::io::Result::Ok(())
    /// ```
    pub fn sigterm(mut self, on: bool) -> Self {
        self.settings.sigterm = on;
        self
    }

    /// Makes the loop.
    ///
    /// # Errors
    /// As [`EventLoop::new`].
    pub fn build(self) -> io::Result<EventLoop> {
        let kernel = Kernel::new(self.settings)?;
        Ok(EventLoop { kernel })
    }
}
