//! Much of everything: a million tasks, tasks that never rest, no descriptors, signals.

use std::cell::Cell;
use std::fs::File;
use std::future::poll_fn;
use std::io;
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::task::Poll;
use std::thread;
use std::time::{Duration, Instant};

use petla::event_loop::RunError;
use petla::{EventLoop, Task, spawn};

use crate::common::{Drops, LONG, bump, panic_text, raise, succeeds_alone, within};

const MILLION: usize = 1_000_000;

#[test]
fn a_million_tasks_run_wait_and_end() {
    petla::run(async {
        let count = Rc::new(Cell::new(0));
        let tasks: Vec<Task<usize>> = (0..MILLION)
            .map(|n| {
                let count = Rc::clone(&count);
                spawn(async move {
                    bump(&count);
                    petla::yield_now().await;
                    n
                })
            })
            .collect();
        petla::yield_now().await;
        assert_eq!(count.get(), MILLION);
        let mut sum = 0;
        for task in tasks {
            sum += task.await.unwrap();
        }
        assert_eq!(sum, MILLION * (MILLION - 1) / 2);
    });
}

#[test]
fn a_million_waiting_tasks_go_down_with_their_loop() {
    let drops = Rc::new(Cell::new(0));
    struct Bumps(Rc<Cell<usize>>);
    impl Drop for Bumps {
        fn drop(&mut self) {
            bump(&self.0);
        }
    }
    petla::run(async {
        for _ in 0..MILLION {
            let guard = Bumps(Rc::clone(&drops));
            drop(spawn(async move {
                let _guard = guard;
                std::future::pending::<()>().await
            }));
        }
        petla::yield_now().await;
        assert_eq!(drops.get(), 0);
    });
    assert_eq!(drops.get(), MILLION);
}

#[test]
fn tasks_that_never_rest_hinder_neither_the_end_nor_a_stop() {
    let event_loop = EventLoop::new().unwrap();
    let drops = Drops::default();
    for wakes_itself in [true, false] {
        let guard = drops.guard();
        drop(event_loop.spawn(async move {
            let _guard = guard;
            loop {
                if wakes_itself {
                    let mut woken = false;
                    poll_fn(|cx| {
                        cx.waker().wake_by_ref();
                        if std::mem::replace(&mut woken, true) {
                            Poll::Ready(())
                        } else {
                            Poll::Pending
                        }
                    })
                    .await;
                } else {
                    petla::yield_now().await;
                }
            }
        }));
    }
    assert_eq!(
        event_loop.run_until_complete(petla::sleep(Duration::from_millis(1))),
        Ok(())
    );
    let (handle, (send, receive)) = (event_loop.handle(), mpsc::channel());
    let stopping = thread::spawn(move || {
        receive.recv_timeout(LONG).unwrap();
        handle.stop();
    });
    event_loop.call_soon(move || send.send(()).unwrap());
    event_loop.run_forever().unwrap();
    stopping.join().unwrap();
    event_loop.close().unwrap();
    assert_eq!(drops.count(), 2);
}

#[test]
fn a_stop_during_a_poll_that_does_not_return_is_obeyed_when_it_does() {
    let event_loop = EventLoop::new().unwrap();
    let (handle, (begin, begun), (release, released)) =
        (event_loop.handle(), mpsc::channel(), mpsc::channel());
    let stopping = thread::spawn(move || {
        begun.recv_timeout(LONG).unwrap();
        handle.stop();
        release.send(()).unwrap();
    });
    let result = event_loop.run_until_complete(async move {
        begin.send(()).unwrap();
        released.recv_timeout(LONG).unwrap(); // never yields meanwhile
        std::future::pending::<()>().await
    });
    assert_eq!(result, Err(RunError::Stopped));
    stopping.join().unwrap();
}

#[test]
fn deep_chains_of_wakes_do_not_deepen_the_stack() {
    within(async {
        // Each task's end wakes the next one: 100,000 levels if wakes were calls.
        let mut last = spawn(async {});
        for _ in 0..100_000 {
            last = spawn(async move { last.await.unwrap() });
        }
        last.await.unwrap();
    });
}

