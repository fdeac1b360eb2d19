//! How much memory does a task take that only waits?
//!
//! `mem_idle_task`: 200,000 tasks wait for something that never comes, on one object that they
//! share; the growth of the process's resident memory (`VmRSS`), a task. It counts everything: the
//! task, its future, the runtime's slot, what the object keeps of a waiter, `malloc`'s rounding.
//!
//! petla's tasks wait in `local::Queue::get`, smol's in `async_channel`'s `recv`. tokio's and
//! local-sync's queues allow only one receiver; their tasks wait for the smallest thing those
//! have for many waiters: a `Notify`, a semaphore's permit. Nobody wakes a task: one that ended
//! would panic.
//!
//! Each measurement is a process of its own, since memory once freed stays resident. Not measured:
//! the runtime's fixed part (the first tasks are spawned before the first reading). Checked: all
//! tasks were polled.

use std::cell::Cell;
use std::fs;
use std::future::Future;
use std::process::{Command, exit};
use std::rc::Rc;

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
    (Petla::NAME, in_child::<Petla>, petla),
    (
        TokioLocal::NAME,
        in_child::<TokioLocal>,
        tokio::<TokioLocal>,
    ),
    (
        TokioCurrentThread::NAME,
        in_child::<TokioCurrentThread>,
        tokio::<TokioCurrentThread>,
    ),
    (Smol::NAME, in_child::<Smol>, smol),
    (Monoio::NAME, in_child::<Monoio>, monoio),
];

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

fn petla(size: usize) -> u64 {
    let queue = Rc::new(petla::local::Queue::<()>::bounded(1));
    idle_bytes::<Petla, _>(size, move || {
        let queue = queue.clone();
        async move {
            BEGUN.set(BEGUN.get() + 1);
            let _ = queue.get().await;
            unreachable!("nobody puts");
        }
    })
}

fn tokio<R: Runtime>(size: usize) -> u64 {
    let never = Rc::new(tokio::sync::Notify::new());
    idle_bytes::<R, _>(size, move || {
        let never = never.clone();
        async move {
            BEGUN.set(BEGUN.get() + 1);
            never.notified().await;
            unreachable!("nobody notifies");
        }
    })
}

fn smol(size: usize) -> u64 {
    let (_sender, receiver) = async_channel::bounded::<()>(1);
    let receiver = Rc::new(receiver);
    idle_bytes::<Smol, _>(size, move || {
        let receiver = receiver.clone();
        async move {
            BEGUN.set(BEGUN.get() + 1);
            let _ = receiver.recv().await;
            unreachable!("nobody sends");
        }
    })
}

fn monoio(size: usize) -> u64 {
    let never = Rc::new(local_sync::semaphore::Semaphore::new(0));
    idle_bytes::<Monoio, _>(size, move || {
        let never = never.clone();
        async move {
            BEGUN.set(BEGUN.get() + 1);
            let _ = never.acquire().await;
            unreachable!("nobody releases");
        }
    })
}

thread_local! {
    /// How many tasks have begun to wait; not in the tasks, so as not to enlarge them.
    static BEGUN: Cell<usize> = const { Cell::new(0) };
}

/// How many bytes the process grows by `size` tasks that `wait` makes.
fn idle_bytes<R: Runtime, F>(size: usize, wait: impl Fn() -> F + 'static) -> u64
where
    F: Future<Output = ()> + 'static,
{
    in_task::<R, _>(async move {
        (0..WARM_UP_TASKS).for_each(|_| R::detach(wait()));
        until_begun::<R>(WARM_UP_TASKS).await;
        let before = resident_bytes();
        (0..size).for_each(|_| R::detach(wait()));
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
