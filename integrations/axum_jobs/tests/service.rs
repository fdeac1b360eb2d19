//! The service through HTTP, with real servers behind it, and with those or itself in trouble.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::{Command, Output};
use std::time::Duration;

use petla_testbed::{Postgres, Program, Redis, free_port, wait_for};
use serde_json::Value;

const LIMIT: Duration = Duration::from_secs(30);
const ADA: &str = r#"{"name": "Ada", "amount": 9000, "income": 2000}"#;
const NOBODY: &str = r#"{"name": "Nemo", "amount": 1, "income": 0}"#;

struct Service {
    program: Program,
    url: String,
}

fn start_program(postgres: &str, redis: &str, options: &[&str]) -> Program {
    let mut command = Command::new(env!("CARGO_BIN_EXE_petla-axum-jobs"));
    command
        .args(["--port", "0", "--postgres", postgres, "--redis", redis])
        .args(options);
    Program::start(command)
}

impl Service {
    fn start(postgres: &Postgres, redis: &Redis, options: &[&str]) -> Service {
        let mut program = start_program(postgres.url(), redis.url(), options);
        let line = program.wait_for_line("http://");
        let url = line.split("/decisions").next().unwrap().to_owned();
        Service { program, url }
    }

    /// The code and the body of an answer.
    fn get(&self, path: &str) -> (u32, Value) {
        let (code, _, body) = curl(&[&format!("{}{path}", self.url)]);
        (code, body)
    }

    fn post(&self, body: &str) -> (u32, String, Value) {
        let kind = "content-type: application/json";
        let url = format!("{}/decisions", self.url);
        curl(&["--header", kind, "--data-binary", body, &url])
    }

    /// The number of a new job.
    #[track_caller]
    fn accept(&self, application: &str) -> String {
        let (code, _, body) = self.post(application);
        assert_eq!(code, 202, "{body}");
        body["id"].as_str().unwrap().to_owned()
    }

    #[track_caller]
    fn wait_for_status(&self, id: &str, status: &str) {
        wait_for(status, LIMIT, || {
            self.get(&format!("/statuses/{id}")).1["status"] == status
        });
    }

    /// Ends it in order.
    #[track_caller]
    fn end(mut self) -> Vec<String> {
        self.program.signal("TERM");
        let status = self.program.wait_exit();
        let lines = self.program.lines();
        assert_eq!(status.code(), Some(0), "{lines:?}");
        lines
    }

    fn kill(mut self) {
        self.program.signal("KILL");
        self.program.wait_exit();
    }
}

/// The code, the headers and the body, `null` if it is no JSON.
#[track_caller]
fn curl(arguments: &[&str]) -> (u32, String, Value) {
    let mut command = Command::new("curl");
    command
        .args(["--silent", "--show-error", "--include", "--max-time", "20"])
        .args(["--noproxy", "*", "--header", "expect:"])
        .args(arguments);
    let output: Output = command.output().expect("curl runs: apt-get install curl");
    let text = String::from_utf8_lossy(&output.stdout);
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| {
        let error = String::from_utf8_lossy(&output.stderr);
        panic!("no answer: {error}");
    });
    let code = head.split(' ').nth(1).and_then(|code| code.parse().ok());
    let body = serde_json::from_str(body).unwrap_or(Value::Null);
    (code.unwrap(), head.to_lowercase(), body)
}

fn attempts(postgres: &Postgres, id: &str) -> String {
    postgres.sql(&format!("SELECT attempts FROM jobs WHERE id = '{id}'"))
}

