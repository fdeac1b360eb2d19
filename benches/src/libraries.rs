//! The libraries of primitives side by side, each a marker type.
//!
//! A primitive can be measured in two places. On its own runtime it costs what its users pay; on
//! petla's executor the executor is the same for all, and what differs is the primitive. So a
//! workload is generic over the runtime ([`crate::runtimes`]) and over the library, and a figure
//! lists the pairs that make sense. What a library offers, it offers by implementing the traits of
//! [`crate::locks`], [`crate::events`], [`crate::values`], [`crate::queues`] and
//! [`crate::combinators`] for its marker.
//!
//! # Invariants
//! - **Plain**: a method of those traits is the one call that the library's users write. What
//!   waits is that call's own future: an `async` block around it would be a good part of the
//!   figure. Only the conditions built from parts are `async` functions, as their users' are.
//! - **No stand-ins unsaid**: where a library lacks a primitive and its users build it from
//!   another, the `impl` says from which; where they would not, there is none.
//!
//! # Not here
//! Workloads, and any use of a library across threads that it does not allow.

/// A library of primitives.
pub trait Library: 'static {
    /// The column's title where all run on petla's executor.
    const NAME: &'static str;
}

macro_rules! libraries {
    ($($(#[$doc:meta])* $library:ident = $name:expr;)+) => {$(
        $(#[$doc])*
        #[derive(Debug)]
        pub struct $library;

        impl Library for $library {
            const NAME: &'static str = $name;
        }
    )+};
}

libraries! {
    /// `petla::local`: one loop, no atomics.
    PetlaLocal = crate::PETLA;
    /// `petla::sync`: between loops and threads.
    PetlaSync = crate::PETLA_SYNC;
    /// `tokio::sync`: between threads, on any runtime.
    Tokio = "tokio::sync";
    /// What smol re-exports: async-lock, and async-channel and event-listener, which it is made
    /// with. Between threads, on any runtime. A waiter is a block of the heap.
    AsyncLock = "async-lock";
    /// local-sync, for monoio: one thread.
    LocalSync = "local-sync";
    /// futures-intrusive over a lock that does nothing: one thread.
    IntrusiveLocal = "futures-intrusive local";
    /// futures-intrusive over `parking_lot`'s lock: between threads.
    Intrusive = "futures-intrusive";
    /// The combinators of futures, `join_all` and `join!`: on any runtime.
    Futures = "futures join";
    /// futures' set of futures: on any runtime.
    Unordered = "FuturesUnordered";
    /// futures-concurrency: on any runtime.
    Concurrency = "futures-concurrency";
    /// tokio's set of tasks: on its `LocalRuntime`.
    JoinSets = "tokio JoinSet";
}

/// What a wait for something that can close ends with, when nothing was closed.
pub trait Open {
    /// What was waited for.
    type Value;

    /// It; panics if the other end was closed.
    fn open(self) -> Self::Value;
}

const OPEN: &str = "both ends are open";

impl<T, E> Open for Result<T, E> {
    type Value = T;

    fn open(self) -> T {
        self.ok().expect(OPEN)
    }
}

impl<T> Open for Option<T> {
    type Value = T;

    fn open(self) -> T {
        self.expect(OPEN)
    }
}

/// One [`Contender`](crate::Contender) for each library on petla's executor, and after the
/// semicolon for each other runtime with the library of its users.
///
/// `on_libraries!(work: PetlaLocal, Tokio; Smol with AsyncLock)` where
/// `fn work<R: Runtime, L: Library>(size: usize) -> Cost`; the libraries' names are in scope.
#[macro_export]
macro_rules! on_libraries {
    ($work:ident: $($library:ident),+; $($runtime:ident with $its:ident),*) => {{
        use $crate::libraries::Library as _;
        use $crate::runtimes::Runtime as _;
        vec![
            $($crate::Contender {
                name: $library::NAME,
                run: $work::<$crate::runtimes::Petla, $library>
                    as fn(usize) -> $crate::Cost,
            },)+
            $($crate::Contender {
                name: $crate::runtimes::$runtime::NAME,
                run: $work::<$crate::runtimes::$runtime, $its>,
            },)*
        ]
    }};
}

/// [`on_libraries!`](crate::on_libraries) for what every library has. petla's kinds of it may be
/// other types than [`PetlaLocal`] and [`PetlaSync`]: `on_all_libraries!(work: Local, Sync)`.
#[macro_export]
macro_rules! on_all_libraries {
    ($work:ident) => {{
        use $crate::libraries::{PetlaLocal, PetlaSync};
        $crate::on_all_libraries!($work: PetlaLocal, PetlaSync)
    }};
    ($work:ident: $local:ident, $sync:ident) => {{
        use $crate::libraries::{AsyncLock, Intrusive, IntrusiveLocal, LocalSync, Tokio};
        $crate::on_libraries!($work:
            $local, $sync, Tokio, AsyncLock, LocalSync, IntrusiveLocal, Intrusive;
            TokioLocal with Tokio,
            TokioCurrentThread with Tokio,
            Smol with AsyncLock,
            Monoio with LocalSync)
    }};
}

/// [`on_libraries!`](crate::on_libraries) for what only tokio's and smol's have, beside petla's.
#[macro_export]
macro_rules! on_tokio_and_smol {
    ($work:ident) => {{
        use $crate::libraries::{AsyncLock, PetlaLocal, PetlaSync, Tokio};
        $crate::on_libraries!($work:
            PetlaLocal, PetlaSync, Tokio, AsyncLock;
            TokioLocal with Tokio,
            TokioCurrentThread with Tokio,
            Smol with AsyncLock)
    }};
}
