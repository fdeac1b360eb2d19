//! Streams, and `ctrl_c`.

use std::io::ErrorKind;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use petla::event_loop::RunError;
use petla::signal::{SIGHUP, SIGINT, SIGKILL, SIGTERM, SIGUSR1, SIGUSR2};
use petla::signal::{Signals, ctrl_c, realtime, signals};
use petla::{EventLoop, Stream, yield_now};

use super::send::{action, interruptible, raise};
use crate::common::{Bell, panic_text, poll_once, succeeds_alone};

/// Until the loop has looked: it does after 64 polls at most.
async fn look() {
    for _ in 0..70 {
        yield_now().await;
    }
}

/// What has come and was not taken.
async fn pending_of(stream: &mut Signals) -> Vec<i32> {
    look().await;
    let mut numbers = Vec::new();
    while let Poll::Ready(Some(number)) = poll_once(&mut stream.next()) {
        numbers.push(number);
    }
    numbers
}

#[test]
fn a_stream_gives_the_numbers_that_came_and_no_others() {
    succeeds_alone(|| {
        petla::run(async {
            let mut stream = signals([SIGUSR1, SIGTERM, SIGUSR1]).unwrap();
            let _others = signals([SIGUSR2]).unwrap();
            for number in [SIGTERM, SIGUSR1, SIGTERM] {
                raise(number);
                assert_eq!(stream.next().await, Some(number));
            }
            raise(SIGUSR2);
            assert!(pending_of(&mut stream).await.is_empty());
            assert_eq!(format!("{stream:?}"), "Signals [10, 15]");
        });
    });
}

#[test]
fn signals_of_one_number_merge_until_they_are_taken() {
    succeeds_alone(|| {
        petla::run(async {
            let mut stream = signals([SIGUSR1, SIGUSR2]).unwrap();
            for _ in 0..100 {
                raise(SIGUSR2);
                raise(SIGUSR1);
            }
            assert_eq!(pending_of(&mut stream).await, [SIGUSR1, SIGUSR2]);
            assert!(pending_of(&mut stream).await.is_empty());
        });
    });
}

#[test]
fn a_number_that_comes_again_and_again_does_not_hide_the_others() {
    succeeds_alone(|| {
        petla::run(async {
            let mut stream = signals([SIGHUP, SIGUSR1, SIGTERM]).unwrap();
            raise(SIGTERM);
            let mut taken = Vec::new();
            for _ in 0..4 {
                raise(SIGHUP);
                look().await;
                taken.push(stream.next().await.unwrap());
            }
            assert_eq!(taken, [SIGHUP, SIGTERM, SIGHUP, SIGHUP]);
        });
    });
}

#[test]
fn a_wait_that_is_given_up_takes_nothing() {
    succeeds_alone(|| {
        petla::run(async {
            let mut stream = signals([SIGUSR1]).unwrap();
            let (gone, here) = (Bell::new(), Bell::new());
            assert!(gone.poll(&mut stream.next()).is_pending());
            assert!(!gone.is_kept());
            let mut next = stream.next();
            assert!(here.poll(&mut next).is_pending());
            raise(SIGUSR1);
            look().await;
            assert_eq!(
                (gone.rings(), here.rings()),
                (0, 1),
                "whoever waits is woken"
            );
            assert!(!here.is_kept());
            drop(next);
            assert_eq!(stream.next().await, Some(SIGUSR1), "and it is still there");
        });
    });
}

#[test]
fn every_stream_of_a_loop_is_told_and_one_made_later_is_not() {
    succeeds_alone(|| {
        petla::run(async {
            let mut first = signals([SIGUSR1]).unwrap();
            let mut second = signals([SIGUSR1, SIGUSR2]).unwrap();
            raise(SIGUSR1);
            let mut late = signals([SIGUSR1]).unwrap();
            assert_eq!(pending_of(&mut late).await, []);
            assert_eq!(first.next().await, Some(SIGUSR1));
            assert_eq!(second.next().await, Some(SIGUSR1));
        });
    });
}

