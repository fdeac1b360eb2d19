//! Reports of what nobody else will look at: unseen panics and errors, panicking callbacks.
//!
//! A report goes to the exception handler of the loop that runs on this thread, and is an event
//! for `tracing` (`trace`). If neither listens it goes to stderr.
//! The handler belongs to the loop, floors above: the kernel installs a plain function pointer
//! here while a loop runs.
//!
//! # Invariants
//! - **Quiet**: nothing here unwinds, whatever a handler, a `Display` or a payload's destructor
//!   does: reports are made in the middle of the loop's bookkeeping.
//!
//! # Not here
//! Slow polls, and finding the tasks that await each other (`kernel::cycles`).

use std::any::Any;
use std::cell::Cell;
use std::fmt::{self, Debug, Display, Formatter};
use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::header::Header;
use super::task_ref::TaskRef;
use super::trace;
use crate::error::Panic;

/// What the exception handler of a loop is told.
///
/// # asyncio
/// The context dictionary of `call_exception_handler`.
#[non_exhaustive]
pub struct Report<'a> {
    /// What happened, in a few words.
    pub message: &'a str,
    /// The task it happened to.
    pub task: Option<&'a TaskRef>,
    /// The error or panic.
    pub error: Option<&'a dyn Display>,
}

impl Display for Report<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(self.message)?;
        if let Some(task) = self.task {
            write!(f, ": {task}")?;
        }
        if let Some(error) = self.error {
            write!(f, ": {error}")?;
        }
        Ok(())
    }
}

impl Debug for Report<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "Report({self})")
    }
}

/// Hands a report to whoever listens; false if nobody does.
type Handler = fn(&Report<'_>) -> bool;

thread_local! {
    static HANDLER: Cell<Option<Handler>> = const { Cell::new(None) };
}

/// Installs the handler of this thread; returns the one before.
pub(crate) fn install(handler: Option<Handler>) -> Option<Handler> {
    HANDLER.replace(handler)
}

/// Reports to whoever listens.
pub(crate) fn report(message: &str, task: Option<&TaskRef>, error: Option<&dyn Display>) {
    quietly(|| {
        let report = Report {
            message,
            task,
            error,
        };
        let is_event = trace::event(&report);
        let is_handled = HANDLER.get().is_some_and(|handler| handler(&report));
        if !is_event && !is_handled {
            to_stderr(&report);
        }
    });
}

/// Calls `f`; false if it panicked. The payload's destructor, which may panic in turn, is
/// called too, and what that panics with is forgotten: there is nobody left to tell.
pub(crate) fn quietly(f: impl FnOnce()) -> bool {
    let Err(payload) = catch_unwind(AssertUnwindSafe(f)) else {
        return true;
    };
    if let Err(again) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
        std::mem::forget(again);
    }
    false
}

/// A report that is only words.
pub(crate) fn simple(message: &str) -> Report<'_> {
    Report {
        message,
        task: None,
        error: None,
    }
}

/// A remark without a task, such as a lack of descriptors.
pub(crate) fn warning(message: &str) {
    report(message, None, None);
}

/// Writes one line. A closed stderr is no reason to panic.
pub(crate) fn to_stderr(report: &Report<'_>) {
    let _ = writeln!(std::io::stderr(), "petla: {report}");
}

/// Reports a caught panic.
#[cold]
pub(crate) fn panicked(message: &str, task: Option<&TaskRef>, payload: Box<dyn Any + Send>) {
    let panic = Panic::new(payload);
    report(message, task, Some(&panic));
    drop_panic(panic);
}

/// Reports the panic of a task whose handle is gone.
#[cold]
pub(super) fn unseen_panic(header: &Header, panic: Panic) {
    let task = TaskRef::of(header);
    report(
        "a task panicked and nobody awaited it",
        Some(&task),
        Some(&panic),
    );
    drop_panic(panic);
}

fn drop_panic(panic: Panic) {
    if !quietly(|| drop(panic)) {
        warning("the payload of that panic panicked when it was dropped");
    }
}
