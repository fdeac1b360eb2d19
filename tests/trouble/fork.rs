//! A process that forks: the child has no loop, gets clear errors, and harms the parent nowhere.
//!
//! Every test forks in a process of its own.

use std::cell::Cell;
use std::future::{pending, poll_fn};
use std::io::{self, Read, Write};
use std::os::fd::AsRawFd;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::task::{Poll, Waker};
use std::thread;
use std::time::Duration;

use petla::event_loop::{LoopClosed, RunError};
use petla::net::UnixStream;
use petla::{EventLoop, LoopHandle, all_tasks, current_task, spawn, spawn_eager};

use crate::common::fork::{exit_after, fork, reap};
use crate::common::{Drops, LONG, OnDrop, bump, panic_text, poll_once, succeeds_alone, within};

/// Forks; the child runs `body` and ends, the parent waits for it.
#[track_caller]
fn in_child(body: impl FnOnce()) {
    match fork() {
        0 => exit_after(body),
        child => reap(child),
    }
}

/// The counters of this process's eventfds: each loop has one.
fn rings() -> Vec<String> {
    let mut counts = Vec::new();
    for entry in std::fs::read_dir("/proc/self/fdinfo").unwrap() {
        let info = std::fs::read_to_string(entry.unwrap().path()).unwrap_or_default();
        counts.extend(
            info.lines()
                .find(|line| line.starts_with("eventfd-count"))
                .map(str::to_owned),
        );
    }
    counts
}

async fn own_waker() -> Waker {
    poll_fn(|cx| Poll::Ready(cx.waker().clone())).await
}

/// Everything a loop is for, once.
fn use_a_new_loop() {
    within(async {
        let (left, right) = UnixStream::pair().unwrap();
        let echo = spawn(async move {
            let mut buf = [0; 4];
            left.read_exact(&mut buf).await.unwrap();
            buf
        });
        petla::sleep(Duration::from_micros(100)).await;
        right.write_all(b"ping").await.unwrap();
        assert_eq!(echo.await.unwrap(), *b"ping");
        let handle = LoopHandle::current();
        let thread = thread::spawn(move || handle.spawn(async || 5).join().unwrap());
        crate::common::yield_until(|| thread.is_finished()).await;
        assert_eq!(thread.join().unwrap(), 5);
    });
}

#[test]
fn a_child_forked_inside_a_task_has_no_loop_and_is_told_so() {
    succeeds_alone(|| {
        within(async {
            let event_loop = EventLoop::current();
            let handle = event_loop.handle();
            in_child(|| {
                assert!(current_task().is_none() && all_tasks().is_empty());
                assert!(EventLoop::try_current().is_none());
                for text in [
                    panic_text(|| spawn(async {})),
                    panic_text(|| spawn_eager(async {})),
                    panic_text(LoopHandle::current),
                    panic_text(|| poll_once(&mut petla::sleep(Duration::from_secs(1)))),
                ] {
                    assert!(
                        text.contains("needs a running event loop on this thread"),
                        "{text}"
                    );
                }
                assert_eq!(handle.call_soon_threadsafe(|| ()), Err(LoopClosed));
                assert!(handle.spawn(async || 1).join().unwrap_err().is_cancelled());
                handle.stop();
                assert_eq!(
                    event_loop.run_until_complete(async { 1 }),
                    Err(RunError::Forked)
                );
                assert_eq!(event_loop.run_forever(), Err(RunError::Forked));
                let drops = Drops::default();
                let (future, call) = (drops.guard(), drops.guard());
                let task = event_loop.spawn(async move { drop(future) });
                let call = event_loop.call_soon(move || drop(call));
                assert!(task.is_finished() && !call.cancel());
                assert_eq!(drops.count(), 2, "nobody would ever run them");
            });
            assert_eq!(spawn(async { 1 }).await.unwrap(), 1, "the parent goes on");
        });
    });
}

#[test]
fn a_child_that_returns_to_the_loop_is_sent_away_at_once() {
    succeeds_alone(|| {
        let event_loop = EventLoop::new().unwrap();
        let (polls, dropped) = (Cell::new(0), Cell::new(false));
        for _ in 0..3 {
            drop(event_loop.spawn(async { petla::yield_now().await }));
        }
        let pid = Cell::new(-1);
        let result = event_loop.run_until_complete(async {
            let _end = OnDrop(|| dropped.set(true));
            petla::yield_now().await;
            pid.set(fork());
            bump(&polls);
            petla::yield_now().await;
            bump(&polls);
            "the parent's value"
        });
        if pid.get() == 0 {
            exit_after(|| {
                assert_eq!(result, Err(RunError::Forked));
                assert_eq!((polls.get(), dropped.get()), (1, true));
                assert_eq!(event_loop.run_forever(), Err(RunError::Forked));
                drop(event_loop);
                use_a_new_loop();
            });
        }
        assert_eq!((result, polls.get()), (Ok("the parent's value"), 2));
        reap(pid.get());
        assert_eq!(event_loop.run_until_complete(async { 3 }), Ok(3));
    });
}

