//! `gather!` and `try_gather!`: a few futures of different types.

use std::future::{pending, ready};
use std::io;
use std::task::Poll;

use petla::{gather, spawn, try_gather, yield_now};

use crate::common::hand::{at_once, hand};
use crate::common::{panic_text, within};
use crate::switch::switch;

#[test]
fn results_have_their_own_types_and_wait_for_each_other() {
    let ((a, first), (b, second)) = (switch::<u8>(), switch::<&str>());
    let mut both = hand(gather!(first, second, ready(1.5)));
    both.waits();
    b.set("b");
    both.waits();
    assert_eq!(
        (b.drops(), a.drops()),
        (1, 0),
        "its future is gone, its result is kept"
    );
    a.set(7);
    assert_eq!(both.ready(), (7, "b", 1.5));
}

#[test]
fn one_to_twelve_futures_are_taken() {
    assert_eq!(at_once(gather!(ready(1))), (1,));
    let twelve = gather!(
        ready(1),
        ready(2),
        ready(3),
        ready(4),
        ready(5),
        ready(6),
        ready(7),
        ready(8),
        ready(9),
        ready(10),
        ready(11),
        ready("12"),
    );
    let (a, .., l) = at_once(twelve);
    assert_eq!((a, l), (1, "12"));
    let ok = |n| ready(io::Result::Ok(n));
    let twelve = try_gather!(
        ok(1),
        ok(2),
        ok(3),
        ok(4),
        ok(5),
        ok(6),
        ok(7),
        ok(8),
        ok(9),
        ok(10),
        ok(11),
        ok(12),
    );
    let (a, .., l) = at_once(twelve).unwrap();
    assert_eq!((a, l), (1, 12));
}

#[test]
fn the_expressions_are_evaluated_at_once_and_the_futures_are_not_polled() {
    let mut evaluated = false;
    let mut note = || {
        evaluated = true;
        async { panic!("nobody polls it") }
    };
    drop(gather!(note()));
    assert!(evaluated);
}

#[test]
fn an_error_drops_the_others_before_it_is_seen() {
    let ((a, first), (b, second)) = (switch::<Result<u8, &str>>(), switch::<Result<(), &str>>());
    let mut both = hand(try_gather!(first, second, pending::<Result<u8, &str>>()));
    both.waits();
    b.set(Err("b"));
    assert_eq!(both.poll(), Poll::Ready(Err("b")));
    assert_eq!((a.drops(), b.drops()), (1, 1));
    let text = panic_text(|| both.poll());
    assert!(
        text.starts_with("a `gather!` was polled again after it gave"),
        "{text}"
    );
}

#[test]
fn an_error_beside_values_that_are_there_drops_these_as_well() {
    let (knob, last) = switch::<Result<(), u8>>();
    let value = std::rc::Rc::new(());
    let given = ready(Ok::<_, u8>(std::rc::Rc::clone(&value)));
    let mut both = hand(try_gather!(given, last));
    both.waits();
    knob.set(Err(1));
    assert!(matches!(both.ready(), Err(1)));
    assert_eq!(std::rc::Rc::strong_count(&value), 1);
}

#[test]
fn polled_again_after_its_results_it_says_so() {
    let mut one = hand(gather!(ready(1)));
    one.ready();
    let text = panic_text(|| one.poll());
    assert!(
        text.starts_with("a `gather!` was polled again after it gave"),
        "{text}"
    );
}

#[test]
fn futures_and_tasks_borrow_and_mix_on_a_loop() {
    within(async {
        let name = String::from("both");
        let wait = async {
            yield_now().await;
            name.len()
        };
        let (task, length) = gather!(spawn(async { 1 }), wait).await;
        assert_eq!((task.unwrap(), length), (1, 4));
        let question = async {
            let (a, b) = try_gather!(async { io::Result::Ok(1) }, async { Ok("b") }).await?;
            io::Result::Ok((a, b))
        };
        assert_eq!(question.await.unwrap(), (1, "b"));
    });
}
