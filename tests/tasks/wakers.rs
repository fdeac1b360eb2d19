//! Wakers: integers that may be kept longer than the task, the loop and the thread.

use std::cell::RefCell;
use std::future::poll_fn;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::task::{Poll, Waker};
use std::thread;

use petla::{EventLoop, spawn};

use crate::common::{KeepWaker, LONG, bump, within};

/// The waker of the calling task.
async fn own_waker() -> Waker {
    poll_fn(|cx| Poll::Ready(cx.waker().clone())).await
}

#[test]
fn a_waker_wakes_its_task_once_however_often_it_is_called() {
    within(async {
        let (place, polls) = (Rc::new(RefCell::new(None)), Rc::default());
        let (kept, counted) = (Rc::clone(&place), Rc::clone(&polls));
        let task = spawn(poll_fn(move |cx| {
            bump(&counted);
            let copy = cx.waker().clone();
            cx.waker().wake_by_ref();
            copy.wake_by_ref();
            kept.replace(Some(copy));
            if counted.get() < 3 {
                Poll::Pending
            } else {
                Poll::Ready(())
            }
        }));
        petla::yield_now().await;
        assert_eq!(polls.get(), 1);
        for _ in 0..10 {
            place.borrow().as_ref().unwrap().wake_by_ref();
        }
        petla::yield_now().await;
        assert_eq!(polls.get(), 2);
        task.await.unwrap();
        assert_eq!(polls.get(), 3);
    });
}

#[test]
fn wakers_are_equal_exactly_when_they_wake_the_same_task() {
    within(async {
        let mine = own_waker().await;
        petla::yield_now().await;
        assert!(mine.will_wake(&own_waker().await) && mine.will_wake(&mine.clone()));
        let [other, third] = [(); 2].map(|()| spawn(own_waker()));
        let (other, third) = (other.await.unwrap(), third.await.unwrap());
        assert!(!mine.will_wake(&other) && !other.will_wake(&third));
    });
}

#[test]
fn a_waker_kept_after_its_task_wakes_nobody_who_is_hurt() {
    within(async {
        let stale = spawn(own_waker()).await.unwrap();
        let polls = Rc::default();
        let counted = Rc::clone(&polls);
        // Takes the slot of the task that ended.
        let next = spawn(poll_fn(move |_| {
            bump(&counted);
            Poll::<()>::Pending
        }));
        for _ in 0..10 {
            stale.wake_by_ref();
            petla::yield_now().await;
        }
        assert_eq!(
            polls.get(),
            1,
            "on its own thread a stale waker wakes nobody at all"
        );
        thread::scope(|scope| {
            scope.spawn(|| stale.wake_by_ref());
        });
        petla::yield_now().await;
        assert!(!next.is_finished());
        drop(stale);
    });
}

#[test]
fn a_waker_kept_after_its_loop_does_nothing_from_anywhere() {
    let stale = within(async { spawn(own_waker()).await.unwrap() });
    stale.wake_by_ref();
    let (one, other) = (stale.clone(), stale.clone());
    thread::spawn(move || one.wake()).join().unwrap();
    within(async {
        other.wake_by_ref();
        petla::yield_now().await;
        stale.wake_by_ref();
        thread::scope(|scope| {
            scope.spawn(|| other.wake_by_ref());
        });
        petla::yield_now().await;
    });
    stale.wake();
}

#[test]
fn a_loop_in_the_place_of_one_that_ended_survives_its_wakers() {
    let stale: Vec<Waker> = within(async {
        let mut wakers = Vec::new();
        for _ in 0..100 {
            wakers.push(spawn(own_waker()).await.unwrap());
        }
        wakers
    });
    within(async {
        let tasks: Vec<_> = (0..50).map(|n| spawn(async move { n })).collect();
        thread::scope(|scope| {
            scope.spawn(|| stale.iter().for_each(Waker::wake_by_ref));
        });
        stale.iter().for_each(Waker::wake_by_ref);
        for (n, task) in (0..).zip(tasks) {
            assert_eq!(task.await.unwrap(), n);
        }
    });
}

thread_local! {
    static AT_EXIT: RefCell<Option<WakesWhenDropped>> = const { RefCell::new(None) };
}

struct WakesWhenDropped(Waker);

impl Drop for WakesWhenDropped {
    fn drop(&mut self) {
        self.0.wake_by_ref();
    }
}

