//! Futures that are dropped: before their work began, while it runs, and when it has ended.

use std::sync::mpsc::channel;
use std::thread;

use petla::sync::CapacityLimiter;
use petla::threads::ThreadPool;
use petla::{spawn, to_thread, yield_now};

use super::gate;
use crate::common::{Bell, Drops, poll_once, raise, within, yield_until};

#[test]
fn dropped_while_it_waits_for_a_place_it_takes_its_work_along() {
    static LIMIT: CapacityLimiter = CapacityLimiter::new(0);
    within(async {
        let drops = Drops::default();
        let guard = drops.guard();
        let mut work = Box::pin(to_thread(move || drop(guard)).limiter(&LIMIT));
        assert!(poll_once(&mut work).is_pending());
        assert_eq!(LIMIT.statistics().waiting, 1);
        drop(work);
        assert_eq!((drops.count(), LIMIT.statistics().waiting), (1, 0));
    });
}

#[test]
fn dropped_with_a_place_granted_it_passes_it_on() {
    static LIMIT: CapacityLimiter = CapacityLimiter::new(0);
    within(async {
        let bell = Bell::new();
        let mut first = Box::pin(to_thread(|| 1).limiter(&LIMIT));
        let mut second = Box::pin(to_thread(|| 2).limiter(&LIMIT));
        assert!(bell.poll(&mut first).is_pending());
        assert!(bell.poll(&mut second).is_pending());
        LIMIT.set_total(1);
        assert_eq!(bell.rings(), 1);
        drop(first);
        assert_eq!(bell.rings(), 2);
        assert_eq!(second.await.unwrap(), 2);
        assert_eq!(LIMIT.borrowed(), 0);
    });
}

/// One that no thread has come for is found gone by the one that comes.
#[test]
fn dropped_before_a_thread_came_it_never_runs_and_frees_its_place() {
    within(async {
        let pool = ThreadPool::new(2);
        let drops = Drops::default();
        for _ in 0..1_000 {
            let (guard, mut ran) = (drops.guard(), Box::pin(pool.run(|| ())));
            let mut dropped = Box::pin(pool.run(move || drop(guard)));
            let begun = poll_once(&mut ran).is_pending() && poll_once(&mut dropped).is_pending();
            assert!(begun);
            drop(dropped);
            ran.await.unwrap();
        }
        yield_until(|| pool.working() == 0).await;
        assert_eq!(drops.count(), 1_000, "once each, run or not");
        yield_until(|| pool.limiter().borrowed() == 0).await;
    });
}

#[test]
fn dropped_while_it_runs_its_result_is_dropped_on_its_thread_and_its_place_kept_until_then() {
    static LIMIT: CapacityLimiter = CapacityLimiter::new(1);
    struct Told(std::sync::mpsc::Sender<Option<String>>);
    impl Drop for Told {
        fn drop(&mut self) {
            let name = thread::current().name().map(str::to_owned);
            self.0.send(name).unwrap();
        }
    }
    within(async {
        let (held, gate) = gate();
        let (tell, told) = channel();
        let mut work = Box::pin(
            to_thread(move || {
                gate.pass();
                Told(tell)
            })
            .limiter(&LIMIT),
        );
        assert!(poll_once(&mut work).is_pending());
        held.reached().await;
        drop(work);
        assert_eq!(LIMIT.borrowed(), 1, "it runs on");
        held.open();
        let name = to_thread(move || told.recv().unwrap()).await.unwrap();
        assert!(name.unwrap().starts_with("petla-worker-"));
        yield_until(|| LIMIT.borrowed() == 0).await;
    });
}

#[test]
fn dropped_with_its_result_there_it_drops_that_here() {
    within(async {
        let pool = ThreadPool::new(1);
        let drops = Drops::default();
        let guard = drops.guard();
        let mut work = Box::pin(pool.run(move || guard));
        assert!(poll_once(&mut work).is_pending());
        yield_until(|| pool.working() == 0).await;
        assert_eq!(drops.count(), 0);
        drop(work);
        assert_eq!(drops.count(), 1);
    });
}

#[test]
fn a_task_that_is_cancelled_does_not_wait_for_its_thread() {
    within(async {
        let (held, gate) = gate();
        let task = spawn(to_thread(move || gate.pass()));
        held.reached().await;
        task.cancel("enough");
        assert!(task.await.unwrap_err().is_cancelled());
        held.open();
    });
}

#[test]
fn it_may_be_dropped_on_another_thread_at_any_time() {
    within(async {
        for turns in 0..50 {
            let drops = Drops::default();
            let guard = drops.guard();
            let mut work = Box::pin(to_thread(move || guard));
            assert!(poll_once(&mut work).is_pending());
            for _ in 0..turns {
                yield_now().await;
            }
            let elsewhere = thread::spawn(move || drop(work));
            yield_until(|| elsewhere.is_finished() && drops.count() == 1).await;
        }
    });
}

#[test]
fn a_panic_that_nobody_awaits_ends_neither_thread_nor_loop() {
    within(async {
        let pool = ThreadPool::new(1);
        let (held, gate) = gate();
        let mut work = Box::pin(pool.run(move || {
            gate.pass();
            raise("unseen")
        }));
        assert!(poll_once::<std::pin::Pin<Box<petla::ToThread<_, ()>>>>(&mut work).is_pending());
        held.reached().await;
        drop(work);
        held.open();
        assert_eq!(pool.run(|| 5).await.unwrap(), 5);
        assert_eq!(pool.threads(), 1);
    });
}

#[test]
fn a_waker_that_panics_does_not_end_the_thread() {
    within(async {
        let pool = ThreadPool::new(1);
        let mut work = Box::pin(pool.run(|| 5));
        assert!(Bell::broken().poll(&mut work).is_pending());
        yield_until(|| pool.working() == 0).await;
        assert_eq!(pool.run(|| 6).await.unwrap(), 6);
        assert_eq!(work.await.unwrap(), 5);
    });
}

#[test]
fn whoever_awaits_last_is_woken() {
    within(async {
        let pool = ThreadPool::new(1);
        let (held, gate) = gate();
        let mut work = Box::pin(pool.run(move || gate.pass()));
        let (first, second) = (Bell::new(), Bell::new());
        assert!(first.poll(&mut work).is_pending());
        assert!(second.poll(&mut work).is_pending());
        assert!(!first.is_kept(), "it is not needed any more");
        held.open();
        yield_until(|| second.rings() == 1).await;
        assert_eq!((first.rings(), second.is_kept()), (0, false));
        assert!(first.poll(&mut work).is_ready());
    });
}
