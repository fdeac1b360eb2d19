//! The spans of tasks and of work on threads, wakes and reports, told to `tracing`'s subscribers.
//!
//! A subscriber is foreign code: it may panic and it may call the loop. So a span hangs by an
//! `Rc` at the task, of which every user has a clone of its own, and each call of a subscriber
//! goes through [`told`].
//!
//! # Invariants
//! - **Unlent**: no part of a task is lent, and no header looked at again, while a subscriber runs.
//! - **Balanced**: a span that was entered is left by `Inside`, also if a subscriber panicked.

use std::cell::Cell;
use std::fmt::Display;
use std::panic::Location;
use std::rc::Rc;

use tracing::level_filters::{LevelFilter, STATIC_MAX_LEVEL};
use tracing::{Level, Span, field};

use crate::task::header::{Flags, Header};
use crate::task::{Report, report, token};

/// The task was polled, so it has its span or will never have one.
const ASKED: Flags = Flags(1 << 13);

const TASKS: &str = "petla::task";
const THREADS: &str = "petla::thread";
const REPORTS: &str = "petla";
const WAKES: &str = "runtime::waker";

thread_local! {
    /// A subscriber is being called.
    static TELLING: Cell<bool> = const { Cell::new(false) };
}

/// May a subscriber want spans and wakes? `enabled!` would ask with a name that is none of theirs.
#[inline]
fn is_traced() -> bool {
    Level::TRACE <= STATIC_MAX_LEVEL && Level::TRACE <= LevelFilter::current()
}

/// Calls a subscriber. A panic of its is reported; `None` then.
fn told<R>(tell: impl FnOnce() -> R) -> Option<R> {
    let mut result = None;
    let outer = TELLING.replace(true);
    if !report::quietly(|| result = Some(tell())) {
        report::warning("a tracing subscriber panicked");
    }
    TELLING.set(outer);
    result
}

/// A task's span.
#[derive(Default)]
pub(crate) struct Kept(Option<Rc<Span>>);

impl Kept {
    /// The task has ended.
    #[inline(always)]
    pub(crate) fn close(self) {
        if let Some(span) = self.0 {
            tell_close(span);
        }
    }
}

#[inline(never)]
fn tell_close(span: Rc<Span>) {
    told(|| drop(span));
}

#[inline]
fn span_of(header: &Header) -> Option<Rc<Span>> {
    header.if_extra(|extra| extra.span.0.clone())
}

/// Enters the task's span, made now if need be.
#[inline(always)]
pub(crate) fn enter(header: &Header) -> Inside {
    if !header.is(ASKED) {
        header.set(ASKED);
        if is_traced() && !header.is_callback() {
            make(header);
        }
    }
    Inside::new(span_of(header))
}

#[inline(never)]
fn make(header: &Header) {
    let (id, at, name) = (header.id(), header.spawned_at(), header.given_name());
    let span = told(|| {
        tracing::trace_span!(
            target: TASKS,
            parent: None,
            "runtime.spawn",
            kind = "task",
            task.name = name.as_deref(),
            task.id = id,
            loc.file = at.file(),
            loc.line = at.line(),
            loc.col = at.column(),
        )
    });
    let Some(span) = span.filter(|span| !span.is_disabled()) else {
        return;
    };
    let span = Rc::new(span);
    header.with_extra(|extra| extra.span.0 = Some(Rc::clone(&span)));
    waker_event("waker.clone", &span);
}

/// Takes the span of a task that ends.
#[inline]
pub(crate) fn take(header: &Header) -> Kept {
    Kept(header.if_extra(|extra| extra.span.0.take()))
}

/// A span is entered for as long as this lives.
pub(crate) struct Inside(Option<Rc<Span>>);

impl Inside {
    #[inline(always)]
    fn new(span: Option<Rc<Span>>) -> Self {
        if let Some(span) = &span {
            tell_enter(span);
        }
        Inside(span)
    }
}

// Apart: a poll without a span should have nothing of these on its stack. Nor are they
// `Span::enter`, whose guard would unwind out of our hands.
#[inline(never)]
fn tell_enter(span: &Span) {
    told(|| span.with_subscriber(|(id, dispatch)| dispatch.enter(id)));
}

