//! [`Outlet`]: what `copy` and `send_file` send through, piece by piece.
//!
//! Each puts a piece where a connection keeps what is unsent, or past it, and waits until that is
//! sent: only then comes the next one.
//!
//! # Invariants
//! - **Left behind**: what is unsent when the future is dropped is sent by itself.
//!
//! # Not here
//! Where the pieces come from.

use std::io;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use super::connection::Connection;
use crate::kernel::source::Wait;

/// See the module.
#[derive(Debug)]
pub(super) struct Outlet<'a> {
    pub(super) connection: &'a Rc<Connection>,
    pub(super) wait: Wait<'a>,
    /// What had been sent before the first piece.
    sent_before: Option<u64>,
}

impl<'a> Outlet<'a> {
    pub(super) fn new(connection: &'a Rc<Connection>, wait: Wait<'a>) -> Outlet<'a> {
        Outlet {
            connection,
            wait,
            sent_before: None,
        }
    }

    /// Sends until nothing is unsent; an error if no piece may follow.
    pub(super) fn poll_empty(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.connection.poll_send(&mut self.wait, cx, 0))?;
        self.connection.check_open()?;
        self.sent_before
            .get_or_insert_with(|| self.connection.sent());
        Poll::Ready(Ok(()))
    }

    /// How many bytes of the pieces the system has taken so far.
    pub(super) fn sent(&self) -> u64 {
        let sent = self.connection.sent();
        sent - self.sent_before.unwrap_or(sent)
    }
}

impl Drop for Outlet<'_> {
    fn drop(&mut self) {
        self.connection.flush();
    }
}
