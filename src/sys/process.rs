//! What a loop asks of its thread and its process: exact sleeps, and notice of a `fork`.
//!
//! # Timer slack
//! The kernel may end a sleep late by the thread's slack, 50 µs unless changed, to let
//! sleeps end together. A loop sets 1 ns while it runs and restores what it found. Threads
//! started meanwhile inherit the current value; real-time threads have no slack and ignore it.
//!
//! # Fork
//! A forked child inherits the parent's memory and descriptors: a loop used there would
//! write to the parent's eventfd and change the parent's epoll. The child's first act is
//! therefore to count, and to forget its thread's current loop.
//!
//! # Invariants
//! - **Child alone**: the handler runs in the child, before anything else, on its only
//!   thread. Other threads are gone, perhaps in the middle of an allocation or with a lock
//!   held, so it must not allocate, lock or wait.
//! - **Hooked**: `HOOK` is null or was stored from a `fn()`, by `watch_forks`.
//!
//! # Not here
//! What the child may still do, and the error it gets: `kernel`. Children made by a raw
//! `clone` or `_Fork` are not noticed: the C library does not run handlers for them.

use std::io;
use std::mem;
use std::ptr;
use std::sync::atomic::{AtomicPtr, AtomicU32, Ordering};

use super::{check, faults};

/// How late, in nanoseconds, the kernel may end this thread's sleeps.
pub(crate) fn timer_slack() -> io::Result<u64> {
    faults::at("prctl")?;
    // By number, since the C library's `prctl` cuts the value down to an `int`.
    // SAFETY: this operation takes no pointer.
    let slack = unsafe { libc::syscall(libc::SYS_prctl, libc::PR_GET_TIMERSLACK, 0, 0, 0, 0) };
    u64::try_from(slack).map_err(|_| io::Error::last_os_error())
}

/// Sets this thread's timer slack. Zero stands for the value the thread began with.
pub(crate) fn set_timer_slack(nanos: u64) -> io::Result<()> {
    faults::at("prctl")?;
    // SAFETY: this operation takes no pointer.
    check(unsafe { libc::prctl(libc::PR_SET_TIMERSLACK, nanos, 0, 0, 0) }).map(drop)
}

/// The slack of a thread that runs a loop: the finest there is, 1 ns.
pub(crate) const FINE_SLACK_NS: u64 = 1;

/// The thread has another timer slack until this is dropped. Failures leave it alone.
pub(crate) struct TimerSlack(Option<u64>);

impl TimerSlack {
    /// Zero stands for the value that the thread began with.
    pub(crate) fn set(nanos: u64) -> TimerSlack {
        let before = timer_slack().ok();
        if before.is_some() {
            let _ = set_timer_slack(nanos);
        }
        TimerSlack(before)
    }
}

impl Drop for TimerSlack {
    fn drop(&mut self) {
        if let Some(slack) = self.0 {
            let _ = set_timer_slack(slack);
        }
    }
}

static FORKS: AtomicU32 = AtomicU32::new(0);
static HOOK: AtomicPtr<()> = AtomicPtr::new(ptr::null_mut());

/// How many forks lie between this process and the first call of [`watch_forks`]. What was
/// made at another count belongs to an ancestor.
#[inline]
pub(crate) fn fork_count() -> u32 {
    FORKS.load(Ordering::Relaxed)
}

/// From now on, a forked child counts one more and calls `in_child` before its `fork` returns.
///
/// `in_child` may only reset thread-locals without a destructor (Child alone). Further calls
/// change nothing. Two threads that call it first at the same moment may both register the
/// handler: the child then counts two and resets twice, which is as good. A lock would not
/// be: a child forked while another thread holds it could never take it.
///
/// # Errors
/// `ENOMEM`, if the C library cannot store the handler.
pub(crate) fn watch_forks(in_child: fn()) -> io::Result<()> {
    faults::at("pthread_atfork")?;
    if !HOOK.load(Ordering::Acquire).is_null() {
        return Ok(());
    }
    // SAFETY: `count_fork` lives as long as the process and obeys Child alone.
    let refused = unsafe { libc::pthread_atfork(None, None, Some(count_fork)) };
    if refused != 0 {
        return Err(io::Error::from_raw_os_error(refused));
    }
    HOOK.store(in_child as *mut (), Ordering::Release);
    Ok(())
}

extern "C" fn count_fork() {
    FORKS.fetch_add(1, Ordering::Relaxed);
    let hook = HOOK.load(Ordering::Acquire);
    if !hook.is_null() {
        // SAFETY: by Hooked, this pointer was a `fn()`.
        let in_child = unsafe { mem::transmute::<*mut (), fn()>(hook) };
        in_child();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;
    use std::env;
    use std::process::Command;

    #[test]
    fn timer_slack_belongs_to_the_thread_and_can_be_restored() {
        let slack = timer_slack().unwrap();
        let elsewhere = std::thread::spawn(|| {
            set_timer_slack(1).unwrap();
            let exact = timer_slack().unwrap();
            set_timer_slack(0).unwrap();
            (exact, timer_slack().unwrap())
        });
        assert_eq!(elsewhere.join().unwrap(), (1, slack));
        assert_eq!(timer_slack().unwrap(), slack);
    }

    thread_local!(static RESET: Cell<bool> = const { Cell::new(false) });

    /// What the forked child reports as its exit status.
    fn fork_and_ask(question: impl Fn() -> bool) -> bool {
        // SAFETY: until it exits the child only reads atomics and thread-locals (Child alone).
        let child = check(unsafe { libc::fork() }).unwrap();
        if child == 0 {
            // SAFETY: ends the child at once; nothing of the parent's is run twice.
            unsafe { libc::_exit(question().into()) };
        }
        let mut status = 0;
        // SAFETY: `status` is Lent.
        check(unsafe { libc::waitpid(child, &raw mut status, 0) }).unwrap();
        assert!(libc::WIFEXITED(status), "{status:#x}");
        libc::WEXITSTATUS(status) == 1
    }

    #[test]
    fn a_forked_child_counts_and_resets_its_thread_and_its_parent_does_neither() {
        // The first hook of a process stays: other tests must not have set theirs.
        const ALONE: &str = "PETLA_TEST_ALONE";
        if env::var_os(ALONE).is_none() {
            let name = "sys::process::tests::\
                a_forked_child_counts_and_resets_its_thread_and_its_parent_does_neither";
            let mut same = Command::new(env::current_exe().unwrap());
            let output = same
                .args(["--exact", name])
                .env(ALONE, "1")
                .output()
                .unwrap();
            let report = String::from_utf8_lossy(&output.stdout);
            assert!(report.contains("1 passed"), "{report}");
            return;
        }
        let before = fork_count();
        watch_forks(|| RESET.set(true)).unwrap();
        watch_forks(|| unreachable!("the first hook stays")).unwrap();
        assert!(fork_and_ask(|| fork_count() == before + 1 && RESET.get()));
        assert!(fork_count() == before && !RESET.get());
    }
}
