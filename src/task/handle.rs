//! [`Task`]: the handle of a task, its future and the rule of its drop.
//!
//! # Invariants
//! - **Held**: HANDLE is set exactly while the `Task` lives, so the cell outlives it.
//! - **Typed**: the cell's output type is `T`: a `Task<T>` is made only beside its cell.

use std::borrow::Cow;
use std::fmt::{self, Debug, Display, Formatter};
use std::future::Future;
use std::marker::PhantomData;
use std::panic::Location;
use std::pin::Pin;
use std::ptr::{self, NonNull};
use std::task::{Context, Poll, ready};

use super::header::{Flags, Header};
use super::task_ref::{TaskId, TaskRef};
use super::{cell, report, token, trace};
use crate::error::{Cancelled, JoinError, Reason};

/// The handle of a task: awaits its result, cancels it, names it.
///
/// Awaiting gives `Ok(value)`, or a [`JoinError`] if the task was cancelled or panicked.
///
/// | the handle is dropped | the task |
/// | --- | --- |
/// | never awaited (`drop(spawn(f()))`), or only seen by [`wait`](fn@crate::wait) | runs on |
/// | after it was awaited, before the task ended | is cancelled: with the waiter ends the wait |
/// | after [`cancel_on_drop`](Task::cancel_on_drop) | is cancelled |
/// | by [`detach`](Task::detach) | runs on, and an error is reported |
///
/// The panic of a task whose handle is gone is reported once, to the loop's exception handler.
///
/// # Panics
/// Awaiting it again after it gave its result; a task that awaits itself.
///
/// # Cancel safety
/// **Strict** for a borrowed handle (`(&mut task).await`): the result stays in the task.
///
/// # asyncio
/// `Task`. A task is never collected while it runs, whatever happens to its handle; there is no
/// count of cancel requests and nothing to swallow: a cancel drops the task's future.
///
/// ```
/// # petla::run(async {
/// let task = petla::spawn(async { 6 * 7 });
/// assert_eq!(task.await.unwrap(), 42);
/// # });
/// ```
#[doc(alias = "JoinHandle")]
pub struct Task<T> {
    cell: NonNull<Header>,
    _owns: PhantomData<T>,
}

impl<T> Unpin for Task<T> {}

impl<T> Task<T> {
    /// # Safety
    /// Held and Typed: the cell is new, its HANDLE flag is set, no other `Task` is made for it,
    /// and its output type is `T`.
    pub(crate) unsafe fn new(cell: NonNull<Header>) -> Self {
        Task {
            cell,
            _owns: PhantomData,
        }
    }

    #[inline(always)]
    fn header(&self) -> &Header {
        // SAFETY: Held.
        unsafe { self.cell.as_ref() }
    }

    /// Is its code on the stack?
    pub(crate) fn is_current(&self) -> bool {
        token::current().is_some_and(|current| ptr::eq(current, self.header()))
    }

    pub(crate) fn slot(&self) -> u32 {
        self.header().slot()
    }

    /// Asks for the task's end; `false` if it had ended already.
    ///
    /// The task's future is dropped at the loop's next chance, after the poll under way if the
    /// task cancels itself. A value that it still returns in that poll is kept. A task that was
    /// never polled never runs. Scopes that are open in it run their clean-ups first, and shields
    /// end: see [`scope`](crate::scope). Await the handle to know that the task is gone.
    ///
    /// # asyncio
    /// `Task.cancel(msg)`; the first reason is kept, where asyncio keeps the last.
    ///
    /// ```
    /// # petla::run(async {
    /// let task = petla::spawn(std::future::pending::<()>());
    /// assert!(task.cancel("not needed"));
    /// assert_eq!(task.await.unwrap_err().reason(), Some("not needed"));
    /// # });
    /// ```
    #[track_caller]
    #[doc(alias = "abort")]
    pub fn cancel(&self, reason: impl Into<Reason>) -> bool {
        self.cancel_because(Cancelled::new(reason.into(), Location::caller()))
    }

    /// [`cancel`](Self::cancel) with all that is known about why.
    pub(crate) fn cancel_because(&self, why: Cancelled) -> bool {
        self.header().cancel(why)
    }

