//! What the testbed does where something is wrong: a server that cannot start, a test that is
//! killed, a program that says nothing.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use petla_testbed::{Program, Redis, free_port, wait_for};

const LIMIT: Duration = Duration::from_secs(20);

fn shell(script: &str) -> Program {
    let mut command = Command::new("sh");
    command.args(["-c", script]);
    Program::start(command)
}

fn panic_text(test: impl FnOnce()) -> String {
    let payload = catch_unwind(AssertUnwindSafe(test)).unwrap_err();
    let text = payload.downcast::<String>();
    *text.expect("a formatted message")
}

#[test]
fn a_server_that_cannot_start_shows_its_log() {
    let mut redis = Redis::start();
    redis.stop();
    let _thief = TcpListener::bind(("127.0.0.1", redis.port())).unwrap();
    let text = panic_text(|| redis.restart());
    assert!(text.contains("redis-server on port"), "{text}");
    assert!(text.contains("bind: Address already in use"), "{text}");
}

/// This test's program is its own victim: the first time it only starts the second.
#[test]
fn a_server_ends_with_a_test_that_is_killed() {
    if std::env::var_os("TESTBED_VICTIM").is_some() {
        let redis = Redis::start();
        let folder = redis.folder().display();
        println!("\nredis {} {folder}", redis.port());
        loop {
            std::thread::park();
        }
    }
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args([
            "a_server_ends_with_a_test_that_is_killed",
            "--exact",
            "--nocapture",
        ])
        .env("TESTBED_VICTIM", "1");
    let mut victim = Program::start(command);
    let line = victim.wait_for_line("redis ");
    let words: Vec<&str> = line.split(' ').collect();
    let port: u16 = words[1].parse().unwrap();
    assert!(TcpStream::connect(("127.0.0.1", port)).is_ok());
    victim.signal("KILL");
    assert_eq!(victim.wait_exit().code(), None);
    wait_for("the end of the server and its folder", LIMIT, || {
        TcpStream::connect(("127.0.0.1", port)).is_err() && !Path::new(words[2]).exists()
    });
}

#[test]
fn a_program_that_does_not_say_what_it_should_shows_its_output() {
    let mut program = shell("echo one; echo two >&2; exec sleep 0");
    let text = panic_text(|| drop(program.wait_for_line("three")));
    assert!(text.starts_with("no line with \"three\""), "{text}");
    assert!(text.contains("one") && text.contains("two"), "{text}");
    let text = panic_text(|| program.wait_for_lines("o", 3));
    assert!(text.starts_with("not 3 lines with \"o\""), "{text}");
}

#[test]
fn a_line_is_found_once() {
    let mut program = shell("echo a1; echo b; echo a2; echo b");
    assert_eq!(program.wait_for_line("a"), "a1");
    assert_eq!(program.wait_for_line("a"), "a2");
    assert_eq!(program.wait_for_line("b"), "b");
    program.wait_for_lines("b", 2);
    assert!(program.wait_exit().success());
}

#[test]
fn a_program_gets_the_signals_it_is_sent() {
    let mut program =
        shell("trap 'echo caught; exit 7' TERM; echo ready; while :; do sleep 0.05; done");
    program.wait_for_line("ready");
    assert!(!program.has_exited());
    program.signal("TERM");
    assert_eq!(program.wait_exit().code(), Some(7));
    program.wait_for_line("caught");
}

#[test]
fn a_dropped_program_is_killed_with_its_children() {
    let mut program = shell("sleep 1000 & echo $!; wait");
    let child = program.wait_for_line("");
    let stat = format!("/proc/{child}/stat");
    assert!(fs::exists(&stat).unwrap());
    drop(program);
    let is_gone = || fs::read_to_string(&stat).map_or(true, |stat| stat.contains(") Z "));
    assert!(is_gone());
}

#[test]
fn a_program_has_no_input() {
    let mut program = shell("read -r line || echo nothing");
    program.wait_for_line("nothing");
}

#[test]
fn no_port_is_given_twice() {
    let mut ports: Vec<u16> = (0..100).map(|_| free_port()).collect();
    ports.sort_unstable();
    ports.dedup();
    assert_eq!(ports.len(), 100);
}

#[test]
fn a_condition_that_never_holds_is_named() {
    let text = panic_text(|| wait_for("the moon", Duration::ZERO, || false));
    assert_eq!(text, "not within 0ns: the moon");
}

/// Without any `PATH` nothing is found but what is where Debian puts it.
#[test]
fn a_program_that_is_not_installed_is_named_with_its_package() {
    if std::env::var_os("TESTBED_EMPTY").is_some() {
        drop(Redis::start());
    }
    let empty = tempfile::tempdir().unwrap();
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args([
            "a_program_that_is_not_installed_is_named_with_its_package",
            "--exact",
        ])
        .env("TESTBED_EMPTY", "1")
        .env("PATH", empty.path())
        .stdin(Stdio::null());
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(!output.status.success());
    assert!(text.contains("apt-get install redis-server"), "{text}");
}
