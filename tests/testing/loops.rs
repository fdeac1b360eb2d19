//! One clock, several loops and threads.

use std::sync::{Barrier, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use petla::testing::VirtualClock;
use petla::{sleep, spawn, timeout};

use crate::common::{LONG, loop_on};

const HOUR: Duration = Duration::from_secs(3600);

#[test]
fn another_thread_turns_the_clock_of_a_loop_that_sleeps() {
    let clock = VirtualClock::manual();
    let (armed, is_armed) = mpsc::channel();
    let turner = thread::spawn({
        let clock = clock.clone();
        move || {
            is_armed.recv_timeout(LONG).unwrap();
            clock.advance(HOUR / 2);
            clock.advance(HOUR / 2);
        }
    });
    loop_on(&clock)
        .run_until_complete(async {
            let nap = spawn(sleep(HOUR));
            petla::yield_now().await;
            armed.send(()).unwrap();
            nap.await.unwrap();
        })
        .unwrap();
    turner.join().unwrap();
    assert_eq!(clock.elapsed(), HOUR);
}

#[test]
fn one_turn_moves_the_loops_of_many_threads() {
    let clock = VirtualClock::manual();
    let (armed, is_armed) = mpsc::channel();
    let threads: Vec<_> = (1..=8)
        .map(|n| {
            let (clock, armed) = (clock.clone(), armed.clone());
            thread::spawn(move || {
                let run = loop_on(&clock).run_until_complete(async {
                    let nap = spawn(sleep(HOUR * n));
                    petla::yield_now().await;
                    armed.send(()).unwrap();
                    nap.await.unwrap();
                    petla::now()
                });
                run.unwrap()
            })
        })
        .collect();
    threads
        .iter()
        .for_each(|_| is_armed.recv_timeout(LONG).unwrap());
    clock.advance(HOUR * 8);
    let ends: Vec<_> = threads.into_iter().map(|t| t.join().unwrap()).collect();
    assert!(
        ends.iter().all(|end| *end == ends[0]),
        "one time for all of them"
    );
}

#[test]
fn many_loops_of_one_thread_take_turns_on_one_clock() {
    let clock = VirtualClock::auto();
    let loops: Vec<_> = (0..50).map(|_| loop_on(&clock)).collect();
    for (n, event_loop) in (1..).zip(&loops) {
        let nap = async { sleep(HOUR).await };
        event_loop.run_until_complete(nap).unwrap();
        assert_eq!(clock.elapsed(), HOUR * n);
    }
    drop(loops);
    clock.advance(HOUR);
}

/// Runs `one` and `other` in two loops on one automatic clock; neither begins before both run.
fn together<A: Send, B: Send>(
    one: impl AsyncFnOnce() -> A + Send,
    other: impl AsyncFnOnce() -> B + Send,
) -> (A, B) {
    let (clock, both) = (VirtualClock::auto(), Barrier::new(2));
    thread::scope(|scope| {
        let other = scope.spawn(|| {
            let main = async {
                both.wait();
                other().await
            };
            loop_on(&clock).run_until_complete(main).unwrap()
        });
        let main = async {
            both.wait();
            one().await
        };
        let one = loop_on(&clock).run_until_complete(main).unwrap();
        (one, other.join().unwrap())
    })
}

#[test]
fn an_automatic_clock_goes_by_the_earliest_deadline_of_all_its_loops() {
    for _ in 0..50 {
        let walk = async |step: u32| {
            let begin = petla::now();
            let mut late = Vec::new();
            for n in 1..=6 / step {
                petla::sleep_until(begin + HOUR * step * n).await;
                late.push(petla::now() - begin - HOUR * step * n);
            }
            late
        };
        let (one, other) = together(async move || walk(1).await, async move || walk(2).await);
        assert_eq!(
            (one, other),
            (vec![Duration::ZERO; 6], vec![Duration::ZERO; 3])
        );
    }
}

#[test]
fn no_time_passes_between_a_message_and_its_receiver() {
    for _ in 0..50 {
        let (sender, receiver) = petla::sync::oneshot::<Instant>();
        let (sent, received) = together(
            async move || {
                sleep(HOUR).await;
                sender.set(petla::now()).unwrap();
                sleep(HOUR).await; // the other loop is woken before this passes
            },
            async move || {
                let limited = timeout(HOUR * 3 / 2, receiver).await;
                (limited.unwrap().unwrap(), petla::now())
            },
        );
        let ((sent_at, seen_at), ()) = (received, sent);
        assert_eq!(sent_at, seen_at);
    }
}

#[test]
fn a_loop_that_ends_does_not_hold_up_the_clock_of_the_others() {
    for _ in 0..50 {
        let (end, other_end) = together(
            async || petla::now(),
            async || {
                sleep(HOUR).await;
                petla::now()
            },
        );
        assert_eq!(other_end - end, HOUR);
    }
}

#[test]
fn a_loop_that_only_waits_for_another_lets_time_pass() {
    let (sender, receiver) = petla::sync::oneshot::<u8>();
    let (value, ()) = together(
        async move || receiver.await.unwrap(),
        async move || {
            sleep(HOUR).await;
            sender.set(5).unwrap();
        },
    );
    assert_eq!(value, 5);
}
