//! The program as a child: its files, its messages, its exit codes.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use petla_testbed::{Program, wait_for};
use tempfile::TempDir;

const LIMIT: Duration = Duration::from_secs(20);

/// A folder with a crontab and a place for a state.
struct Files {
    folder: TempDir,
}

impl Files {
    fn new(crontab: &str) -> Files {
        let folder = tempfile::tempdir().unwrap();
        let files = Files { folder };
        fs::write(files.path("crontab"), crontab).unwrap();
        files
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn start(&self, options: &[&str]) -> Program {
        let mut command = Command::new(env!("CARGO_BIN_EXE_petla-cron"));
        command
            .args(options)
            .arg("crontab")
            .current_dir(self.folder.path());
        Program::start(command)
    }

    /// So that every job of [`daily`] has missed one time.
    fn were_settled_yesterday(&self, names: &[&str]) {
        let yesterday = Timestamp::now() - SignedDuration::from_hours(24);
        let lines = names.iter().map(|name| format!("{yesterday} {name}\n"));
        fs::write(self.path("state"), lines.collect::<String>()).unwrap();
    }

    fn settled(&self, name: &str) -> Option<Timestamp> {
        let text = fs::read_to_string(self.path("state")).unwrap_or_default();
        let line = text.lines().find(|line| line.ends_with(name))?;
        line.split(' ').next()?.parse().ok()
    }
}

/// The fields of a time each day that was half a day ago and comes again in half a day, whatever
/// the hour is now: none comes while a test runs.
fn daily() -> String {
    let time = Timestamp::now() - SignedDuration::from_hours(12);
    time.strftime("%-M %-H * * * UTC").to_string()
}

#[track_caller]
fn refuses(crontab: &str, options: &[&str], message: &str) {
    let files = Files::new(crontab);
    let mut program = files.start(options);
    assert_eq!(program.wait_exit().code(), Some(2), "{:?}", program.lines());
    let text = program.lines().join("\n");
    assert!(text.contains(message), "{text}");
}

#[test]
fn wrong_files_and_arguments_are_refused_with_exit_code_2() {
    refuses(
        "0 0 30 2 * UTC skip never true",
        &[],
        "line 1: \"0 0 30 2 * UTC\" never fires",
    );
    refuses(
        "\n# two\n* 25 * * * UTC skip job true",
        &[],
        "line 3: the hour \"25\": ",
    );
    refuses(
        "* * * * * UTC twice job true",
        &[],
        "\"twice\" is not skip, once or all:",
    );
    refuses("* * * * * UTC skip job", &[], "has no command");
    refuses("* * * * *", &[], "is not: minute hour day month");
    refuses("# nothing", &[], "there is no job");
    let twice = "* * * * * UTC skip job true\n* * * * * UTC skip job true";
    refuses(twice, &[], "two jobs have the name \"job\"");
    refuses(
        "* * * * * UTC skip job true",
        &["--wrong"],
        "no option --wrong",
    );
    refuses(
        "* * * * * UTC skip job true",
        &["--state"],
        "usage: petla-cron",
    );
    refuses(
        "* * * * * UTC skip job true",
        &["--grace", "-1"],
        "whole seconds",
    );
}

#[test]
fn a_state_that_cannot_be_read_is_refused() {
    let files = Files::new("* * * * * UTC skip job true");
    fs::write(files.path("state"), "yesterday job\n").unwrap();
    let mut program = files.start(&["--state", "state"]);
    assert_eq!(program.wait_exit().code(), Some(2));
    program.wait_for_line("\"yesterday job\" is no state");
}

#[test]
fn check_shows_the_next_times_of_each_job() {
    let files = Files::new(
        "30 2 * * * Europe/Warsaw once backup true\n\
         0 0 29 2 * UTC skip leap true",
    );
    let mut program = files.start(&["--check"]);
    assert!(program.wait_exit().success());
    let lines = program.lines();
    assert_eq!(lines.len(), 6);
    assert!(lines[0].starts_with("backup  ") && lines[0].ends_with("[Europe/Warsaw]"));
    assert!(lines[0].contains("T02:30:00+0"), "{}", lines[0]);
    assert!(lines[5].starts_with("leap    ") && lines[5].contains("-02-29T00:00:00"));
}

#[test]
fn what_was_missed_while_the_program_did_not_run_is_made_up_for() {
    let daily = daily();
    let files = Files::new(&format!(
        "{daily} once once echo did $CRON_TIME\n\
         {daily} skip never echo did what it must not\n\
         {daily} once bad echo trouble >&2; exit 3",
    ));
    files.were_settled_yesterday(&["once", "never", "bad"]);
    let mut program = files.start(&["--state", "state"]);
    program.wait_for_lines("once: ends", 1);
    program.wait_for_lines("bad: fails: exit status: 3", 1);
    program.wait_for_lines("never: ", 1);
    program.signal("TERM");
    assert_eq!(program.wait_exit().code(), Some(0));
    let output = program.lines().join("\n");
    assert!(
        output.contains("did 20") && output.contains("trouble"),
        "{output}"
    );
    assert!(!output.contains("must not"), "{output}");
    assert!(
        output.contains("never: 1 missed times are left out"),
        "{output}"
    );

    // The second time, there is nothing to make up for.
    let mut program = files.start(&["--state", "state"]);
    program.wait_for_line("3 jobs");
    program.signal("INT");
    assert_eq!(program.wait_exit().code(), Some(130));
    assert!(!program.lines().join("\n").contains("begins"));
}

#[test]
fn a_run_that_has_begun_may_end() {
    let files = Files::new(&format!(
        "{} once slow read -r line < go; echo went on",
        daily()
    ));
    files.were_settled_yesterday(&["slow"]);
    let pipe = Command::new("mkfifo").arg(files.path("go")).status();
    assert!(pipe.unwrap().success());
    let mut program = files.start(&["--state", "state", "--grace", "60"]);
    program.wait_for_line("slow: begins");
    program.signal("TERM");
    program.wait_for_line("ends: runs that have begun have 60s");
    fs::write(files.path("go"), "\n").unwrap();
    program.wait_for_line("went on");
    program.wait_for_line("slow: ends");
    assert_eq!(program.wait_exit().code(), Some(0));
}

#[test]
fn a_run_that_does_not_end_is_killed_and_missed() {
    let files = Files::new(&format!("{} once slow sleep 1000 & echo $!; wait", daily()));
    files.were_settled_yesterday(&["slow"]);
    let settled = files.settled("slow");
    let mut program = files.start(&["--state", "state", "--grace", "0"]);
    program.wait_for_line("slow: begins");
    let sleeper = program.wait_for_line("");
    program.signal("TERM");
    assert_eq!(program.wait_exit().code(), Some(1));
    program.wait_for_line("are killed");
    wait_for("the end of what it started", LIMIT, || {
        let stat = fs::read_to_string(format!("/proc/{sleeper}/stat"));
        stat.map_or(true, |stat| stat.contains(") Z "))
    });
    assert_eq!(files.settled("slow"), settled, "the next program does it");
}
