//! Forking a test's process. The child ends by `_exit`, so that nothing of the parent's, the test
//! runner least of all, goes on in it.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// `fork`: 0 in the child.
pub(crate) fn fork() -> libc::pid_t {
    // SAFETY: this process runs one test; its other threads only wait for it.
    let pid = unsafe { libc::fork() };
    assert!(pid >= 0, "{}", io::Error::last_os_error());
    pid
}

/// Ends the child: well if `body` does not panic.
pub(crate) fn exit_after(body: impl FnOnce()) -> ! {
    let failed = catch_unwind(AssertUnwindSafe(body)).is_err();
    // SAFETY: ends the process.
    unsafe { libc::_exit(failed.into()) }
}

/// Waits for the child; its status.
pub(crate) fn wait_for(child: libc::pid_t) -> libc::c_int {
    let mut status = 0;
    // SAFETY: `status` is valid for the call.
    assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
    status
}

/// Waits for the child, which must have ended well.
#[track_caller]
pub(crate) fn reap(child: libc::pid_t) {
    let status = wait_for(child);
    assert!(
        libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == 0,
        "status {status:#x}"
    );
}
