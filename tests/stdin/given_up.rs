//! Reads that are given up: they keep nobody from ending, and eat nothing.

use std::io::Write;
use std::task::{Context, Waker};
use std::time::Duration;

use petla::io::stdin;
use petla::{spawn, timeout, yield_now};

use crate::common::fd::flags;
use crate::common::{alone_command, poll_once, within, within_io};
use crate::{Running, streams};

#[test]
fn a_read_that_waits_keeps_neither_a_loop_nor_the_process_from_ending() {
    let body = || {
        within_io(async {
            drop(spawn(async { stdin().read_line().await }));
            let line = timeout(Duration::from_millis(1), stdin().read_line()).await;
            assert!(line.is_err());
            Ok(())
        });
        println!("<over");
    };
    for (kind, ours, theirs) in streams() {
        let Some(mut command) = alone_command(body) else {
            return;
        };
        println!("{kind}");
        let before = flags(&theirs);
        command.stdin(theirs.try_clone().unwrap());
        let mut child = Running::start(command);
        child.line("<over");
        child.ends();
        assert_eq!(flags(&theirs), before, "{kind}");
        drop(ours);
    }
}

#[test]
fn a_read_that_is_given_up_eats_nothing() {
    let body = || {
        for round in 0..3 {
            // On one loop and on the next.
            within_io(async {
                let line = timeout(Duration::from_millis(1), stdin().read_line()).await;
                assert!(line.is_err(), "half a line is none");
                println!("<half {round}");
                Ok(())
            });
        }
        let line = within(stdin().read_line()).unwrap();
        assert_eq!(line.as_deref(), Some("0,1,2,end"));
    };
    for (kind, mut ours, theirs) in streams() {
        let Some(mut command) = alone_command(body) else {
            return;
        };
        println!("{kind}");
        command.stdin(theirs);
        let mut child = Running::start(command);
        for round in 0..3 {
            ours.write_all(format!("{round},").as_bytes()).unwrap();
            child.line(&format!("<half {round}"));
        }
        ours.write_all(b"end\n").unwrap();
        child.ends();
    }
}

#[test]
fn of_readers_that_queue_one_that_is_dropped_passes_its_turn_on() {
    let body = || {
        within_io(async {
            let mut cx = Context::from_waker(Waker::noop());
            let mut first = Box::pin(stdin().read_line());
            let mut second = Box::pin(stdin().read_line());
            let mut third = Box::pin(stdin().read_line());
            assert!(first.as_mut().poll(&mut cx).is_pending());
            assert!(second.as_mut().poll(&mut cx).is_pending());
            assert!(poll_once(&mut third).is_pending());
            drop(second);
            drop(first);
            yield_now().await;
            println!("<dropped");
            assert_eq!(third.await?.as_deref(), Some("for the third"));
            Ok(())
        });
    };
    for (kind, mut ours, theirs) in streams() {
        let Some(mut command) = alone_command(body) else {
            return;
        };
        println!("{kind}");
        command.stdin(theirs);
        let mut child = Running::start(command);
        child.line("<dropped");
        ours.write_all(b"for the third\n").unwrap();
        child.ends();
    }
}
