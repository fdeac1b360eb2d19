//! [`LoopHandle`]: a loop, from any thread.

use std::panic::Location;

use super::callback;
use super::remote_task::{self, RemoteTask};
use crate::error::{JoinError, unit_error};
use crate::kernel::Kernel;
use crate::mailbox::{self, LoopId};
use crate::threads;

unit_error!(
    /// The loop is closed; the closure was dropped.
    LoopClosed, NotConnected, "the event loop is closed"
);

/// A loop, from any thread: a number that is never used again, so it keeps nothing alive.
///
/// ```
/// use std::{sync::Arc, thread};
///
/// petla::run(async {
///     let event_loop = petla::LoopHandle::current();
///     let queue = Arc::new(petla::sync::Queue::unbounded());
///     let there = queue.clone();
///     thread::spawn(move || {
///         event_loop.call_soon_threadsafe(move || there.put_nowait(1).unwrap()).unwrap();
///     });
///     assert_eq!(queue.get().await, Ok(1));
/// });
/// ```
#[derive(Clone, Debug)]
pub struct LoopHandle {
    id: LoopId,
}

impl LoopHandle {
    pub(super) fn new(id: LoopId) -> Self {
        LoopHandle { id }
    }

    /// The handle of the loop that runs on this thread.
    ///
    /// # Panics
    /// If none does.
    #[track_caller]
    pub fn current() -> LoopHandle {
        LoopHandle::new(Kernel::with_current("LoopHandle::current()", Kernel::id))
    }

    /// In work of [`to_thread`](crate::to_thread) or a [`ThreadPool`](crate::threads::ThreadPool):
    /// the loop of the task that awaits it. Anywhere else, and for a task of another executor,
    /// `None`.
    ///
    /// # asyncio
    /// None; what anyio's `from_thread` uses.
    pub fn caller() -> Option<LoopHandle> {
        threads::calling_loop().map(LoopHandle::new)
    }

    /// Calls `f` on the loop's thread, after what is queued there. Wakes a loop that sleeps.
    ///
    /// Calls from one thread are made in their order. A panic of `f` goes to the loop's
    /// exception handler.
    ///
    /// # Errors
    /// [`LoopClosed`]: `f` was dropped, here. A loop that is closed before it gets to `f` drops
    /// it there.
    ///
    /// # asyncio
    /// `loop.call_soon_threadsafe`.
    #[track_caller]
    pub fn call_soon_threadsafe(
        &self,
        f: impl FnOnce() + Send + 'static,
    ) -> Result<(), LoopClosed> {
        let at = Location::caller();
        let call = move || {
            Kernel::with(|kernel| drop(callback::call_soon(kernel, f, at)));
        };
        mailbox::post(self.id, Box::new(call)).map_err(|refused| {
            drop(refused);
            LoopClosed
        })
    }

    /// Runs a future on the loop's thread: the closure travels, the future it makes need not be
    /// `Send`.
    ///
    /// On a closed loop the handle gives `JoinError::Cancelled`.
    ///
    /// # asyncio
    /// `run_coroutine_threadsafe`.
    ///
    /// ```
    /// petla::run(async {
    ///     let handle = petla::LoopHandle::current();
    ///     let thread = std::thread::spawn(move || {
    ///         handle.spawn(async || std::rc::Rc::new(5).as_ref() + 1).join()
    ///     });
    ///     while !thread.is_finished() {
    ///         petla::yield_now().await;
    ///     }
    ///     assert_eq!(thread.join().unwrap().unwrap(), 6);
    /// });
    /// ```
    #[track_caller]
    #[doc(alias("run_coroutine_threadsafe", "spawn_threadsafe"))]
    pub fn spawn<F, T>(&self, f: F) -> RemoteTask<T>
    where
        F: AsyncFnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        let at = Location::caller();
        let (task, runner) = remote_task::pair(f, at);
        let start = move || {
            Kernel::with(|kernel| drop(kernel.spawn(runner.run(), at, crate::task::Flags::NEW)));
        };
        // If the loop is closed, dropping the runner tells the handle so.
        drop(mailbox::post(self.id, Box::new(start)));
        task
    }

    /// Runs a future on the loop's thread and blocks this one until it has ended:
    /// [`spawn`](LoopHandle::spawn) and [`join`](RemoteTask::join).
    ///
    /// # Errors
    /// [`JoinError`]: it panicked, or was cancelled, as by a loop that closes.
    ///
    /// # Panics
    /// On a thread that runs a loop, which it would block: await what
    /// [`spawn`](LoopHandle::spawn) gives there.
    ///
    /// # asyncio
    /// `run_coroutine_threadsafe(..).result()`; anyio's `from_thread.run`.
    ///
    /// ```
    /// use petla::{LoopHandle, sleep, to_thread};
    /// use std::time::Duration;
    ///
    /// petla::run(async {
    ///     let work = to_thread(|| {
    ///         let event_loop = LoopHandle::caller().unwrap();
    ///         event_loop.block_on(async || sleep(Duration::from_millis(1)).await)
    ///     });
    ///     assert!(work.await.unwrap().is_ok());
    /// });
    /// ```
    #[track_caller]
    pub fn block_on<F, T>(&self, f: F) -> Result<T, JoinError>
    where
        F: AsyncFnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        remote_task::refuse_on_loop();
        self.spawn(f).join()
    }

    /// Stops the loop as [`EventLoop::stop`](super::EventLoop::stop) does. Nothing happens if it
    /// is closed.
    pub fn stop(&self) {
        let stop = || {
            Kernel::with(Kernel::stop);
        };
        drop(mailbox::post(self.id, Box::new(stop)));
    }
}
