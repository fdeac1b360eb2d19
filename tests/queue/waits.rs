//! Who waits, who is served, and what a cancellation leaves behind.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Wake;

use super::*;

/// A waker that notes that it was woken.
#[derive(Default)]
struct Bell(AtomicBool);

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

in_both_modes! {
    /// Q1.
    fn items_come_out_in_the_order_they_went_in() {
        let queue = Queue::unbounded();
        for item in 0..100 {
            assert_eq!(at_once(queue.put(item)), Ok(()));
        }
        assert!((0..100).all(|item| at_once(queue.get()) == Ok(item)));
    }

    /// Q1.
    fn a_stack_gives_the_last_first() {
        let queue = LifoQueue::unbounded();
        for item in 0..3 {
            queue.put_nowait(item).unwrap();
        }
        let out: Vec<_> = std::iter::from_fn(|| queue.get_nowait().ok()).collect();
        assert_eq!(out, [2, 1, 0]);
    }

    /// Q1; asyncio's is not stable, and compares the items.
    fn a_priority_queue_gives_the_smallest_first_and_equal_ones_in_order() {
        let queue = PriorityQueue::unbounded();
        for (priority, item) in [(2, 'a'), (1, 'b'), (2, 'c'), (1, 'd'), (0, 'e')] {
            queue.put_nowait((priority, item)).unwrap();
        }
        let out: String = std::iter::from_fn(|| queue.get_nowait().ok().map(|(_, c)| c)).collect();
        assert_eq!(out, "ebdac");
    }

    /// The right to an item is not the item.
    fn a_get_that_was_granted_takes_what_is_best_when_it_runs() {
        let queue = PriorityQueue::unbounded();
        let mut get = waiting(queue.get());
        queue.put_nowait((5, "first come")).unwrap();
        queue.put_nowait((1, "urgent")).unwrap();
        assert_eq!(get.ready(), Ok((1, "urgent")));
    }

    /// Q2.
    fn a_get_that_waits_is_served_by_a_later_put() {
        let queue = Queue::unbounded();
        let mut get = waiting(queue.get());
        queue.put_nowait(1).unwrap();
        assert_eq!(get.ready(), Ok(1));
    }

    /// Q2.
    fn a_put_that_waits_is_admitted_by_a_later_get() {
        let queue = Queue::bounded(1);
        queue.put_nowait(1).unwrap();
        let mut put = waiting(queue.put(2));
        assert_eq!(queue.get_nowait(), Ok(1));
        assert_eq!(queue.len(), 0, "the put has a place, and puts when it runs");
        assert_eq!(put.ready(), Ok(()));
        assert_eq!(queue.get_nowait(), Ok(2));
    }

    fn gets_are_served_in_the_order_of_their_first_polls() {
        let queue = Queue::unbounded();
        let mut gets: Vec<_> = (0..5).map(|_| waiting(queue.get())).collect();
        for item in 0..5 {
            queue.put_nowait(item).unwrap();
            let served: Vec<_> = gets.iter_mut().map(|get| get.poll()).collect();
            assert_eq!(served[0], Poll::Ready(Ok(item)));
            assert!(served[1..].iter().all(Poll::is_pending));
            gets.remove(0);
        }
    }

    /// B23: cpython 83055, open since 2019.
    fn puts_enter_in_the_order_of_their_first_polls() {
        let queue = Queue::bounded(2);
        queue.put_nowait(1).unwrap();
        queue.put_nowait(2).unwrap();
        let mut third = waiting(queue.put(3));
        assert_eq!((queue.get_nowait(), queue.get_nowait()), (Ok(1), Ok(2)));
        // There are two places, but 3 comes first.
        assert!(queue.is_full());
        assert_eq!(queue.put_nowait(4), Err(PutError::Full(4)));
        let mut fourth = waiting(queue.put(4));
        assert_eq!((third.ready(), fourth.ready()), (Ok(()), Ok(())));
        assert_eq!((queue.get_nowait(), queue.get_nowait()), (Ok(3), Ok(4)));
    }

    fn a_put_that_lets_another_go_first_needs_nobody_to_make_room() {
        let queue = Queue::bounded(3);
        let slots = [(); 3].map(|()| at_once(queue.reserve()).unwrap());
        let _first = waiting(queue.put(1));
        drop(slots);
        let bell = Arc::new(Bell::default());
        let waker = Waker::from(bell.clone());
        let mut second = hand(queue.put(2));
        assert!(second.poll_with(&waker).is_pending());
        assert!(bell.0.load(Ordering::Relaxed), "it has its place already");
        assert_eq!(second.ready(), Ok(()));
        let mut third = hand(queue.reserve());
        assert!(third.poll_with(&waker).is_pending());
        assert!(third.ready().is_ok());
    }

    fn nobody_takes_an_item_that_is_promised() {
        let queue = Queue::unbounded();
        let mut get = waiting(queue.get());
        queue.put_nowait(1).unwrap();
        assert_eq!(queue.get_nowait(), Err(GetError::Empty));
        let mut late = waiting(queue.get());
        assert_eq!(get.ready(), Ok(1));
        assert!(late.poll().is_pending());
    }

    fn nobody_takes_a_place_that_is_promised() {
        let queue = Queue::bounded(1);
        queue.put_nowait(1).unwrap();
        let mut put = waiting(queue.put(2));
        queue.get_nowait().unwrap();
        assert!(queue.is_full());
        assert_eq!(queue.put_nowait(3), Err(PutError::Full(3)));
        let mut late = waiting(queue.put(4));
        assert_eq!(put.ready(), Ok(()));
        assert!(late.poll().is_pending());
    }

    /// Q3, B19: bpo-23812.
    fn the_item_of_a_cancelled_get_goes_to_the_next() {
        for after_the_grant in [false, true] {
            let queue = Queue::unbounded();
            let (first, mut second) = (waiting(queue.get()), waiting(queue.get()));
            if after_the_grant {
                queue.put_nowait(1).unwrap();
                drop(first);
            } else {
                drop(first);
                queue.put_nowait(1).unwrap();
            }
            assert_eq!(second.ready(), Ok(1));
        }
    }

    /// Q4.
    fn no_item_is_lost_by_a_get_that_is_cancelled_after_its_wake_up() {
        let queue = Queue::unbounded();
        let get = waiting(queue.get());
        queue.put_nowait(1).unwrap();
        queue.put_nowait(2).unwrap();
        drop(get);
        assert_eq!((queue.get_nowait(), queue.get_nowait()), (Ok(1), Ok(2)));
    }

    /// Q5.
    fn of_three_gets_and_two_items_those_that_stay_get_both() {
        for cancelled in 0..3 {
            let queue = Queue::unbounded();
            let mut gets: Vec<_> = (0..3).map(|_| waiting(queue.get())).collect();
            queue.put_nowait(1).unwrap();
            queue.put_nowait(2).unwrap();
            gets.remove(cancelled);
            assert_eq!(gets[0].ready(), Ok(1));
            assert_eq!(gets[1].ready(), Ok(2));
        }
    }

    /// Q6.
    fn the_place_of_a_cancelled_put_goes_to_the_next() {
        let queue = Queue::bounded(1);
        queue.put_nowait(1).unwrap();
        let (second, mut third) = (waiting(queue.put(2)), waiting(queue.put(3)));
        queue.get_nowait().unwrap();
        drop(second);
        assert_eq!(third.ready(), Ok(()));
        assert_eq!(queue.get_nowait(), Ok(3));
        assert_eq!(queue.get_nowait(), Err(GetError::Empty));
    }

    /// Q7, B22: bpo-31620, bpo-32574.
    fn cancelled_waits_leave_nothing_behind() {
        let queue = Queue::bounded(1);
        for _ in 0..100_000 {
            drop(waiting(queue.get()));
        }
        queue.put_nowait(0).unwrap();
        for _ in 0..100_000 {
            drop(waiting(queue.put(1)));
        }
        let statistics = queue.statistics();
        assert_eq!((statistics.waiting, statistics.holders), (0, 0));
        assert_eq!(queue.get_nowait(), Ok(0));
    }

    /// Q8, B21: python/asyncio 265 and 268.
    fn several_puts_pass_through_any_small_capacity() {
        for capacity in 1..=4 {
            let queue = Queue::bounded(capacity);
            let mut puts: Vec<_> = (0..5).map(|item| hand(queue.put(item))).collect();
            let mut got = Vec::new();
            for _ in 0..10 {
                puts.retain_mut(|put| put.poll().is_pending());
                got.extend(queue.get_nowait());
                got.extend(queue.get_nowait());
            }
            assert_eq!((got, puts.len()), (vec![0, 1, 2, 3, 4], 0));
        }
    }

    /// B24: cpython 108042.
    fn a_get_that_dies_in_a_panic_passes_its_right_on() {
        let queue = Queue::unbounded();
        let mut next = None;
        let unwound = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let _dies = waiting(queue.get());
            next = Some(waiting(queue.get()));
            queue.put_nowait(1).unwrap();
            std::panic::resume_unwind(Box::new(()));
        }));
        assert!(unwound.is_err());
        assert_eq!(next.map(|mut get| get.ready()), Some(Ok(1)));
    }

    fn a_future_that_was_never_polled_stands_in_no_line() {
        let queue = Queue::unbounded();
        let early = hand(queue.get());
        let mut late = waiting(queue.get());
        queue.put_nowait(1).unwrap();
        assert_eq!(late.ready(), Ok(1));
        drop(early);
    }

    fn a_slot_is_a_place_until_it_is_used_or_dropped() {
        let queue = Queue::bounded(1);
        let slot = at_once(queue.reserve()).unwrap();
        assert_eq!(queue.put_nowait(1), Err(PutError::Full(1)));
        assert_eq!((queue.len(), queue.is_full()), (0, true));
        drop(slot);
        let slot = at_once(queue.reserve()).unwrap();
        let mut next = waiting(queue.reserve());
        slot.put(2);
        assert!(next.poll().is_pending());
        assert_eq!(queue.get_nowait(), Ok(2));
        next.ready().unwrap().put(3);
        assert_eq!(queue.get_nowait(), Ok(3));
    }

    fn puts_and_reservations_stand_in_one_line() {
        let queue = Queue::bounded(1);
        queue.put_nowait(0).unwrap();
        let (mut put, mut reserve) = (waiting(queue.put(1)), waiting(queue.reserve()));
        queue.get_nowait().unwrap();
        assert!(reserve.poll().is_pending());
        assert_eq!(put.ready(), Ok(()));
        queue.get_nowait().unwrap();
        assert!(reserve.ready().is_ok());
    }

    fn a_dropped_slot_lets_the_next_in() {
        let queue = Queue::bounded(1);
        let slot = at_once(queue.reserve()).unwrap();
        let mut put = waiting(queue.put(1));
        drop(slot);
        assert_eq!(put.ready(), Ok(()));
    }

    fn a_cancelled_reservation_passes_its_place_on() {
        let queue = Queue::bounded(1);
        queue.put_nowait(0).unwrap();
        let (reserve, mut put) = (waiting(queue.reserve()), waiting(queue.put(1)));
        queue.get_nowait().unwrap();
        drop(reserve);
        assert_eq!(put.ready(), Ok(()));
    }

    fn statistics_tell_who_waits_and_who_holds() {
        let queue = Queue::bounded(2);
        let slot = at_once(queue.reserve()).unwrap();
        queue.put_nowait(1).unwrap();
        let _waits = (waiting(queue.put(2)), waiting(queue.join()));
        let statistics = queue.statistics();
        assert_eq!((statistics.waiting, statistics.holders, statistics.peak), (2, 1, 1));
        slot.put(3);
        assert_eq!(queue.get_nowait(), Ok(1));
        let statistics = queue.statistics();
        assert_eq!((statistics.waiting, statistics.holders, statistics.peak), (1, 1, 2));
    }
}
