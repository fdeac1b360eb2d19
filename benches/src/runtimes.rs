//! The runtimes side by side: one trait, five implementations.
//!
//! A figure is only worth printing if every runtime did the same work. So each workload is written
//! once, generic over [`Runtime`], and this file is the only place where the runtimes differ. The
//! trait is as thin as it can be: every method is the call that the runtime's own users write, and
//! the compiler removes the rest.
//!
//! # Invariants
//! - **Fresh**: `block_on` makes a new runtime and drops it, so no figure inherits another's state.
//!   smol is the exception: its executor is leaked once a thread, as its fastest form demands.
//! - **Alike**: I/O and timers are switched on everywhere, because a program has both.
//! - **One thread**: nothing here moves a task to another thread; `TokioCurrentThread` needs that.
//!
//! # Not here
//! Primitives ([`crate::libraries`]), sockets (the echo benchmark), monoio's io_uring driver.

use std::fmt::Debug;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use crate::monoio_yield;

/// What the workloads need of a runtime.
pub trait Runtime: 'static {
    /// The column's title.
    const NAME: &'static str;

    /// Runs `main` to its end on a new runtime.
    fn block_on<F: Future + 'static>(main: F) -> F::Output;

    /// Starts a task; the returned handle gives its value.
    fn spawn<F>(task: F) -> impl Future<Output = F::Output> + Unpin + 'static
    where
        F: Future + 'static,
        F::Output: 'static;

    /// Starts a task that nobody awaits.
    fn detach<F: Future<Output = ()> + 'static>(task: F);

    /// Lets the other ready tasks run.
    fn yield_now() -> impl Future<Output = ()> + 'static;

    /// Waits for `duration`.
    fn sleep(duration: Duration) -> impl Future<Output = ()> + 'static;

    /// Whether `work` ended within `limit`.
    fn timeout<F: Future + 'static>(limit: Duration, work: F) -> impl Future<Output = bool>;

    /// Lets `work` poll any number of leaf futures in one poll of its own.
    ///
    /// tokio's stop working after 128: a timer past that would not be armed, only appear so.
    fn unbudgeted<F: Future>(work: F) -> impl Future<Output = F::Output> {
        work
    }
}

/// Runs `work` as a task, not as the main future, which some runtimes poll by other rules.
pub fn in_task<R: Runtime, F>(work: F) -> F::Output
where
    F: Future + 'static,
    F::Output: 'static,
{
    R::block_on(async move { R::spawn(work).await })
}

/// A join handle whose task neither panics nor is cancelled.
struct Unfailing<H>(H);

impl<H, T, E> Future for Unfailing<H>
where
    H: Future<Output = Result<T, E>> + Unpin,
    E: Debug,
{
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        Pin::new(&mut self.0)
            .poll(cx)
            .map(|ended| ended.expect("the task ends with a value"))
    }
}

/// This crate's subject.
#[derive(Debug)]
pub struct Petla;

impl Runtime for Petla {
    const NAME: &'static str = crate::PETLA;

    fn block_on<F: Future + 'static>(main: F) -> F::Output {
        petla::run(main)
    }

    fn spawn<F>(task: F) -> impl Future<Output = F::Output> + Unpin + 'static
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        Unfailing(petla::spawn(task))
    }

    fn detach<F: Future<Output = ()> + 'static>(task: F) {
        petla::spawn(task).detach();
    }

    fn yield_now() -> impl Future<Output = ()> + 'static {
        petla::yield_now()
    }

    fn sleep(duration: Duration) -> impl Future<Output = ()> + 'static {
        petla::sleep(duration)
    }

    async fn timeout<F: Future + 'static>(limit: Duration, work: F) -> bool {
        petla::timeout(limit, work).await.is_ok()
    }
}

/// tokio's `LocalRuntime`: tasks need not be `Send`.
#[derive(Debug)]
pub struct TokioLocal;

impl Runtime for TokioLocal {
    const NAME: &'static str = "tokio LocalRuntime";

    fn block_on<F: Future + 'static>(main: F) -> F::Output {
        tokio_local_runtime().block_on(main)
    }

    fn spawn<F>(task: F) -> impl Future<Output = F::Output> + Unpin + 'static
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        Unfailing(tokio::task::spawn_local(task))
    }

    fn detach<F: Future<Output = ()> + 'static>(task: F) {
        drop(tokio::task::spawn_local(task));
    }

    fn yield_now() -> impl Future<Output = ()> + 'static {
        tokio::task::yield_now()
    }

    fn sleep(duration: Duration) -> impl Future<Output = ()> + 'static {
        tokio::time::sleep(duration)
    }

    async fn timeout<F: Future + 'static>(limit: Duration, work: F) -> bool {
        tokio::time::timeout(limit, work).await.is_ok()
    }

    fn unbudgeted<F: Future>(work: F) -> impl Future<Output = F::Output> {
        tokio::task::unconstrained(work)
    }
}

