//! Cancel scopes, shields and limits of time by their public API: what the documentation of
//! `petla::scope` promises, what asyncio got wrong before, and what must not break them.
//!
//! Nearly all on the automatic virtual clock, so times are exact. A comment before or in a test
//! names what it is about: one of asyncio's historical bugs (B) or of the behaviours that its own
//! tests name (T: timeouts, K: tasks, W: waiting, E: the loop).
//!
//! | what | where |
//! | --- | --- |
//! | B25-B30, B42, B46, T1-T6, T8-T10, W15: limits | `limits` |
//! | T7 and all of deadlines that move | `deadlines` |
//! | B32-B34, B40, B48, K1, K3, K12: who is cancelled, and when not | `cancels` |
//! | the table "who drops what", row by row | `drops` |
//! | order, limits, panics of clean-ups | `cleanups` |
//! | E7 and the end of a loop | `closing` |
//! | W7, W15, W16: shields | `shields` |
//! | several tasks, combinators, foreign executors, no loop at all | `elsewhere` |
//! | panics, wakers that come back, leaks, loops in loops | `trouble` |
//!
//! What other programs prove:
//!
//! | number | file | test |
//! | --- | --- | --- |
//! | K5 | `tasks/handle.rs` | `awaited_by_a_task_that_is_cancelled_it_is_cancelled_too` |
//! | K6 | `tasks/handle.rs` | `a_task_that_awaits_itself_panics_and_says_who_and_where` |
//! | K7 | `tasks/spawn.rs` | `the_current_task_is_the_one_whose_code_runs` |
//! | K8 | `tasks/context.rs` | `an_eager_step_has_its_own_copy` |
//! | K9 | `tasks/spawn.rs` | `a_task_without_a_name_is_called_by_its_number` |
//! | K10 | `tasks/reports.rs` | `a_panic_is_reported_once_when_the_handle_went_first` |
//! | K11 | `tasks/reports.rs` | `a_cancelled_task_is_no_news` |
//! | E8 | `interrupt/two.rs` | `the_second_ends_the_run_between_two_polls` |
//!
//! What cannot be written in Rust, where a cancel drops a future and throws nothing:
//!
//! | number | because |
//! | --- | --- |
//! | B31 | there is no class of errors to derive from: a cancel is no exception |
//! | B35 | there is no uncancel: nothing withdraws a cancel |
//! | K2 | nothing can be caught |
//! | K4 | there is no count of requests |
//!
//! # Not here
//! Groups. What must not compile: `compile_fail.rs`. Random trees: `scope_properties.rs`.

mod common;

#[path = "scope/cancels.rs"]
mod cancels;
#[path = "scope/cleanups.rs"]
mod cleanups;
#[path = "scope/closing.rs"]
mod closing;
#[path = "scope/deadlines.rs"]
mod deadlines;
#[path = "scope/drops.rs"]
mod drops;
#[path = "scope/elsewhere.rs"]
mod elsewhere;
#[path = "scope/kept.rs"]
mod kept;
#[path = "scope/limits.rs"]
mod limits;
#[path = "scope/shields.rs"]
mod shields;
#[path = "scope/trouble.rs"]
mod trouble;

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use petla::{now, sleep};

use common::Log;

/// So many milliseconds.
fn ms(count: u64) -> Duration {
    Duration::from_millis(count)
}

/// What happened, and how many milliseconds after the beginning.
#[derive(Clone)]
struct Story {
    begin: Instant,
    log: Log<String>,
}

impl Story {
    fn new() -> Self {
        Story {
            begin: now(),
            log: Log::new(),
        }
    }

    fn elapsed(&self) -> u128 {
        now().saturating_duration_since(self.begin).as_millis()
    }

    fn note(&self, what: &str) {
        self.log.push(format!("{} {what}", self.elapsed()));
    }

    /// Notes `what` when `after` has passed.
    async fn note_after(&self, after: Duration, what: &str) {
        sleep(after).await;
        self.note(what);
    }

    #[track_caller]
    fn is(&self, expected: &[&str]) {
        assert_eq!(self.log.take(), expected);
    }
}

fn read(file: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    fs::read_to_string(root.join("tests").join(file)).unwrap()
}

/// The words of the comments in a text.
fn words_of_comments(text: &str) -> Vec<String> {
    let lines = text.lines().filter_map(|line| line.trim().split_once("//"));
    let words = lines.flat_map(|(_, line)| line.split(|c: char| !c.is_alphanumeric()));
    words.map(str::to_owned).collect()
}

/// The rows of the tables at the head of this file, as cells.
fn rows() -> Vec<Vec<String>> {
    let head = read("scope.rs");
    let rows = head.lines().filter_map(|line| line.strip_prefix("//! | "));
    let cell = |cell: &str| cell.trim().replace('`', "");
    rows.map(|row| row.split('|').map(cell).collect()).collect()
}

#[test]
fn every_number_of_the_list_has_a_test_or_a_reason() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scope");
    let mut proven = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let text = fs::read_to_string(entry.unwrap().path()).unwrap();
        proven.extend(words_of_comments(&text));
    }
    let numbers = [
        (
            'B',
            vec![25, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 40, 42, 46, 48],
        ),
        ('T', (1..=10).collect()),
        ('W', vec![7, 15, 16]),
        ('K', (1..=12).collect()),
        ('E', vec![7, 8]),
    ];
    let rows = rows();
    for (kind, numbers) in numbers {
        for number in numbers {
            let number = format!("{kind}{number}");
            let is_listed = rows.iter().any(|row| row[0] == number);
            assert!(
                is_listed || proven.contains(&number),
                "no test is about {number}"
            );
        }
    }
}

#[test]
fn the_tests_elsewhere_that_the_list_names_exist() {
    for row in rows()
        .iter()
        .filter(|row| row.len() > 3 && row[1].ends_with(".rs"))
    {
        let [number, file, test, ..] = &row[..] else {
            unreachable!("it has more cells")
        };
        let named = format!("fn {test}(");
        assert!(
            read(file).contains(&named),
            "{number}: {file} has no {test}"
        );
    }
}
