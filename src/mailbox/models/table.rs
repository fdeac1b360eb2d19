//! Loops that begin and end while other threads use their entries.
//!
//! What is at stake: two loops in one entry, a wake of the new loop that is swallowed by what
//! a stale waker does, an entry that is seen half made.
//!
//! # Bounds
//! All orders of the models of two threads: at most 382. With a stale waker, a new loop and its
//! own waker the orders do not end in 150 s; up to five pre-emptions they are 130,998.
//!
//! # Not here
//! Posts to loops that end: `models::posts`.

use super::*;

#[test]
fn stale_wakes_of_a_reused_entry_hide_no_wake_of_its_new_loop() {
    explore(Some(5), || {
        let (table, gone) = one_loop(1);
        let stale = remote(&table, |table| entry(table).wake(0));
        assert!(table.release(gone).is_empty());
        let (mailbox, _) = table.claim().unwrap();
        let announced = Arc::new(AtomicU32::new(0));
        let fresh = announcer(&table, &announced, 0);
        poll_until(mailbox, 0, &announced, 1);
        join([stale, fresh]);
    });
}

#[test]
fn an_entry_released_on_one_thread_serves_a_loop_on_another() {
    exhaust(|| {
        let (table, gone) = one_loop(1);
        let letter = Arc::new(Letter::new());
        let written = letter.clone();
        let next = remote(&table, move |table| {
            let Ok((mailbox, _)) = table.claim() else {
                return;
            }; // not released yet
            assert!(
                written.is_written(),
                "the old owner was done with the entry"
            );
            mailbox.wake(0);
            let mut woken = false;
            while !woken {
                idle_turn(mailbox, |_| woken = true);
            }
        });
        entry(&table).wake(0);
        letter.write();
        assert!(table.release(gone).is_empty());
        join([next]);
    });
}

#[test]
fn loops_that_begin_at_the_same_time_get_entries_of_their_own() {
    exhaust(|| {
        let table = Arc::new(Table::<2>::new());
        let others = table.clone();
        let other = thread::spawn(move || others.claim().unwrap().1);
        let (mailbox, id) = table.claim().unwrap();
        let other = other.join().unwrap();
        assert_ne!(id.index(), other.index());
        assert!(std::ptr::eq(mailbox, table.lookup(id.index()).unwrap()));
        assert!(table.post(other, Box::new(|| ())).is_ok());
        assert!(table.release(id).is_empty());
        assert_eq!(table.release(other).len(), 1);
    });
}

#[test]
fn a_free_entry_is_lent_to_one_of_two_loops_that_want_it() {
    exhaust(|| {
        let (table, gone) = one_loop(0);
        assert!(table.release(gone).is_empty());
        let other = remote(&table, |table| table.claim().is_ok());
        let ours = table.claim().is_ok();
        assert!(ours != other.join().unwrap());
    });
}

#[test]
fn the_static_table_carries_wakes_and_posts_from_another_thread() {
    exhaust(|| {
        let (mailbox, id) = crate::mailbox::claim().unwrap();
        mailbox.grow(1);
        let other = thread::spawn(move || {
            crate::mailbox::lookup(id.index()).unwrap().wake(0);
            assert!(crate::mailbox::post(id, Box::new(|| ())).is_ok());
        });
        let (mut ran, mut woken) = (0, false);
        while ran < 1 || !woken {
            ran += run(idle_turn(mailbox, |_| woken = true));
        }
        other.join().unwrap();
        assert!(crate::mailbox::release(id).is_empty());
    });
}
