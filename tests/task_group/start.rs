//! `start`: children that say when they are ready.

use std::cell::Cell;
use std::future::pending;

use petla::testing::{assert_pending, run};
use petla::{TaskGroup, now, sleep, timeout, yield_now};

use crate::common::{Drops, raise};
use crate::{Group, SECOND, messages};

#[test]
fn start_gives_what_the_child_says_and_the_child_goes_on() {
    run(async {
        let (begin, done) = (now(), Cell::new(false));
        let group = TaskGroup::run(async |g: &Group<'_>| {
            let ready = g.start(async |ready| {
                sleep(SECOND).await;
                ready.set("ready");
                sleep(SECOND).await;
                done.set(true);
            });
            assert_eq!((ready.await.unwrap(), now() - begin), ("ready", SECOND));
            assert!(!done.get() && g.len() == 1);
        });
        group.await.unwrap();
        assert!(done.get());
    });
}

#[test]
fn a_child_that_fails_before_it_is_ready_gives_not_ready_and_fails_the_group() {
    run(async {
        let seen = Cell::new(false);
        let group = TaskGroup::supervise(async |g: &Group<'_>| {
            let failed = g.start(async |_: petla::Ready<()>| Err::<(), _>("no port"));
            assert!(failed.await.is_err());
            let panicked = g.start(async |_: petla::Ready<()>| raise("no luck"));
            assert!(panicked.await.is_err());
            let quiet = g.start(async |_: petla::Ready<()>| {});
            let text = quiet.await.unwrap_err().to_string();
            assert!(text.contains("before it said that it was ready"), "{text}");
            seen.set(true);
        });
        let failed = group.await.unwrap_err();
        assert_eq!(messages(&failed), ["no port", "panicked: no luck"]);
        assert!(seen.get());
    });
}

#[test]
fn a_start_that_fails_cancels_the_body_that_waits_for_it() {
    run(async {
        let group = TaskGroup::run(async |g: &Group<'_>| {
            let failed = g.start(async |_: petla::Ready<()>| Err::<(), _>("no port"));
            let _ = failed.await;
            unreachable!("the group is cancelled, and so is its body");
        });
        assert_eq!(messages(&group.await.unwrap_err()), ["no port"]);
    });
}

#[test]
fn a_wait_that_is_dropped_before_the_child_is_ready_cancels_the_child() {
    run(async {
        let drops = Drops::default();
        let child = async |ready: petla::Ready<()>| {
            let _guard = (drops.guard(), ready);
            pending::<()>().await;
        };
        let group = TaskGroup::run(async |g: &Group<'_>| {
            assert!(timeout(SECOND, g.start(child)).await.is_err());
            drop(g.start(child));
            let mut polled = Box::pin(g.start(child));
            assert_pending(&mut polled);
            drop(polled);
            assert_eq!(g.len(), 3);
            yield_now().await;
            yield_now().await;
            assert_eq!(g.len(), 0);
        });
        group.await.unwrap();
        assert_eq!(drops.count(), 1, "the others were not begun");
    });
}

#[test]
fn a_value_that_nobody_waits_for_is_dropped() {
    run(async {
        let drops = Drops::default();
        let group = TaskGroup::run(async |g: &Group<'_>| {
            let guard = drops.guard();
            let waits = g.start(async move |ready| {
                yield_now().await;
                ready.set(guard);
            });
            let mut waits = Box::pin(waits);
            assert_pending(&mut waits);
            yield_now().await;
            yield_now().await;
            yield_now().await;
            drop(waits);
        });
        group.await.unwrap();
        assert_eq!(drops.count(), 1);
    });
}

#[test]
fn a_group_that_is_cancelled_starts_nothing() {
    run(async {
        let group = TaskGroup::run(async |g: &Group<'_>| {
            g.cancel("over");
            let refused = g.start(async |_: petla::Ready<()>| unreachable!("it never runs"));
            refused.await.map_err(|_| "not ready")
        });
        assert_eq!(messages(&group.await.unwrap_err()), ["not ready"]);
    });
}
