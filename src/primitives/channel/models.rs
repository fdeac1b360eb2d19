//! Loom models of `sync::channel`: ends that come and go while others wait.
//!
//! A lost wake-up shows as a deadlock; a lost, doubled or leaked item as a wrong count.
//!
//! # Bounds
//! Here the bound on pre-emptions of `.ci/loom`. All orders were tried of all models but
//! `the_last_of_two_senders_..`, `a_clone_keeps_..` and `a_stream_that_is_dropped_..`, which did
//! not end in a minute and were explored up to four pre-emptions.
//!
//! # What the models catch
//! `.ci/mutate channel` seeds each line; two pre-emptions suffice for all of them.
//!
//! | mutation | fails |
//! | --- | --- |
//! | the last sender ends nothing | `the_last_sender_..`, `threads_sleep_..` |
//! | the last receiver ends nothing, or keeps the items | `the_last_receiver_..` |
//! | the last sender drops the items | `the_last_sender_..`, `the_last_of_two_senders_..` |
//! | a clone is not counted | `a_clone_keeps_..` |
//! | an end looks and leaves in two locks | `the_last_of_two_..` |
//! | `get` leaves the stream its place | `a_get_has_the_item_..`, `two_gets_..` |
//! | `next` stands behind the stream | `next_goes_on_..` |
//! | `Held::give_up` grants nothing | `a_stream_that_gives_its_place_up_..` |
//! | `Held` does not drop its waiter | `a_stream_that_is_dropped_..` |
//!
//! # Not here
//! What puts and gets do to each other: the queue's models. `local`: it has no threads.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

use futures_core::Stream;
use loom::future::block_on;
use loom::thread;

use super::channel;
use crate::primitives::{PutError, ShutDown};
use crate::rt::{Arc, AtomicUsize, Ordering};
use crate::wait_list::Shared;

type Sender<T> = super::Sender<T, Shared>;
type Receiver<T> = super::Receiver<T, Shared>;

fn ends<T>(capacity: usize) -> (Sender<T>, Receiver<T>) {
    channel(capacity)
}

/// The result of one poll; the future is dropped at once, wherever it stands.
fn poll_once<F: Future>(future: F) -> Option<F::Output> {
    let future = pin!(future);
    match future.poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => Some(output),
        Poll::Pending => None,
    }
}

/// One call of `poll_next`, whose wake-up goes nowhere. The stream keeps its place.
fn poll_next<T>(receiver: &mut Receiver<T>) -> Poll<Option<T>> {
    Pin::new(receiver).poll_next(&mut Context::from_waker(Waker::noop()))
}

/// The next item, by `poll_next`.
fn next<T>(receiver: &mut Receiver<T>) -> Option<T> {
    block_on(poll_fn(|cx| Pin::new(&mut *receiver).poll_next(cx)))
}

