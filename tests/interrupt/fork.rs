//! The child of a fork inside a run that listens: it inherits the handler, and no loop.

use std::future::pending;

use petla::event_loop::RunError;
use petla::{EventLoop, yield_now};

use super::send::{SIGINT, action, interruptible, raise};
use crate::common::succeeds_alone;

/// `fork`: 0 in the child.
fn fork() -> libc::pid_t {
    // SAFETY: this process runs one test; its other thread only waits for it.
    let pid = unsafe { libc::fork() };
    assert!(pid >= 0, "{}", std::io::Error::last_os_error());
    pid
}

/// Ends the child.
fn exit(well: bool) -> ! {
    // SAFETY: ends the process.
    unsafe { libc::_exit((!well).into()) }
}

/// Waits for the child.
fn reap(child: libc::pid_t) -> i32 {
    let mut status = 0;
    // SAFETY: `status` is valid for the call.
    assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
    status
}

#[track_caller]
fn assert_well(status: i32) {
    let well = libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == 0;
    assert!(well, "{status:#x}");
}

#[test]
fn a_child_ends_by_the_first_signal_and_its_parent_hears_nothing() {
    succeeds_alone(|| {
        let value = interruptible().run_until_complete(async {
            let child = fork();
            if child == 0 {
                raise(SIGINT);
                exit(true);
            }
            let status = reap(child);
            assert!(libc::WIFSIGNALED(status), "{status:#x}");
            assert_eq!(libc::WTERMSIG(status), SIGINT);
            yield_now().await;
            yield_now().await;
            1
        });
        assert_eq!(value, Ok(1));
    });
}

#[test]
fn a_child_that_comes_back_from_the_run_has_the_action_of_before() {
    succeeds_alone(|| {
        let event_loop: EventLoop = interruptible();
        let mut child = 0;
        let result = event_loop.run_until_complete(async {
            child = fork();
            if child != 0 {
                return;
            }
            pending::<()>().await
        });
        if child == 0 {
            let restored = action(SIGINT) == libc::SIG_DFL;
            exit(result == Err(RunError::Forked) && restored);
        }
        assert_well(reap(child));
        assert_eq!(result, Ok(()));
    });
}

#[test]
fn a_loop_that_a_child_makes_listens_for_itself_alone() {
    succeeds_alone(|| {
        let value = interruptible().run_until_complete(async {
            let child = fork();
            if child != 0 {
                assert_well(reap(child));
                yield_now().await;
                return 1;
            }
            let own = interruptible();
            let interrupted = (0..3).all(|_| {
                let result = own.run_until_complete(async {
                    raise(SIGINT);
                    pending::<()>().await
                });
                result == Err(RunError::Interrupted)
            });
            exit(interrupted);
        });
        assert_eq!(value, Ok(1), "the parent was not told");
    });
}
