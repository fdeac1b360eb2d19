//! Operations with names, so that an error can be told to have come out of the right one; and the
//! loop that a scene runs on.

use std::cell::RefCell;
use std::future::{Future, poll_fn};
use std::io;
use std::pin::pin;
use std::thread;
use std::time::Duration;

use crate::event_loop::{Builder, EventLoop};
use crate::kernel::Kernel;
use crate::sys::faults::in_step;
use crate::testing::VirtualClock;
use crate::time::yield_now;

/// The step that is none: what a loop does around its tasks.
pub(super) const LOOP: &str = "the loop";

/// How the report begins that comes in some runs and not in others.
const ONCE_A_MINUTE: &str = "cannot accept connections";

/// The error of a step.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) step: &'static str,
    pub(super) error: io::Error,
}

/// How a scene ended.
pub(super) type Outcome = Result<(), Failure>;

/// Runs an operation that waits, under a name.
pub(super) async fn step<T, E: Into<io::Error>>(
    name: &'static str,
    operation: impl Future<Output = Result<T, E>>,
) -> Result<T, Failure> {
    named(name, operation).await.map_err(|error| Failure {
        step: name,
        error: error.into(),
    })
}

/// The same, and leaves its result alone.
pub(super) async fn named<R>(name: &'static str, operation: impl Future<Output = R>) -> R {
    let mut operation = pin!(operation);
    poll_fn(|cx| in_step(name, || operation.as_mut().poll(cx))).await
}

/// Runs an operation that does not wait, under a name.
pub(super) fn call<T, E: Into<io::Error>>(
    name: &'static str,
    operation: impl FnOnce() -> Result<T, E>,
) -> Result<T, Failure> {
    in_step(name, operation).map_err(|error| Failure {
        step: name,
        error: error.into(),
    })
}

thread_local! {
    static REPORTS: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

/// Did a loop of a scene report anything?
pub(super) fn has_reported() -> bool {
    REPORTS.with_borrow(|reports| !reports.is_empty())
}

/// What loops of scenes reported since the last call.
pub(super) fn take_reports() -> Vec<String> {
    REPORTS.take()
}

/// Runs `main` on a loop whose clock jumps: pauses take no time.
pub(super) fn on_loop(main: impl AsyncFnOnce() -> Outcome) -> Outcome {
    on_loop_of(EventLoop::builder().clock(VirtualClock::auto()), main)
}

/// The same on the system's clock.
pub(super) fn on_real_loop(main: impl AsyncFnOnce() -> Outcome) -> Outcome {
    on_loop_of(EventLoop::builder(), main)
}

/// Runs `main` on a loop of its own, which must hold nothing more in the end.
pub(super) fn on_loop_of(builder: Builder, main: impl AsyncFnOnce() -> Outcome) -> Outcome {
    let event_loop = call("make a loop", || builder.build())?;
    event_loop.set_exception_handler(|report| {
        let report = report.to_string();
        if !report.starts_with(ONCE_A_MINUTE) {
            REPORTS.with_borrow_mut(|reports| reports.push(report));
        }
    });
    in_step(LOOP, || {
        let main = async {
            let outcome = main().await;
            settle().await;
            outcome
        };
        let outcome = event_loop.run_until_complete(main);
        event_loop.close().expect("it does not run");
        outcome.expect("nobody stops or cancels it")
    })
}

/// Waits until this task is all that the loop has.
async fn settle() {
    const NOTHING_ELSE: [usize; 3] = [1, 0, 0];
    let holdings = || Kernel::with(Kernel::holdings).expect("a loop runs here");
    for round in 0..2_000 {
        if holdings() == NOTHING_ELSE {
            return;
        }
        if round > 1_000 {
            thread::sleep(Duration::from_millis(1)); // for other threads and processes
        }
        yield_now().await;
    }
    let [tasks, timers, sources] = holdings();
    let names = Kernel::with(|kernel| format!("{:?}", kernel.tasks()));
    panic!("left in the loop: {tasks} tasks ({names:?}), {timers} timers, {sources} descriptors");
}
