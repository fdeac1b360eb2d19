//! The first signal of a run.

use std::future::pending;

use petla::event_loop::RunError;
use petla::{EventLoop, current_task, spawn, yield_now};

use super::send::{SIGINT, SIGTERM, dies_alone, interruptible, raise};
use crate::common::{Drops, collect_reports_of, succeeds_alone};

#[test]
fn the_first_sigint_drops_main_and_the_run_says_so() {
    succeeds_alone(|| {
        let (event_loop, drops) = (interruptible(), Drops::default());
        let reports = collect_reports_of(&event_loop);
        let other = event_loop.spawn(pending::<()>());
        let result = event_loop.run_until_complete(async {
            let _guard = drops.guard();
            raise(SIGINT);
            assert_eq!(drops.count(), 0, "nothing happens inside a poll");
            pending::<()>().await
        });
        assert_eq!((result, drops.count()), (Err(RunError::Interrupted), 1));
        assert!(!other.is_finished(), "other tasks are the program's");
        assert_eq!(event_loop.run_until_complete(async { 1 }), Ok(1));
        assert!(reports.take().is_empty());
    });
}

#[test]
fn a_value_of_the_same_poll_wins() {
    succeeds_alone(|| {
        let event_loop = interruptible();
        let value = event_loop.run_until_complete(async {
            raise(SIGINT);
            5
        });
        assert_eq!(value, Ok(5));
        let next = event_loop.run_until_complete(async { yield_now().await });
        assert_eq!(next, Ok(()), "and the signal is over");
    });
}

#[test]
fn a_panic_of_the_same_poll_wins_and_the_action_is_put_back() {
    dies_alone(SIGINT, || {
        let event_loop = interruptible();
        let text = crate::common::panic_text(|| {
            event_loop.run_until_complete(async {
                raise(SIGINT);
                crate::common::raise("first")
            })
        });
        assert_eq!(text, "first");
        raise(SIGINT);
        unreachable!("the default action is back");
    });
}

#[test]
fn a_main_task_that_was_cancelled_before_stays_cancelled() {
    succeeds_alone(|| {
        // With a look in between, and with none.
        for others in [0, 200] {
            let event_loop = interruptible();
            let result = event_loop.run_until_complete(async {
                current_task().unwrap().cancel("enough");
                raise(SIGINT);
                for _ in 0..others {
                    drop(spawn(yield_now()));
                }
                pending::<()>().await
            });
            assert_eq!(result, Err(RunError::Cancelled), "{others}");
        }
    });
}

#[test]
fn a_main_task_that_is_interrupted_before_its_first_poll_never_runs() {
    succeeds_alone(|| {
        let event_loop = interruptible();
        drop(event_loop.spawn(async { raise(SIGINT) }));
        for _ in 0..200 {
            drop(event_loop.spawn(async {}));
        }
        let result = event_loop.run_until_complete(async { unreachable!("cancelled") });
        assert_eq!(result, Err::<(), _>(RunError::Interrupted));
    });
}

#[test]
fn a_loop_that_is_stopped_in_the_same_batch_was_interrupted() {
    succeeds_alone(|| {
        let event_loop = interruptible();
        let result = event_loop.run_until_complete(async {
            EventLoop::current().stop();
            raise(SIGINT);
            pending::<()>().await
        });
        assert_eq!(result, Err(RunError::Interrupted));
        event_loop.stop();
        event_loop.call_soon(|| raise(SIGINT));
        assert_eq!(event_loop.run_forever(), Err(RunError::Interrupted));
    });
}

#[test]
fn run_forever_ends_at_the_first() {
    succeeds_alone(|| {
        let event_loop = interruptible();
        event_loop.call_soon(|| raise(SIGINT));
        assert_eq!(event_loop.run_forever(), Err(RunError::Interrupted));
        event_loop.stop();
        assert_eq!(
            event_loop.run_forever(),
            Ok(()),
            "a run later nothing is left"
        );
    });
}

#[test]
fn sigterm_has_its_own_name_and_leaves_sigint_alone() {
    dies_alone(SIGINT, || {
        let event_loop = EventLoop::builder().sigterm(true).build().unwrap();
        let result = event_loop.run_until_complete(async {
            raise(SIGTERM);
            pending::<()>().await
        });
        assert_eq!(result, Err(RunError::Terminated));
        event_loop.call_soon(|| raise(SIGTERM));
        assert_eq!(event_loop.run_forever(), Err(RunError::Terminated));
        drop(event_loop.run_until_complete(async { raise(SIGINT) }));
    });
}

#[test]
fn a_thousand_runs_are_interrupted_one_after_the_other() {
    succeeds_alone(|| {
        let event_loop = interruptible();
        for _ in 0..1_000 {
            let result = event_loop.run_until_complete(async {
                raise(SIGINT);
                pending::<()>().await
            });
            assert_eq!(result, Err(RunError::Interrupted));
        }
    });
}
