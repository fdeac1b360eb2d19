//! `LoopHandle`: callbacks from other threads, and a loop that is woken, stopped and gone.

use std::future::pending;
use std::sync::mpsc;
use std::thread::{self, ThreadId};
use std::time::Duration;

use petla::event_loop::{LoopClosed, RunError};
use petla::{EventLoop, LoopHandle};

use crate::common::{
    Drops, LONG, Log, OnDrop, collect_reports, panic_text, raise, within, yield_until,
};

#[test]
fn calls_of_one_thread_are_made_in_their_order_on_the_loops_thread() {
    within(async {
        let (send, receive) = mpsc::channel();
        let handle = LoopHandle::current();
        let caller = thread::spawn(move || {
            for n in 0..1_000 {
                let send = send.clone();
                let call = move || send.send((n, thread::current().id())).unwrap();
                handle.call_soon_threadsafe(call).unwrap();
            }
        });
        let mut seen: Vec<(i32, ThreadId)> = Vec::new();
        yield_until(|| {
            seen.extend(receive.try_iter());
            seen.len() == 1_000
        })
        .await;
        caller.join().unwrap();
        let here = thread::current().id();
        assert_eq!(seen, (0..1_000).map(|n| (n, here)).collect::<Vec<_>>());
    });
}

#[test]
fn calls_of_eight_threads_are_all_made_once() {
    within(async {
        let (send, receive) = mpsc::channel();
        let handle = LoopHandle::current();
        let threads: Vec<_> = (0..8)
            .map(|thread| {
                let (handle, send) = (handle.clone(), send.clone());
                thread::spawn(move || {
                    for n in 0..500 {
                        let send = send.clone();
                        handle
                            .call_soon_threadsafe(move || send.send((thread, n)).unwrap())
                            .unwrap();
                    }
                })
            })
            .collect();
        let mut seen: Vec<(i32, i32)> = Vec::new();
        yield_until(|| {
            seen.extend(receive.try_iter());
            seen.len() == 4_000
        })
        .await;
        threads
            .into_iter()
            .for_each(|thread| thread.join().unwrap());
        for thread in 0..8 {
            let own = seen
                .iter()
                .filter(|call| call.0 == thread)
                .map(|call| call.1);
            assert!(own.eq(0..500), "each thread's own calls keep their order");
        }
    });
}

#[test]
fn calls_come_after_what_is_queued_already() {
    within(async {
        let log = Log::new();
        let (send, receive) = mpsc::channel();
        let handle = LoopHandle::current();
        let note = log.clone();
        EventLoop::current().call_soon(move || note.push("queued"));
        let call = move || send.send(()).unwrap();
        thread::spawn(move || handle.call_soon_threadsafe(call).unwrap())
            .join()
            .unwrap();
        yield_until(|| receive.try_recv().is_ok()).await;
        assert_eq!(log.take(), ["queued"]);
    });
}

#[test]
fn a_loop_that_sleeps_is_woken_by_every_kind_of_call() {
    // The other thread acts only when it is asked, the loop has nothing to do but to wait for the
    // answer: a wake-up that got lost would hang it.
    const ROUNDS: usize = 1_000;
    let (ask, asked) = mpsc::channel::<(LoopHandle, mpsc::Sender<()>)>();
    let answering = thread::spawn(move || {
        for (round, (handle, answer)) in asked.iter().enumerate() {
            if round % 2 == 0 {
                let stop = handle.clone();
                let call = move || {
                    answer.send(()).unwrap();
                    stop.stop();
                };
                handle.call_soon_threadsafe(call).unwrap();
            } else {
                answer.send(()).unwrap();
                handle.stop();
            }
        }
    });
    let event_loop = EventLoop::new().unwrap();
    for _ in 0..ROUNDS {
        let (answer, answered) = mpsc::channel();
        ask.send((event_loop.handle(), answer)).unwrap();
        event_loop.run_forever().unwrap();
        answered.try_recv().expect("it runs until it is answered");
    }
    drop(ask);
    answering.join().unwrap();
}

#[test]
fn a_call_on_a_closed_loop_is_an_error_and_its_closure_dropped_by_the_caller() {
    let (event_loop, drops) = (EventLoop::new().unwrap(), Drops::default());
    let handle = event_loop.handle();
    event_loop.close().unwrap();
    let guard = drops.guard();
    let (send, receive) = mpsc::channel();
    let caller = thread::spawn(move || {
        let tell = OnDrop(move || send.send(thread::current().id()).unwrap());
        let result = handle.call_soon_threadsafe(move || drop((guard, tell)));
        handle.stop(); // does nothing
        (result, thread::current().id())
    });
    let (result, id) = caller.join().unwrap();
    assert_eq!(result, Err(LoopClosed));
    assert_eq!(
        (drops.count(), receive.try_iter().collect::<Vec<_>>()),
        (1, vec![id])
    );
    assert_eq!(LoopClosed.to_string(), "the event loop is closed");
    assert_eq!(
        std::io::Error::from(LoopClosed).kind(),
        std::io::ErrorKind::NotConnected
    );
}

