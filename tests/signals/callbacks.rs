//! `add_signal_handler` and `remove_signal_handler`.

use std::cell::Cell;
use std::io::ErrorKind;
use std::rc::Rc;

use petla::signal::{SIGTERM, SIGUSR1, SIGUSR2, signals};
use petla::{ContextVar, EventLoop, current_task, yield_now};

use super::send::{action, raise};
use crate::common::{Count, Drops, bump, collect_reports, succeeds_alone, yield_until};

#[test]
fn a_callback_runs_in_the_loop_and_not_in_the_handler() {
    succeeds_alone(|| {
        petla::run(async {
            static PLACE: ContextVar<u32> = ContextVar::new(|| 0);
            let calls = Count::default();
            let called = Rc::clone(&calls);
            PLACE.set(7);
            let handler = move || {
                assert!(current_task().is_none());
                assert_eq!(PLACE.get(), 7);
                bump(&called);
            };
            EventLoop::current()
                .add_signal_handler(SIGUSR1, handler)
                .unwrap();
            for round in 1..=3 {
                raise(SIGUSR1);
                raise(SIGUSR1);
                assert_eq!(calls.get(), round - 1, "nothing happens inside a poll");
                yield_until(|| calls.get() == round).await;
            }
            for _ in 0..70 {
                yield_now().await;
            }
            assert_eq!(calls.get(), 3, "two that came together are one call");
        });
    });
}

#[test]
fn a_second_callback_replaces_the_first_and_gets_what_that_has_not() {
    succeeds_alone(|| {
        petla::run(async {
            let here = EventLoop::current();
            let (first, second) = (Count::default(), Count::default());
            let drops = Drops::default();
            let (count, guard) = (Rc::clone(&first), drops.guard());
            let handler = move || {
                let _guard = &guard;
                bump(&count);
            };
            here.add_signal_handler(SIGUSR1, handler).unwrap();
            raise(SIGUSR1);
            let count = Rc::clone(&second);
            here.add_signal_handler(SIGUSR1, move || bump(&count))
                .unwrap();
            yield_until(|| second.get() == 1).await;
            assert_eq!((first.get(), drops.count()), (0, 1));
        });
    });
}

#[test]
fn a_removed_callback_is_not_called_and_says_whether_it_was_there() {
    succeeds_alone(|| {
        petla::run(async {
            let here = EventLoop::current();
            assert!(!here.remove_signal_handler(SIGUSR1));
            here.add_signal_handler(SIGUSR1, || unreachable!()).unwrap();
            raise(SIGUSR1);
            assert!(here.remove_signal_handler(SIGUSR1));
            assert_eq!(action(SIGUSR1), libc::SIG_DFL, "at once");
            assert!(!here.remove_signal_handler(SIGUSR1));
            assert!(!here.remove_signal_handler(-5));
            for _ in 0..70 {
                yield_now().await; // the loop looks
            }
        });
    });
}

#[test]
fn a_callback_may_remove_and_replace_itself() {
    succeeds_alone(|| {
        petla::run(async {
            let calls = Count::default();
            let last = Rc::clone(&calls);
            let first = move || {
                let (here, last) = (EventLoop::current(), Rc::clone(&last));
                bump(&last);
                let second = move || {
                    bump(&last);
                    assert!(EventLoop::current().remove_signal_handler(SIGUSR1));
                };
                here.add_signal_handler(SIGUSR1, second).unwrap();
            };
            EventLoop::current()
                .add_signal_handler(SIGUSR1, first)
                .unwrap();
            for round in 1..=2 {
                raise(SIGUSR1);
                yield_until(|| calls.get() == round).await;
            }
            assert_eq!(action(SIGUSR1), libc::SIG_DFL);
        });
    });
}

#[test]
fn a_callback_that_panics_is_reported_and_stays() {
    succeeds_alone(|| {
        petla::run(async {
            let reports = collect_reports();
            let calls = Count::default();
            let called = Rc::clone(&calls);
            let handler = move || {
                bump(&called);
                crate::common::raise("oh");
            };
            EventLoop::current()
                .add_signal_handler(SIGUSR1, handler)
                .unwrap();
            for round in 1..=2 {
                raise(SIGUSR1);
                yield_until(|| calls.get() == round).await;
                let report = reports.only();
                assert!(
                    report.contains("the handler of a signal panicked"),
                    "{report}"
                );
                assert!(report.contains("oh"), "{report}");
            }
        });
    });
}

#[test]
fn callbacks_and_streams_of_one_number_are_all_told() {
    succeeds_alone(|| {
        petla::run(async {
            let called = Rc::new(Cell::new(false));
            let mut stream = signals([SIGUSR1]).unwrap();
            let call = Rc::clone(&called);
            EventLoop::current()
                .add_signal_handler(SIGUSR1, move || call.set(true))
                .unwrap();
            raise(SIGUSR1);
            assert_eq!(stream.next().await, Some(SIGUSR1));
            yield_until(|| called.get()).await;
            drop(stream);
            assert_ne!(action(SIGUSR1), libc::SIG_DFL, "the callback is there");
        });
    });
}

#[test]
fn a_callback_lives_from_before_the_first_run_to_the_end_of_the_loop() {
    succeeds_alone(|| {
        let event_loop = EventLoop::new().unwrap();
        let (calls, drops) = (Count::default(), Drops::default());
        let (called, guard, stop) = (Rc::clone(&calls), drops.guard(), event_loop.clone());
        let handler = move || {
            let _guard = &guard;
            bump(&called);
            stop.stop();
        };
        event_loop.add_signal_handler(SIGTERM, handler).unwrap();
        for round in 1..=2 {
            raise(SIGTERM);
            event_loop.run_forever().unwrap();
            assert_eq!(calls.get(), round);
        }
        event_loop.close().unwrap();
        assert_eq!((action(SIGTERM), drops.count()), (libc::SIG_DFL, 1));
        let error = event_loop.add_signal_handler(SIGUSR2, || ()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotConnected);
        assert!(!event_loop.remove_signal_handler(SIGTERM));
    });
}
