//! `Event`: a set wakes everybody who waits at that moment, and no wait misses it.

use std::rc::Rc;

use super::*;
use crate::common::hand::Meddler;

in_both_modes! {
    // L8
    fn a_set_wakes_all_who_wait_though_a_clear_follows_at_once() {
        let event = Event::new();
        let mut waits: Vec<_> = (0..3).map(|_| waiting(event.wait())).collect();
        event.set();
        event.clear();
        assert!(!event.is_set());
        waits.iter_mut().for_each(Hand::ready);
        assert_eq!(event.statistics().waiting, 0);
    }

    // L8
    fn a_set_a_clear_and_a_set_wake_a_task_once_and_empty_the_line() {
        within(async {
            let (event, log) = (Rc::new(Event::new()), Log::new());
            let task = spawn({
                let (event, log) = (event.clone(), log.clone());
                async move {
                    event.wait().await;
                    log.push("woken");
                }
            });
            yield_now().await;
            assert_eq!(event.statistics().waiting, 1);
            event.set();
            event.clear();
            event.set();
            assert_eq!(event.statistics().waiting, 0);
            task.await.unwrap();
            assert_eq!(log.take(), ["woken"]);
        });
    }

    // L8
    fn a_wait_is_woken_once_by_two_sets() {
        let event = Event::new();
        let bell = Bell::new();
        let mut wait = hand(event.wait());
        assert!(bell.poll(&mut wait).is_pending());
        event.set();
        event.clear();
        event.set();
        event.set();
        assert_eq!(bell.rings(), 1);
        wait.ready();
    }

    // L9
    fn a_wait_for_an_event_that_is_set_does_not_suspend() {
        let event = Event::new();
        event.set();
        at_once(event.wait());
        event.set(); // nothing changes
        assert!(event.is_set());
        at_once(event.wait());
        event.clear();
        event.clear();
        assert!(!event.is_set());
        waiting(event.wait()).waits();
    }

    // L10
    fn a_cancelled_wait_takes_itself_out() {
        let event = Event::new();
        let (first, mut second) = (waiting(event.wait()), waiting(event.wait()));
        assert_eq!(event.statistics().waiting, 2);
        drop(first);
        assert_eq!(event.statistics().waiting, 1);
        event.set();
        second.ready();
        drop(waiting_after_clear(&event));
        assert_eq!(event.statistics().waiting, 0);
    }

    // L10
    fn a_cancelled_task_takes_its_wait_out() {
        within(async {
            let event = Rc::new(Event::new());
            let task = spawn({
                let event = event.clone();
                async move { event.wait().await }
            });
            yield_now().await;
            assert_eq!(event.statistics().waiting, 1);
            task.cancel(());
            assert!(task.await.is_err());
            assert_eq!(event.statistics().waiting, 0);
        });
    }

    // B18 (cocotb 4675, curio 86)
    fn a_wait_that_was_made_before_the_set_sees_it_at_its_first_poll() {
        for cleared in [false, true] {
            let event = Event::new();
            let mut wait = hand(event.wait());
            event.set();
            if cleared {
                event.clear();
            }
            wait.ready();
            let mut later = hand(event.wait());
            assert_eq!(later.poll().is_pending(), cleared);
        }
    }

    fn a_wait_that_is_over_stays_over_when_the_event_is_cleared_before_it_runs() {
        within(async {
            let event = Rc::new(Event::new());
            let task = spawn({
                let event = event.clone();
                async move {
                    event.wait().await;
                    event.is_set()
                }
            });
            yield_now().await;
            event.set();
            event.clear();
            assert!(!task.await.unwrap());
        });
    }

    // tokio 3661, 5396
    fn a_set_does_not_wake_who_came_after_it_however_long_the_line() {
        for count in [1, 31, 32, 33, 64, 65, 1_000] {
            let event = Event::new();
            let mut waits: Vec<_> = (0..count).map(|_| waiting(event.wait())).collect();
            event.set();
            event.clear();
            let mut late = waiting(event.wait());
            waits.iter_mut().for_each(Hand::ready);
            late.waits();
            event.set();
            late.ready();
        }
    }

    // tokio 3661: the late-comer arrives while the wakers of a batch are called.
    fn a_task_that_clears_and_waits_again_is_not_woken_by_the_same_set() {
        within(async {
            let (event, log) = (Rc::new(Event::new()), Log::new());
            let tasks: Vec<_> = (0..100)
                .map(|name| {
                    let (event, log) = (event.clone(), log.clone());
                    spawn(async move {
                        for round in 0..2 {
                            event.wait().await;
                            event.clear();
                            log.push((round, name));
                        }
                    })
                })
                .collect();
            yield_now().await;
            for round in 0..2 {
                event.set();
                yield_now().await;
                let expected: Vec<_> = (0..100).map(|name| (round, name)).collect();
                assert_eq!(log.take(), expected, "in the order in which they began to wait");
            }
            for task in tasks {
                task.await.unwrap();
            }
        });
    }

    fn a_leaked_wait_for_an_event_does_no_harm() {
        let event = Event::new();
        leak(waiting(event.wait()));
        let event = Box::new(event);
        let mut wait = waiting(event.wait());
        event.set();
        wait.ready();
        event.clear();
        leak(waiting(event.wait()));
    }

    fn a_waker_may_use_the_event_that_wakes_it() {
        let event: &'static Event = Box::leak(Box::new(Event::new()));
        let waker = Meddler::waker(true, move || {
            assert!(event.is_set());
            event.clear();
            drop(waiting(event.wait()));
            event.set();
        });
        let (mut first, mut second) = (hand(event.wait()), hand(event.wait()));
        assert!(first.poll_with(&waker).is_pending());
        second.waits();
        event.set();
        assert!(Meddler::has_meddled());
        first.ready();
        second.ready();
        assert_eq!((event.is_set(), event.statistics().waiting), (true, 0));
        leak(event);
    }

    fn a_waker_that_panics_keeps_no_other_wait_asleep() {
        let event = Event::new();
        let (broken, bell) = (Bell::broken(), Bell::new());
        let (mut first, mut second) = (hand(event.wait()), hand(event.wait()));
        assert!(broken.poll(&mut first).is_pending());
        assert!(bell.poll(&mut second).is_pending());
        assert_eq!(panic_text(|| event.set()), "the bell is broken");
        assert_eq!((bell.rings(), event.is_set()), (1, true));
        first.ready();
        second.ready();
    }
}

