//! The tests of a queue: each test program says which queue it has, and [`scenarios!`] does the
//! rest, against real brokers and processes.
//!
//! # Not here
//! What one broker alone promises: it stands beside the others in that program's tests.
#![expect(missing_docs, reason = "a scenario is named for what it shows")]

use std::ops::DerefMut;
use std::process::Command;

use petla_testbed::{Program, Server, free_port};

/// A program with its broker.
pub trait Queue {
    /// The program's name.
    const NAME: &'static str;
    /// The variable of its environment that says where the broker is.
    const URL_VARIABLE: &'static str;
    /// Where the program is.
    const PATH: &'static str;
    /// What the broker is called in messages.
    const BROKER: &'static str;
    /// What the broker's URLs begin with.
    const SCHEME: &'static str;
    /// More arguments of workers and the demo.
    const OWN: &'static str;
    /// What a worker prints when the connection is lost.
    const LOST: &'static str;
    /// What it prints when there is one again.
    const BACK: &'static str;
    /// A broker that other tests may use as well.
    type Shared;
    /// A broker with the means to stop it.
    type Own: DerefMut<Target = Server>;

    /// A broker for a queue that no other test uses.
    fn shared() -> Self::Shared;

    /// Where that is.
    fn url(shared: &Self::Shared) -> &str;

    /// A broker to stop and start.
    fn own() -> Self::Own;

    /// Where no broker listens, with a user and the password `secret`.
    fn url_of_nobody(port: u16) -> String;

