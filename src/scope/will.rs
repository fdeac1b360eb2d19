//! [`on_cancel`]: clean-ups of a whole task, without a scope of its own.
//!
//! They are the task's will: kept behind its header, run in its name after its future has been
//! dropped, before its handle gives the cancellation.

use std::any::Any;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use super::alarm;
use super::cleanups::{Cleanup, Cleanups, Kind, When};
use crate::kernel::{CLEANUP_LIMIT, Cleaner, Kernel};
use crate::task::{Header, Will, token};

/// Runs `cleanup` if the task that runs now is cancelled, after its future has been dropped:
/// last in, first out, within 5 s together. Whoever awaits the task waits for that.
///
/// It does not run if the task ends with a value or a panic. What must borrow, or belongs to a
/// part of the task, goes to [`Scope::on_cancel`](crate::Scope::on_cancel).
///
/// # Panics
/// Outside of a task.
///
/// # asyncio
/// `except CancelledError: await cleanup(); raise`, around the whole task.
///
/// ```
/// use petla::{on_cancel, spawn, yield_now};
/// use std::{cell::Cell, rc::Rc};
///
/// petla::run(async {
///     let closed = Rc::new(Cell::new(false));
///     let close = closed.clone();
///     let task = spawn(async move {
///         on_cancel(async move {
///             yield_now().await;
///             close.set(true);
///         });
///         std::future::pending::<()>().await
///     });
///     yield_now().await;
///     task.cancel("enough");
///     assert!(task.await.is_err() && closed.get());
/// });
/// ```
#[track_caller]
pub fn on_cancel(cleanup: impl Future<Output = ()> + 'static) -> Cleanup {
    let at = Location::caller();
    let Some(task) = token::current().filter(|task| !task.is_callback()) else {
        panic!("on_cancel() is about the task that runs, and none does ({at})");
    };
    let list = list_of(task);
    list.add(When::Cancelled, Kind::Anywhere(Box::pin(cleanup)), at)
}

/// The task's clean-ups, made now if need be.
fn list_of(task: &Header) -> Rc<Cleanups<'static>> {
    let will = task.take_will().unwrap_or_else(|| {
        Kernel::with_current("on_cancel()", |kernel| Box::new(TaskWill::new(kernel)))
    });
    let list = will.as_any().downcast_ref::<Rc<Cleanups<'static>>>();
    let list = Rc::clone(list.expect("only this file makes wills"));
    drop(task.set_will(will)); // none: it was taken above
    list
}

type Running = Pin<Box<dyn Future<Output = ()>>>;

struct TaskWill {
    list: Rc<Cleanups<'static>>,
    running: Option<Running>,
    /// A loop that closes waits for it.
    _cleaner: Cleaner,
}

impl TaskWill {
    fn new(kernel: &Kernel) -> Self {
        TaskWill {
            list: Rc::default(),
            running: None,
            _cleaner: Cleaner::new(kernel),
        }
    }

    fn run(&self) -> Running {
        let list = Rc::clone(&self.list);
        let deadline = alarm::after(CLEANUP_LIMIT);
        Box::pin(async move { list.run(true, deadline).await })
    }
}

impl Will for TaskWill {
    fn as_any(&self) -> &dyn Any {
        &self.list
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let mut running = self.running.take().unwrap_or_else(|| self.run());
        let polled = running.as_mut().poll(cx);
        self.running = Some(running);
        polled
    }

    fn discard(&mut self) {
        self.list.clear();
    }
}

impl Drop for TaskWill {
    /// With its task, by code that does not wait; after its end there is nothing left.
    fn drop(&mut self) {
        drop(self.running.take());
        self.list.orphan();
    }
}
