//! A Redis and programs around it.
#![allow(dead_code, reason = "each test program uses its part")]

use std::process::Command;
use std::time::Duration;

use petla_testbed::{Program, Redis};

pub(crate) const LIMIT: Duration = Duration::from_secs(30);

pub(crate) struct Bench {
    pub(crate) redis: Redis,
    /// For every program.
    pub(crate) options: Vec<&'static str>,
}

impl Bench {
    /// Whatever takes time takes little of it.
    pub(crate) fn new() -> Bench {
        Bench {
            redis: Redis::start(),
            options: vec!["--backoff", "20", "--min-idle", "1000"],
        }
    }

    pub(crate) fn start(&self, mode: &str, options: &[&str]) -> Program {
        program(
            mode,
            &[&["--url", self.redis.url()], &self.options[..], options].concat(),
        )
    }

    /// A worker that is ready.
    pub(crate) fn worker(&self, name: &str, options: &[&str]) -> Program {
        let mut worker = self.start("worker", &[&["--name", name], options].concat());
        worker.wait_for_line(&format!("{name}: ready"));
        worker
    }

    pub(crate) fn producer(&self, task: &str, args: &str, jobs: &str) -> Program {
        self.start(
            "producer",
            &["--task", task, "--args", args, "--jobs", jobs],
        )
    }

    /// Every job has its end: nothing waits, nothing is in anybody's hands.
    #[track_caller]
    pub(crate) fn is_empty(&self) {
        assert_eq!(self.redis.cli(&["XLEN", "petla:jobs"]), "0");
        assert_eq!(self.redis.cli(&["ZCARD", "petla:retry"]), "0");
        let pending = self.redis.cli(&["XPENDING", "petla:jobs", "workers"]);
        assert_eq!(pending.lines().next(), Some("0"), "{pending}");
    }

    /// Fields and values of all dead letters.
    pub(crate) fn dead(&self) -> String {
        self.redis.cli(&["XRANGE", "petla:dead", "-", "+"])
    }
}

pub(crate) fn program(mode: &str, options: &[&str]) -> Program {
    let mut command = Command::new(env!("CARGO_BIN_EXE_petla-redis-queue"));
    command.arg(mode).args(options);
    Program::start(command)
}

/// How many lines so far contain `part`.
pub(crate) fn count(program: &Program, part: &str) -> usize {
    let lines = program.lines();
    lines.iter().filter(|line| line.contains(part)).count()
}
