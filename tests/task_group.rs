//! Task groups: what starts in them ends in them, and what fails in them is told.
//!
//! asyncio's groups had bugs, and its own tests name behaviours. Each that has a meaning in Rust
//! is a test whose comment names it (B: a bug, G, T: a behaviour).
//!
//! | asyncio | here |
//! | --- | --- |
//! | B36 to B48 | `bugs.rs`, with G11, G12, G14 and G15 |
//! | G1 to G9, G13, T10 | `behaviours.rs` |
//! | B40, G11: a count of cancels | there is none; tests show that a cancel leaves nothing behind |
//! | B47: `GeneratorExit` | there is none: a future that is dropped is told nothing |
//! | G7: a body that catches the cancel | cannot be written; its destructor can panic, as in G4 |
//! | G9: a spawn before the group is entered | does not compile: `run` gives the handle |
//! | G10: a group that is entered twice | does not compile: `run` takes the body by value |
//!
//! # Not here
//! Scopes without children. What must not compile: `compile_fail.rs`.

mod common;

use std::fmt::Display;
use std::fs;
use std::path::Path;
use std::time::Duration;

use petla::{ErrorGroup, TaskGroup};

#[path = "task_group/behaviours.rs"]
mod behaviours;
#[path = "task_group/bugs.rs"]
mod bugs;
#[path = "task_group/children.rs"]
mod children;
#[path = "task_group/elsewhere.rs"]
mod elsewhere;
#[path = "task_group/ends.rs"]
mod ends;
#[path = "task_group/random.rs"]
mod random;
#[path = "task_group/reentry.rs"]
mod reentry;
#[path = "task_group/start.rs"]
mod start;

const TICK: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);

type Group<'env> = TaskGroup<'env, &'static str>;
type Failed = ErrorGroup<&'static str>;

/// The causes of a group's failures, in their order.
fn messages<E: Display>(group: &ErrorGroup<E>) -> Vec<String> {
    let failures = group.failures().iter();
    failures.map(|failure| failure.cause.to_string()).collect()
}

#[test]
fn every_number_of_the_list_has_a_test_or_a_reason() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let mut words = Vec::new();
    for entry in fs::read_dir(root.join("task_group")).unwrap() {
        let text = fs::read_to_string(entry.unwrap().path()).unwrap();
        let comments = text.lines().filter_map(|line| line.strip_prefix("// "));
        for comment in comments {
            words.extend(comment.split([',', ' ', ':']).map(str::to_owned));
        }
    }
    let own = fs::read_to_string(root.join("task_group.rs")).unwrap();
    let mut numbers: Vec<String> = (36..=48).map(|n| format!("B{n}")).collect();
    numbers.extend((1..=15).map(|n| format!("G{n}")));
    numbers.push("T10".to_owned());
    for number in numbers {
        let has_reason = own.contains(&format!("//! | {number}:"));
        assert!(
            words.contains(&number) || has_reason,
            "nothing is about {number}"
        );
    }
}
