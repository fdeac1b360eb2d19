//! Children, their handles, what they may borrow and spawn, and how they show from outside.
//!
//! # Not here
//! Failures and cancels: `ends.rs`; `start`: `start.rs`.

use std::cell::{Cell, RefCell};
use std::future::{Future, pending};
use std::pin::pin;
use std::thread;

use petla::testing::{poll_once, run};
use petla::{
    ContextVar, EventLoop, TaskGroup, all_tasks, current_task, gather, now, sleep, yield_now,
};

use crate::common::{Drops, KeepWaker, Log, OnDrop, bump, within};
use crate::{Group, SECOND, TICK};

#[test]
fn children_and_body_borrow_what_is_around_the_group() {
    run(async {
        let (mut sum, mut rest) = (0, vec![1, 2, 3]);
        let words = vec!["a".to_owned(), "bc".to_owned()];
        let group = TaskGroup::run(async |g: &Group<'_>| {
            let (sum, rest, words) = (&mut sum, &mut rest, &words);
            g.spawn(async move {
                yield_now().await;
                *sum += words.len();
            });
            g.spawn(async move {
                rest.push(words[1].len());
            });
        });
        group.await.unwrap();
        assert_eq!((sum, rest), (2, vec![1, 2, 3, 2]));
    });
}

#[test]
fn a_handle_can_be_awaited_after_the_end_of_the_group_and_of_what_it_borrowed() {
    let mut kept = None;
    let event_loop = EventLoop::new().unwrap();
    let main = async {
        let borrowed = "short".to_owned();
        let place = RefCell::new(None);
        let group = TaskGroup::run(async |g: &Group<'_>| {
            place.replace(Some(g.spawn(async { Ok(borrowed.len()) })));
        });
        group.await.unwrap();
        kept = place.take();
    };
    event_loop.run_until_complete(main).unwrap();
    let task = kept.unwrap();
    assert!(task.is_finished() && !task.cancel("late"));
    let value = event_loop.run_until_complete(task).unwrap();
    drop(event_loop);
    assert_eq!(value.unwrap(), 5);
}

#[test]
fn a_cancelled_child_is_no_failure_and_the_group_goes_on() {
    run(async {
        let group = TaskGroup::run(async |g: &Group<'_>| {
            let child = g.spawn(pending::<()>());
            yield_now().await;
            assert!(child.cancel("one too many"));
            assert_eq!(child.await.unwrap_err().reason(), Some("one too many"));
            let never = g.spawn(async { unreachable!("cancelled before its first poll") });
            assert!(never.cancel(()));
            let own = g.spawn(async {
                assert!(current_task().unwrap().cancel("by itself"));
                pending::<()>().await;
            });
            assert_eq!(own.await.unwrap_err().reason(), Some("by itself"));
            g.spawn(async { Ok(7) }).await.map_err(|_| "it failed")
        });
        assert_eq!(group.await.unwrap(), 7);
    });
}

#[test]
fn the_drop_of_a_handle_cancels_the_child_if_it_was_awaited_or_told_to() {
    run(async {
        let drops = Drops::default();
        let ended = Cell::new(0);
        let child = async |guard| {
            let _guard = guard;
            sleep(SECOND).await;
            bump(&ended);
        };
        let group = TaskGroup::run(async |g: &Group<'_>| {
            let mut awaited = g.spawn(child(drops.guard()));
            assert!(poll_once(&mut awaited).is_pending());
            drop(awaited);
            drop(g.spawn(child(drops.guard())).cancel_on_drop());
            drop(g.spawn(child(drops.guard())));
            g.spawn(child(drops.guard())).detach();
            sleep(TICK).await;
            assert_eq!((drops.count(), g.len()), (2, 2));
        });
        group.await.unwrap();
        assert_eq!((drops.count(), ended.get()), (4, 2));
    });
}

#[test]
fn wait_for_on_a_child_cancels_it_when_it_is_late() {
    run(async {
        let group = TaskGroup::run(async |g: &Group<'_>| {
            let late = g.spawn(pending::<()>());
            assert!(late.wait_for(SECOND).await.unwrap_err().is_timeout());
            let early = g.spawn(async { Ok(1) });
            assert_eq!(early.wait_for(SECOND).await.unwrap(), 1);
        });
        group.await.unwrap();
    });
}