/// Counts its drops.
struct Counted(Arc<AtomicUsize>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn the_last_sender_ends_a_get_after_the_last_item() {
    loom::model(|| {
        let (sender, receiver) = ends(1);
        let thread = thread::spawn(move || block_on(sender.put(1)));
        assert_eq!(block_on(receiver.get()), Ok(1));
        assert_eq!(block_on(receiver.get()), Err(ShutDown));
        assert_eq!(thread.join().unwrap(), Ok(()));
    });
}

#[test]
fn the_last_of_two_senders_ends_the_stream() {
    loom::model(|| {
        let (first, mut receiver) = ends(2);
        let senders = [first.clone(), first];
        let threads = senders.map(|sender| thread::spawn(move || sender.put_nowait(1).unwrap()));
        let mut sum = 0;
        while let Some(item) = next(&mut receiver) {
            sum += item;
        }
        assert_eq!(sum, 2);
        for thread in threads {
            thread.join().unwrap();
        }
    });
}

#[test]
fn the_last_receiver_ends_a_put_that_waits() {
    loom::model(|| {
        let drops = Arc::new(AtomicUsize::new(0));
        let (sender, receiver) = ends(1);
        let items = [Counted(drops.clone()), Counted(drops.clone())];
        let thread = thread::spawn(move || {
            for item in items {
                // What was not put comes back in the error.
                if let Err(PutError::Full(_)) = block_on(sender.put(item)) {
                    unreachable!("it waits for a place");
                }
            }
            assert!(sender.is_closed() && sender.is_empty());
        });
        drop(receiver);
        thread.join().unwrap();
        assert_eq!(drops.load(Ordering::Relaxed), 2);
    });
}

#[test]
fn the_last_of_two_receivers_ends_a_put() {
    loom::model(|| {
        let (sender, first) = ends(1);
        sender.put_nowait(0).unwrap();
        let receivers = [first.clone(), first];
        let threads = receivers.map(|receiver| thread::spawn(move || drop(receiver)));
        assert_eq!(block_on(sender.put(1)), Err(PutError::ShutDown(1)));
        for thread in threads {
            thread.join().unwrap();
        }
    });
}

#[test]
fn a_clone_keeps_the_channel_open_whoever_else_leaves() {
    loom::model(|| {
        let (first, receiver) = ends(1);
        let second = first.clone();
        let cloner = thread::spawn(move || {
            let clone = first.clone();
            drop(first);
            clone.put_nowait(1)
        });
        let leaver = thread::spawn(move || drop(second));
        assert_eq!(block_on(receiver.get()), Ok(1));
        assert_eq!(block_on(receiver.get()), Err(ShutDown));
        assert_eq!(cloner.join().unwrap(), Ok(()));
        leaver.join().unwrap();
    });
}

#[test]
fn both_last_ends_can_leave_at_once() {
    loom::model(|| {
        let drops = Arc::new(AtomicUsize::new(0));
        let (sender, mut receiver) = ends(1);
        assert!(poll_next(&mut receiver).is_pending());
        let item = Counted(drops.clone());
        let thread = thread::spawn(move || drop(sender.put_nowait(item)));
        drop(receiver);
        thread.join().unwrap();
        assert_eq!(drops.load(Ordering::Relaxed), 1);
    });
}

#[test]
fn a_stream_that_is_dropped_passes_its_right_on() {
    loom::model(|| {
        let (sender, stays) = ends(1);
        let mut leaves = stays.clone();
        let getter = thread::spawn(move || block_on(stays.get()));
        let putter = thread::spawn(move || block_on(sender.put(7)));
        let item = match poll_next(&mut leaves) {
            Poll::Ready(item) => item,
            Poll::Pending => None,
        };
        drop(leaves);
        let got = getter.join().unwrap();
        assert_eq!(putter.join().unwrap(), Ok(()));
        assert_eq!(item.or(got.ok()), Some(7));
        assert!(item.is_none() || got.is_err());
    });
}

#[test]
fn a_get_has_the_item_that_was_granted_to_the_unfinished_stream() {
    loom::model(|| {
        let (sender, mut receiver) = ends(1);
        assert!(poll_next(&mut receiver).is_pending());
        let thread = thread::spawn(move || sender.put_nowait(7).unwrap());
        assert_eq!(block_on(receiver.get()), Ok(7));
        thread.join().unwrap();
    });
}

#[test]
fn a_stream_that_gives_its_place_up_passes_its_right_on() {
    loom::model(|| {
        let (sender, mut stays) = ends(1);
        assert!(poll_next(&mut stays).is_pending());
        let other = stays.clone();
        let thread = thread::spawn(move || block_on(other.get()));
        sender.put_nowait(7).unwrap();
        drop(stays.get());
        assert_eq!(thread.join().unwrap(), Ok(7));
    });
}

#[test]
fn two_gets_of_one_receiver_give_up_its_place_at_once() {
    loom::model(|| {
        let (sender, mut receiver) = ends(2);
        assert!(poll_next(&mut receiver).is_pending());
        sender.put_nowait(1).unwrap();
        let receiver = Arc::new(receiver);
        let thread = thread::spawn({
            let receiver = receiver.clone();
            move || block_on(receiver.get())
        });
        sender.put_nowait(1).unwrap();
        assert_eq!(block_on(receiver.get()), Ok(1));
        assert_eq!(thread.join().unwrap(), Ok(1));
        assert_eq!(receiver.statistics().holders, 0);
    });
}

#[test]
fn next_goes_on_where_the_stream_stopped() {
    loom::model(|| {
        let (sender, mut receiver) = ends(1);
        assert!(poll_next(&mut receiver).is_pending());
        let thread = thread::spawn(move || sender.put_nowait(7).unwrap());
        let first = poll_once(receiver.next());
        let item = first.unwrap_or_else(|| block_on(receiver.next()));
        assert_eq!(item, Some(7));
        thread.join().unwrap();
    });
}

#[test]
fn a_cancelled_get_leaves_the_item() {
    loom::model(|| {
        let (sender, receiver) = ends(1);
        let thread = thread::spawn(move || sender.put_nowait(7).unwrap());
        let item = poll_once(receiver.get()).unwrap_or_else(|| block_on(receiver.get()));
        assert_eq!(item, Ok(7));
        thread.join().unwrap();
    });
}

#[test]
fn threads_sleep_until_there_is_an_item_or_no_end() {
    loom::model(|| {
        let (sender, receiver) = ends(1);
        let sleeper = thread::spawn(move || [receiver.blocking_get(), receiver.blocking_get()]);
        sender.blocking_put(1).unwrap();
        drop(sender);
        assert_eq!(sleeper.join().unwrap(), [Ok(1), Err(ShutDown)]);
    });
}
