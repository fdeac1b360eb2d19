//! Groups without a loop, on the wrong one, under foreign pollers, and when their loop goes away.

use std::cell::{Cell, RefCell};
use std::future::{Future, pending, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use petla::testing::{VirtualClock, run};
use petla::{CancelScope, EventLoop, TaskGroup, all_tasks, gather, shield, spawn, yield_now};

use crate::common::hand::{Hand, Meddler, hand};
use crate::common::{Drops, KeepWaker, Log, OnDrop, panic_text};
use crate::{Failed, Group};

type Ended = Result<(), Failed>;

/// A group with one child that waits for ever, and counts its drop in `drops`.
fn endless(drops: &Drops) -> Hand<'static, Ended> {
    let guard = drops.guard();
    hand(TaskGroup::run(async move |g: &Group<'static>| {
        g.spawn(async move {
            let _guard = guard;
            pending::<()>().await;
        });
        pending::<()>().await
    }))
}

#[test]
fn without_a_loop_a_group_panics_and_says_why() {
    let text = panic_text(|| endless(&Drops::default()).poll());
    assert!(text.contains("TaskGroup::run()"), "{text}");
}

#[test]
fn on_another_loop_a_group_panics_and_drops_its_children() {
    let (first, second) = (EventLoop::new().unwrap(), EventLoop::new().unwrap());
    let drops = Drops::default();
    let mut group = endless(&drops);
    first.run_until_complete(async { group.waits() }).unwrap();
    let text = second.run_until_complete(async { panic_text(|| group.poll()) });
    let text = text.unwrap();
    assert!(text.contains("on the loop that it began on"), "{text}");
    assert_eq!(drops.count(), 1);
}

#[test]
fn a_group_whose_loop_is_gone_finds_no_new_home() {
    let drops = Drops::default();
    let mut group = endless(&drops);
    let first = EventLoop::new().unwrap();
    first.run_until_complete(async { group.waits() }).unwrap();
    drop(first);
    let second = EventLoop::new().unwrap();
    let text = second.run_until_complete(async { panic_text(|| group.poll()) });
    let text = text.unwrap();
    assert!(text.contains("on the loop that it began on"), "{text}");
    drop(group);
    assert_eq!(drops.count(), 1);
}

#[test]
fn a_group_whose_loop_is_gone_can_still_be_dropped() {
    let drops = Drops::default();
    let mut group = endless(&drops);
    run(async { group.waits() });
    assert_eq!(drops.count(), 0);
    drop(group);
    assert_eq!(drops.count(), 1);
}

#[test]
fn a_child_spawned_on_another_loop_is_refused_and_dropped() {
    let (first, second) = (EventLoop::new().unwrap(), EventLoop::new().unwrap());
    let (drops, kept) = (Drops::default(), Rc::new(RefCell::new(None)));
    let keep = kept.clone();
    let mut group = hand(TaskGroup::run(async move |g: &Group<'static>| {
        keep.replace(Some(g.clone()));
        pending::<()>().await
    }));
    first.run_until_complete(async { group.waits() }).unwrap();
    let guard = drops.guard();
    let text = second.run_until_complete(async {
        panic_text(|| {
            kept.borrow()
                .as_ref()
                .unwrap()
                .spawn(async move { drop(guard) });
        })
    });
    let text = text.unwrap();
    assert!(text.contains("on the loop that it began on"), "{text}");
    assert_eq!(drops.count(), 1);
    kept.take();
}

/// The loop gives up waiting for a group, and drops it while nobody owns the loop any more: its
/// last owner was a child of another group.
#[test]
fn when_the_last_owner_drops_the_loop_all_tasks_names_no_child_that_is_gone() {
    let builder = EventLoop::builder().clock(VirtualClock::auto());
    let event_loop = builder.build().unwrap();
    let named = Log::new();
    let names = named.clone();
    let main = async move {
        drop(spawn(TaskGroup::run(async move |g: &Group<'static>| {
            for _ in 0..10 {
                let (names, text) = (names.clone(), "on the heap".repeat(10));
                drop(g.spawn(shield(async move {
                    let _text = text;
                    let _asks = OnDrop(|| all_tasks().iter().for_each(|t| names.push(t.name())));
                    pending::<()>().await;
                })));
            }
        })));
        yield_now().await;
        yield_now().await;
        assert_eq!(all_tasks().len(), 12);
    };
    event_loop.run_until_complete(main).unwrap();
    let owner = event_loop.clone();
    let mut group = hand(TaskGroup::run(async move |g: &Group<'static>| {
        g.spawn(async move {
            pending::<()>().await;
            drop(owner);
        });
        pending::<()>().await;
    }));
    event_loop
        .run_until_complete(async { group.waits() })
        .unwrap();
    drop(event_loop);
    drop(group);
    assert_eq!(named.take(), vec!["task-2"; 10], "the task with the group");
}

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
                let scope = Box::leak(Box::new(CancelScope::new()));
                let mut inner: Pin<Box<dyn Future<Output = _>>> =
                    Box::pin(scope.run(async |_| pending::<()>().await));
                poll_fn(|cx: &mut Context<'_>| {
                    assert!(inner.as_mut().poll(cx).is_pending());
                    Poll::Ready(())
                })
                .await;
                std::mem::forget(inner);
                Err::<(), _>("failed")
            });
        })
        .await
        .unwrap_err();
        assert_eq!(failed.failures().len(), 1, "{failed}");
    });
}
