//! A worker: a thread of a pool, from its start to its end.
//!
//! Nobody joins one. A process that ends takes its workers with it, in the middle of what they do.
//!
//! # Not here
//! Where work comes from: `pool`. What becomes of its result: `job`.

use std::io;
use std::thread;

use super::pool::{Bell, Pool};
use crate::rt::Arc;
use crate::sys::{faults, process};

/// How late the system may end a thread's sleeps, unless somebody changed it: 50 µs.
const USUAL_SLACK_NS: u64 = 50_000;
/// What loops set on their threads.
const FINE_SLACK_NS: u64 = 1;

/// Starts a thread that nobody joins.
pub(super) fn start(name: String, pool: Arc<Pool>) -> io::Result<()> {
    faults::at("pthread_create")?;
    let thread = thread::Builder::new().name(name);
    thread.spawn(move || work(&pool)).map(drop)
}

/// Runs what comes until nothing has come for a while.
pub(super) fn work(pool: &Pool) {
    restore_timer_slack();
    let bell = Arc::<Bell>::default();
    while let Some(work) = pool.next(&bell) {
        work.run(&|| pool.is_free());
        if pool.is_inherited() {
            return; // the work forked: this is the child's only thread
        }
    }
}

/// A thread begins with the slack of the one that started it, which may run a loop: 1 ns, so
/// that each sleep here would be a wake-up of its own.
fn restore_timer_slack() {
    if process::timer_slack().is_ok_and(|slack| slack == FINE_SLACK_NS) {
        let _ = process::set_timer_slack(USUAL_SLACK_NS); // as exact as before, then
    }
}
