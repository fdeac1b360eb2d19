//! The numbers of asyncio's bugs and behaviours, held against the tests that are about them.
//!
//! A program's head has a table: which numbers, and where, or why nowhere. Its rows are claims:
//!
//! - `` | B25, B27 to B30 | `limits.rs` | ``: in that file a comment names each of them;
//! - `` | K5 | `tasks/handle.rs` | `the_test` | ``: that file has that test;
//! - `| B31 | because |`: a reason, which nobody but a reader can check.
//!
//! A file is one of the program's folder, or else is named from `tests` on.
//!
//! # Not here
//! Whether a test proves what its number says.

use std::fs;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

/// Every claim of the table at the head of `program` holds, and each of `numbers` has a row.
#[track_caller]
pub(crate) fn are_accounted_for(program: &str, numbers: &[(char, RangeInclusive<u32>)]) {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let head = read(&tests.join(program).with_extension("rs"));
    let mut listed = Vec::new();
    for row in head.lines().filter_map(|line| line.strip_prefix("//! | ")) {
        let cells: Vec<_> = row.split('|').map(str::trim).collect();
        let found = numbers_of(cells[0]);
        if let Some(name) = quoted(cells[1]) {
            let text = read(&find(&tests, program, name));
            check(row, &text, &found, cells.get(2).copied().and_then(quoted));
        }
        listed.extend(found);
    }
    for (kind, range) in numbers {
        for number in range.clone().map(|number| format!("{kind}{number}")) {
            assert!(listed.contains(&number), "no row is about {number}");
        }
    }
}

/// The claim of one row about a file's text.
#[track_caller]
fn check(row: &str, text: &str, numbers: &[String], test: Option<&str>) {
    if let Some(test) = test {
        assert!(text.contains(&format!("fn {test}(")), "no such test: {row}");
        return;
    }
    let comments = text.lines().filter_map(|line| line.trim().split_once("//"));
    let words = comments.flat_map(|(_, comment)| comment.split(|c: char| !c.is_alphanumeric()));
    let words: Vec<_> = words.collect();
    for number in numbers {
        assert!(words.contains(&number.as_str()), "no {number}: {row}");
    }
}

fn read(file: &Path) -> String {
    fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

fn find(tests: &Path, program: &str, name: &str) -> PathBuf {
    let name = Path::new(name).with_extension("rs");
    let own = tests.join(program).join(&name);
    if own.exists() { own } else { tests.join(name) }
}

/// What stands first in a cell, if that is code.
fn quoted(cell: &str) -> Option<&str> {
    cell.strip_prefix('`')?.split('`').next()
}

/// The numbers of a cell; `B1 to B3` is three of them.
fn numbers_of(cell: &str) -> Vec<String> {
    let mut found: Vec<(char, u32)> = Vec::new();
    let mut goes_on = false;
    for word in cell.split([' ', ',', ':']) {
        if let Some((kind, number)) = number_of(word) {
            let first = match found.last() {
                Some(&(_, last)) if goes_on => last + 1,
                _ => number,
            };
            found.extend((first..=number).map(|number| (kind, number)));
        }
        goes_on = word == "to";
    }
    let texts = found.iter().map(|(kind, number)| format!("{kind}{number}"));
    texts.collect()
}

fn number_of(word: &str) -> Option<(char, u32)> {
    let kind = word.chars().next().filter(char::is_ascii_uppercase)?;
    Some((kind, word[1..].parse().ok()?))
}
