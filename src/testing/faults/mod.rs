//! Every system call of small programs fails once with each documented errno: what follows?
//!
//! A *scene* is a small complete program on a loop. It runs once as it is, and its system calls are
//! noted. Then it runs again and again, and each time one call fails: for several calls of each
//! name, among them the first of each operation, each errno that the manual documents. Each time
//! the scene must end soon, without a panic, and either
//!
//! - succeed, if a rule says that the failure is *absorbed*, or
//! - fail with just this errno, out of the operation that made the call.
//!
//! So an error that is swallowed fails the test as well as one that comes out at the wrong place.
//! The rules (`rules`, and those of a scene beside it) are the complete list of what is absorbed.
//! Afterwards the process has the descriptors that it had, the loop had no task, timer or
//! registration left before it closed, its entry in the table of loops is free, and after a hundred
//! repetitions there is no more memory in use.
//!
//! All this counts what belongs to the process, so the matrix runs in a process of its own.
//! `PETLA_SCENE=server` plays those scenes alone that have this in their names.
//!
//! # The map
//! `step` names and runs operations · `scenes` the programs · `rules` what is absorbed · `matrix`
//! runs all of it · `watchdog` ends what hangs · `gauges` counts · `refused` what no scene can show
//! twice · `hostile` random bytes and failures for the streams.
//!
//! # Not here
//! How a call is made to fail, and which errnos are documented: `sys::faults`.

mod gauges;
mod hostile;
mod matrix;
mod refused;
mod rules;
mod scenes;
mod step;
mod watchdog;

use std::path::Path;
use std::process::Command;
use std::{env, fs};

use crate::sys::faults::errnos::documented;

/// Runs `body` in a process of its own, in which the test `name` of this module runs alone, and
/// returns what that printed.
fn alone(name: &str, body: impl FnOnce()) -> Option<String> {
    const MARK: &str = "PETLA_TEST_ALONE";
    if env::var_os(MARK).is_some() {
        body();
        return None;
    }
    let path = module_path!().split_once("::").map_or("", |(_, path)| path);
    let name = format!("{path}::{name}");
    let mut same = Command::new(env::current_exe().unwrap());
    let output = same
        .args(["--exact", &name, "--nocapture", "--test-threads=1"])
        .env(MARK, "1")
        .output()
        .unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (printed, complaints) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{printed}\n{complaints}");
    assert!(printed.contains("1 passed"), "{printed}");
    Some(printed)
}

/// Every text `faults::at("..")` in this crate's source.
fn names_in(folder: &Path) -> Vec<String> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            names.extend(names_in(&path));
        } else if let Ok(text) = fs::read_to_string(&path) {
            let calls = text.split("faults::at(\"").skip(1);
            names.extend(calls.filter_map(|rest| Some(rest.split_once("\")")?.0.to_owned())));
        }
    }
    names
}

#[test]
fn every_call_that_can_fail_has_its_errors_in_the_table() {
    let names = names_in(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"));
    assert!(names.len() > 30, "only {names:?} were found");
    let names = names
        .iter()
        .filter(|name| !matches!(name.as_str(), "name" | ".."));
    assert!(names.into_iter().all(|name| !documented(name).is_empty()));
}

#[test]
fn every_call_of_every_scene_fails_once_with_each_errno_and_nothing_leaks_or_hangs() {
    let name = "every_call_of_every_scene_fails_once_with_each_errno_and_nothing_leaks_or_hangs";
    if let Some(printed) = alone(name, matrix::run) {
        let summary = printed.lines().find(|line| line.contains("failures in"));
        println!("{}", summary.expect("it sums up"));
    }
}