    /// Sends what may be no job.
    fn put(url: &str, queue: &str, body: &'static str);

    /// All dead letters: the text, and the error.
    fn dead_letters(url: &str, queue: &str) -> Vec<(String, String)>;
}

/// The program as a child.
pub fn program<Q: Queue>(url: &str, arguments: &str) -> Program {
    let mut command = Command::new(Q::PATH);
    let arguments = arguments.split_whitespace();
    command.args(arguments).env(Q::URL_VARIABLE, url);
    Program::start(command)
}

fn with_own<Q: Queue>(arguments: &str) -> String {
    format!("{arguments} {}", Q::OWN)
}

/// A worker that is ready.
pub fn worker<Q: Queue>(url: &str, queue: &str, name: &str) -> Program {
    let arguments = format!("worker --queue {queue} --name {name}");
    let mut worker = program::<Q>(url, &with_own::<Q>(&arguments));
    worker.wait_for_line("is ready");
    worker
}

/// Waits for the end of a program.
#[track_caller]
pub fn assert_ends(program: &mut Program, code: i32) {
    let status = program.wait_exit();
    let lines = program.lines();
    assert_eq!(status.code(), Some(code), "{status}: {lines:#?}");
}

/// Makes a test of each scenario, for a [`Queue`].
#[macro_export]
macro_rules! scenarios {
    ($queue:ty) => {
        $crate::scenarios!($queue:
            three_processes_share_the_jobs_of_the_demo
            a_job_whose_worker_is_killed_is_done_by_another
            a_job_that_kills_its_workers_is_given_up_with_an_error
            a_job_that_fails_twice_is_done_at_the_third_attempt
            a_job_that_always_fails_becomes_a_dead_letter_and_its_producer_is_told
            what_is_no_job_becomes_a_dead_letter_and_the_worker_lives_on
            a_producer_without_workers_gives_up_waiting_and_its_jobs_stay
            sigterm_lets_a_worker_finish_its_job
            the_second_signal_ends_a_worker_at_once_and_its_job_is_another_ones
            a_server_that_restarts_loses_no_job
            a_worker_that_waits_for_a_server_can_be_stopped
            without_a_server_each_part_ends_with_a_message
            wrong_arguments_have_a_usage_and_wrong_urls_a_message
        );
    };
    ($queue:ty: $($name:ident)*) => {$(
        #[test]
        fn $name() {
            $crate::scenarios::$name::<$queue>();
        }
    )*};
}

pub fn three_processes_share_the_jobs_of_the_demo<Q: Queue>() {
    let shared = Q::shared();
    let url = Q::url(&shared);
    let mut demo = program::<Q>(url, &with_own::<Q>("demo --queue demo --jobs 200"));
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

pub fn a_job_whose_worker_is_killed_is_done_by_another<Q: Queue>() {
    let shared = Q::shared();
    let url = Q::url(&shared);
    let victim = worker::<Q>(url, "killed", "victim");
    let arguments = "producer --queue killed --jobs 6 --millis 1000";
    let mut producer = program::<Q>(url, arguments);
    victim.wait_for_lines("attempt 1", 4); // all that a worker has at once
    victim.signal("KILL");
    let heir = worker::<Q>(url, "killed", "heir");
    assert_ends(&mut producer, 0);
    producer.wait_for_line("6 of 6 jobs done");
    heir.wait_for_lines("attempt 2", 4);
    heir.wait_for_lines("done", 6);
    assert_eq!(Q::dead_letters(url, "killed"), []);
}

/// Five times a worker is lost; the sixth does not try.
pub fn a_job_that_kills_its_workers_is_given_up_with_an_error<Q: Queue>() {
    let shared = Q::shared();
    let url = Q::url(&shared);
    let arguments = "producer --queue killer --jobs 1 --millis 3600000";
    let mut producer = program::<Q>(url, arguments);
    for attempt in 1..=5 {
        let mut victim = worker::<Q>(url, "killer", "victim");
        victim.wait_for_line(&format!("job 1, attempt {attempt}"));
        victim.signal("KILL");
        victim.wait_exit();
    }
    let mut last = worker::<Q>(url, "killer", "last");
    last.wait_for_line("given up: the worker or the connection was lost 5 times");
    assert_ends(&mut producer, 1);
    producer.wait_for_line("job 1 was given up: the worker or the connection was lost 5 times");
    let letters = Q::dead_letters(url, "killer");
    let [(job, _)] = &letters[..] else {
        panic!("one letter, not {letters:?}");
    };
    assert!(job.starts_with(r#"{"id":1,"#), "{job}");
}

pub fn a_job_that_fails_twice_is_done_at_the_third_attempt<Q: Queue>() {
    let shared = Q::shared();
    let url = Q::url(&shared);
    let worker = worker::<Q>(url, "twice", "w");
    let mut producer = program::<Q>(url, "producer --queue twice --jobs 3 --fail 2");
    assert_ends(&mut producer, 0);
    worker.wait_for_lines("attempt 3", 3);
    assert_eq!(Q::dead_letters(url, "twice"), []);
}

pub fn a_job_that_always_fails_becomes_a_dead_letter_and_its_producer_is_told<Q: Queue>() {
    let shared = Q::shared();
    let url = Q::url(&shared);
    let worker = worker::<Q>(url, "always", "w");
    let mut producer = program::<Q>(url, "producer --queue always --jobs 2 --fail 99");
    assert_ends(&mut producer, 1);
    producer.wait_for_line("job 1 was given up: attempt 5 was told to fail");
    producer.wait_for_line("0 of 2 jobs done");
    worker.wait_for_lines("given up", 2);
    let letters = Q::dead_letters(url, "always");
    assert_eq!(letters.len(), 2, "{letters:?}");
    let errors = letters.iter().map(|(_, error)| error.as_str());
    assert!({ errors }.all(|error| error == "attempt 5 was told to fail"));
}

pub fn what_is_no_job_becomes_a_dead_letter_and_the_worker_lives_on<Q: Queue>() {
    let shared = Q::shared();
    let url = Q::url(&shared);
    let mut worker = worker::<Q>(url, "poison", "w");
    Q::put(url, "poison", "{\"id\": 1, ");
    worker.wait_for_line("given up: not a job");
    Q::put(url, "poison", r#"{"id": 2}"#);
    worker.wait_for_line("given up: not a job: missing field `n`");
    Q::put(url, "poison", r#"{"id": 3, "n": 100}"#); // nobody wants its result
    worker.wait_for_line("job 3 done");
    let letters = Q::dead_letters(url, "poison");
    let texts: Vec<&str> = letters.iter().map(|(text, _)| text.as_str()).collect();
    assert_eq!(texts, ["{\"id\": 1, ", r#"{"id": 2}"#]);
}

pub fn a_producer_without_workers_gives_up_waiting_and_its_jobs_stay<Q: Queue>() {
    let shared = Q::shared();
    let url = Q::url(&shared);
    let arguments = "producer --queue idle --jobs 3 --patience 1";
    let mut producer = program::<Q>(url, arguments);
    assert_ends(&mut producer, 1);
    producer.wait_for_line("no result for 1s: is there a worker?");
    worker::<Q>(url, "idle", "w").wait_for_lines("done", 3);
}

pub fn sigterm_lets_a_worker_finish_its_job<Q: Queue>() {
    let shared = Q::shared();
    let url = Q::url(&shared);
    let mut worker = worker::<Q>(url, "term", "w");
    let mut producer = program::<Q>(url, "producer --queue term --jobs 1 --millis 1000");
    worker.wait_for_line("job 1, attempt 1");
    worker.signal("TERM");
    assert_ends(&mut worker, 0);
    worker.wait_for_line("job 1 done");
    worker.wait_for_line("stops after 1 jobs");
    assert_ends(&mut producer, 0);
}

pub fn the_second_signal_ends_a_worker_at_once_and_its_job_is_another_ones<Q: Queue>() {
    let shared = Q::shared();
    let url = Q::url(&shared);
    let mut first = worker::<Q>(url, "second", "first");
    let mut producer = program::<Q>(url, "producer --queue second --jobs 1 --millis 5000");
    first.wait_for_line("job 1, attempt 1");
    first.signal("TERM");
    first.wait_for_line("asked to stop");
    first.signal("TERM");
    assert_ends(&mut first, 143);
    let _heir = worker::<Q>(url, "second", "heir");
    assert_ends(&mut producer, 0);
}

pub fn a_server_that_restarts_loses_no_job<Q: Queue>() {
    let mut server = Q::own();
    let (one, two) = (
        worker::<Q>(server.url(), "jobs", "one"),
        worker::<Q>(server.url(), "jobs", "two"),
    );
    let mut producer = program::<Q>(server.url(), "producer --jobs 400 --millis 20");
    one.wait_for_lines("done", 40);
    server.restart();
    one.wait_for_lines("done", 60);
    server.kill();
    server.restart();
    assert_ends(&mut producer, 0);
    producer.wait_for_line("400 of 400 jobs done");
    for mut worker in [one, two] {
        worker.wait_for_line(Q::LOST);
        worker.wait_for_line(Q::BACK); // for the first time since then
        worker.signal("TERM");
        assert_ends(&mut worker, 0);
    }
    assert_eq!(Q::dead_letters(server.url(), "jobs"), []);
}

pub fn a_worker_that_waits_for_a_server_can_be_stopped<Q: Queue>() {
    let mut server = Q::own();
    let mut worker = worker::<Q>(server.url(), "jobs", "w");
    server.stop();
    worker.wait_for_line(Q::LOST);
    worker.signal("TERM");
    assert_ends(&mut worker, 0);
}

pub fn without_a_server_each_part_ends_with_a_message<Q: Queue>() {
    let url = Q::url_of_nobody(free_port());
    for mode in ["producer", "worker", "demo"] {
        let mut part = program::<Q>(&url, mode);
        assert_ends(&mut part, 1);
        let line = part.wait_for_line(&format!("no connection to {} at 127.0.0.1:", Q::BROKER));
        assert!(line.contains("does it run"), "{line}");
        assert!(!line.contains("secret"), "{line}");
    }
}

pub fn wrong_arguments_have_a_usage_and_wrong_urls_a_message<Q: Queue>() {
    for arguments in [
        "boss",
        "worker --queue",
        "producer --jobs many",
        "worker --pace 3",
    ] {
        let mut part = program::<Q>(&Q::url_of_nobody(free_port()), arguments);
        assert_ends(&mut part, 2);
        part.wait_for_line(&format!("usage: {} producer", Q::NAME));
    }
    let mut worker = program::<Q>("http://127.0.0.1/", "worker");
    assert_ends(&mut worker, 1);
    worker.wait_for_line(&format!("{} is no {}", Q::URL_VARIABLE, Q::SCHEME));
}
