//! `LoopHandle::spawn` and `RemoteTask`: joined, awaited, cancelled and abandoned.

use std::cell::Cell;
use std::future::{Future, pending};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::{Arc, OnceLock, mpsc};
use std::task::{Context, Poll};
use std::thread;
use std::time::Duration;

use petla::{EventLoop, JoinError, LoopHandle, RemoteTask, all_tasks};

use crate::common::{
    Bell, Drops, LONG, OnDrop, collect_reports, panic_text, poll_once, raise, within, yield_until,
};

/// A loop on a thread of its own, until this is dropped.
struct Elsewhere {
    handle: LoopHandle,
    thread: Option<thread::JoinHandle<()>>,
}

impl Elsewhere {
    fn new() -> Self {
        let (send, receive) = mpsc::channel();
        let thread = thread::spawn(move || {
            let event_loop = EventLoop::new().unwrap();
            send.send(event_loop.handle()).unwrap();
            event_loop.run_forever().unwrap();
        });
        Elsewhere {
            handle: receive.recv().unwrap(),
            thread: Some(thread),
        }
    }

    /// Ends the loop and waits until it is closed.
    fn end(mut self) -> LoopHandle {
        self.handle.stop();
        self.thread.take().unwrap().join().unwrap();
        self.handle.clone()
    }
}

impl Drop for Elsewhere {
    fn drop(&mut self) {
        self.handle.stop();
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }
}

#[test]
fn a_thread_joins_a_future_that_is_not_send() {
    let there = Elsewhere::new();
    let here = thread::current().id();
    let task = there.handle.spawn(async move || {
        let local = Rc::new(Cell::new(1));
        petla::sleep(Duration::from_micros(50)).await;
        assert!(thread::current().id() != here);
        local.set(local.get() + 1);
        local.get()
    });
    assert_eq!(task.join().unwrap(), 2);
}

#[test]
fn a_join_with_a_limit_gives_the_handle_back_and_the_task_runs_on() {
    let there = Elsewhere::new();
    let (send, receive) = mpsc::channel();
    let task = there.handle.spawn(async move || {
        yield_until(|| receive.try_recv().is_ok()).await;
        "released"
    });
    let task = task.join_timeout(Duration::ZERO).unwrap_err();
    let task = task.join_timeout(Duration::from_millis(1)).unwrap_err();
    assert!(!task.is_finished());
    assert_eq!(format!("{task:?}"), "RemoteTask { finished: false }");
    send.send(()).unwrap();
    assert_eq!(
        task.join_timeout(Duration::MAX).unwrap().unwrap(),
        "released"
    );
    let done = there.handle.spawn(async || 1);
    there.handle.spawn(async || ()).join().unwrap(); // after `done`
    assert!(done.is_finished() && !done.cancel("too late"));
    assert_eq!(done.join_timeout(Duration::ZERO).unwrap().unwrap(), 1);
}

#[test]
fn a_remote_task_is_awaited_on_another_loop_and_on_its_own() {
    let there = Elsewhere::new();
    within(async {
        assert_eq!(there.handle.spawn(async || 1).await.unwrap(), 1);
        assert_eq!(LoopHandle::current().spawn(async || 2).await.unwrap(), 2);
        let mut borrowed = there.handle.spawn(async || 3);
        while poll_once(&mut borrowed).is_pending() {
            petla::yield_now().await;
        }
        let mut slow = there.handle.spawn(async || {
            petla::sleep(Duration::from_millis(2)).await;
            4
        });
        let limited = petla::timeout(Duration::from_micros(10), &mut slow).await;
        assert!(limited.is_err() || slow.is_finished());
        if limited.is_err() {
            assert_eq!(slow.await.unwrap(), 4, "the value stays in the task");
        }
    });
}