    /// From now on dropping the handle cancels the task, awaited or not.
    #[must_use = "this gives the handle back: dropping it now cancels the task"]
    pub fn cancel_on_drop(self) -> Self {
        self.header().set(Flags::CANCEL_ON_DROP);
        self
    }

    /// Has the task ended, with a value, a panic or a cancellation?
    pub fn is_finished(&self) -> bool {
        self.header().is(Flags::DONE)
    }

    /// The task's number, unique in its loop.
    pub fn id(&self) -> TaskId {
        TaskId(self.header().id())
    }

    /// The task's name: `task-17` unless it was given one.
    pub fn name(&self) -> Cow<'static, str> {
        self.header().name()
    }

    /// Names the task: `spawn(f()).named("reader")`.
    ///
    /// # asyncio
    /// `create_task(f(), name="reader")`.
    pub fn named(self, name: impl Into<Cow<'static, str>>) -> Self {
        self.header().info().set_name(name.into());
        trace::named(self.header());
        self
    }

    /// Lets the task run on. An `Err` it ends with, or a panic, is reported once to the loop's
    /// exception handler.
    ///
    /// ```
    /// # petla::run(async {
    /// petla::spawn(async { Err::<(), _>("reported to stderr") }).detach();
    /// petla::yield_now().await;
    /// # });
    /// ```
    pub fn detach(self)
    where
        T: Reportable,
    {
        if T::CAN_FAIL {
            self.header()
                .with_extra(|extra| extra.inspect = Some(inspect::<T>));
        }
        self.let_go();
    }

    /// Has the task ended? If not, the waker is kept for its end. Unlike a poll it takes no result
    /// and does not count as awaiting.
    #[inline]
    pub(crate) fn poll_done(&self, cx: &Context<'_>) -> bool {
        self.is_finished() || self.join(cx)
    }

    /// Keeps the waker for the task's end; true if that has come meanwhile.
    #[inline]
    fn join(&self, cx: &Context<'_>) -> bool {
        let header = self.header();
        header.join(cx.waker());
        let ended = header.is(Flags::DONE);
        if ended {
            self.forget_joiner();
        }
        ended
    }

    /// Wakes nobody at the task's end.
    pub(crate) fn forget_joiner(&self) {
        drop(self.header().take_joiner());
    }

    /// Shows `f` the result of a task that has ended, unless it was taken. It is back in its place
    /// when `f` returns or panics.
    pub(crate) fn with_result<R>(&self, f: impl FnOnce(&Result<T, JoinError>) -> R) -> Option<R> {
        if !self.is_finished() {
            return None;
        }
        // SAFETY: DONE is set; Held and Typed.
        let result = unsafe { cell::take_result(self.cell) }?;
        let lent = Lent {
            task: self,
            result: Some(result),
        };
        lent.result.as_ref().map(f)
    }

    /// Lets it run on, whatever its handle was told.
    pub(crate) fn let_go(self) {
        let header = self.header();
        header.clear(Flags::AWAITED);
        header.clear(Flags::CANCEL_ON_DROP);
    }

    /// An untyped, cloneable reference to the task, as [`all_tasks`](crate::all_tasks) gives.
    #[doc(alias = "AbortHandle")]
    pub fn task_ref(&self) -> TaskRef {
        TaskRef(self.header().info())
    }
}

/// A result that goes back into its cell.
struct Lent<'a, T> {
    task: &'a Task<T>,
    result: Option<Result<T, JoinError>>,
}

impl<T> Drop for Lent<'_, T> {
    fn drop(&mut self) {
        if let Some(result) = self.result.take() {
            // SAFETY: it was taken out of this cell, so DONE is set and `T` its type; nothing but
            // a `Lent` puts one back, and whoever looks meanwhile finds none to take.
            unsafe { cell::put_result(self.task.cell, result) };
        }
    }
}

/// Reports the error in a task's output.
///
/// # Safety
/// `output` points to a `T`.
unsafe fn inspect<T: Reportable>(header: &Header, output: *const ()) {
    // SAFETY: the caller's.
    let output = unsafe { &*output.cast::<T>() };
    if let Some(error) = output.error() {
        let task = TaskRef(header.info());
        report::report("a detached task failed", Some(&task), Some(error));
    }
}

