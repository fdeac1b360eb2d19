//! The queues side by side: what users put between two tasks.
//!
//! The same idea as [`crate::runtimes`]: a workload is generic over [`Queues`], and only this file
//! knows the types. petla comes twice, as its two modes cost differently: `local` stays on its
//! loop, `sync` may be used between threads, as tokio's and smol's queues may (and monoio's not).
//!
//! # Invariants
//! - **FIFO**: every queue here gives items in the order put, so workloads can check the order.
//! - **Never closed**: a workload knows how many items come. Both ends live until the last one.
//! - **Unwrapped**: `put` and `get` return the queue's own future; see [`crate::libraries`].
//!
//! # Not here
//! Closing, `try_*`, several consumers: not every peer has them.

use std::future::{Future, ready};
use std::rc::Rc;
use std::sync::Arc;

use crate::libraries::{
    AsyncLock, Intrusive, IntrusiveLocal, Library, LocalSync, Open, PetlaLocal, PetlaSync, Tokio,
};

/// A kind of queue.
pub trait Queues: 'static {
    /// The end that puts.
    type Sender<T: Send + 'static>: Clone + 'static;
    /// The end that gets.
    type Receiver<T: Send + 'static>: 'static;

    /// A queue for `capacity` items, or for any number if this kind is unbounded.
    fn queue<T: Send + 'static>(capacity: usize) -> (Self::Sender<T>, Self::Receiver<T>);

    /// Waits for room.
    fn put<T: Send + 'static>(
        sender: &Self::Sender<T>,
        item: T,
    ) -> impl Future<Output: Open<Value = ()>>;

    /// Waits for an item.
    fn get<T: Send + 'static>(
        receiver: &mut Self::Receiver<T>,
    ) -> impl Future<Output: Open<Value = T>>;
}

/// The capacity to give where the kind is unbounded.
pub const UNBOUNDED: usize = usize::MAX;

macro_rules! petla_queues {
    ($library:ident, $queue:ty, $shared:ident) => {
        impl Queues for $library {
            type Sender<T: Send + 'static> = $shared<$queue>;
            type Receiver<T: Send + 'static> = $shared<$queue>;

            fn queue<T: Send + 'static>(capacity: usize) -> (Self::Sender<T>, Self::Receiver<T>) {
                let queue = $shared::new(match capacity {
                    UNBOUNDED => <$queue>::unbounded(),
                    capacity => <$queue>::bounded(capacity),
                });
                (queue.clone(), queue)
            }

            fn put<T: Send + 'static>(
                sender: &Self::Sender<T>,
                item: T,
            ) -> impl Future<Output: Open<Value = ()>> {
                sender.put(item)
            }

            fn get<T: Send + 'static>(
                receiver: &mut Self::Receiver<T>,
            ) -> impl Future<Output: Open<Value = T>> {
                receiver.get()
            }
        }
    };
}

petla_queues!(PetlaLocal, petla::local::Queue<T>, Rc);
petla_queues!(PetlaSync, petla::sync::Queue<T>, Arc);

/// A queue of two ends, made by one function and waited for by two methods.
macro_rules! two_ends {
    ($library:ident, $sender:ty, $receiver:ty, $make:expr, $put:ident, $get:ident) => {
        impl Queues for $library {
            type Sender<T: Send + 'static> = $sender;
            type Receiver<T: Send + 'static> = $receiver;

            fn queue<T: Send + 'static>(capacity: usize) -> (Self::Sender<T>, Self::Receiver<T>) {
                $make(capacity)
            }

            fn put<T: Send + 'static>(
                sender: &Self::Sender<T>,
                item: T,
            ) -> impl Future<Output: Open<Value = ()>> {
                sender.$put(item)
            }

            fn get<T: Send + 'static>(
                receiver: &mut Self::Receiver<T>,
            ) -> impl Future<Output: Open<Value = T>> {
                receiver.$get()
            }
        }
    };
}

/// `petla::local::channel`.
#[derive(Debug)]
pub struct PetlaLocalChannel;

