//! How many system calls does a server make for a request? Counted by strace(1).
//!
//! Every call of the server process counts, from its start to its end, over all requests that it
//! answered: what it does once is nothing then. A traced call takes some twenty times as long, and
//! how often a server waits depends on how long its other calls take. So there are two runs: one
//! that traces the calls that move data, one that traces all others.
//!
//! # Not here
//! Any time: strace stops the server at each call.

use std::fs;
use std::io::{self, ErrorKind};

use super::{Options, Plan, start};

/// The calls of the two runs.
const MOVING: &str = "recvfrom,sendto,recvmsg,sendmsg,read,write,readv,writev";

/// Calls rarer than this, a request, are not shown.
const RARE: f64 = 0.01;

pub(crate) fn compare(names: &[&str], options: &Options, cpus: [usize; 2]) -> io::Result<()> {
    println!("System calls a request, those above {RARE}.\n");
    println!("| connections | under way | server | all | each |\n| --- | --- | --- | --- | --- |");
    for &connections in &options.connections {
        for &batch in &options.batches {
            for name in names {
                let plan = options.plan(connections, batch, cpus);
                let mut counts = count(name, plan, &format!("trace={MOVING}"))?;
                counts.extend(count(name, plan, &format!("trace=!{MOVING}"))?);
                counts.sort_by(|a, b| b.1.total_cmp(&a.1));
                let all: f64 = counts.iter().map(|(_, share)| share).sum();
                let shown = counts.iter().filter(|(_, share)| *share > RARE);
                let each: Vec<String> = shown
                    .map(|(call, share)| format!("{call} {share:.2}"))
                    .collect();
                let each = each.join(", ");
                println!("| {connections} | {batch} | {name} | {all:.2} | {each} |");
            }
        }
    }
    Ok(())
}

/// Each call that the filter lets through, and how often it was made, a request.
fn count(name: &str, plan: Plan, filter: &str) -> io::Result<Vec<(String, f64)>> {
    let file = std::env::temp_dir().join(format!("petla-bench-calls-{}", std::process::id()));
    let path = file.to_string_lossy().into_owned();
    let strace = [
        "strace",
        "-f",
        "--seccomp-bpf",
        "-c",
        "-U",
        "calls,name",
        "-e",
        filter,
        "-o",
        &path,
    ];
    let (server, mut load, before) = start(&strace, name, plan).map_err(|error| {
        let missing = error.kind() == ErrorKind::NotFound;
        let why = if missing { "install strace: " } else { "" };
        io::Error::new(error.kind(), format!("{why}{error}"))
    })?;
    let requests = before + load.ask()?[0];
    drop(load);
    server.end()?;
    let table = fs::read_to_string(&file)?;
    fs::remove_file(&file)?;
    let row = |line: &str| {
        let (number, call) = line.trim().split_once(' ')?;
        let share = number.parse::<f64>().ok()? / requests as f64;
        (call.trim() != "total").then(|| (call.trim().to_owned(), share))
    };
    Ok(table.lines().filter_map(row).collect())
}
