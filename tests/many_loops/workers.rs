//! `Workers`: begun together, ended together, every outcome told.

use std::collections::HashSet;
use std::future::pending;
use std::io::ErrorKind;
use std::os::unix::process::ExitStatusExt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, mpsc};
use std::thread;

use petla::event_loop::{Worker, Workers};
use petla::sync::{Barrier, CancelToken};
use petla::{CancelScope, EventLoop, JoinError, LoopHandle, spawn};

use crate::common::{Drops, alone, panic_text, raise, succeeds_alone, text, within};

/// What an outcome says, errors in words.
fn said<T: ToString>(outcomes: Vec<Result<T, JoinError>>) -> Vec<String> {
    let words = |outcome: Result<T, JoinError>| match outcome {
        Ok(value) => value.to_string(),
        Err(error) => error.to_string(),
    };
    outcomes.into_iter().map(words).collect()
}

#[test]
fn each_main_has_a_thread_and_a_loop_of_its_own_and_may_borrow() {
    let threads = Mutex::new(Vec::new());
    let outcomes = Workers::new(4).named("serve").run(async |worker| {
        let name = thread::current().name().unwrap().to_owned();
        assert_eq!(name, format!("serve-{}", worker.index()));
        threads.lock().unwrap().push(thread::current().id());
        assert_eq!(worker.loops().len(), 4);
        spawn(async { 1 }).await.unwrap() + worker.index()
    });
    assert_eq!(said(outcomes.unwrap()), ["1", "2", "3", "4"]);
    let threads: HashSet<_> = threads.into_inner().unwrap().into_iter().collect();
    assert_eq!(threads.len(), 4);
    assert!(!threads.contains(&thread::current().id()));
}

#[test]
fn all_run_at_the_same_time_and_reach_each_other() {
    let barrier = Barrier::new(3);
    let outcomes = Workers::new(3).run(async |worker| {
        let next = (worker.index() + 1) % worker.loops().len();
        // Not `Send`, made over there.
        let there = worker.loops()[next].spawn(async move || *std::rc::Rc::new(next * 10));
        let answer = there.await.unwrap();
        barrier.wait().await.unwrap(); // a loop that ends early answers nobody
        answer
    });
    assert_eq!(said(outcomes.unwrap()), ["10", "20", "0"]);
}

#[test]
fn a_worker_that_ends_leaves_the_others_alone() {
    let (send, receive) = mpsc::channel();
    let receive = Mutex::new(receive);
    let outcomes = Workers::new(2).run(async |worker| match worker.index() {
        0 => drop(send.send(())),
        _ => receive.lock().unwrap().recv().unwrap(),
    });
    assert!(outcomes.unwrap().iter().all(Result::is_ok));
}

#[test]
fn a_panic_comes_back_and_cancels_the_others_whose_clean_ups_run() {
    let (clean, barrier) = (AtomicUsize::new(0), Barrier::new(3));
    let outcomes = Workers::new(3).run(async |worker| {
        if worker.index() == 1 {
            barrier.wait().await.unwrap();
            raise("a bad worker");
        }
        let scope = CancelScope::new().run(async |scope| {
            scope.on_cancel(async {
                petla::yield_now().await;
                clean.fetch_add(1, Ordering::Relaxed);
            });
            barrier.wait().await.unwrap();
            pending::<()>().await
        });
        drop(scope.await);
    });
    let ended = "task cancelled: worker-1 panicked";
    let expected = [ended, "task panicked: a bad worker", ended];
    assert_eq!(
        said(
            outcomes
                .unwrap()
                .into_iter()
                .map(|r| r.map(|()| ""))
                .collect()
        ),
        expected
    );
    assert_eq!(clean.into_inner(), 2);
}

#[test]
fn a_panic_before_the_future_is_made_comes_back_too() {
    let mains = |worker: Worker| -> std::future::Pending<i32> {
        if worker.index() == 0 {
            raise("no future");
        }
        pending()
    };
    let outcomes = said(Workers::new(2).run(mains).unwrap());
    assert_eq!(outcomes[0], "task panicked: no future");
    assert_eq!(outcomes[1], "task cancelled: worker-0 panicked");
}

#[test]
fn the_token_ends_all_from_inside_from_outside_and_before_they_begin() {
    let forever = async |_: Worker| pending::<i32>().await;
    let (inside, outside) = (CancelToken::new(), CancelToken::new());
    let outcomes = Workers::new(2).token(&inside).run(async |worker| {
        worker.token().cancel("from inside");
        forever(worker).await
    });
    assert_eq!(said(outcomes.unwrap()), ["task cancelled: from inside"; 2]);
    assert!(inside.is_cancelled(), "it is the same token");

    let outcomes = thread::scope(|scope| {
        let workers = Workers::new(2).token(&outside);
        let thread = scope.spawn(move || workers.run(forever));
        outside.cancel("from outside");
        thread.join().unwrap()
    });
    assert_eq!(said(outcomes.unwrap()), ["task cancelled: from outside"; 2]);
    let begun = Workers::new(2)
        .token(&outside)
        .run(async |_| raise("it begins"));
    assert_eq!(
        said::<i32>(begun.unwrap()),
        ["task cancelled: from outside"; 2]
    );
}

