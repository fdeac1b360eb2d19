//! What outlives the program: up to when each job is settled, in a line such as
//! `2026-11-23T21:15:00Z backup`.
//!
//! The file is replaced as a whole, so that a crash leaves the old one or the new one.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;

use anyhow::{Context, Result};
use jiff::Timestamp;
use petla::fs::write_atomic;
use petla::local::Lock;

pub(crate) struct State {
    file: Option<String>,
    settled: RefCell<BTreeMap<String, Timestamp>>,
    /// One at a time, so that an older map does not replace a newer one.
    writing: Lock<()>,
}

impl State {
    /// Without a file, nothing is known and nothing is kept.
    pub(crate) fn load(file: Option<&str>) -> Result<State> {
        let text = match file.map(fs::read_to_string) {
            None => String::new(),
            Some(Err(error)) if error.kind() == ErrorKind::NotFound => String::new(),
            Some(text) => text.context("cannot read the state")?,
        };
        let mut settled = BTreeMap::new();
        for line in text.lines() {
            let fields = line.split_once(' ');
            let (time, name) = fields.with_context(|| format!("{line:?} is no state"))?;
            let time: Timestamp = time
                .parse()
                .with_context(|| format!("{line:?} is no state"))?;
            settled.insert(name.to_owned(), time);
        }
        Ok(State {
            file: file.map(str::to_owned),
            settled: RefCell::new(settled),
            writing: Lock::new(()),
        })
    }

    pub(crate) fn of(&self, name: &str) -> Option<Timestamp> {
        self.settled.borrow().get(name).copied()
    }

    pub(crate) async fn settle(&self, name: &str, until: Timestamp) -> Result<()> {
        self.settled.borrow_mut().insert(name.to_owned(), until);
        let Some(file) = &self.file else {
            return Ok(());
        };
        let _turn = self.writing.lock().await;
        let settled = self.settled.borrow().clone();
        let lines = settled
            .iter()
            .map(|(name, time)| format!("{time} {name}\n"));
        let written = write_atomic(file, lines.collect::<String>()).await;
        written.with_context(|| format!("cannot write the state to {file}"))
    }
}
