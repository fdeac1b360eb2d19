//! A worker: a thread of a pool, from its start to its end.
//!
//! Nobody joins one. A process that ends takes its workers with it, in the middle of what they do.
//!
//! # Invariants
//! - **Known**: `WORK` is the work whose code is on this thread's stack, and nothing else.
//!
//! # Not here
//! Where work comes from: `pool`. What becomes of its result: `job`.

use std::cell::RefCell;
use std::io;
use std::sync::Arc as StdArc;
use std::thread;

use super::job::{Paused, Work};
use super::pool::{Bell, Pool};
use crate::context;
use crate::error::Cancelled;
use crate::mailbox::LoopId;
use crate::rt::Arc;
use crate::sys::{faults, process};

/// How late the system may end a thread's sleeps, unless somebody changed it: 50 µs.
const USUAL_SLACK_NS: u64 = 50_000;

thread_local! {
    static WORK: RefCell<Option<StdArc<dyn Work>>> = const { RefCell::new(None) };
}

/// The work whose code is on this thread's stack.
fn work_here() -> Option<StdArc<dyn Work>> {
    WORK.try_with(|work| work.borrow().clone()).ok().flatten()
}

/// Does somebody still await this work? For work that goes on for long, to be asked now and then.
///
/// Anywhere but in the work of [`to_thread`](crate::to_thread) or a
/// [`ThreadPool`](super::ThreadPool) nothing is cancelled.
///
/// # Errors
/// [`Cancelled`], once its future was dropped: whatever the work comes to, nobody will see it.
///
/// # asyncio
/// None; anyio's `from_thread.check_cancelled`, which fails outside of such work.
///
/// ```
/// use petla::{threads::check_cancelled, timeout, to_thread};
/// use std::{sync::mpsc::channel, thread, time::Duration};
///
/// petla::run(async {
///     let (tell, told) = channel();
///     let work = to_thread(move || {
///         while check_cancelled().is_ok() {
///             thread::yield_now(); // a part of the work
///         }
///         tell.send("stopped")
///     });
///     assert!(timeout(Duration::from_millis(1), work).await.is_err());
///     let end = told.recv(); // an error, if it was given up before a thread took it
///     assert!(end == Ok("stopped") || end.is_err());
/// });
/// ```
pub fn check_cancelled() -> Result<(), Cancelled> {
    let work = work_here();
    work.and_then(|work| work.abandoned()).map_or(Ok(()), Err)
}

/// The loop of the task that handed the work on this thread over.
pub(crate) fn calling_loop() -> Option<LoopId> {
    work_here()?.home()
}

/// Starts a thread that nobody joins.
pub(super) fn start(name: String, pool: Arc<Pool>) -> io::Result<()> {
    faults::at("pthread_create")?;
    let thread = thread::Builder::new().name(name);
    thread.spawn(move || work(&pool)).map(drop)
}

/// Runs what comes until nothing has come for a while.
pub(super) fn work(pool: &Pool) {
    restore_timer_slack();
    context::set_pause(|| Some(Box::new(Paused::new(work_here()?))));
    let bell = Arc::<Bell>::default();
    while let Some(work) = pool.next(&bell) {
        WORK.set(Some(work.clone()));
        work.run(&|| pool.is_free());
        WORK.set(None);
        if pool.is_inherited() {
            return; // the work forked: this is the child's only thread
        }
    }
}

/// A thread begins with the slack of the one that started it, which may run a loop: 1 ns, so
/// that each sleep here would be a wake-up of its own.
fn restore_timer_slack() {
    if process::timer_slack().is_ok_and(|slack| slack == process::FINE_SLACK_NS) {
        let _ = process::set_timer_slack(USUAL_SLACK_NS); // as exact as before, then
    }
}