#[test]
fn a_loop_that_is_stopped_gives_a_cancelled_outcome() {
    let outcomes = Workers::new(2).run(async |worker| {
        LoopHandle::current().stop();
        if worker.index() == 0 {
            7
        } else {
            pending().await
        }
    });
    let stopped = "task cancelled: the event loop was stopped before the main task ended";
    assert_eq!(said::<i32>(outcomes.unwrap()), ["7", stopped]);
}

#[test]
fn other_tasks_of_a_worker_end_with_its_main() {
    let drops = Drops::default();
    let outcomes = Workers::new(2).run(async |_| drop(spawn(drops.forever())));
    assert_eq!(outcomes.unwrap().len(), 2);
    assert_eq!(drops.count(), 2);
}

#[test]
fn none_of_them_or_inside_a_loop_is_refused() {
    let error = Workers::new(0).run(async |_| ()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    let text = panic_text(|| within(async { Workers::new(1).run(async |_| ()).map(drop) }));
    assert!(text.contains("call it on another thread"), "{text}");
    assert!(Workers::per_core().count() >= 1);
}

#[test]
fn if_one_loop_cannot_be_made_nothing_runs_and_the_error_comes_back() {
    succeeds_alone(|| {
        let room = 8; // each loop takes two descriptors
        let mut limit = libc::rlimit {
            rlim_cur: 0,
            rlim_max: 0,
        };
        // SAFETY: `limit` is valid for the call.
        unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) };
        let free = std::fs::File::open("/dev/null").unwrap();
        limit.rlim_cur = std::os::fd::AsRawFd::as_raw_fd(&free) as u64 + room;
        // SAFETY: as above.
        unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) };
        let error = Workers::new(50)
            .run(async |_| raise("it runs"))
            .map(said::<i32>);
        assert_eq!(error.unwrap_err().raw_os_error(), Some(libc::EMFILE));
        // And all is given back.
        assert_eq!(said(Workers::new(2).run(async |_| 1).unwrap()), ["1", "1"]);
    });
}

#[test]
fn pinned_workers_take_the_cores_in_turn_and_the_caller_keeps_its_own() {
    let mine = cores();
    let outcomes = Workers::new(2 * mine.len())
        .pinned(true)
        .run(async |_| cores());
    for (index, outcome) in outcomes.unwrap().into_iter().enumerate() {
        assert_eq!(outcome.unwrap(), [mine[index % mine.len()]]);
    }
    assert_eq!(cores(), mine);
}

/// The cores of this thread.
fn cores() -> Vec<usize> {
    let status = std::fs::read_to_string("/proc/thread-self/status").unwrap();
    let list = status
        .lines()
        .find_map(|line| line.strip_prefix("Cpus_allowed_list:"));
    let ranges = list.unwrap().trim().split(',').flat_map(|range| {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        first.parse::<usize>().unwrap()..=last.parse().unwrap()
    });
    ranges.collect()
}

#[test]
fn one_sigint_ends_all_workers_in_order_and_then_the_process_has_its_own_action_back() {
    let output = alone(|| {
        let clean = AtomicUsize::new(0);
        let barrier = Barrier::new(3);
        let workers = Workers::new(3).builder(EventLoop::builder().sigint(true));
        let outcomes = workers.run(async |worker| {
            let scope = CancelScope::new().run(async |scope| {
                scope.on_cancel(async {
                    clean.fetch_add(1, Ordering::Relaxed);
                });
                barrier.wait().await.unwrap();
                if worker.index() == 0 {
                    // SAFETY: takes numbers.
                    unsafe { libc::kill(std::process::id().cast_signed(), libc::SIGINT) };
                }
                pending::<i32>().await
            });
            scope.await.unwrap()
        });
        assert_eq!(
            said(outcomes.unwrap()),
            ["task cancelled: interrupted by SIGINT"; 3]
        );
        assert_eq!(clean.into_inner(), 3);
        println!("in order");
        // SAFETY: takes a number.
        unsafe { libc::raise(libc::SIGINT) };
    });
    let Some(output) = output else { return };
    assert!(
        text(&output.stdout).contains("in order"),
        "{}",
        text(&output.stderr)
    );
    assert_eq!(output.status.signal(), Some(libc::SIGINT));
}