#[test]
fn run_in_a_child_that_returns_to_it_panics_with_the_reason() {
    succeeds_alone(|| {
        let pid = Cell::new(-1);
        let result = catch_unwind(AssertUnwindSafe(|| {
            petla::run(async {
                pid.set(fork());
                petla::yield_now().await;
                7
            })
        }));
        if pid.get() == 0 {
            exit_after(|| {
                let text = crate::common::text_of(&*result.unwrap_err()).unwrap();
                assert!(
                    text.contains("belongs to the parent process: make a new one"),
                    "{text}"
                );
            });
        }
        reap(pid.get());
        assert_eq!(result.unwrap(), 7);
    });
}

#[test]
fn a_callback_that_forks_sends_its_child_away_too() {
    succeeds_alone(|| {
        let event_loop = EventLoop::new().unwrap();
        let (pid, stop) = (std::rc::Rc::new(Cell::new(-1)), event_loop.clone());
        let place = pid.clone();
        event_loop.call_soon(move || {
            place.set(fork());
            if place.get() != 0 {
                stop.stop();
            }
        });
        let result = event_loop.run_forever();
        if pid.get() == 0 {
            exit_after(|| assert_eq!(result, Err(RunError::Forked)));
        }
        assert_eq!(result, Ok(()));
        reap(pid.get());
    });
}

#[test]
fn a_new_loop_works_in_the_child_of_a_task_of_a_run_and_of_a_thread() {
    succeeds_alone(|| {
        within(async {
            drop(spawn(pending::<()>()));
            petla::sleep(Duration::from_micros(10)).await;
            in_child(use_a_new_loop);
            spawn(async { in_child(|| in_child(use_a_new_loop)) })
                .await
                .unwrap();
            let forking = thread::spawn(|| in_child(use_a_new_loop));
            crate::common::yield_until(|| forking.is_finished()).await;
            forking.join().unwrap();
        });
        in_child(use_a_new_loop);
        use_a_new_loop();
    });
}

#[test]
fn between_two_runs_a_child_cannot_run_its_parents_loop() {
    succeeds_alone(|| {
        let event_loop = EventLoop::new().unwrap();
        let drops = Drops::default();
        drop(event_loop.spawn(drops.forever()));
        event_loop.run_until_complete(petla::yield_now()).unwrap();
        in_child(|| {
            assert_eq!(
                event_loop.run_until_complete(async {}),
                Err(RunError::Forked)
            );
            assert_eq!(event_loop.run_forever(), Err(RunError::Forked));
            use_a_new_loop();
            event_loop.close().unwrap();
            assert_eq!(drops.count(), 1, "the child's copy");
        });
        assert_eq!(drops.count(), 0);
        assert_eq!(event_loop.run_until_complete(async { 1 }), Ok(1));
    });
}

#[test]
fn nothing_that_a_child_does_rings_its_parents_loop() {
    succeeds_alone(|| {
        let event_loop = EventLoop::new().unwrap();
        let handle = event_loop.handle();
        let waker = event_loop.run_until_complete(own_waker()).unwrap();
        let task = event_loop.spawn(pending::<()>());
        let (left, _right) = UnixStream::pair().unwrap();
        let mut nap = petla::sleep(LONG);
        event_loop
            .run_until_complete(async {
                assert!(poll_once(&mut nap).is_pending());
                assert!(poll_once(&mut Box::pin(left.read(&mut [0; 8]))).is_pending());
            })
            .unwrap();
        let before = rings();
        assert_eq!(before.len(), 1, "this process has one loop");
        in_child(|| {
            waker.wake_by_ref();
            assert!(handle.call_soon_threadsafe(|| ()).is_err());
            handle.stop();
            assert!(task.cancel("in the child"));
            drop((nap, left, task));
            thread::spawn(move || waker.wake()).join().unwrap();
            drop(event_loop);
            assert_eq!(rings(), before);
        });
        assert_eq!(rings(), before);
    });
}

