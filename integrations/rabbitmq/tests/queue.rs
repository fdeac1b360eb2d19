//! Jobs through a real RabbitMQ, and all that goes wrong on the way.
//!
//! ```text
//! $ cargo test -p petla-rabbitmq
//! ```
//!
//! Each test has queues of its own. Tests that run at the same time share a broker, which takes
//! some seconds to start; those that restart it have one for themselves.
#![forbid(unsafe_code)]

use std::process::Command;
use std::sync::{Arc, Mutex, Weak};

use lapin::options::{BasicGetOptions, BasicPublishOptions, ConfirmSelectOptions};
use lapin::types::AMQPValue;
use lapin::{BasicProperties, Connection, ConnectionProperties};
use petla_testbed::{Program, RabbitMq, free_port};

/// A broker for all tests that run at the moment. The last of them ends it.
struct Shared {
    url: String,
    _broker: Mutex<RabbitMq>,
}

impl Shared {
    fn url(&self) -> &str {
        &self.url
    }
}

fn shared_broker() -> Arc<Shared> {
    static BROKER: Mutex<Weak<Shared>> = Mutex::new(Weak::new());
    let mut last = BROKER
        .lock()
        .unwrap_or_else(|poisoned| poisoned.into_inner());
    last.upgrade().unwrap_or_else(|| {
        let broker = RabbitMq::start();
        let url = broker.url().to_owned();
        let _broker = Mutex::new(broker);
        let shared = Arc::new(Shared { url, _broker });
        *last = Arc::downgrade(&shared);
        shared
    })
}

fn program(url: &str, arguments: &str) -> Program {
    let mut command = Command::new(env!("CARGO_BIN_EXE_petla-rabbitmq"));
    command.args(arguments.split(' ')).env("AMQP_URL", url);
    Program::start(command)
}

/// A worker that is ready.
fn worker(url: &str, queue: &str, name: &str) -> Program {
    let mut worker = program(url, &format!("worker --queue {queue} --name {name}"));
    worker.wait_for_line("is ready");
    worker
}

#[track_caller]
fn assert_ends(program: &mut Program, code: i32) {
    let status = program.wait_exit();
    let lines = program.lines();
    assert_eq!(status.code(), Some(code), "{status}: {lines:#?}");
}

fn put(url: &str, queue: &str, body: &str) {
    petla::run(async {
        let connection = Connection::connect(url, ConnectionProperties::default()).await?;
        let channel = connection.create_channel().await?;
        let confirm = ConfirmSelectOptions::default();
        channel.confirm_select(confirm).await?;
        let (options, plain) = (BasicPublishOptions::default(), BasicProperties::default());
        let queue = queue.into();
        let published = channel.basic_publish("".into(), queue, options, body.as_bytes(), plain);
        published.await?.await?;
        connection.close(200, "done".into()).await
    })
    .unwrap();
}

/// All dead letters, which stay there: the text, and the error.
fn dead_letters(url: &str, queue: &str) -> Vec<(String, String)> {
    petla::run(async {
        let connection = Connection::connect(url, ConnectionProperties::default()).await?;
        let channel = connection.create_channel().await?;
        let mut letters = Vec::new();
        let dead = format!("{queue}.dead");
        let get = || channel.basic_get(dead.as_str().into(), BasicGetOptions::default());
        while let Some(letter) = get().await? {
            let headers = letter.properties.headers().clone().unwrap_or_default();
            let Some(AMQPValue::LongString(error)) = headers.inner().get("x-error") else {
                panic!("no error in {headers:?}");
            };
            let text = String::from_utf8_lossy(&letter.data).into_owned();
            letters.push((text, error.to_string()));
        }
        connection.close(200, "done".into()).await?;
        lapin::Result::Ok(letters)
    })
    .unwrap()
}

