//! The example `worker_processes`: its workers are this test's program, started again.

mod common;

#[path = "../examples/worker_processes.rs"]
#[allow(dead_code, reason = "its main() starts another program")]
mod example;

/// In a worker's process: works until its input ends, and says nothing more.
fn worker() {
    let end = example::work();
    std::process::exit(i32::from(end.is_err()));
}

#[test]
fn jobs_that_crash_or_hang_are_tried_twice_and_all_others_are_done() {
    let start = || {
        let this = common::alone_command(worker);
        this.expect("a worker does not come back").into()
    };
    if std::env::var_os("PETLA_TEST_ALONE").is_some() {
        start();
    }
    let summary = example::run(start).unwrap();
    assert_eq!(
        summary,
        "23 of 26 jobs done, at most 4 at a time\n\
         crash: given up after 2 attempts: the worker ended: signal: 6 (SIGABRT)\n\
         hang: given up after 2 attempts: no answer within 1s\n\
         refuse: no such job\n\
         5 workers were lost, all others ended well"
    );
}
