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
//! - **Counted**: each [`Outside`] is counted once in its loop, on its thread. One that another
//!   thread began may be gone before its post has come: a count is a sum, in which the order does
//!   not matter, and may be below zero until the mailbox was looked through.
//!
//! # Not here
//! The work (`threads`), and what the count decides (`idle`).
#![forbid(unsafe_code)]

use std::cell::{Cell, OnceCell};
use std::fmt::Write;
use std::panic::Location;

use super::{Kernel, on_loop};
use crate::mailbox::LoopId;
use crate::rt::{Arc, Mutex, lock};
use crate::task::report;

/// A report names so many places.
const PLACES_MAX: usize = 8;

/// How much is under way, and where it came from.
#[derive(Default)]
pub(super) struct Outsides {
    awaited: Cell<isize>,
    running: Cell<isize>,
    places: OnceCell<Arc<Places>>,
}

/// Where work came from that threads have not done with.
type Places = Mutex<Vec<Place>>;

type Place = &'static Location<'static>;

/// The loop that work is begun for, and what that has counted. Plain data.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Home {
    id: LoopId,
    /// Its time could jump: it counts what is awaited.
    may_jump: bool,
    /// It is to say when it is stuck: it counts all that runs.
    may_be_stuck: bool,
}

/// Something that a thread works on for a loop, until it is dropped: anywhere, after all that it
/// frees.
#[derive(Debug)]
pub(crate) struct Outside {
    home: Home,
    /// A task of the loop waits for it.
    is_awaited: bool,
}

/// Something that a thread works on, awaited or not, until it is dropped.
pub(crate) struct Trace {
    places: Arc<Places>,
    place: Place,
}

impl Outsides {
    /// Does no task wait for a thread? Known to a loop whose time could jump.
    pub(super) fn are_unawaited(&self) -> bool {
        self.awaited.get() == 0
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
        let places = lock(places).clone();
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
    /// Where work that begins now is counted.
    pub(crate) fn home(&self) -> Home {
        Home {
            id: self.id,
            may_jump: self.clock.is_virtual(),
            may_be_stuck: self.stop_when_stuck,
        }
    }

    /// In debug mode, notes work that was asked for at `place`.
    pub(crate) fn trace(&self, place: Place) -> Option<Trace> {
        self.debug.get().then(|| {
            let places = Arc::clone(self.outsides.places.get_or_init(Arc::default));
            lock(&places).push(place);
            Trace { places, place }
        })
    }
}

impl Home {
    pub(crate) fn id(self) -> LoopId {
        self.id
    }

    /// Counts work that begins or goes on, if the loop wants to know of it; from any thread.
    pub(crate) fn count(self, is_awaited: bool) -> Option<Outside> {
        let is_awaited = is_awaited && self.may_jump;
        if !is_awaited && !self.may_be_stuck {
            return None;
        }
        let outside = Outside {
            home: self,
            is_awaited,
        };
        outside.add(1);
        Some(outside)
    }
}

impl Outside {
    fn add(&self, one: isize) {
        let (is_awaited, is_running) = (self.is_awaited, self.home.may_be_stuck);
        on_loop(self.home.id, move |kernel| {
            let outsides = &kernel.outsides;
            let awaited = one * isize::from(is_awaited);
            let running = one * isize::from(is_running);
            outsides.awaited.update(|count| count + awaited);
            outsides.running.update(|count| count + running);
        });
    }

    /// It goes on, and nobody waits for it any more.
    pub(crate) fn abandon(self) -> Option<Outside> {
        self.home.count(false)
    }
}

impl Drop for Outside {
    fn drop(&mut self) {
        self.add(-1);
    }
}

impl Drop for Trace {
    fn drop(&mut self) {
        let mut places = lock(&self.places);
        let found = places.iter().position(|place| *place == self.place);
        if let Some(found) = found {
            places.swap_remove(found);
        }
    }
}
