//! Handlers of other people, programs started meanwhile, forks.

use std::mem::MaybeUninit;
use std::process::Command;
use std::ptr;
use std::sync::atomic::{AtomicI32, AtomicUsize, Ordering::SeqCst};

use petla::signal::{SIGCHLD, SIGHUP, SIGINT, SIGUSR1, SIGUSR2, signals};
use petla::{EventLoop, yield_now};

use super::send::{action, dies_alone, raise, set_action};
use crate::common::fork::{exit_after, fork, reap, wait_for};
use crate::common::{succeeds_alone, yield_until};

static SEEN: AtomicUsize = AtomicUsize::new(0);
static SENDER: AtomicI32 = AtomicI32::new(0);
static NEXT: AtomicUsize = AtomicUsize::new(0);

extern "C" fn own(_: i32) {
    SEEN.fetch_add(1, SeqCst);
}

/// A handler that is told who sent the signal.
extern "C" fn informed(number: i32, info: *mut libc::siginfo_t, _: *mut libc::c_void) {
    assert_eq!(number, SIGUSR1);
    // SAFETY: the system's, passed on as it came.
    let info = unsafe { &*info };
    // SAFETY: the signal was sent by a process.
    SENDER.store(unsafe { info.si_pid() }, SeqCst);
}

/// One that also calls the handler that it found, as signal libraries do.
extern "C" fn chained(number: i32, info: *mut libc::siginfo_t, context: *mut libc::c_void) {
    SEEN.fetch_add(1, SeqCst);
    type Next = extern "C" fn(i32, *mut libc::siginfo_t, *mut libc::c_void);
    // SAFETY: the action that was found was a handler of three arguments.
    let next = unsafe { std::mem::transmute::<usize, Next>(NEXT.load(SeqCst)) };
    next(number, info, context);
}

fn install(signal: i32, handler: usize, flags: i32) -> libc::sighandler_t {
    // SAFETY: all zero is a value.
    let mut new: libc::sigaction = unsafe { MaybeUninit::zeroed().assume_init() };
    new.sa_sigaction = handler;
    new.sa_flags = flags;
    let old = action(signal);
    // SAFETY: `new` is valid for the call, and its handler uses atomics only.
    assert_eq!(unsafe { libc::sigaction(signal, &new, ptr::null_mut()) }, 0);
    old
}

#[test]
fn a_handler_that_was_there_before_is_called_too_and_put_back() {
    succeeds_alone(|| {
        let own = own as extern "C" fn(i32) as usize;
        set_action(SIGUSR1, own);
        petla::run(async {
            for round in 1..=3 {
                let mut stream = signals([SIGUSR1]).unwrap();
                raise(SIGUSR1);
                assert_eq!(SEEN.load(SeqCst), round);
                assert_eq!(stream.next().await, Some(SIGUSR1));
                drop(stream);
                assert_eq!(action(SIGUSR1), own);
            }
        });
    });
}

#[test]
fn a_handler_that_wants_to_know_who_sent_the_signal_is_told() {
    succeeds_alone(|| {
        let handler = informed as *const () as usize;
        install(SIGUSR1, handler, libc::SA_SIGINFO);
        petla::run(async {
            let mut stream = signals([SIGUSR1]).unwrap();
            let me = std::process::id();
            super::send::kill(me, SIGUSR1);
            assert_eq!(stream.next().await, Some(SIGUSR1));
            // Another thread may handle it, and be there still.
            yield_until(|| SENDER.load(SeqCst) == me.cast_signed()).await;
        });
        assert_eq!(action(SIGUSR1), handler);
    });
}

#[test]
fn an_ignored_signal_is_taken_and_ignored_again() {
    succeeds_alone(|| {
        set_action(SIGHUP, libc::SIG_IGN);
        petla::run(async {
            let mut stream = signals([SIGHUP]).unwrap();
            raise(SIGHUP);
            assert_eq!(stream.next().await, Some(SIGHUP));
        });
        assert_eq!(action(SIGHUP), libc::SIG_IGN);
    });
}

#[test]
fn a_handler_that_was_installed_over_ours_and_calls_it_makes_no_circle() {
    succeeds_alone(|| {
        petla::run(async {
            let over = chained as *const () as usize;
            let mut first = signals([SIGUSR1]).unwrap();
            NEXT.store(install(SIGUSR1, over, libc::SA_SIGINFO), SeqCst);
            raise(SIGUSR1);
            assert_eq!(SEEN.load(SeqCst), 1);
            assert_eq!(first.next().await, Some(SIGUSR1));
            // Ours again, over theirs, while the first listens and after it.
            for seen in [1, 1, 1] {
                let mut second = signals([SIGUSR1]).unwrap();
                raise(SIGUSR1);
                assert_eq!(second.next().await, Some(SIGUSR1));
                assert_eq!(SEEN.load(SeqCst), seen, "theirs is left out");
            }
            drop(first);
            assert_eq!(action(SIGUSR1), over, "and put back");
            let mut last = signals([SIGUSR1]).unwrap();
            raise(SIGUSR1);
            assert_eq!(last.next().await, Some(SIGUSR1));
            drop(last);
            assert_eq!(action(SIGUSR1), over);
            raise(SIGUSR1);
            assert_eq!(
                SEEN.load(SeqCst),
                2,
                "which calls ours, where nobody listens"
            );
        });
    });
}

