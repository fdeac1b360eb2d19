//! Values that are awaited, side by side: set once, or set again and again with the latest seen.
//!
//! # Invariants
//! - **Both ends live**: no setter is dropped without a value, no getter before it has one.
//!
//! # Not here
//! Queues of values ([`crate::queues`]).

use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;

use crate::libraries::{
    AsyncLock, Intrusive, IntrusiveLocal, Library, LocalSync, Open, PetlaLocal, PetlaSync, Tokio,
};

/// A kind of value that is set once and awaited once.
pub trait Oneshots: Library {
    /// The end that sets.
    type Setter: 'static;
    /// The end that waits; some are the waiting future themselves, so it is pinned.
    type Getter: 'static;

    /// The two ends of a number to come.
    fn new() -> (Self::Setter, Self::Getter);

    /// Sets the number.
    fn set(setter: Self::Setter, number: usize);

    /// Waits for the number.
    fn get(getter: Pin<&mut Self::Getter>) -> impl Future<Output: Open<Value = usize>>;
}

const SET_ONCE: &str = "nothing was set before, and the getter lives";

macro_rules! oneshots {
    ($library:ident, $setter:ty, $getter:ty, $new:expr, $set:ident) => {
        impl Oneshots for $library {
            type Setter = $setter;
            type Getter = $getter;

            fn new() -> (Self::Setter, Self::Getter) {
                $new()
            }

            fn set(setter: Self::Setter, number: usize) {
                setter.$set(number).expect(SET_ONCE);
            }

            fn get(getter: Pin<&mut Self::Getter>) -> impl Future<Output: Open<Value = usize>> {
                getter
            }
        }
    };
}

oneshots!(
    PetlaLocal,
    petla::local::Setter<usize>,
    petla::local::Getter<usize>,
    petla::local::oneshot,
    set
);
oneshots!(
    PetlaSync,
    petla::sync::Setter<usize>,
    petla::sync::Getter<usize>,
    petla::sync::oneshot,
    set
);
oneshots!(
    Tokio,
    tokio::sync::oneshot::Sender<usize>,
    tokio::sync::oneshot::Receiver<usize>,
    tokio::sync::oneshot::channel,
    send
);
oneshots!(
    LocalSync,
    local_sync::oneshot::Sender<usize>,
    local_sync::oneshot::Receiver<usize>,
    local_sync::oneshot::channel,
    send
);

/// smol's crates have none: an `async_channel` of one item.
impl Oneshots for AsyncLock {
    type Setter = async_channel::Sender<usize>;
    type Getter = async_channel::Receiver<usize>;

    fn new() -> (Self::Setter, Self::Getter) {
        async_channel::bounded(1)
    }

    fn set(setter: Self::Setter, number: usize) {
        setter.try_send(number).expect(SET_ONCE);
    }

    fn get(getter: Pin<&mut Self::Getter>) -> impl Future<Output: Open<Value = usize>> {
        getter.into_ref().get_ref().recv()
    }
}

impl Oneshots for IntrusiveLocal {
    type Setter = Rc<futures_intrusive::channel::LocalOneshotChannel<usize>>;
    type Getter = Self::Setter;

    fn new() -> (Self::Setter, Self::Getter) {
        let channel = Rc::new(futures_intrusive::channel::LocalOneshotChannel::new());
        (channel.clone(), channel)
    }

    fn set(setter: Self::Setter, number: usize) {
        setter.send(number).expect(SET_ONCE);
    }

    fn get(getter: Pin<&mut Self::Getter>) -> impl Future<Output: Open<Value = usize>> {
        getter.into_ref().get_ref().receive()
    }
}

impl Oneshots for Intrusive {
    type Setter = futures_intrusive::channel::shared::OneshotSender<usize>;
    type Getter = futures_intrusive::channel::shared::OneshotReceiver<usize>;

    fn new() -> (Self::Setter, Self::Getter) {
        futures_intrusive::channel::shared::oneshot_channel()
    }

    fn set(setter: Self::Setter, number: usize) {
        setter.send(number).expect(SET_ONCE);
    }

