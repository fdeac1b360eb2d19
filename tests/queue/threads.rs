//! `sync::Queue` between threads, and what may be sent where.

use std::sync::{Arc, mpsc};
use std::thread;

use petla::primitives::{
    Fifo, Get, Item, Items, Join, Local, Next, Put, Reserve, Shared, Slot, Take,
};
use petla::{local, sync};

use super::*;
use crate::common::block_on;

#[test]
fn items_of_many_threads_arrive_once_and_in_each_ones_order() {
    const THREADS: usize = 4;
    const ITEMS: usize = 2_000;
    let queue = Arc::new(sync::Queue::bounded(3));
    let producers: Vec<_> = (0..THREADS)
        .map(|name| {
            let queue = queue.clone();
            thread::spawn(move || {
                for number in 0..ITEMS {
                    match number % 3 {
                        0 => queue.blocking_put((name, number)).unwrap(),
                        1 => block_on(queue.put((name, number))).unwrap(),
                        _ => block_on(queue.reserve()).unwrap().put((name, number)),
                    }
                }
            })
        })
        .collect();
    let consumers: Vec<_> = (0..THREADS)
        .map(|_| {
            let queue = queue.clone();
            thread::spawn(move || {
                let mut got = Vec::new();
                while let Ok(item) = block_on(queue.take()) {
                    got.push(*item);
                }
                got
            })
        })
        .collect();
    for producer in producers {
        producer.join().unwrap();
    }
    block_on(queue.join());
    queue.shutdown(false);
    let got: Vec<_> = consumers
        .into_iter()
        .map(|thread| thread.join().unwrap())
        .collect();
    for each in &got {
        for name in 0..THREADS {
            let numbers: Vec<_> = each.iter().filter(|(n, _)| *n == name).collect();
            assert!(numbers.is_sorted());
        }
    }
    let mut all = got.concat();
    all.sort_unstable();
    let expected: Vec<_> = (0..THREADS)
        .flat_map(|name| (0..ITEMS).map(move |number| (name, number)))
        .collect();
    assert_eq!(all, expected);
}

/// B20: python/asyncio 343: the deadline and the put at the same moment.
#[test]
fn no_item_is_lost_when_gets_are_given_up_while_others_put() {
    const ITEMS: usize = 5_000;
    let queue = Arc::new(sync::Queue::bounded(2));
    let producer = thread::spawn({
        let queue = queue.clone();
        move || (0..ITEMS).for_each(|item| queue.blocking_put(item).unwrap())
    });
    let mut got = Vec::new();
    while got.len() < ITEMS {
        if let Poll::Ready(item) = hand(queue.get()).poll() {
            got.push(item.unwrap());
        } else {
            thread::yield_now();
        }
    }
    producer.join().unwrap();
    assert!(got.into_iter().eq(0..ITEMS));
}

#[test]
fn a_shutdown_ends_threads_that_sleep() {
    let queue = Arc::new(sync::Queue::bounded(1));
    let (ready, is_ready) = mpsc::channel();
    let sleeper = thread::spawn({
        let queue = queue.clone();
        move || {
            queue.blocking_put(1).unwrap();
            ready.send(()).unwrap();
            queue.blocking_put(2)
        }
    });
    is_ready.recv().unwrap();
    queue.shutdown(false);
    assert_eq!(sleeper.join().unwrap(), Err(sync::PutError::ShutDown(2)));
    assert_eq!(queue.blocking_get(), Ok(1));
    assert_eq!(queue.blocking_get(), Err(sync::ShutDown));
}

/// Whether a type is `Send` and `Sync`: the inherent constants win where their bounds hold.
trait Neither {
    const SEND: bool = false;
    const SYNC: bool = false;
}
impl<T> Neither for T {}
struct Probe<T>(std::marker::PhantomData<T>);
impl<T: Send> Probe<T> {
    const SEND: bool = true;
}
impl<T: Sync> Probe<T> {
    const SYNC: bool = true;
}
macro_rules! send_sync {
    ($type:ty) => {
        (<Probe<$type>>::SEND, <Probe<$type>>::SYNC)
    };
}

/// `Send`, but not `Sync`.
type SendOnly = std::cell::Cell<u8>;
/// Neither.
type Stays = std::rc::Rc<u8>;

#[test]
fn sync_types_are_send_and_sync_as_far_as_their_items_allow() {
    const BOTH: (bool, bool) = (true, true);
    assert_eq!(send_sync!(sync::Queue<u8>), BOTH);
    assert_eq!(send_sync!(sync::Queue<SendOnly>), BOTH);
    assert_eq!(send_sync!(sync::Queue<Stays>), (false, false));
    assert_eq!(send_sync!(Get<'static, SendOnly, Fifo, Shared>), BOTH);
    assert_eq!(
        send_sync!(Get<'static, Stays, Fifo, Shared>),
        (false, false)
    );
    assert_eq!(send_sync!(Put<'static, u8, Fifo, Shared>), BOTH);
    assert_eq!(
        send_sync!(Put<'static, SendOnly, Fifo, Shared>),
        (true, false)
    );
    assert_eq!(
        send_sync!(Put<'static, Stays, Fifo, Shared>),
        (false, false)
    );
    assert_eq!(send_sync!(Take<'static, u8, Fifo, Shared>), BOTH);
    assert_eq!(send_sync!(Reserve<'static, SendOnly, Fifo, Shared>), BOTH);
    assert_eq!(send_sync!(Join<'static, SendOnly, Fifo, Shared>), BOTH);
    assert_eq!(send_sync!(Slot<'static, SendOnly, Fifo, Shared>), BOTH);
    assert_eq!(
        send_sync!(Slot<'static, Stays, Fifo, Shared>),
        (false, false)
    );
    assert_eq!(
        send_sync!(Item<'static, SendOnly, Fifo, Shared>),
        (true, false)
    );
    assert_eq!(send_sync!(Items<'static, SendOnly, Fifo, Shared>), BOTH);
    assert_eq!(
        send_sync!(Next<'static, 'static, SendOnly, Fifo, Shared>),
        BOTH
    );
}

#[test]
fn local_types_stay_on_their_thread() {
    const NEITHER: (bool, bool) = (false, false);
    assert_eq!(send_sync!(local::Queue<u8>), NEITHER);
    assert_eq!(send_sync!(Get<'static, u8, Fifo, Local>), NEITHER);
    assert_eq!(send_sync!(Put<'static, u8, Fifo, Local>), NEITHER);
    assert_eq!(send_sync!(Join<'static, u8, Fifo, Local>), NEITHER);
    assert_eq!(send_sync!(Slot<'static, u8, Fifo, Local>), NEITHER);
    assert_eq!(send_sync!(Item<'static, u8, Fifo, Local>), NEITHER);
    assert_eq!(send_sync!(Items<'static, u8, Fifo, Local>), NEITHER);
}
