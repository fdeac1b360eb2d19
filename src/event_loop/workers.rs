//! [`Workers`]: the same program on several threads, each with a loop of its own.
//!
//! A plain thread that calls [`run`](super::run) is a loop on another core already. What takes care
//! is the rest: that all loops are there before one begins, that a thread which fails does not
//! leave the others running for ever, that every outcome comes back.
//!
//! ```text
//!   run() ─► threads, each makes its loop ─► all are there? ─ no ─► nothing has run, the error
//!                                                └─ yes ─► handles to all ─► main, on each
//!   a panic, or token.cancel(..) ─► every main is cancelled ─► clean-ups ─► outcomes
//! ```
//!
//! # Invariants
//! - **All or none**: `main` runs nowhere before each thread has its loop.
//! - **Joined**: `run` returns when the last thread has ended, so `main` may borrow.
//! - **Ended together**: a panic on one thread cancels the token, which cancels every `main`.
//!
//! # Not here
//! Spreading work: tasks stay on their loop. Sockets, closures ([`LoopHandle::spawn`]) and what
//! lies in a queue of [`sync`](crate::sync) can move.

use std::borrow::Cow;
use std::io;
use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use super::{Builder, EventLoop, LoopHandle, RunError};
use crate::context;
use crate::error::{Cancelled, JoinError, Panic, Reason};
use crate::scope::CancelScope;
use crate::sync::CancelToken;
use crate::sys::affinity;

/// Threads that run the same `main`, each on a loop of its own: many cores are many loops.
///
/// Tasks stay where they were spawned. To share a port, let each thread bind its own listener with
/// [`reuse_port`](crate::net::Bind::reuse_port): the kernel spreads the connections. To spread them
/// yourself, accept on one loop and pass the sockets through a [`sync`](crate::sync) channel: a
/// socket belongs to no loop until it first has to wait. One that has waited moves by
/// `TcpStream::from_std(stream.into_std())`.
///
/// # asyncio
/// None: its threads share one interpreter lock.
///
/// # Examples
/// ```
/// use petla::event_loop::Workers;
///
/// let squares = Workers::new(3).run(async |worker| worker.index() * worker.index())?;
/// let squares: Vec<usize> = squares.into_iter().map(Result::unwrap).collect();
/// assert_eq!(squares, [0, 1, 4]);
/// # std::io::Result::Ok(())
/// ```
#[derive(Debug, Clone)]
#[must_use = "workers do nothing until run()"]
#[doc(alias("LoopPool", "LocalPoolHandle", "thread_per_core"))]
pub struct Workers {
    count: usize,
    name: Cow<'static, str>,
    pinned: bool,
    builder: Builder,
    token: CancelToken,
}

impl Workers {
    /// `count` threads.
    pub fn new(count: usize) -> Workers {
        Workers {
            count,
            name: "worker".into(),
            pinned: false,
            builder: EventLoop::builder(),
            token: CancelToken::new(),
        }
    }

    /// As many threads as can run at the same moment: the cores that this thread may use, fewer
    /// if a control group limits its time. One if the system does not tell.
    pub fn per_core() -> Workers {
        Workers::new(thread::available_parallelism().map_or(1, Into::into))
    }

    /// How many threads there will be.
    pub fn count(&self) -> usize {
        self.count
    }

    /// Names the threads `name-0`, `name-1` and so on, for panics and `top -H`; "worker" unless
    /// set. The kernel shows the first 15 bytes.
    pub fn named(mut self, name: impl Into<Cow<'static, str>>) -> Workers {
        self.name = name.into();
        self
    }

    /// Keeps each thread on one core: worker 0 on the first that the caller may use, and again
    /// from the first when there are more workers than cores. Off unless asked for.
    ///
    /// **Threads started from a pinned one inherit its core**, those of a thread pool too.
    pub fn pinned(mut self, on: bool) -> Workers {
        self.pinned = on;
        self
    }

    /// The settings of each loop; [`sigint`](Builder::sigint) there has Ctrl-C end all of them.
    pub fn builder(mut self, builder: Builder) -> Workers {
        self.builder = builder;
        self
    }

    /// The token that ends all workers, for others to cancel. A worker's panic cancels it as well.
    pub fn token(mut self, token: &CancelToken) -> Workers {
        self.token = token.clone();
        self
    }

    /// Runs `main` on every thread, blocks until all have ended, and gives their outcomes in the
    /// order of their indices.
    ///
    /// A worker that ends leaves the others alone, unless it panics: then they are cancelled. To
    /// end all, cancel the [`token`](Worker::token). Each loop is closed in order: clean-ups run.
    ///
    /// The inner result is `JoinError::Panicked` for a worker that panicked, and
    /// `JoinError::Cancelled` for one that was cancelled by the token, by a signal or by
    /// [`LoopHandle::stop`]; the reason tells which.
    ///
    /// # Errors
    /// Before anything has run: `InvalidInput` if `count` is 0; the system refuses a thread, a
    /// loop's descriptors, or a core.
    ///
    /// # Panics
    /// On a thread that runs a loop, which it would block.
    ///
    /// # Examples
    /// ```
    /// use petla::{JoinError, event_loop::Workers};
    ///
    /// let outcomes = Workers::new(2).run(async |worker| {
    ///     if worker.index() == 1 {
    ///         worker.token().cancel("seen enough");
    ///     }
    ///     std::future::pending::<()>().await
    /// })?;
    /// let reason = |outcome: &Result<(), JoinError>| outcome.as_ref().unwrap_err().to_string();
    /// assert_eq!(reason(&outcomes[0]), "task cancelled: seen enough");
    /// # std::io::Result::Ok(())
    /// ```
    #[track_caller]
    pub fn run<F, T>(self, main: F) -> io::Result<Vec<Result<T, JoinError>>>
    where
        F: AsyncFn(Worker) -> T + Sync,
        T: Send,
    {
        assert!(
            !context::is_loop_thread(),
            "Workers::run() would block this thread's event loop: call it on another thread"
        );
        if self.count == 0 {
            let message = "no workers: ask for at least one";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
        }
        let cores = if self.pinned {
            affinity::cores()?
        } else {
            Vec::new()
        };
        let plan = Plan {
            workers: &self,
            cores: &cores,
            main: &main,
            at: Location::caller(),
        };
        plan.run()
    }
}