impl<T, E> Task<Result<T, E>> {
    /// One `Result` instead of two: `task.flatten().await?`.
    ///
    /// ```
    /// # petla::run(async {
    /// let task = petla::spawn(async { std::io::Result::Ok(5) });
    /// assert_eq!(task.flatten().await?, 5);
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    pub fn flatten(self) -> Flatten<T, E>
    where
        E: From<JoinError>,
    {
        Flatten { task: self }
    }
}

impl<T> Future for Task<T> {
    type Output = Result<T, JoinError>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let header = self.header();
        if !header.is(Flags::DONE) {
            if self.is_current() {
                awaits_itself(header);
            }
            header.set(Flags::AWAITED);
            if !self.join(cx) {
                return Poll::Pending;
            }
        }
        // SAFETY: DONE is set; Held and Typed.
        let result = unsafe { cell::take_result(self.cell) };
        Poll::Ready(result.expect("a task was awaited again after it gave its result"))
    }
}

#[cold]
#[inline(never)]
fn awaits_itself(header: &Header) -> ! {
    let task = TaskRef(header.info());
    panic!("{task} awaits itself: it would never end");
}

impl<T> Drop for Task<T> {
    #[inline]
    fn drop(&mut self) {
        let header = self.header();
        let is_wanted = !header.is(Flags::AWAITED) && !header.is(Flags::CANCEL_ON_DROP);
        if !is_wanted && !header.is(Flags::DONE) {
            let reason = Reason::from("its handle was dropped");
            // It may end here and now, if the waker of its group is foreign.
            header.cancel(Cancelled::new(reason, header.spawned_at()));
        }
        if header.is(Flags::DONE) {
            // SAFETY: DONE is set: the loop has let go, and this is the only handle.
            unsafe { cell::discard(self.cell) };
            return;
        }
        let joiner = header.take_joiner();
        header.clear(Flags::HANDLE);
        // Foreign code last: the cell belongs to the loop from here on.
        drop(joiner);
    }
}

impl<T> Debug for Task<T> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("Task")
            .field("name", &self.name())
            .field(
                "spawned_at",
                &format_args!("{}", self.header().spawned_at()),
            )
            .field("finished", &self.is_finished())
            .finish()
    }
}

/// [`Task::flatten`]: the task's own `Result`.
///
/// # Cancel safety
/// **Strict**, like the task.
#[must_use = "futures do nothing unless awaited"]
#[derive(Debug)]
pub struct Flatten<T, E> {
    task: Task<Result<T, E>>,
}

impl<T, E: From<JoinError>> Future for Flatten<T, E> {
    type Output = Result<T, E>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Poll::Ready(ready!(Pin::new(&mut self.task).poll(cx)).unwrap_or_else(|e| Err(e.into())))
    }
}

/// What a detached task may end with: `()`, `!`, or a `Result` whose error can be shown.
///
/// A generic handle cannot see an `Err` in its `T`; here the type is known, so here the report
/// is made. Sealed.
#[diagnostic::on_unimplemented(
    message = "a detached task's `{Self}` would be lost",
    note = "await it, or end it with `()` or a `Result`; `drop(task)` loses the value on purpose"
)]
pub trait Reportable: sealed::Sealed {
    /// Whether an output can be an error at all.
    #[doc(hidden)]
    const CAN_FAIL: bool;

    #[doc(hidden)]
    fn error(&self) -> Option<&dyn Display>;
}

impl Reportable for () {
    const CAN_FAIL: bool = false;

    fn error(&self) -> Option<&dyn Display> {
        None
    }
}

impl Reportable for Never {
    const CAN_FAIL: bool = false;

    fn error(&self) -> Option<&dyn Display> {
        None
    }
}

impl<T, E: Display> Reportable for Result<T, E> {
    const CAN_FAIL: bool = true;

    fn error(&self) -> Option<&dyn Display> {
        self.as_ref().err().map(|error| error as &dyn Display)
    }
}

/// `!` by a stable name: what `async { loop { .. } }` ends with.
pub(crate) type Never = <fn() -> ! as Returns>::Value;

#[doc(hidden)]
pub trait Returns {
    type Value;
}

impl<T> Returns for fn() -> T {
    type Value = T;
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for () {}
    impl Sealed for super::Never {}
    impl<T, E> Sealed for Result<T, E> {}
}
