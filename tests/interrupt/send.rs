//! Sending signals, and asking what the process does with them.

use std::mem::MaybeUninit;
use std::os::unix::process::ExitStatusExt;
use std::ptr;

pub(crate) use libc::{SIGINT, SIGTERM};
use petla::EventLoop;

use crate::common::{alone, text};

/// A loop that listens to SIGINT.
pub(crate) fn interruptible() -> EventLoop {
    EventLoop::builder().sigint(true).build().unwrap()
}

/// To this thread: handled when this returns, unless it ended the process.
pub(crate) fn raise(signal: i32) {
    // SAFETY: takes a number.
    assert_eq!(unsafe { libc::raise(signal) }, 0);
}

/// To any thread of this process.
pub(crate) fn kill(process: u32, signal: i32) {
    // SAFETY: takes numbers.
    assert_eq!(unsafe { libc::kill(process.cast_signed(), signal) }, 0);
}

/// To one thread of this process, by its number.
pub(crate) fn kill_thread(thread: i32, signal: i32) {
    let process = std::process::id();
    // SAFETY: takes numbers.
    let done = unsafe { libc::syscall(libc::SYS_tgkill, process, thread, signal) };
    assert_eq!(done, 0);
}

/// This thread's number.
pub(crate) fn thread_number() -> i32 {
    // SAFETY: takes nothing.
    unsafe { libc::gettid() }
}

/// What the process does at `signal`: a function's address, `SIG_DFL` or `SIG_IGN`.
pub(crate) fn action(signal: i32) -> libc::sighandler_t {
    let mut found = MaybeUninit::<libc::sigaction>::uninit();
    // SAFETY: asks only; `found` is valid for the call.
    let done = unsafe { libc::sigaction(signal, ptr::null(), found.as_mut_ptr()) };
    assert_eq!(done, 0);
    // SAFETY: filled in by the call.
    unsafe { found.assume_init() }.sa_sigaction
}

/// Sets what it does; gives what it did.
pub(crate) fn set_action(signal: i32, to: libc::sighandler_t) -> libc::sighandler_t {
    // SAFETY: `to` is one of the constants, or a handler that uses atomics only.
    unsafe { libc::signal(signal, to) }
}

/// Runs the body in a process of its own, which `signal` must end.
#[track_caller]
pub(crate) fn dies_alone(signal: i32, body: impl FnOnce()) {
    let Some(output) = alone(body) else { return };
    let (status, errors) = (output.status, text(&output.stderr));
    assert_eq!(status.signal(), Some(signal), "{status}\n{errors}");
}
