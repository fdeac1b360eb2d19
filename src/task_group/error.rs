//! [`ErrorGroup`]: everything that failed in a group, and where.

use std::borrow::Cow;
use std::error::Error;
use std::fmt::{self, Debug, Display, Formatter};
use std::io;
use std::panic::Location;

use crate::error::{Cancelled, JoinError, Panic, Reason};
use crate::task::{TaskId, TaskRef};

/// Why one child, or the body, failed.
#[derive(Debug)]
pub enum Cause<E> {
    /// It ended with this error.
    Error(E),
    /// It panicked.
    Panicked(Panic),
}

impl<E: Display> Display for Cause<E> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Cause::Error(error) => Display::fmt(error, f),
            Cause::Panicked(panic) => Display::fmt(panic, f),
        }
    }
}

/// One failed child of a group, or its body: then the task is the one that the group ran in.
#[derive(Debug)]
pub struct TaskFailure<E> {
    /// The task's number.
    pub task: TaskId,
    /// The task's name.
    pub name: Cow<'static, str>,
    /// Where it was spawned.
    pub spawned_at: &'static Location<'static>,
    /// What happened.
    pub cause: Cause<E>,
}

impl<E> TaskFailure<E> {
    pub(super) fn of(task: &TaskRef, cause: Cause<E>) -> Self {
        TaskFailure {
            task: task.id(),
            name: task.name(),
            spawned_at: task.location(),
            cause,
        }
    }

    /// Of the body of a group that ran outside of any task: in a callback.
    pub(super) fn outside(at: &'static Location<'static>, cause: Cause<E>) -> Self {
        TaskFailure {
            task: TaskId::NONE,
            name: "no task".into(),
            spawned_at: at,
            cause,
        }
    }
}

impl<E: Display> Display for TaskFailure<E> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} (spawned at {}): {}",
            self.name, self.spawned_at, self.cause
        )
    }
}

/// All errors and panics of a [`TaskGroup`](crate::TaskGroup), in the order in which they happened.
///
/// Empty only if the group was cancelled, from inside or by its own deadline, before its body
/// ended.
///
/// # asyncio
/// `ExceptionGroup`. A child that was merely cancelled is not in it.
#[derive(Debug)]
pub struct ErrorGroup<E> {
    pub(super) failures: Vec<TaskFailure<E>>,
    pub(super) cancelled: Option<Cancelled>,
}

impl<E> ErrorGroup<E> {
    /// What failed.
    pub fn failures(&self) -> &[TaskFailure<E>] {
        &self.failures
    }

    /// What failed, by value.
    pub fn into_failures(self) -> Vec<TaskFailure<E>> {
        self.failures
    }

    /// The errors of type `E`, panics left out.
    pub fn errors(&self) -> impl Iterator<Item = &E> {
        self.failures
            .iter()
            .filter_map(|failure| match &failure.cause {
                Cause::Error(error) => Some(error),
                Cause::Panicked(_) => None,
            })
    }

    /// The group's own cancellation: `g.cancel(..)` by its body, a child or whoever has the scope,
    /// or its deadline.
    pub fn cancelled(&self) -> Option<&Cancelled> {
        self.cancelled.as_ref()
    }

    /// The first failure alone; a panic or a cancellation comes as [`JoinError`].
    pub fn into_first(self) -> E
    where
        E: From<JoinError>,
    {
        match (self.failures.into_iter().next(), self.cancelled) {
            (Some(first), _) => match first.cause {
                Cause::Error(error) => error,
                Cause::Panicked(panic) => JoinError::Panicked(panic).into(),
            },
            (None, Some(cancelled)) => JoinError::Cancelled(cancelled).into(),
            (None, None) => {
                let nothing = Cancelled::new(Reason::from("nothing failed"), Location::caller());
                JoinError::Cancelled(nothing).into()
            }
        }
    }
}

impl<E: Display> Display for ErrorGroup<E> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match (&self.failures[..], &self.cancelled) {
            ([], Some(cancelled)) => write!(f, "the task group was {cancelled}"),
            ([], None) => f.write_str("the task group failed"),
            ([failure], _) => write!(f, "a task failed: {failure}"),
            (failures, _) => {
                write!(f, "{} tasks failed: ", failures.len())?;
                for (at, failure) in failures.iter().enumerate() {
                    let comma = if at == 0 { "" } else { "; " };
                    write!(f, "{comma}{failure}")?;
                }
                Ok(())
            }
        }
    }
}

// Not `E: Error`: `anyhow::Error` and `Box<dyn Error>` are not, and must be usable as `E`.
impl<E: Display + Debug> Error for ErrorGroup<E> {}

impl From<ErrorGroup<io::Error>> for io::Error {
    /// The first error's kind (`TimedOut` for a deadline), the whole group as source.
    fn from(group: ErrorGroup<io::Error>) -> Self {
        let first = group.errors().next().map(io::Error::kind);
        let late = group
            .cancelled
            .as_ref()
            .is_some_and(|c| c.deadline().is_some());
        let kind = match first {
            // What `read_exact` and `copy` would retry for ever.
            Some(io::ErrorKind::Interrupted) | None if !late => io::ErrorKind::Other,
            Some(kind) if kind != io::ErrorKind::Interrupted => kind,
            _ => io::ErrorKind::TimedOut,
        };
        io::Error::new(kind, group)
    }
}
