//! The functions that start and list tasks.
#![forbid(unsafe_code)]

use std::future::Future;
use std::panic::Location;

use super::Kernel;
use crate::task::{Flags, Task, TaskRef, token};

/// Runs `future` beside the caller; it is first polled in the loop's next batch.
///
/// Dropping the handle without awaiting it lets the task run on; see [`Task`] for the rules. On
/// a loop that is closing the future is dropped and the handle gives `JoinError::Cancelled`.
///
/// # Panics
/// Without a running loop on this thread. Use [`LoopHandle::spawn`](crate::LoopHandle::spawn)
/// from other threads.
///
/// # asyncio
/// `create_task`. The loop owns the task: it is not collected while it runs.
///
/// ```
/// petla::run(async {
///     let double = |n: u32| petla::spawn(async move { n * 2 });
///     let (a, b) = (double(1), double(2));
///     assert_eq!(a.await.unwrap() + b.await.unwrap(), 6);
/// });
/// ```
#[inline]
#[track_caller]
#[must_use = "dropping the handle detaches the task and loses its value: say `.detach()`"]
#[doc(alias("create_task", "spawn_local"))]
pub fn spawn<F>(future: F) -> Task<F::Output>
where
    F: Future + 'static,
{
    let at = Location::caller();
    Kernel::with_current("spawn()", |kernel| kernel.spawn(future, at, Flags::NEW))
}

/// [`spawn`], but polls the future once before it returns.
///
/// A future that is ready at once never touches the ready queue. Inside itself this nests at
/// most 64 deep; deeper it is `spawn`.
///
/// # Panics
/// Without a running loop on this thread. A panic of the future is the task's.
///
/// # asyncio
/// `create_task(.., eager_start=True)`.
///
/// ```
/// petla::run(async {
///     let task = petla::spawn_eager(async { 5 });
///     assert!(task.is_finished());
///     assert_eq!(task.await.unwrap(), 5);
/// });
/// ```
#[track_caller]
#[must_use = "dropping the handle detaches the task and loses its value: say `.detach()`"]
#[doc(alias = "eager_task_factory")]
pub fn spawn_eager<F>(future: F) -> Task<F::Output>
where
    F: Future + 'static,
{
    let at = Location::caller();
    Kernel::with_current("spawn_eager()", |kernel| kernel.spawn_eager(future, at))
}

/// The task whose code runs now. `None` in a callback, and outside a loop.
///
/// # asyncio
/// `current_task()`.
///
/// ```
/// petla::run(async {
///     let task = petla::spawn(async { petla::current_task().unwrap().name() }).named("me");
///     assert_eq!(task.await.unwrap(), "me");
/// });
/// assert!(petla::current_task().is_none());
/// ```
pub fn current_task() -> Option<TaskRef> {
    token::current()
        .filter(|header| !header.is_callback())
        .map(TaskRef::of)
}

/// Every task of this thread's loop that has not ended, callbacks left out. Empty outside a loop.
///
/// # asyncio
/// `all_tasks()`; here in the order of their slots.
///
/// ```
/// petla::run(async {
///     let _idle = petla::spawn(std::future::pending::<()>());
///     assert_eq!(petla::all_tasks().len(), 2);
/// });
/// ```
pub fn all_tasks() -> Vec<TaskRef> {
    Kernel::with(Kernel::tasks).unwrap_or_default()
}
