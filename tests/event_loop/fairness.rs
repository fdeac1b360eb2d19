//! The fairness contract: first in, first out, and nobody is forgotten while others yield.

use std::cell::Cell;
use std::future::poll_fn;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::task::Poll;
use std::thread;
use std::time::Duration;

use petla::net::UnixStream;
use petla::{EventLoop, LoopHandle, Task, spawn};

use crate::common::{Bell, Count, LONG, Log, bump, within};

const YIELDERS: usize = 1_000;
/// The most polls between two looks, as the contract says.
const POLLS_BETWEEN_LOOKS: usize = 64;

/// Tasks that yield for ever; `each` runs in every step.
fn yielders(each: impl Fn(usize) + Clone + 'static) -> Vec<Task<()>> {
    let start = |n| {
        let each = each.clone();
        spawn(async move {
            loop {
                each(n);
                petla::yield_now().await;
            }
        })
    };
    (0..YIELDERS).map(start).collect()
}

#[test]
fn yielding_tasks_take_turns_in_an_order_that_does_not_change() {
    within(async {
        let log = Log::new();
        let notes = log.clone();
        let _tasks = yielders(move |n| notes.push(n));
        for _ in 0..10 {
            petla::yield_now().await;
        }
        let seen = log.take();
        assert_eq!(seen.len(), 10 * YIELDERS);
        assert!(
            seen.iter()
                .enumerate()
                .all(|(step, &n)| n == step % YIELDERS)
        );
    });
}

#[test]
fn a_zero_sleep_is_a_turn_like_yield_now() {
    within(async {
        let log = Log::new();
        for (name, zero) in [("sleep", true), ("yield", false)] {
            let notes = log.clone();
            drop(spawn(async move {
                for step in 0..5 {
                    notes.push((step, name));
                    match zero {
                        true => petla::sleep(Duration::ZERO).await,
                        false => petla::yield_now().await,
                    }
                }
            }));
        }
        for _ in 0..6 {
            petla::yield_now().await;
        }
        let expected: Vec<_> = (0..5)
            .flat_map(|step| [(step, "sleep"), (step, "yield")])
            .collect();
        assert_eq!(log.take(), expected);
    });
}

#[test]
fn timers_are_served_while_a_thousand_tasks_yield_for_ever() {
    within(async {
        // Counts the polls after the deadline: at most a look's distance until it is noticed, and
        // one round of the ring until the sleeper's turn.
        let at = petla::now() + Duration::from_millis(2);
        let late = Count::default();
        let counted = Rc::clone(&late);
        let _tasks = yielders(move |_| {
            if petla::now() >= at {
                bump(&counted);
            }
        });
        petla::sleep_until(at).await;
        assert!(petla::now() >= at);
        let most = POLLS_BETWEEN_LOOKS + YIELDERS + 1;
        assert!(
            late.get() <= most,
            "{} polls late, {most} are allowed",
            late.get()
        );
    });
}

#[test]
fn calls_of_other_threads_are_served_while_a_thousand_tasks_yield_for_ever() {
    within(async {
        let called = Arc::new(AtomicBool::new(false));
        let (late, served) = (Count::default(), Rc::new(Cell::new(false)));
        let (counted, seen) = (Rc::clone(&late), called.clone());
        let _tasks = yielders(move |_| {
            if seen.load(Ordering::Acquire) {
                bump(&counted);
            }
        });
        let handle = LoopHandle::current();
        for _ in 0..20 {
            let (send, receive) = mpsc::channel();
            let (handle, mark) = (handle.clone(), called.clone());
            let caller = thread::spawn(move || {
                handle
                    .call_soon_threadsafe(move || send.send(()).unwrap())
                    .unwrap();
                mark.store(true, Ordering::Release);
            });
            while receive.try_recv().is_err() {
                petla::yield_now().await;
            }
            // The turn of the task that looks comes up to a round after the call.
            let most = POLLS_BETWEEN_LOOKS + 2 * YIELDERS + 2;
            assert!(
                late.get() <= most,
                "{} polls late, {most} are allowed",
                late.get()
            );
            caller.join().unwrap();
            called.store(false, Ordering::Release);
            late.set(0);
        }
        served.set(true);
        assert!(served.get());
    });
}

#[test]
fn wakes_of_other_threads_are_served_while_a_thousand_tasks_yield_for_ever() {
    within(async {
        let _tasks = yielders(|_| ());
        for _ in 0..20 {
            let woken = Arc::new(AtomicBool::new(false));
            let mut caller = None;
            poll_fn(|cx| {
                caller.get_or_insert_with(|| {
                    let (waker, woken) = (cx.waker().clone(), woken.clone());
                    thread::spawn(move || {
                        woken.store(true, Ordering::Release);
                        waker.wake();
                    })
                });
                if woken.load(Ordering::Acquire) {
                    Poll::Ready(())
                } else {
                    Poll::Pending
                }
            })
            .await;
            caller.unwrap().join().unwrap();
        }
    });
}

