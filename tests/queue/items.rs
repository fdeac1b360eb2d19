//! What can be in a queue, what its errors say, and its stream.

use std::cell::Cell;
use std::cmp::Ordering;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::rc::Rc;

use petla::Stream;

use super::*;

/// A priority that panics when it is compared, if told to.
struct Moody(u32, Rc<Cell<bool>>);

impl Ord for Moody {
    fn cmp(&self, other: &Self) -> Ordering {
        assert!(!self.1.get(), "not in the mood");
        self.0.cmp(&other.0)
    }
}

impl PartialOrd for Moody {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Moody {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Moody {}

in_both_modes! {
    fn items_without_size_need_no_room() {
        let queue = Queue::unbounded();
        for _ in 0..1000 {
            queue.put_nowait(()).unwrap();
        }
        assert_eq!(queue.len(), 1000);
        assert_eq!(std::iter::from_fn(|| queue.get_nowait().ok()).count(), 1000);
    }

    fn a_huge_capacity_costs_nothing_until_it_is_used() {
        for capacity in [usize::MAX - 1, isize::MAX as usize] {
            let queue = Queue::bounded(capacity);
            assert_eq!(queue.capacity(), Some(capacity));
            queue.put_nowait([0_u64; 16]).unwrap();
            let slot = at_once(queue.reserve()).unwrap();
            assert!(!queue.is_full());
            slot.put([1; 16]);
            assert_eq!(queue.len(), 2);
        }
    }

    #[should_panic(expected = "use `bounded` with 1 or more, or `unbounded`")]
    fn a_capacity_of_zero_is_refused() {
        let _ = Queue::<u8>::bounded(0);
    }

    /// Q9.
    fn calls_that_do_not_wait_say_full_and_empty() {
        let queue = Queue::bounded(1);
        assert_eq!(queue.get_nowait(), Err(GetError::Empty));
        queue.put_nowait('a').unwrap();
        assert_eq!(queue.put_nowait('b').unwrap_err().into_inner(), 'b');
        assert_eq!((queue.len(), queue.is_empty(), queue.is_full()), (1, false, true));
    }

    fn items_may_borrow_from_what_is_dropped_before_the_queue() {
        let queue = Queue::unbounded();
        let text = String::from("dropped before the queue");
        queue.put_nowait(text.as_str()).unwrap();
        assert_eq!(queue.get_nowait(), Ok("dropped before the queue"));
    }

    fn items_need_not_be_debug_to_be_in_errors() {
        struct Opaque;
        let queue = Queue::bounded(1);
        queue.put_nowait(Opaque).unwrap_or_else(|_| panic!("there is room"));
        let error = queue.put_nowait(Opaque).unwrap_err();
        assert_eq!(format!("{error:?}"), "Full(..)");
        assert!(error.to_string().starts_with("the queue is full"));
        assert_eq!(io::Error::from(error).kind(), io::ErrorKind::WouldBlock);
    }

    fn errors_become_io_errors_of_the_right_kind() {
        let kinds = [
            io::Error::from(ShutDown),
            io::Error::from(PutError::ShutDown(1)),
            io::Error::from(GetError::ShutDown),
            io::Error::from(PutError::Full(1)),
            io::Error::from(GetError::Empty),
            io::Error::from(TooManyDone),
        ]
        .map(|error| error.kind());
        use io::ErrorKind::{BrokenPipe, InvalidInput, WouldBlock};
        let expected =
            [BrokenPipe, BrokenPipe, BrokenPipe, WouldBlock, WouldBlock, InvalidInput];
        assert_eq!(kinds, expected);
    }

    fn a_queue_tells_its_state_to_a_debugger() {
        let queue = Queue::bounded(3);
        queue.put_nowait(1).unwrap();
        queue.shutdown(false);
        assert_eq!(
            format!("{queue:?}"),
            "Queue { len: 1, capacity: Some(3), promised: 0, shut_down: true }"
        );
    }

    fn a_stream_gives_all_items_and_ends_with_the_queue() {
        let queue = Queue::unbounded();
        let mut items = pin!(queue.stream());
        let mut cx = Context::from_waker(Waker::noop());
        queue.put_nowait(1).unwrap();
        assert_eq!(items.as_mut().poll_next(&mut cx), Poll::Ready(Some(1)));
        assert_eq!(items.as_mut().poll_next(&mut cx), Poll::Pending);
        queue.put_nowait(2).unwrap();
        assert_eq!(items.as_mut().poll_next(&mut cx), Poll::Ready(Some(2)));
        assert_eq!(items.as_mut().poll_next(&mut cx), Poll::Pending);
        queue.shutdown(false);
        assert_eq!(items.as_mut().poll_next(&mut cx), Poll::Ready(None));
        assert_eq!(items.as_mut().poll_next(&mut cx), Poll::Ready(None));
    }

    fn a_stream_that_is_dropped_passes_its_right_on() {
        let queue = Queue::unbounded();
        let mut items = Box::pin(queue.stream());
        let mut cx = Context::from_waker(Waker::noop());
        assert!(items.as_mut().poll_next(&mut cx).is_pending());
        let mut get = waiting(queue.get());
        queue.put_nowait(1).unwrap();
        drop(items);
        assert_eq!(get.ready(), Ok(1));
    }

    fn next_uses_the_place_that_poll_next_took() {
        let queue = Queue::unbounded();
        let mut items = queue.stream();
        let mut cx = Context::from_waker(Waker::noop());
        assert!(Pin::new(&mut items).poll_next(&mut cx).is_pending());
        let mut behind = waiting(queue.get());
        queue.put_nowait(1).unwrap();
        assert_eq!(at_once(items.next()), Some(1));
        assert!(behind.poll().is_pending());
    }

    fn next_may_be_cancelled() {
        let queue = Queue::unbounded();
        let mut items = queue.stream();
        let next = waiting(items.next());
        queue.put_nowait(1).unwrap();
        drop(next);
        assert_eq!(at_once(items.next()), Some(1));
        queue.shutdown(true);
        assert_eq!(at_once(items.next()), None);
    }

    fn an_order_that_panics_leaves_the_queue_usable() {
        let queue = PriorityQueue::unbounded();
        let angry = Rc::new(Cell::new(false));
        let put = |n| queue.put_nowait((Moody(n, angry.clone()), n));
        put(2).unwrap();
        put(1).unwrap();
        let mut join = waiting(queue.join());
        angry.set(true);
        let panicked = catch_unwind(AssertUnwindSafe(|| drop(put(3)))).is_err();
        angry.set(false);
        assert!(panicked);
        put(0).unwrap();
        let mut got = 0;
        while queue.get_nowait().is_ok() {
            queue.task_done().unwrap();
            got += 1;
        }
        assert_eq!(got, 4);
        join.ready();
    }

    fn a_leaked_get_loses_its_place_and_nothing_breaks() {
        let queue = Queue::unbounded();
        let leaked = waiting(queue.get());
        let mut get = waiting(queue.get());
        leak(leaked);
        queue.put_nowait(1).unwrap();
        queue.put_nowait(2).unwrap();
        assert_eq!(get.ready(), Ok(1));
        drop(get);
        let moved = Box::new(queue);
        assert_eq!(moved.len(), 1);
    }
}
