//! [`RunError`]: why a run gave no value.

use std::error::Error;
use std::fmt::{self, Display, Formatter};
use std::io;

/// Why a loop's run ended without a value, or could not begin.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum RunError {
    /// `stop` was called before the main task ended.
    Stopped,
    /// SIGINT interrupted the run: see [`Builder::sigint`](super::Builder::sigint).
    Interrupted,
    /// SIGTERM ended the run: see [`Builder::sigterm`](super::Builder::sigterm).
    Terminated,
    /// The loop is closed.
    Closed,
    /// A loop already runs on this thread.
    Nested,
    /// The loop runs, and the call needs it not to.
    Running,
    /// The main task was cancelled.
    Cancelled,
    /// The process forked inside the loop: the child must not go on with it.
    Forked,
}

impl Display for RunError {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            RunError::Stopped => "the event loop was stopped before the main task ended",
            RunError::Interrupted => "the event loop was interrupted by SIGINT",
            RunError::Terminated => "the event loop was terminated by SIGTERM",
            RunError::Closed => "the event loop is closed: make a new one",
            RunError::Nested => "an event loop already runs on this thread: await or spawn instead",
            RunError::Running => "the event loop is running: stop it first",
            RunError::Cancelled => "the main task was cancelled",
            RunError::Forked => "the event loop belongs to the parent process: make a new one",
        })
    }
}

impl Error for RunError {}

impl From<RunError> for io::Error {
    fn from(error: RunError) -> Self {
        io::Error::other(error)
    }
}