impl Library for PetlaLocalChannel {
    const NAME: &'static str = PetlaLocal::NAME;
}

two_ends!(
    PetlaLocalChannel,
    petla::local::Sender<T>,
    petla::local::Receiver<T>,
    petla::local::channel,
    put,
    get
);

/// `petla::sync::channel`.
#[derive(Debug)]
pub struct PetlaSyncChannel;

impl Library for PetlaSyncChannel {
    const NAME: &'static str = PetlaSync::NAME;
}

two_ends!(
    PetlaSyncChannel,
    petla::sync::Sender<T>,
    petla::sync::Receiver<T>,
    petla::sync::channel,
    put,
    get
);

two_ends!(
    Tokio,
    tokio::sync::mpsc::Sender<T>,
    tokio::sync::mpsc::Receiver<T>,
    tokio::sync::mpsc::channel,
    send,
    recv
);
two_ends!(
    AsyncLock,
    async_channel::Sender<T>,
    async_channel::Receiver<T>,
    async_channel,
    send,
    recv
);
two_ends!(
    LocalSync,
    local_sync::mpsc::bounded::Tx<T>,
    local_sync::mpsc::bounded::Rx<T>,
    local_sync::mpsc::bounded::channel,
    send,
    recv
);
two_ends!(
    Intrusive,
    futures_intrusive::channel::shared::Sender<T>,
    futures_intrusive::channel::shared::Receiver<T>,
    futures_intrusive::channel::shared::channel,
    send,
    receive
);
two_ends!(
    IntrusiveLocal,
    Rc<IntrusiveArray<T>>,
    Rc<IntrusiveArray<T>>,
    intrusive_array,
    send,
    receive
);

fn async_channel<T>(capacity: usize) -> (async_channel::Sender<T>, async_channel::Receiver<T>) {
    match capacity {
        UNBOUNDED => async_channel::unbounded(),
        capacity => async_channel::bounded(capacity),
    }
}

/// Room for a fixed number of items: a heap buffer's type cannot be named with this lock.
type IntrusiveArray<T> = futures_intrusive::channel::LocalChannel<T, [T; 64]>;

/// Ends of a queue with room for 64, if less was asked for: a workload that wants less must not
/// put more.
fn intrusive_array<T>(capacity: usize) -> (Rc<IntrusiveArray<T>>, Rc<IntrusiveArray<T>>) {
    assert!(capacity <= 64, "the array's size is fixed");
    let queue = Rc::new(IntrusiveArray::new());
    (queue.clone(), queue)
}

/// A queue without a limit, where that is another type: its `put` never waits.
macro_rules! unbounded {
    ($(#[$doc:meta])* $name:ident, $sender:ty, $receiver:ty, $make:expr) => {
        $(#[$doc])*
        #[derive(Debug)]
        pub struct $name;

        impl Queues for $name {
            type Sender<T: Send + 'static> = $sender;
            type Receiver<T: Send + 'static> = $receiver;

            fn queue<T: Send + 'static>(_capacity: usize) -> (Self::Sender<T>, Self::Receiver<T>) {
                $make()
            }

            fn put<T: Send + 'static>(
                sender: &Self::Sender<T>,
                item: T,
            ) -> impl Future<Output: Open<Value = ()>> {
                ready(sender.send(item))
            }

            fn get<T: Send + 'static>(
                receiver: &mut Self::Receiver<T>,
            ) -> impl Future<Output: Open<Value = T>> {
                receiver.recv()
            }
        }
    };
}

unbounded!(
    /// `tokio::sync::mpsc::unbounded_channel`.
    TokioUnbounded,
    tokio::sync::mpsc::UnboundedSender<T>,
    tokio::sync::mpsc::UnboundedReceiver<T>,
    tokio::sync::mpsc::unbounded_channel
);
unbounded!(
    /// `local_sync::mpsc::unbounded`.
    LocalSyncUnbounded,
    local_sync::mpsc::unbounded::Tx<T>,
    local_sync::mpsc::unbounded::Rx<T>,
    local_sync::mpsc::unbounded::channel
);
