//! What a loop can be told when it is made.
//!
//! # Not here
//! Their documentation for users: `event_loop::Builder`.
#![forbid(unsafe_code)]

use std::time::Duration;

use crate::clock::VirtualClock;

/// How long the clean-ups of a scope, or of a whole loop, may take unless it was said.
pub(crate) const CLEANUP_LIMIT: Duration = Duration::from_secs(5);

/// The default is what `run` uses.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    /// How long to look for work before sleeping. Zero on a virtual clock, where no time passes.
    pub(crate) spin: Duration,
    pub(crate) clock: Option<VirtualClock>,
    /// Shuffles the tasks of each batch.
    pub(crate) seed: Option<u64>,
    /// How long clean-ups may take when the loop is closed.
    pub(crate) cleanup_limit: Duration,
    /// Reports slow polls.
    pub(crate) debug: bool,
    /// Ends the run when nothing in the loop can wake a task any more.
    pub(crate) stop_when_stuck: bool,
    /// Ends a run by SIGINT.
    pub(crate) sigint: bool,
    /// Ends a run by SIGTERM.
    pub(crate) sigterm: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            spin: Duration::ZERO,
            clock: None,
            seed: None,
            cleanup_limit: CLEANUP_LIMIT,
            debug: false,
            stop_when_stuck: false,
            sigint: false,
            sigterm: false,
        }
    }
}

impl Settings {
    pub(super) fn spin(&self) -> Duration {
        match self.clock {
            None => self.spin,
            Some(_) => Duration::ZERO,
        }
    }
}
