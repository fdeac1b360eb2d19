//! `poll_once`, `assert_pending`, `assert_ready`.

use std::future::{pending, ready};
use std::pin::pin;
use std::task::Poll;

use petla::local::{Event, Queue};
use petla::testing::{assert_pending, assert_ready, poll_once};

use crate::common::panic_text;

#[test]
fn a_future_is_polled_once_without_a_loop() {
    let queue = Queue::unbounded();
    let mut get = pin!(queue.get());
    assert_pending(&mut get);
    queue.put_nowait(1).unwrap();
    assert_eq!(poll_once(&mut get), Poll::Ready(Ok(1)));
}

#[test]
fn what_is_not_pinned_is_polled_by_a_plain_reference() {
    assert_eq!(assert_ready(&mut ready(5)), 5);
    let event = Event::new();
    let mut boxed = Box::pin(event.wait());
    assert_pending(&mut boxed);
    event.set();
    assert_ready(&mut boxed);
}

#[test]
fn a_future_in_another_state_than_expected_is_a_failure() {
    let text = panic_text(|| assert_pending(&mut ready(5)));
    assert_eq!(text, "the future is ready, and should wait");
    let text = panic_text(|| assert_ready(&mut pending::<()>()));
    assert_eq!(text, "the future waits, and should be ready");
}
