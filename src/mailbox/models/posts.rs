//! Posts against a loop that drains, sleeps and closes.
//!
//! What is at stake: a closure that runs twice, on another loop, or never, without its sender
//! being told. The mutex makes each step whole; the order of the steps, and the notification
//! that comes after the lock is free, are what these models vary.
//!
//! # Bounds
//! All orders: 153,581 and 73,536 for the loops that sleep, at most 1,627 for those that close.
//!
//! # Not here
//! The order of one thread's posts, and whose code runs under the lock: unit tests of `posts`
//! and `table`.

use super::*;

#[test]
fn posts_of_two_threads_both_run_on_a_sleeping_loop() {
    explore(None, || {
        let (table, id) = one_loop(0);
        let posters = [(); 2].map(|()| {
            remote(&table, move |table| {
                let letter = Letter::new();
                letter.write();
                assert!(
                    table
                        .post(id, Box::new(move || assert!(letter.is_written())))
                        .is_ok()
                );
            })
        });
        let mut ran = 0;
        while ran < 2 {
            ran += run(idle_turn(entry(&table), |_| ()));
        }
        join(posters);
        assert!(table.release(id).is_empty(), "each ran once");
    });
}

#[test]
fn a_post_and_a_wake_both_reach_a_sleeping_loop() {
    explore(None, || {
        let (table, id) = one_loop(1);
        let poster = remote(&table, move |table| {
            assert!(table.post(id, Box::new(|| ())).is_ok());
        });
        let waker = remote(&table, |table| entry(table).wake(0));
        let (mut ran, mut woken) = (0, false);
        while ran < 1 || !woken {
            ran += run(idle_turn(entry(&table), |_| woken = true));
        }
        join([poster, waker]);
    });
}

#[test]
fn a_post_to_a_closing_loop_is_run_handed_back_or_refused_exactly_once() {
    exhaust(|| {
        let (table, id) = one_loop(0);
        let posters = [(); 2].map(|()| {
            remote(&table, move |table| match table.post(id, Box::new(|| ())) {
                Ok(()) => 0,
                Err(refused) => run(vec![refused]),
            })
        });
        let taken = run(entry(&table).take_posts());
        let left = run(table.release(id));
        let refused: usize = join(posters).into_iter().sum();
        assert_eq!(taken + left + refused, 2);
        assert!(entry(&table).take_posts().is_empty(), "nothing is stranded");
    });
}

#[test]
fn a_post_to_a_loop_that_is_gone_never_reaches_the_next_loop_of_the_entry() {
    exhaust(|| {
        let (table, gone) = one_loop(0);
        let poster = remote(&table, move |table| {
            usize::from(table.post(gone, Box::new(|| ())).is_err())
        });
        let left = run(table.release(gone));
        let (mailbox, next) = table.claim().unwrap();
        assert_ne!(gone, next);
        assert!(mailbox.take_posts().is_empty());
        assert_eq!(left + join([poster])[0], 1);
        assert!(table.release(next).is_empty());
    });
}