#[test]
fn a_handler_over_ours_does_not_cut_off_the_one_that_was_there_first() {
    succeeds_alone(|| {
        set_action(SIGUSR1, own as extern "C" fn(i32) as usize);
        petla::run(async {
            let _first = signals([SIGUSR1]).unwrap();
            let over = chained as *const () as usize;
            NEXT.store(install(SIGUSR1, over, libc::SA_SIGINFO), SeqCst);
            raise(SIGUSR1);
            assert_eq!(SEEN.load(SeqCst), 2, "theirs, ours, and the first");
            let _second = signals([SIGUSR1]).unwrap();
            raise(SIGUSR1);
            assert_eq!(SEEN.load(SeqCst), 3, "ours, and the first");
        });
    });
}

#[test]
fn a_handler_over_ours_makes_no_circle_in_a_forked_child() {
    succeeds_alone(|| {
        let over = chained as *const () as usize;
        let event_loop = EventLoop::new().unwrap();
        event_loop.add_signal_handler(SIGUSR1, || ()).unwrap();
        NEXT.store(install(SIGUSR1, over, libc::SA_SIGINFO), SeqCst);
        let child = fork();
        if child == 0 {
            exit_after(|| {
                petla::run(async {
                    let mut stream = signals([SIGUSR1]).unwrap();
                    raise(SIGUSR1);
                    assert_eq!(stream.next().await, Some(SIGUSR1));
                });
                assert_eq!(action(SIGUSR1), over);
            });
        }
        reap(child);
    });
}

#[test]
fn a_program_started_meanwhile_inherits_no_handler_and_no_mask() {
    succeeds_alone(|| {
        petla::run(async {
            let _stream = signals([SIGHUP, SIGINT, SIGUSR1, SIGUSR2]).unwrap();
            let output = Command::new("cat").arg("/proc/self/status").output();
            let status = String::from_utf8(output.unwrap().stdout).unwrap();
            let mask = |name: &str| {
                let line = status.lines().find_map(|line| line.strip_prefix(name));
                u64::from_str_radix(line.unwrap().trim(), 16).unwrap()
            };
            let bits = [SIGHUP, SIGINT, SIGUSR1, SIGUSR2];
            let bits = bits.iter().fold(0, |all, number| all | 1 << (number - 1));
            assert_eq!(mask("SigCgt:") & bits, 0, "caught");
            assert_eq!(mask("SigBlk:"), 0, "blocked");
            assert_eq!(mask("SigIgn:") & bits, 0, "ignored");
        });
    });
}

#[test]
fn a_forked_child_ends_by_the_signal_and_its_parent_hears_nothing() {
    succeeds_alone(|| {
        petla::run(async {
            let mut stream = signals([SIGUSR1]).unwrap();
            let child = fork();
            if child == 0 {
                exit_after(|| raise(SIGUSR1));
            }
            let status = wait_for(child);
            assert!(libc::WIFSIGNALED(status), "{status:#x}");
            assert_eq!(libc::WTERMSIG(status), SIGUSR1);
            for _ in 0..70 {
                yield_now().await; // the loop looks
            }
            assert!(crate::common::poll_once(&mut stream.next()).is_pending());
        });
    });
}

/// The child of a fork whose default was set by a signal that nobody took chains again.
#[test]
fn a_handler_is_called_too_where_the_default_was_before() {
    succeeds_alone(|| {
        let event_loop = EventLoop::new().unwrap();
        event_loop.add_signal_handler(SIGCHLD, || ()).unwrap();
        let child = fork();
        if child == 0 {
            exit_after(|| {
                raise(SIGCHLD); // the default is to ignore it
                assert_eq!(action(SIGCHLD), libc::SIG_DFL);
                set_action(SIGCHLD, own as extern "C" fn(i32) as usize);
                petla::run(async {
                    let mut stream = signals([SIGCHLD]).unwrap();
                    raise(SIGCHLD);
                    assert_eq!(stream.next().await, Some(SIGCHLD));
                    assert_eq!(SEEN.load(SeqCst), 1);
                });
            });
        }
        reap(child);
    });
}

#[test]
fn a_signal_after_the_last_listener_has_its_default_effect() {
    dies_alone(SIGUSR1, || {
        petla::run(async {
            drop(signals([SIGUSR1]).unwrap());
            raise(SIGUSR1);
            unreachable!("ended");
        });
    });
}
