//! `ContextVar`: copied at spawn, isolated afterwards, per thread outside of tasks.

use std::cell::RefCell;
use std::future::pending;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use petla::{ContextVar, EventLoop, LoopHandle, Task, TaskRef, all_tasks, spawn, spawn_eager};

use crate::common::{
    DropGuard, Drops, Log, collect_reports, panic_text, poll_once, raise, within, yield_until,
};

static NAME: ContextVar<&str> = ContextVar::new(|| "nobody");
static LEVEL: ContextVar<u32> = ContextVar::new(|| 0);

#[test]
fn a_task_sees_what_was_set_when_it_was_spawned() {
    within(async {
        NAME.set("before");
        let child = spawn(async { NAME.get() });
        NAME.set("after");
        assert_eq!(child.await.unwrap(), "before");
        assert_eq!(spawn(async { NAME.get() }).await.unwrap(), "after");
    });
}

#[test]
fn a_task_sees_changes_of_its_own_only() {
    within(async {
        NAME.set("parent");
        let children: Vec<Task<&str>> = ["a", "b", "c"]
            .into_iter()
            .map(|name| {
                spawn(async move {
                    assert_eq!(NAME.get(), "parent");
                    NAME.set(name);
                    petla::yield_now().await;
                    assert_eq!(NAME.get(), name);
                    spawn(async { NAME.get() }).await.unwrap()
                })
            })
            .collect();
        for (child, name) in children.into_iter().zip(["a", "b", "c"]) {
            assert_eq!(child.await.unwrap(), name, "and so does a grandchild");
        }
        assert_eq!((NAME.get(), LEVEL.get()), ("parent", 0));
    });
}

#[test]
fn an_eager_step_has_its_own_copy() {
    within(async {
        NAME.set("spawner");
        let task = spawn_eager(async {
            let inherited = NAME.get();
            NAME.set("eager");
            petla::yield_now().await;
            (inherited, NAME.get())
        });
        assert_eq!(NAME.get(), "spawner");
        assert_eq!(task.await.unwrap(), ("spawner", "eager"));
        assert_eq!(NAME.get(), "spawner");
    });
}

#[test]
fn callbacks_see_the_values_of_whoever_asked_for_the_call() {
    petla::testing::run(async {
        let (event_loop, log) = (EventLoop::current(), Log::new());
        NAME.set("caller");
        let note = || {
            let log = log.clone();
            move || {
                log.push(NAME.get());
                NAME.set("the callback's own");
            }
        };
        event_loop.call_soon(note());
        event_loop.call_later(Duration::from_micros(100), note());
        NAME.set("changed");
        petla::sleep(Duration::from_millis(2)).await;
        assert_eq!(log.take(), ["caller", "caller"]);
        assert_eq!(NAME.get(), "changed");
    });
}

#[test]
fn a_scope_lasts_for_its_future_and_what_that_sets_stays_inside() {
    within(async {
        NAME.set("outside");
        let inside = NAME.scope("inside", async {
            let first = NAME.get();
            NAME.set("changed");
            LEVEL.set(3);
            petla::yield_now().await;
            let deeper = NAME.scope("deeper", async { NAME.get() }).await;
            let child = spawn(async { LEVEL.get() }).await.unwrap();
            (first, deeper, NAME.get(), child)
        });
        assert_eq!(NAME.get(), "outside", "nothing happens before it is polled");
        assert_eq!(inside.await, ("inside", "deeper", "changed", 3));
        assert_eq!((NAME.get(), LEVEL.get()), ("outside", 0));
    });
}

#[test]
fn between_the_polls_of_a_scope_the_outer_value_is_back() {
    within(async {
        LEVEL.set(1);
        let mut scope = Box::pin(LEVEL.scope(2, async {
            for _ in 0..3 {
                assert_eq!(LEVEL.get(), 2);
                petla::yield_now().await;
            }
        }));
        while poll_once(&mut scope).is_pending() {
            assert_eq!(LEVEL.get(), 1);
        }
        let mut dropped = Box::pin(LEVEL.scope(5, pending::<()>()));
        assert!(poll_once(&mut dropped).is_pending());
        drop(dropped);
        let mut broken = Box::pin(LEVEL.scope(6, async { raise("inside") }));
        assert_eq!(panic_text(|| poll_once(&mut broken).is_ready()), "inside");
        assert_eq!(LEVEL.get(), 1);
    });
}

