//! What is under way for a loop on other threads: while there is any, time does not jump.
//!
//! A loop that has nothing to do may turn an automatic clock, or say that it is stuck. Neither is
//! right while a thread works on something that a task of it awaits: what comes of that is as
//! good as in the mailbox. So whoever hands work to a thread counts it here.
//!
//! # Invariants
//! - **Counted**: each [`Outside`] that lives is counted once in its loop, on that loop's thread.
//!
//! # Not here
//! The work (`threads`), and what the count decides (`idle`).
#![forbid(unsafe_code)]

use std::cell::Cell;

use super::{Kernel, on_loop};
use crate::mailbox::LoopId;

/// How much is under way.
#[derive(Default)]
pub(super) struct Outsides(Cell<usize>);

impl Outsides {
    pub(super) fn is_empty(&self) -> bool {
        self.0.get() == 0
    }
}

/// Something that is under way for a loop, until it is dropped: anywhere.
#[derive(Debug)]
pub(crate) struct Outside {
    home: LoopId,
}

impl Kernel {
    /// Something begins.
    pub(crate) fn begin_outside(&self) -> Outside {
        self.outsides.0.update(|count| count + 1);
        Outside { home: self.id }
    }
}

impl Drop for Outside {
    fn drop(&mut self) {
        on_loop(self.home, |kernel| {
            kernel.outsides.0.update(|count| count - 1);
        });
    }
}
