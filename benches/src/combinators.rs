//! The ways to run many futures at once: one trait a question, an implementation a library.
//!
//! Each method is what the library's users write. Whatever has no order of its own (a set that
//! gives results as they come) collects them into a list as they come, because that is what its
//! users do who want them all.
//!
//! # Not here
//! Tasks of a runtime that are only joined: `Runtime::spawn`.

use std::future::Future;

use futures_concurrency::future::Join as _;
use futures_util::future::join_all;
use futures_util::stream::{FuturesUnordered, StreamExt as _};
use tokio::task::JoinSet;

use crate::libraries::{Concurrency, Futures, JoinSets, Library, PetlaLocal, Tokio, Unordered};

/// The columns of other libraries' combinators on petla's executor.
pub const ON_PETLA: [&str; 7] = [
    Futures::NAME,
    Unordered::NAME,
    Concurrency::NAME,
    TOKIO_JOIN,
    SELECT_ALL,
    PETLA_TIMEOUT,
    PETLA_SPAWN,
];
/// The columns of what else tokio's users take, on its `LocalRuntime`.
pub const ON_TOKIO: [&str; 3] = [JoinSets::NAME, UNORDERED_ON_TOKIO, CONCURRENCY_ON_TOKIO];

/// `tokio::join!`, on petla's executor.
pub const TOKIO_JOIN: &str = "tokio::join!";
/// futures' `select_all`, on petla's executor.
pub const SELECT_ALL: &str = "select_all";
/// petla's own `timeout`, beside its scopes.
pub const PETLA_TIMEOUT: &str = "petla timeout";
/// petla's own tasks, spawned and joined, beside its groups.
pub const PETLA_SPAWN: &str = "petla spawn";
/// [`FuturesUnordered`] in tokio.
pub const UNORDERED_ON_TOKIO: &str = "FuturesUnordered (tokio)";
/// futures-concurrency in tokio.
pub const CONCURRENCY_ON_TOKIO: &str = "futures-concurrency (tokio)";

/// All results of a list of futures.
pub trait Gathers: Library {
    /// Runs `children`; their results, in their order where the library keeps it.
    fn gather<F>(children: Vec<F>) -> impl Future<Output = Vec<F::Output>> + 'static
    where
        F: Future + 'static,
        F::Output: 'static;
}

impl Gathers for PetlaLocal {
    fn gather<F>(children: Vec<F>) -> impl Future<Output = Vec<F::Output>> + 'static
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        petla::gather(children)
    }
}

impl Gathers for Futures {
    fn gather<F>(children: Vec<F>) -> impl Future<Output = Vec<F::Output>> + 'static
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        join_all(children)
    }
}

impl Gathers for Concurrency {
    fn gather<F>(children: Vec<F>) -> impl Future<Output = Vec<F::Output>> + 'static
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        children.join()
    }
}

impl Gathers for Unordered {
    async fn gather<F>(children: Vec<F>) -> Vec<F::Output>
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        let mut results = Vec::with_capacity(children.len());
        Self::each(children, |result| results.push(result)).await;
        results
    }
}

impl Gathers for JoinSets {
    async fn gather<F>(children: Vec<F>) -> Vec<F::Output>
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        let mut results = Vec::with_capacity(children.len());
        Self::each(children, |result| results.push(result)).await;
        results
    }
}

/// Each result as it comes.
pub trait Completes: Library {
    /// Runs `children`; calls `take` with each result.
    fn each<F>(children: Vec<F>, take: impl FnMut(F::Output)) -> impl Future<Output = ()>
    where
        F: Future + 'static,
        F::Output: 'static;
}

impl Completes for PetlaLocal {
    async fn each<F>(children: Vec<F>, mut take: impl FnMut(F::Output))
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        let mut set = petla::as_completed(children);
        while let Some((_, result)) = set.next().await {
            take(result);
        }
    }
}

impl Completes for Unordered {
    async fn each<F>(children: Vec<F>, mut take: impl FnMut(F::Output))
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        let mut set: FuturesUnordered<F> = children.into_iter().collect();
        while let Some(result) = set.next().await {
            take(result);
        }
    }
}

/// In a `LocalRuntime` only.
impl Completes for JoinSets {
    async fn each<F>(children: Vec<F>, mut take: impl FnMut(F::Output))
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        let mut set = JoinSet::new();
        for child in children {
            set.spawn_local(child);
        }
        while let Some(ended) = set.join_next().await {
            take(ended.expect("the task ends with a value"));
        }
    }
}

/// The results of three futures in place.
pub trait Joins: Library {
    /// Runs all three.
    fn join<A, B, C>(a: A, b: B, c: C) -> impl Future<Output = (A::Output, B::Output, C::Output)>
    where
        A: Future,
        B: Future,
        C: Future;
}

impl Joins for PetlaLocal {
    fn join<A, B, C>(a: A, b: B, c: C) -> impl Future<Output = (A::Output, B::Output, C::Output)>
    where
        A: Future,
        B: Future,
        C: Future,
    {
        petla::gather!(a, b, c)
    }
}

impl Joins for Futures {
    async fn join<A, B, C>(a: A, b: B, c: C) -> (A::Output, B::Output, C::Output)
    where
        A: Future,
        B: Future,
        C: Future,
    {
        futures_util::join!(a, b, c)
    }
}

impl Joins for Tokio {
    async fn join<A, B, C>(a: A, b: B, c: C) -> (A::Output, B::Output, C::Output)
    where
        A: Future,
        B: Future,
        C: Future,
    {
        tokio::join!(a, b, c)
    }
}

impl Joins for Concurrency {
    fn join<A, B, C>(a: A, b: B, c: C) -> impl Future<Output = (A::Output, B::Output, C::Output)>
    where
        A: Future,
        B: Future,
        C: Future,
    {
        (a, b, c).join()
    }
}
