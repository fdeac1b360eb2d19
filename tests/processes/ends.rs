//! Waiting for the end of a child.

use std::io::ErrorKind;
use std::os::unix::process::ExitStatusExt;
use std::process::Stdio;
use std::task::Poll;
use std::time::Duration;

use petla::process::{Command, StatusLost};
use petla::signal::{SIGCHLD, signals};
use petla::{EventLoop, gather, timeout, yield_now};

use super::shell;
use crate::common::{Bell, poll_once, succeeds_alone, within_io, yield_until};

#[test]
fn the_status_is_that_of_the_program() {
    within_io(async {
        for (script, code, signal) in [
            ("exit 0", Some(0), None),
            ("exit 7", Some(7), None),
            ("exit 255", Some(255), None),
            ("kill -TERM $$", None, Some(libc::SIGTERM)),
            ("kill -KILL $$", None, Some(libc::SIGKILL)),
        ] {
            let status = shell(script).spawn()?.wait().await?;
            assert_eq!((status.code(), status.signal()), (code, signal), "{script}");
            assert_eq!(status, shell(script).status().await?);
            assert_eq!(status, shell(script).output().await?.status);
        }
        Ok(())
    });
}

#[test]
fn any_number_of_tasks_wait_and_all_get_the_status() {
    within_io(async {
        let mut command = Command::new("cat");
        let mut child = command.stdin(Stdio::piped()).spawn()?;
        let input = child.stdin.take();
        let child = &child;
        let waits = (0..10).map(|_| async { child.wait().await });
        let end = async {
            yield_now().await; // they wait now
            assert_eq!(child.try_wait()?, None);
            drop(input);
            std::io::Result::Ok(())
        };
        let (statuses, ended) = petla::gather!(gather(waits), end).await;
        ended?;
        for status in statuses {
            assert!(status?.success());
        }
        assert!(child.wait().await?.success(), "again");
        assert!(child.try_wait()?.unwrap().success());
        Ok(())
    });
}

#[test]
fn a_wait_that_is_given_up_leaves_no_waker_and_can_be_repeated() {
    within_io(async {
        let mut command = Command::new("cat");
        let mut child = command.stdin(Stdio::piped()).spawn()?;
        for _ in 0..3 {
            let bell = Bell::new();
            let mut wait = child.wait();
            assert!(bell.poll(&mut wait).is_pending());
            assert!(bell.is_kept());
            drop(wait);
            assert!(!bell.is_kept());
        }
        let given_up = timeout(Duration::ZERO, child.wait()).await;
        assert!(given_up.is_err());
        drop(child.stdin.take());
        assert!(child.wait().await?.success());
        Ok(())
    });
}

#[test]
fn the_status_is_there_without_anybody_who_waits() {
    within_io(async {
        let child = shell("exit 3").spawn()?;
        yield_until(|| child.try_wait().unwrap().is_some()).await;
        assert_eq!(child.wait().await?.code(), Some(3));
        Ok(())
    });
}

/// The child ends, what it left behind holds its pipes.
#[test]
fn a_wait_does_not_wait_for_pipes_that_others_inherited() {
    within_io(async {
        let mut child = shell("sleep 1000 & exit 7")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .spawn()?;
        assert_eq!(child.wait().await?.code(), Some(7));
        let stdout = child.stdout.take().unwrap();
        assert!(poll_once(&mut stdout.read(&mut [0])).is_pending(), "open");
        child.kill_group()?;
        assert_eq!(stdout.read(&mut [0]).await?, 0, "and now it is not");
        Ok(())
    });
}

#[test]
fn a_child_may_be_started_outside_and_waited_for_in_one_loop_after_another() {
    let mut command = Command::new("cat");
    let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
    within_io(async {
        assert!(timeout(Duration::ZERO, child.wait()).await.is_err());
        Ok(())
    });
    drop(child.stdin.take());
    within_io(async {
        assert!(child.wait().await?.success());
        Ok(())
    });
    let Poll::Ready(Ok(status)) = poll_once(&mut child.wait()) else {
        panic!("known without a loop");
    };
    assert!(status.success());
}

