//! How much memory does a task take that only waits?
//!
//! `mem_idle_task`: 200,000 tasks wait for one event that is never set; the growth of the process's
//! resident memory (`VmRSS`), a task. It counts everything: the task, its future, the runtime's
//! slot, what the event keeps of a waiter, `malloc`'s rounding.
//!
//! tokio's tasks wait for a `Notify`, smol's for an `event_listener::Event`, monoio's for a permit
//! of a semaphore. A task that was woken would panic.
//!
//! Each measurement is a process of its own, since memory once freed stays resident. Not measured:
//! the runtime's fixed part (the first tasks are spawned before the first reading). Checked: all
//! tasks were polled.

use std::cell::Cell;
use std::fs;
use std::process::{Command, exit};
use std::rc::Rc;

use petla_bench::events::Events;
use petla_bench::libraries::{AsyncLock, LocalSync, PetlaLocal, Tokio};
use petla_bench::runtimes::{
    Monoio, Petla, Runtime, Smol, TokioCurrentThread, TokioLocal, in_task,
};
use petla_bench::{Contender, Cost, Figure, Sizes, Unit};

/// Tasks: 30 MB or more, of which the kernel's counter may miss 0.25 MB.
const TASKS: Sizes = Sizes {
    table: 200_000,
    criterion: 200_000,
    smoke: 1_000,
};

/// Spawned before the first reading, so that tables and free lists exist.
const WARM_UP_TASKS: usize = 1_000;

/// The first argument of a process that measures.
const CHILD: &str = "--resident-bytes";

pub(crate) fn figures() -> Vec<Figure> {
    let contenders = CONTENDERS.map(|(name, run, _)| Contender { name, run });
    vec![Figure {
        name: "mem_idle_task",
        unit: Unit::Bytes,
        operations_each: 1,
        sizes: TASKS,
        contenders: contenders.into(),
    }]
}

/// Column, what the parent runs, what the child runs.
type Entry = (&'static str, fn(usize) -> Cost, fn(usize) -> u64);

const CONTENDERS: [Entry; 5] = [
    entry::<Petla, PetlaLocal>(),
    entry::<TokioLocal, Tokio>(),
    entry::<TokioCurrentThread, Tokio>(),
    entry::<Smol, AsyncLock>(),
    entry::<Monoio, LocalSync>(),
];

const fn entry<R: Runtime, E: Events>() -> Entry {
    (R::NAME, in_child::<R>, idle_bytes::<R, E>)
}

fn in_child<R: Runtime>(size: usize) -> Cost {
    let program = std::env::current_exe().expect("the benchmark's own path");
    let child = Command::new(program)
        .args([CHILD, R::NAME, &size.to_string()])
        .output();
    let output = child.expect("the benchmark starts itself");
    let answer = String::from_utf8_lossy(&output.stdout);
    let bytes: f64 = answer.trim().parse().unwrap_or_else(|_| {
        panic!(
            "{} did not measure: {}",
            R::NAME,
            String::from_utf8_lossy(&output.stderr)
        )
    });
    assert!(bytes > 0.0, "{size} tasks of {} take no memory", R::NAME);
    Cost(bytes)
}

/// Measures and ends the process, if it was started for that.
pub(crate) fn serve_parent() {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, child, name, size] = arguments.as_slice() else {
        return;
    };
    if child != CHILD {
        return;
    }
    let entry = CONTENDERS
        .into_iter()
        .find(|(contender, ..)| contender == name);
    let (Some((.., measure)), Ok(size)) = (entry, size.parse()) else {
        eprintln!("{CHILD} wants a runtime's name and a number, not {name:?} and {size:?}");
        exit(2);
    };
    println!("{}", measure(size));
    exit(0); // without dropping 200,000 tasks
}

thread_local! {
    /// How many tasks have begun to wait; not in the tasks, so as not to enlarge them.
    static BEGUN: Cell<usize> = const { Cell::new(0) };
}

/// How many bytes the process grows by `size` tasks that wait.
fn idle_bytes<R: Runtime, E: Events>(size: usize) -> u64 {
    in_task::<R, _>(async move {
        let event = Rc::new(E::new());
        let wait = |_| {
            let event = event.clone();
            R::detach(async move {
                BEGUN.set(BEGUN.get() + 1);
                E::wait(&event).await;
                unreachable!("nobody sets the event");
            });
        };
        (0..WARM_UP_TASKS).for_each(wait);
        until_begun::<R>(WARM_UP_TASKS).await;
        let before = resident_bytes();
        (0..size).for_each(wait);
        until_begun::<R>(WARM_UP_TASKS + size).await;
        resident_bytes() - before
    })
}

async fn until_begun<R: Runtime>(count: usize) {
    while BEGUN.get() < count {
        R::yield_now().await;
    }
}

fn resident_bytes() -> u64 {
    let status = fs::read_to_string("/proc/self/status").expect("/proc is mounted");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    kilobytes.expect("the kernel tells VmRSS") * 1024
}

fn main() {
    serve_parent();
    petla_bench::table::main(figures());
}
