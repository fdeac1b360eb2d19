//! From a thread back into a loop.

use std::rc::Rc;
use std::sync::mpsc::channel;
use std::thread;

use petla::threads::check_cancelled;
use petla::{EventLoop, JoinError, LoopHandle, to_thread};

use super::gate;
use crate::common::{panic_text, poll_once, raise, within, yield_until};

#[test]
fn work_knows_the_loop_that_awaits_it() {
    within(async {
        let here = format!("{:?}", LoopHandle::current());
        let caller = to_thread(|| format!("{:?}", LoopHandle::caller().unwrap()));
        assert_eq!(caller.await.unwrap(), here);
        assert!(LoopHandle::caller().is_none(), "this is no work");
        let inside = to_thread(|| thread::spawn(LoopHandle::caller).join().unwrap());
        assert!(
            inside.await.unwrap().is_none(),
            "nor is a thread that it starts"
        );
    });
}

#[test]
fn work_may_run_a_loop_and_is_work_all_the_same() {
    within(async {
        let here = format!("{:?}", LoopHandle::current());
        let inner = to_thread(|| {
            petla::run(async {
                let own = format!("{:?}", LoopHandle::current());
                (own, format!("{:?}", LoopHandle::caller().unwrap()))
            })
        });
        let (own, caller) = inner.await.unwrap();
        assert!(own != caller && caller == here);
    });
}

#[test]
fn a_thread_blocks_on_a_future_that_need_not_be_send() {
    within(async {
        let event_loop = LoopHandle::current();
        let thread = thread::spawn(move || {
            event_loop.block_on(async || {
                let local = Rc::new(5);
                petla::yield_now().await;
                *local + 1
            })
        });
        yield_until(|| thread.is_finished()).await;
        assert_eq!(thread.join().unwrap().unwrap(), 6);
    });
}

#[test]
fn a_panic_or_the_end_of_the_loop_ends_the_wait() {
    let (send, receive) = channel();
    let thread = within(async move {
        let event_loop = LoopHandle::current();
        let thread = thread::spawn(move || {
            let panicked = event_loop.block_on(async || raise("there"));
            send.send(()).unwrap();
            (panicked, event_loop.block_on(std::future::pending::<()>))
        });
        yield_until(|| receive.try_recv().is_ok()).await;
        thread
    });
    let (panicked, closed): (Result<(), _>, _) = thread.join().unwrap();
    assert!(matches!(panicked, Err(JoinError::Panicked(_))));
    assert!(closed.unwrap_err().is_cancelled());
}

#[test]
fn on_a_loops_own_thread_it_says_that_it_would_block_it() {
    let text = panic_text(|| {
        within(async {
            let _ = EventLoop::current().handle().block_on(async || ());
        });
    });
    assert!(
        text.contains("would block this thread's event loop"),
        "{text}"
    );
}

#[test]
fn work_sees_that_nobody_awaits_it() {
    within(async {
        assert!(check_cancelled().is_ok(), "this is no work");
        let (tell, told) = channel();
        let (held, gate) = gate();
        let line = line!() + 1;
        let mut work = Box::pin(to_thread(move || {
            let before = check_cancelled();
            gate.pass();
            tell.send((before, check_cancelled())).unwrap();
        }));
        assert!(poll_once(&mut work).is_pending());
        held.reached().await;
        drop(work);
        held.open();
        let (before, after) = to_thread(move || told.recv().unwrap()).await.unwrap();
        assert!(before.is_ok());
        let cancelled = after.unwrap_err();
        assert_eq!(cancelled.reason(), Some("nobody awaits this work any more"));
        assert_eq!(cancelled.location().line(), line);
    });
}