/// Lets this process have `soft` descriptors, of `hard` at most.
fn limit_descriptors(soft: u64, hard: u64) {
    let limit = libc::rlimit {
        rlim_cur: soft,
        rlim_max: hard,
    };
    // SAFETY: `limit` is valid for the call.
    let set = unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) };
    assert_eq!(set, 0, "{}", io::Error::last_os_error());
}

/// The most descriptors that this process may allow itself.
fn hard_limit() -> u64 {
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: `limit` is valid for the call.
    let got = unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) };
    assert_eq!(got, 0, "{}", io::Error::last_os_error());
    limit.rlim_max
}

#[test]
fn without_descriptors_a_loop_is_an_error_and_later_works_again() {
    succeeds_alone(|| {
        limit_descriptors(64, hard_limit());
        let mut files: Vec<File> = std::iter::from_fn(|| File::open("/dev/null").ok()).collect();
        // Without a descriptor epoll fails, with one the eventfd.
        for _ in 0..2 {
            let error = EventLoop::new().unwrap_err();
            assert_eq!(error.raw_os_error(), Some(libc::EMFILE));
            let text = panic_text(|| petla::run(async {}));
            assert!(text.starts_with("cannot make an event loop: "), "{text}");
            files.pop();
        }
        assert_eq!(within(async { 1 }), 1, "two are enough");
    });
}

#[test]
fn more_loops_than_a_process_can_have_are_an_error() {
    succeeds_alone(|| {
        const LOOPS: usize = 4096;
        let hard = hard_limit();
        if hard < 3 * LOOPS as u64 {
            println!("skipped: this machine does not allow enough descriptors");
            return;
        }
        limit_descriptors(3 * LOOPS as u64, hard);
        let mut loops: Vec<EventLoop> = (0..LOOPS).map(|_| EventLoop::new().unwrap()).collect();
        let error = EventLoop::new().unwrap_err();
        assert!(error.to_string().contains("close one first"), "{error}");
        assert_eq!(loops[LOOPS - 1].run_until_complete(async { 1 }), Ok(1));
        drop(loops.swap_remove(7));
        let again = EventLoop::new().unwrap();
        let spawned = async { spawn(async { 2 }).await.unwrap() };
        assert_eq!(again.run_until_complete(spawned), Ok(2));
    });
}

static SIGNALS: AtomicUsize = AtomicUsize::new(0);

extern "C" fn count_signal(_: libc::c_int) {
    SIGNALS.fetch_add(1, Ordering::SeqCst);
}

#[test]
fn signals_end_neither_a_sleep_nor_the_loop() {
    succeeds_alone(|| {
        // SAFETY: zeroed is a valid `sigaction`: no flags, so calls are interrupted.
        let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
        action.sa_sigaction = count_signal as extern "C" fn(libc::c_int) as libc::sighandler_t;
        // SAFETY: the handler only adds to an atomic.
        let set =
            unsafe { libc::sigaction(libc::SIGUSR1, &raw const action, std::ptr::null_mut()) };
        assert_eq!(set, 0);
        // SAFETY: a plain call.
        let looping = unsafe { libc::pthread_self() };
        let (stop, stopped) = mpsc::channel::<()>();
        let shooting = thread::spawn(move || {
            while let Err(mpsc::RecvTimeoutError::Timeout) =
                stopped.recv_timeout(Duration::from_micros(200))
            {
                // SAFETY: that thread waits for this one to end.
                unsafe { libc::pthread_kill(looping, libc::SIGUSR1) };
            }
        });
        within(async {
            let begin = Instant::now();
            while SIGNALS.load(Ordering::SeqCst) < 20 {
                let before = Instant::now();
                petla::sleep(Duration::from_millis(3)).await;
                assert!(before.elapsed() >= Duration::from_millis(3));
                assert!(begin.elapsed() < LONG);
            }
        });
        drop(stop);
        shooting.join().unwrap();
    });
}

#[test]
fn tasks_that_panic_all_the_time_leave_the_loop_as_it_was() {
    within(async {
        EventLoop::current().set_exception_handler(|_| ());
        for _ in 0..10_000 {
            drop(spawn(async { raise("again") }));
        }
        petla::yield_now().await;
        assert_eq!(petla::all_tasks().len(), 1);
        assert_eq!(spawn(async { 1 }).await.unwrap(), 1);
    });
}
