//! [`ThreadPool`]: threads apart from those that all of the process shares.
//!
//! # Invariants
//! - **Never joined**: nothing here waits for a thread but [`Shutdown`], which is awaited.
//!
//! # Not here
//! How a pool works: `pool`.

use std::borrow::Cow;
use std::fmt::{self, Debug, Formatter};
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll};

use super::pool::Pool;
use super::to_thread::ToThread;
use crate::kernel;
use crate::pin::pinned;
use crate::primitives::{EventWait, Shared};
use crate::rt::Arc;
use crate::sync::CapacityLimiter;

/// Threads of one's own, for work that is to be kept apart: that computes, that talks to one slow
/// device, that must not wait behind others.
///
/// A pool starts a thread when there is work and none is idle; one that has been idle for 10
/// seconds ends. Loops and threads may share a pool; a thread begins with the processors (affinity)
/// and the signal mask of the one that awaited the work it was started for.
///
/// Dropped, it lets idle threads end and work that has begun come to its end; nobody waits for it.
/// Work that has not begun by then gives [`JoinError::Cancelled`](crate::JoinError::Cancelled). So
/// it is after [`shutdown`](ThreadPool::shutdown), and in a forked child.
///
/// # asyncio
/// A `ThreadPoolExecutor` for `run_in_executor`. Differs: leaving it waits for nothing, its threads
/// do not keep the process alive, and context variables go along.
///
/// ```
/// use petla::threads::ThreadPool;
///
/// petla::run(async {
///     let pool = ThreadPool::new(4).name("thumbnails");
///     let sizes = petla::gather((1..=3).map(|n| pool.run(move || n * n))).await;
///     let sizes: Result<Vec<_>, _> = sizes.into_iter().collect();
///     assert_eq!(sizes.unwrap(), [1, 4, 9]);
/// });
/// ```
#[doc(alias = "ThreadPoolExecutor")]
pub struct ThreadPool {
    pool: Arc<Pool>,
}

impl ThreadPool {
    /// A pool in which at most `limit` pieces of work run at once. With 0 none does until its
    /// [`limiter`](ThreadPool::limiter) is given more.
    pub fn new(limit: usize) -> ThreadPool {
        let _ = kernel::watch_forks(); // as for the shared pool
        let pool = Arc::new(Pool::new(limit, "petla-pool"));
        ThreadPool { pool }
    }

    /// Has its threads called `name-1`, `name-2` and so on. Linux shows 15 bytes of that.
    ///
    /// # Panics
    /// If work was given to it before.
    pub fn name(mut self, name: impl Into<Cow<'static, str>>) -> ThreadPool {
        let pool = Arc::get_mut(&mut self.pool);
        pool.expect("a pool is named before it is used").name = name.into();
        self
    }

    /// Runs `f` on a thread of the pool, once it is awaited: [`to_thread`](crate::to_thread), but
    /// here.
    ///
    /// # Errors
    /// [`JoinError::Panicked`](crate::JoinError::Panicked).
    /// [`JoinError::Cancelled`](crate::JoinError::Cancelled) if the pool was dropped or shut down
    /// before `f` began, or the system refuses to start a thread and none will be free.
    ///
    /// # Cancel safety
    /// **Loses data**: once `f` has begun, its result. Before, **Loses place**.
    ///
    /// # asyncio
    /// `loop.run_in_executor(pool, f)`.
    #[track_caller]
    #[doc(alias("run_in_executor", "submit", "to_thread"))]
    pub fn run<F, T>(&self, f: F) -> ToThread<F, T>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        ToThread::new(f, Some(Arc::clone(&self.pool)), Location::caller())
    }

    /// How much may run at once, and does. It may be changed while work runs.
    pub fn limiter(&self) -> &CapacityLimiter {
        &self.pool.limiter
    }

    /// How many pieces of work have begun, or are about to, and are not over: those included whose
    /// futures were dropped.
    pub fn working(&self) -> usize {
        self.pool.working()
    }

    /// How many threads it has, idle ones included.
    pub fn threads(&self) -> usize {
        self.pool.threads()
    }

    /// Takes no more work in, as if it were dropped, and waits until what has begun is over.
    ///
    /// The pool is shut down by this call, whether it is awaited or not. With a
    /// [`timeout`](crate::timeout) around it one sees whether all was over in time, and
    /// [`working`](ThreadPool::working) tells how much is not.
    ///
    /// # Cancel safety
    /// **Strict.** Call it again to wait on.
    ///
    /// # asyncio
    /// `loop.shutdown_default_executor(timeout)`, which warns when the time is up.
    ///
    /// ```
    /// use petla::{threads::ThreadPool, timeout};
    /// use std::time::Duration;
    ///
    /// petla::run(async {
    ///     let pool = ThreadPool::new(1);
    ///     let (stop, stopped) = std::sync::mpsc::channel::<()>();
    ///     let stuck = petla::spawn(pool.run(move || stopped.recv().is_ok()));
    ///     while pool.working() == 0 {
    ///         petla::yield_now().await;
    ///     }
    ///     let in_time = timeout(Duration::from_millis(1), pool.shutdown()).await;
    ///     assert!(in_time.is_err());
    ///     assert_eq!(pool.working(), 1);
    ///     stop.send(()).unwrap();
    ///     pool.shutdown().await;
    ///     assert!(stuck.await.unwrap().unwrap());
    ///     assert!(pool.run(|| 1).await.unwrap_err().is_cancelled());
    /// });
    /// ```
    #[doc(alias = "shutdown_default_executor")]
    pub fn shutdown(&self) -> Shutdown<'_> {
        self.close();
        Shutdown {
            ended: self.pool.ended.wait(),
        }
    }

    fn close(&self) {
        if !self.pool.is_inherited() {
            self.pool.close();
        }
    }
}

impl Drop for ThreadPool {
    fn drop(&mut self) {
        self.close();
    }
}

pinned! {
    /// The future of [`ThreadPool::shutdown`].
    ///
    /// # Cancel safety
    /// **Strict.**
    #[must_use = "the pool is shut down, but nothing waits for its work"]
    pub struct Shutdown<'a> {
        #[pin]
        ended: EventWait<'a, Shared>,
    }
}

impl Future for Shutdown<'_> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.project().ended.poll(cx).map(drop)
    }
}

impl Debug for Shutdown<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shutdown").finish_non_exhaustive()
    }
}

impl Debug for ThreadPool {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("ThreadPool")
            .field("name", &self.pool.name)
            .field("limiter", &self.pool.limiter)
            .field("working", &self.working())
            .finish()
    }
}