#[test]
fn a_job_is_accepted_pending_ready_and_then_in_both_stores() {
    let (postgres, redis) = (Postgres::start(), Redis::start());
    let service = Service::start(&postgres, &redis, &["--delay", "0.5"]);
    let (code, head, body) = service.post(ADA);
    let id = body["id"].as_str().unwrap();
    assert_eq!(code, 202);
    assert!(
        head.contains(&format!("location: /statuses/{id}")),
        "{head}"
    );

    let (code, status) = service.get(&format!("/statuses/{id}"));
    assert_eq!((code, &status["status"]), (200, &"PENDING".into()));
    let (code, early) = service.get(&format!("/decisions/{id}"));
    assert_eq!(code, 409);
    assert_eq!(early["error"], "the job is PENDING: ask again later");

    service.wait_for_status(id, "READY");
    let (code, decision) = service.get(&format!("/decisions/{id}"));
    assert_eq!(code, 200);
    assert_eq!(
        decision,
        serde_json::json!({"approved": true, "limit": 24000})
    );
    let text = decision.to_string();
    assert_eq!(redis.cli(&["GET", &format!("petla:decision:{id}")]), text);
    let stored = format!("SELECT status, result FROM jobs WHERE id = '{id}'");
    assert_eq!(postgres.sql(&stored), format!("READY|{text}"));

    let status = fs::read_to_string(format!("/proc/{}/status", service.program.pid())).unwrap();
    assert!(status.contains("Threads:\t1\n"), "{status}");
    let lines = service.end();
    assert_eq!(lines.last().unwrap(), "0 jobs are left for the next start");
}

#[test]
fn a_job_that_fails_is_an_error_and_what_is_unknown_is_404() {
    let (postgres, redis) = (Postgres::start(), Redis::start());
    let service = Service::start(&postgres, &redis, &["--delay", "0"]);
    let id = service.accept(NOBODY);
    service.wait_for_status(&id, "ERROR");
    let (code, body) = service.get(&format!("/decisions/{id}"));
    assert_eq!(code, 500);
    assert_eq!(body["error"], "nothing is known of the income of Nemo");
    for path in ["/statuses/7", "/decisions/7"] {
        let (code, body) = service.get(path);
        assert_eq!((code, &body["error"]), (404, &"no such job".into()));
    }
}

