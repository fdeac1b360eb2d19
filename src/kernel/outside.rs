//! What is under way for a loop on other threads: while there is any, time does not jump.
//!
//! A loop that has nothing to do may turn an automatic clock, or say that it is stuck. Neither is
//! right while a thread works on something that a task of it awaits: what comes of that is as
//! good as in the mailbox. So whoever hands work to a thread counts it here.
//!
//! Work that nobody awaits any more holds up no clock, but what it holds (a token of a limiter) may
//! be what a task waits for. So a loop that is to say when it is stuck counts all that runs.
//!
//! In debug mode the loop also notes where the work came from, until the thread is done with it:
//! a loop that closes waits for no thread, but can say what it left behind.
//!
//! # Invariants
//! - **Counted**: each [`Outside`] and [`Running`] is counted once in its loop, on its thread.
//!   One that another thread began may be gone before its post has come: the count is a sum, in
//!   which the order does not matter, and may be below zero until the mailbox was looked through.
//!
//! # Not here
//! The work (`threads`), and what the count decides (`idle`).
#![forbid(unsafe_code)]

use std::cell::{Cell, OnceCell};
use std::fmt::Write;
use std::panic::Location;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{Kernel, on_loop};
use crate::mailbox::LoopId;
use crate::task::report;

/// A report names so many places.
const PLACES_MAX: usize = 8;

/// How much is under way, and where it came from.
#[derive(Default)]
pub(super) struct Outsides {
    count: Cell<isize>,
    running: Cell<isize>,
    places: OnceCell<Arc<Places>>,
}

/// Where work came from that threads have not done with.
#[derive(Default)]
struct Places(Mutex<Vec<Place>>);

type Place = &'static Location<'static>;

impl Places {
    fn lock(&self) -> MutexGuard<'_, Vec<Place>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Something that a task of a loop waits for and a thread works on, until it is dropped: anywhere.
#[derive(Debug)]
pub(crate) struct Outside {
    home: LoopId,
}

/// Something that a thread runs, awaited or not, until it is dropped: after all that it frees.
pub(crate) struct Running {
    home: LoopId,
}

/// Something that a thread works on, awaited or not, until it is dropped.
pub(crate) struct Trace {
    places: Arc<Places>,
    place: Place,
}

impl Outsides {
    pub(super) fn is_empty(&self) -> bool {
        self.count.get() == 0
    }

    /// Does nothing run on, awaited or not? Known to a loop that is to say when it is stuck.
    pub(super) fn are_over(&self) -> bool {
        self.running.get() == 0
    }

    /// Reports what threads have not done with.
    pub(super) fn report(&self) {
        let Some(places) = self.places.get() else {
            return;
        };
        let places = places.lock().clone();
        if places.is_empty() {
            return;
        }
        let mut text = format!(
            "threads go on with work of a loop that is closed ({}), from",
            places.len()
        );
        for place in places.iter().take(PLACES_MAX) {
            let _ = write!(text, " {place}"); // into memory
        }
        report::warning(&text);
    }
}

impl Kernel {
    /// Work that was asked for at `place` begins. It counts where time could jump.
    pub(crate) fn begin_outside(&self, place: Place) -> (Option<Outside>, Option<Trace>) {
        let trace = self.debug.get().then(|| {
            let places = Arc::clone(self.outsides.places.get_or_init(Arc::default));
            places.lock().push(place);
            Trace { places, place }
        });
        let outside = self.clock.is_virtual().then(|| Outside::of(self.id));
        (outside, trace)
    }

    /// Work begins that may free something that a task waits for, also if it is abandoned.
    pub(crate) fn begin_running(&self) -> Option<Running> {
        self.stop_when_stuck.then(|| Running::of(self.id))
    }
}

impl Outside {
    /// Counts one for the loop `home`; from any thread.
    pub(crate) fn of(home: LoopId) -> Outside {
        on_loop(home, |kernel| {
            kernel.outsides.count.update(|count| count + 1);
        });
        Outside { home }
    }
}

impl Drop for Outside {
    fn drop(&mut self) {
        on_loop(self.home, |kernel| {
            kernel.outsides.count.update(|count| count - 1);
        });
    }
}

impl Running {
    /// Counts one for the loop `home`; from any thread.
    pub(crate) fn of(home: LoopId) -> Running {
        on_loop(home, |kernel| {
            kernel.outsides.running.update(|running| running + 1);
        });
        Running { home }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        on_loop(self.home, |kernel| {
            kernel.outsides.running.update(|running| running - 1);
        });
    }
}

impl Drop for Trace {
    fn drop(&mut self) {
        let mut places = self.places.lock();
        let found = places.iter().position(|place| *place == self.place);
        if let Some(found) = found {
            places.swap_remove(found);
        }
    }
}
