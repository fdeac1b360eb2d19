//! Jobs and what becomes of them: done, divided, retried, buried.

mod common;

use std::collections::HashSet;

use common::{Bench, LIMIT, count};
use petla_testbed::wait_for;

#[test]
fn three_workers_do_300_jobs_each_once() {
    let bench = Bench::new();
    let names = ["one", "two", "three"];
    let workers = names.map(|name| bench.worker(name, &["--hands", "2"]));
    let mut producer = bench.producer("sleep", r#"{"ms":2}"#, "300");
    producer.wait_for_line("300 done, 0 failed for good");
    assert!(producer.wait_exit().success());
    let mut done = HashSet::new();
    for (name, mut worker) in names.into_iter().zip(workers) {
        worker.signal("TERM");
        assert!(worker.wait_exit().success());
        let lines = worker.lines();
        let ends = lines.iter().filter(|line| line.ends_with(" done"));
        let ends: Vec<String> = ends.map(|line| line.replace(name, "")).collect();
        assert!(!ends.is_empty(), "each has a part of the work");
        done.extend(ends);
    }
    assert_eq!(done.len(), 300);
    bench.is_empty();
}

#[test]
fn a_job_gives_its_value_to_whoever_asks() {
    let bench = Bench::new();
    let _worker = bench.worker("one", &["--keep", "77"]);
    let mut producer = bench.producer("square", r#"{"n":12}"#, "1");
    assert!(producer.wait_exit().success());
    producer.wait_for_line("1 done, 0 failed");
    producer.wait_for_line("1 by one");
    let key = bench.redis.cli(&["KEYS", "petla:outcome:*"]);
    let outcome = bench.redis.cli(&["XRANGE", &key, "-", "+"]);
    assert!(outcome.contains(r#""value":144"#), "{outcome}");
    let expires: u32 = bench.redis.cli(&["TTL", &key]).parse().unwrap();
    assert!((60..=77).contains(&expires), "{expires}");
}

#[test]
fn a_job_that_fails_is_tried_again() {
    let bench = Bench::new();
    let worker = bench.worker("one", &[]);
    let mut producer = bench.producer("unlucky", r#"{"times":2}"#, "1");
    producer.wait_for_line("1 done");
    assert!(producer.wait_exit().success());
    assert_eq!(count(&worker, "fails: no luck"), 2);
    assert_eq!(count(&worker, "begins, attempt 3"), 1);
    assert_eq!(bench.dead(), "");
    bench.is_empty();
}

#[test]
fn a_job_that_fails_every_time_is_a_dead_letter_with_its_error() {
    let bench = Bench::new();
    let worker = bench.worker("one", &["--attempts", "4"]);
    let mut producer = bench.producer("unlucky", r#"{"times":9}"#, "1");
    producer.wait_for_line("0 done, 1 failed for good");
    producer.wait_for_line("fails: no luck, attempt 4");
    assert_eq!(producer.wait_exit().code(), Some(1));
    assert_eq!(count(&worker, "begins"), 4);
    let dead = bench.dead();
    assert!(
        dead.contains(r#""times":9"#) && dead.contains("no luck, attempt 4"),
        "{dead}"
    );
    bench.is_empty();
}

#[test]
fn a_job_that_panics_fails_and_its_worker_goes_on() {
    let bench = Bench::new();
    let mut worker = bench.worker("one", &[]);
    let mut producer = bench.producer("panic", "null", "1");
    producer.wait_for_line("this job panics");
    assert_eq!(producer.wait_exit().code(), Some(1));
    let mut producer = bench.producer("square", r#"{"n":3}"#, "1");
    assert!(producer.wait_exit().success());
    worker.signal("TERM");
    assert!(worker.wait_exit().success());
}

#[test]
fn jobs_that_nobody_can_do_say_what_is_wrong() {
    let bench = Bench::new();
    let _worker = bench.worker("one", &[]);
    for (task, args, error) in [
        ("fly", "null", r#"fails: no task "fly""#),
        (
            "square",
            "{}",
            r#"fails: "square" needs a whole number "n""#,
        ),
        ("square", r#"{"n":5000000000}"#, "fails: too large"),
    ] {
        let mut producer = bench.producer(task, args, "1");
        producer.wait_for_line(error);
        assert_eq!(producer.wait_exit().code(), Some(1));
    }
    bench.is_empty();
}

#[test]
fn a_message_that_is_no_job_is_a_dead_letter() {
    let bench = Bench::new();
    let mut worker = bench.worker("one", &[]);
    bench
        .redis
        .cli(&["XADD", "petla:jobs", "*", "job", "{\"id\": 5, nonsense"]);
    bench
        .redis
        .cli(&["XADD", "petla:jobs", "*", "letter", "to the editor"]);
    worker.wait_for_line("a message that is no job: ");
    worker.wait_for_line("a message that is no job: ");
    wait_for("two dead letters", LIMIT, || {
        bench.redis.cli(&["XLEN", "petla:dead"]) == "2"
    });
    assert!(bench.dead().contains("nonsense"), "{}", bench.dead());
    assert!(bench.dead().contains("no job: "), "{}", bench.dead());
    let mut producer = bench.producer("square", r#"{"n":3}"#, "1");
    assert!(producer.wait_exit().success());
    bench.is_empty();
}

#[test]
fn jobs_wait_for_a_worker() {
    let bench = Bench::new();
    let mut producer = bench.producer("square", r#"{"n":3}"#, "5");
    wait_for("the jobs", LIMIT, || {
        bench.redis.cli(&["EXISTS", "petla:jobs"]) == "1"
            && bench.redis.cli(&["XLEN", "petla:jobs"]) == "5"
    });
    let _worker = bench.worker("one", &[]);
    producer.wait_for_line("5 done");
    assert!(producer.wait_exit().success());
}

#[test]
fn the_demonstration_divides_the_work() {
    let bench = Bench::new();
    let mut demo = bench.start("demo", &["--jobs", "300"]);
    demo.wait_for_line("300 jobs for 3 workers");
    demo.wait_for_line("299 done, 1 failed for good");
    for worker in ["worker-1", "worker-2", "worker-3"] {
        demo.wait_for_line(&format!(" by {worker}"));
    }
    demo.wait_for_line("fails: no luck, attempt 3");
    assert!(demo.wait_exit().success());
    bench.is_empty();
}
