//! What the process did at the signal before, and does again after the run.

use std::future::pending;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use petla::EventLoop;
use petla::event_loop::RunError;

use super::send::{SIGINT, SIGTERM, action, dies_alone, interruptible, raise, set_action};
use crate::common::succeeds_alone;

static SEEN: AtomicUsize = AtomicUsize::new(0);
static CHAIN: AtomicUsize = AtomicUsize::new(0);

/// A handler of the program's own.
extern "C" fn own(_: i32) {
    SEEN.fetch_add(1, SeqCst);
}

/// One that also calls the handler that it found, as signal libraries do.
extern "C" fn chained(signal: i32) {
    SEEN.fetch_add(1, SeqCst);
    // SAFETY: the action that was found was a handler of one number.
    let next = unsafe { std::mem::transmute::<usize, extern "C" fn(i32)>(CHAIN.load(SeqCst)) };
    next(signal);
}

fn address(handler: extern "C" fn(i32)) -> libc::sighandler_t {
    handler as libc::sighandler_t
}

#[test]
fn run_and_loops_that_were_not_asked_to_install_nothing() {
    succeeds_alone(|| {
        let before = [SIGINT, SIGTERM].map(action);
        assert_eq!(before, [libc::SIG_DFL; 2]);
        let inside = petla::run(async { [SIGINT, SIGTERM].map(action) });
        assert_eq!((inside, [SIGINT, SIGTERM].map(action)), (before, before));
        let event_loop = EventLoop::builder().sigint(false).build().unwrap();
        let inside = event_loop.run_until_complete(async { [SIGINT, SIGTERM].map(action) });
        assert_eq!(
            (inside, [SIGINT, SIGTERM].map(action)),
            (Ok(before), before)
        );
    });
}

#[test]
fn a_loop_that_was_not_asked_to_dies_of_the_signal() {
    dies_alone(SIGINT, || {
        petla::run(async { raise(SIGINT) });
        unreachable!("ended");
    });
}

#[test]
fn a_loop_that_listens_has_a_handler_only_while_it_runs() {
    succeeds_alone(|| {
        let event_loop = interruptible();
        assert_eq!(action(SIGINT), libc::SIG_DFL, "built");
        let inside = event_loop.run_until_complete(async { [SIGINT, SIGTERM].map(action) });
        let [on_sigint, on_sigterm] = inside.unwrap();
        assert!(![libc::SIG_DFL, libc::SIG_IGN].contains(&on_sigint));
        assert_eq!(on_sigterm, libc::SIG_DFL);
        assert_eq!(action(SIGINT), libc::SIG_DFL, "after the run");
        event_loop.close().unwrap();
        assert_eq!(action(SIGINT), libc::SIG_DFL, "closed");
    });
}

#[test]
fn the_action_before_is_put_back_after_every_kind_of_run() {
    succeeds_alone(|| {
        for before in [libc::SIG_IGN, address(own)] {
            let event_loop = interruptible();
            set_action(SIGINT, before);
            assert_eq!(event_loop.run_until_complete(async { 1 }), Ok(1));
            assert_eq!(action(SIGINT), before, "a value");
            event_loop.call_soon(|| raise(SIGINT));
            assert_eq!(event_loop.run_forever(), Err(RunError::Interrupted));
            assert_eq!(action(SIGINT), before, "a signal");
            let run = || event_loop.run_until_complete(async { crate::common::raise("main") });
            assert!(catch_unwind(AssertUnwindSafe(run)).is_err());
            assert_eq!(action(SIGINT), before, "a panic");
        }
        raise(SIGINT);
        assert_eq!(SEEN.load(SeqCst), 1, "after the runs only");
    });
}

#[test]
fn an_action_that_somebody_installs_meanwhile_stays() {
    succeeds_alone(|| {
        let event_loop = interruptible();
        let result = event_loop.run_until_complete(async {
            set_action(SIGINT, address(own));
            raise(SIGINT);
            petla::yield_now().await;
        });
        assert_eq!((result, SEEN.load(SeqCst)), (Ok(()), 1), "theirs alone");
        assert_eq!(action(SIGINT), address(own));
        event_loop
            .run_until_complete(async { raise(SIGINT) })
            .unwrap();
        assert_eq!(SEEN.load(SeqCst), 1, "ours during the next run");
        assert_eq!(action(SIGINT), address(own));
    });
}

#[test]
fn a_handler_that_calls_ours_tells_the_loop_and_does_no_harm_later() {
    succeeds_alone(|| {
        let event_loop = interruptible();
        let result = event_loop.run_until_complete(async {
            CHAIN.store(set_action(SIGINT, address(chained)), SeqCst);
            raise(SIGINT);
            pending::<()>().await
        });
        assert_eq!(result, Err(RunError::Interrupted));
        raise(SIGINT);
        assert_eq!(SEEN.load(SeqCst), 2, "not raised again without end");
    });
}

#[test]
fn a_handler_of_ours_that_is_brought_back_later_acts_as_the_default() {
    dies_alone(SIGINT, || {
        let inside = interruptible().run_until_complete(async { action(SIGINT) });
        let inside = inside.unwrap();
        set_action(SIGINT, inside);
        assert_eq!(interruptible().run_until_complete(async { 1 }), Ok(1));
        assert_eq!(action(SIGINT), libc::SIG_DFL, "a later run is not confused");
        set_action(SIGINT, inside);
        raise(SIGINT);
        unreachable!("ended");
    });
}
