//! `timeout`, `timeout_at`, `wait_for`: the first of value and limit, with the rest dropped.
//!
//! On virtual time: when a limit ends is exact.

use std::cell::Cell;
use std::future::{pending, ready};
use std::io;
use std::pin::pin;
use std::rc::Rc;
use std::time::Duration;

use petla::error::Elapsed;
use petla::{sleep, testing, timeout, timeout_at, wait_for, yield_now};

use crate::common::{Bell, Drops, LONG, leaves_no_timer, panic_text, poll_once};

const MILLI: Duration = Duration::from_millis(1);

#[test]
fn a_value_in_time_is_given() {
    testing::run(async {
        assert_eq!(timeout(LONG, ready(1)).await, Ok(1));
        let slow = async {
            sleep(MILLI).await;
            2
        };
        assert_eq!(timeout(LONG, slow).await, Ok(2));
        assert_eq!(timeout_at(petla::now() + LONG, ready(3)).await, Ok(3));
    });
}

#[test]
fn a_limit_ends_at_its_time_and_drops_the_future() {
    testing::run(async {
        let (drops, before) = (Drops::default(), petla::now());
        let limited = timeout(MILLI, drops.forever());
        assert_eq!(limited.await, Err(Elapsed));
        assert_eq!(drops.count(), 1);
        assert_eq!(petla::now(), before + MILLI);
        let at = petla::now() + MILLI;
        assert_eq!(timeout_at(at, pending::<()>()).await, Err(Elapsed));
        assert_eq!(petla::now(), at);
    });
}

#[test]
fn the_limit_counts_from_the_first_poll_that_has_to_wait() {
    testing::run(async {
        let limited = timeout(MILLI, pending::<()>());
        let shown = format!("{limited:?}");
        assert!(shown.starts_with("Timeout { deadline: Some("), "{shown}");
        sleep(2 * MILLI).await;
        let begun = petla::now();
        assert_eq!(limited.await, Err(Elapsed));
        assert_eq!(petla::now() - begun, MILLI);
    });
}

#[test]
fn a_future_that_is_ready_wins_over_a_limit_that_is_past() {
    testing::run(async {
        assert_eq!(timeout(Duration::ZERO, ready(1)).await, Ok(1));
        let past = petla::now().checked_sub(LONG).unwrap();
        assert_eq!(timeout_at(past, ready(2)).await, Ok(2));
        assert_eq!(wait_for(ready(3), Duration::ZERO).await, Ok(3));
        // Both come true in the same moment: the value is looked at first.
        let at = petla::now() + MILLI;
        assert_eq!(timeout_at(at, petla::sleep_until(at)).await, Ok(()));
    });
}

#[test]
fn a_limit_of_zero_polls_once_and_gives_up() {
    testing::run(async {
        let polls = Rc::new(Cell::new(0));
        let counted = Rc::clone(&polls);
        let waiting = std::future::poll_fn(move |_| {
            counted.set(counted.get() + 1);
            std::task::Poll::<()>::Pending
        });
        assert_eq!(timeout(Duration::ZERO, waiting).await, Err(Elapsed));
        assert_eq!(polls.get(), 1);
    });
}

#[test]
fn a_limit_without_end_never_comes() {
    testing::run(async {
        assert_eq!(timeout(Duration::MAX, sleep(MILLI)).await, Ok(()));
        assert_eq!(wait_for(sleep(MILLI), None).await, Ok(()));
        assert_eq!(wait_for(sleep(MILLI), Some(LONG)).await, Ok(()));
        assert_eq!(wait_for(pending::<()>(), MILLI).await, Err(Elapsed));
    });
}

#[test]
fn without_a_limit_no_loop_is_needed() {
    let mut unlimited = pin!(wait_for(ready(5), None));
    assert_eq!(poll_once(&mut unlimited), std::task::Poll::Ready(Ok(5)));
    let mut waiting = pin!(wait_for(pending::<()>(), None));
    assert!(poll_once(&mut waiting).is_pending());
    let shown = format!("{:?}", wait_for(ready(()), None));
    assert_eq!(shown, "Timeout { deadline: None, .. }");
    let mut ready_at_once = pin!(timeout(MILLI, ready(6)));
    assert_eq!(poll_once(&mut ready_at_once), std::task::Poll::Ready(Ok(6)));
    let mut has_to_wait = pin!(timeout(MILLI, pending::<()>()));
    let text = panic_text(|| poll_once(&mut has_to_wait));
    assert!(text.contains("needs a running event loop"), "{text}");
}

#[test]
fn of_two_limits_the_earlier_counts() {
    testing::run(async {
        let inner_first = timeout(LONG, timeout(MILLI, pending::<()>()));
        assert_eq!(inner_first.await, Ok(Err(Elapsed)));
        let outer_first = timeout(MILLI, timeout(LONG, pending::<()>()));
        assert_eq!(outer_first.await, Err(Elapsed));
        let at = petla::now() + MILLI;
        let equal = timeout_at(at, timeout_at(at, pending::<()>()));
        assert_eq!(
            equal.await,
            Ok(Err(Elapsed)),
            "the inner one is looked at first"
        );
    });
}

#[test]
fn dropping_a_limited_future_drops_it_and_disarms_the_limit() {
    testing::run(async {
        let (drops, bell) = (Drops::default(), Bell::new());
        let mut limited = Box::pin(timeout(LONG, drops.forever()));
        assert!(bell.poll(&mut limited).is_pending() && bell.is_kept());
        drop(limited);
        assert_eq!((drops.count(), bell.is_kept()), (1, false));
    });
}

#[test]
fn a_hundred_thousand_limits_that_are_not_reached_leave_nothing_behind() {
    leaves_no_timer(async {
        for _ in 0..100_000 {
            assert!(timeout(LONG, yield_now()).await.is_ok());
        }
    });
}

#[test]
fn elapsed_is_a_time_out_of_io() {
    async fn read(ready: bool) -> io::Result<usize> {
        if ready { Ok(3) } else { pending().await }
    }
    async fn limited(ready: bool) -> io::Result<usize> {
        timeout(MILLI, read(ready)).await?
    }
    testing::run(async {
        assert_eq!(limited(true).await.unwrap(), 3);
        let error = limited(false).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert_eq!(error.to_string(), "deadline has elapsed");
    });
}
