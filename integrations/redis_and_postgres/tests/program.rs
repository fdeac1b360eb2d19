//! The program against real servers, and against one that is not there, refuses, or is silent.

use std::fs;
use std::net::TcpListener;
use std::process::Command;

use petla_testbed::{Postgres, Program, Redis, free_port};

fn start(redis: &str, postgres: &str) -> Program {
    let mut command = Command::new(env!("CARGO_BIN_EXE_petla-redis-and-postgres"));
    command.args([redis, postgres]);
    Program::start(command)
}

/// Its exit code, and all it printed.
#[track_caller]
fn ends_with(redis: &str, postgres: &str, code: i32) -> String {
    let mut program = start(redis, postgres);
    let status = program.wait_exit();
    let text = program.lines().join("\n");
    assert_eq!(status.code(), Some(code), "{text}");
    text
}

fn threads(program: &Program) -> String {
    let status = fs::read_to_string(format!("/proc/{}/status", program.pid())).unwrap();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("Threads:"));
    line.unwrap().trim().to_owned()
}

#[test]
fn two_requests_at_once_take_the_time_of_the_slower_one() {
    let (redis, postgres) = (Redis::start(), Postgres::start());
    let text = ends_with(redis.url(), postgres.url(), 0);
    assert!(text.contains("Redis: this is visit 1, after "), "{text}");
    assert!(text.contains("PostgreSQL: this is version "), "{text}");
    let last = text.lines().last().unwrap();
    let numbers = last.split(' ').filter_map(|word| word.parse::<u32>().ok());
    let [both, sum] = numbers.collect::<Vec<_>>()[..] else {
        panic!("{text}");
    };
    assert!(sum >= 400 && both < sum - 150, "{text}");
    assert_eq!(redis.cli(&["GET", "petla:visits"]), "1");
}

#[test]
fn it_has_one_thread_whichever_server_it_waits_for() {
    let (redis, postgres) = (Redis::start(), Postgres::start());
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = silent.local_addr().unwrap();

    let mut program = start(&format!("redis://{address}/"), postgres.url());
    program.wait_for_line("PostgreSQL: this is version");
    assert_eq!(threads(&program), "1");

    let mut program = start(redis.url(), &format!("postgres://petla@{address}/petla"));
    program.wait_for_line("Redis: this is visit");
    assert_eq!(threads(&program), "1");
    program.wait_for_line("PostgreSQL: no answer within 5s");
    assert_eq!(program.wait_exit().code(), Some(1));
}

#[test]
fn what_one_server_answers_is_not_lost_when_the_other_fails() {
    let (redis, postgres) = (Redis::start_with_password("rope"), Postgres::start());
    let nowhere = format!("127.0.0.1:{}", free_port());

    let text = ends_with(&format!("redis://{nowhere}/"), postgres.url(), 1);
    let missing = format!("Redis: no server at {nowhere}: is Redis running?");
    assert!(text.contains(&missing), "{text}");
    assert!(text.contains("PostgreSQL: this is version"), "{text}");

    let refused = redis.url().replace("rope", "string");
    let text = ends_with(&refused, postgres.url(), 1);
    assert!(text.contains("does not let us in: "), "{text}");
    assert!(text.contains("Password authentication failed"), "{text}");
    assert!(text.contains("PostgreSQL: this is version"), "{text}");

    let refused = postgres.url().replace(Postgres::PASSWORD, "lasso");
    let text = ends_with(redis.url(), &refused, 1);
    assert!(text.contains("password authentication failed"), "{text}");
    assert!(text.contains("Redis: this is visit 1"), "{text}");
}

#[test]
fn wrong_addresses_and_arguments_are_named() {
    let text = ends_with("localhost", "postgres://x", 1);
    assert!(
        text.contains("Redis: this is no address of a Redis"),
        "{text}"
    );
    let mut command = Command::new(env!("CARGO_BIN_EXE_petla-redis-and-postgres"));
    command.arg("one");
    let mut program = Program::start(command);
    program.wait_for_line("usage: ");
    assert_eq!(program.wait_exit().code(), Some(2));
}

/// Redis is killed while it answers: what had come from the other is there.
#[test]
fn a_connection_lost_in_mid_request_is_an_error() {
    let (mut redis, postgres) = (Redis::start(), Postgres::start());
    let slow = redis.url().to_owned();
    redis.cli(&["CLIENT", "PAUSE", "60000", "WRITE"]);
    let mut program = start(&slow, postgres.url());
    program.wait_for_line("PostgreSQL: this is version");
    redis.kill();
    program.wait_for_line("Redis: ");
    assert_eq!(program.wait_exit().code(), Some(1));
}
