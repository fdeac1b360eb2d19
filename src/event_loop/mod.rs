//! The loop itself: run it, stop it, close it; callbacks; handles for other threads.
//!
//! Most programs need [`run`] alone. [`EventLoop`] is for those that start and stop a loop
//! several times, mix callbacks with tasks, or embed the loop in something else.
//!
//! ```text
//!   new ──► open ──run_*──► running ──main task done, or stop()──► open ──close()──► closed
//! ```
//!
//! Everything here is a thin face over the kernel; what a turn does is written in `kernel`.
//!
//! # Not here
//! What a signal does to a run, whom debug mode reports: `kernel`.

mod builder;
mod callback;
mod error;
mod loop_handle;
#[cfg(all(test, petla_loom))]
#[allow(unsafe_code)]
mod models;
mod remote_task;
mod run_main;
mod signals;
mod workers;

use std::fmt::{self, Debug, Formatter};
use std::future::Future;
use std::io;
use std::os::fd::AsRawFd;
use std::panic::Location;
use std::rc::Rc;
use std::time::{Duration, Instant};

pub use builder::Builder;
pub use callback::CallHandle;
pub use error::RunError;
pub use loop_handle::{LoopClosed, LoopHandle};
pub use remote_task::RemoteTask;
#[doc(hidden)]
pub use run_main::run_main;
pub use workers::{Worker, Workers};

use crate::error::JoinError;
use crate::kernel::source::Direction;
use crate::kernel::{Kernel, Phase, Signal};
pub use crate::task::Report;
use crate::task::{Flags, Task, TaskRef};

/// Runs `main` on a new loop until it ends; then cancels every other task and closes the loop.
///
/// It waits for the clean-ups of [scopes](crate::scope) in those tasks, 5 s at most.
///
/// `main` may borrow from the caller. No signal handler is installed and nothing global is
/// changed but the thread's timer slack, for as long as the loop runs.
///
/// # Panics
/// If `main` panics, or is cancelled by way of [`current_task`](crate::current_task); if a loop
/// already runs on this thread; if the system refuses the loop's descriptors; in the child of
/// a fork made inside, when it comes back to the loop.
///
/// # asyncio
/// `asyncio.run`.
///
/// ```
/// let name = String::from("loop");
/// let length = petla::run(async { name.len() });
/// assert_eq!(length, 4);
/// ```
#[track_caller]
#[doc(alias("block_on", "asyncio.run"))]
pub fn run<F: Future>(main: F) -> F::Output {
    if Kernel::runs_here() {
        panic!("run() inside a running event loop: await the future, or spawn() it");
    }
    let event_loop = match EventLoop::new() {
        Ok(event_loop) => event_loop,
        Err(error) => panic!("cannot make an event loop: {error}"),
    };
    match event_loop.run_and_close(main, Location::caller()) {
        Ok(value) => value,
        Err(error) => panic!("the main task gave no value: {error}"),
    }
}

/// A handle to one loop, for the loop's own thread. Cheap to clone.
///
/// The loop is closed when the last handle is dropped, unless that was done before.
///
/// ```
/// use petla::EventLoop;
///
/// let event_loop = EventLoop::new()?;
/// assert_eq!(event_loop.run_until_complete(async { 1 })?, 1);
/// event_loop.call_soon({
///     let event_loop = event_loop.clone();
///     move || event_loop.stop()
/// });
/// event_loop.run_forever()?;
/// event_loop.close()?;
/// # std::io::Result::Ok(())
/// ```
#[derive(Clone)]
pub struct EventLoop {
    kernel: Rc<Kernel>,
}

impl EventLoop {
    /// A new loop, not running.
    ///
    /// # Errors
    /// Those of `epoll_create1` and `eventfd` (no descriptors left), and when 4,096 loops are
    /// open in the process.
    ///
    /// # asyncio
    /// `new_event_loop()`.
    pub fn new() -> io::Result<EventLoop> {
        EventLoop::builder().build()
    }

