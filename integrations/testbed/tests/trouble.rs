//! What the testbed does where something is wrong: a server that cannot start, a test that is
//! killed, a program that says nothing.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use petla_testbed::{Nats, Postgres, Program, RabbitMq, Redis, Server, free_port, wait_for};

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
fn servers_end_with_a_test_that_is_killed() {
    if std::env::var_os("TESTBED_VICTIM").is_some() {
        be_a_victim();
    }
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["servers_end_with_a_test_that_is_killed", "--exact"])
        .args(["--nocapture"])
        .env("TESTBED_VICTIM", "1");
    let mut victim = Program::start(command);
    victim.wait_for_line("all are there");
    let lines = victim.lines();
    let servers: Vec<_> = lines.iter().filter_map(|line| server(line)).collect();
    assert_eq!(servers.len(), 4);
    let listens = |port| TcpStream::connect(("127.0.0.1", port)).is_ok();
    assert!(servers.iter().all(|(port, _)| listens(*port)));
    victim.signal("KILL");
    assert_eq!(victim.wait_exit().code(), None);
    for (port, folder) in servers {
        wait_for("the end of a server and its folder", LIMIT, || {
            !listens(port) && !Path::new(folder).exists() && !is_mentioned(folder)
        });
    }
}

fn be_a_victim() -> ! {
    let (postgres, redis) = (Postgres::start(), Redis::start());
    let (rabbitmq, nats) = (RabbitMq::start(), Nats::start());
    let servers: [&Server; 4] = [&postgres, &redis, &rabbitmq, &nats];
    println!();
    for server in servers {
        println!("server {} {}", server.port(), server.folder().display());
    }
    println!("all are there");
    loop {
        std::thread::park();
    }
}

fn server(line: &str) -> Option<(u16, &str)> {
    let (port, folder) = line.strip_prefix("server ")?.split_once(' ')?;
    Some((port.parse().ok()?, folder))
}

/// Is the folder in any process's environment? So it is in that of RabbitMQ's port mapper.
fn is_mentioned(folder: &str) -> bool {
    let processes = fs::read_dir("/proc").unwrap().flatten();
    let texts = processes.filter_map(|process| fs::read(process.path().join("environ")).ok());
    let mut texts = texts.map(|text| String::from_utf8_lossy(&text).into_owned());
    texts.any(|text| text.contains(folder))
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
