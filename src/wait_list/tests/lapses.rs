//! Grants that a task looks past.

use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use super::*;

#[test]
fn a_grant_that_its_task_looks_past_lapses_to_the_next() {
    let list = list::<Local>();
    let (mut asleep, mut next) = (ticket(&list), ticket(&list));
    assert!(poll_in(1, &mut asleep).is_pending());
    assert!(poll_in(2, &mut next).is_pending());
    give(&list, 1);
    in_task(2, || ()); // another task's poll says nothing about this one
    assert!(poll_in(2, &mut next).is_pending());
    in_task(1, || ()); // polled, and did not look
    assert_eq!(poll_in(2, &mut next), Poll::Ready(TICKET));
    assert!(poll_in(1, &mut asleep).is_pending(), "it starts again");
}

#[test]
fn a_waiter_whose_grant_lapsed_starts_at_the_end_of_the_line() {
    let list = list::<Local>();
    let mut waits: Vec<_> = (0..3).map(|_| ticket(&list)).collect();
    for (task, ticket) in waits.iter_mut().enumerate() {
        assert!(poll_in(task as u32, ticket).is_pending());
    }
    give(&list, 1);
    in_task(0, || ());
    assert!(poll_in(0, &mut waits[0]).is_pending());
    give(&list, 1); // 1 has one by the lapse, 2 gets this
    assert!(poll_in(1, &mut waits[1]).is_ready());
    assert!(poll_in(2, &mut waits[2]).is_ready());
    assert!(poll_in(0, &mut waits[0]).is_pending());
    give(&list, 1);
    assert!(poll_in(0, &mut waits[0]).is_ready());
}

#[test]
fn a_task_that_waits_behind_its_own_sleeping_future_gets_on() {
    let list = list::<Local>();
    let (mut asleep, mut awaited) = (ticket(&list), ticket(&list));
    let woken = Arc::new(Count::default());
    let waker = Waker::from(woken.clone());
    let mut cx = Context::from_waker(&waker);
    in_task(1, || {
        assert!(asleep.as_mut().poll(&mut cx).is_pending());
        assert!(awaited.as_mut().poll(&mut cx).is_pending());
    });
    give(&list, 1); // goes to `asleep`
    assert_eq!(woken.get(), 1);
    assert!(in_task(1, || awaited.as_mut().poll(&mut cx)).is_pending());
    assert_eq!(woken.get(), 2, "the lapse wakes the task for `awaited`");
    assert!(in_task(1, || awaited.as_mut().poll(&mut cx)).is_ready());
}

#[test]
fn a_grant_made_during_a_poll_outlives_it() {
    let list = list::<Local>();
    let mut waits = ticket(&list);
    in_task(1, || {
        assert!(poll(&mut waits).is_pending());
        give(&list, 1);
    });
    assert_eq!(free(&list), 0);
    assert_eq!(poll_in(1, &mut waits), Poll::Ready(TICKET));
}

#[test]
fn a_grant_between_polls_lapses_after_the_next_one_only() {
    let list = list::<Local>();
    let mut waits = ticket(&list);
    assert!(poll_in(1, &mut waits).is_pending());
    give(&list, 1); // by a callback, in no poll
    assert_eq!(free(&list), 0);
    in_task(1, || ());
    assert_eq!(free(&list), 1);
}

#[test]
fn a_grant_that_was_claimed_or_dropped_does_not_lapse() {
    let list = list::<Local>();
    let (mut claimed, mut dropped) = (ticket(&list), ticket(&list));
    assert!(poll_in(1, &mut claimed).is_pending());
    assert!(poll_in(1, &mut dropped).is_pending());
    give(&list, 2);
    assert!(poll(&mut claimed).is_ready());
    drop(dropped);
    assert_eq!(free(&list), 1);
    in_task(1, || ());
    assert_eq!(free(&list), 1);
}

