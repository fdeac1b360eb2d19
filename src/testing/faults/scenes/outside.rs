//! Other programs, signals, threads.

use std::process::Stdio;
use std::time::Duration;

use super::Scene;
use crate::event_loop::Workers;
use crate::fs;
use crate::process::Command;
use crate::signal::{SIGINT, signals};
use crate::sys::faults::errnos::*;
use crate::sys::faults::{Plan, raise_sigint};
use crate::testing::faults::rules::{Fate, rule};
use crate::testing::faults::step::{LOOP, Outcome, call, on_real_loop, step};
use crate::threads::ThreadPool;

pub(super) const FED_CHILD: Scene = Scene {
    name: "a child that is fed and read",
    play: || on_real_loop(fed_child),
    rules: &[
        // A thread waits for it then.
        rule("pidfd_open", &[], Fate::Absorbed),
        rule("waitid", &[], Fate::Absorbed).of("spawn"),
        // A kernel that refuses it refused it at the start.
        rule("waitid", &[], Fate::Untried),
        // It does not want its input: that is no error.
        rule("write", &[EPIPE], Fate::Absorbed),
    ],
};

async fn fed_child() -> Outcome {
    let mut cat = Command::new("cat");
    cat.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = call("spawn", || cat.spawn())?;
    let said = step("communicate", child.communicate(b"hello")).await?;
    assert!(said.status.success());
    assert!(said.stdout == b"hello" || said.stdout.is_empty());
    Ok(())
}

pub(super) const STOPPED_CHILD: Scene = Scene {
    name: "a child that is stopped",
    play: || on_real_loop(stopped_child),
    rules: &[
        rule("pidfd_open", &[], Fate::Absorbed),
        rule("waitid", &[], Fate::Absorbed).of("spawn"),
        // A kernel that refuses it refused it at the start.
        rule("waitid", &[], Fate::Untried),
    ],
};

pub(super) const CHILD_OF_A_SANDBOX: Scene = Scene {
    name: "a child where no pidfd is to be had",
    play: || {
        let plan = Plan::current().expect("a scene has one");
        let _entered = plan.without("pidfd_open", EPERM).enter();
        on_real_loop(fed_child)
    },
    rules: &[
        rule("pidfd_open", &[], Fate::Untried),
        // It is a zombie until the next start: see `refused`.
        rule("eventfd", &[], Fate::Untried),
        rule("pthread_create", &[], Fate::Untried),
        rule("waitid", &[], Fate::Untried),
        rule("write", &[EPIPE], Fate::Absorbed),
    ],
};

async fn stopped_child() -> Outcome {
    let mut sleep = Command::new("cat");
    sleep.stdin(Stdio::piped()).process_group(0);
    let child = call("spawn", || sleep.spawn())?;
    let status = step("stop", child.stop(Duration::from_secs(3))).await?;
    assert!(!status.success());
    call("kill_group", || child.kill_group())
}

pub(super) const SIGNALS: Scene = Scene {
    name: "a stream of signals",
    play: || {
        on_real_loop(async || {
            let mut signals = call("signals", || signals([SIGINT]))?;
            raise_sigint();
            assert_eq!(signals.next().await, Some(SIGINT));
            Ok(())
        })
    },
    rules: &[],
};

pub(super) const POOL: Scene = Scene {
    name: "a thread pool",
    play: || {
        on_real_loop(async || {
            let pool = ThreadPool::new(1);
            let value = step("run", pool.run(|| 5)).await;
            pool.shutdown().await;
            assert_eq!(value?, 5);
            Ok(())
        })
    },
    // The loop has said so before.
    rules: &[rule("pthread_atfork", &[], Fate::Absorbed).of(LOOP)],
};

pub(super) const FILES: Scene = Scene {
    name: "a file that is written and read on threads",
    play: || on_real_loop(files),
    rules: &[],
};

async fn files() -> Outcome {
    let path = std::env::temp_dir().join(format!("petla-faults-file-{}", std::process::id()));
    step("write", fs::write_atomic(&path, "text")).await?;
    assert_eq!(step("read", fs::read(&path)).await?, b"text");
    step("remove_file", fs::remove_file(&path)).await
}

/// Its threads have no step.
const WORKER: &str = "";

pub(super) const WORKERS: Scene = Scene {
    name: "two loops on threads of their own",
    play: || {
        let plan = Plan::current().expect("a scene has one");
        let _everywhere = plan.enter_everywhere();
        let workers = Workers::new(2).pinned(true);
        let ended = call(RUN, || workers.run(async |worker| worker.index()))?;
        let values: Vec<usize> = ended.into_iter().map(Result::unwrap).collect();
        assert_eq!(values, [0, 1]);
        Ok(())
    },
    rules: &[
        // All or none: a thread that cannot make its loop ends the others.
        rule("epoll_create1", &[], Fate::ComesOutOf(RUN)).of(WORKER),
        rule("epoll_ctl_add", &[], Fate::ComesOutOf(RUN)).of(WORKER),
        rule("pthread_atfork", &[], Fate::ComesOutOf(RUN)).of(WORKER),
        rule("sched_setaffinity", &[], Fate::ComesOutOf(RUN)).of(WORKER),
    ],
};

const RUN: &str = "run the workers";