#[test]
fn a_remote_task_cancelled_before_it_begins_never_runs() {
    let event_loop = EventLoop::new().unwrap();
    let drops = Drops::default();
    let guard = drops.guard();
    let task = event_loop.handle().spawn(async move || {
        let _guard = guard;
        unreachable!("cancelled before")
    });
    assert!(task.cancel("changed my mind") && task.cancel("again"));
    assert!(!task.is_finished(), "the loop has not heard of it");
    let reports = crate::common::collect_reports_of(&event_loop);
    let result: Result<(), JoinError> = event_loop.run_until_complete(task).unwrap();
    assert_eq!(result.unwrap_err().reason(), Some("changed my mind"));
    assert_eq!((drops.count(), reports.len()), (1, 0));
}

#[test]
fn a_remote_task_cancelled_while_it_waits_is_dropped_on_its_loop() {
    let there = Elsewhere::new();
    let (started, begun) = mpsc::channel();
    let (send, receive) = mpsc::channel();
    let task: RemoteTask<()> = there.handle.spawn(async move || {
        let own = thread::current().id();
        let _tell = OnDrop(move || send.send(own == thread::current().id()).unwrap());
        started.send(()).unwrap();
        pending().await
    });
    begun.recv_timeout(LONG).unwrap();
    let line = line!() + 1;
    assert!(task.cancel("enough"));
    let Err(JoinError::Cancelled(why)) = task.join() else {
        panic!("it was cancelled")
    };
    assert_eq!(
        (why.reason(), why.location().line()),
        (Some("enough"), line)
    );
    assert_eq!(receive.recv_timeout(LONG), Ok(true));
}

#[test]
fn a_remote_task_has_ended_only_when_its_future_is_gone() {
    let there = Elsewhere::new();
    for panics in [false, true] {
        let own: Arc<OnceLock<RemoteTask<()>>> = Arc::default();
        let (send, receive) = mpsc::channel();
        let (begin, go) = mpsc::channel();
        let handle = Arc::clone(&own);
        let task = there.handle.spawn(async move || {
            go.recv_timeout(LONG).unwrap(); // the handle is in its place
            let _tell = OnDrop(move || send.send(handle.get().unwrap().is_finished()).unwrap());
            HoldsAndPanics { panics, _tell }.await
        });
        own.set(task).unwrap();
        begin.send(()).unwrap();
        there.handle.spawn(async || ()).join().unwrap(); // it has begun
        own.get().unwrap().cancel("end");
        let early = receive.recv_timeout(LONG).unwrap();
        assert!(
            !early,
            "a joiner would go on while the destructor runs; panics: {panics}"
        );
    }
}

/// Keeps a value for as long as the future lives: until it is dropped, not until it panics.
struct HoldsAndPanics<T> {
    panics: bool,
    _tell: T,
}

impl<T> Future for HoldsAndPanics<T> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        if self.panics {
            raise("in the poll")
        } else {
            Poll::Pending
        }
    }
}

#[test]
fn a_loop_closed_before_or_after_the_beginning_answers() {
    let event_loop = EventLoop::new().unwrap();
    let handle = event_loop.handle();
    let begun = handle.spawn(async || pending::<()>().await);
    event_loop.run_until_complete(petla::yield_now()).unwrap();
    let queued = handle.spawn(async || 1);
    let joining = thread::spawn(move || {
        let begun = begun.join_timeout(LONG).expect("it hangs");
        let queued = queued.join_timeout(LONG).expect("it hangs");
        (begun.is_err(), queued.is_err())
    });
    drop(event_loop);
    assert_eq!(joining.join().unwrap(), (true, true));
    let drops = Drops::default();
    let guard = drops.guard();
    let late = handle.spawn(async move || drop(guard));
    assert!(late.is_finished() && !late.cancel("too late"));
    assert_eq!(drops.count(), 1);
    let error = late.join().unwrap_err();
    assert!(error.reason().unwrap().contains("closed"), "{error}");
}

#[test]
fn a_loop_that_ends_answers_a_cancel_with_the_reason_of_the_cancel() {
    let event_loop = EventLoop::new().unwrap();
    let task: RemoteTask<()> = event_loop.handle().spawn(async || pending().await);
    task.cancel("asked for");
    drop(event_loop);
    assert_eq!(task.join().unwrap_err().reason(), Some("asked for"));
}

