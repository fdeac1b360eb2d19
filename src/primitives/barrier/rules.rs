//! How a barrier counts: who is of which generation, and with what index they leave.
//!
//! Who has arrived waits in a line, so that the place in the line is the index. It is fixed when
//! the generation is complete: until then an arrival may be taken back, and those behind it get
//! its place. All that ends a wait happens in one step under the lock: the whole line moves to a
//! second one, each node with its index, or [`BROKEN`], as its tag. There it notes the second
//! line's number, by which its drop is told from that of an arrival that still counts.
//!
//! | line | waits for | ends with |
//! | --- | --- | --- |
//! | `WAIT` | the rest of its generation | moved to `DONE` with its index, or [`BROKEN`] |
//! | `DONE` | its wake-up | news: the tag it was moved with |
//!
//! # Invariants
//! - **Arrived**: `arrived` is the number of nodes in `WAIT`, less than `parties`; 0 if broken.
//! - **Done**: a node in `DONE` is not counted, and nothing changes its tag.
//! - **Told**: whoever fills `DONE` pumps it after the lock is released.
//!
//! # Not here
//! The future: `wait`.

use crate::wait_list::{Batch, Line, Lines, Mode, Policy, TAG_MAX};

use super::Broken;

pub(super) const WAIT: usize = 0;
const DONE: usize = 1;

/// The tag of those who fail; all others are indices.
const BROKEN: u32 = TAG_MAX;

/// The policy of a barrier.
#[derive(Debug)]
pub struct Rules {
    parties: u32,
}

/// What a barrier's lock guards.
#[derive(Debug)]
pub struct State {
    arrived: u32,
    broken: bool,
}

impl Rules {
    #[track_caller]
    pub(super) const fn new(parties: usize) -> Self {
        const { assert!(BROKEN == 268_435_455) };
        assert!(
            parties > 0,
            "a barrier for 0 parties could never be passed: give it 1 or more"
        );
        assert!(
            parties <= BROKEN as usize,
            "a barrier is for at most 268435455 parties"
        );
        Rules {
            parties: parties as u32,
        }
    }

    pub(super) fn parties(&self) -> usize {
        self.parties as usize
    }
}

impl State {
    pub(super) const fn new() -> Self {
        State {
            arrived: 0,
            broken: false,
        }
    }

    pub(super) fn arrived(&self) -> usize {
        self.arrived as usize
    }

    pub(super) fn is_broken(&self) -> bool {
        self.broken
    }

    /// How many stand in a line.
    pub(super) fn waiting<M: Mode>(&self, lines: &Lines<'_, M>) -> usize {
        self.arrived() + lines.count(DONE)
    }

    /// Whether an arrival now would have to wait.
    fn must_wait(&self, rules: &Rules) -> bool {
        !self.broken && self.arrived + 1 < rules.parties
    }

    /// Arrives, unless that means to wait: completes the generation, or fails.
    pub(super) fn arrive_last<M: Mode>(
        &mut self,
        rules: &Rules,
        lines: &mut Lines<'_, M>,
    ) -> Option<Result<usize, Broken>> {
        if self.must_wait(rules) {
            return None;
        }
        if self.broken {
            return Some(Err(Broken));
        }
        self.arrived = 0;
        lines.move_all_tagged(WAIT, DONE, |place| place as u32);
        Some(Ok(rules.parties() - 1))
    }

    /// Counts an arrival that gets in line; false if it need not wait, and nothing happened.
    pub(super) fn arrive_to_wait(&mut self, rules: &Rules) -> bool {
        let waits = self.must_wait(rules);
        self.arrived += u32::from(waits);
        waits
    }

    /// Fails whoever waits, and from now on is broken or whole.
    pub(super) fn fail<M: Mode>(&mut self, lines: &mut Lines<'_, M>, broken: bool) {
        self.broken = broken;
        self.arrived = 0;
        lines.move_all_tagged(WAIT, DONE, |_| BROKEN);
    }
}

/// What the tag of a node in `DONE` means.
pub(super) fn outcome(tag: u32) -> Result<usize, Broken> {
    match tag {
        BROKEN => Err(Broken),
        index => Ok(index as usize),
    }
}

impl<M: Mode> Policy<M> for Rules {
    type State = State;
    type Lines = [Line<M>; 2];

    fn left(&self, state: &mut State, line: usize, _: Option<u32>) {
        if line == WAIT {
            state.arrived -= 1;
        }
    }

    fn pump(&self, _: &mut State, lines: &mut Lines<'_, M>, batch: &mut Batch) {
        while !batch.is_full() {
            let Some(tag) = lines.first_tag(DONE) else {
                return;
            };
            batch.push(lines.notify(DONE, tag));
        }
    }
}
