//! Signals to children, their groups, and ends by force.

use std::io::ErrorKind;
use std::os::unix::process::ExitStatusExt;
use std::process::Stdio;
use std::time::Duration;

use petla::process::{Child, ProcessEnded};
use petla::signal::{SIGCONT, SIGKILL, SIGTERM, SIGUSR1};
use petla::timeout;

use super::shell;
use crate::common::{LONG, poll_once, within_io, yield_until};

/// A child that has said that it is ready.
async fn ready(script: &str) -> std::io::Result<Child> {
    let child = shell(script)
        .stdout(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true)
        .spawn()?;
    let mut word = [0; 6];
    child.stdout.as_ref().unwrap().read_exact(&mut word).await?;
    assert_eq!(&word, b"ready\n");
    Ok(child)
}

#[test]
fn a_signal_reaches_the_program() {
    within_io(async {
        let child = ready("trap 'exit 5' USR1; echo ready; while :; do sleep 0.01; done").await?;
        child.send_signal(0)?;
        child.send_signal(SIGCONT)?;
        child.send_signal(SIGUSR1)?;
        assert_eq!(child.wait().await?.code(), Some(5));
        let child = ready("echo ready; exec sleep 1000").await?;
        let error = child.send_signal(1000).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        child.terminate()?;
        assert_eq!(child.wait().await?.signal(), Some(SIGTERM));
        Ok(())
    });
}

#[test]
fn a_signal_after_the_end_is_an_error_and_an_end_after_the_end_is_none() {
    within_io(async {
        // Reaped, and kept for its group.
        for own_group in [false, true] {
            let mut command = shell("exit 3");
            if own_group {
                command.process_group(0);
            }
            let child = command.spawn()?;
            child.wait().await?;
            let error = child.send_signal(SIGUSR1).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::NotFound);
            assert!(error.get_ref().unwrap().is::<ProcessEnded>(), "{error}");
            child.terminate()?;
            child.kill()?;
            let status = child.stop(Duration::ZERO).await?;
            assert_eq!(status.code(), Some(3), "its own end");
        }
        Ok(())
    });
}

/// Whoever is first: no error, and a status.
#[test]
fn a_kill_that_races_with_the_end_is_no_error() {
    within_io(async {
        for round in 0..50 {
            let child = shell("exit 3").spawn()?;
            for _ in 0..round * 20 {
                petla::yield_now().await;
            }
            child.kill()?;
            let status = child.wait().await?;
            let own = status.code() == Some(3);
            assert!(own || status.signal() == Some(SIGKILL), "{status}");
        }
        Ok(())
    });
}

#[test]
fn stop_asks_first_and_then_does_not() {
    within_io(async {
        let child = ready("echo ready; exec sleep 1000").await?;
        assert_eq!(child.stop(LONG).await?.signal(), Some(SIGTERM));
        let child = ready("trap 'exit 4' TERM; echo ready; while :; do sleep 0.01; done").await?;
        assert_eq!(child.stop(LONG).await?.code(), Some(4));
        let child = ready("trap '' TERM; echo ready; exec sleep 1000").await?;
        let grace = Duration::from_millis(20);
        let begin = petla::now();
        assert_eq!(child.stop(grace).await?.signal(), Some(SIGKILL));
        assert!(petla::now() - begin >= grace);
        assert_eq!(child.stop(LONG).await?.signal(), Some(SIGKILL), "again");
        Ok(())
    });
}

#[test]
fn a_stop_that_is_given_up_can_be_repeated() {
    within_io(async {
        let child = ready("trap '' TERM; echo ready; exec sleep 1000").await?;
        let short = timeout(Duration::from_millis(5), child.stop(LONG)).await;
        assert!(short.is_err());
        assert_eq!(child.try_wait()?, None);
        assert_eq!(child.stop(Duration::ZERO).await?.signal(), Some(SIGKILL));
        Ok(())
    });
}

#[test]
fn a_program_that_is_suspended_is_ended_too() {
    within_io(async {
        let child = ready("trap 'exit 4' TERM; echo ready; while :; do sleep 0.01; done").await?;
        child.send_signal(libc::SIGSTOP)?;
        let stopped = child.stop(Duration::from_millis(10)).await?;
        assert_eq!(stopped.signal(), Some(SIGKILL), "it could not obey");
        Ok(())
    });
}

#[test]
fn a_group_is_ended_with_what_the_program_left_behind() {
    within_io(async {
        for by_kill in [true, false] {
            let mut child = ready("sleep 1000 & sleep 1000 & echo ready").await?;
            let stdout = child.stdout.take().unwrap();
            child.wait().await?;
            child.wait().await?;
            assert!(poll_once(&mut stdout.read(&mut [0])).is_pending());
            match by_kill {
                true => child.kill_group()?,
                false => child.terminate_group()?,
            }
            assert_eq!(stdout.read(&mut [0]).await?, 0, "the last one is gone");
            yield_until(|| child.kill_group().is_ok()).await;
        }
        Ok(())
    });
}

#[test]
fn a_child_without_a_group_of_its_own_has_none_to_be_ended() {
    within_io(async {
        let mut child = shell("cat").stdin(Stdio::piped()).spawn()?;
        for error in [
            child.kill_group().unwrap_err(),
            child.terminate_group().unwrap_err(),
        ] {
            assert_eq!(error.kind(), ErrorKind::InvalidInput);
            assert!(error.to_string().contains("process_group(0)"), "{error}");
        }
        drop(child.stdin.take());
        assert!(child.wait().await?.success());
        Ok(())
    });
}