#[test]
fn ten_thousand_children_spawn_one_another_from_destructors_and_by_turns() {
    fn spawn_next<'env>(g: &Group<'env>, count: &'env Cell<usize>) {
        let g1 = g.clone();
        g.spawn(async move {
            let again = count.get() < 10_000;
            bump(count);
            let _from_destructor = OnDrop(|| {
                if again && count.get().is_multiple_of(2) {
                    spawn_next(&g1, count);
                }
            });
            if again && !count.get().is_multiple_of(2) {
                spawn_next(&g1, count);
            }
        });
    }
    run(async {
        let count = Cell::new(0);
        let group = TaskGroup::run(async |g: &Group<'_>| spawn_next(g, &count));
        group.await.unwrap();
        assert_eq!(count.get(), 10_001);
    });
}

#[test]
fn a_child_is_first_polled_after_what_is_ready() {
    run(async {
        let log = Log::new();
        let other = log.clone();
        let task = petla::spawn(async move { other.push("ready before") });
        let group = TaskGroup::run(async |g: &Group<'_>| {
            g.spawn(async { log.push("child") });
            log.push("body");
        });
        group.await.unwrap();
        task.await.unwrap();
        assert_eq!(log.take(), ["body", "ready before", "child"]);
    });
}

#[test]
fn children_run_first_in_first_out() {
    run(async {
        let log = Log::new();
        let group = TaskGroup::run(async |g: &Group<'_>| {
            for n in 0..300 {
                let log = &log;
                g.spawn(async move {
                    log.push(n);
                    yield_now().await;
                    log.push(n);
                });
            }
        });
        group.await.unwrap();
        assert!(log.take().into_iter().eq((0..300).chain(0..300)));
    });
}

#[test]
fn children_show_like_tasks_until_they_end() {
    run(async {
        let names = || -> Vec<_> { all_tasks().iter().map(|task| task.name()).collect() };
        let group = TaskGroup::run(async |g: &Group<'_>| {
            let group = g.clone();
            let seen = g.spawn(async move {
                let own = current_task().unwrap();
                assert!(all_tasks().contains(&own) && !own.is_finished());
                assert!(group.len() == 2 && group.children().contains(&own));
                Ok(own)
            });
            let seen = seen.named("seen");
            let other = g.spawn(pending::<()>()).named("other");
            assert_eq!((g.len(), g.children().len()), (2, 2));
            assert!(names().contains(&"seen".into()) && names().contains(&"other".into()));
            let own = seen.await.unwrap();
            assert!(own.is_finished() && own.name() == "seen" && !own.cancel("late"));
            assert!(!names().contains(&"seen".into()));
            let [left] = &g.children()[..] else {
                panic!("{:?}", g.children())
            };
            assert!(*left == other.task_ref() && left.location().file() == file!());
            assert!(left.cancel("found"));
            assert_eq!(other.await.unwrap_err().reason(), Some("found"));
            assert!(g.is_empty());
            assert_eq!(
                current_task().unwrap().name(),
                names()[0],
                "the body is its caller's"
            );
        });
        group.await.unwrap();
        assert_eq!(names().len(), 1);
    });
}

static REQUEST: ContextVar<u32> = ContextVar::new(|| 0);

#[test]
fn children_inherit_context_and_keep_theirs() {
    run(async {
        REQUEST.set(1);
        let group = TaskGroup::run(async |g: &Group<'_>| {
            let group = g.clone();
            let child = g.spawn(async move {
                REQUEST.set(REQUEST.get() + 1);
                let grandchild = group.spawn(async { Ok(REQUEST.get()) });
                yield_now().await;
                REQUEST.set(9);
                grandchild.await.map_err(|_| "it failed")
            });
            assert_eq!(child.await.unwrap(), 2);
            assert_eq!(REQUEST.get(), 1);
        });
        group.await.unwrap();
    });
}

#[test]
fn children_that_always_yield_keep_neither_tasks_nor_timers_waiting() {
    run(async {
        let (turns, children) = (Cell::new(0_usize), Cell::new(0_usize));
        let begin = now();
        let group = TaskGroup::run(async |g: &Group<'_>| {
            for _ in 0..200 {
                g.spawn(async {
                    loop {
                        bump(&children);
                        yield_now().await;
                    }
                });
            }
            pending::<()>().await;
        });
        let other = async {
            for _ in 0..100 {
                bump(&turns);
                let before = children.get();
                yield_now().await;
                assert!(children.get() - before <= 64);
            }
        };
        let (mut group, mut other) = (pin!(group), pin!(other));
        std::future::poll_fn(|cx| {
            assert!(group.as_mut().poll(cx).is_pending());
            other.as_mut().poll(cx)
        })
        .await;
        assert!(turns.get() == 100 && children.get() > 6000);
        assert_eq!(now(), begin);
    });
}

