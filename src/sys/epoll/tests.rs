//! What the loop above relies on, asked of the real kernel.
//!
//! Everything happens inside this process on pipes and eventfds, so a look right after a
//! write already sees it: no test waits for time to pass, except those about sleeping.

use super::*;
use crate::sys::eventfd::EventFd;
use std::fs::File;
use std::io::{PipeReader, PipeWriter, Read, Write};
use std::time::{Duration, Instant};

/// No process of these tests ever has so many descriptors open.
const NEVER_OPEN: RawFd = RawFd::MAX;

fn pipe(epoll: &Epoll, data: u64) -> (PipeReader, PipeWriter) {
    let (reader, writer) = io::pipe().unwrap();
    epoll.add(reader.as_raw_fd(), data).unwrap();
    (reader, writer)
}

fn look(epoll: &Epoll) -> Vec<(u64, Flags)> {
    let mut events = Events::new();
    epoll.wait(&mut events, Some(0)).unwrap();
    events.iter().collect()
}

#[test]
fn what_is_ready_when_it_is_added_is_reported_by_the_next_wait() {
    let epoll = Epoll::new().unwrap();
    let (reader, mut writer) = io::pipe().unwrap();
    writer.write_all(b"x").unwrap();
    epoll.add(reader.as_raw_fd(), 7).unwrap();
    let seen = look(&epoll);
    assert_eq!(seen.len(), 1);
    assert_eq!(seen[0].0, 7);
    assert!(seen[0].1.readable() && !seen[0].1.sticky());
}

#[test]
fn a_change_is_reported_once() {
    let epoll = Epoll::new().unwrap();
    let (mut reader, mut writer) = pipe(&epoll, 1);
    assert_eq!(look(&epoll), []);
    writer.write_all(b"x").unwrap();
    assert_eq!(look(&epoll).len(), 1);
    assert_eq!(look(&epoll), []);
    writer.write_all(b"y").unwrap();
    assert_eq!(look(&epoll).len(), 1);
    reader.read_exact(&mut [0; 2]).unwrap();
}

#[test]
fn the_end_of_a_pipe_concerns_both_directions_and_sticks() {
    let epoll = Epoll::new().unwrap();
    let (_reader, writer) = pipe(&epoll, 1);
    drop(writer);
    let flags = look(&epoll)[0].1;
    assert!(flags.readable() && flags.writable() && flags.sticky());
}

#[test]
fn each_bit_concerns_its_direction() {
    let table = [
        (libc::EPOLLIN, true, false, false),
        (libc::EPOLLOUT, false, true, false),
        (libc::EPOLLPRI, true, false, true),
        (libc::EPOLLRDHUP, true, false, true),
        (libc::EPOLLHUP, true, true, true),
        (libc::EPOLLERR, true, true, true),
    ];
    for (bit, readable, writable, sticky) in table {
        let flags = Flags(bit.cast_unsigned());
        let found = (flags.readable(), flags.writable(), flags.sticky());
        assert_eq!(found, (readable, writable, sticky), "{bit:#x}");
    }
}

#[test]
fn a_deleted_descriptor_is_silent_and_may_be_added_again() {
    let epoll = Epoll::new().unwrap();
    let (reader, mut writer) = pipe(&epoll, 1);
    epoll.delete(reader.as_raw_fd()).unwrap();
    writer.write_all(b"x").unwrap();
    assert_eq!(look(&epoll), []);
    epoll.add(reader.as_raw_fd(), 2).unwrap();
    assert_eq!(look(&epoll)[0].0, 2);
}

#[test]
fn a_second_registration_of_a_number_says_what_to_do() {
    let epoll = Epoll::new().unwrap();
    let (reader, _writer) = pipe(&epoll, 1);
    let error = epoll.add(reader.as_raw_fd(), 2).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
    let number = format!("descriptor {}: use one, or duplicate", reader.as_raw_fd());
    assert!(error.to_string().contains(&number), "{error}");
}

#[test]
fn a_regular_file_is_refused_with_advice() {
    let file = File::open(std::env::current_exe().unwrap()).unwrap();
    let error = Epoll::new().unwrap().add(file.as_raw_fd(), 1).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::Unsupported);
    assert!(error.to_string().contains("read it on a thread"), "{error}");
}

#[test]
fn closed_and_negative_numbers_are_bad_descriptors() {
    let epoll = Epoll::new().unwrap();
    for fd in [NEVER_OPEN, -1, RawFd::MIN] {
        let errors = [
            epoll.add(fd, 1).unwrap_err(),
            epoll.add_bell(fd, 1).unwrap_err(),
            epoll.delete(fd).unwrap_err(),
            poll_now(fd, false).unwrap_err(),
            poll_now(fd, true).unwrap_err(),
        ];
        for error in errors {
            assert_eq!(error.raw_os_error(), Some(libc::EBADF), "{fd}: {error}");
        }
    }
}

#[test]
fn every_ring_of_a_bell_is_reported_though_nobody_reads() {
    let (epoll, bell) = (Epoll::new().unwrap(), EventFd::new().unwrap());
    epoll.add_bell(bell.as_raw_fd(), 3).unwrap();
    assert_eq!(look(&epoll), []);
    for _ in 0..3 {
        bell.notify();
        assert_eq!(look(&epoll)[0].0, 3);
        assert_eq!(look(&epoll), []);
    }
}

