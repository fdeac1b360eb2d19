//! What does not wait for threads: the end of a loop, and of the process. And forks.

use std::pin::pin;
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use petla::threads::{ThreadPool, default_limiter};
use petla::{EventLoop, to_thread};

use super::gate;
use crate::common::fork::{exit_after, fork, reap};
use crate::common::{
    alone, collect_reports_of, poll_once, succeeds_alone, text, within, yield_until,
};

#[test]
fn neither_the_loop_nor_the_process_waits_for_a_thread() {
    let Some(output) = alone(|| {
        petla::run(async {
            let (begins, begun) = channel();
            let mut stuck = Box::pin(to_thread(move || {
                begins.send(()).unwrap();
                thread::sleep(Duration::from_secs(1_000_000));
            }));
            assert!(poll_once(&mut stuck).is_pending());
            yield_until(|| begun.try_recv().is_ok()).await;
        });
        println!("the loop is over");
    }) else {
        return;
    };
    let out = text(&output.stdout);
    assert!(
        output.status.success() && out.contains("the loop is over"),
        "{out}"
    );
}

#[test]
fn in_debug_mode_a_loop_says_what_its_threads_go_on_with() {
    let (held, gate) = gate();
    let (other, early) = super::gate();
    let pool = ThreadPool::new(1);
    let event_loop = EventLoop::builder().debug(true).build().unwrap();
    let reports = collect_reports_of(&event_loop);
    let line = line!() + 3;
    event_loop
        .run_until_complete(async {
            let mut stuck = Box::pin(to_thread(move || gate.pass()));
            assert!(poll_once(&mut stuck).is_pending());
            to_thread(|| ()).await.unwrap();
            let mut abandoned = Box::pin(pool.run(move || early.pass()));
            assert!(poll_once(&mut abandoned).is_pending());
            other.reached().await;
            held.reached().await;
            drop(abandoned);
            other.open();
            yield_until(|| pool.limiter().borrowed() == 0).await;
            assert_eq!(reports.len(), 0);
        })
        .unwrap();
    event_loop.close().unwrap();
    let report = reports.only();
    let start = "threads go on with work of a loop that is closed (1), from ";
    assert!(
        report.starts_with(start) && report.contains(&format!("ends.rs:{line}:")),
        "{report}"
    );
    held.open();
}

#[test]
fn a_loop_that_is_not_in_debug_mode_says_nothing() {
    let (held, gate) = gate();
    let event_loop = EventLoop::new().unwrap();
    let reports = collect_reports_of(&event_loop);
    event_loop
        .run_until_complete(async {
            let mut stuck = pin!(to_thread(move || gate.pass()));
            assert!(poll_once(&mut stuck.as_mut()).is_pending());
            held.reached().await;
        })
        .unwrap();
    event_loop.close().unwrap();
    assert_eq!(reports.len(), 0);
    held.open();
}

#[test]
fn a_forked_child_has_threads_of_its_own_and_none_of_its_parent() {
    succeeds_alone(|| {
        let pool = ThreadPool::new(1);
        let stuck = within(async {
            let (held, gate) = gate();
            let mut stuck = Box::pin(to_thread(move || gate.pass()));
            assert!(poll_once(&mut stuck).is_pending());
            held.reached().await;
            assert_eq!(pool.run(|| 5).await.unwrap(), 5);
            (stuck, held)
        });
        match fork() {
            0 => exit_after(|| {
                drop(stuck);
                within(async {
                    assert_eq!(default_limiter().borrowed(), 0);
                    assert_eq!(to_thread(|| 7).await.unwrap(), 7);
                    let refused = pool.run(|| 5).await.unwrap_err();
                    let why = "its thread pool is the parent's of this forked process";
                    assert_eq!(refused.reason(), Some(why));
                    assert_eq!((pool.threads(), pool.working()), (0, 0));
                });
                drop(pool);
            }),
            child => reap(child),
        }
        stuck.1.open();
        within(async { assert_eq!(pool.run(|| 6).await.unwrap(), 6) });
    });
}

#[test]
fn work_may_fork_and_its_child_ends_with_it() {
    succeeds_alone(|| {
        within(async {
            let child = to_thread(fork).await.unwrap();
            // In the child this thread is not there, and the worker ends, which ends the process.
            reap(child);
            assert_eq!(to_thread(|| 7).await.unwrap(), 7);
        });
    });
}

#[test]
fn threads_of_two_loops_and_no_loop_share_a_pool() {
    let pool = std::sync::Arc::new(ThreadPool::new(2));
    let loops: Vec<_> = (0..3)
        .map(|_| {
            let pool = pool.clone();
            thread::spawn(move || {
                within(async {
                    for n in 0..100 {
                        assert_eq!(pool.run(move || n).await.unwrap(), n);
                    }
                });
            })
        })
        .collect();
    loops.into_iter().for_each(|thread| thread.join().unwrap());
    assert!(pool.threads() <= 2);
}
