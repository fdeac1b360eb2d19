//! The results of a producer's jobs: one of each, however often it comes.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use crate::Outcome;

/// What has come so far.
#[derive(Debug, Default)]
pub struct Outcomes {
    first: RefCell<BTreeMap<u64, Outcome>>,
    duplicates: Cell<usize>,
}

impl Outcomes {
    /// The first result of a job counts.
    pub fn note(&self, outcome: Outcome) {
        match self.first.borrow_mut().entry(outcome.id) {
            Entry::Vacant(place) => drop(place.insert(outcome)),
            Entry::Occupied(_) => self.duplicates.set(self.duplicates.get() + 1),
        }
    }

    /// How many jobs have a result.
    pub fn count(&self) -> usize {
        self.first.borrow().len()
    }

    /// All of them, by the jobs' numbers.
    pub fn finish(self) -> BTreeMap<u64, Outcome> {
        let twice = self.duplicates.get();
        if twice > 0 {
            println!("{twice} results came twice, and were taken once");
        }
        self.first.into_inner()
    }
}

/// Prints what became of the jobs; was each of them done?
pub fn report(outcomes: &BTreeMap<u64, Outcome>) -> bool {
    let mut done = 0;
    for outcome in outcomes.values() {
        match &outcome.result {
            Ok(_) => done += 1,
            Err(error) => println!("job {} was given up: {error}", outcome.id),
        }
    }
    println!("{done} of {} jobs done", outcomes.len());
    done == outcomes.len()
}