#[test]
fn a_call_that_the_loop_did_not_get_to_is_dropped_once_when_it_closes() {
    let (event_loop, drops) = (EventLoop::new().unwrap(), Drops::default());
    let (handle, guard) = (event_loop.handle(), drops.guard());
    let (send, receive) = mpsc::channel();
    let caller = thread::spawn(move || {
        let tell = OnDrop(move || send.send(thread::current().id()).unwrap());
        handle.call_soon_threadsafe(move || {
            drop((guard, tell));
            unreachable!("nobody runs the loop")
        })
    });
    assert_eq!(caller.join().unwrap(), Ok(()));
    assert_eq!(drops.count(), 0);
    event_loop.close().unwrap();
    assert_eq!(drops.count(), 1);
    assert_eq!(
        receive.try_iter().collect::<Vec<_>>(),
        [thread::current().id()]
    );
}

#[test]
fn a_handle_never_reaches_another_loop() {
    let first = EventLoop::new().unwrap();
    let handle = first.handle();
    first.close().unwrap();
    // Very likely in the same place of the table.
    let second = EventLoop::new().unwrap();
    assert_eq!(
        handle.call_soon_threadsafe(|| unreachable!()),
        Err(LoopClosed)
    );
    handle.stop();
    assert_eq!(second.run_until_complete(petla::yield_now()), Ok(()));
}

#[test]
fn another_thread_stops_a_run() {
    let event_loop = EventLoop::new().unwrap();
    for main in [true, false] {
        let (handle, (send, receive)) = (event_loop.handle(), mpsc::channel());
        let stopping = thread::spawn(move || {
            receive.recv_timeout(LONG).unwrap();
            handle.stop();
        });
        event_loop.call_soon(move || send.send(()).unwrap());
        if main {
            let result = event_loop.run_until_complete(pending::<()>());
            assert_eq!(result, Err(RunError::Stopped));
        } else {
            assert_eq!(event_loop.run_forever(), Ok(()));
        }
        stopping.join().unwrap();
    }
}

#[test]
fn a_call_that_panics_is_reported_on_the_loop() {
    within(async {
        let reports = collect_reports();
        let handle = LoopHandle::current();
        thread::spawn(move || handle.call_soon_threadsafe(|| raise("from afar")).unwrap())
            .join()
            .unwrap();
        yield_until(|| reports.len() == 1).await;
        assert_eq!(reports.take(), ["a callback panicked: panicked: from afar"]);
    });
}

#[test]
fn a_call_may_call_again_and_post_to_its_own_loop() {
    within(async {
        let (send, receive) = mpsc::channel();
        let handle = LoopHandle::current();
        let again = handle.clone();
        let call = move || {
            let inner = again.clone();
            let call = move || {
                inner
                    .call_soon_threadsafe(move || send.send(7).unwrap())
                    .unwrap()
            };
            again.call_soon_threadsafe(call).unwrap();
        };
        handle.call_soon_threadsafe(call).unwrap();
        let mut got = None;
        yield_until(|| {
            got = receive.try_recv().ok();
            got.is_some()
        })
        .await;
        assert_eq!(got, Some(7));
    });
}

#[test]
fn calls_race_with_the_close_and_are_made_or_dropped_but_never_lost() {
    const CALLS: usize = 50;
    for round in 0..100 {
        let (event_loop, drops, made) = (
            EventLoop::new().unwrap(),
            Drops::default(),
            Drops::default(),
        );
        let threads = [(); 4].map(|()| {
            let (handle, drops, made) = (event_loop.handle(), drops.clone(), made.clone());
            thread::spawn(move || {
                let call = |_: &usize| {
                    let (guard, made) = (drops.guard(), made.clone());
                    handle
                        .call_soon_threadsafe(move || drop((guard, made.guard())))
                        .is_ok()
                };
                (0..CALLS).filter(call).count()
            })
        });
        let some = round % 100;
        event_loop
            .run_until_complete(yield_until(|| made.count() >= some))
            .unwrap();
        event_loop.close().unwrap();
        let taken: usize = threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .sum();
        assert_eq!(drops.count(), 4 * CALLS, "each closure was dropped once");
        assert!(some <= made.count() && made.count() <= taken);
    }
}

#[test]
fn the_handle_of_the_current_loop_needs_one() {
    let text = panic_text(|| LoopHandle::current());
    assert!(
        text.starts_with("LoopHandle::current() needs a running event loop"),
        "{text}"
    );
    assert!(text.contains("threads.rs"), "it says where: {text}");
}

#[test]
fn a_stop_that_arrives_between_two_runs_allows_one_batch() {
    let event_loop = EventLoop::new().unwrap();
    let handle = event_loop.handle();
    thread::spawn(move || handle.stop()).join().unwrap();
    let result = event_loop.run_until_complete(petla::sleep(Duration::from_secs(3600)));
    assert_eq!(result, Err(RunError::Stopped));
    assert_eq!(event_loop.run_until_complete(async { 1 }), Ok(1));
}