#[test]
fn what_a_child_closes_stays_open_and_registered_in_the_parent() {
    succeeds_alone(|| {
        let event_loop = EventLoop::new().unwrap();
        let (left, mut right) = std::os::unix::net::UnixStream::pair().unwrap();
        left.set_nonblocking(true).unwrap();
        let (watched, mut writer) = io::pipe().unwrap();
        let number = watched.as_raw_fd();
        let (reader, log) = (
            UnixStream::from_std(left).unwrap(),
            crate::common::Log::new(),
        );
        let notes = log.clone();
        event_loop
            .add_reader(&number, {
                let mut watched = watched;
                move || notes.push(watched.read(&mut [0; 8]).unwrap())
            })
            .unwrap();
        let _lent = std::os::fd::AsFd::as_fd(&reader).as_raw_fd(); // so that close deregisters
        let reading = event_loop.spawn(async move {
            let mut buf = [0; 8];
            reader.read(&mut buf).await.unwrap()
        });
        event_loop
            .run_until_complete(petla::sleep(Duration::from_micros(10)))
            .unwrap();
        in_child(|| {
            assert!(event_loop.remove_reader(&number));
            assert!(reading.cancel("in the child"));
            event_loop.close().unwrap();
        });
        right.write_all(b"abc").unwrap();
        writer.write_all(b"de").unwrap();
        let both = async {
            let read = reading.await.unwrap();
            crate::common::yield_until(|| log.len() == 1).await;
            read
        };
        let limited = petla::timeout(LONG, both);
        assert_eq!(event_loop.run_until_complete(limited).unwrap(), Ok(3));
        assert_eq!(log.take(), [2]);
    });
}

#[test]
fn a_child_cannot_watch_descriptors_with_its_parents_loop() {
    succeeds_alone(|| {
        let event_loop = EventLoop::new().unwrap();
        let (reader, mut writer) = io::pipe().unwrap();
        event_loop.run_until_complete(async {}).unwrap();
        in_child(|| {
            let refused = event_loop
                .add_reader(&reader, || ())
                .expect_err("it is the parent's");
            assert!(refused.to_string().contains("parent process"), "{refused}");
            assert!(event_loop.add_writer(&writer, || ()).is_err());
        });
        let log = crate::common::Log::new();
        let notes = log.clone();
        let number = reader.as_raw_fd();
        let mut reader = reader;
        event_loop
            .add_reader(&number, move || {
                notes.push(reader.read(&mut [0; 8]).unwrap())
            })
            .expect("the child registered nothing in the parent's epoll");
        writer.write_all(b"x").unwrap();
        let seen = crate::common::yield_until(|| log.len() == 1);
        event_loop.run_until_complete(seen).unwrap();
    });
}

#[test]
fn a_socket_that_waited_in_the_parent_waits_in_the_childs_own_loop() {
    succeeds_alone(|| {
        let event_loop = EventLoop::new().unwrap();
        let (left, right) = UnixStream::pair().unwrap();
        event_loop
            .run_until_complete(async {
                assert!(poll_once(&mut Box::pin(left.read(&mut [0; 8]))).is_pending());
            })
            .unwrap();
        in_child(|| {
            within(async {
                let reading = async {
                    let mut buf = [0; 8];
                    left.read(&mut buf).await.unwrap()
                };
                let mut reading = Box::pin(reading);
                assert!(poll_once(&mut reading).is_pending());
                right.write_all(b"xyz").await.unwrap();
                assert_eq!(reading.await, 3);
            });
        });
        event_loop
            .run_until_complete(async {
                let mut reading = Box::pin(async { left.read(&mut [0; 8]).await.unwrap() });
                assert!(
                    poll_once(&mut reading).is_pending(),
                    "the child took its bytes"
                );
                right.write_all(b"ab").await.unwrap();
                assert_eq!(petla::timeout(LONG, reading).await, Ok(2));
            })
            .unwrap();
    });
}

#[test]
fn a_thread_that_forks_while_the_loop_sleeps_disturbs_nobody() {
    succeeds_alone(|| {
        within(async {
            let handle = LoopHandle::current();
            let forking = thread::spawn(move || {
                for _ in 0..5 {
                    let handle = handle.clone();
                    in_child(move || {
                        assert_eq!(handle.call_soon_threadsafe(|| ()), Err(LoopClosed));
                        use_a_new_loop();
                    });
                }
                handle
                    .spawn(async || "the thread's loop is where it was")
                    .join()
                    .unwrap()
            });
            while !forking.is_finished() {
                petla::sleep(Duration::from_millis(1)).await;
            }
            assert_eq!(forking.join().unwrap(), "the thread's loop is where it was");
        });
    });
}