/// A `LocalRuntime` with I/O and timers.
pub fn tokio_local_runtime() -> tokio::runtime::LocalRuntime {
    let options = tokio::runtime::LocalOptions::default();
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder
        .enable_all()
        .build_local(options)
        .expect("tokio starts")
}

/// tokio's `current_thread` runtime, with `tokio::spawn`.
#[derive(Debug)]
pub struct TokioCurrentThread;

impl Runtime for TokioCurrentThread {
    const NAME: &'static str = "tokio current_thread";

    fn block_on<F: Future + 'static>(main: F) -> F::Output {
        tokio_current_thread().block_on(main)
    }

    fn spawn<F>(task: F) -> impl Future<Output = F::Output> + Unpin + 'static
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        OneThreadJoin(tokio::spawn(OneThread(task)))
    }

    fn detach<F: Future<Output = ()> + 'static>(task: F) {
        drop(tokio::spawn(OneThread(task)));
    }

    fn yield_now() -> impl Future<Output = ()> + 'static {
        tokio::task::yield_now()
    }

    fn sleep(duration: Duration) -> impl Future<Output = ()> + 'static {
        tokio::time::sleep(duration)
    }

    async fn timeout<F: Future + 'static>(limit: Duration, work: F) -> bool {
        tokio::time::timeout(limit, work).await.is_ok()
    }

    fn unbudgeted<F: Future>(work: F) -> impl Future<Output = F::Output> {
        tokio::task::unconstrained(work)
    }
}

/// A `current_thread` runtime with I/O and timers.
pub fn tokio_current_thread() -> tokio::runtime::Runtime {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.enable_all().build().expect("tokio starts")
}

/// Passes `tokio::spawn`'s `Send` bound, so that one generic workload serves every runtime.
struct OneThread<T>(T);

// SAFETY: a `current_thread` runtime polls and drops its tasks on the thread in `block_on`. By
// One thread, that thread also made the value, and no workload hands a handle to another. Wakers
// may go there: one can queue its task, or free an ended one, whose value the handle has taken.
unsafe impl<T> Send for OneThread<T> {}

impl<F: Future> Future for OneThread<F> {
    type Output = OneThread<F::Output>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        // SAFETY: the field is pinned with the whole: there is no `Drop`, no other projection.
        let inner = unsafe { self.map_unchecked_mut(|outer| &mut outer.0) };
        inner.poll(cx).map(OneThread)
    }
}

struct OneThreadJoin<T>(tokio::task::JoinHandle<OneThread<T>>);

impl<T> Future for OneThreadJoin<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        let ended = ready!(Pin::new(&mut self.0).poll(cx));
        Poll::Ready(ended.expect("the task ends with a value").0)
    }
}

/// smol: async-executor's static `LocalExecutor` under async-io's `block_on`.
#[derive(Debug)]
pub struct Smol;

thread_local! {
    static SMOL: &'static async_executor::StaticLocalExecutor =
        async_executor::LocalExecutor::new().leak();
}

impl Runtime for Smol {
    const NAME: &'static str = "smol";

    fn block_on<F: Future + 'static>(main: F) -> F::Output {
        let executor = SMOL.with(|executor| *executor);
        async_io::block_on(executor.run(main))
    }

    fn spawn<F>(task: F) -> impl Future<Output = F::Output> + Unpin + 'static
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        SMOL.with(|executor| executor.spawn(task))
    }

    fn detach<F: Future<Output = ()> + 'static>(task: F) {
        SMOL.with(|executor| executor.spawn(task)).detach();
    }

    fn yield_now() -> impl Future<Output = ()> + 'static {
        futures_lite::future::yield_now()
    }

    async fn sleep(duration: Duration) {
        async_io::Timer::after(duration).await;
    }

    async fn timeout<F: Future + 'static>(limit: Duration, work: F) -> bool {
        let ended = async {
            work.await;
            true
        };
        let late = async {
            Self::sleep(limit).await;
            false
        };
        futures_lite::future::or(ended, late).await
    }
}

/// monoio on its epoll driver.
#[derive(Debug)]
pub struct Monoio;

impl Runtime for Monoio {
    const NAME: &'static str = "monoio (epoll)";

    fn block_on<F: Future + 'static>(main: F) -> F::Output {
        let builder = monoio::RuntimeBuilder::<monoio::LegacyDriver>::new();
        let mut runtime = builder.enable_timer().build().expect("monoio starts");
        runtime.block_on(async move {
            monoio_yield::start_server();
            main.await
        })
    }

    fn spawn<F>(task: F) -> impl Future<Output = F::Output> + Unpin + 'static
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        monoio::spawn(task)
    }

    fn detach<F: Future<Output = ()> + 'static>(task: F) {
        drop(monoio::spawn(task));
    }

    /// monoio has none of its own.
    fn yield_now() -> impl Future<Output = ()> + 'static {
        monoio_yield::yield_now()
    }

    fn sleep(duration: Duration) -> impl Future<Output = ()> + 'static {
        monoio::time::sleep(duration)
    }

    async fn timeout<F: Future + 'static>(limit: Duration, work: F) -> bool {
        monoio::time::timeout(limit, work).await.is_ok()
    }
}
