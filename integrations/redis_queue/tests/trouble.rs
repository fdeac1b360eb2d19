//! Workers that die, a Redis that is away, arguments that are wrong.

mod common;

use common::{Bench, LIMIT, count, program};
use petla_testbed::{Redis, free_port, wait_for};

#[test]
fn a_job_of_a_worker_that_is_killed_is_done_by_another() {
    let bench = Bench::new();
    let mut first = bench.worker("first", &[]);
    let mut producer = bench.producer("sleep", r#"{"ms":1000}"#, "1");
    first.wait_for_line("begins, attempt 1");
    first.signal("KILL");
    let mut second = bench.worker("second", &[]);
    second.wait_for_line("begins, attempt 2");
    producer.wait_for_line("1 done");
    producer.wait_for_line("1 by second");
    assert!(producer.wait_exit().success());
    second.signal("TERM");
    second.wait_for_line("second: 1 jobs, ended");
    bench.is_empty();
}

#[test]
fn a_job_that_takes_long_is_not_taken_from_its_worker() {
    let bench = Bench::new();
    let mut first = bench.worker("first", &[]);
    let mut producer = bench.producer("sleep", r#"{"ms":3000}"#, "1");
    first.wait_for_line("begins");
    let second = bench.worker("second", &[]); // three times its patience
    producer.wait_for_line("1 by first");
    assert!(producer.wait_exit().success());
    assert_eq!(count(&second, "begins"), 0);
}

#[test]
fn a_job_that_is_taken_from_a_stopped_worker_has_one_outcome() {
    let bench = Bench::new();
    let mut first = bench.worker("first", &[]);
    let mut producer = bench.producer("sleep", r#"{"ms":500}"#, "1");
    first.wait_for_line("begins");
    first.signal("STOP");
    let _second = bench.worker("second", &[]);
    producer.wait_for_line("1 by second");
    first.signal("CONT");
    first.wait_for_line("somebody else was faster");
    assert!(producer.wait_exit().success());
    bench.is_empty();
}

#[test]
fn a_job_that_kills_its_workers_is_given_up() {
    let bench = Bench::new();
    let mut producer = bench.producer("crash", "null", "1");
    for attempt in 1..=3 {
        let mut worker = bench.worker("victim", &[]);
        worker.wait_for_line(&format!("begins, attempt {attempt}"));
        assert_eq!(worker.wait_exit().code(), None, "a signal ended it");
    }
    let _worker = bench.worker("survivor", &[]);
    producer.wait_for_line("fails: given up: the worker died in each of 3 attempts");
    assert_eq!(producer.wait_exit().code(), Some(1));
    assert!(bench.dead().contains("crash"), "{}", bench.dead());
    bench.is_empty();
}

#[test]
fn a_worker_that_is_to_end_ends_its_jobs_first() {
    let bench = Bench::new();
    for (signal, code) in [("TERM", 0), ("INT", 130)] {
        let mut worker = bench.worker("one", &[]);
        let mut producer = bench.producer("sleep", r#"{"ms":700}"#, "1");
        worker.wait_for_line("begins");
        worker.signal(signal);
        worker.wait_for_line("one: ends when its jobs have");
        worker.wait_for_line("done");
        worker.wait_for_line("one: 1 jobs, ended");
        assert_eq!(worker.wait_exit().code(), Some(code));
        assert!(producer.wait_exit().success());
    }
    bench.is_empty();
}

#[test]
fn a_worker_that_is_to_end_begins_no_job() {
    let bench = Bench::new();
    let mut worker = bench.worker("one", &["--hands", "1"]);
    let _producer = bench.producer("sleep", r#"{"ms":500}"#, "5");
    worker.wait_for_line("begins");
    worker.signal("TERM");
    worker.wait_for_line("one: 1 jobs, ended");
    assert_eq!(worker.wait_exit().code(), Some(0));
    assert_eq!(bench.redis.cli(&["XLEN", "petla:jobs"]), "4");
}

#[test]
fn a_job_that_does_not_end_is_left_to_others() {
    let bench = Bench::new();
    let mut first = bench.worker("first", &["--grace", "1"]);
    let mut producer = bench.producer("sleep", r#"{"ms":1500}"#, "1");
    first.wait_for_line("begins");
    first.signal("TERM");
    first.wait_for_line("leaves jobs to others");
    assert_eq!(first.wait_exit().code(), Some(1));
    let _second = bench.worker("second", &[]);
    producer.wait_for_line("1 by second");
    assert!(producer.wait_exit().success());
}

#[test]
fn everybody_goes_on_when_redis_has_restarted() {
    let mut bench = Bench::new();
    let mut worker = bench.worker("one", &["--hands", "1"]);
    let mut producer = bench.producer("sleep", r#"{"ms":100}"#, "20");
    worker.wait_for_line("done");
    worker.wait_for_line("begins");
    bench.redis.stop();
    worker.wait_for_line("tries again"); // in the middle of a job
    producer.wait_for_line("tries again");
    bench.redis.restart();
    producer.wait_for_line("20 done, 0 failed");
    assert!(producer.wait_exit().success());
    bench.is_empty();
}

#[test]
fn everybody_goes_on_when_redis_has_crashed() {
    let mut bench = Bench::new();
    let mut worker = bench.worker("one", &["--hands", "1"]);
    let mut producer = bench.producer("sleep", r#"{"ms":100}"#, "20");
    worker.wait_for_line("done");
    bench.redis.kill();
    worker.wait_for_line("tries again");
    bench.redis.restart();
    producer.wait_for_line("20 done, 0 failed");
    assert!(producer.wait_exit().success());
    bench.is_empty();
}

#[test]
fn a_worker_makes_its_group_again_in_a_redis_that_lost_its_data() {
    let bench = Bench::new();
    let mut worker = bench.worker("one", &[]);
    bench.redis.cli(&["FLUSHALL"]);
    worker.wait_for_line("tries again");
    let mut producer = bench.producer("square", r#"{"n":3}"#, "1");
    producer.wait_for_line("1 done");
    assert!(producer.wait_exit().success());
}

#[test]
fn without_redis_everybody_says_so_and_ends_with_1() {
    let url = format!("redis://127.0.0.1:{}/", free_port());
    for mode in ["worker", "producer", "demo"] {
        let mut program = program(mode, &["--url", &url]);
        assert_eq!(program.wait_exit().code(), Some(1), "{mode}");
        program.wait_for_line("petla-redis-queue: Redis at 127.0.0.1:");
        let text = program.lines().join("\n");
        assert!(text.contains("does redis-server run there?"), "{text}");
        assert!(text.contains("refused"), "{text}");
    }
}

#[test]
fn a_wrong_password_is_named_and_not_shown() {
    let redis = Redis::start_with_password("sesame");
    let url = redis.url().replace("sesame", "barley");
    let mut producer = program("producer", &["--url", &url]);
    assert_eq!(producer.wait_exit().code(), Some(1));
    let text = producer.lines().join("\n");
    assert!(text.contains("the login failed"), "{text}");
    assert!(!text.contains("barley"), "{text}");

    let mut worker = program("worker", &["--url", redis.url(), "--name", "one"]);
    worker.wait_for_line("one: ready");
}

#[test]
fn a_producer_does_not_wait_for_ever() {
    let bench = Bench::new();
    let mut producer = bench.start("producer", &["--limit", "1"]);
    assert_eq!(producer.wait_exit().code(), Some(1));
    producer.wait_for_line("not all outcomes within 1s: does a worker run?");
}

#[test]
fn wrong_arguments_are_refused_with_exit_code_2() {
    for (mode, options, message) in [
        ("dance", vec![], "no mode dance"),
        ("worker", vec!["--jobs"], "--jobs needs a value"),
        (
            "worker",
            vec!["--hands", "0"],
            "--hands 0: not a whole number from 1",
        ),
        (
            "worker",
            vec!["--colour", "red"],
            "--colour red: no such option",
        ),
        ("producer", vec!["--args", "{n:"], "--args {n:: not JSON"),
    ] {
        let mut program = program(mode, &options);
        assert_eq!(program.wait_exit().code(), Some(2), "{mode} {options:?}");
        program.wait_for_line(message);
        program.wait_for_line("usage: ");
    }
    let mut worker = program("worker", &["--url", "http://127.0.0.1/"]);
    assert_eq!(worker.wait_exit().code(), Some(1));
    worker.wait_for_line("not a URL such as redis://");
}

/// A worker runs on one thread.
#[test]
fn a_worker_starts_no_thread() {
    let bench = Bench::new();
    let worker = bench.worker("one", &[]);
    let mut producer = bench.producer("square", r#"{"n":3}"#, "10");
    assert!(producer.wait_exit().success());
    let threads = std::fs::read_dir(format!("/proc/{}/task", worker.pid()));
    assert_eq!(threads.unwrap().count(), 1);
    wait_for("an empty queue", LIMIT, || {
        bench.redis.cli(&["XLEN", "petla:jobs"]) == "0"
    });
}
