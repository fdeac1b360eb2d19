//! How a combinator ends before its time: dropped at any point, or by a panic. Whatever happens,
//! each child is dropped once, and nobody keeps a waker.

use std::future::{Future, pending, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use petla::{When, as_completed, gather, spawn, timeout, try_gather, wait, wait_for, yield_now};

use crate::common::hand::at_once;
use crate::common::{
    Bell, DropGuard, Drops, OnDrop, leaves_no_timer, panic_text, poll_once, raise, within,
};
use crate::switch::{Knob, switch, switches};

/// Polls `all` after each knob is set, until `steps` knobs are, and drops it.
fn drop_after<F: Future + Unpin>(steps: usize, knobs: &[Knob<Result<(), ()>>], mut all: F) {
    for knob in &knobs[..steps] {
        assert!(poll_once(&mut all).is_pending());
        knob.set(Ok(()));
    }
    if steps < knobs.len() {
        drop(poll_once(&mut all));
    }
    drop(all);
    assert!(knobs.iter().all(|knob| knob.drops() == 1));
}

#[test]
fn dropped_at_any_point_each_child_is_dropped_once() {
    const CHILDREN: usize = 5;
    let check = |steps: usize, limit: usize| {
        let (knobs, futures) = switches(CHILDREN);
        drop_after(steps, &knobs, gather(futures).limit(limit));
        let (knobs, futures) = switches(CHILDREN);
        drop_after(steps, &knobs, try_gather(futures).limit(limit));
        let (knobs, futures) = switches(CHILDREN);
        let mut set = as_completed(futures).limit(limit);
        let count = poll_fn(move |cx| {
            while let Poll::Ready(given) = Pin::new(&mut set.next()).poll(cx) {
                if given.is_none() {
                    return Poll::Ready(());
                }
            }
            Poll::Pending
        });
        drop_after(steps, &knobs, Box::pin(count));
    };
    for steps in 0..=CHILDREN {
        for limit in [1, 2, usize::MAX] {
            check(steps, limit);
            within(async { check(steps, limit) });
        }
    }
}

#[test]
fn tuples_dropped_at_any_point_drop_each_child_once() {
    for steps in 0..=3 {
        let (knobs, futures) = switches(3);
        let Ok([a, b, c]) = <[_; 3]>::try_from(futures) else {
            unreachable!()
        };
        drop_after(steps, &knobs, Box::pin(petla::try_gather!(a, b, c)));
    }
}

/// Yields `turns` times, then panics if it is `bad`; counts its drop.
async fn child(turns: u32, bad: bool, _guard: DropGuard) -> Result<u32, ()> {
    for _ in 0..turns {
        yield_now().await;
    }
    if bad {
        raise("a child broke");
    }
    Ok(turns)
}

/// Polls in a loop until it is ready or panics, then polls once more: that is sound as well.
async fn polled_to_the_panic<F: Future + Unpin>(mut all: F) {
    loop {
        let poll = |cx: &mut Context<'_>| {
            Poll::Ready(catch_unwind(AssertUnwindSafe(|| {
                Pin::new(&mut all).poll(cx)
            })))
        };
        match poll_fn(poll).await {
            Ok(Poll::Pending) => yield_now().await,
            Ok(Poll::Ready(_)) => panic!("a child panics"),
            Err(payload) => {
                assert_eq!(crate::common::text_of(&*payload).unwrap(), "a child broke");
                let text = panic_text(|| poll_once(&mut all));
                assert!(text.contains("panicked"), "{text}");
                return;
            }
        }
    }
}

#[test]
fn a_panic_of_any_child_goes_through_and_each_child_is_dropped_once() {
    for bad in 0..4u32 {
        within(async {
            let drops = Drops::default();
            let children = || (0..4).map(|n| child(4 - n, n == bad, drops.guard()));
            polled_to_the_panic(gather(children())).await;
            assert_eq!(drops.count(), 4);
            polled_to_the_panic(try_gather(children()).limit(2)).await;
            let begun = drops.count() - 4;
            assert!(
                (2..=4).contains(&begun),
                "the iterator's rest was never made"
            );
            let mut each = children();
            let mut next = || each.next().unwrap();
            let tuple = petla::gather!(next(), next(), next(), next());
            polled_to_the_panic(Box::pin(tuple)).await;
            assert_eq!(drops.count() - 4 - begun, 4);
        });
    }
}

