//! Callbacks for signals: `add_signal_handler`.
//!
//! # Not here
//! Who else gets a signal (`crate::signal`); how it reaches the loop (`kernel::signals`).

use std::io;
use std::panic::Location;

use super::EventLoop;

impl EventLoop {
    /// Calls `f` in the loop after `signal` has come, instead of the callback it had.
    ///
    /// From now on, also between two runs, until it is removed or the loop is closed: see
    /// [`signal`](crate::signal) for who else gets the signal. Signals that come while the loop
    /// is busy merge to one call. A panic goes to the exception handler, and `f` is called again
    /// the next time.
    ///
    /// # Errors
    /// `InvalidInput` for a number that cannot be caught; `NotConnected` on a closed loop.
    ///
    /// # asyncio
    /// `loop.add_signal_handler`, which works on the main thread only, and calls no other handler
    /// that the program had.
    ///
    /// ```
    /// use petla::{EventLoop, signal::SIGTERM};
    ///
    /// petla::run(async {
    ///     let event_loop = EventLoop::current();
    ///     event_loop.add_signal_handler(SIGTERM, || println!("asked to end"))?;
    ///     assert!(event_loop.remove_signal_handler(SIGTERM));
    ///     std::io::Result::Ok(())
    /// })?;
    /// # std::io::Result::Ok(())
    /// ```
    #[track_caller]
    pub fn add_signal_handler(&self, signal: i32, f: impl FnMut() + 'static) -> io::Result<()> {
        self.check_open()?;
        self.kernel
            .add_signal_handler(signal, f, Location::caller())
    }

    /// Ends a callback; `false` if there was none. A signal that it was not called for yet is
    /// forgotten.
    ///
    /// # asyncio
    /// `loop.remove_signal_handler`, which sets the default; this puts back what was before.
    pub fn remove_signal_handler(&self, signal: i32) -> bool {
        self.kernel.remove_signal_handler(signal)
    }
}
