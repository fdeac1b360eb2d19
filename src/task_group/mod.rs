//! [`TaskGroup`]: structured concurrency. Children that may borrow, errors that are all kept.
//!
//! A group is a scope with children. It ends when its body and every child have, whatever
//! happens; so nothing that was started in it outlives it, and a child may borrow what does.
//!
//! ```text
//!   run ──► body and children ──all have ended──► Ok(value), or Err(every failure)
//!                │ a failure, cancel, deadline: the others are cancelled and waited for ▲
//!                └──────────────────────────────────────────────────────────────────────┘
//! ```
//!
//! # Invariants
//! - **Open**: children are taken while `open` is set: from the first poll until the group is
//!   cancelled, or ended.
//! - **Told**: a failure is in the error that the group gives, or is reported.
//!
//! # Not here
//! How children are polled (`kernel::child_tasks`); deadlines and clean-ups (`scope`).

mod error;
mod outcome;
mod start;
mod work;

use std::cell::{Cell, RefCell};
use std::fmt::{self, Debug, Formatter};
use std::future::{Future, pending, poll_fn};
use std::marker::PhantomData;
use std::ops::Deref;
use std::panic::Location;
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;

pub use error::{Cause, ErrorGroup, TaskFailure};
pub use outcome::Outcome;
pub use start::{NotReady, Ready};
use work::{GroupWork, Guarded};

use crate::error::{Cancelled, Reason};
use crate::kernel::{ChildTasks, report_failed};
use crate::scope::run::{Finished, Run};
use crate::scope::{CancelScope, Scope};
use crate::task::report;
use crate::task::{Task, TaskRef};

/// A group's handle, given to its body; clone it into children that spawn siblings.
///
/// Children run in place, inside the future of [`run`](TaskGroup::run): they may borrow whatever
/// outlives that future (`'env`), and dropping or even forgetting it cannot leave one running.
/// They are tasks all the same: names, numbers, [`current_task`](crate::current_task),
/// [`all_tasks`](crate::all_tasks), panics caught.
///
/// It is a [`Scope`] too: `g.cancel("why")`, `g.set_deadline(..)`, `g.on_cancel(..)`. Its
/// clean-ups run when all children have ended.
///
/// # asyncio
/// `TaskGroup`. A child may borrow; its error leaves through the group alone; there is no count of
/// cancellations to keep right.
///
/// ```
/// use petla::TaskGroup;
/// use std::cell::Cell;
///
/// petla::run(async {
///     let words = ["a", "few", "words"];
///     let letters = Cell::new(0);
///     TaskGroup::run(async |g| {
///         for word in &words {
///             let letters = &letters;
///             g.spawn(async move { letters.set(letters.get() + word.len()) });
///         }
///         std::io::Result::Ok(())
///     }).await.unwrap();
///     assert_eq!(letters.get(), 9);
/// });
/// ```
#[doc(alias("Nursery", "JoinSet", "join_set", "scope"))]
pub struct TaskGroup<'env, E> {
    scope: Scope<'env>,
    inner: Rc<Inner<'env, E>>,
    _failures: PhantomData<&'env E>,
}

/// What the handles and the run of a group share.
struct Inner<'env, E> {
    children: ChildTasks<'env>,
    failures: RefCell<Vec<TaskFailure<E>>>,
    open: Cell<bool>,
    /// A failure leaves the others alone.
    supervises: bool,
    /// A failure has cancelled the group.
    has_failed: Cell<bool>,
    scope: CancelScope,
    at: &'static Location<'static>,
}

