//! Wakers, destructors and handlers that come back to the group that calls them, and futures
//! around it that poll it in their own ways.

use std::cell::{Cell, RefCell};
use std::future::{Future, pending, poll_fn};
use std::panic::resume_unwind;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use petla::testing::run;
use petla::{
    CancelScope, EventLoop, TaskGroup, all_tasks, gather, now, sleep, spawn, timeout, yield_now,
};

use crate::common::hand::{Meddler, hand, leak};
use crate::common::{Bell, Drops, KeepWaker, OnDrop, bump, collect_reports, raise};
use crate::{Group, SECOND, TICK};

#[test]
fn a_waker_whose_destructor_spawns_in_the_group_does_so() {
    run(async {
        let kept: Rc<RefCell<Option<Group<'static>>>> = Rc::default();
        let keep = kept.clone();
        let mut group = hand(TaskGroup::run(async move |g: &Group<'static>| {
            keep.replace(Some(g.clone()));
            pending::<()>().await
        }));
        let spawner = kept.clone();
        let meddler = Meddler::waker(false, move || {
            spawner.borrow().as_ref().unwrap().spawn(async {});
        });
        assert!(group.poll_with(&meddler).is_pending());
        drop(meddler);
        group.waits();
        assert!(Meddler::has_meddled());
        let g = kept.take().unwrap();
        assert_eq!(g.len(), 1);
        group.waits();
        assert_eq!(g.len(), 0, "it was polled, and has ended");
    });
}

#[test]
fn a_waker_that_spawns_when_the_group_postpones_children_loses_none() {
    run(async {
        let kept: Rc<RefCell<Option<Group<'static>>>> = Rc::default();
        let keep = kept.clone();
        let mut group = hand(TaskGroup::run(async move |g: &Group<'static>| {
            for _ in 0..200 {
                g.spawn(async {});
            }
            keep.replace(Some(g.clone()));
            pending::<()>().await
        }));
        group.waits();
        let spawner = kept.clone();
        let meddler = Meddler::waker(true, move || {
            spawner.borrow().as_ref().unwrap().spawn(async {});
        });
        let g = kept.borrow().clone().unwrap();
        let before = g.len();
        assert!(before >= 100);
        assert!(group.poll_with(&meddler).is_pending());
        assert!(Meddler::has_meddled());
        while !g.is_empty() {
            group.waits();
            yield_now().await;
        }
        kept.take();
    });
}

#[test]
fn a_waker_whose_destructor_shields_the_group_does_so() {
    run(async {
        let kept: Rc<RefCell<Option<Group<'static>>>> = Rc::default();
        let keep = kept.clone();
        let waker: Rc<RefCell<Option<Waker>>> = Rc::default();
        let child = KeepWaker(waker.clone());
        let mut group = hand(TaskGroup::run(async move |g: &Group<'static>| {
            keep.replace(Some(g.clone()));
            g.spawn(child);
            pending::<()>().await
        }));
        let shielder = kept.clone();
        let meddler = Meddler::waker(false, move || {
            shielder.borrow().as_ref().unwrap().set_shield(true);
        });
        assert!(group.poll_with(&meddler).is_pending());
        assert!(group.poll_with(&meddler).is_pending());
        waker.take().unwrap().wake();
        drop(meddler);
        assert!(!Meddler::has_meddled());
        group.waits();
        assert!(Meddler::has_meddled());
        kept.take();
    });
}

#[test]
fn children_may_be_spawned_before_the_body_is_polled() {
    run(async {
        let value = TaskGroup::run(|g: &Group<'_>| {
            let child = g.spawn(async { Ok(5) });
            async move { Ok(child.await.unwrap()) }
        });
        assert_eq!(value.await.unwrap(), 5);
    });
}

#[test]
fn a_group_as_the_last_of_64_busy_children_gets_its_turns() {
    run(async {
        let done = Rc::new(Cell::new(false));
        let mut futures: Vec<Pin<Box<dyn Future<Output = ()>>>> = Vec::new();
        for _ in 0..63 {
            let done = done.clone();
            futures.push(Box::pin(async move {
                for _ in 0..1000 {
                    if done.get() {
                        return;
                    }
                    yield_now().await;
                }
                panic!("the child was never polled");
            }));
        }
        futures.push(Box::pin(async move {
            TaskGroup::run(async |g: &Group<'_>| {
                g.spawn(async { done.set(true) });
            })
            .await
            .unwrap();
        }));
        gather(futures).await;
    });
}