    /// A loop with settings.
    pub fn builder() -> Builder {
        Builder::new()
    }

    /// The loop that runs on this thread.
    ///
    /// # Panics
    /// If none does.
    ///
    /// # asyncio
    /// `get_running_loop()`.
    #[track_caller]
    #[doc(alias = "get_running_loop")]
    pub fn current() -> EventLoop {
        match EventLoop::try_current() {
            Some(event_loop) => event_loop,
            None => panic!("no event loop runs on this thread: call this inside `petla::run(..)`"),
        }
    }

    /// The loop that runs on this thread, if one does.
    pub fn try_current() -> Option<EventLoop> {
        Kernel::current_rc().map(|kernel| EventLoop { kernel })
    }

    /// Runs until `main` has ended, and the batch it ended in. `main` may borrow.
    ///
    /// Other tasks stay alive for the next run.
    ///
    /// # Errors
    /// [`RunError::Stopped`] if the loop was stopped first: `main` is dropped, the loop stays
    /// usable; [`RunError::Closed`], [`RunError::Nested`], [`RunError::Cancelled`],
    /// [`RunError::Forked`]; [`RunError::Interrupted`] and [`RunError::Terminated`] if the
    /// builder was asked for [`sigint`](Builder::sigint) or [`sigterm`](Builder::sigterm).
    ///
    /// # Panics
    /// If `main` panics.
    ///
    /// # asyncio
    /// `loop.run_until_complete`.
    #[track_caller]
    pub fn run_until_complete<F: Future>(&self, main: F) -> Result<F::Output, RunError> {
        self.check_runnable()?;
        let result = self.kernel.run_main(main, Location::caller());
        self.outcome(result)
    }

    /// Runs `main`, and closes the loop before a panic of it goes on: the other tasks'
    /// destructors shall not see that. The caller has checked that the loop can run.
    pub(crate) fn run_and_close<F: Future>(
        &self,
        main: F,
        at: &'static Location<'static>,
    ) -> Result<F::Output, RunError> {
        let result = self.kernel.run_main(main, at);
        self.kernel.close();
        self.outcome(result)
    }

    /// The tasks that were left when the last run ended because it was stuck; else none.
    pub(crate) fn take_stuck(&self) -> Vec<TaskRef> {
        self.kernel.take_stuck()
    }

    /// What a run's caller gets; a panic of the main task goes on here.
    fn outcome<T>(&self, result: Option<Result<T, JoinError>>) -> Result<T, RunError> {
        match result {
            Some(Ok(value)) => Ok(value),
            Some(Err(JoinError::Panicked(panic))) => panic.resume(),
            Some(Err(JoinError::Cancelled(_))) => {
                Err(self.interrupt().unwrap_or(RunError::Cancelled))
            }
            None if self.kernel.is_forked() => Err(RunError::Forked),
            None => Err(self.interrupt().unwrap_or(RunError::Stopped)),
        }
    }

    /// The signal that ended the last run, if it was one.
    fn interrupt(&self) -> Option<RunError> {
        self.kernel.interrupted_by().map(|signal| match signal {
            Signal::Interrupt => RunError::Interrupted,
            Signal::Terminate => RunError::Terminated,
        })
    }

    /// Runs until [`stop`](EventLoop::stop), or a signal that the builder was asked for.
    ///
    /// # Errors
    /// [`RunError::Closed`], [`RunError::Nested`], [`RunError::Forked`];
    /// [`RunError::Interrupted`] and [`RunError::Terminated`] after a signal.
    ///
    /// # asyncio
    /// `loop.run_forever`.
    pub fn run_forever(&self) -> Result<(), RunError> {
        self.check_runnable()?;
        self.kernel.run_forever();
        if self.kernel.is_forked() {
            return Err(RunError::Forked);
        }
        self.interrupt().map_or(Ok(()), Err)
    }

    fn check_runnable(&self) -> Result<(), RunError> {
        if self.kernel.is_forked() {
            Err(RunError::Forked)
        } else if self.is_closed() {
            Err(RunError::Closed)
        } else if Kernel::runs_here() {
            Err(RunError::Nested)
        } else {
            Ok(())
        }
    }

