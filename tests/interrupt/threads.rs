//! Signals that another thread handles, and loops on several threads.

use std::future::pending;
use std::sync::mpsc::channel;
use std::thread;
use std::time::Instant;

use petla::event_loop::RunError;

use super::send::{
    SIGINT, action, dies_alone, interruptible, kill, kill_thread, raise, thread_number,
};
use crate::common::{LONG, succeeds_alone};

/// Waits until a thread of this process sleeps in the system.
fn wait_until_asleep(thread: i32) {
    let begin = Instant::now();
    let path = format!("/proc/self/task/{thread}/stat");
    while !std::fs::read_to_string(&path).unwrap().contains(") S ") {
        assert!(begin.elapsed() < LONG, "it never sleeps");
        thread::yield_now();
    }
}

/// A loop on a thread of its own that waits without a timer; its number, and its end.
fn sleeper() -> (i32, thread::JoinHandle<Result<(), RunError>>) {
    let (send, number) = channel();
    let thread = thread::spawn(move || {
        interruptible().run_until_complete(async move {
            send.send(thread_number()).unwrap();
            pending::<()>().await
        })
    });
    let number = number.recv().unwrap();
    wait_until_asleep(number);
    (number, thread)
}

#[test]
fn a_loop_that_sleeps_without_timers_is_woken() {
    succeeds_alone(|| {
        for here in [true, false] {
            let (number, thread) = sleeper();
            match here {
                true => kill_thread(number, SIGINT), // handled where the loop sleeps
                false => raise(SIGINT),              // handled here
            }
            assert_eq!(thread.join().unwrap(), Err(RunError::Interrupted));
        }
    });
}

#[test]
fn a_signal_to_the_process_is_told_whichever_thread_gets_it() {
    succeeds_alone(|| {
        for _ in 0..100 {
            let (_, thread) = sleeper();
            kill(std::process::id(), SIGINT);
            assert_eq!(thread.join().unwrap(), Err(RunError::Interrupted));
        }
    });
}

#[test]
fn every_loop_that_listens_is_told() {
    succeeds_alone(|| {
        let threads = [(); 4].map(|()| sleeper().1);
        raise(SIGINT);
        for thread in threads {
            assert_eq!(thread.join().unwrap(), Err(RunError::Interrupted));
        }
        assert_eq!(action(SIGINT), libc::SIG_DFL);
    });
}

#[test]
fn the_handler_stays_until_the_last_run_ends() {
    succeeds_alone(|| {
        let (_, thread) = sleeper();
        assert_eq!(interruptible().run_until_complete(async { 1 }), Ok(1));
        assert_ne!(action(SIGINT), libc::SIG_DFL, "one still runs");
        let outlives = interruptible().run_until_complete(async move {
            raise(SIGINT);
            thread.join().unwrap()
        });
        assert_eq!(
            outlives,
            Ok(Err(RunError::Interrupted)),
            "told, and has a value"
        );
        assert_eq!(action(SIGINT), libc::SIG_DFL);
    });
}

#[test]
fn one_loop_that_hogs_its_thread_is_enough_for_the_second_to_end_the_process() {
    dies_alone(SIGINT, || {
        let (send, hogs) = channel();
        let hog = move || {
            interruptible().run_until_complete(async move {
                send.send(()).unwrap();
                loop {
                    thread::park();
                }
            })
        };
        let _hog: thread::JoinHandle<Result<(), _>> = thread::spawn(hog);
        hogs.recv().unwrap();
        let (_, thread) = sleeper();
        raise(SIGINT);
        assert_eq!(thread.join().unwrap(), Err(RunError::Interrupted));
        let _listens = sleeper();
        raise(SIGINT);
        unreachable!("ended");
    });
}

/// Runs begin and end on two threads while a third sends: no run is confused by another's end.
#[test]
fn runs_that_begin_and_end_at_the_same_time_leave_the_action_as_it_was() {
    succeeds_alone(|| {
        let threads = [(); 3].map(|()| {
            thread::spawn(|| {
                let event_loop = interruptible();
                for _ in 0..2_000 {
                    let inside = event_loop.run_until_complete(async { action(SIGINT) });
                    assert_ne!(inside, Ok(libc::SIG_DFL));
                }
            })
        });
        for thread in threads {
            thread.join().unwrap();
        }
        assert_eq!(action(SIGINT), libc::SIG_DFL);
    });
}
