//! Channels in both modes, polled by hand: ends that leave, and streams that keep their place.
//!
//! # Not here
//! Two threads at once: `models`. What a channel has from its queue: the queue's tests.

mod programs;

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::marker::PhantomPinned;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use futures_core::Stream;

use crate::context;
use crate::primitives::hand::{in_task, leak, panic_text};
use crate::primitives::{
    self, GetError, Local, Mode, PutError, Receiver, ReceiverNext, Sender, Shared, ShutDown,
};

/// Counts how often it rings, and runs the thread's [`ACTION`] then.
#[derive(Default)]
struct Bell(AtomicUsize);

thread_local! {
    static ACTION: RefCell<Option<Box<dyn FnOnce()>>> = const { RefCell::new(None) };
}

/// What the next bell does that rings.
fn then(action: impl FnOnce() + 'static) {
    ACTION.set(Some(Box::new(action)));
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
        if let Some(action) = ACTION.take() {
            action();
        }
    }
}

type Boxed<'a, T> = Pin<Box<dyn Future<Output = T> + 'a>>;

fn poll<F: Future + ?Sized>(future: &mut Pin<Box<F>>) -> Poll<F::Output> {
    poll_with(future, Waker::noop())
}

fn poll_with<F: Future + ?Sized>(future: &mut Pin<Box<F>>, waker: &Waker) -> Poll<F::Output> {
    future.as_mut().poll(&mut Context::from_waker(waker))
}

/// A future that was polled once, and waits.
#[track_caller]
fn waiting<'a, F: Future + 'a>(future: F) -> Boxed<'a, F::Output> {
    let mut future: Boxed<'a, _> = Box::pin(future);
    assert!(poll(&mut future).is_pending(), "it does not wait");
    future
}

/// The value of a future that is ready at once.
#[track_caller]
fn at_once<F: Future>(future: F) -> F::Output {
    match poll(&mut Box::pin(future)) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("it is not ready"),
    }
}

fn poll_next<T, M: Mode>(receiver: &mut Receiver<T, M>) -> Poll<Option<T>> {
    Pin::new(receiver).poll_next(&mut Context::from_waker(Waker::noop()))
}