#[test]
fn sockets_are_served_while_a_thousand_tasks_yield_for_ever() {
    within(async {
        let sent = Rc::new(Cell::new(false));
        let late = Count::default();
        let (seen, counted) = (Rc::clone(&sent), Rc::clone(&late));
        let _tasks = yielders(move |_| {
            if seen.get() {
                bump(&counted);
            }
        });
        let (left, right) = UnixStream::pair().unwrap();
        for _ in 0..5 {
            let (written, sent) = (&right, Rc::clone(&sent));
            let mut buf = [0];
            let mut read = Box::pin(left.read(&mut buf));
            let mut first = true;
            let got = poll_fn(|cx| {
                let polled = read.as_mut().poll(cx);
                if std::mem::take(&mut first) {
                    assert!(polled.is_pending(), "it has to wait");
                    let mut write = Box::pin(written.write_all(b"x"));
                    assert!(write.as_mut().poll(cx).is_ready());
                    sent.set(true);
                }
                polled
            })
            .await;
            assert_eq!(got.unwrap(), 1);
            let most = POLLS_BETWEEN_LOOKS + YIELDERS + 1;
            assert!(
                late.get() <= most,
                "{} polls late, {most} are allowed",
                late.get()
            );
            sent.set(false);
            late.set(0);
        }
    });
}

#[test]
fn callbacks_that_schedule_themselves_starve_neither_descriptors_nor_timers() {
    let event_loop = EventLoop::new().unwrap();
    let (reader, mut writer) = std::io::pipe().unwrap();
    let log = Log::new();

    fn for_ever(event_loop: &EventLoop) {
        let again = event_loop.clone();
        event_loop.call_soon(move || for_ever(&again));
    }
    for_ever(&event_loop);
    let (stop, notes) = (event_loop.clone(), log.clone());
    event_loop.call_later(Duration::from_millis(1), move || {
        notes.push("timer");
        std::io::Write::write_all(&mut writer, b"x").unwrap();
    });
    let (notes, own) = (log.clone(), event_loop.clone());
    let number = std::os::fd::AsRawFd::as_raw_fd(&reader);
    event_loop
        .add_reader(&reader, move || {
            notes.push("reader");
            own.remove_reader(&number);
            stop.stop();
        })
        .unwrap();
    let limit = event_loop.clone();
    event_loop.call_later(LONG, move || limit.stop());
    event_loop.run_forever().unwrap();
    assert_eq!(log.take(), ["timer", "reader"]);
    event_loop.close().unwrap();
}

#[test]
fn a_task_that_wakes_itself_waits_for_everyone_who_was_ready_before() {
    within(async {
        let log = Log::new();
        let tasks = ["a", "b", "c"].map(|name| {
            let log = log.clone();
            spawn(async move {
                let mut steps = 0;
                poll_fn(|cx| {
                    log.push(name);
                    steps += 1;
                    cx.waker().wake_by_ref();
                    if steps < 3 {
                        Poll::Pending
                    } else {
                        Poll::Ready(())
                    }
                })
                .await;
            })
        });
        for task in tasks {
            task.await.unwrap();
        }
        assert_eq!(log.take(), ["a", "b", "c", "a", "b", "c", "a", "b", "c"]);
    });
}

#[test]
fn one_poll_that_takes_long_delays_the_others_and_starves_nobody() {
    within(async {
        let (started, begun) = mpsc::channel();
        let (release, released) = mpsc::channel();
        let helper = thread::spawn(move || {
            begun.recv_timeout(LONG).unwrap();
            release.send(()).unwrap();
        });
        let timer = spawn(petla::sleep(Duration::from_micros(10)));
        let busy = spawn(async move {
            started.send(()).unwrap();
            released.recv_timeout(LONG).unwrap(); // blocks the loop
        });
        let other = spawn(async { "its turn comes" });
        busy.await.unwrap();
        assert_eq!(other.await.unwrap(), "its turn comes");
        timer.await.unwrap();
        helper.join().unwrap();
    });
}

#[test]
fn long_polls_are_followed_by_looks_more_often() {
    within(async {
        // Polls of 200 µs: if a look came after 64 of them only, a timer would be 12 ms late.
        const LONG_POLL: Duration = Duration::from_micros(200);
        let (polls, late, armed) = (
            Count::default(),
            Count::default(),
            Rc::new(Cell::new(false)),
        );
        let bell = Bell::new();
        for _ in 0..100 {
            let (polls, late, armed) = (Rc::clone(&polls), Rc::clone(&late), Rc::clone(&armed));
            let bell = bell.clone();
            drop(spawn(async move {
                loop {
                    bump(&polls);
                    if armed.get() && bell.rings() == 0 {
                        bump(&late);
                    }
                    let end = petla::now() + LONG_POLL;
                    while petla::now() < end {
                        std::hint::spin_loop();
                    }
                    petla::yield_now().await;
                }
            }));
        }
        while polls.get() < 200 {
            petla::yield_now().await; // until the loop knows that its polls are long
        }
        let mut due = petla::sleep_until(petla::now());
        assert!(bell.poll(&mut due).is_pending());
        armed.set(true);
        petla::yield_now().await;
        assert_eq!(bell.rings(), 1);
        assert!(late.get() <= 2, "{} polls before the look", late.get());
    });
}
