//! What can go wrong with a process that runs no more.

use std::io;

use crate::error::unit_error;

unit_error!(
    /// A signal for a process that has ended.
    ///
    /// Inside an [`io::Error`] of the kind `NotFound`.
    ///
    /// # asyncio
    /// `ProcessLookupError`.
    ProcessEnded,
    NotFound,
    "the process has ended: there is nobody to send a signal to"
);

unit_error!(
    /// The exit status of a child that somebody else waited for.
    ///
    /// Inside an [`io::Error`] of the kind `Other`.
    ///
    /// # asyncio
    /// The return code 255, and a warning.
    StatusLost,
    Other,
    "the child has ended and its exit status is lost: something else in this process waited for \
     it (as waitpid(-1) does), or SIGCHLD is ignored"
);

/// A signal whose aim is that the process ends has reached it when it has ended.
pub(super) fn ended_is_fine(sent: io::Result<()>) -> io::Result<()> {
    match sent {
        Err(error) if is_ended(&error) => Ok(()),
        sent => sent,
    }
}

fn is_ended(error: &io::Error) -> bool {
    error
        .get_ref()
        .is_some_and(|error| error.is::<ProcessEnded>())
}
