//! Wakes against a loop that drains, looks, sleeps and grows.
//!
//! What is at stake: the loop sleeps, or polls its task too early and never again, though a
//! thread has written something and then woken the slot. One slot woken twice is the hard
//! case, as the second wake finds all its bits set.
//!
//! # Bounds
//! All orders of the models of two threads: at most 2,608. With three threads, two slots take
//! 211,690 orders; one slot and growing do not end in 150 s and are explored up to five
//! pre-emptions, 232,346 and 104,703 orders.
//!
//! # Not here
//! Loops that end: `models::table`.

use super::*;

/// A slot in another word, bucket and group than slot 0.
const FAR: u32 = 64;

/// Runs a loop with the slots 0 and `FAR` until both were woken, each after its letter.
fn expect_both(mailbox: &Mailbox, letters: &[Letter; 2]) {
    let mut seen = [false; 2];
    while seen != [true; 2] {
        idle_turn(mailbox, |slot| {
            let number = (slot / FAR) as usize;
            assert!(letters[number].is_written());
            seen[number] = true;
        });
    }
}

#[test]
fn wakes_of_two_slots_by_two_threads_both_reach_a_sleeping_loop() {
    explore(None, || {
        let (table, _) = one_loop(FAR + 1);
        let letters = Arc::new([Letter::new(), Letter::new()]);
        let wakers = [0, FAR].map(|slot| {
            let letters = letters.clone();
            remote(&table, move |table| {
                letters[(slot / FAR) as usize].write();
                entry(table).wake(slot);
            })
        });
        expect_both(entry(&table), &letters);
        join(wakers);
    });
}

#[test]
fn wakes_of_two_slots_by_one_thread_both_reach_a_sleeping_loop() {
    exhaust(|| {
        let (table, _) = one_loop(FAR + 1);
        let letters = Arc::new([Letter::new(), Letter::new()]);
        let announced = letters.clone();
        let waker = remote(&table, move |table| {
            for (letter, slot) in announced.iter().zip([0, FAR]) {
                letter.write();
                entry(table).wake(slot);
            }
        });
        expect_both(entry(&table), &letters);
        join([waker]);
    });
}

#[test]
fn a_second_wake_by_the_same_thread_shows_what_was_written_since_the_first() {
    exhaust(|| {
        let (table, _) = one_loop(1);
        let announced = Arc::new(AtomicU32::new(0));
        let announces = announced.clone();
        let waker = remote(&table, move |table| {
            for number in 1..=2 {
                announces.store(number, Relaxed);
                entry(table).wake(0);
            }
        });
        poll_until(entry(&table), 0, &announced, 2);
        join([waker]);
    });
}

#[test]
fn wakes_of_one_slot_by_two_threads_show_what_both_wrote() {
    explore(Some(5), || {
        let (table, _) = one_loop(1);
        let announced = Arc::new(AtomicU32::new(0));
        let wakers = [(); 2].map(|()| announcer(&table, &announced, 0));
        poll_until(entry(&table), 0, &announced, 2);
        join(wakers);
    });
}

#[test]
fn a_wake_reaches_a_busy_loop_that_only_looks() {
    exhaust(|| {
        let (table, _) = one_loop(1);
        let letter = Arc::new(Letter::new());
        let written = letter.clone();
        let waker = remote(&table, move |table| {
            written.write();
            entry(table).wake(0);
        });
        let mut seen = false;
        while !seen {
            if entry(&table).is_notified() {
                receive(entry(&table), |_| seen = letter.is_written());
                assert!(seen, "a notified loop finds the wake");
            }
            thread::yield_now();
        }
        join([waker]);
    });
}

#[test]
fn a_wake_reaches_a_loop_whose_first_sleep_a_timer_ended() {
    exhaust(|| {
        let (table, _) = one_loop(1);
        let announced = Arc::new(AtomicU32::new(0));
        let waker = announcer(&table, &announced, 0);
        let mailbox = entry(&table);
        mailbox.try_sleep(); // and then a timer ends the wait, not the bell
        let mut done = false;
        receive(mailbox, |_| done = announced.load(Relaxed) == 1);
        if !done {
            poll_until(mailbox, 0, &announced, 1);
        }
        join([waker]);
    });
}

#[test]
fn a_wake_while_the_loop_grows_is_not_lost() {
    exhaust(|| {
        let (table, _) = one_loop(1);
        let announced = Arc::new(AtomicU32::new(0));
        let waker = announcer(&table, &announced, 0);
        entry(&table).grow(FAR + 1);
        poll_until(entry(&table), 0, &announced, 1);
        join([waker]);
    });
}

#[test]
fn a_slot_that_is_handed_out_after_growing_can_be_woken() {
    explore(Some(5), || {
        let (table, _) = one_loop(1);
        let stale = remote(&table, |table| entry(table).wake(FAR)); // of an earlier loop
        entry(&table).grow(FAR + 1);
        let announced = Arc::new(AtomicU32::new(0));
        let waker = announcer(&table, &announced, FAR);
        poll_until(entry(&table), FAR, &announced, 1);
        join([stale, waker]);
    });
}