impl<E> Inner<'_, E> {
    /// Notes a failure, which as a rule cancels the others.
    fn fail(&self, failure: TaskFailure<E>) {
        let why = Reason::from("another task of its group failed");
        let at = failure.spawned_at;
        self.failures.borrow_mut().push(failure);
        if !self.supervises && self.scope.cancel_because(Cancelled::new(why, at)) {
            self.has_failed.set(true);
        }
    }

    /// Reports what nobody will get.
    fn report_lost(&self) {
        for failure in self.failures.take() {
            let place = format!("{} (spawned at {})", failure.name, failure.spawned_at);
            let what = match failure.cause {
                Cause::Error(_) => format!("{place}: {}", std::any::type_name::<E>()),
                Cause::Panicked(panic) => format!("{place}: {panic}"),
            };
            report::report(
                "a failure in a task group that was cancelled",
                None,
                Some(&what),
            );
        }
    }
}

/// Ends the group, whichever way its future goes.
struct Clear<'env, E>(Rc<Inner<'env, E>>);

impl<E> Drop for Clear<'_, E> {
    fn drop(&mut self) {
        self.0.open.set(false);
        self.0.children.clear(report_failed);
        self.0.report_lost();
    }
}

impl<E> Clone for TaskGroup<'_, E> {
    fn clone(&self) -> Self {
        TaskGroup {
            scope: self.scope.another(),
            inner: Rc::clone(&self.inner),
            _failures: PhantomData,
        }
    }
}

impl<'env, E> Deref for TaskGroup<'env, E> {
    type Target = Scope<'env>;

    fn deref(&self) -> &Scope<'env> {
        &self.scope
    }
}

