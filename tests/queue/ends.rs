//! How work ends: `task_done`, `join`, `shutdown`.

use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;

/// Counts its drops.
#[derive(Debug)]
struct Counted(Arc<AtomicUsize>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

in_both_modes! {
    /// Q10.
    fn a_join_without_work_returns_at_once() {
        let queue = Queue::<u8>::unbounded();
        at_once(queue.join());
    }

    /// Q10.
    fn more_done_than_put_is_an_error_that_changes_nothing() {
        let queue = Queue::unbounded();
        assert_eq!(queue.task_done(), Err(TooManyDone));
        queue.put_nowait(1).unwrap();
        assert_eq!(queue.task_done(), Ok(()));
        assert_eq!(queue.task_done(), Err(TooManyDone));
        queue.put_nowait(2).unwrap();
        assert!(waiting(queue.join()).poll().is_pending());
    }

    /// Q10.
    fn a_join_waits_for_every_item_of_every_worker() {
        let queue = Queue::unbounded();
        for item in 0..100 {
            queue.put_nowait(item).unwrap();
        }
        let mut joins: Vec<_> = (0..50).map(|_| waiting(queue.join())).collect();
        for _ in 0..99 {
            queue.get_nowait().unwrap();
            queue.task_done().unwrap();
        }
        assert!(joins.iter_mut().all(|join| join.poll().is_pending()));
        queue.get_nowait().unwrap();
        queue.task_done().unwrap();
        assert!(joins.iter_mut().all(|join| join.poll().is_ready()));
    }

    fn a_join_returns_although_more_was_put_since() {
        let queue = Queue::unbounded();
        queue.put_nowait(1).unwrap();
        let mut join = waiting(queue.join());
        queue.task_done().unwrap();
        queue.put_nowait(2).unwrap();
        join.ready();
        assert!(hand(queue.join()).poll().is_pending());
    }

    fn a_join_that_is_dropped_leaves_the_others_waiting() {
        let queue = Queue::unbounded();
        queue.put_nowait(1).unwrap();
        let (first, mut second) = (waiting(queue.join()), waiting(queue.join()));
        drop(first);
        assert!(second.poll().is_pending());
        queue.task_done().unwrap();
        second.ready();
    }

    fn an_item_that_was_taken_reports_itself_done() {
        let queue = Queue::unbounded();
        queue.put_nowait(vec![1]).unwrap();
        let mut item = at_once(queue.take()).unwrap();
        item.push(2);
        assert_eq!(*item, [1, 2]);
        let mut join = waiting(queue.join());
        drop(item);
        join.ready();
    }

    fn a_take_that_is_cancelled_reports_nothing_done() {
        let queue = Queue::unbounded();
        let take = waiting(queue.take());
        queue.put_nowait(1).unwrap();
        drop(take);
        assert!(hand(queue.join()).poll().is_pending());
        assert_eq!(queue.get_nowait(), Ok(1));
    }

    /// Q11.
    fn a_shutdown_of_an_empty_queue_ends_all_that_wait() {
        for immediate in [false, true] {
            let queue = Queue::<u8>::bounded(1);
            let mut gets: Vec<_> = (0..40).map(|_| waiting(queue.get())).collect();
            queue.shutdown(immediate);
            assert!(gets.iter_mut().all(|get| get.ready() == Err(ShutDown)));
            assert_eq!(at_once(queue.get()), Err(ShutDown));
            assert_eq!(queue.get_nowait(), Err(GetError::ShutDown));
            assert!(at_once(queue.reserve()).is_err());
            assert!(at_once(queue.take()).is_err());
        }
    }

    /// Q12.
    fn a_queue_that_is_shut_down_gives_out_what_it_has() {
        let queue = Queue::bounded(2);
        queue.put_nowait(1).unwrap();
        queue.put_nowait(2).unwrap();
        let (mut put, mut reserve) = (waiting(queue.put(3)), waiting(queue.reserve()));
        queue.shutdown(false);
        assert_eq!(put.ready(), Err(PutError::ShutDown(3)));
        assert_eq!(reserve.ready().err(), Some(ShutDown));
        assert_eq!(queue.put_nowait(4), Err(PutError::ShutDown(4)));
        assert_eq!(at_once(queue.put(5)), Err(PutError::ShutDown(5)));
        let mut join = waiting(queue.join());
        assert_eq!((at_once(queue.get()), queue.get_nowait()), (Ok(1), Ok(2)));
        assert_eq!(at_once(queue.get()), Err(ShutDown));
        assert!(join.poll().is_pending());
        queue.task_done().unwrap();
        queue.task_done().unwrap();
        join.ready();
    }

    /// Q13.
    fn an_immediate_shutdown_drops_what_is_there_and_ends_the_join() {
        let drops = Arc::new(AtomicUsize::new(0));
        let queue = Queue::unbounded();
        for _ in 0..3 {
            queue.put_nowait(Counted(drops.clone())).unwrap();
        }
        let mut join = waiting(queue.join());
        queue.shutdown(true);
        assert_eq!(drops.load(Ordering::Relaxed), 3);
        join.ready();
        assert!(matches!(queue.get_nowait(), Err(GetError::ShutDown)));
    }

    /// Q14.
    fn an_item_under_work_holds_the_join_after_an_immediate_shutdown() {
        let queue = Queue::unbounded();
        queue.put_nowait(1).unwrap();
        queue.put_nowait(2).unwrap();
        queue.get_nowait().unwrap();
        queue.shutdown(true);
        let mut join = waiting(queue.join());
        queue.task_done().unwrap();
        join.ready();
        assert_eq!(queue.task_done(), Err(TooManyDone));
    }

    fn an_immediate_shutdown_ends_a_get_that_was_granted() {
        let queue = Queue::unbounded();
        let mut get = waiting(queue.get());
        queue.put_nowait(1).unwrap();
        queue.shutdown(true);
        assert_eq!(get.ready(), Err(ShutDown));
        assert_eq!(queue.statistics().holders, 0);
    }

    fn a_put_that_was_granted_fails_after_a_shutdown() {
        let queue = Queue::bounded(1);
        queue.put_nowait(1).unwrap();
        let mut put = waiting(queue.put(2));
        queue.get_nowait().unwrap();
        queue.shutdown(false);
        assert_eq!(put.ready(), Err(PutError::ShutDown(2)));
        assert_eq!(queue.statistics().holders, 0);
    }

    /// A get may fail only when no item can come any more.
    fn a_get_waits_while_the_last_item_is_promised_to_another() {
        let queue = Queue::unbounded();
        let (first, mut second) = (waiting(queue.get()), waiting(queue.get()));
        queue.put_nowait(1).unwrap();
        queue.shutdown(false);
        assert!(second.poll().is_pending());
        drop(first);
        assert_eq!(second.ready(), Ok(1));
        assert_eq!(at_once(queue.get()), Err(ShutDown));
    }

    fn the_last_item_ends_the_gets_that_wait_behind_it() {
        let queue = Queue::unbounded();
        let (mut first, mut second) = (waiting(queue.get()), waiting(queue.get()));
        queue.put_nowait(1).unwrap();
        queue.shutdown(false);
        assert_eq!(first.ready(), Ok(1));
        assert_eq!(second.ready(), Err(ShutDown));
    }

    fn a_slot_outlives_the_shutdown_and_holds_the_gets() {
        for fill in [false, true] {
            let queue = Queue::bounded(2);
            let slot = at_once(queue.reserve()).unwrap();
            queue.shutdown(false);
            let mut get = waiting(queue.get());
            assert_eq!(queue.get_nowait(), Err(GetError::Empty));
            if fill {
                slot.put(1);
                assert_eq!(get.ready(), Ok(1));
            } else {
                drop(slot);
                assert_eq!(get.ready(), Err(ShutDown));
            }
            assert_eq!(queue.get_nowait(), Err(GetError::ShutDown));
        }
    }

    fn a_slot_that_is_filled_after_an_immediate_shutdown_drops_its_item() {
        let drops = Arc::new(AtomicUsize::new(0));
        let queue = Queue::unbounded();
        let slot = at_once(queue.reserve()).unwrap();
        queue.shutdown(true);
        slot.put(Counted(drops.clone()));
        assert_eq!((drops.load(Ordering::Relaxed), queue.len()), (1, 0));
        at_once(queue.join());
    }

    fn a_second_shutdown_may_only_make_it_immediate() {
        let queue = Queue::unbounded();
        queue.put_nowait(1).unwrap();
        queue.shutdown(false);
        queue.shutdown(false);
        assert_eq!(queue.len(), 1);
        queue.shutdown(true);
        assert_eq!(queue.len(), 0);
        queue.shutdown(false);
        assert_eq!(queue.get_nowait(), Err(GetError::ShutDown));
    }

    /// Were it dropped under the lock, `local` would panic and `sync` never return.
    fn items_that_use_the_queue_when_they_are_dropped_are_dropped_outside_its_lock() {
        struct Nosy(Rc<Queue<Nosy>>);
        impl Drop for Nosy {
            fn drop(&mut self) {
                assert_eq!(self.0.len(), 0);
                assert!(self.0.task_done().is_err());
            }
        }
        let queue = Rc::new(Queue::unbounded());
        queue.put_nowait(Nosy(queue.clone())).unwrap();
        queue.put_nowait(Nosy(queue.clone())).unwrap();
        queue.shutdown(true);
        assert_eq!(Rc::strong_count(&queue), 1);
    }
}
