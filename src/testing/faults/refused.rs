//! What a scene cannot show: a loop's bell, which is made once in a process, and a child that is
//! reaped only when the next one is started.

use std::process::Stdio;
use std::thread;
use std::time::{Duration, Instant};

use super::alone;
use super::gauges::Held;
use crate::event_loop::{EventLoop, run};
use crate::process::Command;
use crate::sys::faults::errnos::{EAGAIN, EMFILE, EPERM, documented};
use crate::sys::faults::{Plan, fail, has_children};

#[test]
fn a_loop_whose_bell_is_refused_is_an_error_and_takes_no_place() {
    let name = "refused::a_loop_whose_bell_is_refused_is_an_error_and_takes_no_place";
    let body = || {
        // Every place that was ever made is taken: the next loop needs a bell.
        let _living = [(); 3].map(|()| EventLoop::new().unwrap());
        let before = Held::descriptors();
        for &errno in documented("eventfd") {
            let _refused = fail("eventfd", 1, errno);
            let error = EventLoop::new().err().unwrap();
            assert_eq!(error.raw_os_error(), Some(errno.code));
        }
        assert_eq!(Held::descriptors(), before);
        let fourth = EventLoop::new().unwrap();
        assert_eq!(fourth.run_until_complete(async { 1 }), Ok(1));
    };
    alone(name, body);
}

#[test]
fn a_child_that_nothing_can_watch_is_killed_and_reaped_when_others_are_started() {
    let name =
        "refused::a_child_that_nothing_can_watch_is_killed_and_reaped_when_others_are_started";
    let body = || {
        let before = Held::descriptors();
        for (call, errno) in [("eventfd", EMFILE), ("pthread_create", EAGAIN)] {
            let refused = Plan::fail(call, 1, errno).without("pidfd_open", EPERM);
            let entered = refused.enter();
            let mut cat = Command::new("cat");
            let error = cat.stdin(Stdio::piped()).spawn().err().unwrap();
            assert_eq!(error.raw_os_error(), Some(errno.code));
            drop((entered, cat));
            let begin = Instant::now();
            while has_children() {
                assert!(begin.elapsed() < Duration::from_secs(20), "a zombie stays");
                thread::sleep(Duration::from_millis(1));
                assert!(run(Command::new("true").status()).unwrap().success());
            }
        }
        // The bell of the loops above is there now.
        assert_eq!(Held::descriptors().len(), before.len() + 1);
    };
    alone(name, body);
}