/// One of the threads of [`Workers`], as its `main` sees it. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Worker {
    index: usize,
    loops: Arc<[LoopHandle]>,
    token: CancelToken,
}

impl Worker {
    /// Which one it is, from 0.
    pub fn index(&self) -> usize {
        self.index
    }

    /// The loops of all workers, by index, its own among them.
    ///
    /// What is [spawned](LoopHandle::spawn) on another one ends when that worker's `main` does.
    pub fn loops(&self) -> &[LoopHandle] {
        &self.loops
    }

    /// Cancelling it ends all workers.
    pub fn token(&self) -> &CancelToken {
        &self.token
    }
}

/// What all threads share.
struct Plan<'a, F> {
    workers: &'a Workers,
    cores: &'a [usize],
    main: &'a F,
    at: &'static Location<'static>,
}

/// A thread's side of the start.
struct Start {
    ready: Sender<io::Result<LoopHandle>>,
    /// Gives nothing if some other thread has failed.
    loops: Receiver<Arc<[LoopHandle]>>,
}

impl<F> Plan<'_, F> {
    fn run<T>(&self) -> io::Result<Vec<Result<T, JoinError>>>
    where
        F: AsyncFn(Worker) -> T + Sync,
        T: Send,
    {
        thread::scope(|scope| {
            let (mut threads, mut starts) = (Vec::new(), Vec::new());
            for index in 0..self.workers.count {
                let ((ready, is_ready), (start, loops)) = (channel(), channel());
                let thread = thread::Builder::new()
                    .name(format!("{}-{index}", self.workers.name))
                    .spawn_scoped(scope, move || self.work(index, Start { ready, loops }))?;
                threads.push(thread);
                starts.push((is_ready, start));
            }
            let made = starts.iter().map(|(is_ready, _)| {
                let gone = |_| {
                    Err(io::Error::other(
                        "the thread panicked before its loop was made",
                    ))
                };
                is_ready.recv().unwrap_or_else(gone)
            });
            let loops: Arc<[LoopHandle]> = made.collect::<io::Result<Vec<_>>>()?.into();
            for (_, start) in starts {
                // It waits for this and for nothing else.
                let _ = start.send(Arc::clone(&loops));
            }
            let outcomes = threads.into_iter().map(|thread| match thread.join() {
                Ok(outcome) => outcome.expect("every thread was started"),
                Err(payload) => Err(JoinError::Panicked(Panic::new(payload))),
            });
            Ok(outcomes.collect())
        })
    }

    /// A thread's life. `None`: some thread could not begin, so nothing was run.
    fn work<T>(&self, index: usize, start: Start) -> Option<Result<T, JoinError>>
    where
        F: AsyncFn(Worker) -> T,
    {
        let event_loop = match self.make_loop(index) {
            Ok(event_loop) => event_loop,
            Err(error) => {
                let _ = start.ready.send(Err(error));
                return None;
            }
        };
        let _ = start.ready.send(Ok(event_loop.handle()));
        let loops = start.loops.recv().ok()?;
        let token = self.workers.token.clone();
        let worker = Worker {
            index,
            loops,
            token,
        };
        let outcome = catch_unwind(AssertUnwindSafe(|| self.run_main(&event_loop, worker)))
            .unwrap_or_else(|payload| Err(JoinError::Panicked(Panic::new(payload))));
        if outcome.as_ref().is_err_and(JoinError::is_panic) {
            // Ended together.
            let reason = format!("{}-{index} panicked", self.workers.name);
            self.workers.token.cancel(reason);
        }
        event_loop.kernel.close();
        Some(outcome)
    }

    fn make_loop(&self, index: usize) -> io::Result<EventLoop> {
        if let Some(turn) = index.checked_rem(self.cores.len()) {
            affinity::pin(self.cores[turn])?;
        }
        self.workers.builder.clone().build()
    }

    fn run_main<T>(&self, event_loop: &EventLoop, worker: Worker) -> Result<T, JoinError>
    where
        F: AsyncFn(Worker) -> T,
    {
        let scope = CancelScope::new().following(&self.workers.token);
        let main = scope.run(async |_| (self.main)(worker).await);
        match event_loop.kernel.run_main(main, self.at) {
            Some(Ok(outcome)) => outcome.map_err(JoinError::Cancelled),
            Some(Err(error)) => Err(error),
            None => {
                let cause = event_loop.interrupt().unwrap_or(RunError::Stopped);
                let reason = Reason::from(cause.to_string());
                Err(JoinError::Cancelled(Cancelled::new(reason, self.at)))
            }
        }
    }
}
