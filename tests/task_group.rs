//! Task groups: what starts in them ends in them, and what fails in them is told.
//!
//! asyncio's groups had bugs, and its own tests name behaviours. Each that has a meaning in Rust
//! is a test whose comment names it (B: a bug, G, T: a behaviour).
//!
//! | asyncio | here |
//! | --- | --- |
//! | B36 to B48, G11, G12, G14, G15 | `bugs.rs` |
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
    let numbers = [('B', 36..=48), ('G', 1..=15), ('T', 10..=10)];
    common::numbers::are_accounted_for("task_group", &numbers);
}