#[test]
fn what_is_no_application_is_refused_and_says_why() {
    let (postgres, redis) = (Postgres::start(), Redis::start());
    let service = Service::start(&postgres, &redis, &["--delay", "0"]);
    let huge = format!(
        r#"{{"name": "{}", "amount": 1, "income": 1}}"#,
        "x".repeat(20_000)
    );
    let bad = [
        (400, "{\"name\": ", "EOF while parsing"),
        (422, r#"{"name": "Ada"}"#, "missing field `amount`"),
        (
            422,
            r#"{"name": "Ada", "amount": -1, "income": 1}"#,
            "amount: invalid value",
        ),
        (413, &huge, "length limit exceeded"),
    ];
    for (expected, body, text) in bad {
        let (code, _, answer) = service.post(body);
        assert_eq!(code, expected, "{answer}");
        assert!(answer["error"].as_str().unwrap().contains(text), "{answer}");
    }
    let (code, _, answer) = curl(&["--data", ADA, &format!("{}/decisions", service.url)]);
    assert_eq!(code, 415, "a form is no JSON: {answer}");
    let id = service.accept(ADA);
    service.wait_for_status(&id, "READY");
}

#[test]
fn slow_clients_are_not_waited_for() {
    let (postgres, redis) = (Postgres::start(), Redis::start());
    let service = Service::start(&postgres, &redis, &["--delay", "0"]);
    let address = service.url.strip_prefix("http://").unwrap();
    let head = "POST /decisions HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n";
    let [mut in_head, mut in_body] =
        [head, &format!("{head}content-length: 50\r\n\r\n{{")].map(|text| {
            let mut stream = TcpStream::connect(address).unwrap();
            stream.set_read_timeout(Some(LIMIT)).unwrap();
            stream.write_all(text.as_bytes()).unwrap();
            stream
        });
    let id = service.accept(ADA);
    service.wait_for_status(&id, "READY");
    let mut buffer = [0; 1024];
    let length = in_head.read(&mut buffer).unwrap();
    assert_eq!(length, 0, "closed");
    let length = in_body.read(&mut buffer).unwrap();
    let text = String::from_utf8_lossy(&buffer[..length]);
    assert!(text.starts_with("HTTP/1.1 408 "), "{text}");
}

#[test]
fn while_the_database_is_away_clients_get_503_and_no_job_is_lost() {
    let (mut postgres, redis) = (Postgres::start(), Redis::start());
    let mut service = Service::start(&postgres, &redis, &["--delay", "0.5"]);
    let id = service.accept(ADA);
    postgres.kill();
    let (code, _, body) = service.post(ADA);
    assert_eq!(code, 503);
    assert_eq!(
        body["error"],
        "the database does not answer: try again later"
    );
    assert_eq!(service.get(&format!("/statuses/{id}")).0, 503);
    service
        .program
        .wait_for_line("a job waits for the database");
    postgres.restart();
    service.wait_for_status(&id, "READY");
    let next = service.accept(ADA);
    service.wait_for_status(&next, "READY");
}

#[test]
fn without_redis_decisions_come_from_postgresql() {
    let (postgres, mut redis) = (Postgres::start(), Redis::start());
    let service = Service::start(&postgres, &redis, &["--delay", "0"]);
    let early = service.accept(ADA);
    service.wait_for_status(&early, "READY");
    redis.kill();
    let id = service.accept(ADA);
    service.wait_for_status(&id, "READY");
    assert_eq!(service.get(&format!("/decisions/{id}")).0, 200);
    redis.restart();
    let id = service.accept(ADA);
    service.wait_for_status(&id, "READY");
    let kept = redis.cli(&["GET", &format!("petla:decision:{id}")]);
    assert!(
        kept.contains("approved"),
        "it has connected again: {kept:?}"
    );
}

#[test]
fn a_service_killed_in_mid_job_does_it_once_more_after_its_start() {
    let (postgres, redis) = (Postgres::start(), Redis::start());
    let service = Service::start(&postgres, &redis, &["--delay", "600", "--workers", "1"]);
    let (begun, waiting) = (service.accept(ADA), service.accept(NOBODY));
    wait_for("the job has begun", LIMIT, || {
        attempts(&postgres, &begun) == "1"
    });
    service.kill();

    let mut service = Service::start(&postgres, &redis, &["--delay", "0"]);
    service.wait_for_status(&begun, "READY");
    service.wait_for_status(&waiting, "ERROR");
    assert_eq!(attempts(&postgres, &begun), "2");
    assert_eq!(attempts(&postgres, &waiting), "1");
    assert!(
        service
            .program
            .lines()
            .contains(&"2 jobs of former runs wait".to_owned())
    );
    assert!(!service.program.has_exited());
}

#[test]
fn on_sigterm_accepted_jobs_are_finished() {
    let (postgres, redis) = (Postgres::start(), Redis::start());
    let service = Service::start(&postgres, &redis, &["--delay", "0.1", "--workers", "2"]);
    for _ in 0..6 {
        service.accept(ADA);
    }
    let lines = service.end();
    assert_eq!(lines.last().unwrap(), "0 jobs are left for the next start");
    assert_eq!(
        postgres.sql("SELECT count(*) FROM jobs WHERE status = 'READY'"),
        "6"
    );
}

#[test]
fn on_sigterm_jobs_that_take_too_long_are_left_for_the_next_start() {
    let (postgres, redis) = (Postgres::start(), Redis::start());
    let options = ["--delay", "600", "--workers", "2", "--patience", "0.1"];
    let service = Service::start(&postgres, &redis, &options);
    let ids: Vec<_> = (0..3).map(|_| service.accept(ADA)).collect();
    let lines = service.end();
    assert_eq!(lines.last().unwrap(), "3 jobs are left for the next start");

    let service = Service::start(&postgres, &redis, &["--delay", "0"]);
    for id in &ids {
        service.wait_for_status(id, "READY");
    }
}

#[test]
fn it_does_not_start_without_its_database_or_with_wrong_arguments() {
    let port = free_port();
    let postgres = format!("postgres://petla@127.0.0.1:{port}/x");
    let mut program = start_program(&postgres, "redis://127.0.0.1:1/", &[]);
    program.wait_for_line("the table of jobs cannot be made");
    program.wait_for_line("is PostgreSQL running?");
    assert_eq!(program.wait_exit().code(), Some(1));
    for options in [&["--speed", "9"][..], &["--delay", "long"], &["--port"]] {
        let mut program = start_program(&postgres, "redis://127.0.0.1:1/", options);
        program.wait_for_line("usage: ");
        assert_eq!(program.wait_exit().code(), Some(1));
    }
}