#[test]
fn outside_of_tasks_every_thread_has_its_own_values_and_a_loop_begins_with_them() {
    let on_a_thread = |level: u32| {
        std::thread::spawn(move || {
            let default = LEVEL.get();
            LEVEL.set(level);
            let in_the_loop = petla::run(async {
                let inherited = LEVEL.get();
                LEVEL.set(1000);
                inherited
            });
            (default, in_the_loop, LEVEL.get())
        })
    };
    let threads = [7, 8, 9].map(on_a_thread);
    let seen = threads.map(|thread| thread.join().unwrap());
    assert_eq!(seen, [(0, 7, 7), (0, 8, 8), (0, 9, 9)]);
    assert_eq!(LEVEL.get(), 0);
}

#[test]
fn a_task_from_another_thread_sees_the_values_of_its_loops_thread() {
    let (send, receive) = mpsc::channel();
    let looping = std::thread::spawn(move || {
        LEVEL.set(3);
        petla::run(async {
            LEVEL.set(4);
            send.send(LoopHandle::current()).unwrap();
            let ended = collect_reports();
            yield_until(|| ended.len() > 0).await;
        });
    });
    LEVEL.set(5);
    let handle = receive.recv().unwrap();
    assert_eq!(
        handle.spawn(async || LEVEL.get()).join().unwrap(),
        3,
        "the thread's, not main's"
    );
    handle.call_soon_threadsafe(|| raise("end")).unwrap();
    looping.join().unwrap();
    assert_eq!(LEVEL.get(), 5);
}

static COUNTED: ContextVar<Option<Arc<DropGuard>>> = ContextVar::new(|| None);

#[test]
fn values_are_dropped_with_the_last_task_that_sees_them() {
    within(async {
        let drops = Drops::default();
        let guard = Arc::new(drops.guard());
        let parent = spawn(async move {
            COUNTED.set(Some(guard));
            drop(spawn(pending::<()>()).named("child"));
        });
        parent.await.unwrap();
        assert_eq!(drops.count(), 0, "the child sees it");
        let child = all_tasks().pop().unwrap();
        assert!(child.name() == "child" && child.cancel(()));
        petla::yield_now().await;
        assert_eq!(drops.count(), 1);
    });
}

/// Looks at another variable, and at the loop, whenever it is cloned or dropped.
#[derive(Default)]
struct Nosy(u32);

impl Clone for Nosy {
    fn clone(&self) -> Self {
        drop(spawn(async {}));
        Nosy(self.0 + LEVEL.get())
    }
}

impl Drop for Nosy {
    fn drop(&mut self) {
        self.0 = LEVEL.get();
        if EventLoop::try_current().is_some() {
            drop(spawn(async {}));
        }
    }
}

#[test]
fn a_value_may_use_variables_and_the_loop_when_it_is_cloned_or_dropped() {
    static NOSY: ContextVar<Nosy> = ContextVar::new(Nosy::default);
    within(async {
        LEVEL.set(10);
        NOSY.set(Nosy(1));
        assert_eq!(NOSY.get().0, 11);
        NOSY.set(Nosy(2));
        let child = spawn(async {
            NOSY.set(Nosy(3));
            NOSY.get().0
        });
        assert_eq!((NOSY.get().0, child.await.unwrap()), (12, 13));
    });
}

thread_local! {
    static KEPT: RefCell<Option<Task<()>>> = const { RefCell::new(None) };
    static FOUND: RefCell<Option<TaskRef>> = const { RefCell::new(None) };
}

/// Takes a reference to the task in `KEPT` when it is dropped.
#[derive(Clone)]
struct TakesReference;

impl Drop for TakesReference {
    fn drop(&mut self) {
        let task = KEPT.with_borrow(|task| task.as_ref().map(Task::task_ref));
        if task.is_some() {
            FOUND.set(task);
        }
    }
}

#[test]
fn a_reference_taken_while_a_tasks_values_are_dropped_knows_when_the_task_has_ended() {
    static TAKES: ContextVar<Option<TakesReference>> = ContextVar::new(|| None);
    within(async {
        let task = spawn(async { TAKES.set(Some(TakesReference)) });
        KEPT.set(Some(task));
        petla::yield_now().await;
        let task = KEPT.take().unwrap();
        assert!(task.is_finished());
        let found = FOUND.take().expect("taken by the destructor");
        assert!(
            found.is_finished(),
            "it would point to a cell that may be freed"
        );
        drop(task);
        assert!(found.is_finished());
    });
}
