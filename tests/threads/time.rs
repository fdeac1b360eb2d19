//! Virtual time: it stands still while a thread works for a loop that goes by it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::thread;
use std::time::Duration;

use petla::sync::Queue;
use petla::testing::{self, VirtualClock};
use petla::threads::ThreadPool;
use petla::{LoopHandle, gather, sleep, spawn, timeout, to_thread};

use super::gate;
use crate::common::{loop_on, panic_text, poll_once, yield_until};

const HOUR: Duration = Duration::from_secs(3600);

/// Lets real time pass for whoever might wrongly use it: what it shows is that nothing happens.
fn linger() {
    for _ in 0..200 {
        thread::yield_now();
    }
}

#[test]
fn it_does_not_jump_while_a_thread_works() {
    let elapsed = testing::run(async {
        let begun = petla::now();
        let late = spawn(sleep(HOUR));
        let work = timeout(HOUR, to_thread(linger)).await;
        assert!(work.is_ok(), "an hour passed while it worked");
        assert!(!late.is_finished());
        petla::now().duration_since(begun)
    });
    assert_eq!(elapsed, Duration::ZERO);
}

#[test]
fn it_goes_on_when_the_work_is_over_or_abandoned() {
    testing::run(async {
        to_thread(linger).await.unwrap();
        sleep(HOUR).await;
        let (held, gate) = gate();
        let mut stuck = Box::pin(to_thread(move || gate.pass()));
        assert!(poll_once(&mut stuck).is_pending());
        drop(stuck);
        sleep(HOUR).await;
        held.open();
    });
}

#[test]
fn it_stands_still_for_all_loops_of_the_clock() {
    let clock = VirtualClock::auto();
    let there = clock.clone();
    loop_on(&clock)
        .run_until_complete(async move {
            let work = to_thread(move || {
                let (other, begun) = (there.clone(), Arc::new(AtomicBool::new(false)));
                let begins = begun.clone();
                let other = thread::spawn(move || {
                    let naps = loop_on(&other).run_until_complete(async {
                        begins.store(true, SeqCst);
                        sleep(HOUR).await;
                    });
                    naps.unwrap();
                });
                while !begun.load(SeqCst) {
                    thread::yield_now();
                }
                linger();
                (there.elapsed(), other)
            });
            let (elapsed, other) = work.await.unwrap();
            assert_eq!(elapsed, Duration::ZERO);
            sleep(HOUR).await;
            yield_until(|| other.is_finished()).await;
        })
        .unwrap();
    assert_eq!(clock.elapsed(), HOUR);
}

#[test]
fn a_loop_whose_threads_work_is_not_stuck() {
    testing::run(async {
        let pool = ThreadPool::new(1);
        let queue = Arc::new(petla::sync::Event::new());
        let there = queue.clone();
        let work = spawn(pool.run(move || {
            linger();
            there.set();
        }));
        queue.wait().await;
        work.await.unwrap().unwrap();
    });
    let text = panic_text(|| {
        testing::run(async {
            to_thread(linger).await.unwrap();
            std::future::pending::<()>().await;
        });
    });
    assert!(text.starts_with("all tasks are blocked for good"), "{text}");
}

#[test]
fn work_that_waits_for_its_loop_lets_time_pass() {
    testing::run(async {
        let begun = petla::now();
        let work = to_thread(|| {
            let caller = LoopHandle::caller().expect("a task awaits this");
            for _ in 0..4 {
                caller.block_on(async || sleep(HOUR).await).unwrap();
                linger(); // and stands still again
            }
        });
        work.await.unwrap();
        assert_eq!(petla::now().duration_since(begun), 4 * HOUR);
    });
}

#[test]
fn work_that_waits_for_a_queue_lets_time_pass() {
    testing::run(async {
        let queue = Arc::new(Queue::unbounded());
        let there = queue.clone();
        let eaters = gather((0..3).map(|_| {
            let there = there.clone();
            to_thread(move || there.blocking_get())
        }));
        let feeder = spawn(async move {
            for n in 0..3 {
                sleep(HOUR).await;
                queue.put(n).await.unwrap();
            }
        });
        let mut eaten: Vec<_> = eaters
            .await
            .into_iter()
            .map(|n| n.unwrap().unwrap())
            .collect();
        eaten.sort_unstable();
        assert_eq!(eaten, [0, 1, 2]);
        feeder.await.unwrap();
    });
}

#[test]
fn work_that_a_third_thread_wakes_is_counted_in_whatever_order_that_arrives() {
    testing::run(async {
        for _ in 0..20 {
            let event = Arc::new(petla::sync::Event::new());
            let there = event.clone();
            let mut work = Box::pin(to_thread(move || there.blocking_wait()));
            assert!(poll_once(&mut work).is_pending());
            let waker = thread::spawn(move || {
                linger();
                event.set();
            });
            // The loop opens no mailbox meanwhile.
            while poll_once(&mut work).is_pending() {
                thread::yield_now();
            }
            waker.join().unwrap();
            petla::yield_now().await;
            sleep(HOUR).await;
        }
    });
}

#[test]
fn work_that_waits_for_the_end_of_abandoned_work_is_not_stuck() {
    testing::run(async {
        let pool = ThreadPool::new(1);
        let (held, gate) = gate();
        let mut abandoned = Box::pin(pool.run(move || gate.pass()));
        assert!(poll_once(&mut abandoned).is_pending());
        held.reached().await;
        drop(abandoned);
        let opener = thread::spawn(move || {
            linger();
            held.open();
        });
        assert_eq!(pool.run(|| 7).await.unwrap(), 7);
        opener.join().unwrap();
    });
    let text = panic_text(|| {
        testing::run(async {
            let mut abandoned = Box::pin(to_thread(linger));
            assert!(poll_once(&mut abandoned).is_pending());
            drop(abandoned);
            std::future::pending::<()>().await;
        });
    });
    assert!(text.starts_with("all tasks are blocked for good"), "{text}");
}

#[test]
fn a_result_that_nobody_takes_holds_up_no_clock() {
    testing::run(async {
        let mut work = Box::pin(to_thread(linger));
        assert!(poll_once(&mut work).is_pending());
        sleep(HOUR).await;
        work.await.unwrap();
    });
}

#[test]
fn work_that_waits_for_what_nobody_will_do_leaves_its_loop_stuck() {
    let text = panic_text(|| {
        testing::run(async {
            let event = petla::sync::Event::new();
            to_thread(move || event.blocking_wait()).await.unwrap();
        });
    });
    assert!(text.starts_with("all tasks are blocked for good"), "{text}");
}
