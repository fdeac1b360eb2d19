//! Loops on several threads, and signals that come from other threads.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::mpsc::channel;
use std::thread;
use std::time::Instant;

use petla::signal::{SIGUSR1, signals};
use petla::sync::Event;

use super::send::{action, kill, kill_thread, raise, set_action, thread_number};
use crate::common::{LONG, succeeds_alone};

/// Waits until a thread of this process sleeps in the system.
pub(crate) fn wait_until_asleep(thread: i32) {
    let begin = Instant::now();
    let path = format!("/proc/self/task/{thread}/stat");
    while !std::fs::read_to_string(&path).unwrap().contains(") S ") {
        assert!(begin.elapsed() < LONG, "it never sleeps");
        thread::yield_now();
    }
}

/// A loop on a thread of its own that waits for one SIGUSR1; its number, and its end.
fn sleeper() -> (i32, thread::JoinHandle<Option<i32>>) {
    let (send, number) = channel();
    let thread = thread::spawn(move || {
        petla::run(async move {
            let mut stream = signals([SIGUSR1]).unwrap();
            send.send(thread_number()).unwrap();
            stream.next().await
        })
    });
    let number = number.recv().unwrap();
    wait_until_asleep(number);
    (number, thread)
}

#[test]
fn every_loop_that_listens_is_woken_whichever_thread_gets_the_signal() {
    succeeds_alone(|| {
        for round in 0..50 {
            let threads = [(); 3].map(|()| sleeper());
            match round % 3 {
                0 => raise(SIGUSR1),
                1 => kill(std::process::id(), SIGUSR1),
                _ => kill_thread(threads[0].0, SIGUSR1),
            }
            for (_, thread) in threads {
                assert_eq!(thread.join().unwrap(), Some(SIGUSR1));
            }
            assert_eq!(action(SIGUSR1), libc::SIG_DFL);
        }
    });
}

#[test]
fn a_stream_is_awaited_and_dropped_on_another_thread() {
    succeeds_alone(|| {
        let (send, streams) = channel();
        let (end, ended) = channel::<()>();
        let home = thread::spawn(move || {
            petla::run(async move {
                send.send(signals([SIGUSR1]).unwrap()).unwrap();
                let dropped = Arc::new(Event::new());
                let set = Arc::clone(&dropped);
                thread::spawn(move || {
                    ended.recv().unwrap();
                    set.set();
                });
                dropped.wait().await;
                assert_eq!(action(SIGUSR1), libc::SIG_DFL);
            });
        });
        let mut stream = streams.recv().unwrap();
        raise(SIGUSR1);
        assert_eq!(petla::run(stream.next()), Some(SIGUSR1));
        drop(stream);
        end.send(()).unwrap();
        home.join().unwrap();
    });
}

/// Listeners come and go on three threads while a fourth sends: nobody's end is another's.
#[test]
fn listeners_that_come_and_go_leave_the_others_alone() {
    succeeds_alone(|| {
        static OVER: AtomicBool = AtomicBool::new(false);
        set_action(SIGUSR1, libc::SIG_IGN); // for those that come after the last listener
        let (_, first) = sleeper();
        let keeper = thread::spawn(|| {
            petla::run(async {
                let mut stream = signals([SIGUSR1]).unwrap();
                let mut heard = 0;
                while !OVER.load(SeqCst) {
                    assert_eq!(stream.next().await, Some(SIGUSR1));
                    heard += 1;
                }
                heard
            })
        });
        let come_and_go = || {
            for _ in 0..200 {
                petla::run(async {
                    for _ in 0..10 {
                        drop(signals([SIGUSR1]).unwrap());
                        petla::yield_now().await;
                    }
                });
            }
        };
        let threads = [(); 3].map(|()| thread::spawn(come_and_go));
        while !first.is_finished() {
            raise(SIGUSR1);
        }
        assert_eq!(first.join().unwrap(), Some(SIGUSR1));
        for thread in threads {
            thread.join().unwrap();
        }
        OVER.store(true, SeqCst);
        while !keeper.is_finished() {
            raise(SIGUSR1);
        }
        assert!(keeper.join().unwrap() > 0);
        assert_eq!(action(SIGUSR1), libc::SIG_IGN);
    });
}