/// A wait that suspends, on an event that may be set; for both modes.
fn waiting_after_clear<M: petla::primitives::Mode>(
    event: &petla::primitives::Event<M>,
) -> Hand<'_, ()> {
    event.clear();
    waiting(event.wait())
}

#[test]
fn an_event_joins_threads_and_tasks() {
    use petla::sync::Event;
    use std::sync::Arc;
    let events = Arc::new((Event::new(), Event::new()));
    let thread = std::thread::spawn({
        let events = events.clone();
        move || {
            for _ in 0..200 {
                events.0.blocking_wait();
                events.0.clear();
                events.1.set();
            }
        }
    });
    within(async {
        for _ in 0..200 {
            events.0.set();
            events.1.wait().await;
            events.1.clear();
        }
        let text = panic_text(|| Event::new().blocking_wait());
        assert!(text.ends_with("await `wait` instead"), "{text}");
    });
    thread.join().unwrap();
}

#[test]
fn two_loops_share_an_event() {
    use petla::sync::Event;
    use std::sync::Arc;
    let events = Arc::new([Event::new(), Event::new()]);
    let threads = [0, 1].map(|own| {
        let events = events.clone();
        std::thread::spawn(move || {
            within(async {
                for _ in 0..300 {
                    if own == 0 {
                        events[1].set();
                    }
                    events[own].wait().await;
                    events[own].clear(); // nobody sets it before the other is told
                    if own == 1 {
                        events[0].set();
                    }
                }
            });
        })
    });
    for thread in threads {
        thread.join().unwrap();
    }
}
