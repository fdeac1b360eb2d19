//! `wait_all_tasks_blocked`.

use std::rc::Rc;
use std::time::Duration;

use petla::local::{Event, Queue};
use petla::testing::{self, poll_once, wait_all_tasks_blocked};
use petla::{EventLoop, sleep, spawn, yield_now};

use crate::common::{Bell, Log, panic_text, within};

const HOUR: Duration = Duration::from_secs(3600);

#[test]
fn it_waits_for_a_chain_of_wakes_to_end() {
    testing::run(async {
        let queues: Vec<_> = (0..100).map(|_| Rc::new(Queue::unbounded())).collect();
        for pair in queues.windows(2) {
            let (from, to) = (pair[0].clone(), pair[1].clone());
            drop(spawn(async move {
                to.put_nowait(from.get().await.unwrap() + 1).unwrap();
            }));
        }
        wait_all_tasks_blocked().await;
        assert!(queues[99].is_empty());
        queues[0].put_nowait(0).unwrap();
        wait_all_tasks_blocked().await;
        assert_eq!(queues[99].get_nowait(), Ok(99));
    });
}

#[test]
fn several_waiters_go_on_together_and_in_the_order_of_their_coming() {
    testing::run(async {
        let log = Log::new();
        let waiters = ["a", "b", "c"].map(|name| {
            let log = log.clone();
            spawn(async move {
                for round in 0..2 {
                    wait_all_tasks_blocked().await;
                    log.push((name, round));
                    yield_now().await;
                }
            })
        });
        for waiter in waiters {
            waiter.await.unwrap();
        }
        let rounds = [0, 1].map(|round| ["a", "b", "c"].map(|name| (name, round)));
        assert_eq!(log.take(), rounds.concat());
    });
}

#[test]
fn it_starts_anew_when_a_task_wakes_in_between() {
    testing::run(async {
        let (event, log) = (Rc::new(Event::new()), Log::new());
        let (told, first) = (event.clone(), log.clone());
        let waiter = spawn(async move {
            wait_all_tasks_blocked().await;
            first.push("first");
            told.set();
            wait_all_tasks_blocked().await;
            first.push("last");
        });
        let woken = log.clone();
        let worker = spawn(async move {
            event.wait().await;
            for _ in 0..10 {
                yield_now().await;
            }
            woken.push("work");
        });
        waiter.await.unwrap();
        worker.await.unwrap();
        assert_eq!(log.take(), ["first", "work", "last"]);
    });
}

#[test]
fn it_comes_before_the_clock_jumps() {
    testing::run(async {
        let (before, nap) = (petla::now(), spawn(sleep(HOUR)));
        for _ in 0..5 {
            wait_all_tasks_blocked().await;
            assert_eq!(petla::now(), before);
        }
        nap.await.unwrap();
        assert_eq!(petla::now() - before, HOUR);
    });
}

#[test]
fn it_works_on_a_real_clock() {
    within(async {
        let nap = spawn(sleep(HOUR));
        wait_all_tasks_blocked().await;
        assert!(!nap.is_finished());
    });
}

#[test]
fn data_in_a_socket_are_taken_first() {
    within(async {
        let (client, server) = petla::net::UnixStream::pair().unwrap();
        let reader = spawn(async move { server.read(&mut [0; 8]).await });
        wait_all_tasks_blocked().await;
        client.write_all(b"ping").await.unwrap();
        wait_all_tasks_blocked().await;
        assert!(reader.is_finished());
    });
}

#[test]
fn one_that_is_dropped_keeps_no_waker_and_one_that_moves_wakes_its_last_task() {
    testing::run(async {
        let (first, second) = (Bell::new(), Bell::new());
        let mut wait = wait_all_tasks_blocked();
        assert!(first.poll(&mut wait).is_pending() && first.is_kept());
        assert!(second.poll(&mut wait).is_pending());
        assert!(!first.is_kept());
        wait_all_tasks_blocked().await;
        assert_eq!((first.rings(), second.rings()), (0, 1));
        assert!(poll_once(&mut wait).is_ready());

        let mut dropped = wait_all_tasks_blocked();
        assert!(first.poll(&mut dropped).is_pending());
        drop(dropped);
        assert!(!first.is_kept());
    });
}

#[test]
fn one_that_is_left_over_goes_with_its_loop_or_begins_anew_in_the_next() {
    let bell = Bell::new();
    let arm = || {
        let event_loop = EventLoop::new().unwrap();
        let mut wait = wait_all_tasks_blocked();
        let polled = event_loop.run_until_complete(async { bell.poll(&mut wait) });
        assert!(polled.unwrap().is_pending() && bell.is_kept());
        event_loop.close().unwrap();
        assert!(!bell.is_kept());
        wait
    };
    drop(arm());
    within(arm());
}

#[test]
fn without_a_loop_it_is_a_clear_panic() {
    let text = panic_text(|| poll_once(&mut wait_all_tasks_blocked()));
    let expected = "wait_all_tasks_blocked() needs a running event loop";
    assert!(text.starts_with(expected), "{text}");
}
