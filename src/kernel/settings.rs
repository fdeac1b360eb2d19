//! What a loop can be told when it is made.
//!
//! # Not here
//! Their documentation for users: `event_loop::Builder`.
#![forbid(unsafe_code)]

use std::time::Duration;

use crate::clock::VirtualClock;

/// The default is what `run` uses.
#[derive(Debug, Clone, Default)]
pub(crate) struct Settings {
    /// How long to look for work before sleeping. Zero on a virtual clock, where no time passes.
    pub(crate) spin: Duration,
    pub(crate) clock: Option<VirtualClock>,
    /// Shuffles the tasks of each batch.
    pub(crate) seed: Option<u64>,
    /// Ends the run when nothing in the loop can wake a task any more.
    pub(crate) stop_when_stuck: bool,
}

impl Settings {
    pub(super) fn spin(&self) -> Duration {
        match self.clock {
            None => self.spin,
            Some(_) => Duration::ZERO,
        }
    }
}