    fn get(getter: Pin<&mut Self::Getter>) -> impl Future<Output: Open<Value = usize>> {
        getter.receive()
    }
}

/// A kind of value whose latest state many may await.
pub trait Watches: Library {
    /// The value, with its setting end.
    type Watch: 'static;
    /// One that awaits changes, and knows which it has seen.
    type Watcher<'a>;
    /// What a wait ends with.
    type Changed;

    /// A watch that holds 0.
    fn new() -> Self::Watch;

    /// Sets the number and wakes all that await a change.
    fn set(watch: &Self::Watch, number: usize);

    /// One that has seen the number of now.
    fn watcher(watch: &Self::Watch) -> Self::Watcher<'_>;

    /// Waits for a number not seen yet.
    fn changed(watcher: &mut Self::Watcher<'_>) -> impl Future<Output = Self::Changed>;

    /// The number that ended the wait, or a later one.
    fn number(watcher: &mut Self::Watcher<'_>, changed: Self::Changed) -> usize;
}

macro_rules! petla_watches {
    ($library:ident, $mode:ident, $of:ident) => {
        impl Watches for $library {
            type Watch = petla::$mode::Watch<usize>;
            type Watcher<'a> = petla::primitives::Watcher<'a, usize, petla::primitives::$of>;
            type Changed = usize;

            fn new() -> Self::Watch {
                petla::$mode::Watch::new(0)
            }

            fn set(watch: &Self::Watch, number: usize) {
                watch.set(number);
            }

            fn watcher(watch: &Self::Watch) -> Self::Watcher<'_> {
                watch.watcher()
            }

            fn changed(watcher: &mut Self::Watcher<'_>) -> impl Future<Output = Self::Changed> {
                watcher.changed()
            }

            fn number(_watcher: &mut Self::Watcher<'_>, changed: Self::Changed) -> usize {
                changed
            }
        }
    };
}

petla_watches!(PetlaLocal, local, Local);
petla_watches!(PetlaSync, sync, Shared);

impl Watches for Tokio {
    type Watch = tokio::sync::watch::Sender<usize>;
    type Watcher<'a> = tokio::sync::watch::Receiver<usize>;
    type Changed = Result<(), tokio::sync::watch::error::RecvError>;

    fn new() -> Self::Watch {
        tokio::sync::watch::Sender::new(0)
    }

    fn set(watch: &Self::Watch, number: usize) {
        watch.send(number).expect("the watchers live");
    }

    fn watcher(watch: &Self::Watch) -> Self::Watcher<'_> {
        watch.subscribe()
    }

    fn changed(watcher: &mut Self::Watcher<'_>) -> impl Future<Output = Self::Changed> {
        watcher.changed()
    }

    fn number(watcher: &mut Self::Watcher<'_>, changed: Self::Changed) -> usize {
        changed.open();
        *watcher.borrow_and_update()
    }
}

macro_rules! intrusive_watches {
    ($library:ident, $channel:ident) => {
        impl Watches for $library {
            type Watch = futures_intrusive::channel::$channel<usize>;
            type Watcher<'a> = (&'a Self::Watch, futures_intrusive::channel::StateId);
            type Changed = Option<(futures_intrusive::channel::StateId, usize)>;

            /// Holds nothing: a watcher of nothing waits as well.
            fn new() -> Self::Watch {
                futures_intrusive::channel::$channel::new()
            }

            fn set(watch: &Self::Watch, number: usize) {
                watch.send(number).expect("the channel is open");
            }

            fn watcher(watch: &Self::Watch) -> Self::Watcher<'_> {
                (watch, futures_intrusive::channel::StateId::new())
            }

            fn changed(watcher: &mut Self::Watcher<'_>) -> impl Future<Output = Self::Changed> {
                watcher.0.receive(watcher.1)
            }

            fn number(watcher: &mut Self::Watcher<'_>, changed: Self::Changed) -> usize {
                let (seen, number) = changed.open();
                watcher.1 = seen;
                number
            }
        }
    };
}

intrusive_watches!(IntrusiveLocal, LocalStateBroadcastChannel);
intrusive_watches!(Intrusive, StateBroadcastChannel);
