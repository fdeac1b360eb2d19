//! Feeding a program and reading it.

use std::io::ErrorKind;
use std::process::Stdio;
use std::time::Duration;

use petla::process::Command;
use petla::timeout;

use super::shell;
use crate::common::{LONG, text, within_io};

/// More than all the pipes between hold.
const MUCH: usize = 4 << 20;

fn piped(command: &mut Command) -> &mut Command {
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
}

#[test]
fn much_goes_in_and_out_on_all_pipes_without_a_deadlock() {
    within_io(async {
        let input: Vec<u8> = (0..MUCH).map(|i| i as u8).collect();
        let mut child = piped(&mut shell("tee /dev/stderr")).spawn()?;
        let output = child.communicate(&input).await?;
        assert!(output.status.success());
        assert!(output.stdout == input && output.stderr == input);
        Ok(())
    });
}

#[test]
fn output_on_one_pipe_after_the_other_is_read_to_the_end() {
    within_io(async {
        let script = "head -c 1000000 /dev/zero >&2; head -c 1000000 /dev/zero; exit 3";
        let output = shell(script).output().await?;
        assert_eq!(
            (output.stdout.len(), output.stderr.len()),
            (1_000_000, 1_000_000)
        );
        assert_eq!(output.status.code(), Some(3));
        Ok(())
    });
}

#[test]
fn a_program_that_does_not_read_its_input_is_no_error() {
    within_io(async {
        let input = vec![0; MUCH];
        for script in [
            "echo hi",
            "exec 0<&-; echo hi",
            "head -c 100000 >/dev/null; echo hi",
            "exec 0<&-; echo hi; exec 1>&- 2>&-; sleep 0.02",
        ] {
            let mut child = piped(&mut shell(script)).spawn()?;
            let output = child.communicate(&input).await?;
            assert_eq!(text(&output.stdout), "hi\n", "{script}");
            assert!(output.status.success());
            assert!(child.stdin.is_none() && child.stdout.is_none());
        }
        Ok(())
    });
}

#[test]
fn a_program_that_closes_its_output_early_is_fed_and_waited_for() {
    within_io(async {
        let script = "exec 1>&- 2>&-; n=$(wc -c); [ $n -eq 4194304 ] && exit 9";
        let mut child = piped(&mut shell(script)).spawn()?;
        let output = child.communicate(&vec![0; MUCH]).await?;
        assert_eq!(output.status.code(), Some(9));
        assert!(output.stdout.is_empty() && output.stderr.is_empty());
        Ok(())
    });
}

#[test]
fn without_pipes_there_is_nothing_to_say_and_an_input_is_an_error() {
    within_io(async {
        let mut child = shell("exit 2").spawn()?;
        let error = child.communicate(b"x").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert!(error.to_string().contains("Stdio::piped()"), "{error}");
        let output = child.communicate(b"").await?;
        assert_eq!(output.status.code(), Some(2));
        assert!(output.stdout.is_empty());
        Ok(())
    });
}

#[test]
fn what_was_said_before_a_limit_ran_out_is_not_lost() {
    within_io(async {
        let script = "echo before; cat; exec sleep 1000";
        let mut child = piped(&mut shell(script)).spawn()?;
        for _ in 0..5 {
            let limit = Duration::from_millis(5);
            let said = timeout(limit, child.communicate(b"")).await;
            assert!(said.is_err(), "it sleeps");
        }
        assert!(child.stdin.is_none(), "all of it was fed");
        child.kill()?;
        let output = child.communicate(b"").await?;
        assert_eq!(text(&output.stdout), "before\n");
        assert!(!output.status.success());
        Ok(())
    });
}

#[test]
fn an_output_that_was_taken_is_the_takers() {
    within_io(async {
        let mut child = piped(&mut shell("echo out; echo err >&2")).spawn()?;
        let stdout = child.stdout.take().unwrap();
        let output = child.wait_with_output().await?;
        assert_eq!(
            (&output.stdout[..], &output.stderr[..]),
            (&b""[..], &b"err\n"[..])
        );
        let mut said = Vec::new();
        stdout.read_to_end(&mut said).await?;
        assert_eq!(said, b"out\n");
        Ok(())
    });
}

#[test]
fn a_conversation_goes_on_as_long_as_both_want() {
    within_io(async {
        let mut child = piped(&mut shell("while read line; do echo \"<$line>\"; done")).spawn()?;
        let (stdin, stdout) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let mut answer = [0; 4];
        for word in ["a", "b", "c"] {
            stdin.write_all(format!("{word}\n").as_bytes()).await?;
            stdout.read_exact(&mut answer).await?;
            assert_eq!(text(&answer), format!("<{word}>\n"));
        }
        drop(stdin);
        assert_eq!(stdout.read(&mut answer).await?, 0);
        assert!(child.stop(LONG).await?.success());
        Ok(())
    });
}

#[test]
fn a_status_does_not_wait_for_a_full_pipe() {
    within_io(async {
        let mut command = shell("head -c 1000000 /dev/zero; cat; exit 6");
        let status = piped(&mut command).status().await?;
        assert_eq!(status.code(), Some(6), "the pipes are closed");
        Ok(())
    });
}

#[test]
fn the_output_of_one_program_is_the_input_of_another() {
    within_io(async {
        let mut first = shell("echo b; echo a");
        let mut first = first.stdout(Stdio::piped()).spawn()?;
        let between = first.stdout.take().unwrap().into_blocking_fd()?;
        let second = Command::new("sort").stdin(between).output().await?;
        assert_eq!(text(&second.stdout), "a\nb\n");
        assert!(first.wait().await?.success());
        Ok(())
    });
}
