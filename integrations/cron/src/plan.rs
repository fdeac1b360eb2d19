//! [`plan`]: what is to be done now. No clock, no loop: a function of its arguments.

use std::collections::VecDeque;
use std::str::FromStr;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use jiff::{Timestamp, Zoned};

use crate::Schedule;

/// A time is on time for a minute, the shortest distance between two of a cron line.
pub const ON_TIME: Duration = Duration::from_secs(60);
/// A clock set back by more was wrong before.
const SET_BACK_MAX: Duration = Duration::from_secs(3 * 3600);
/// So many times are counted at most: after a year asleep, nobody wants to wait for the rest.
const COUNT_MAX: usize = 1000;
/// How far back the latest times are looked for, in steps, so that a year of minutes is not gone
/// through for the last ten of them: an hour, a day, a month, a year.
const BACK: [Duration; 4] = [
    Duration::from_secs(3600),
    Duration::from_secs(24 * 3600),
    Duration::from_secs(31 * 24 * 3600),
    Duration::from_secs(366 * 24 * 3600),
];

/// What becomes of times that were missed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missed {
    /// `skip`: nothing, the next time is the next run.
    Skip,
    /// `once`: one run for all of them.
    Once,
    /// `all:5`: a run for each, in their order, for the latest five.
    All(usize),
}

impl FromStr for Missed {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Missed> {
        match text.split_once(':') {
            None if text == "skip" => Ok(Missed::Skip),
            None if text == "once" => Ok(Missed::Once),
            Some(("all", count)) => match count.parse() {
                Ok(count @ 1..=COUNT_MAX) => Ok(Missed::All(count)),
                _ => bail!("{count:?} in {text:?} is not a number from 1 to {COUNT_MAX}"),
            },
            _ => bail!("{text:?} is not skip, once or all:<how many>"),
        }
    }
}

/// What [`plan`] decided.
#[derive(Clone, Debug)]
pub struct Plan {
    /// To be run now, one after the other.
    pub runs: Vec<Zoned>,
    /// How many times are left out; not counted above a thousand.
    pub left_out: usize,
    /// When all that is done, nothing up to here is open.
    pub settled: Timestamp,
    /// The first time after that.
    pub next: Zoned,
}

/// What is to be done at `now`, if everything up to `last` is settled.
///
/// # Errors
/// If the schedule has no next time.
pub fn plan(schedule: &Schedule, missed: Missed, last: Timestamp, now: Timestamp) -> Result<Plan> {
    let last = if last > now + SET_BACK_MAX { now } else { last };
    let settled = last.max(now);
    let next = schedule.after(settled).context("no next time")?;
    let due = schedule.between(last, now).take(COUNT_MAX).count();
    let runs = match missed {
        Missed::Skip => latest(schedule, last.max(now - ON_TIME), now, 1),
        Missed::Once => latest(schedule, last, now, 1),
        Missed::All(count) => latest(schedule, last, now, count),
    };
    Ok(Plan {
        left_out: due.saturating_sub(runs.len()),
        runs,
        settled,
        next,
    })
}

/// The last `count` times after `last`, up to `now` with `now` itself.
fn latest(schedule: &Schedule, last: Timestamp, now: Timestamp, count: usize) -> Vec<Zoned> {
    let starts = BACK.iter().map(|back| last.max(now - *back));
    for start in starts.chain([last]) {
        let mut found = VecDeque::new();
        for time in schedule.between(start, now) {
            if found.len() == count {
                found.pop_front();
            }
            found.push_back(time);
        }
        if found.len() == count || start == last {
            return found.into();
        }
    }
    unreachable!("the last start is `last`")
}
