//! The queues side by side: what each runtime's users put between two tasks.
//!
//! The same idea as [`crate::runtimes`]: a workload is generic over [`Queues`], and only this file
//! knows the types. petla comes twice, as its two modes cost differently: `local` stays on its
//! loop, `sync` may be used between threads, as tokio's and smol's queues may (and monoio's not).
//!
//! # Invariants
//! - **FIFO**: every queue here gives items in the order put, so workloads can check the order.
//! - **Never closed**: a workload knows how many items come. Both ends live until the last one.
//!
//! # Not here
//! Closing, `try_*`, several consumers: not every peer has them.

use std::future::Future;
use std::rc::Rc;
use std::sync::Arc;

/// A kind of queue.
pub trait Queues: 'static {
    /// The end that puts.
    type Sender<T: 'static>: Clone + 'static;
    /// The end that gets.
    type Receiver<T: 'static>: 'static;

    /// A queue for `capacity` items, or for any number if this kind is unbounded.
    fn queue<T: 'static>(capacity: usize) -> (Self::Sender<T>, Self::Receiver<T>);

    /// Waits for room.
    fn put<T: 'static>(sender: &Self::Sender<T>, item: T) -> impl Future<Output = ()>;

    /// Waits for an item.
    fn get<T: 'static>(receiver: &mut Self::Receiver<T>) -> impl Future<Output = T>;
}

/// The capacity to give where the kind is unbounded.
pub const UNBOUNDED: usize = usize::MAX;

const OPEN: &str = "both ends of the queue are open";

/// `petla::local::Queue`.
#[derive(Debug)]
pub struct PetlaLocal;

impl Queues for PetlaLocal {
    type Sender<T: 'static> = Rc<petla::local::Queue<T>>;
    type Receiver<T: 'static> = Rc<petla::local::Queue<T>>;

    fn queue<T: 'static>(capacity: usize) -> (Self::Sender<T>, Self::Receiver<T>) {
        let queue = Rc::new(match capacity {
            UNBOUNDED => petla::local::Queue::unbounded(),
            capacity => petla::local::Queue::bounded(capacity),
        });
        (queue.clone(), queue)
    }

    async fn put<T: 'static>(sender: &Self::Sender<T>, item: T) {
        assert!(sender.put(item).await.is_ok(), "{OPEN}");
    }

    async fn get<T: 'static>(receiver: &mut Self::Receiver<T>) -> T {
        receiver.get().await.expect(OPEN)
    }
}

/// `petla::sync::Queue`.
#[derive(Debug)]
pub struct PetlaSync;

impl Queues for PetlaSync {
    type Sender<T: 'static> = Arc<petla::sync::Queue<T>>;
    type Receiver<T: 'static> = Arc<petla::sync::Queue<T>>;

    fn queue<T: 'static>(capacity: usize) -> (Self::Sender<T>, Self::Receiver<T>) {
        let queue = Arc::new(match capacity {
            UNBOUNDED => petla::sync::Queue::unbounded(),
            capacity => petla::sync::Queue::bounded(capacity),
        });
        (queue.clone(), queue)
    }

    async fn put<T: 'static>(sender: &Self::Sender<T>, item: T) {
        assert!(sender.put(item).await.is_ok(), "{OPEN}");
    }

    async fn get<T: 'static>(receiver: &mut Self::Receiver<T>) -> T {
        receiver.get().await.expect(OPEN)
    }
}

/// `tokio::sync::mpsc::channel`.
#[derive(Debug)]
pub struct TokioMpsc;

impl Queues for TokioMpsc {
    type Sender<T: 'static> = tokio::sync::mpsc::Sender<T>;
    type Receiver<T: 'static> = tokio::sync::mpsc::Receiver<T>;

    fn queue<T: 'static>(capacity: usize) -> (Self::Sender<T>, Self::Receiver<T>) {
        tokio::sync::mpsc::channel(capacity)
    }

    async fn put<T: 'static>(sender: &Self::Sender<T>, item: T) {
        assert!(sender.send(item).await.is_ok(), "{OPEN}");
    }

    async fn get<T: 'static>(receiver: &mut Self::Receiver<T>) -> T {
        receiver.recv().await.expect(OPEN)
    }
}

/// `tokio::sync::mpsc::unbounded_channel`.
#[derive(Debug)]
pub struct TokioUnbounded;

impl Queues for TokioUnbounded {
    type Sender<T: 'static> = tokio::sync::mpsc::UnboundedSender<T>;
    type Receiver<T: 'static> = tokio::sync::mpsc::UnboundedReceiver<T>;

    fn queue<T: 'static>(_capacity: usize) -> (Self::Sender<T>, Self::Receiver<T>) {
        tokio::sync::mpsc::unbounded_channel()
    }

    async fn put<T: 'static>(sender: &Self::Sender<T>, item: T) {
        assert!(sender.send(item).is_ok(), "{OPEN}");
    }

    async fn get<T: 'static>(receiver: &mut Self::Receiver<T>) -> T {
        receiver.recv().await.expect(OPEN)
    }
}

/// `async_channel`, smol's.
#[derive(Debug)]
pub struct AsyncChannel;

impl Queues for AsyncChannel {
    type Sender<T: 'static> = async_channel::Sender<T>;
    type Receiver<T: 'static> = async_channel::Receiver<T>;

    fn queue<T: 'static>(capacity: usize) -> (Self::Sender<T>, Self::Receiver<T>) {
        match capacity {
            UNBOUNDED => async_channel::unbounded(),
            capacity => async_channel::bounded(capacity),
        }
    }

    async fn put<T: 'static>(sender: &Self::Sender<T>, item: T) {
        assert!(sender.send(item).await.is_ok(), "{OPEN}");
    }

    async fn get<T: 'static>(receiver: &mut Self::Receiver<T>) -> T {
        receiver.recv().await.expect(OPEN)
    }
}

/// `local_sync::mpsc::bounded`, for monoio.
#[derive(Debug)]
pub struct LocalSync;

impl Queues for LocalSync {
    type Sender<T: 'static> = local_sync::mpsc::bounded::Tx<T>;
    type Receiver<T: 'static> = local_sync::mpsc::bounded::Rx<T>;

    fn queue<T: 'static>(capacity: usize) -> (Self::Sender<T>, Self::Receiver<T>) {
        local_sync::mpsc::bounded::channel(capacity)
    }

    async fn put<T: 'static>(sender: &Self::Sender<T>, item: T) {
        assert!(sender.send(item).await.is_ok(), "{OPEN}");
    }

    async fn get<T: 'static>(receiver: &mut Self::Receiver<T>) -> T {
        receiver.recv().await.expect(OPEN)
    }
}

/// `local_sync::mpsc::unbounded`, for monoio.
#[derive(Debug)]
pub struct LocalSyncUnbounded;

impl Queues for LocalSyncUnbounded {
    type Sender<T: 'static> = local_sync::mpsc::unbounded::Tx<T>;
    type Receiver<T: 'static> = local_sync::mpsc::unbounded::Rx<T>;

    fn queue<T: 'static>(_capacity: usize) -> (Self::Sender<T>, Self::Receiver<T>) {
        local_sync::mpsc::unbounded::channel()
    }

    async fn put<T: 'static>(sender: &Self::Sender<T>, item: T) {
        assert!(sender.send(item).is_ok(), "{OPEN}");
    }

    async fn get<T: 'static>(receiver: &mut Self::Receiver<T>) -> T {
        receiver.recv().await.expect(OPEN)
    }
}
