//! What must not break a queue: panics, leaked futures, long lines, wakers that come back.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::*;
use crate::common::hand::Meddler;
use crate::common::{Bell, panic_text, raise};

in_both_modes! {
    // B24 (cpython 108042)
    fn a_put_that_dies_in_a_panic_passes_its_place_on() {
        let queue = Queue::bounded(1);
        queue.put_nowait(1).unwrap();
        let mut next = None;
        let unwound = catch_unwind(AssertUnwindSafe(|| {
            let _dies = waiting(queue.put(2));
            next = Some(waiting(queue.put(3)));
            queue.get_nowait().unwrap();
            raise("in the middle");
        }));
        assert!(unwound.is_err());
        assert_eq!(next.unwrap().ready(), Ok(()));
        assert_eq!(queue.get_nowait(), Ok(3));
    }

    fn a_put_that_is_polled_again_panics_also_if_the_queue_is_full() {
        let queue = Queue::bounded(1);
        let mut put = hand(queue.put(1));
        assert!(put.poll().is_ready());
        let text = panic_text(|| put.poll());
        assert_eq!(text, "`Put` was polled after it was done");
        let mut next = waiting(queue.put(2));
        assert_eq!(queue.get_nowait(), Ok(1));
        assert_eq!(next.ready(), Ok(()));
    }

    // B24
    fn a_panic_with_an_item_or_a_slot_gives_both_back() {
        let queue = Queue::bounded(1);
        queue.put_nowait(1).unwrap();
        let unwound = catch_unwind(AssertUnwindSafe(|| {
            let _item = at_once(queue.take()).unwrap();
            let _slot = at_once(queue.reserve()).unwrap();
            raise("in the middle");
        }));
        assert!(unwound.is_err());
        at_once(queue.join()); // the work counts as done, and the place is free
        assert_eq!(queue.put_nowait(2), Ok(()));
    }

    // B21
    fn several_gets_in_a_row_let_four_puts_in_in_their_order() {
        let queue = Queue::bounded(3);
        for item in 0..3 {
            queue.put_nowait(item).unwrap();
        }
        let mut puts: Vec<_> = (3..7).map(|item| waiting(queue.put(item))).collect();
        for item in 0..3 {
            assert_eq!(queue.get_nowait(), Ok(item));
        }
        assert!(queue.get_nowait().is_err(), "they have places, and put when they run");
        assert!(puts[..3].iter_mut().all(|put| put.poll().is_ready()));
        puts[3].waits();
        for item in 3..6 {
            assert_eq!(queue.get_nowait(), Ok(item));
        }
        assert_eq!(puts[3].ready(), Ok(()));
        assert_eq!(queue.get_nowait(), Ok(6));
    }

    // B23: whoever comes last does not overtake, whatever is cancelled before.
    fn puts_keep_their_order_when_one_of_them_is_cancelled() {
        for gone in 0..4 {
            let queue = Queue::bounded(1);
            queue.put_nowait(0).unwrap();
            let mut puts: Vec<_> = (1..5).map(|item| waiting(queue.put(item))).collect();
            drop(puts.remove(gone));
            let mut got = Vec::new();
            while let Ok(item) = queue.get_nowait() {
                got.push(item);
                assert_eq!(queue.put_nowait(9).is_ok(), puts.is_empty());
                if !puts.is_empty() {
                    assert_eq!(puts.remove(0).ready(), Ok(()));
                } else {
                    break;
                }
            }
            let expected: Vec<_> = (0..5).filter(|item| *item != gone + 1).collect();
            assert_eq!(got, expected);
        }
    }

    fn a_leaked_put_and_a_leaked_slot_take_their_places_and_nothing_breaks() {
        let queue = Queue::bounded(3);
        leak(at_once(queue.reserve()).unwrap());
        queue.put_nowait(1).unwrap();
        queue.put_nowait(2).unwrap();
        leak(waiting(queue.put(3)));
        let queue = Box::new(queue);
        let mut put = waiting(queue.put(4));
        assert_eq!(queue.get_nowait(), Ok(1), "its place goes to the leaked one");
        put.waits();
        assert_eq!(queue.get_nowait(), Ok(2));
        assert!(queue.get_nowait().is_err());
        drop(put);
        queue.shutdown(true);
        assert_eq!(queue.get_nowait(), Err(GetError::ShutDown));
    }

    fn a_hundred_gets_are_woken_once_each_and_served_in_order() {
        let queue = Queue::bounded(100);
        let bells: Vec<_> = (0..100).map(|_| Bell::new()).collect();
        let mut gets: Vec<_> = (0..100).map(|_| hand(queue.get())).collect();
        for (bell, get) in bells.iter().zip(&mut gets) {
            assert!(bell.poll(get).is_pending());
        }
        for item in 0..100 {
            queue.put_nowait(item).unwrap();
        }
        assert!(bells.iter().all(|bell| bell.rings() == 1));
        assert!(gets.iter_mut().enumerate().all(|(item, get)| get.ready() == Ok(item)));
    }

    fn a_waker_may_use_the_queue_that_wakes_it() {
        let queue: &'static Queue<i32> = Box::leak(Box::new(Queue::bounded(2)));
        let waker = Meddler::waker(true, move || {
            assert_eq!(queue.get_nowait(), Err(GetError::Empty), "the item is promised");
            queue.put_nowait(2).unwrap();
            drop(waiting(queue.put(3)));
            queue.shutdown(false);
        });
        let mut get = hand(queue.get());
        assert!(get.poll_with(&waker).is_pending());
        queue.put_nowait(1).unwrap();
        assert!(Meddler::has_meddled());
        assert_eq!((get.ready(), queue.get_nowait()), (Ok(1), Ok(2)));
        assert_eq!(queue.get_nowait(), Err(GetError::ShutDown));
        leak(queue);
    }

    fn a_waker_that_panics_is_heard_of_and_keeps_nobody_waiting() {
        let queue = Queue::<u8>::bounded(1);
        let (broken, bell) = (Bell::broken(), Bell::new());
        let (mut first, mut second) = (hand(queue.get()), hand(queue.get()));
        assert!(broken.poll(&mut first).is_pending());
        assert!(bell.poll(&mut second).is_pending());
        assert_eq!(panic_text(|| queue.shutdown(false)), "the bell is broken");
        assert_eq!(bell.rings(), 1);
        assert_eq!((first.ready(), second.ready()), (Err(ShutDown), Err(ShutDown)));
    }
}