#[test]
fn after_a_panic_as_completed_goes_on_with_the_others() {
    within(async {
        let drops = Drops::default();
        let mut set = as_completed((0..4).map(|n| child(4 - n, n == 2, drops.guard())));
        let mut given = Vec::new();
        let mut panics = 0;
        loop {
            let next = poll_fn(|cx| {
                match catch_unwind(AssertUnwindSafe(|| Pin::new(&mut set.next()).poll(cx))) {
                    Ok(next) => next.map(Ok),
                    Err(_) => Poll::Ready(Err(())),
                }
            });
            match next.await {
                Ok(Some((number, _))) => given.push(number),
                Ok(None) => break,
                Err(()) => panics += 1,
            }
        }
        assert_eq!((given, panics, drops.count()), (vec![3, 1, 0], 1, 4));
    });
}

#[test]
fn a_destructor_that_panics_runs_once_and_the_others_run_too() {
    within(async {
        let drops = Drops::default();
        let child = |n: u32| {
            let guard = drops.guard();
            async move {
                let _guard = guard;
                let _broken = OnDrop(|| {
                    if n == 1 {
                        raise("in a destructor")
                    }
                });
                yield_now().await;
            }
        };
        let mut all = gather((0..3).map(child));
        assert!(poll_once(&mut all).is_pending());
        assert_eq!(panic_text(|| poll_once(&mut all)), "in a destructor");
        drop(all);
        assert_eq!(drops.count(), 3);
    });
}

#[test]
fn an_iterator_that_panics_half_way_leaves_nothing_behind() {
    // W8, B56
    let drops = Drops::default();
    let children = (0..5).map(|n| {
        if n == 3 {
            raise("no more");
        }
        drops.forever()
    });
    let mut all = gather(children);
    assert_eq!(panic_text(|| poll_once(&mut all)), "no more");
    drop(all);
    assert_eq!(drops.count(), 3);
}

#[test]
fn a_child_may_spawn_and_cancel_while_the_whole_is_polled() {
    within(async {
        let children = (0..10).map(|n| async move {
            let task = spawn(async move { n });
            if n % 2 == 0 {
                task.cancel("even");
            }
            task.await.is_ok()
        });
        let ended = gather(children).await;
        assert_eq!(ended.iter().filter(|ok| **ok).count(), 5);
    });
}

#[test]
fn a_child_may_drop_another_gather() {
    within(async {
        let drops = Drops::default();
        let children: Vec<_> = (0..3).map(|_| drops.forever()).collect();
        let mut victim = Box::pin(gather(children));
        assert!(poll_once(&mut victim).is_pending());
        petla::gather!(async move { drop(victim) }, yield_now()).await;
        assert_eq!(drops.count(), 3);
    });
}

/// Polls until it has ended; it is still there, and keeps no waker.
async fn keeps_nothing<F: Future + Unpin>(
    mut all: F,
    knob: Knob<Result<(), ()>>,
    end: Result<(), ()>,
) {
    let bell = Bell::new();
    assert!(bell.poll(&mut all).is_pending() && bell.is_kept());
    knob.set(end);
    assert!(bell.poll(&mut all).is_ready());
    assert!(!bell.is_kept());
}

#[test]
fn what_has_ended_keeps_no_waker_while_it_is_kept() {
    let check = async || {
        for end in [Ok(()), Err(())] {
            let (knob, future) = switch();
            keeps_nothing(gather([future]), knob, end).await;
            let (knob, future) = switch();
            keeps_nothing(try_gather([future]), knob, end).await;
            let (knob, future) = switch();
            keeps_nothing(Box::pin(petla::gather!(future)), knob, end).await;
            let (knob, future) = switch();
            keeps_nothing(Box::pin(petla::try_gather!(future)), knob, end).await;
            let (knob, future) = switch();
            let mut set = as_completed([future]);
            let last = poll_fn(|cx| {
                let next = ready!(Pin::new(&mut set.next()).poll(cx));
                assert_eq!(next, Some((0, end)));
                Pin::new(&mut set.next()).poll(cx)
            });
            keeps_nothing(Box::pin(last), knob, end).await;
        }
    };
    at_once(check());
    within(check());
}

#[test]
fn limits_that_are_given_up_or_not_reached_leave_no_timer() {
    // W14: also the limit around a `next`.
    leaves_no_timer(async {
        let hour = Duration::from_secs(3600);
        let mut tasks = vec![spawn(async {}), spawn(pending())];
        assert_eq!(wait(&mut tasks, When::FirstCompleted, hour).await.len(), 1);
        assert!(poll_once(&mut wait(&mut tasks, When::All, hour)).is_pending());
        assert!(poll_once(&mut Box::pin(wait_for(&mut tasks[0], hour))).is_pending());
        let mut set = as_completed([yield_now()]);
        assert!(timeout(hour, set.next()).await.is_ok());
        set.push(yield_now());
        assert!(poll_once(&mut Box::pin(timeout(hour, set.next()))).is_pending());
        assert!(spawn(yield_now()).wait_for(hour).await.is_ok());
        assert!(poll_once(&mut spawn(yield_now()).wait_for(hour)).is_pending());
    });
}
