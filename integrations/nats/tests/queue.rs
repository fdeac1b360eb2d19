//! Jobs through a real nats-server, and all that goes wrong on the way.
//!
//! ```text
//! $ cargo test -p petla-nats
//! ```
#![forbid(unsafe_code)]

use std::process::Command;
use std::time::Duration;

use async_nats::jetstream::consumer::{AckPolicy, PullConsumer, pull};
use futures_util::StreamExt;
use petla::timeout;
use petla_testbed::{Nats, Program, free_port};

/// For what is sure to come.
const LIMIT: Duration = Duration::from_secs(30);

fn program(url: &str, arguments: &str) -> Program {
    let mut command = Command::new(env!("CARGO_BIN_EXE_petla-nats"));
    command.args(arguments.split(' ')).env("NATS_URL", url);
    Program::start(command)
}

/// A worker that is ready.
fn worker(url: &str, queue: &str, name: &str) -> Program {
    let mut worker = program(
        url,
        &format!("worker --queue {queue} --name {name} --ack-wait 1"),
    );
    worker.wait_for_line("is ready");
    worker
}

#[track_caller]
fn assert_ends(program: &mut Program, code: i32) {
    let status = program.wait_exit();
    let lines = program.lines();
    assert_eq!(status.code(), Some(code), "{status}: {lines:#?}");
}

/// Runs on the loop, with tokio as a guest.
fn with_client<T>(url: &str, body: impl AsyncFnOnce(async_nats::jetstream::Context) -> T) -> T {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    let tokio = builder.worker_threads(1).enable_all().build().unwrap();
    let _context = tokio.enter();
    petla::run(async {
        let client = async_nats::connect(url).await.unwrap();
        let work = body(async_nats::jetstream::new(client));
        timeout(LIMIT, work).await.unwrap()
    })
}

fn put(url: &str, queue: &str, body: &'static str) {
    with_client(url, async |context| {
        let published = context.publish(format!("{queue}.todo"), body.into());
        published.await.unwrap().await.unwrap();
    });
}

/// All dead letters, which stay there: the text, and the error.
fn dead_letters(url: &str, queue: &str) -> Vec<(String, String)> {
    with_client(url, async |context| {
        let mut stream = context.get_stream(format!("{queue}-dead")).await.unwrap();
        let count = stream.info().await.unwrap().state.messages as usize;
        if count == 0 {
            return Vec::new(); // a batch of none is not asked for
        }
        let config = pull::Config {
            ack_policy: AckPolicy::None,
            ..pull::Config::default()
        };
        let consumer: PullConsumer = stream.create_consumer(config).await.unwrap();
        let batch = consumer.batch().max_messages(count).expires(LIMIT);
        let mut batch = batch.messages().await.unwrap();
        let mut letters = Vec::new();
        while let Some(letter) = batch.next().await {
            let letter = letter.unwrap();
            let headers = letter.headers.as_ref().expect("a dead letter has headers");
            let error = headers.get("Error").expect("and an error").to_string();
            letters.push((String::from_utf8_lossy(&letter.payload).into_owned(), error));
        }
        letters
    })
}

#[test]
fn three_processes_share_the_jobs_of_the_demo() {
    let server = Nats::start();
    let mut demo = program(server.url(), "demo --queue demo --jobs 200 --ack-wait 1");
    assert_ends(&mut demo, 0);
    let mut jobs = 0;
    for name in ["worker-1", "worker-2", "worker-3"] {
        let line = demo.wait_for_line(name);
        let count: u32 = line.split(' ').nth(2).unwrap().parse().unwrap();
        assert!(count > 0, "{line}");
        jobs += count;
    }
    assert_eq!(jobs, 200);
    demo.wait_for_line("200 of 200 jobs done");
}

#[test]
fn a_job_whose_worker_is_killed_is_done_by_another() {
    let server = Nats::start();
    let victim = worker(server.url(), "killed", "victim");
    let arguments = "producer --queue killed --jobs 6 --millis 1000";
    let mut producer = program(server.url(), arguments);
    victim.wait_for_lines("attempt 1", 4); // all that a worker has at once
    victim.signal("KILL");
    let heir = worker(server.url(), "killed", "heir");
    assert_ends(&mut producer, 0);
    producer.wait_for_line("6 of 6 jobs done");
    heir.wait_for_lines("attempt 2", 4);
    heir.wait_for_lines("done", 6);
    assert_eq!(dead_letters(server.url(), "killed"), []);
}

