//! [`run_main`]: what `#[petla::main]` calls.
//!
//! # Not here
//! What a signal does to a run: `kernel::interrupt`.

use std::future::Future;
use std::io::Write;
use std::panic::Location;

use super::{EventLoop, RunError};
use crate::kernel::Kernel;
use crate::sys::signal::{self, SIGINT, SIGTERM};

/// [`run`](super::run) with SIGINT, and with SIGTERM if asked for. Interrupted, it ends the
/// process by the same signal, when the loop is closed: a shell that runs a list of commands
/// stops at one that died of SIGINT, and goes on after one that exits with any code.
#[track_caller]
pub fn run_main<F: Future>(sigterm: bool, main: F) -> F::Output {
    if Kernel::runs_here() {
        panic!("main() inside a running event loop: it makes a loop of its own");
    }
    let event_loop = match EventLoop::builder().sigint(true).sigterm(sigterm).build() {
        Ok(event_loop) => event_loop,
        Err(error) => panic!("cannot make an event loop: {error}"),
    };
    let number = match event_loop.run_and_close(main, Location::caller()) {
        Ok(value) => return value,
        Err(RunError::Interrupted) => SIGINT,
        Err(RunError::Terminated) => SIGTERM,
        Err(error) => panic!("the main task gave no value: {error}"),
    };
    // A line that is not complete would be lost: a signal runs no exit handler.
    let _ = std::io::stdout().flush();
    signal::end_process(number)
}
