//! The second signal of a run, and more.

use std::future::pending;
use std::os::unix::process::ExitStatusExt;
use std::rc::Rc;
use std::sync::mpsc::channel;
use std::thread;

use petla::event_loop::RunError;
use petla::{CancelScope, EventLoop, spawn, yield_now};

use super::send::{SIGINT, SIGTERM, dies_alone, interruptible, kill, raise, set_action};
use crate::common::{Count, Drops, alone, bump, succeeds_alone, text};

/// More polls than there are between two looks.
const LOOKS: usize = 70;

/// Tasks that count their polls and never end; `raisers` raise `signal` in their second one.
fn busy(event_loop: &EventLoop, tasks: usize, raisers: &[usize], signal: i32) -> Vec<Count> {
    let counts = vec![(); tasks].into_iter().map(|()| Count::default());
    let counts: Vec<_> = counts.collect();
    for (number, count) in counts.iter().enumerate() {
        let (count, raises) = (Rc::clone(count), raisers.contains(&number));
        drop(event_loop.spawn(async move {
            loop {
                bump(&count);
                if raises && count.get() == 2 {
                    raise(signal);
                }
                yield_now().await;
            }
        }));
    }
    counts
}

#[test]
fn the_second_ends_the_run_between_two_polls() {
    succeeds_alone(|| {
        let (event_loop, drops) = (interruptible(), Drops::default());
        let counts = busy(&event_loop, 4 * LOOKS, &[0, LOOKS], SIGINT);
        let result = event_loop.run_until_complete(async {
            let _guard = drops.guard();
            pending::<()>().await
        });
        assert_eq!((result, drops.count()), (Err(RunError::Interrupted), 1));
        let polls = |task: usize| counts[task].get();
        assert_eq!((polls(LOOKS), polls(3 * LOOKS)), (2, 1), "in that batch");
        assert_eq!(event_loop.run_until_complete(yield_now()), Ok(()));
        assert!(polls(3 * LOOKS) > 1, "what was ready still is");
    });
}

#[test]
fn the_second_ends_run_forever_between_two_polls() {
    succeeds_alone(|| {
        let both = EventLoop::builder().sigint(true).sigterm(true);
        let event_loop = both.build().unwrap();
        let counts = busy(&event_loop, 4 * LOOKS, &[0, LOOKS], SIGTERM);
        assert_eq!(event_loop.run_forever(), Err(RunError::Terminated));
        assert_eq!((counts[0].get(), counts[3 * LOOKS].get()), (2, 1));
    });
}

#[test]
fn a_task_that_hogs_the_thread_is_ended_with_the_process_by_the_second() {
    dies_alone(SIGINT, || {
        drop(interruptible().run_until_complete(async {
            raise(SIGINT);
            raise(SIGINT);
        }));
        unreachable!("ended");
    });
}

#[test]
fn the_process_ends_by_the_signal_that_came_second() {
    dies_alone(SIGTERM, || {
        let both = EventLoop::builder().sigint(true).sigterm(true);
        drop(both.build().unwrap().run_until_complete(async {
            raise(SIGINT);
            raise(SIGTERM);
        }));
        unreachable!("ended");
    });
}

#[test]
fn a_destructor_of_main_that_hangs_is_ended_by_the_third() {
    dies_alone(SIGINT, || {
        drop(interruptible().run_until_complete(async {
            let _hangs = crate::common::OnDrop(|| (0..2).for_each(|_| raise(SIGINT)));
            raise(SIGINT);
            pending::<()>().await
        }));
        unreachable!("ended");
    });
}

/// The ends that a burst may have: the run sees it, or the process ends by it; nothing else.
#[test]
fn a_thousand_in_a_row_interrupt_the_run_or_end_the_process() {
    let Some(output) = alone(|| {
        set_action(SIGINT, libc::SIG_IGN); // for those that come after the run
        let (send, begins) = channel();
        let sender = thread::spawn(move || {
            begins.recv().unwrap();
            (0..1_000).for_each(|_| kill(std::process::id(), SIGINT));
        });
        let result = interruptible().run_until_complete(async {
            send.send(()).unwrap();
            drop(spawn(async {
                loop {
                    yield_now().await;
                }
            }));
            pending::<()>().await
        });
        sender.join().unwrap();
        assert_eq!(result, Err(RunError::Interrupted));
    }) else {
        return;
    };
    let well = output.status.success() || output.status.signal() == Some(SIGINT);
    assert!(well, "{}\n{}", output.status, text(&output.stderr));
}

#[test]
fn the_first_waits_for_clean_ups_and_the_second_does_not() {
    succeeds_alone(|| {
        let event_loop = interruptible();
        let cleaned = Count::default();
        let run = |clean_up: fn()| {
            event_loop.run_until_complete(async {
                let scope = CancelScope::new();
                let body = scope.run(async |s| {
                    s.on_cancel(async {
                        yield_now().await;
                        clean_up();
                        for _ in 0..LOOKS {
                            yield_now().await;
                        }
                        bump(&cleaned);
                    });
                    raise(SIGINT);
                    pending::<()>().await
                });
                body.await
            })
        };
        assert_eq!(run(|| ()).unwrap_err(), RunError::Interrupted);
        assert_eq!(cleaned.get(), 1);
        let second = || raise(SIGINT);
        assert_eq!(run(second).unwrap_err(), RunError::Interrupted);
        assert_eq!(cleaned.get(), 1, "the second ended it between two polls");
    });
}

#[test]
fn a_second_one_ends_a_clean_up_that_sleeps() {
    succeeds_alone(|| {
        let event_loop = interruptible();
        let result = event_loop.run_until_complete(async {
            let scope = CancelScope::new();
            let body = scope.run(async |s| {
                s.on_cancel(async {
                    drop(thread::spawn(|| kill(std::process::id(), SIGINT)));
                    pending().await
                });
                raise(SIGINT);
                pending::<()>().await
            });
            body.await
        });
        assert_eq!(result.unwrap_err(), RunError::Interrupted);
    });
}
