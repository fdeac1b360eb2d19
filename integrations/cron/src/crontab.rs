//! A file of jobs, one a line.
//!
//! ```text
//! # minute hour day month weekday  zone           missed  name     command
//!   */5    *    *   *     *        UTC            skip    tick     date
//!   30     2    *   *     MON-FRI  Europe/Warsaw  once    backup   tar -czf /backup.tgz /home
//! ```
//!
//! Empty lines and lines that begin with `#` are nothing. The command is the shell's.

use std::collections::HashSet;

use anyhow::{Context, Result, bail, ensure};
use jiff::Timestamp;

use crate::{Missed, Schedule};

/// A line of the file.
#[derive(Clone, Debug)]
pub struct Job {
    /// For reports, and for the state that outlives the program.
    pub name: String,
    /// When.
    pub schedule: Schedule,
    /// And when not on time.
    pub missed: Missed,
    /// What.
    pub command: String,
}

/// Reads all lines.
///
/// # Errors
/// At the first line that is no job, with its number; if two have one name; if there is none.
pub fn parse(text: &str, now: Timestamp) -> Result<Vec<Job>> {
    let mut jobs: Vec<Job> = Vec::new();
    let mut names = HashSet::new();
    for (at, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let job = job(line, now).with_context(|| format!("line {}", at + 1))?;
        let name = &job.name;
        ensure!(
            names.insert(name.clone()),
            "two jobs have the name {name:?}"
        );
        jobs.push(job);
    }
    ensure!(!jobs.is_empty(), "there is no job");
    Ok(jobs)
}

fn job(line: &str, now: Timestamp) -> Result<Job> {
    let (words, command) = split(line, 8);
    let [_, _, _, _, _, _, missed, name] = words.as_slice() else {
        bail!("{line:?} is not: minute hour day month weekday zone missed name command");
    };
    ensure!(!command.is_empty(), "the job {name:?} has no command");
    Ok(Job {
        schedule: Schedule::parse(&words[..6].join(" "), now)?,
        missed: missed.parse()?,
        name: (*name).to_owned(),
        command: command.to_owned(),
    })
}

/// The first `count` words, and the rest as it stands.
fn split(line: &str, count: usize) -> (Vec<&str>, &str) {
    let (mut words, mut rest) = (Vec::new(), line);
    while words.len() < count && !rest.is_empty() {
        let (word, after) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
        words.push(word);
        rest = after.trim_start();
    }
    (words, rest)
}