#[test]
fn a_hundred_thousand_children_are_polled_once_a_wake_and_give_their_places_back() {
    const MANY: usize = 100_000;
    run(async {
        let (polls, bodies) = (Cell::new(0_usize), Cell::new(0_usize));
        let gate = petla::local::Event::new();
        let group = TaskGroup::run(async |g: &Group<'_>| {
            for _ in 0..MANY {
                g.spawn(async {
                    let mut wait = pin!(gate.wait());
                    std::future::poll_fn(|cx| {
                        bump(&polls);
                        wait.as_mut().poll(cx)
                    })
                    .await;
                });
            }
            let mut empty = pin!(async {
                while polls.get() < MANY {
                    yield_now().await;
                }
            });
            std::future::poll_fn(|cx| {
                bump(&bodies);
                empty.as_mut().poll(cx)
            })
            .await;
            gate.set();
        });
        group.await.unwrap();
        assert_eq!(polls.get(), 2 * MANY);
        assert!(
            bodies.get() < MANY / 30,
            "{} polls of the body",
            bodies.get()
        );
        assert_eq!(all_tasks().len(), 1);
    });
}

#[test]
fn a_child_is_woken_from_another_thread() {
    within(async {
        let waker = std::rc::Rc::new(RefCell::new(None));
        let group = TaskGroup::run(async |g: &Group<'_>| {
            let place = waker.clone();
            let child = g.spawn(async move {
                let mut kept = pin!(KeepWaker(place));
                let mut polls = 0;
                std::future::poll_fn(|cx| {
                    polls += 1;
                    let _ = kept.as_mut().poll(cx);
                    if polls == 2 {
                        std::task::Poll::Ready(())
                    } else {
                        std::task::Poll::Pending
                    }
                })
                .await;
            });
            yield_now().await;
            yield_now().await;
            let waker = waker.take().unwrap();
            let thread = thread::spawn(move || waker.wake());
            child.await.unwrap();
            thread.join().unwrap();
        });
        group.await.unwrap();
    });
}

/// Children that were woken by a grant, and are left to the next poll by the budget, have not
/// looked away: the grant is theirs.
async fn in_line(wrap: impl AsyncFn(Vec<std::pin::Pin<Box<dyn Future<Output = ()> + '_>>>)) {
    const MANY: usize = 200;
    let (lock, log) = (petla::local::Semaphore::new(0), Log::new());
    let mut children: Vec<std::pin::Pin<Box<dyn Future<Output = ()>>>> = Vec::new();
    for n in 0..MANY {
        let (lock, log) = (&lock, &log);
        children.push(Box::pin(async move {
            let permit = lock.acquire().await;
            log.push(n);
            yield_now().await;
            drop(permit);
        }));
    }
    let all = &lock;
    children.push(Box::pin(async move {
        for _ in 0..10 {
            yield_now().await;
        }
        all.add_permits(MANY / 2);
    }));
    wrap(children).await;
    assert!(log.take().into_iter().eq(0..MANY));
}

#[test]
fn a_grant_to_a_child_that_is_postponed_does_not_lapse_in_a_group() {
    run(async {
        in_line(async |children| {
            let group = TaskGroup::run(async |g: &Group<'_>| {
                for child in children {
                    g.spawn(child);
                }
            });
            group.await.unwrap();
        })
        .await;
    });
}

#[test]
fn a_grant_to_a_child_that_is_postponed_does_not_lapse_in_a_gather() {
    run(async {
        in_line(async |children| drop(gather(children).await)).await;
    });
}

#[test]
fn a_lock_and_a_queue_serve_children_in_the_order_of_their_asking() {
    run(async {
        let (lock, queue) = (
            petla::local::Lock::new(Vec::new()),
            petla::local::Queue::bounded(1),
        );
        let group = TaskGroup::run(async |g: &Group<'_>| {
            let (lock, queue) = (&lock, &queue);
            for n in 0..150 {
                g.spawn(async move {
                    let mut order = lock.lock().await;
                    yield_now().await;
                    order.push(n);
                });
                g.spawn(async move { queue.put(n).await.map_err(|_| "closed") });
            }
            for n in 0..150 {
                assert_eq!(queue.get().await, Ok(n));
            }
        });
        group.await.unwrap();
        assert!(lock.into_inner().into_iter().eq(0..150));
    });
}