#[inline(never)]
fn tell_exit(span: Rc<Span>) {
    told(|| span.with_subscriber(|(id, dispatch)| dispatch.exit(id)));
    told(|| drop(span)); // often not the last one
}

impl Drop for Inside {
    #[inline(always)]
    fn drop(&mut self) {
        if let Some(span) = self.0.take() {
            tell_exit(span);
        }
    }
}

/// The task was given a name.
pub(crate) fn named(header: &Header) {
    if let (Some(span), Some(name)) = (span_of(header), header.given_name()) {
        told(|| span.record("task.name", name.as_ref()));
    }
}

/// The task in `slot` was woken, if the slot still has that generation.
#[inline]
pub(crate) fn woken(loop_index: u16, slot: u32, generation: Option<u32>) {
    if is_traced() {
        tell_wake(loop_index, slot, generation);
    }
}

#[inline(never)]
fn tell_wake(loop_index: u16, slot: u32, generation: Option<u32>) {
    if TELLING.get() {
        return;
    }
    if let Some(span) = span_in(loop_index, slot, generation) {
        waker_event("waker.wake_by_ref", &span);
        told(|| drop(span));
    }
}

/// The span of the task in a slot, be it one of the task's own or that of a group's child.
fn span_in(loop_index: u16, slot: u32, generation: Option<u32>) -> Option<Rc<Span>> {
    let queue = token::queue().filter(|queue| queue.loop_index() == loop_index)?;
    if slot >= queue.slots() || generation.is_some_and(|it| it != queue.generation(slot)) {
        return None;
    }
    let task = queue.task(slot).or_else(|| queue.child_task(slot))?;
    // SAFETY: a task in a slot is alive, and `span_of` runs no foreign code.
    span_of(unsafe { task.as_ref() })
}

fn waker_event(op: &str, span: &Span) {
    if let Some(id) = span.id() {
        told(|| tracing::trace!(target: WAKES, op, task.id = id.into_u64()));
    }
}

/// Tells of a report; false if no subscriber wants to know.
pub(crate) fn event(report: &Report<'_>) -> bool {
    !TELLING.get() && told(|| tell_report(report)) == Some(true)
}

fn tell_report(report: &Report<'_>) -> bool {
    let message = report.message;
    let name = report.task.map(|task| task.name());
    let name = name.as_deref();
    let id = report.task.map(|task| task.id().0);
    let at = report.task.map(|task| task.location());
    let (file, line) = (at.map(Location::file), at.map(Location::line));
    let column = at.map(Location::column);
    macro_rules! tell {
        ($level:expr $(, error = $error:expr)?) => {{
            let wanted = tracing::enabled!(target: REPORTS, $level);
            if wanted {
                tracing::event!(
                    target: REPORTS,
                    $level,
                    $(error = $error,)?
                    task.id = id,
                    task.name = name,
                    loc.file = file,
                    loc.line = line,
                    loc.col = column,
                    "{message}"
                );
            }
            wanted
        }};
    }
    match report.error {
        Some(error) => tell!(Level::ERROR, error = show(error)),
        None => tell!(Level::WARN),
    }
}

fn show(error: &dyn Display) -> field::DisplayValue<&dyn Display> {
    field::display(error)
}

/// The span of work on a thread.
pub(crate) struct Work(Option<Span>);

/// The work is handed over.
pub(crate) fn work(at: &'static Location<'static>) -> Work {
    if !is_traced() {
        return Work(None);
    }
    Work(told(|| {
        tracing::trace_span!(
            target: THREADS,
            parent: None,
            "runtime.spawn",
            kind = "blocking",
            loc.file = at.file(),
            loc.line = at.line(),
            loc.col = at.column(),
        )
    }))
}

impl Work {
    /// Runs it, inside its span.
    pub(crate) fn run<T>(mut self, f: impl FnOnce() -> T) -> T {
        let _inside = Inside::new(self.0.take().map(Rc::new));
        f()
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        if let Some(span) = self.0.take() {
            told(|| drop(span));
        }
    }
}