macro_rules! in_both_modes {
    ($($(#[$doc:meta])* fn $name:ident() $body:block)*) => {
        mod in_local {
            use {super::*, Local as M};
            in_both_modes!(@in $($(#[$doc])* fn $name() $body)*);
        }
        mod in_sync {
            use {super::*, Shared as M};
            in_both_modes!(@in $($(#[$doc])* fn $name() $body)*);
        }
    };
    (@in $($(#[$doc:meta])* fn $name:ident() $body:block)*) => {
        fn channel<T>(capacity: usize) -> (Sender<T, M>, Receiver<T, M>) {
            primitives::channel(capacity)
        }
        $($(#[$doc])* #[test] fn $name() $body)*
    };
}

in_both_modes! {
    fn receivers_take_what_is_left_when_the_last_sender_is_gone() {
        let (sender, mut receiver) = channel(4);
        let clone = sender.clone();
        sender.put_nowait(1).unwrap();
        drop(sender);
        clone.put_nowait(2).unwrap();
        clone.put_nowait(3).unwrap();
        assert!(!receiver.is_closed());
        drop(clone);
        assert!(receiver.is_closed());
        assert_eq!(receiver.get_nowait(), Ok(1));
        assert_eq!(at_once(receiver.get()), Ok(2));
        assert_eq!(poll_next(&mut receiver), Poll::Ready(Some(3)));
        for _ in 0..2 {
            assert_eq!(poll_next(&mut receiver), Poll::Ready(None));
            assert_eq!(at_once(receiver.next()), None);
            assert_eq!(at_once(receiver.get()), Err(ShutDown));
            assert_eq!(receiver.get_nowait(), Err(GetError::ShutDown));
        }
    }

    fn the_last_sender_ends_all_that_wait() {
        let (sender, receiver) = channel::<u8>(1);
        let mut streams: Vec<_> = (0..40).map(|_| receiver.clone()).collect();
        let mut gets: Vec<_> = (0..40).map(|_| waiting(receiver.get())).collect();
        assert!(streams.iter_mut().all(|stream| poll_next(stream).is_pending()));
        let clone = sender.clone();
        drop(sender);
        assert!(gets.iter_mut().all(|get| poll(get).is_pending()));
        drop(clone);
        assert!(gets.iter_mut().all(|get| poll(get) == Poll::Ready(Err(ShutDown))));
        let ended = |stream| poll_next(stream) == Poll::Ready(None);
        assert!(streams.iter_mut().all(ended));
    }

    fn the_last_receiver_gives_items_back_to_all_that_wait() {
        let (sender, receiver) = channel(1);
        sender.put_nowait(0).unwrap();
        let mut puts: Vec<_> = (1..=40).map(|n| waiting(sender.put(n))).collect();
        let mut reserve = waiting(sender.reserve());
        let clone = receiver.clone();
        drop(receiver);
        assert!(!sender.is_closed());
        assert!(puts.iter_mut().all(|put| poll(put).is_pending()));
        drop(clone);
        assert!(sender.is_closed());
        for (put, n) in puts.iter_mut().zip(1..) {
            assert_eq!(poll(put), Poll::Ready(Err(PutError::ShutDown(n))));
        }
        assert!(matches!(poll(&mut reserve), Poll::Ready(Err(ShutDown))));
        assert_eq!(sender.put_nowait(41), Err(PutError::ShutDown(41)));
        assert_eq!(at_once(sender.put(42)), Err(PutError::ShutDown(42)));
        assert_eq!(sender.len(), 0);
    }

    fn items_that_nobody_takes_are_dropped_with_the_last_receiver() {
        let item = Rc::new(());
        let (sender, receiver) = channel(3);
        for _ in 0..3 {
            sender.put_nowait(item.clone()).unwrap();
        }
        drop(receiver);
        assert_eq!(Rc::strong_count(&item), 1);
    }

    /// Were it dropped under the lock, `local` would panic and `sync` never return.
    fn an_item_may_use_the_channel_when_it_is_dropped() {
        struct Nosy(Sender<Nosy, M>, Rc<Cell<u32>>);
        impl Drop for Nosy {
            fn drop(&mut self) {
                assert!(self.0.is_closed());
                self.1.set(self.1.get() + 1);
            }
        }
        let drops = Rc::new(Cell::new(0));
        let (sender, receiver) = channel(2);
        for _ in 0..2 {
            let nosy = Nosy(sender.clone(), drops.clone());
            assert!(sender.put_nowait(nosy).is_ok());
        }
        drop(sender);
        drop(receiver);
        assert_eq!(drops.get(), 2);
    }

    fn an_item_may_own_a_receiver_of_its_channel() {
        struct Own(#[allow(dead_code, reason = "to be dropped")] Receiver<Own, M>);
        let (sender, receiver) = channel(2);
        assert!(sender.put_nowait(Own(receiver.clone())).is_ok());
        let own = receiver.get_nowait().unwrap_or_else(|_| panic!("it was put"));
        drop(receiver);
        assert!(!sender.is_closed());
        drop(own);
        assert!(sender.is_closed());
    }

    fn a_channel_without_room_cannot_be_made() {
        let text = panic_text(|| channel::<u8>(0));
        assert!(text.starts_with("a channel with capacity 0 could never hold an item"), "{text}");
    }

    fn any_number_is_a_capacity() {
        let (sender, receiver) = channel(usize::MAX);
        for n in 0..1_000 {
            sender.put_nowait(n).unwrap();
        }
        assert_eq!((sender.capacity(), receiver.len()), (None, 1_000));
        let (sender, receiver) = channel(1);
        sender.put_nowait('a').unwrap();
        assert_eq!(sender.put_nowait('b'), Err(PutError::Full('b')));
        assert_eq!((receiver.capacity(), sender.is_full()), (Some(1), true));
        assert!(!receiver.is_empty() && !sender.is_empty());
        assert_eq!(receiver.statistics().peak, 1);
    }

    fn an_item_may_borrow() {
        let text = String::from("lent");
        let (sender, mut receiver) = channel(1);
        assert!(poll_next(&mut receiver).is_pending());
        sender.put_nowait(&text).unwrap();
        assert_eq!(poll_next(&mut receiver), Poll::Ready(Some(&text)));
    }

    fn a_stream_keeps_its_place_between_polls_and_when_it_is_moved() {
        let (sender, mut first) = channel(2);
        let second = first.clone();
        assert!(poll_next(&mut first).is_pending());
        let mut get = waiting(second.get());
        let mut moved = Box::new(first);
        assert!(poll_next(&mut moved).is_pending());
        sender.put_nowait(1).unwrap();
        assert!(poll(&mut get).is_pending());
        assert_eq!(poll_next(&mut moved), Poll::Ready(Some(1)));
        sender.put_nowait(2).unwrap();
        assert_eq!(poll(&mut get), Poll::Ready(Ok(2)));
        assert!(poll_next(&mut moved).is_pending());
        sender.put_nowait(3).unwrap();
        assert_eq!(poll_next(&mut moved), Poll::Ready(Some(3)));
    }

    fn next_goes_on_where_the_stream_stopped() {
        let (sender, mut first) = channel(2);
        let second = first.clone();
        assert!(poll_next(&mut first).is_pending());
        let mut get = waiting(second.get());
        drop(waiting(first.next()));
        sender.put_nowait(1).unwrap();
        assert!(poll(&mut get).is_pending());
        assert_eq!(at_once(first.next()), Some(1));
        sender.put_nowait(2).unwrap();
        assert_eq!(poll(&mut get), Poll::Ready(Ok(2)));
    }

    fn a_next_that_is_dropped_leaves_the_line() {
        let (sender, mut first) = channel(1);
        let second = first.clone();
        let next = waiting(first.next());
        let mut get = waiting(second.get());
        sender.put_nowait(1).unwrap();
        assert!(poll(&mut get).is_pending());
        drop(next);
        assert_eq!(poll(&mut get), Poll::Ready(Ok(1)));
    }

    fn other_ways_to_take_have_the_item_that_was_granted_to_the_stream() {
        let (sender, mut receiver) = channel(1);
        assert!(poll_next(&mut receiver).is_pending());
        sender.put_nowait(1).unwrap();
        assert_eq!(receiver.statistics().holders, 1);
        assert_eq!(receiver.get_nowait(), Ok(1));
        assert!(poll_next(&mut receiver).is_pending());
        sender.put_nowait(2).unwrap();
        assert_eq!(at_once(receiver.get()), Ok(2));
        assert_eq!(receiver.statistics().holders, 0);
    }

    fn a_stream_that_gave_its_place_up_starts_at_the_end() {
        let (sender, mut first) = channel(1);
        let second = first.clone();
        assert!(poll_next(&mut first).is_pending());
        let mut get = waiting(second.get());
        assert_eq!(first.get_nowait(), Err(GetError::Empty));
        assert!(poll_next(&mut first).is_pending());
        sender.put_nowait(1).unwrap();
        assert!(poll_next(&mut first).is_pending());
        assert_eq!(poll(&mut get), Poll::Ready(Ok(1)));
    }

    fn a_receiver_that_is_dropped_passes_its_grant_on() {
        let (sender, mut first) = channel(1);
        let second = first.clone();
        assert!(poll_next(&mut first).is_pending());
        let mut get = waiting(second.get());
        sender.put_nowait(1).unwrap();
        assert!(poll(&mut get).is_pending());
        drop(first);
        assert_eq!(poll(&mut get), Poll::Ready(Ok(1)));
    }

    fn a_clone_has_no_place() {
        let (sender, mut first) = channel(1);
        assert!(poll_next(&mut first).is_pending());
        let second = first.clone();
        assert_eq!(second.statistics().waiting, 1);
        sender.put_nowait(1).unwrap();
        assert_eq!(second.get_nowait(), Err(GetError::Empty));
        assert_eq!(poll_next(&mut first), Poll::Ready(Some(1)));
    }

    fn a_leaked_receiver_costs_its_place_and_keeps_the_channel_open() {
        let (sender, mut leaked) = channel(2);
        let receiver = leaked.clone();
        assert!(poll_next(&mut leaked).is_pending());
        leak(leaked);
        let mut get = waiting(receiver.get());
        sender.put_nowait(1).unwrap();
        assert!(poll(&mut get).is_pending(), "the leaked one was first");
        sender.put_nowait(2).unwrap();
        assert_eq!(poll(&mut get), Poll::Ready(Ok(1)));
        drop(get);
        drop(receiver);
        assert!(!sender.is_closed());
        assert_eq!(sender.put_nowait(3), Ok(()));
    }

    fn a_leaked_stream_of_which_only_the_place_is_left_outlives_the_rest() {
        let (sender, mut receiver) = channel::<Rc<()>>(1);
        assert!(poll_next(&mut receiver).is_pending());
        leak(receiver);
        drop(sender);
    }

    fn a_waker_may_drop_the_last_end_of_the_other_side() {
        let (sender, receiver) = channel::<u8>(1);
        let mut put = Box::pin({
            let sender = sender.clone();
            async move {
                sender.put(1).await.unwrap();
                sender.put(2).await
            }
        });
        let waker = Waker::from(Arc::<Bell>::default());
        assert!(poll_with(&mut put, &waker).is_pending());
        let other = receiver.clone();
        then(move || drop(other));
        assert_eq!(receiver.get_nowait(), Ok(1)); // wakes the put, which drops `other`
        assert!(ACTION.with_borrow(Option::is_none));
        drop(receiver);
        assert_eq!(poll(&mut put), Poll::Ready(Err(PutError::ShutDown(2))));
    }

    fn all_are_woken_by_the_last_sender_although_a_waker_panics() {
        let (sender, receiver) = channel::<u8>(1);
        let bells: Vec<Arc<Bell>> = (0..40).map(|_| Arc::default()).collect();
        let mut gets: Vec<_> = bells.iter().map(|_| Box::pin(receiver.get())).collect();
        for (get, bell) in gets.iter_mut().zip(&bells) {
            assert!(poll_with(get, &Waker::from(bell.clone())).is_pending());
        }
        then(|| panic!("the waker panics"));
        assert_eq!(panic_text(|| drop(sender)), "the waker panics");
        assert!(bells.iter().all(|bell| bell.0.load(Ordering::Relaxed) == 1));
        assert!(gets.iter_mut().all(|get| poll(get) == Poll::Ready(Err(ShutDown))));
    }

    fn a_receiver_leaves_although_the_waker_of_the_next_panics() {
        let (sender, mut first) = channel(1);
        let second = first.clone();
        assert!(poll_next(&mut first).is_pending());
        let mut get = Box::pin(second.get());
        let waker = Waker::from(Arc::<Bell>::default());
        assert!(poll_with(&mut get, &waker).is_pending());
        sender.put_nowait(1).unwrap();
        then(|| panic!("the waker panics"));
        assert_eq!(panic_text(|| drop(first)), "the waker panics");
        assert_eq!(poll(&mut get), Poll::Ready(Ok(1)));
        drop(get);
        drop(second);
        assert!(sender.is_closed());
    }

    fn an_end_says_in_which_state_it_is() {
        let (sender, receiver) = channel(2);
        sender.put_nowait(1).unwrap();
        let text = "er { len: 1, capacity: Some(2), closed: false }";
        assert_eq!(format!("{sender:?}"), format!("Send{text}"));
        assert_eq!(format!("{receiver:?}"), format!("Receiv{text}"));
    }
}

#[test]
fn a_stream_that_its_task_looks_past_gives_way_to_the_next() {
    let (sender, mut asleep) = primitives::channel::<_, Local>(2);
    let second = asleep.clone();
    assert!(in_task(1, || poll_next(&mut asleep)).is_pending());
    let mut get = Box::pin(second.get());
    assert!(in_task(2, || poll(&mut get)).is_pending());
    sender.put_nowait(1).unwrap();
    in_task(1, || ());
    assert_eq!(in_task(2, || poll(&mut get)), Poll::Ready(Ok(1)));
    assert!(in_task(1, || poll_next(&mut asleep)).is_pending());
    sender.put_nowait(2).unwrap();
    assert_eq!(in_task(1, || poll_next(&mut asleep)), Poll::Ready(Some(2)));
}

#[test]
fn the_end_of_the_senders_does_not_lapse() {
    let (sender, mut asleep) = primitives::channel::<u8, Local>(1);
    assert!(in_task(1, || poll_next(&mut asleep)).is_pending());
    drop(sender);
    in_task(1, || ());
    assert_eq!(in_task(1, || poll_next(&mut asleep)), Poll::Ready(None));
}

#[test]
fn a_receiver_is_unpin_whatever_the_item() {
    fn is_unpin<T: Unpin>() {}
    is_unpin::<Receiver<PhantomPinned, Local>>();
    is_unpin::<Receiver<PhantomPinned, Shared>>();
}

#[test]
fn the_ends_of_sync_cross_threads_and_are_shared() {
    fn crosses<T: Send + Sync>() {}
    // Of the items only `Send` is asked.
    crosses::<Sender<Cell<u8>, Shared>>();
    crosses::<Receiver<Cell<u8>, Shared>>();
    crosses::<ReceiverNext<'_, Cell<u8>, Shared>>();
}

#[test]
fn an_end_takes_one_or_three_words() {
    assert_eq!(size_of::<Sender<[u64; 9], Local>>(), 8);
    assert_eq!(size_of::<Receiver<[u64; 9], Local>>(), 24);
    assert_eq!(size_of::<Sender<[u64; 9], Shared>>(), 8);
    assert_eq!(size_of::<Receiver<[u64; 9], Shared>>(), 24);
    assert_eq!(size_of::<ReceiverNext<'_, [u64; 9], Local>>(), 56);
}

#[test]
fn a_thread_that_runs_a_loop_is_not_put_to_sleep() {
    let (sender, receiver) = primitives::channel::<_, Shared>(1);
    let outside = context::set_loop_thread(true);
    let (get, put) = (
        panic_text(|| receiver.blocking_get()),
        panic_text(|| sender.blocking_put(1)),
    );
    context::set_loop_thread(outside);
    assert!(get.contains("await `get` instead"), "{get}");
    assert!(put.contains("await `put` instead"), "{put}");
}
