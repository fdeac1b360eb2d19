//! Lines, grants and wakers, in both modes.

use std::cell::{Cell, RefCell};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use super::*;

/// A ticket that a waker makes or drops.
type Late<M> = RefCell<Option<Pin<Box<Ticket<'static, M>>>>>;

in_both_modes! {
    fn waiters_are_granted_in_the_order_they_came<M>() {
        let list = list::<M>();
        let mut tickets: Vec<_> = (0..3).map(|_| ticket(&list)).collect();
        assert!(tickets.iter_mut().all(|ticket| poll(ticket).is_pending()));
        while !tickets.is_empty() {
            give(&list, 1);
            let ready: Vec<_> = tickets.iter_mut().map(|t| poll(t).is_ready()).collect();
            assert!(ready[0] && !ready[1..].contains(&true), "{ready:?}");
            tickets.remove(0);
        }
    }

    fn a_waiter_that_is_dropped_leaves_its_line<M>() {
        for dropped in 0..3 {
            let list = list::<M>();
            let mut tickets: Vec<_> = (0..3).map(|_| ticket(&list)).collect();
            assert!(tickets.iter_mut().all(|ticket| poll(ticket).is_pending()));
            tickets.remove(dropped);
            assert_eq!(waiting(&list), 2);
            give(&list, 2);
            assert!(tickets.iter_mut().all(|ticket| poll(ticket) == Poll::Ready(TICKET)));
            assert_eq!((waiting(&list), free(&list)), (0, 0));
        }
    }

    fn a_granted_waiter_that_is_dropped_passes_the_grant_on<M>() {
        let list = list::<M>();
        let (mut first, mut second) = (ticket(&list), ticket(&list));
        assert!(poll(&mut first).is_pending());
        assert!(poll(&mut second).is_pending());
        give(&list, 1);
        drop(first);
        assert_eq!(poll(&mut second), Poll::Ready(TICKET));
        assert_eq!(free(&list), 0);
    }

    fn a_granted_waiter_that_is_dropped_last_gives_the_grant_back<M>() {
        let list = list::<M>();
        let mut only = ticket(&list);
        assert!(poll(&mut only).is_pending());
        give(&list, 1);
        assert_eq!(free(&list), 0);
        drop(only);
        assert_eq!(free(&list), 1);
    }

    fn a_waiter_that_never_waited_or_was_done_leaves_nothing_behind<M>() {
        let list = list::<M>();
        drop(ticket(&list));
        give(&list, 1);
        let mut done = ticket(&list);
        assert!(poll(&mut done).is_ready());
        drop(done);
        assert_eq!((waiting(&list), free(&list)), (0, 0));
    }

    fn the_waker_of_the_last_poll_is_woken_and_only_that<M>() {
        let list = list::<M>();
        let mut waits = ticket(&list);
        let (old, new) = (Arc::new(Count::default()), Arc::new(Count::default()));
        for count in [&old, &new] {
            let waker = Waker::from(count.clone());
            assert!(waits.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        }
        give(&list, 1);
        assert_eq!((old.get(), new.get()), (0, 1));
        assert_eq!(Arc::strong_count(&old), 1, "the old waker was kept");
    }

    fn a_poll_by_the_same_task_clones_no_waker<M>() {
        let list = list::<M>();
        let clones = Rc::new(Cell::new(0));
        let waker = Hook::waker({
            let clones = clones.clone();
            move |what| clones.set(clones.get() + usize::from(what == "clone"))
        });
        let mut cx = Context::from_waker(&waker);
        let mut waits = ticket(&list);
        assert!(waits.as_mut().poll(&mut cx).is_pending());
        assert_eq!(clones.get(), 1);
        assert!(waits.as_mut().poll(&mut cx).is_pending());
        assert_eq!(clones.get(), 1);
    }

    /// Were one called under the lock, `Local` would panic and `Shared` never return.
    fn wakers_are_cloned_woken_and_dropped_outside_the_lock<M>() {
        let list: Rc<List<M>> = Rc::new(list());
        let calls = Rc::new(RefCell::new(Vec::new()));
        let hook = || {
            let (list, calls) = (list.clone(), calls.clone());
            Hook::waker(move |what| {
                assert_eq!(free(&list), 0); // takes the lock
                calls.borrow_mut().push(what);
            })
        };
        let (first, second) = (hook(), hook());
        let mut waits = ticket(&list);
        let mut other = ticket(&list);
        assert!(waits.as_mut().poll(&mut Context::from_waker(&first)).is_pending());
        assert!(other.as_mut().poll(&mut Context::from_waker(&second)).is_pending());
        assert!(waits.as_mut().poll(&mut Context::from_waker(&second)).is_pending());
        assert_eq!(calls.take(), ["clone", "clone", "clone", "drop"]);
        give(&list, 1); // `waits` is granted
        assert_eq!(calls.take(), ["wake"]);
        drop(waits); // passes it on to `other`
        assert_eq!(calls.take(), ["wake"]);
        let mut last = ticket(&list);
        assert!(last.as_mut().poll(&mut Context::from_waker(&first)).is_pending());
        drop(last);
        assert_eq!(calls.take(), ["clone", "drop"]);
        drop((first, second));
        calls.take();
    }

    fn a_waker_may_come_back_to_the_list_it_was_woken_by<M>() {
        let list: Rc<List<M>> = Rc::new(list());
        let second: Rc<Late<M>> = Rc::default();
        // SAFETY: `second` is emptied before `list` goes.
        let forever: &'static List<M> = unsafe { &*Rc::as_ptr(&list) };
        let waker = Hook::waker({
            let second = second.clone();
            move |what| {
                if what == "wake" {
                    second.borrow_mut().take(); // is granted already, and passes it on
                }
            }
        });
        let (mut first, mut third) = (ticket(&list), ticket(&list));
        assert!(first.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        let mut waits = ticket(forever);
        assert!(poll(&mut waits).is_pending());
        *second.borrow_mut() = Some(waits);
        assert!(poll(&mut third).is_pending());
        give(&list, 2);
        assert!(poll(&mut first).is_ready());
        assert!(poll(&mut third).is_ready());
        assert!(second.borrow().is_none());
    }

    fn a_release_of_more_than_a_batch_reaches_all_of_them_and_nobody_later<M>() {
        let list: Rc<List<M>> = Rc::new(list());
        let mut waits: Vec<_> = (0..100).map(|_| ticket(&list)).collect();
        assert!(waits.iter_mut().all(|ticket| poll(ticket).is_pending()));
        let late: Rc<Late<M>> = Rc::default();
        // SAFETY: `late` is emptied before `list` goes.
        let forever: &'static List<M> = unsafe { &*Rc::as_ptr(&list) };
        // The first of all is woken in the first batch; then a late one comes.
        let waker = Hook::waker({
            let late = late.clone();
            move |what| {
                if what == "wake" {
                    let mut ticket = ticket(forever);
                    assert!(poll(&mut ticket).is_pending());
                    *late.borrow_mut() = Some(ticket);
                }
            }
        });
        assert!(waits[0].as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        release_all(&list);
        assert!(waits.iter_mut().all(|ticket| poll(ticket) == Poll::Ready(NEWS)));
        let mut late = late.take().expect("it came");
        assert!(poll(&mut late).is_pending());
    }

    fn a_line_that_is_moved_keeps_its_order_and_its_members_can_leave<M>() {
        let list = list::<M>();
        let mut waits: Vec<_> = (0..6).map(|_| ticket(&list)).collect();
        for three in waits.chunks_mut(3) {
            assert!(three.iter_mut().all(|ticket| poll(ticket).is_pending()));
            list.with(|_, lines| lines.move_all(WAIT, ASIDE));
            list.with(|_, lines| lines.move_all(WAIT, ASIDE)); // of nobody
        }
        for gone in [5, 2, 0] {
            waits.remove(gone);
        }
        assert_eq!(list.with(|_, lines| lines.count(ASIDE)), 3);
        for next in 0..3 {
            let waker = list.with(|_, lines| lines.notify(ASIDE, NEWS));
            waker.expect("one of the three").wake();
            let ready: Vec<_> = waits.iter_mut().map(|t| poll(t).is_ready()).collect();
            assert_eq!(ready.iter().position(|ready| *ready), Some(0), "at {next}: {ready:?}");
            waits.remove(0);
        }
    }

    fn a_waker_that_panics_loses_nobody_elses_wake<M>() {
        let list = list::<M>();
        let mut waits: Vec<_> = (0..70).map(|_| ticket(&list)).collect();
        assert!(waits.iter_mut().all(|ticket| poll(ticket).is_pending()));
        let angry = Hook::waker(|what| assert_ne!(what, "wake", "angry waker"));
        let count = Arc::new(Count::default());
        let waker = Waker::from(count.clone());
        for (index, ticket) in waits.iter_mut().enumerate() {
            let waker = if index % 3 == 0 { &angry } else { &waker };
            assert!(ticket.as_mut().poll(&mut Context::from_waker(waker)).is_pending());
        }
        let released = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            release_all(&list);
        }));
        let panic = released.expect_err("the first panic goes on");
        assert!(panic.downcast_ref::<String>().is_some_and(|text| text.contains("angry")));
        assert_eq!(count.get(), 46);
        assert_eq!(waiting(&list), 0);
    }

    fn a_leaked_waiter_loses_its_place_and_nothing_else<M>() {
        let list = list::<M>();
        let (mut leaked, mut next) = (ticket(&list), ticket(&list));
        assert!(poll(&mut leaked).is_pending());
        assert!(poll(&mut next).is_pending());
        leak(leaked);
        give(&list, 2);
        assert!(poll(&mut next).is_ready());
        drop(next);
        drop(list);
    }
}

#[test]
fn a_waiter_that_waits_cannot_be_enqueued_again() {
    let list = list::<Local>();
    let mut waits = pin!(Waiter::<Tickets, Local>::new(&list));
    let mut cx = Context::from_waker(Waker::noop());
    assert!(
        waits
            .as_mut()
            .enqueue(&mut cx, WAIT, |_, _| None::<()>)
            .is_pending()
    );
    let again = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        waits.as_mut().enqueue(&mut cx, WAIT, |_, _| None::<()>)
    }));
    assert!(again.is_err());
    assert_eq!(waiting(&list), 1);
}
