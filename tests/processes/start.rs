//! What a program is started with, and what keeps it from starting.

use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt;
use std::process::Stdio;

use petla::process::{Child, Collect, Command, Communicate, Run, Stop, Wait};

use super::shell;
use crate::common::{text, within_io};

#[test]
fn a_program_that_cannot_be_started_is_the_systems_error() {
    within_io(async {
        let missing = Command::new("/nowhere/at/all").spawn().unwrap_err();
        assert_eq!(missing.kind(), ErrorKind::NotFound);
        let missing = Command::new("petla-has-no-such-program").output().await;
        assert_eq!(missing.unwrap_err().kind(), ErrorKind::NotFound);
        let directory = Command::new("/").status().await.unwrap_err();
        assert_eq!(directory.kind(), ErrorKind::PermissionDenied);
        let elsewhere = Command::new("true").current_dir("/nowhere").spawn();
        assert_eq!(elsewhere.unwrap_err().kind(), ErrorKind::NotFound);
        let long = Command::new("true").arg("x".repeat(8 << 20)).spawn();
        assert_eq!(long.unwrap_err().kind(), ErrorKind::ArgumentListTooLong);
        let nul = Command::new("true").arg("a\0b").spawn();
        assert_eq!(nul.unwrap_err().kind(), ErrorKind::InvalidInput);
        Ok(())
    });
}

#[test]
fn a_file_that_may_not_be_executed_is_the_systems_error() {
    within_io(async {
        let name = format!("petla-{}-not-executable", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::write(&path, "#!/bin/sh\n")?;
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644))?;
        let error = Command::new(&path).spawn().unwrap_err();
        std::fs::remove_file(&path)?;
        assert_eq!(error.kind(), ErrorKind::PermissionDenied);
        Ok(())
    });
}

#[test]
fn every_setting_reaches_the_program() {
    within_io(async {
        let mut command = Command::new("sh");
        command
            .arg0("called-so")
            .args(["-c", "echo $0 $A $B${C}. $(pwd) $1"])
            .arg("zero")
            .arg("one")
            .env("A", "a")
            .envs([("B", "b"), ("C", "c")])
            .env_remove("C")
            .current_dir("/");
        let output = command.output().await?;
        assert_eq!(text(&output.stdout), "zero a b. / one\n");
        let mut command = shell("echo ${HOME-none}");
        let output = command.env("HOME", "x").env_clear().output().await?;
        assert_eq!(text(&output.stdout), "none\n");
        // SAFETY: takes nothing.
        let uid = unsafe { libc::getuid() };
        // SAFETY: takes nothing.
        let gid = unsafe { libc::getgid() };
        let same = Command::new("true").uid(uid).gid(gid).status().await?;
        assert!(same.success());
        Ok(())
    });
}

#[test]
fn a_command_can_be_used_again_and_shows_itself() {
    within_io(async {
        let mut command = shell("cat; echo done");
        let output = command.output().await?;
        assert_eq!(text(&output.stdout), "done\n", "an empty input");
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).spawn()?;
        assert!(child.stdout.is_none() && child.stderr.is_none());
        assert!(child.wait().await?.success());
        assert!(command.output().await?.stdout.is_empty(), "as it was set");
        assert_eq!(format!("{command:?}"), r#""sh" "-c" "cat; echo done""#);
        assert_eq!(command.as_std().get_program(), "sh");
        command.as_std_mut().arg("more");
        assert_eq!(command.as_std().get_args().count(), 3);
        let text = format!("{child:?}");
        assert!(text.contains(&child.id().to_string()), "{text}");
        Ok(())
    });
}

#[test]
fn a_program_inherits_neither_the_loops_timer_slack_nor_its_signals() {
    within_io(async {
        let mut std = std::process::Command::new("cat");
        std.args(["/proc/self/timerslack_ns", "/proc/self/status"]);
        let output = Command::from(std).output().await?;
        let output = text(&output.stdout);
        let slack = output.lines().next().unwrap();
        assert_ne!(slack, "1");
        let mask = |name: &str| {
            let line = output.lines().find_map(|line| line.strip_prefix(name));
            u64::from_str_radix(line.unwrap().trim(), 16).unwrap()
        };
        assert_eq!(mask("SigBlk:"), 0);
        assert_eq!(mask("SigIgn:") & 1 << (libc::SIGPIPE - 1), 0);
        Ok(())
    });
}

#[test]
fn children_and_their_futures_are_send() {
    fn check<T: Send>() {}
    fn check_sync<T: Sync>() {}
    check::<Command>();
    check::<Child>();
    check_sync::<Child>();
    check::<Wait<'_>>();
    check::<Stop<'_>>();
    check::<Communicate<'_>>();
    check::<Collect>();
    check::<Run>();
}