#[test]
fn news_do_not_lapse() {
    let list = list::<Local>();
    let mut waits = ticket(&list);
    assert!(poll_in(1, &mut waits).is_pending());
    release_all(&list);
    in_task(1, || ());
    in_task(1, || ());
    assert_eq!(poll_in(1, &mut waits), Poll::Ready(NEWS));
}

#[test]
fn a_waiter_outside_any_task_keeps_its_grant() {
    let list = list::<Local>();
    let mut waits = ticket(&list);
    assert!(poll(&mut waits).is_pending());
    give(&list, 1);
    in_task(context::NO_TASK, || ());
    in_task(1, || ());
    assert_eq!(free(&list), 0);
    assert_eq!(poll(&mut waits), Poll::Ready(TICKET));
}

#[test]
fn a_shared_grant_does_not_lapse() {
    let list = list::<Shared>();
    let mut waits = ticket(&list);
    assert!(poll_in(1, &mut waits).is_pending());
    give(&list, 1);
    in_task(1, || ());
    assert_eq!(free(&list), 0);
    assert_eq!(poll_in(1, &mut waits), Poll::Ready(TICKET));
}

#[test]
fn the_task_that_polled_last_is_the_one_that_must_look() {
    let list = list::<Local>();
    let mut moved = ticket(&list);
    assert!(poll_in(1, &mut moved).is_pending());
    assert!(poll_in(2, &mut moved).is_pending());
    give(&list, 1);
    in_task(1, || ());
    assert_eq!(free(&list), 0);
    in_task(2, || ());
    assert_eq!(free(&list), 1);
}

#[test]
fn poll_numbers_are_compared_by_their_distance() {
    let list = list::<Local>();
    let mut asleep = ticket(&list);
    assert!(poll_in(1, &mut asleep).is_pending());
    give(&list, 1);
    let granted_in = context::poll_number();
    for not_later in [0, 1, 1 << 30] {
        after_poll(1, granted_in.wrapping_sub(not_later)); // some of them wrapped
        assert_eq!(free(&list), 0);
    }
    after_poll(1, granted_in.wrapping_add(1 << 30));
    assert_eq!(free(&list), 1);
}

#[test]
fn any_number_of_grants_may_be_unclaimed_and_each_lapses_by_its_own_task() {
    const TASKS: u32 = 5_000;
    let list = list::<Local>();
    let mut waits: Vec<_> = (0..TASKS).map(|_| ticket(&list)).collect();
    for (task, ticket) in waits.iter_mut().enumerate() {
        assert!(poll_in(task as u32, ticket).is_pending());
    }
    give(&list, TASKS as usize);
    for task in (0..TASKS).filter(|task| task % 3 == 0) {
        in_task(task, || ());
    }
    assert_eq!(free(&list), TASKS.div_ceil(3) as usize);
    let mut claimed = 0;
    for (task, ticket) in waits
        .iter_mut()
        .enumerate()
        .filter(|(task, _)| task % 3 == 1)
    {
        assert_eq!(poll_in(task as u32, ticket), Poll::Ready(TICKET));
        claimed += 1;
    }
    waits.clear();
    assert_eq!(free(&list) + claimed, TASKS as usize);
}

#[test]
fn a_leaked_grant_is_not_followed_once_its_list_is_gone() {
    let list = list::<Local>();
    let mut leaked = ticket(&list);
    assert!(poll_in(1, &mut leaked).is_pending());
    give(&list, 1);
    leak(leaked);
    drop(list);
    assert!(!has_unclaimed(1));
    in_task(1, || ());
    let list = self::list::<Local>();
    let mut other = ticket(&list);
    assert!(poll_in(1, &mut other).is_pending());
    give(&list, 1);
    assert_eq!(poll_in(1, &mut other), Poll::Ready(TICKET));
}

#[test]
fn a_leaked_grant_lapses_wherever_its_list_was_moved() {
    let list = list::<Local>();
    let mut leaked = ticket(&list);
    assert!(poll_in(1, &mut leaked).is_pending());
    give(&list, 1);
    leak(leaked);
    let moved = Box::new(list);
    in_task(1, || ());
    assert_eq!(free(&moved), 1);
}
