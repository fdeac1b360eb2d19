//! Work on threads: what `to_thread` promises, of limits, cancellation, panics, and what is left.
//!
//! A test that waits for a thread meets it in a channel, or yields until it has come. What counts
//! the threads of the process, forks, or ends without its threads has a process of its own.
//!
//! # Not here
//! Threads that end because they were idle, and threads that the system refuses: the unit tests
//! of `threads`, where the limit is short and the system can be made to. Orders: its models.

mod common;

#[path = "threads/back.rs"]
mod back;
#[path = "threads/drops.rs"]
mod drops;
#[path = "threads/ends.rs"]
mod ends;
#[path = "threads/limits.rs"]
mod limits;
#[path = "threads/time.rs"]
mod time;
#[path = "threads/work.rs"]
mod work;

use std::sync::mpsc::{Receiver, Sender, channel};

/// What a test keeps of a [`Gate`].
struct Held {
    begun: Receiver<()>,
    open: Sender<()>,
}

/// Work that says when it begins, and then blocks its thread until it is let go.
struct Gate {
    begun: Sender<()>,
    opened: Receiver<()>,
}

fn gate() -> (Held, Gate) {
    let ((begun, told), (open, opened)) = (channel(), channel());
    let held = Held { begun: told, open };
    (held, Gate { begun, opened })
}

impl Gate {
    fn pass(self) {
        let _ = self.begun.send(());
        self.opened
            .recv_timeout(common::LONG)
            .expect("the gate is opened in time");
    }
}

impl Held {
    /// Has it begun?
    fn is_reached(&self) -> bool {
        self.begun.try_recv().is_ok()
    }

    /// Yields until it has begun.
    async fn reached(&self) {
        common::yield_until(|| self.is_reached()).await;
    }

    fn open(&self) {
        let _ = self.open.send(());
    }
}