#[test]
fn what_was_before_is_put_back_after_the_last_stream() {
    succeeds_alone(|| {
        petla::run(async {
            // Whoever started the tests may ignore SIGHUP, as nohup(1) does.
            let before = [SIGUSR1, SIGHUP].map(action);
            let first = signals([SIGUSR1]).unwrap();
            let second = signals([SIGUSR1, SIGHUP]).unwrap();
            assert_ne!(action(SIGHUP), before[1]);
            drop(second);
            assert_eq!(action(SIGHUP), before[1]);
            assert_ne!(action(SIGUSR1), before[0]);
            drop(first);
            assert_eq!(action(SIGUSR1), before[0]);
        });
    });
}

#[test]
fn a_number_that_cannot_be_caught_is_an_error_that_says_why() {
    succeeds_alone(|| {
        petla::run(async {
            let reserved = realtime().start() - 1;
            for (number, why) in [
                (SIGKILL, "nobody catch SIGKILL"),
                (libc::SIGSTOP, "nobody catch"),
                (libc::SIGSEGV, "stop the thread"),
                (libc::SIGBUS, "stop the thread"),
                (libc::SIGFPE, "stop the thread"),
                (libc::SIGILL, "stop the thread"),
                (reserved, "the C library"),
                (0, "from 1 to 64"),
                (-1, "from 1 to 64"),
                (65, "from 1 to 64"),
                (i32::MIN, "from 1 to 64"),
                (i32::MAX, "from 1 to 64"),
            ] {
                let error = signals([SIGUSR1, number]).unwrap_err();
                assert_eq!(error.kind(), ErrorKind::InvalidInput);
                assert!(error.to_string().contains(why), "{error}");
                assert!(error.to_string().contains(&number.to_string()), "{error}");
                let here = EventLoop::current();
                let error = here.add_signal_handler(number, || ()).unwrap_err();
                assert_eq!(error.kind(), ErrorKind::InvalidInput);
            }
            assert_eq!(action(SIGUSR1), libc::SIG_DFL, "nothing is left behind");
            let none = signals([]).unwrap_err();
            assert_eq!(none.kind(), ErrorKind::InvalidInput, "{none}");
        });
        let outside = signals([SIGUSR1]).unwrap_err();
        assert!(outside.to_string().contains("petla::run"), "{outside}");
        let outside = poll_once(&mut ctrl_c());
        assert!(matches!(outside, Poll::Ready(Err(_))));
    });
}

#[test]
fn every_signal_that_can_be_caught_is() {
    succeeds_alone(|| {
        petla::run(async {
            let faults = [libc::SIGSEGV, libc::SIGBUS, libc::SIGFPE, libc::SIGILL];
            let never = [SIGKILL, libc::SIGSTOP];
            let numbers: Vec<i32> = (1..=31)
                .chain(realtime())
                .filter(|number| !faults.contains(number) && !never.contains(number))
                .collect();
            let mut stream = signals(numbers.iter().copied()).unwrap();
            numbers.iter().for_each(|number| raise(*number));
            assert_eq!(pending_of(&mut stream).await, numbers);
            assert!(numbers.contains(&64));
        });
    });
}

#[test]
fn streams_end_with_their_loop() {
    succeeds_alone(|| {
        let event_loop = EventLoop::new().unwrap();
        let make = event_loop.run_until_complete(async { signals([SIGUSR1]) });
        let mut stream = make.unwrap().unwrap();
        raise(SIGUSR1); // between two runs
        let next = event_loop.run_until_complete(stream.next());
        assert_eq!(next, Ok(Some(SIGUSR1)));
        let bell = Bell::new();
        let waker = Waker::from(Arc::clone(&bell));
        let mut cx = Context::from_waker(&waker);
        assert!(Pin::new(&mut stream).poll_next(&mut cx).is_pending());
        event_loop.close().unwrap();
        assert_eq!(bell.rings(), 1);
        assert_eq!(Pin::new(&mut stream).poll_next(&mut cx), Poll::Ready(None));
        assert_eq!(action(SIGUSR1), libc::SIG_DFL);
        drop(stream);
    });
}