/// Five times a worker is lost; the sixth does not try.
#[test]
fn a_job_that_kills_its_workers_is_given_up_with_an_error() {
    let server = Nats::start();
    let arguments = "producer --queue killer --jobs 1 --millis 3600000";
    let mut producer = program(server.url(), arguments);
    for attempt in 1..=5 {
        let mut victim = worker(server.url(), "killer", "victim");
        victim.wait_for_line(&format!("job 1, attempt {attempt}"));
        victim.signal("KILL");
        victim.wait_exit();
    }
    let mut last = worker(server.url(), "killer", "last");
    last.wait_for_line("given up: the worker or the connection was lost 5 times");
    assert_ends(&mut producer, 1);
    producer.wait_for_line("job 1 was given up: the worker or the connection was lost 5 times");
    let letters = dead_letters(server.url(), "killer");
    let [(job, _)] = &letters[..] else {
        panic!("one letter, not {letters:?}");
    };
    assert!(job.starts_with(r#"{"id":1,"#), "{job}");
}

/// Three seconds of work, one for a worker that is silent, and another worker that would take it.
#[test]
fn a_long_job_stays_with_a_worker_that_lives() {
    let server = Nats::start();
    let one = worker(server.url(), "long", "one");
    let two = worker(server.url(), "long", "two");
    let mut producer = program(server.url(), "producer --queue long --jobs 1 --millis 3000");
    assert_ends(&mut producer, 0);
    let attempts = [one, two]
        .iter()
        .map(|worker| {
            let lines = worker.lines();
            lines.iter().filter(|line| line.contains("attempt")).count()
        })
        .sum::<usize>();
    assert_eq!(attempts, 1);
}

/// It was not dead: the job is done twice, and the producer takes one result.
#[test]
fn a_job_whose_worker_is_silent_is_done_by_another() {
    let server = Nats::start();
    let mut frozen = worker(server.url(), "frozen", "frozen");
    let mut producer = program(
        server.url(),
        "producer --queue frozen --jobs 1 --millis 500",
    );
    frozen.wait_for_line("job 1, attempt 1");
    frozen.signal("STOP");
    let mut heir = worker(server.url(), "frozen", "heir");
    heir.wait_for_line("job 1, attempt 2");
    assert_ends(&mut producer, 0);
    frozen.signal("CONT");
    frozen.wait_for_line("job 1 done");
    frozen.signal("TERM");
    assert_ends(&mut frozen, 0);
}

#[test]
fn a_job_that_fails_twice_is_done_at_the_third_attempt() {
    let server = Nats::start();
    let worker = worker(server.url(), "twice", "w");
    let mut producer = program(server.url(), "producer --queue twice --jobs 3 --fail 2");
    assert_ends(&mut producer, 0);
    worker.wait_for_lines("attempt 3", 3);
    assert_eq!(dead_letters(server.url(), "twice"), []);
}

#[test]
fn a_job_that_always_fails_becomes_a_dead_letter_and_its_producer_is_told() {
    let server = Nats::start();
    let worker = worker(server.url(), "always", "w");
    let mut producer = program(server.url(), "producer --queue always --jobs 2 --fail 99");
    assert_ends(&mut producer, 1);
    producer.wait_for_line("job 1 was given up: attempt 5 was told to fail");
    producer.wait_for_line("0 of 2 jobs done");
    worker.wait_for_lines("given up", 2);
    let letters = dead_letters(server.url(), "always");
    assert_eq!(letters.len(), 2, "{letters:?}");
    let errors = letters.iter().map(|(_, error)| error.as_str());
    assert!({ errors }.all(|error| error == "attempt 5 was told to fail"));
}

#[test]
fn what_is_no_job_becomes_a_dead_letter_and_the_worker_lives_on() {
    let server = Nats::start();
    let mut worker = worker(server.url(), "poison", "w");
    put(server.url(), "poison", "{\"id\": 1, ");
    worker.wait_for_line("given up: not a job");
    put(server.url(), "poison", r#"{"id": 2}"#);
    worker.wait_for_line("given up: not a job: missing field `n`");
    put(server.url(), "poison", r#"{"id": 3, "n": 100}"#); // nobody wants its result
    worker.wait_for_line("job 3 done");
    let letters = dead_letters(server.url(), "poison");
    let texts: Vec<&str> = letters.iter().map(|(text, _)| text.as_str()).collect();
    assert_eq!(texts, ["{\"id\": 1, ", r#"{"id": 2}"#]);
}

#[test]
fn a_producer_without_workers_gives_up_waiting_and_its_jobs_stay() {
    let server = Nats::start();
    let arguments = "producer --queue idle --jobs 3 --patience 1";
    let mut producer = program(server.url(), arguments);
    assert_ends(&mut producer, 1);
    producer.wait_for_line("no result for 1s: is there a worker?");
    worker(server.url(), "idle", "w").wait_for_lines("done", 3);
}

#[test]
fn sigterm_lets_a_worker_finish_its_job() {
    let server = Nats::start();
    let mut worker = worker(server.url(), "term", "w");
    let mut producer = program(server.url(), "producer --queue term --jobs 1 --millis 1000");
    worker.wait_for_line("job 1, attempt 1");
    worker.signal("TERM");
    assert_ends(&mut worker, 0);
    worker.wait_for_line("job 1 done");
    worker.wait_for_line("stops after 1 jobs");
    assert_ends(&mut producer, 0);
}

#[test]
fn the_second_signal_ends_a_worker_at_once_and_its_job_is_another_ones() {
    let server = Nats::start();
    let mut first = worker(server.url(), "second", "first");
    let mut producer = program(
        server.url(),
        "producer --queue second --jobs 1 --millis 5000",
    );
    first.wait_for_line("job 1, attempt 1");
    first.signal("TERM");
    first.wait_for_line("asked to stop");
    first.signal("TERM");
    assert_ends(&mut first, 143);
    let _heir = worker(server.url(), "second", "heir");
    assert_ends(&mut producer, 0);
}

#[test]
fn a_server_that_restarts_loses_no_job() {
    let mut server = Nats::start();
    let (one, two) = (
        worker(server.url(), "jobs", "one"),
        worker(server.url(), "jobs", "two"),
    );
    let mut producer = program(server.url(), "producer --jobs 400 --millis 20");
    one.wait_for_lines("done", 40);
    server.restart();
    one.wait_for_lines("done", 60);
    server.kill();
    server.restart();
    assert_ends(&mut producer, 0);
    producer.wait_for_line("400 of 400 jobs done");
    for mut worker in [one, two] {
        worker.wait_for_line("NATS: disconnected");
        worker.wait_for_line("NATS: connected");
        worker.signal("TERM");
        assert_ends(&mut worker, 0);
    }
    assert_eq!(dead_letters(server.url(), "jobs"), []);
}

#[test]
fn a_worker_that_waits_for_a_server_can_be_stopped() {
    let mut server = Nats::start();
    let mut worker = worker(server.url(), "jobs", "w");
    server.stop();
    worker.wait_for_line("NATS: disconnected");
    worker.signal("TERM");
    assert_ends(&mut worker, 0);
}

#[test]
fn without_a_server_each_part_ends_with_a_message() {
    let url = format!("nats://guest:secret@127.0.0.1:{}", free_port());
    for mode in ["producer", "worker", "demo"] {
        let mut part = program(&url, mode);
        assert_ends(&mut part, 1);
        let line = part.wait_for_line("no connection to NATS at 127.0.0.1:");
        assert!(line.contains("does it run"), "{line}");
        assert!(!line.contains("secret"), "{line}");
    }
}

#[test]
fn a_wrong_password_is_told_from_a_missing_server() {
    let server = Nats::start_with_password("right");
    let mut right = worker(server.url(), "jobs", "w");
    right.signal("TERM");
    assert_ends(&mut right, 0);
    let mut wrong = program(&server.url().replace("right", "wrong"), "worker");
    assert_ends(&mut wrong, 1);
    wrong.wait_for_line("authorization violation");
}

#[test]
fn wrong_arguments_have_a_usage_and_wrong_urls_a_message() {
    for arguments in [
        "boss",
        "worker --queue",
        "producer --jobs many",
        "worker --pace 3",
    ] {
        let mut part = program("nats://127.0.0.1", arguments);
        assert_ends(&mut part, 2);
        part.wait_for_line("usage: petla-nats producer");
    }
    let mut worker = program("http://127.0.0.1/", "worker");
    assert_ends(&mut worker, 1);
    worker.wait_for_line("NATS_URL is no nats://");
}