#[test]
fn a_waker_works_in_a_dying_thread() {
    within(async {
        let (send, receive) = mpsc::channel();
        let mut thread = None;
        poll_fn(|cx| {
            let Some(_) = &thread else {
                let (waker, send) = (cx.waker().clone(), send.clone());
                thread = Some(thread::spawn(move || {
                    AT_EXIT.set(Some(WakesWhenDropped(waker)));
                    send.send(()).unwrap();
                }));
                return Poll::Pending;
            };
            // Nobody but the thread-local's destructor wakes this task.
            receive.try_recv().map_or(Poll::Pending, Poll::Ready)
        })
        .await;
        thread.unwrap().join().unwrap();
    });
}

#[test]
fn no_wake_of_another_thread_is_lost() {
    const ROUNDS: usize = 5_000;
    within(async {
        let (given, taken) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let place: Arc<Mutex<Option<Waker>>> = Arc::default();
        let giver = thread::spawn({
            let (given, taken, place) = (given.clone(), taken.clone(), place.clone());
            move || {
                for round in 1..=ROUNDS {
                    given.store(round, Ordering::Release);
                    if let Some(waker) = &*place.lock().unwrap() {
                        waker.wake_by_ref();
                    }
                    while taken.load(Ordering::Acquire) < round {
                        std::hint::spin_loop();
                        thread::yield_now();
                    }
                }
            }
        });
        poll_fn(|cx| {
            place
                .lock()
                .unwrap()
                .get_or_insert_with(|| cx.waker().clone());
            // After the waker is in place: what came before is seen here, what comes later wakes.
            taken.store(given.load(Ordering::Acquire), Ordering::Release);
            if taken.load(Ordering::Acquire) == ROUNDS {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        })
        .await;
        giver.join().unwrap();
    });
}

#[test]
fn wakers_are_called_by_eight_threads_while_their_loops_come_and_go() {
    const LOOPS: usize = 300;
    let wakers: Arc<Mutex<Vec<Waker>>> = Arc::default();
    let stop = Arc::new(AtomicBool::new(false));
    let wake_all = || {
        let (wakers, stop) = (wakers.clone(), stop.clone());
        thread::spawn(move || {
            let mut calls = 0_usize;
            while !stop.load(Ordering::Acquire) {
                let mine = wakers.lock().unwrap().clone();
                mine.iter().for_each(Waker::wake_by_ref);
                calls += mine.len();
            }
            calls
        })
    };
    let threads: [_; 8] = std::array::from_fn(|_| wake_all());
    for _ in 0..LOOPS {
        let event_loop = EventLoop::new().unwrap();
        let place = Rc::new(RefCell::new(None));
        let tasks: Vec<_> = (0..4)
            .map(|_| event_loop.spawn(KeepWaker(Rc::clone(&place))))
            .collect();
        event_loop
            .run_until_complete(async {
                petla::yield_now().await;
                let own = own_waker().await;
                let mut known = wakers.lock().unwrap();
                known.extend(place.borrow().clone());
                known.push(own);
                let old = known.len().saturating_sub(64);
                known.drain(..old);
            })
            .unwrap();
        event_loop.close().unwrap();
        assert!(tasks.iter().all(|task| task.is_finished()));
    }
    stop.store(true, Ordering::Release);
    let calls: usize = threads
        .into_iter()
        .map(|thread| thread.join().unwrap())
        .sum();
    assert!(calls > LOOPS, "the threads did take part: {calls}");
}

#[test]
fn a_waker_called_on_another_loops_thread_finds_its_own_loop() {
    let (send, receive) = mpsc::channel();
    let waiting = thread::spawn(move || {
        within(async move {
            let mut sent = false;
            let woken = Arc::new(AtomicBool::new(false));
            poll_fn(|cx| {
                if !sent {
                    sent = true;
                    send.send((cx.waker().clone(), woken.clone())).unwrap();
                }
                if woken.load(Ordering::Acquire) {
                    Poll::Ready(())
                } else {
                    Poll::Pending
                }
            })
            .await;
        });
    });
    within(async move {
        let (waker, woken) = receive.recv_timeout(LONG).unwrap();
        woken.store(true, Ordering::Release);
        waker.wake();
    });
    waiting.join().unwrap();
}