#[test]
fn a_panic_reaches_whoever_joins_and_is_not_reported() {
    within(async {
        let reports = collect_reports();
        let handle = LoopHandle::current();
        let error = handle
            .spawn::<_, ()>(async || raise("far away"))
            .await
            .unwrap_err();
        assert_eq!(error.to_string(), "task panicked: far away");
        petla::yield_now().await;
        assert_eq!(reports.take(), [""; 0]);
    });
}

#[test]
fn a_panic_of_the_closure_itself_reaches_whoever_joins() {
    within(async {
        let reports = collect_reports();
        let task = LoopHandle::current().spawn(|| {
            if true {
                raise("before there was a future");
            }
            async { 1 }
        });
        let error = task.await.unwrap_err();
        assert_eq!(
            error.to_string(),
            "task panicked: before there was a future"
        );
        petla::yield_now().await;
        assert_eq!(reports.take(), [""; 0]);
    });
}

#[test]
fn a_panic_that_nobody_joins_is_reported_on_its_loop() {
    within(async {
        let reports = collect_reports();
        drop(LoopHandle::current().spawn::<_, ()>(async || raise("nobody joined")));
        yield_until(|| reports.len() > 0).await;
        let told = reports.take();
        assert!(
            told.len() == 1 && told[0].contains("nobody joined"),
            "{told:?}"
        );
    });
}

#[test]
fn a_dropped_handle_lets_the_task_run_on_and_drops_its_value() {
    let there = Elsewhere::new();
    let drops = Drops::default();
    let guard = drops.guard();
    let (send, receive) = mpsc::channel();
    drop(there.handle.spawn(async move || {
        petla::yield_now().await;
        send.send("ran on").unwrap();
        guard
    }));
    assert_eq!(receive.recv_timeout(LONG), Ok("ran on"));
    there.end();
    assert_eq!(drops.count(), 1);
}

#[test]
fn joining_on_a_loops_thread_is_refused() {
    let there = Elsewhere::new();
    within(async {
        for text in [
            panic_text(|| there.handle.spawn(async || ()).join()),
            panic_text(|| {
                there
                    .handle
                    .spawn(async || ())
                    .join_timeout(Duration::ZERO)
                    .is_ok()
            }),
        ] {
            assert!(text.contains("await the handle instead"), "{text}");
        }
    });
}

#[test]
fn the_value_of_a_remote_task_is_given_once() {
    within(async {
        let mut task = LoopHandle::current().spawn(async || 1);
        assert_eq!((&mut task).await.unwrap(), 1);
        assert!(task.is_finished());
        let text = panic_text(|| poll_once(&mut task));
        assert_eq!(text, "a task was awaited again after it gave its result");
    });
}

#[test]
fn a_remote_task_that_was_cancelled_on_its_loop_does_not_blame_a_close() {
    within(async {
        let task: RemoteTask<()> = LoopHandle::current().spawn(async || pending().await);
        yield_until(|| all_tasks().len() == 2).await;
        assert!(all_tasks()[1].cancel("by a neighbour"));
        let error = task.await.unwrap_err();
        assert!(error.is_cancelled());
        assert_ne!(
            error.reason(),
            Some("the event loop was closed"),
            "it is open"
        );
    });
}

#[test]
fn whoever_awaited_last_is_woken() {
    let there = Elsewhere::new();
    let (send, receive) = mpsc::channel();
    let mut task = there.handle.spawn(async move || {
        yield_until(|| receive.try_recv().is_ok()).await;
    });
    let (first, second) = (Bell::new(), Bell::new());
    assert!(first.poll(&mut task).is_pending());
    assert!(second.poll(&mut task).is_pending());
    assert!(!first.is_kept() && second.is_kept());
    send.send(()).unwrap();
    let handle = there.end();
    assert_eq!(
        (first.rings(), second.rings(), second.is_kept()),
        (0, 1, false)
    );
    assert!(task.is_finished());
    assert!(handle.spawn(async || ()).join().is_err());
}
