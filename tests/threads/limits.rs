//! How much runs at once, and who says so.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::thread;
use std::time::Duration;

use petla::sync::CapacityLimiter;
use petla::threads::{ThreadPool, default_limiter};
use petla::{gather, spawn, timeout, to_thread, yield_now};

use super::gate;
use crate::common::{Bell, poll_once, succeeds_alone, within, yield_until};

/// How many threads of this name the process has.
fn threads_called(name: &str) -> usize {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap();
    let names = tasks.filter_map(|task| {
        // A thread may end meanwhile.
        std::fs::read_to_string(task.ok()?.path().join("comm")).ok()
    });
    names.filter(|comm| comm.starts_with(name)).count()
}

#[test]
fn a_thousand_at_once_leave_forty_threads_at_most() {
    succeeds_alone(|| {
        within(async {
            let most = Arc::new(AtomicUsize::new(0));
            let work = (0..1_000).map(|_| {
                let most = most.clone();
                to_thread(move || {
                    most.fetch_max(default_limiter().borrowed(), SeqCst);
                    thread::current().id()
                })
            });
            let ids: HashSet<_> = gather(work).await.into_iter().map(Result::unwrap).collect();
            assert!(most.load(SeqCst) <= 40);
            assert!(ids.len() <= 40, "{}", ids.len());
            assert!(threads_called("petla-worker") <= 40);
        });
    });
}

#[test]
fn forty_that_block_keep_the_next_one_waiting_and_no_lookup() {
    succeeds_alone(|| {
        within(async {
            let (held, gates): (Vec<_>, Vec<_>) = (0..40).map(|_| gate()).unzip();
            let blocked: Vec<_> = gates
                .into_iter()
                .map(|gate| spawn(to_thread(move || gate.pass())))
                .collect();
            for one in &held {
                one.reached().await;
            }
            let mut next = Box::pin(to_thread(|| 7));
            assert!(poll_once(&mut next).is_pending());
            assert_eq!(default_limiter().statistics().waiting, 1);
            // A name is looked up all the same; whether somebody listens there is not the question.
            if let Err(error) = petla::net::TcpStream::connect("localhost:1").await {
                assert!(!error.to_string().contains("cannot find"), "{error}");
            }
            assert!(poll_once(&mut next).is_pending());
            held[13].open();
            assert_eq!(next.await.unwrap(), 7);
            held.iter().for_each(super::Held::open);
            gather(blocked).await;
            assert_eq!(default_limiter().borrowed(), 0);
        });
    });
}

#[test]
fn the_limit_may_be_raised_and_lowered_while_work_runs() {
    static LIMIT: CapacityLimiter = CapacityLimiter::new(0);
    within(async {
        let (held, gates): (Vec<_>, Vec<_>) = (0..3).map(|_| gate()).unzip();
        let work: Vec<_> = gates
            .into_iter()
            .map(|gate| spawn(to_thread(move || gate.pass()).limiter(&LIMIT)))
            .collect();
        for _ in 0..50 {
            yield_now().await;
        }
        let begun = || held.iter().filter(|one| one.is_reached()).count();
        assert_eq!((begun(), LIMIT.statistics().waiting), (0, 3), "0 is closed");
        LIMIT.set_total(2);
        held[0].reached().await;
        held[1].reached().await;
        LIMIT.set_total(1);
        held[0].open();
        yield_until(|| LIMIT.borrowed() == 1).await;
        for _ in 0..50 {
            yield_now().await;
        }
        assert_eq!(begun(), 0, "one runs, and one may");
        held[1].open();
        held[2].reached().await;
        held[2].open();
        gather(work).await;
        assert_eq!(LIMIT.borrowed(), 0);
    });
}

#[test]
fn a_place_is_listed_with_where_it_was_asked_for() {
    static LIMIT: CapacityLimiter = CapacityLimiter::new(1);
    within(async {
        let asked = to_thread(|| LIMIT.borrowers()).limiter(&LIMIT);
        let (line, borrowers) = (line!() - 1, asked.await.unwrap());
        let place = borrowers[0].location();
        assert!(place.file().ends_with("limits.rs") && place.line() == line);
    });
}

#[test]
fn a_pool_of_ones_own_has_its_own_limit_and_name() {
    within(async {
        let pool = ThreadPool::new(2).name("disk");
        let most = Arc::new(AtomicUsize::new(0));
        let (now, peak) = (Arc::new(AtomicUsize::new(0)), most.clone());
        let work = (0..50).map(|_| {
            let (now, peak) = (now.clone(), peak.clone());
            pool.run(move || {
                peak.fetch_max(now.fetch_add(1, SeqCst) + 1, SeqCst);
                thread::yield_now();
                now.fetch_sub(1, SeqCst);
                thread::current().name().map(str::to_owned)
            })
        });
        for name in gather(work).await {
            let name = name.unwrap().unwrap();
            assert!(["disk-1", "disk-2"].contains(&&*name), "{name}");
        }
        assert!(most.load(SeqCst) <= 2);
        assert!(pool.threads() <= 2);
    });
}

#[test]
fn a_pool_that_is_dropped_finishes_what_has_begun_and_nothing_else() {
    within(async {
        let pool = ThreadPool::new(1);
        let (held, gate) = gate();
        let under_way = spawn(pool.run(move || gate.pass()));
        held.reached().await;
        let mut in_line = Box::pin(pool.run(|| unreachable!("the pool is gone")));
        assert!(poll_once(&mut in_line).is_pending());
        drop(pool);
        held.open();
        assert!(under_way.await.unwrap().is_ok());
        let refused = in_line.await.unwrap_err();
        assert_eq!(refused.reason(), Some("its thread pool was shut down"));
    });
}

#[test]
fn a_shutdown_waits_for_abandoned_work_and_says_how_much_is_left() {
    within(async {
        let pool = ThreadPool::new(3);
        let (held, gates): (Vec<_>, Vec<_>) = (0..3).map(|_| gate()).unzip();
        for (gate, held) in gates.into_iter().zip(&held) {
            let mut work = Box::pin(pool.run(move || gate.pass()));
            assert!(poll_once(&mut work).is_pending());
            held.reached().await; // then it is dropped
        }
        let mut over = Box::pin(pool.shutdown());
        assert!(poll_once(&mut over).is_pending());
        assert_eq!(pool.working(), 3);
        held[0].open();
        yield_until(|| pool.working() == 2).await;
        let in_time = timeout(Duration::from_millis(1), pool.shutdown()).await;
        assert!(in_time.is_err());
        held[1].open();
        held[2].open();
        over.await;
        assert_eq!(pool.working(), 0);
    });
}

#[test]
fn a_name_is_given_before_the_first_work() {
    let pool = ThreadPool::new(1);
    let mut work = Box::pin(pool.run(|| ()));
    assert!(Bell::new().poll(&mut work).is_pending());
    let late = crate::common::panic_text(move || drop(pool.name("late")));
    assert_eq!(late, "a pool is named before it is used");
}