    /// Lets the present batch finish, then ends the run. Before a run: that run looks for I/O
    /// once without waiting, makes one batch and ends.
    ///
    /// # asyncio
    /// `loop.stop`.
    pub fn stop(&self) {
        self.kernel.stop();
    }

    /// Cancels every task that is left and closes the loop. Closing twice does nothing.
    ///
    /// If scopes are open in them, the loop turns until their clean-ups have ended, or
    /// [`Builder::cleanup_limit`] has passed; meanwhile only clean-ups can spawn. Whatever is left
    /// is dropped.
    ///
    /// # Errors
    /// [`RunError::Running`] while the loop runs: stop it first.
    ///
    /// # asyncio
    /// `loop.close`, which leaves the tasks to the collector.
    pub fn close(&self) -> Result<(), RunError> {
        if self.is_running() {
            return Err(RunError::Running);
        }
        self.kernel.close();
        Ok(())
    }

    /// Is the loop inside `run_until_complete` or `run_forever`?
    pub fn is_running(&self) -> bool {
        self.kernel.is_running()
    }

    /// Has the loop been closed?
    pub fn is_closed(&self) -> bool {
        self.kernel.phase() != Phase::Open
    }

    /// A handle for other threads.
    pub fn handle(&self) -> LoopHandle {
        LoopHandle::new(self.kernel.id())
    }

    /// The loop's clock. See [`now`](crate::now).
    pub fn time(&self) -> Instant {
        self.kernel.clock().now()
    }