#[test]
fn a_stream_that_is_dropped_between_two_runs_leaves_at_the_next_turn() {
    succeeds_alone(|| {
        let event_loop = EventLoop::new().unwrap();
        let make = event_loop.run_until_complete(async { signals([SIGUSR1]) });
        drop(make);
        event_loop.run_until_complete(yield_now()).unwrap();
        assert_eq!(action(SIGUSR1), libc::SIG_DFL);
    });
}

#[test]
fn a_loop_that_is_closing_hears_nothing_new() {
    succeeds_alone(|| {
        let event_loop = EventLoop::new().unwrap();
        let late = event_loop.clone();
        let guard = crate::common::OnDrop(move || {
            let error = signals([SIGUSR1]).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::NotConnected);
            assert!(late.add_signal_handler(SIGUSR1, || ()).is_err());
        });
        let task = event_loop.spawn(async move {
            let _guard = guard;
            std::future::pending::<()>().await
        });
        task.detach();
        event_loop.run_until_complete(yield_now()).unwrap();
        event_loop.close().unwrap();
        assert_eq!(action(SIGUSR1), libc::SIG_DFL);
    });
}

#[test]
fn ctrl_c_waits_for_one_sigint_and_leaves_the_default_behind() {
    succeeds_alone(|| {
        petla::run(async {
            let mut wait = ctrl_c();
            assert_eq!(action(SIGINT), libc::SIG_DFL, "not before the first poll");
            assert!(poll_once(&mut wait).is_pending());
            raise(SIGINT);
            wait.await.unwrap();
            assert_eq!(action(SIGINT), libc::SIG_DFL);
        });
    });
}

#[test]
fn ctrl_c_is_an_error_when_its_loop_is_closed() {
    succeeds_alone(|| {
        let mut wait = ctrl_c();
        petla::run(async { assert!(poll_once(&mut wait).is_pending()) });
        let Poll::Ready(Err(error)) = poll_once(&mut wait) else {
            panic!("it is closed");
        };
        assert_eq!(error.kind(), ErrorKind::NotConnected);
    });
}

#[test]
fn who_listens_by_name_has_the_signal_instead_of_the_run() {
    succeeds_alone(|| {
        let event_loop = interruptible();
        let result = event_loop.run_until_complete(async {
            let mut stream = signals([SIGINT]).unwrap();
            for _ in 0..3 {
                raise(SIGINT);
                raise(SIGINT);
                assert_eq!(stream.next().await, Some(SIGINT));
            }
            drop(stream);
            raise(SIGINT);
            std::future::pending::<()>().await
        });
        assert_eq!(
            result,
            Err(RunError::Interrupted),
            "after the last one left"
        );
        assert_eq!(action(SIGINT), libc::SIG_DFL);
    });
}

#[test]
fn a_loop_that_waits_for_a_signal_is_not_stuck() {
    succeeds_alone(|| {
        let thread = super::send::thread_number();
        petla::testing::run(async move {
            let mut stream = signals([SIGUSR1]).unwrap();
            let sender = std::thread::spawn(move || {
                super::threads::wait_until_asleep(thread);
                super::send::kill(std::process::id(), SIGUSR1);
            });
            assert_eq!(stream.next().await, Some(SIGUSR1));
            sender.join().unwrap();
        });
        let text = panic_text(|| petla::testing::run(std::future::pending::<()>()));
        assert!(text.starts_with("all tasks are blocked"), "{text}");
    });
}

#[test]
fn streams_and_their_futures_are_send_and_sync() {
    fn check<T: Send + Sync>() {}
    check::<Signals>();
    check::<petla::signal::Next<'_>>();
    check::<petla::signal::CtrlC>();
}
