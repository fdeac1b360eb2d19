//! The program with its own pages, and with servers of which some fail.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::process::Command;
use std::thread;

use petla_testbed::{Program, free_port};

const PROGRAM: &str = env!("CARGO_BIN_EXE_petla-fetch-many");

fn start(arguments: &[&str]) -> Program {
    let mut command = Command::new(PROGRAM);
    command.args(arguments);
    Program::start(command)
}

/// The exit code and the lines.
fn run(arguments: &[&str]) -> (i32, Vec<String>) {
    let mut program = start(arguments);
    let code = program.wait_exit().code().unwrap();
    (code, program.lines())
}

/// The pages, the seconds and the connections of a line of results.
fn figures(line: &str, way: &str) -> (usize, f64, usize) {
    let rest = line.strip_prefix(way).unwrap_or_else(|| panic!("{line}"));
    let words: Vec<&str> = rest.split_whitespace().collect();
    let [pages, "pages", seconds, "s", opened, ..] = words[..] else {
        panic!("{line}");
    };
    let numbers = (pages.parse(), seconds.parse(), opened.parse());
    (numbers.0.unwrap(), numbers.1.unwrap(), numbers.2.unwrap())
}

/// Answers each connection's first request, and closes it.
fn serve(answer: &'static str) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        let mut silent = Vec::new();
        for mut stream in listener.incoming().flatten() {
            let mut request = [0; 1000];
            assert!(stream.read(&mut request).unwrap() > 0);
            stream.write_all(answer.as_bytes()).unwrap();
            if answer.is_empty() {
                silent.push(stream);
            }
        }
    });
    address
}

#[test]
fn pages_come_faster_at_once_than_one_after_the_other() {
    let (code, lines) = run(&["--count", "30", "--delay", "30"]);
    assert_eq!(code, 0, "{lines:?}");
    assert!(
        lines[0].starts_with("30 pages from http://127.0.0.1:"),
        "{lines:?}"
    );
    let (pages, slow, opened) = figures(&lines[1], "one after the other");
    assert_eq!((pages, opened), (30, 1));
    assert!(slow >= 0.9, "30 times 30 ms in {slow} s");
    let (pages, fast, opened) = figures(&lines[2], "at once");
    assert_eq!((pages, opened), (30, 30));
    assert!(fast < slow / 3.0, "{lines:?}");
    assert!(lines[2].ends_with(" times as fast"), "{lines:?}");
    assert_eq!(lines.len(), 3);
}

#[test]
fn no_more_are_under_way_than_allowed() {
    let (code, lines) = run(&["--count", "20", "--delay", "30", "--at-once", "4"]);
    assert_eq!(code, 0, "{lines:?}");
    let (pages, took, opened) = figures(&lines[2], "at once");
    assert_eq!((pages, opened), (20, 4));
    assert!(took >= 0.15, "five times 30 ms in {took} s");
}

#[test]
fn what_fails_is_shown_and_counted_and_the_others_come() {
    let good = serve("HTTP/1.1 200 OK\r\nContent-Length: 4\r\nConnection: close\r\n\r\npage");
    let sick = serve("HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n");
    let torn = serve("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\npage");
    let [good, sick, torn] = [good, sick, torn].map(|address| format!("http://{address}/"));
    let nobody = format!("http://127.0.0.1:{}/", free_port());
    let (code, lines) = run(&[&good, &sick, &torn, &nobody, &good]);
    assert_eq!(code, 1);
    let text = lines.join("\n");
    for way in ["one after the other", "at once"] {
        let line = lines.iter().find(|line| line.starts_with(way)).unwrap();
        assert_eq!(figures(line, way).0, 2, "{text}");
    }
    for message in [
        format!("{sick}: 503 Service Unavailable"),
        format!("{torn}: the page broke off: "),
        format!("{nobody}: client error (Connect): Connection refused"),
    ] {
        assert_eq!(text.matches(&message).count(), 2, "{message} in {text}");
    }
    assert!(!text.contains("times as fast"), "{text}");
}

#[test]
fn a_page_that_never_comes_ends_at_its_limit() {
    let url = format!("http://{}/", serve(""));
    let (code, lines) = run(&["--limit", "0.2", &url]);
    assert_eq!(code, 1);
    let text = lines.join("\n");
    assert!(
        text.contains(&format!("{url}: no page within 200ms")),
        "{text}"
    );
}

#[test]
fn of_many_failures_a_few_are_shown() {
    let url = format!("http://127.0.0.1:{}/", free_port());
    let (code, lines) = run(&[url.as_str(); 40]);
    assert_eq!(code, 1);
    let shown = lines.iter().filter(|line| line.starts_with(&url)).count();
    assert_eq!(shown, 10, "five for each way: {lines:?}");
    assert!(
        lines.iter().any(|line| line == "and 35 more failed"),
        "{lines:?}"
    );
}

#[test]
fn the_bar_is_drawn_on_a_terminal_only() {
    let (_, lines) = run(&["--count", "10"]);
    assert!(!lines.join("").contains(['\r', '\x1b']), "{lines:?}");
    // script(1), of Debian's package bsdutils, gives it a terminal.
    let mut script = Command::new("script");
    let command = format!("'{PROGRAM}' --count 10");
    script.args(["--quiet", "--return", "--command", &command, "/dev/null"]);
    let mut program = Program::start(script);
    assert_eq!(program.wait_exit().code(), Some(0));
    let text = program.lines().join("\n");
    assert!(
        text.contains("/10 00:00:00") && text.contains("=>"),
        "{text}"
    );
}

#[test]
fn one_thread_does_it_all() {
    let mut program = start(&["--count", "10", "--delay", "50"]);
    program.wait_for_line("10 pages from");
    let threads = fs::read_dir(format!("/proc/{}/task", program.pid()));
    assert_eq!(threads.unwrap().count(), 1);
    assert_eq!(program.wait_exit().code(), Some(0));
}

#[test]
fn arguments_that_make_no_sense_give_2_and_the_usage() {
    let wrong = [
        (["--count", "many"], "--count wants a number"),
        (["--limit", "-1"], "--limit wants a number of seconds"),
        (["--at-once", "0"], "--at-once 0 fetches nothing"),
        (["ftp://a/", "b"], "ftp://a/ is not known"),
    ];
    for (arguments, message) in wrong {
        let (code, lines) = run(&arguments);
        assert_eq!(code, 2);
        assert!(lines[0].starts_with(message), "{lines:?}");
        assert!(
            lines[1].starts_with("usage: petla-fetch-many "),
            "{lines:?}"
        );
    }
}
