//! Runs: how they begin, what stops them, what is left when they are over.

use std::cell::Cell;
use std::future::pending;
use std::io::{self, Write};
use std::rc::Rc;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use petla::event_loop::{LoopClosed, RunError};
use petla::{EventLoop, LoopHandle, spawn};

use crate::common::{Drops, LONG, Log, OnDrop, panic_text, within, yield_until};

#[test]
fn run_gives_the_value_and_its_future_may_borrow_from_the_caller() {
    let words = vec![String::from("a"), String::from("b")];
    let mut seen = Vec::new();
    let joined = petla::run(async {
        for word in &words {
            petla::yield_now().await;
            seen.push(word.as_str());
        }
        words.concat()
    });
    assert_eq!((joined.as_str(), seen), ("ab", vec!["a", "b"]));
}

#[test]
fn a_value_may_borrow_too() {
    let text = String::from("borrowed");
    let event_loop = EventLoop::new().unwrap();
    let borrowed: &str = event_loop.run_until_complete(async { &text[..6] }).unwrap();
    assert_eq!(borrowed, "borrow");
}

#[test]
fn when_run_returns_every_other_task_is_gone() {
    let drops = Drops::default();
    petla::run(async {
        for _ in 0..3 {
            let guard = drops.guard();
            drop(spawn(async move {
                let _guard = guard;
                petla::sleep(Duration::MAX).await;
            }));
        }
        petla::yield_now().await;
        let guard = drops.guard();
        drop(spawn(async move { drop(guard) })); // never polled
    });
    assert_eq!(drops.count(), 4);
}

#[test]
fn tasks_live_on_from_one_run_to_the_next() {
    let event_loop = EventLoop::new().unwrap();
    let steps = Rc::new(Cell::new(0));
    let counted = Rc::clone(&steps);
    let task = event_loop.spawn(async move {
        for _ in 0..100 {
            counted.set(counted.get() + 1);
            petla::yield_now().await;
        }
        "all steps"
    });
    assert_eq!(steps.get(), 0, "nothing runs outside of a run");
    event_loop.run_until_complete(petla::yield_now()).unwrap();
    let before = steps.get();
    assert!(before > 0 && before < 100);
    assert_eq!(
        event_loop.run_until_complete(task).unwrap().unwrap(),
        "all steps"
    );
    assert_eq!(steps.get(), 100);
}

#[test]
fn what_is_ready_when_a_batch_begins_makes_up_the_batch() {
    let event_loop = EventLoop::new().unwrap();
    let log = Log::new();
    for name in ["a", "b"] {
        let (log, again) = (log.clone(), event_loop.clone());
        event_loop.call_soon(move || {
            log.push(format!("{name}1"));
            let log = log.clone();
            again.call_soon(move || log.push(format!("{name}2")));
        });
    }
    for expected in [["a1", "b1"], ["a2", "b2"]] {
        event_loop.stop();
        event_loop.run_forever().unwrap();
        assert_eq!(log.take(), expected);
    }
}

#[test]
fn a_task_woken_in_a_batch_runs_after_the_batch() {
    within(async {
        let log = Log::new();
        let queue = Rc::new(petla::local::Queue::unbounded());
        let (steps, items) = (log.clone(), Rc::clone(&queue));
        let woken = spawn(async move {
            items.get().await.unwrap();
            steps.push("woken");
        });
        petla::yield_now().await;
        let steps = log.clone();
        let waker = spawn(async move {
            queue.put_nowait(()).unwrap();
            steps.push("wakes");
        });
        let others = ["x", "y", "z"].map(|name| {
            let steps = log.clone();
            spawn(async move { steps.push(name) })
        });
        woken.await.unwrap();
        assert_eq!(log.take(), ["wakes", "x", "y", "z", "woken"]);
        assert!(waker.is_finished() && others.iter().all(|task| task.is_finished()));
    });
}