#[test]
fn a_wait_in_a_second_loop_while_the_first_lives_is_an_error() {
    let mut command = Command::new("cat");
    let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
    let first = EventLoop::new().unwrap();
    let given_up = first.run_until_complete(timeout(Duration::ZERO, child.wait()));
    assert!(given_up.unwrap().is_err());
    let error = petla::run(child.wait()).unwrap_err();
    assert!(error.to_string().contains("another event loop"), "{error}");
    drop(child.stdin.take());
    let status = first.run_until_complete(child.wait()).unwrap();
    assert!(status.unwrap().success());
}

#[test]
fn a_wait_without_a_loop_is_an_error_and_no_panic() {
    let mut command = Command::new("cat");
    let child = command.stdin(Stdio::piped()).spawn().unwrap();
    let Poll::Ready(Err(error)) = poll_once(&mut child.wait()) else {
        panic!("it runs");
    };
    assert!(error.to_string().contains("petla::run"), "{error}");
}

#[test]
fn a_status_that_somebody_else_took_is_an_error_that_says_so() {
    succeeds_alone(|| {
        within_io(async {
            let child = shell("exit 3").spawn()?;
            // SAFETY: null: the status is of no interest.
            let reaped = unsafe { libc::waitpid(-1, std::ptr::null_mut(), 0) };
            assert_eq!(reaped, child.id().cast_signed());
            for error in [
                child.wait().await.unwrap_err(),
                child.try_wait().unwrap_err(),
                child.stop(Duration::ZERO).await.unwrap_err(),
                child.wait_with_output().await.unwrap_err(),
            ] {
                assert_eq!(error.kind(), ErrorKind::Other);
                assert!(error.get_ref().unwrap().is::<StatusLost>(), "{error}");
                assert!(error.to_string().contains("waitpid(-1)"), "{error}");
            }
            Ok(())
        });
    });
}

#[test]
fn a_child_of_a_process_that_ignores_sigchld_has_no_status_and_is_waited_for() {
    succeeds_alone(|| {
        // SAFETY: both are constants.
        unsafe { libc::signal(libc::SIGCHLD, libc::SIG_IGN) };
        within_io(async {
            let mut command = Command::new("cat");
            let mut child = command.stdin(Stdio::piped()).spawn()?;
            assert_eq!(child.try_wait()?, None);
            let input = child.stdin.take();
            let end = async {
                yield_now().await;
                drop(input);
            };
            let (lost, ()) = petla::gather!(child.wait(), end).await;
            assert!(lost.unwrap_err().get_ref().unwrap().is::<StatusLost>());
            child.kill()?;
            let quick = Command::new("true").status().await.unwrap_err();
            assert!(quick.get_ref().unwrap().is::<StatusLost>());
            Ok(())
        });
    });
}

#[test]
fn children_are_waited_for_beside_a_stream_of_sigchld() {
    succeeds_alone(|| {
        within_io(async {
            let mut ends = signals([SIGCHLD])?;
            for _ in 0..20 {
                assert!(Command::new("true").status().await?.success());
                assert_eq!(ends.next().await, Some(SIGCHLD));
            }
            Ok(())
        });
    });
}

#[test]
fn children_need_no_handler_for_sigchld() {
    succeeds_alone(|| {
        within_io(async {
            let child = shell("exit 1").spawn()?;
            let mut found = std::mem::MaybeUninit::<libc::sigaction>::uninit();
            // SAFETY: asks only; `found` is valid for the call.
            let done = unsafe { libc::sigaction(SIGCHLD, std::ptr::null(), found.as_mut_ptr()) };
            assert_eq!(done, 0);
            // SAFETY: filled in by the call.
            let found = unsafe { found.assume_init() };
            assert_eq!(found.sa_sigaction, libc::SIG_DFL);
            assert_eq!(child.wait().await?.code(), Some(1));
            Ok(())
        });
    });
}