impl<'env, E> TaskGroup<'env, E> {
    /// Runs a group: it ends when the body and every child have. The first failure cancels the
    /// rest, the body included.
    ///
    /// The body runs in the task of its caller, and takes turns with the children. Its value is the
    /// group's, also if the group was cancelled after it had one. A failure counts as a cancel:
    /// the clean-ups that [`on_cancel`](Scope::on_cancel) registered run, also if nobody was left.
    ///
    /// # Errors
    /// [`ErrorGroup`]: every error and panic of the body and the children; or none, if the group
    /// was cancelled from inside, or by its own deadline, before the body ended.
    ///
    /// # Panics
    /// Without a running loop on this thread, and on another loop than the one it began on.
    ///
    /// # Cancel safety
    /// Dropping it drops the children at once; a cancellation by petla waits for their
    /// clean-ups. See [`scope`](crate::scope).
    ///
    /// # asyncio
    /// `async with TaskGroup()`.
    #[track_caller]
    pub fn run<F, R>(
        body: F,
    ) -> impl Future<Output = Result<R::Value, ErrorGroup<E>>> + use<'env, E, F, R>
    where
        F: AsyncFnOnce(&TaskGroup<'env, E>) -> R,
        R: Outcome<E>,
    {
        TaskGroup::run_with(body, false, Location::caller())
    }

    /// [`run`](TaskGroup::run), but a failed child leaves its siblings and the body alone. A
    /// failed body lets the children go on too.
    ///
    /// # Errors
    /// As `run`.
    ///
    /// # Panics
    /// As `run`.
    ///
    /// # Cancel safety
    /// As `run`.
    ///
    /// # asyncio
    /// None: `gather(return_exceptions=True)` comes closest.
    ///
    /// ```
    /// use petla::{TaskGroup, yield_now};
    ///
    /// petla::run(async {
    ///     let result = TaskGroup::supervise(async |g| {
    ///         g.spawn(async { Err::<(), _>("failed") });
    ///         let other = g.spawn(async { yield_now().await; Ok(5) });
    ///         assert_eq!(other.await.unwrap(), 5);
    ///     });
    ///     assert_eq!(result.await.unwrap_err().into_failures().len(), 1);
    /// });
    /// ```
    #[track_caller]
    pub fn supervise<F, R>(
        body: F,
    ) -> impl Future<Output = Result<R::Value, ErrorGroup<E>>> + use<'env, E, F, R>
    where
        F: AsyncFnOnce(&TaskGroup<'env, E>) -> R,
        R: Outcome<E>,
    {
        TaskGroup::run_with(body, true, Location::caller())
    }

    async fn run_with<F, R>(
        body: F,
        supervises: bool,
        at: &'static Location<'static>,
    ) -> Result<R::Value, ErrorGroup<E>>
    where
        F: AsyncFnOnce(&TaskGroup<'env, E>) -> R,
        R: Outcome<E>,
    {
        let mut run = Run::begin(CancelScope::new(), at);
        let group = TaskGroup::new(&run, supervises, at);
        let inner = Rc::clone(&group.inner);
        let _clear = Clear(Rc::clone(&inner));
        // First of all: `body` may spawn before it gives a future.
        poll_fn(|cx| {
            inner.children.enter(cx);
            Poll::Ready(())
        })
        .await;
        let mut body = pin!(Some(body(&group)));
        let mut work = GroupWork::new(body.as_mut(), &inner);
        let end = poll_fn(|cx| run.poll(cx, &mut work)).await;
        let value = work.end();
        let finished = run.finish(end, || ()).await;
        let cancelled = match finished {
            Finished::Value(()) => None,
            Finished::Cancelled(cause) => Some(cause).filter(|_| !inner.has_failed.get()),
            Finished::Doomed => {
                inner.report_lost();
                pending().await
            }
        };
        let failures = inner.failures.take();
        match value {
            Some(value) if failures.is_empty() => Ok(value),
            _ => Err(ErrorGroup {
                failures,
                cancelled,
            }),
        }
    }

    fn new(run: &Run<'env>, supervises: bool, at: &'static Location<'static>) -> Self {
        let scope = run.scope();
        let inner = Inner {
            children: ChildTasks::new(),
            failures: RefCell::new(Vec::new()),
            open: Cell::new(true),
            supervises,
            has_failed: Cell::new(false),
            scope: scope.clone(),
            at,
        };
        TaskGroup {
            scope,
            inner: Rc::new(inner),
            _failures: PhantomData,
        }
    }

    /// Starts a child. It is first polled after what is ready already.
    ///
    /// The handle gives the child's value without its error: that one belongs to the group, and
    /// the handle then gives `JoinError::Cancelled`. Dropping the handle unawaited is fine. On a
    /// group that is cancelled, or has ended, the child never runs.
    ///
    /// # Panics
    /// Without a running loop on this thread, and on another loop than the group's.
    ///
    /// # asyncio
    /// `TaskGroup.create_task`.
    #[track_caller]
    pub fn spawn<F>(&self, child: F) -> Task<<F::Output as Outcome<E>>::Value>
    where
        F: Future + 'env,
        F::Output: Outcome<E>,
    {
        self.spawn_at(child, Location::caller())
    }

    #[inline]
    fn spawn_at<F>(
        &self,
        child: F,
        at: &'static Location<'static>,
    ) -> Task<<F::Output as Outcome<E>>::Value>
    where
        F: Future + 'env,
        F::Output: Outcome<E>,
    {
        let child = Guarded::new(child, Rc::downgrade(&self.inner));
        self.inner.children.spawn(child, at, self.refusal(at))
    }

    /// Why no more children are taken, if none are.
    #[inline]
    fn refusal(&self, at: &'static Location<'static>) -> Option<Cancelled> {
        if self.inner.open.get() && !self.is_cancelled() {
            return None;
        }
        let over = || Cancelled::new(Reason::from("its group is over"), at);
        Some(self.cause().unwrap_or_else(over))
    }

    /// The children that have not ended.
    pub fn children(&self) -> Vec<TaskRef> {
        self.inner.children.refs()
    }

    /// How many children have not ended.
    pub fn len(&self) -> usize {
        self.inner.children.len()
    }

    /// Have all children ended?
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl<E> Debug for TaskGroup<'_, E> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("TaskGroup")
            .field("children", &self.len())
            .field("failures", &self.inner.failures.borrow().len())
            .field("scope", &self.scope)
            .finish()
    }
}