#[test]
fn a_child_that_fails_with_a_scope_leaked_is_not_polled_again() {
    run(async {
        let failed = TaskGroup::run(async |g: &Group<'_>| {
            g.spawn(async {
                let scope = CancelScope::new();
                let mut inner: Pin<Box<dyn Future<Output = _>>> =
                    Box::pin(scope.run(async |_| pending::<()>().await));
                poll_fn(|cx: &mut Context<'_>| {
                    assert!(inner.as_mut().poll(cx).is_pending());
                    Poll::Ready(())
                })
                .await;
                leak(inner);
                Err::<(), _>("failed")
            });
        })
        .await
        .unwrap_err();
        assert_eq!(failed.failures().len(), 1, "{failed}");
    });
}

/// Who is polled by an executor of its own, inside a task: woken through the executor's waker.
#[test]
fn a_group_in_a_foreign_executor_is_woken_through_its_waker() {
    run(async {
        let (polls, outer) = (Cell::new(0), Rc::new(RefCell::new(None::<Waker>)));
        let mut group = hand(TaskGroup::run(async |g: &Group<'_>| {
            for n in 0..100 {
                g.spawn(async move {
                    sleep(n * TICK).await;
                });
            }
        }));
        let bell = Bell::new();
        let mut rings = 0;
        let place = outer.clone();
        let end = poll_fn(|cx| {
            place.replace(Some(cx.waker().clone()));
            if polls.get() > 0 && bell.rings() == rings {
                return Poll::Pending;
            }
            rings = bell.rings();
            bump(&polls);
            group.poll_with(&Waker::from(bell.clone()))
        });
        // Nothing but a tick passes the bell's ring on.
        let ticks = spawn(async move {
            loop {
                sleep(TICK).await;
                let waker = outer.borrow().clone();
                waker.into_iter().for_each(Waker::wake);
            }
        });
        end.await.unwrap();
        assert!(polls.get() > 50 && polls.get() < 300, "{}", polls.get());
        drop(ticks.cancel_on_drop());
    });
}

#[test]
fn the_waker_that_a_child_wakes_may_drop_the_group() {
    run(async {
        let (drops, gate) = (Drops::default(), Rc::new(petla::local::Event::new()));
        let (guards, waits) = (drops.clone(), gate.clone());
        let place = Rc::new(RefCell::new(None));
        let mut group = hand(TaskGroup::run(async move |g: &Group<'static>| {
            for _ in 0..3 {
                let (guard, gate) = (guards.guard(), waits.clone());
                g.spawn(async move {
                    let _guard = guard;
                    gate.wait().await;
                    unreachable!("its group is dropped when it is woken");
                });
            }
        }));
        group.waits();
        let dropped = place.clone();
        let meddler = Meddler::waker(true, move || drop(dropped.take()));
        assert!(group.poll_with(&meddler).is_pending());
        assert!(group.poll_with(&meddler).is_pending());
        place.replace(Some(group));
        gate.set();
        assert!(Meddler::has_meddled());
        assert_eq!(drops.count(), 3);
        assert_eq!(all_tasks().len(), 1);
    });
}

#[test]
fn whoever_awaits_a_child_may_drop_the_group_when_it_is_cleared() {
    run(async {
        let place: Rc<RefCell<Option<petla::Task<()>>>> = Rc::default();
        let keep = place.clone();
        let mut group = hand(TaskGroup::run(async move |g: &Group<'static>| {
            keep.replace(Some(g.spawn(pending::<()>())));
            drop(g.spawn(pending::<()>()));
            pending::<()>().await;
        }));
        group.waits();
        group.waits();
        let mut child = place.take().unwrap();
        let other = place.clone();
        let meddler = Meddler::waker(true, move || drop(other.take()));
        assert!(
            Pin::new(&mut child)
                .poll(&mut Context::from_waker(&meddler))
                .is_pending()
        );
        place.replace(Some(child));
        drop(group);
        assert!(Meddler::has_meddled() && place.take().is_none());
        assert_eq!(all_tasks().len(), 1);
    });
}

#[test]
fn wakers_that_panic_wherever_a_group_has_them_lose_no_child() {
    run(async {
        let _reports = collect_reports();
        let done = Rc::new(Cell::new(0));
        let count = done.clone();
        let mut group = hand(TaskGroup::run(async move |g: &Group<'static>| {
            for n in 0..200 {
                let count = count.clone();
                g.spawn(async move {
                    yield_now().await;
                    sleep(n % 3 * TICK).await;
                    bump(&count);
                });
            }
        }));
        let ended = loop {
            if let Poll::Ready(ended) = group.poll_with(&Waker::from(Bell::broken())) {
                break ended;
            }
            sleep(TICK).await;
        };
        ended.unwrap();
        assert_eq!(done.get(), 200);
    });
}

