//! [`Pauses`]: the sleeps between tries where the kernel has no event for "now it may go".
//!
//! # Not here
//! What is tried, and when a pause is needed: `accept`, `connect`, `datagram`.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use crate::kernel::Kernel;
use crate::kernel::source::no_loop;
use crate::time::{self, Sleep};

/// Sleeps, each twice as long as the last.
#[derive(Debug)]
pub(super) struct Pauses {
    sleep: Option<Sleep>,
    next: Duration,
}

impl Pauses {
    pub(super) fn from(first: Duration) -> Pauses {
        Pauses {
            sleep: None,
            next: first,
        }
    }

    /// Begins one; the next is longer, up to `longest`.
    pub(super) fn begin(&mut self, longest: Duration) {
        self.sleep = Some(time::sleep(self.next));
        self.next = (self.next * 2).min(longest);
    }

    /// Whether one is under way.
    pub(super) fn is_pausing(&self) -> bool {
        self.sleep.is_some()
    }

    /// Ready when none is under way any more.
    ///
    /// # Errors
    /// No loop runs here, so that nobody could end it.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if let Some(sleep) = &mut self.sleep {
            if !Kernel::runs_here() {
                return Poll::Ready(Err(no_loop()));
            }
            ready!(Pin::new(sleep).poll(cx));
            self.sleep = None;
        }
        Poll::Ready(Ok(()))
    }
}
