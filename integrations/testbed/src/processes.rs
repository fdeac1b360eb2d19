//! Processes by their numbers: signals to them, and which of them are below one.
//!
//! The standard library sends no signal but SIGKILL, so the shell does it, whose `kill` is always
//! there. A number alone may be another process's by now, so whoever is remembered is remembered
//! with the time of its start. See proc(5) for the fields.

use std::fs;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::wait::{holds_within, wait_for};

/// For a killed process to be gone.
const GONE: Duration = Duration::from_secs(30);

/// A line of `/proc/<pid>/stat`, as far as it matters here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Process {
    pid: u32,
    parent: u32,
    /// In ticks since boot.
    start: u64,
}

impl Process {
    /// The living process of this number. A zombie does not live, except while other threads of
    /// it still do, and hold its sockets.
    fn find(pid: u32) -> Option<Process> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The name, in parentheses, may hold anything.
        let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
        let &[state, parent, ..] = fields.as_slice() else {
            return None;
        };
        let process = Process {
            pid,
            parent: parent.parse().ok()?,
            start: fields.get(19)?.parse().ok()?,
        };
        let threads: u32 = fields.get(17)?.parse().ok()?;
        (state != "Z" || threads > 1).then_some(process)
    }

    fn lives(&self) -> bool {
        Process::find(self.pid).is_some_and(|process| process.start == self.start)
    }
}

/// The children of `root`, their children, and so on.
fn below(root: u32) -> Vec<Process> {
    let entries = fs::read_dir("/proc").expect("/proc is mounted");
    let names = entries.flatten().map(|entry| entry.file_name());
    let pids = names.filter_map(|name| name.to_str()?.parse().ok());
    let all: Vec<_> = pids.filter_map(Process::find).collect();
    let mut found: Vec<Process> = Vec::new();
    let mut parents = vec![root];
    while let Some(parent) = parents.pop() {
        let children = all.iter().filter(|process| process.parent == parent);
        let children: Vec<_> = children.collect();
        parents.extend(children.iter().map(|child| child.pid));
        found.extend(children);
    }
    found
}

/// Sends `signal`, a name such as `TERM`, to a process that this one started.
pub(crate) fn send(signal: &str, pid: u32) {
    let mut kill = Command::new("sh");
    kill.args(["-c", "kill -s \"$1\" \"$2\"", "sh", signal])
        .arg(pid.to_string())
        .stderr(Stdio::null()); // a process that is gone needs no signal
    kill.status().expect("sh starts");
}

/// Ends `child` and everything below it, and waits until they are gone: by `signal` if `child`
/// obeys it within `patience`, else as a crash would. Did it obey?
pub(crate) fn end_all(child: &mut Child, signal: &str, patience: Duration) -> bool {
    let rest = below(child.id()); // now: the children of who is gone are somebody else's
    send(signal, child.id());
    let obeyed = holds_within(patience, || has_ended(child));
    // Both fail only if it is gone already.
    drop(child.kill());
    drop(child.wait());
    for process in rest.iter().filter(|process| process.lives()) {
        send("KILL", process.pid);
    }
    wait_for("the end of killed processes", GONE, || {
        !rest.iter().any(Process::lives)
    });
    obeyed
}

pub(crate) fn has_ended(child: &mut Child) -> bool {
    child.try_wait().is_ok_and(|status| status.is_some())
}