/// The exception handler is told of a panic in a child while the group is cleared.
#[test]
fn an_exception_handler_may_use_the_group_that_is_being_dropped() {
    run(async {
        let kept: Rc<RefCell<Option<Group<'static>>>> = Rc::default();
        let (keep, seen) = (kept.clone(), Rc::new(Cell::new(0)));
        let mut group = hand(TaskGroup::run(async move |g: &Group<'static>| {
            keep.replace(Some(g.clone()));
            for _ in 0..3 {
                g.spawn(async {
                    let _bomb = OnDrop(|| raise("dropped"));
                    pending::<()>().await;
                });
            }
        }));
        group.waits();
        group.waits();
        let (told, group_of) = (seen.clone(), kept.clone());
        EventLoop::current().set_exception_handler(move |_| {
            bump(&told);
            let g = group_of.borrow().clone().unwrap();
            assert!(g.is_empty() && g.children().is_empty() && format!("{g:?}").len() > 10);
            assert!(
                g.spawn(async { unreachable!("it is refused") })
                    .is_finished()
            );
        });
        drop(group);
        assert_eq!(seen.get(), 3);
        kept.take();
    });
}

#[test]
fn a_scope_of_the_body_that_begins_after_one_of_a_child_is_in_the_group() {
    run(async {
        let (begin, cleaned) = (now(), Cell::new(false));
        let group = TaskGroup::run(async |g: &Group<'_>| {
            g.spawn(async {
                let scope = CancelScope::new();
                let inside = scope.run(async |_| pending::<()>().await);
                let _ = timeout(100 * SECOND, inside).await;
            });
            // So the child comes first in the next poll.
            yield_now().await;
            let scope = CancelScope::new();
            let inside = scope.run(async |s| {
                s.on_cancel(async {
                    sleep(TICK).await;
                    cleaned.set(true);
                });
                pending::<()>().await
            });
            let _ = inside.await;
        });
        assert!(timeout(SECOND, group).await.is_err());
        assert!(cleaned.get());
        assert_eq!(now() - begin, SECOND + TICK);
    });
}

#[test]
fn a_handle_whose_drop_ends_its_child_at_once_drops_the_output() {
    run(async {
        let (drops, place) = (Drops::default(), Rc::new(RefCell::new(None)));
        let (guard, keep) = (drops.guard(), place.clone());
        let mut group = hand(TaskGroup::run(async move |g: &Group<'static>| {
            let mut guard = Some(guard);
            keep.replace(Some(g.spawn(async move {
                let scope = CancelScope::new();
                let mut open = Box::pin(scope.run(async |_| pending::<()>().await));
                let mut polls = 0;
                poll_fn(move |cx| {
                    polls += 1;
                    match open.as_mut().poll(cx) {
                        Poll::Pending if polls > 1 => Poll::Ready(Ok(guard.take())),
                        _ => Poll::Pending,
                    }
                })
                .await
            })));
            pending::<()>().await
        }));
        group.waits();
        group.waits();
        let group = Rc::new(RefCell::new(group));
        let again = group.clone();
        let meddler = Meddler::waker(true, move || again.borrow_mut().waits());
        assert!(group.borrow_mut().poll_with(&meddler).is_pending());
        let child = place.take().unwrap();
        drop(child.cancel_on_drop());
        assert!(Meddler::has_meddled());
        assert_eq!(all_tasks().len(), 1);
        assert_eq!(drops.count(), 1);
    });
}

/// The payload of a panic, which panics in turn.
struct Payload;

impl Drop for Payload {
    fn drop(&mut self) {
        raise("the payload");
    }
}

#[test]
fn a_payload_that_panics_keeps_no_child_of_a_dropped_group() {
    run(async {
        let (_reports, drops) = (collect_reports(), Drops::default());
        let guards = drops.clone();
        let mut group = hand(TaskGroup::run(async move |g: &Group<'static>| {
            for _ in 0..3 {
                let guard = guards.guard();
                g.spawn(async move {
                    let _bomb = OnDrop(|| resume_unwind(Box::new(Payload)));
                    let _guard = guard;
                    pending::<()>().await;
                });
            }
        }));
        group.waits();
        group.waits();
        drop(group);
        assert_eq!((drops.count(), all_tasks().len()), (3, 1));
    });
}
