//! Groups without a loop, on the wrong one, on their way, and when their loop goes away.

use std::cell::{Cell, RefCell};
use std::future::pending;
use std::rc::Rc;

use petla::testing::{VirtualClock, run};
use petla::{
    CancelScope, EventLoop, TaskGroup, all_tasks, current_task, on_cancel, shield, sleep, spawn,
    timeout, yield_now,
};

use crate::common::hand::{Hand, hand};
use crate::common::{Drops, Log, OnDrop, bump, loop_on, panic_text};
use crate::{Failed, Group, SECOND};

type Ended = Result<(), Failed>;

/// A loop that waits for nothing when it is closed, not even for groups that nobody polls.
fn event_loop() -> EventLoop {
    loop_on(&VirtualClock::auto())
}

/// A group with one child that waits for ever, and counts its drop in `drops`.
fn endless(drops: &Drops) -> Hand<'static, Ended> {
    let child = drops.forever();
    hand(TaskGroup::run(async move |g: &Group<'static>| {
        g.spawn(child);
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
    let (first, second) = (event_loop(), event_loop());
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
    let first = event_loop();
    first.run_until_complete(async { group.waits() }).unwrap();
    drop(first);
    let second = event_loop();
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
    let (first, second) = (event_loop(), event_loop());
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
    let event_loop = event_loop();
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
fn a_group_may_be_polled_by_one_task_and_then_by_another() {
    run(async {
        let done = Rc::new(Cell::new(0));
        let count = done.clone();
        let mut group = hand(TaskGroup::run(async move |g: &Group<'static>| {
            for _ in 0..10 {
                let count = count.clone();
                g.spawn(async move {
                    let name = current_task().unwrap().name();
                    let late = timeout(SECOND, pending::<()>());
                    assert!(late.await.is_err());
                    assert_eq!(current_task().unwrap().name(), name);
                    bump(&count);
                });
            }
        }));
        for _ in 0..3 {
            group = spawn(async move {
                group.waits();
                yield_now().await;
                group.waits();
                Some(group)
            })
            .await
            .unwrap()
            .unwrap();
        }
        let moved = spawn(timeout(10 * SECOND, group));
        moved.await.unwrap().unwrap().unwrap();
        assert_eq!(done.get(), 10);
    });
}

#[test]
fn a_child_may_drop_the_last_handle_of_its_running_loop() {
    let event_loop = event_loop();
    let drops = Drops::default();
    let (owner, guard) = (Cell::new(Some(event_loop.clone())), drops.guard());
    let main = async move {
        let group = TaskGroup::run(async move |g: &Group<'static>| {
            g.spawn(async move {
                drop(owner.take());
                let _guard = guard;
                sleep(SECOND).await;
            });
        });
        group.await.unwrap();
        spawn(pending::<()>()).detach();
    };
    event_loop.run_until_complete(main).unwrap();
    drop(event_loop);
    assert_eq!(drops.count(), 1);
}

#[test]
fn a_child_that_is_dropped_on_another_loop_may_begin_scopes_in_its_destructor() {
    let (first, second) = (event_loop(), event_loop());
    let begun = Rc::new(Cell::new(0));
    let count = begun.clone();
    let mut group = hand(TaskGroup::run(async move |g: &Group<'static>| {
        for _ in 0..3 {
            let count = count.clone();
            g.spawn(async move {
                let _late = OnDrop(move || {
                    hand(CancelScope::new().run(async |_| pending::<()>().await)).waits();
                    bump(&count);
                });
                let scope = CancelScope::new();
                let _ = scope.run(async |_| pending::<()>().await).await;
            });
        }
        pending::<()>().await
    }));
    first
        .run_until_complete(async {
            group.waits();
            group.waits();
        })
        .unwrap();
    second.run_until_complete(async { drop(group) }).unwrap();
    assert_eq!(begun.get(), 3);
}

#[test]
fn a_will_that_is_dropped_on_another_loop_is_not_taken_for_one_of_that() {
    let (first, second) = (event_loop(), event_loop());
    let (cleaned, lost) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(0)));
    let late = lost.clone();
    let mut group = hand(TaskGroup::run(async move |g: &Group<'static>| {
        g.spawn(async move {
            on_cancel(async move { bump(&late) });
            pending::<()>().await;
        });
    }));
    first
        .run_until_complete(async {
            group.waits();
            group.waits();
        })
        .unwrap();
    let count = cleaned.clone();
    second
        .run_until_complete(async {
            drop(spawn(async move {
                on_cancel(async move {
                    for _ in 0..10 {
                        yield_now().await;
                    }
                    bump(&count);
                });
                pending::<()>().await;
            }));
            yield_now().await;
            drop(group);
            yield_now().await;
            yield_now().await;
        })
        .unwrap();
    assert_eq!(lost.get(), 1, "it became a task of this loop");
    drop(second);
    assert_eq!(cleaned.get(), 1, "the loop has waited for it");
    drop(first);
}