#[test]
fn three_processes_share_the_jobs_of_the_demo() {
    let broker = shared_broker();
    let mut demo = program(broker.url(), "demo --queue demo --jobs 200");
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
    let broker = shared_broker();
    let victim = worker(broker.url(), "killed", "victim");
    let arguments = "producer --queue killed --jobs 6 --millis 1000";
    let mut producer = program(broker.url(), arguments);
    victim.wait_for_lines("attempt 1", 4); // all that a worker has at once
    victim.signal("KILL");
    let heir = worker(broker.url(), "killed", "heir");
    assert_ends(&mut producer, 0);
    producer.wait_for_line("6 of 6 jobs done");
    heir.wait_for_lines("attempt 2", 4);
    heir.wait_for_lines("done", 6);
    assert_eq!(dead_letters(broker.url(), "killed"), []);
}

/// Five times a worker is lost; the sixth does not try.
#[test]
fn a_job_that_kills_its_workers_is_given_up_with_an_error() {
    let broker = shared_broker();
    let arguments = "producer --queue killer --jobs 1 --millis 3600000";
    let mut producer = program(broker.url(), arguments);
    for attempt in 1..=5 {
        let mut victim = worker(broker.url(), "killer", "victim");
        victim.wait_for_line(&format!("job 1, attempt {attempt}"));
        victim.signal("KILL");
        victim.wait_exit();
    }
    let mut last = worker(broker.url(), "killer", "last");
    last.wait_for_line("given up: the worker or the connection was lost 5 times");
    assert_ends(&mut producer, 1);
    producer.wait_for_line("job 1 was given up: the worker or the connection was lost 5 times");
    let letters = dead_letters(broker.url(), "killer");
    let [(job, _)] = &letters[..] else {
        panic!("one letter, not {letters:?}");
    };
    assert!(job.starts_with(r#"{"id":1,"#), "{job}");
}

#[test]
fn a_job_that_fails_twice_is_done_at_the_third_attempt() {
    let broker = shared_broker();
    let worker = worker(broker.url(), "twice", "w");
    let mut producer = program(broker.url(), "producer --queue twice --jobs 3 --fail 2");
    assert_ends(&mut producer, 0);
    worker.wait_for_lines("attempt 3", 3);
    assert_eq!(dead_letters(broker.url(), "twice"), []);
}

#[test]
fn a_job_that_always_fails_becomes_a_dead_letter_and_its_producer_is_told() {
    let broker = shared_broker();
    let worker = worker(broker.url(), "always", "w");
    let mut producer = program(broker.url(), "producer --queue always --jobs 2 --fail 99");
    assert_ends(&mut producer, 1);
    producer.wait_for_line("job 1 was given up: attempt 5 was told to fail");
    producer.wait_for_line("0 of 2 jobs done");
    worker.wait_for_lines("given up", 2);
    let letters = dead_letters(broker.url(), "always");
    assert_eq!(letters.len(), 2, "{letters:?}");
    let errors = letters.iter().map(|(_, error)| error.as_str());
    assert!({ errors }.all(|error| error == "attempt 5 was told to fail"));
}

#[test]
fn what_is_no_job_becomes_a_dead_letter_and_the_worker_lives_on() {
    let broker = shared_broker();
    let mut worker = worker(broker.url(), "poison", "w");
    put(broker.url(), "poison", "{\"id\": 1, ");
    worker.wait_for_line("given up: not a job");
    put(broker.url(), "poison", r#"{"id": 2}"#);
    worker.wait_for_line("given up: not a job: missing field `n`");
    put(broker.url(), "poison", r#"{"id": 3, "n": 100}"#); // nobody wants its result
    worker.wait_for_line("job 3 done");
    let letters = dead_letters(broker.url(), "poison");
    let texts: Vec<&str> = letters.iter().map(|(text, _)| text.as_str()).collect();
    assert_eq!(texts, ["{\"id\": 1, ", r#"{"id": 2}"#]);
}

#[test]
fn a_producer_without_workers_gives_up_waiting_and_its_jobs_stay() {
    let broker = shared_broker();
    let arguments = "producer --queue idle --jobs 3 --patience 1";
    let mut producer = program(broker.url(), arguments);
    assert_ends(&mut producer, 1);
    producer.wait_for_line("no result for 1s: is there a worker?");
    worker(broker.url(), "idle", "w").wait_for_lines("done", 3);
}

#[test]
fn sigterm_lets_a_worker_finish_its_job() {
    let broker = shared_broker();
    let mut worker = worker(broker.url(), "term", "w");
    let mut producer = program(broker.url(), "producer --queue term --jobs 1 --millis 1000");
    worker.wait_for_line("job 1, attempt 1");
    worker.signal("TERM");
    assert_ends(&mut worker, 0);
    worker.wait_for_line("job 1 done");
    worker.wait_for_line("stops after 1 jobs");
    assert_ends(&mut producer, 0);
}

#[test]
fn the_second_signal_ends_a_worker_at_once_and_its_job_is_another_ones() {
    let broker = shared_broker();
    let mut first = worker(broker.url(), "second", "first");
    let mut producer = program(
        broker.url(),
        "producer --queue second --jobs 1 --millis 5000",
    );
    first.wait_for_line("job 1, attempt 1");
    first.signal("TERM");
    first.wait_for_line("asked to stop");
    first.signal("TERM");
    assert_ends(&mut first, 143);
    let _heir = worker(broker.url(), "second", "heir");
    assert_ends(&mut producer, 0);
}

#[test]
fn a_broker_that_restarts_loses_no_job() {
    let mut broker = RabbitMq::start();
    let (one, two) = (
        worker(broker.url(), "jobs", "one"),
        worker(broker.url(), "jobs", "two"),
    );
    let mut producer = program(broker.url(), "producer --jobs 400 --millis 20");
    one.wait_for_lines("done", 40);
    broker.restart();
    one.wait_for_lines("done", 60);
    broker.kill();
    broker.restart();
    assert_ends(&mut producer, 0);
    producer.wait_for_line("400 of 400 jobs done");
    for mut worker in [one, two] {
        worker.wait_for_line("connection to");
        worker.wait_for_line("is ready"); // for the first time since then
        worker.signal("TERM");
        assert_ends(&mut worker, 0);
    }
    assert_eq!(dead_letters(broker.url(), "jobs"), []);
}

#[test]
fn a_worker_that_waits_for_a_broker_can_be_stopped() {
    let mut broker = RabbitMq::start();
    let mut worker = worker(broker.url(), "jobs", "w");
    broker.stop();
    worker.wait_for_line("connection to");
    worker.signal("TERM");
    assert_ends(&mut worker, 0);
}

#[test]
fn without_a_broker_each_part_ends_with_a_message() {
    let url = format!("amqp://guest:secret@127.0.0.1:{}/%2f", free_port());
    for mode in ["producer", "worker", "demo"] {
        let mut part = program(&url, mode);
        assert_ends(&mut part, 1);
        let line = part.wait_for_line("no connection to RabbitMQ at 127.0.0.1:");
        assert!(line.contains("does it run"), "{line}");
        assert!(!line.contains("secret"), "{line}");
    }
}

#[test]
fn a_wrong_password_is_told_from_a_missing_broker() {
    let broker = shared_broker();
    let url = broker.url().replace("guest:guest", "guest:wrong");
    let mut worker = program(&url, "worker");
    assert_ends(&mut worker, 1);
    worker.wait_for_line("ACCESS_REFUSED");
}

#[test]
fn wrong_arguments_have_a_usage_and_wrong_urls_a_message() {
    for arguments in [
        "boss",
        "worker --queue",
        "producer --jobs many",
        "worker --pace 3",
    ] {
        let mut part = program("amqp://127.0.0.1/", arguments);
        assert_ends(&mut part, 2);
        part.wait_for_line("usage: petla-rabbitmq producer");
    }
    let mut worker = program("http://127.0.0.1/", "worker");
    assert_ends(&mut worker, 1);
    worker.wait_for_line("AMQP_URL is no amqp://");
}