#[test]
fn stop_before_a_run_allows_one_batch_and_one_look_that_does_not_wait() {
    let event_loop = EventLoop::new().unwrap();
    let log = Log::new();
    let (reader, mut writer) = io::pipe().unwrap();
    let (read, timed, soon) = (log.clone(), log.clone(), log.clone());
    event_loop
        .add_reader(&reader, move || read.push("reader"))
        .unwrap();
    event_loop.call_later(LONG, move || timed.push("timer"));
    event_loop.stop();
    event_loop.run_forever().unwrap();
    assert_eq!(log.len(), 0, "nothing is due, and it does not wait");
    writer.write_all(b"x").unwrap();
    event_loop.call_soon(move || soon.push("callback"));
    event_loop.stop();
    event_loop.run_forever().unwrap();
    let mut seen = log.take();
    seen.sort_unstable();
    assert_eq!(seen, ["callback", "reader"], "one look, one batch");
}

#[test]
fn stop_in_the_middle_of_a_batch_lets_it_finish() {
    let event_loop = EventLoop::new().unwrap();
    let log = Log::new();
    let (first, second, stopping) = (log.clone(), log.clone(), event_loop.clone());
    event_loop.call_soon(move || {
        first.push("first");
        stopping.stop();
        let next = first.clone();
        stopping.call_soon(move || next.push("next batch"));
    });
    event_loop.call_soon(move || second.push("second"));
    event_loop.run_forever().unwrap();
    assert_eq!(log.take(), ["first", "second"]);
    event_loop.run_until_complete(petla::yield_now()).unwrap();
    assert_eq!(log.take(), ["next batch"], "a stop stops one run");
}

#[test]
fn a_main_future_on_a_loop_that_is_stopped_is_dropped_and_the_loop_stays_usable() {
    let event_loop = EventLoop::new().unwrap();
    let mut borrowed = 0;
    let drops = Drops::default();
    let stopping = event_loop.clone();
    event_loop.call_soon(move || stopping.stop());
    let result = event_loop.run_until_complete(async {
        let _guard = drops.guard();
        borrowed += 1;
        pending::<()>().await
    });
    assert_eq!(
        (result, borrowed, drops.count()),
        (Err(RunError::Stopped), 1, 1)
    );
    assert!(!event_loop.is_running() && !event_loop.is_closed());
    assert_eq!(event_loop.run_until_complete(async { 2 }), Ok(2));
}

#[test]
fn a_main_future_that_ends_in_the_batch_of_the_stop_gives_its_value() {
    let event_loop = EventLoop::new().unwrap();
    event_loop.stop();
    assert_eq!(event_loop.run_until_complete(async { 1 }), Ok(1));
    let result = event_loop.run_until_complete(async {
        EventLoop::current().stop();
        2
    });
    assert_eq!(result, Ok(2));
    assert_eq!(
        event_loop.run_until_complete(async { 3 }),
        Ok(3),
        "no stop is left over"
    );
}

#[test]
fn the_batch_that_the_main_future_ends_in_is_finished() {
    let event_loop = EventLoop::new().unwrap();
    let log = Log::new();
    let (early, late) = (log.clone(), log.clone());
    drop(event_loop.spawn(async move { early.push("queued before") }));
    event_loop
        .run_until_complete(async {
            drop(spawn(async move {
                late.push("same batch");
                petla::yield_now().await;
                late.push("next batch");
            }));
            petla::yield_now().await; // both are in the next batch now, the task first
        })
        .unwrap();
    assert_eq!(log.take(), ["queued before", "same batch"]);
}

#[test]
fn closing_is_idempotent_and_refused_inside_a_run() {
    let event_loop = EventLoop::new().unwrap();
    let drops = Drops::default();
    drop(event_loop.spawn(drops.forever()));
    let inside = event_loop.run_until_complete(async {
        let current = EventLoop::current();
        assert!(current.is_running() && !current.is_closed());
        current.close()
    });
    assert_eq!(inside, Ok(Err(RunError::Running)));
    assert_eq!((drops.count(), event_loop.is_running()), (0, false));
    assert_eq!(event_loop.close(), Ok(()));
    assert_eq!((drops.count(), event_loop.is_closed()), (1, true));
    assert_eq!(event_loop.close(), Ok(()));
    assert_eq!(event_loop.clone().close(), Ok(()));
}

#[test]
fn dropping_the_last_handle_closes_the_loop() {
    let drops = Drops::default();
    let event_loop = EventLoop::new().unwrap();
    let task = event_loop.spawn(drops.forever());
    let (other, handle) = (event_loop.clone(), event_loop.handle());
    drop(event_loop);
    assert_eq!(drops.count(), 0);
    drop(other);
    assert_eq!((drops.count(), task.is_finished()), (1, true));
    assert_eq!(handle.call_soon_threadsafe(|| ()), Err(LoopClosed));
}

