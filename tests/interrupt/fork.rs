//! The child of a fork inside a run that listens: it inherits the handler, and no loop.

use std::future::pending;

use petla::event_loop::RunError;
use petla::yield_now;

use super::send::{SIGINT, action, interruptible, raise};
use crate::common::fork::{exit_after, fork, reap, wait_for};
use crate::common::succeeds_alone;

#[test]
fn a_child_ends_by_the_first_signal_and_its_parent_hears_nothing() {
    succeeds_alone(|| {
        let value = interruptible().run_until_complete(async {
            let child = fork();
            if child == 0 {
                exit_after(|| raise(SIGINT));
            }
            let status = wait_for(child);
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
        let event_loop = interruptible();
        let mut child = 0;
        let result = event_loop.run_until_complete(async {
            child = fork();
            if child == 0 {
                pending::<()>().await;
            }
        });
        if child == 0 {
            exit_after(|| {
                assert_eq!(result, Err(RunError::Forked));
                assert_eq!(action(SIGINT), libc::SIG_DFL);
            });
        }
        reap(child);
        assert_eq!(result, Ok(()));
    });
}

#[test]
fn a_loop_that_a_child_makes_listens_for_itself_alone() {
    succeeds_alone(|| {
        let value = interruptible().run_until_complete(async {
            let child = fork();
            if child == 0 {
                exit_after(|| {
                    let own = interruptible();
                    for _ in 0..3 {
                        own.call_soon(|| raise(SIGINT));
                        assert_eq!(own.run_forever(), Err(RunError::Interrupted));
                    }
                });
            }
            reap(child);
            yield_now().await;
            1
        });
        assert_eq!(value, Ok(1), "the parent was not told");
    });
}
