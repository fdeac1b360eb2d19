//! The program as a user starts it: what it prints, and how it ends when something is wrong.

use std::process::Command;

use petla_testbed::{Postgres, Program, free_port};

fn start(address: &str) -> Program {
    let mut command = Command::new(env!("CARGO_BIN_EXE_petla-postgres"));
    command.arg(address).env_remove("DATABASE_URL");
    Program::start(command)
}

/// Its exit code, and all it printed.
#[track_caller]
fn ends_with(address: &str, code: i32) -> String {
    let mut program = start(address);
    let status = program.wait_exit();
    let text = program.lines().join("\n");
    assert_eq!(status.code(), Some(code), "{text}");
    text
}

#[test]
fn it_makes_the_table_and_finds_its_row() {
    let postgres = Postgres::start();
    let text = ends_with(postgres.url(), 0);
    assert!(
        text.starts_with("user 1 is Bob, born on 1984-03-01\n"),
        "{text}"
    );
    assert!(
        text.contains("100 queries at once, 4 connections: 328350 in"),
        "{text}"
    );
    assert_eq!(
        postgres.sql("SELECT name, dob FROM users"),
        "Bob|1984-03-01"
    );

    let again = ends_with(postgres.url(), 0);
    assert!(again.starts_with("user 2 is Bob"), "{again}");
}

#[test]
fn what_is_wrong_is_said_and_the_exit_code_is_not_0() {
    let postgres = Postgres::start();
    let wrong_password = postgres.url().replace(Postgres::PASSWORD, "lasso");
    let text = ends_with(&wrong_password, 1);
    assert!(
        text.contains("password authentication failed for user \"petla\""),
        "{text}"
    );

    let wrong_database = format!("{}_of_nobody", postgres.url());
    let text = ends_with(&wrong_database, 1);
    assert!(
        text.contains("database \"postgres_of_nobody\" does not exist"),
        "{text}"
    );

    let port = free_port();
    let text = ends_with(&format!("postgres://petla@127.0.0.1:{port}/x"), 1);
    let expected = format!("no server at 127.0.0.1:{port}: is PostgreSQL running?");
    assert!(text.contains(&expected), "{text}");
    assert!(text.contains("Connection refused"), "{text}");

    let text = ends_with("host=/nowhere user=petla", 1);
    assert!(
        text.contains("no server at /nowhere/.s.PGSQL.5432"),
        "{text}"
    );

    let text = ends_with("user=petla", 1);
    assert!(text.contains("names no host"), "{text}");

    let text = ends_with("postgres://a:b@c:high/d", 1);
    assert!(text.contains("this is no address of a database"), "{text}");

    postgres.sql("CREATE TABLE users(id int)");
    let text = ends_with(postgres.url(), 1);
    assert!(
        text.contains("column \"name\" of relation \"users\" does not exist"),
        "{text}"
    );
}

#[test]
fn a_missing_address_is_wrong_usage() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_petla-postgres"));
    command.env_remove("DATABASE_URL");
    let mut program = Program::start(command);
    program.wait_for_line("usage: petla-postgres ADDRESS");
    assert_eq!(program.wait_exit().code(), Some(2));
}