#[test]
fn a_closed_loop_takes_nothing_and_says_so() {
    let event_loop = EventLoop::new().unwrap();
    event_loop.close().unwrap();
    let drops = Drops::default();
    let guard = || drops.guard();
    assert_eq!(
        event_loop.run_until_complete(async { 1 }),
        Err(RunError::Closed)
    );
    assert_eq!(event_loop.run_forever(), Err(RunError::Closed));
    let (a, b, c, d) = (guard(), guard(), guard(), guard());
    let task = event_loop.spawn(async move {
        let _a = a;
        pending::<()>().await
    });
    assert!(task.is_finished() && !task.cancel(()));
    let error = within(task).unwrap_err();
    assert_eq!(error.reason(), Some("the event loop was closed"));
    assert!(!event_loop.call_soon(move || drop(b)).cancel());
    assert!(
        !event_loop
            .call_later(Duration::ZERO, move || drop(c))
            .cancel()
    );
    assert!(
        !event_loop
            .call_at(event_loop.time(), move || drop(d))
            .cancel()
    );
    assert_eq!(drops.count(), 4, "what it cannot take it drops");
    let (reader, writer) = io::pipe().unwrap();
    for error in [
        event_loop.add_reader(&reader, || ()).unwrap_err(),
        event_loop.add_writer(&writer, || ()).unwrap_err(),
    ] {
        assert_eq!(error.kind(), io::ErrorKind::NotConnected);
        assert_eq!(error.to_string(), "the event loop is closed");
    }
    assert!(!event_loop.remove_reader(&reader) && !event_loop.remove_writer(&writer));
    event_loop.stop();
    event_loop.set_exception_handler(|_| ());
    assert!(event_loop.is_closed() && !event_loop.is_running());
    let shown = format!("{event_loop:?}");
    assert_eq!(
        shown,
        "EventLoop { running: false, closed: true, tasks: 0 }"
    );
}

#[test]
fn a_loop_inside_a_loop_is_a_clear_error_and_the_outer_one_goes_on() {
    let outer = EventLoop::new().unwrap();
    let same = outer.clone();
    let value = outer.run_until_complete(async move {
        let inner = EventLoop::new().unwrap();
        for other in [&same, &inner] {
            assert_eq!(other.run_until_complete(async { 1 }), Err(RunError::Nested));
            assert_eq!(other.run_forever(), Err(RunError::Nested));
        }
        let text = panic_text(|| petla::run(async { 1 }));
        assert_eq!(
            text,
            "run() inside a running event loop: await the future, or spawn() it"
        );
        let in_a_callback = Log::new();
        let result = in_a_callback.clone();
        same.call_soon(move || result.push(inner.run_forever()));
        petla::sleep(Duration::from_micros(1)).await;
        yield_until(|| in_a_callback.len() == 1).await;
        assert_eq!(in_a_callback.take(), [Err(RunError::Nested)]);
        spawn(async { 2 }).await.unwrap()
    });
    assert_eq!(value, Ok(2));
    petla::run(async {
        let inner = EventLoop::new().unwrap();
        assert_eq!(inner.run_until_complete(async { 1 }), Err(RunError::Nested));
    });
}

#[test]
fn what_a_nested_run_was_given_is_dropped() {
    within(async {
        let drops = Drops::default();
        let (a, b) = (drops.guard(), drops.guard());
        let inner = EventLoop::new().unwrap();
        assert!(inner.run_until_complete(async move { drop(a) }).is_err());
        assert_eq!(drops.count(), 1);
        let text = panic_text(|| petla::run(async move { drop(b) }));
        assert!(text.contains("inside a running event loop"));
        assert_eq!(drops.count(), 2);
    });
}

#[test]
fn the_current_loop_is_the_one_that_runs() {
    assert!(EventLoop::try_current().is_none());
    let event_loop = EventLoop::new().unwrap();
    event_loop
        .run_until_complete(async {
            drop(spawn(pending::<()>()));
            assert_eq!(
                format!("{:?}", EventLoop::current()),
                "EventLoop { running: true, closed: false, tasks: 2 }"
            );
            assert!(EventLoop::try_current().is_some());
            LoopHandle::current().call_soon_threadsafe(|| ()).unwrap();
        })
        .unwrap();
    assert!(EventLoop::try_current().is_none());
    assert!(event_loop.time() <= petla::now());
}