#[test]
fn events_beyond_the_buffer_come_with_the_next_wait() {
    let (epoll, mut events) = (Epoll::new().unwrap(), Events::new());
    let bells: Vec<EventFd> = (0..EVENTS + 3).map(|_| EventFd::new().unwrap()).collect();
    for (data, bell) in bells.iter().enumerate() {
        epoll.add_bell(bell.as_raw_fd(), data as u64).unwrap();
        bell.notify();
    }
    epoll.wait(&mut events, None).unwrap();
    assert_eq!(events.len(), EVENTS);
    let mut seen: Vec<u64> = events.iter().map(|(data, _)| data).collect();
    epoll.wait(&mut events, None).unwrap();
    assert_eq!(events.len(), 3);
    seen.extend(events.iter().map(|(data, _)| data));
    seen.sort_unstable();
    assert_eq!(seen, (0..bells.len() as u64).collect::<Vec<_>>());
}

#[test]
fn no_sleep_ends_before_its_timeout() {
    let (epoll, mut events) = (Epoll::new().unwrap(), Events::new());
    for coarse in [false, true] {
        for nanos in [1, 999_999, 1_000_001, 2_500_000] {
            let start = Instant::now();
            let coarse = AtomicBool::new(coarse);
            epoll
                .wait_as_refused(&mut events, Some(nanos), &coarse)
                .unwrap();
            assert!(start.elapsed() >= Duration::from_nanos(nanos));
            assert_eq!(events.len(), 0);
        }
    }
}

#[test]
fn milliseconds_are_rounded_up_and_bounded() {
    let table = [
        (1, 1),
        (999_999, 1),
        (1_000_000, 1),
        (1_000_001, 2),
        (u64::MAX, i32::MAX),
    ];
    for (nanos, millis) in table {
        assert_eq!(millis_up(nanos), millis);
    }
}

#[test]
fn a_refusal_of_the_precise_call_is_remembered_and_other_errors_are_not_hidden() {
    for errno in [libc::ENOSYS, libc::EPERM, libc::EINVAL, libc::EIO] {
        let sleep = move || {
            refuse_pwait2_on_this_thread(errno);
            let coarse = AtomicBool::new(false);
            let start = Instant::now();
            let epoll = Epoll::new().unwrap();
            let result = epoll.wait_as_refused(&mut Events::new(), Some(1_500_000), &coarse);
            (result, start.elapsed(), coarse.into_inner())
        };
        let (result, slept, coarse) = std::thread::spawn(sleep).join().unwrap();
        if errno == libc::EIO {
            assert_eq!(result.unwrap_err().raw_os_error(), Some(errno));
            assert!(!coarse);
        } else {
            result.unwrap();
            assert!(slept >= Duration::from_millis(2), "{slept:?}");
            assert!(coarse);
        }
    }
}

/// Installs a seccomp filter that answers `epoll_pwait2` with `errno`.
fn refuse_pwait2_on_this_thread(errno: i32) {
    let step = |code: u32, jump_else: u8, k: u32| libc::sock_filter {
        code: code as u16,
        jt: 0,
        jf: jump_else,
        k,
    };
    // The number of the call is the first word of what a filter sees.
    let mut steps = [
        step(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0),
        step(
            libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K,
            1,
            libc::SYS_epoll_pwait2 as u32,
        ),
        step(
            libc::BPF_RET | libc::BPF_K,
            0,
            libc::SECCOMP_RET_ERRNO | errno as u32,
        ),
        step(libc::BPF_RET | libc::BPF_K, 0, libc::SECCOMP_RET_ALLOW),
    ];
    let program = libc::sock_fprog {
        len: steps.len() as u16,
        filter: steps.as_mut_ptr(),
    };
    // SAFETY: this operation takes no pointer.
    check(unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) }).unwrap();
    let filter = libc::SECCOMP_MODE_FILTER;
    // SAFETY: `program` and the steps it points to are Lent.
    let result = unsafe { libc::prctl(libc::PR_SET_SECCOMP, filter, &raw const program) };
    check(result).unwrap();
}

#[test]
fn a_signal_ends_a_sleep_without_events_and_without_an_error() {
    extern "C" fn ignore(_: libc::c_int) {}
    let handler = ignore as extern "C" fn(libc::c_int) as libc::sighandler_t;
    // SAFETY: the handler does nothing; nothing else in these tests uses SIGURG.
    unsafe { libc::signal(libc::SIGURG, handler) };
    // SAFETY: a thread may always ask for its own name.
    let sleeper = unsafe { libc::pthread_self() };
    let (epoll, mut events) = (Epoll::new().unwrap(), Events::new());
    let bell = EventFd::new().unwrap();
    epoll.add_bell(bell.as_raw_fd(), 1).unwrap();
    bell.notify();
    epoll.wait(&mut events, None).unwrap();
    assert_eq!(events.len(), 1);
    let awake = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            // A signal that comes before the sleep is lost, so it is sent until one hits.
            while !awake.load(Ordering::Relaxed) {
                // SAFETY: the sleeper outlives this scope.
                unsafe { libc::pthread_kill(sleeper, libc::SIGURG) };
                std::thread::yield_now();
            }
        });
        let result = epoll.wait(&mut events, None);
        awake.store(true, Ordering::Relaxed);
        result.unwrap();
        assert_eq!(events.len(), 0, "the events of the wait before");
    });
}

#[test]
fn poll_now_tells_what_would_return_at_once() {
    let (reader, mut writer) = io::pipe().unwrap();
    assert!(!poll_now(reader.as_raw_fd(), false).unwrap());
    assert!(poll_now(writer.as_raw_fd(), true).unwrap());
    writer.write_all(b"x").unwrap();
    assert!(poll_now(reader.as_raw_fd(), false).unwrap());
    drop(reader);
    assert!(poll_now(writer.as_raw_fd(), true).unwrap()); // EPIPE, at once
}