    /// Spawns a task, also while the loop does not run.
    ///
    /// # asyncio
    /// `loop.create_task`.
    #[track_caller]
    #[must_use = "dropping the handle detaches the task and loses its value: say `.detach()`"]
    pub fn spawn<F: Future + 'static>(&self, future: F) -> Task<F::Output> {
        self.kernel.spawn(future, Location::caller(), Flags::NEW)
    }

    /// Calls `f` in the next batch, after what is queued already.
    ///
    /// It is no task: [`current_task`](crate::current_task) is `None` inside. It sees the
    /// caller's [`ContextVar`](crate::ContextVar)s. A panic goes to the exception handler. On a
    /// closed loop `f` is dropped.
    ///
    /// # asyncio
    /// `loop.call_soon`.
    #[track_caller]
    pub fn call_soon(&self, f: impl FnOnce() + 'static) -> CallHandle {
        callback::call_soon(&self.kernel, f, Location::caller())
    }

    /// Calls `f` once `delay` has passed; equal deadlines in the order of their calls.
    ///
    /// # asyncio
    /// `loop.call_later`, which promises no order for equal deadlines.
    #[track_caller]
    pub fn call_later(&self, delay: Duration, f: impl FnOnce() + 'static) -> CallHandle {
        let at = crate::time::sleep_until(crate::time::after(self.time(), delay));
        callback::call_at(&self.kernel, at, f, Location::caller())
    }

    /// Calls `f` at `when`, or in the next turn if that is past.
    ///
    /// # asyncio
    /// `loop.call_at`.
    #[track_caller]
    pub fn call_at(&self, when: Instant, f: impl FnOnce() + 'static) -> CallHandle {
        callback::call_at(
            &self.kernel,
            crate::time::sleep_until(when),
            f,
            Location::caller(),
        )
    }

    /// Calls `f` whenever `fd` has something to read, instead of the reader it had.
    ///
    /// Level-triggered: `f` is called again while something is left. Remove the reader before
    /// closing the descriptor.
    ///
    /// # Errors
    /// `AlreadyExists` if a petla socket waits for the same descriptor; for one that epoll
    /// refuses (a regular file); `NotConnected` on a closed loop.
    ///
    /// # asyncio
    /// `loop.add_reader`.
    #[track_caller]
    pub fn add_reader(&self, fd: &impl AsRawFd, f: impl FnMut() + 'static) -> io::Result<()> {
        self.watch(fd, Direction::Read, f, Location::caller())
    }

    /// Ends a reader; `false` if there was none.
    pub fn remove_reader(&self, fd: &impl AsRawFd) -> bool {
        self.kernel.unwatch(fd.as_raw_fd(), Direction::Read)
    }

    /// Calls `f` whenever `fd` can be written to. See [`add_reader`](EventLoop::add_reader).
    ///
    /// # Errors
    /// As `add_reader`.
    #[track_caller]
    pub fn add_writer(&self, fd: &impl AsRawFd, f: impl FnMut() + 'static) -> io::Result<()> {
        self.watch(fd, Direction::Write, f, Location::caller())
    }

    /// Ends a writer; `false` if there was none.
    pub fn remove_writer(&self, fd: &impl AsRawFd) -> bool {
        self.kernel.unwatch(fd.as_raw_fd(), Direction::Write)
    }

    fn watch(
        &self,
        fd: &impl AsRawFd,
        direction: Direction,
        f: impl FnMut() + 'static,
        at: &'static Location<'static>,
    ) -> io::Result<()> {
        self.check_open()?;
        self.kernel.watch(fd.as_raw_fd(), direction, f, at)
    }

    fn check_open(&self) -> io::Result<()> {
        if self.kernel.is_forked() {
            return Err(RunError::Forked.into());
        }
        if self.is_closed() {
            return Err(LoopClosed.into());
        }
        Ok(())
    }

    /// Debug mode, from the next batch on: a task or callback that holds up the loop for 100 ms or
    /// more in one poll is reported, with its name and place.
    ///
    /// It takes two clock reads and a small allocation a task, so it is off at first.
    ///
    /// # asyncio
    /// `loop.set_debug`, of which this is the part that is left: the rest is checked always, or by
    /// the compiler.
    ///
    /// ```
    /// use petla::EventLoop;
    /// use std::{cell::RefCell, rc::Rc, thread, time::Duration};
    ///
    /// let event_loop = EventLoop::builder().debug(true).build()?;
    /// event_loop.set_slow_callback_duration(Duration::from_millis(5));
    /// let reports = Rc::new(RefCell::new(Vec::new()));
    /// let told = reports.clone();
    /// event_loop.set_exception_handler(move |report| told.borrow_mut().push(report.to_string()));
    /// event_loop.run_until_complete(async {
    ///     let busy = petla::spawn(async { thread::sleep(Duration::from_millis(6)) });
    ///     busy.named("busy").await.unwrap();
    /// })?;
    /// assert!(reports.borrow()[0].starts_with("a task held up the loop for"));
    /// assert!(reports.borrow()[0].contains("busy"));
    /// # std::io::Result::Ok(())
    /// ```
    pub fn set_debug(&self, on: bool) {
        self.kernel.set_debug(on);
    }

    /// How long one poll may take in debug mode before it is reported; 100 ms at first.
    ///
    /// # asyncio
    /// `loop.slow_callback_duration`.
    pub fn set_slow_callback_duration(&self, limit: Duration) {
        self.kernel.set_slow(limit);
    }

    /// Has `f` told of what nobody else will see: unseen panics and errors, failed callbacks, tasks
    /// that await each other when nothing else in the loop can go on.
    ///
    /// Without one they go to stderr, a line each. A handler that panics is bypassed.
    ///
    /// # asyncio
    /// `loop.set_exception_handler`.
    pub fn set_exception_handler(&self, f: impl FnMut(&Report<'_>) + 'static) {
        self.kernel.set_handler(Box::new(f));
    }
}

impl Drop for EventLoop {
    /// The last handle closes the loop, while destructors can still ask for it.
    fn drop(&mut self) {
        if Rc::strong_count(&self.kernel) == 1 {
            self.kernel.close();
        }
    }
}

impl Debug for EventLoop {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventLoop")
            .field("running", &self.is_running())
            .field("closed", &self.is_closed())
            .field("tasks", &self.kernel.live_tasks())
            .finish()
    }
}