#[test]
fn run_ends_when_its_main_task_is_cancelled() {
    let text = panic_text(|| {
        petla::run(async {
            petla::current_task().unwrap().cancel("enough");
            pending::<()>().await
        })
    });
    assert_eq!(
        text,
        "the main task gave no value: the main task was cancelled"
    );
}

#[test]
fn errors_of_runs_say_what_to_do_and_convert() {
    let errors = [
        (RunError::Stopped, "stopped before the main task ended"),
        (RunError::Interrupted, "interrupted by SIGINT"),
        (RunError::Terminated, "terminated by SIGTERM"),
        (RunError::Closed, "closed: make a new one"),
        (RunError::Nested, "await or spawn instead"),
        (RunError::Running, "stop it first"),
        (RunError::Cancelled, "the main task was cancelled"),
        (RunError::Forked, "belongs to the parent process"),
    ];
    for (error, words) in errors {
        assert!(error.to_string().contains(words), "{error}");
        let converted = io::Error::from(error.clone());
        assert_ne!(converted.kind(), io::ErrorKind::Interrupted);
        assert_eq!(converted.to_string(), error.to_string());
    }
}

#[test]
fn what_destructors_do_to_a_loop_that_closes_comes_to_an_end() {
    let event_loop = EventLoop::new().unwrap();
    let log = Log::new();
    let (notes, reports) = (log.clone(), log.clone());
    event_loop.set_exception_handler(move |report| reports.push(report.to_string()));
    drop(event_loop.spawn(async move {
        let _end = OnDrop(|| {
            let current = EventLoop::current();
            let task = spawn(async {});
            assert!(task.is_finished(), "cancelled at birth");
            assert!(petla::spawn_eager(async {}).is_finished());
            current.call_soon(|| unreachable!("no batch comes any more"));
            current.call_later(Duration::ZERO, || unreachable!());
            let (reader, _writer) = io::pipe().unwrap();
            assert!(current.add_reader(&reader, || ()).is_err());
            assert!(current.is_closed());
            assert_eq!(current.close(), Ok(()), "closing twice");
            current.stop();
            notes.push(String::from("came to its end"));
        });
        pending::<()>().await
    }));
    event_loop.run_until_complete(petla::yield_now()).unwrap();
    event_loop.close().unwrap();
    assert_eq!(log.take(), ["came to its end"]);
}

#[test]
fn a_loop_that_spins_keeps_every_promise() {
    let spin = Duration::from_micros(200);
    let event_loop = EventLoop::builder().spin(spin).build().unwrap();
    let handle = event_loop.handle();
    let value = event_loop.run_until_complete(async move {
        for micros in [1, 50, 150, 250, 900] {
            let at = petla::now() + Duration::from_micros(micros);
            petla::sleep_until(at).await;
            assert!(petla::now() >= at, "never early");
        }
        let (send, receive) = mpsc::channel();
        let caller = thread::spawn(move || {
            handle
                .call_soon_threadsafe(move || send.send(7).unwrap())
                .unwrap();
        });
        yield_until(|| caller.is_finished()).await;
        petla::sleep(2 * spin).await;
        receive.try_recv().unwrap()
    });
    assert_eq!(value, Ok(7));
    let stop = event_loop.clone();
    event_loop.call_later(spin / 2, move || stop.stop());
    assert_eq!(event_loop.run_forever(), Ok(()));
}

/// How late this thread's sleeps may end, in nanoseconds.
fn timer_slack() -> i32 {
    // SAFETY: this operation takes no pointer.
    unsafe { libc::prctl(libc::PR_GET_TIMERSLACK, 0, 0, 0, 0) }
}

#[test]
fn a_run_changes_the_threads_timer_slack_for_as_long_as_it_lasts() {
    let before = timer_slack();
    assert!(before > 1, "else there is nothing to see: {before}");
    let event_loop = EventLoop::new().unwrap();
    assert_eq!(
        event_loop.run_until_complete(async { timer_slack() }),
        Ok(1)
    );
    assert_eq!(timer_slack(), before);
    drop(panic_text(|| {
        petla::run(async { panic!("{}", timer_slack()) })
    }));
    assert_eq!(timer_slack(), before, "also after a panic");
}
