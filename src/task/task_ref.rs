//! [`TaskRef`]: any task by number, name and place, without its type.
//!
//! It points to a record of its own that outlives the cell, so a reference kept for ever holds
//! forty bytes, not a future.
//!
//! # Invariants
//! - **Linked**: `cell` is set exactly while the task has not ended, so it does not dangle.

use std::borrow::Cow;
use std::cell::{Cell, RefCell};
use std::fmt::{self, Debug, Display, Formatter};
use std::panic::Location;
use std::ptr::NonNull;
use std::rc::Rc;

use super::header::{Flags, Header, default_name};
use super::trace;
use crate::error::{Cancelled, Reason};

/// The number of a task: unique in its loop, growing in the order of spawning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TaskId(pub(super) u64);

impl TaskId {
    /// What no task has.
    pub(crate) const NONE: TaskId = TaskId(0);
}

impl Display for TaskId {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        Display::fmt(&self.0, f)
    }
}

pub(super) struct Info {
    id: u64,
    spawned_at: &'static Location<'static>,
    name: RefCell<Option<Cow<'static, str>>>,
    cell: Cell<Option<NonNull<Header>>>,
}

impl Info {
    pub(super) fn new(header: &Header, cell: NonNull<Header>) -> Self {
        let cell = (!header.is(Flags::DONE)).then_some(cell);
        Info {
            id: header.id(),
            spawned_at: header.spawned_at(),
            name: RefCell::new(None),
            cell: Cell::new(cell),
        }
    }

    pub(super) fn given_name(&self) -> Option<Cow<'static, str>> {
        self.name.borrow().clone()
    }

    fn name(&self) -> Cow<'static, str> {
        self.given_name().unwrap_or_else(|| default_name(self.id))
    }

    pub(super) fn set_name(&self, name: Cow<'static, str>) {
        self.name.replace(Some(name));
    }

    pub(super) fn end(&self) {
        self.cell.set(None);
    }
}

/// Any task of this loop, by name and place; can cancel it, cannot await its value.
///
/// Two references are equal when they name the same task.
///
/// ```
/// # petla::run(async {
/// let task = petla::spawn(std::future::pending::<()>()).named("idle");
/// let found = petla::all_tasks().into_iter().find(|t| t.name() == "idle").unwrap();
/// assert!(found == task.task_ref() && found.cancel("seen"));
/// assert!(task.await.is_err() && found.is_finished());
/// # });
/// ```
#[derive(Clone)]
pub struct TaskRef(pub(super) Rc<Info>);

impl TaskRef {
    pub(crate) fn of(header: &Header) -> Self {
        TaskRef(header.info())
    }

    /// The task's header, while it has not ended.
    fn header(&self) -> Option<&Header> {
        // SAFETY: Linked.
        self.0.cell.get().map(|cell| unsafe { cell.as_ref() })
    }

    /// Asks for the task's end, as [`Task::cancel`](crate::Task::cancel) does.
    #[track_caller]
    pub fn cancel(&self, reason: impl Into<Reason>) -> bool {
        let why = Cancelled::new(reason.into(), Location::caller());
        self.header().is_some_and(|header| header.cancel(why))
    }

    /// The same from inside, by a future that is over although it gave no output.
    pub(crate) fn end_because(&self, why: Cancelled) {
        if let Some(header) = self.header() {
            header.set(Flags::OVER);
            header.cancel(why);
        }
    }

    /// The same for the loop itself; false also if somebody else has asked before.
    pub(crate) fn cancel_first(&self, why: Cancelled) -> bool {
        self.header()
            .is_some_and(|header| !header.is(Flags::CANCEL) && header.cancel(why))
    }

    /// Has the task ended?
    pub fn is_finished(&self) -> bool {
        self.0.cell.get().is_none()
    }

    /// The task's number.
    pub fn id(&self) -> TaskId {
        TaskId(self.0.id)
    }

    /// The task's name: `task-17` unless it was given one.
    pub fn name(&self) -> Cow<'static, str> {
        self.0.name()
    }

    /// Names the task.
    pub fn set_name(&self, name: impl Into<Cow<'static, str>>) {
        self.0.set_name(name.into());
        self.header().into_iter().for_each(trace::named);
    }

    /// Where the task was spawned.
    pub fn location(&self) -> &'static Location<'static> {
        self.0.spawned_at
    }
}

impl PartialEq for TaskRef {
    fn eq(&self, other: &Self) -> bool {
        Rc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for TaskRef {}

impl Debug for TaskRef {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "TaskRef({} at {})", self.name(), self.location())
    }
}

impl Display for TaskRef {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{} (spawned at {})", self.name(), self.location())
    }
}
