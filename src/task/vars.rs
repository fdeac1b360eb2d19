//! [`ContextVar`]: values that follow a task and the tasks it spawns.
//!
//! A task's variables are one shared, copy-on-write list behind its header's `extra`. Spawning
//! copies a reference; a `set` copies the list. A task that never sets one,
//! born of one that never did, pays a null check at spawn and nothing else. Code outside any
//! task uses the thread's own list, which the main task of a loop then inherits.
//!
//! # Invariants
//! - **Unborrowed**: user code (`clone`, `drop` of values) runs only while the list is held by
//!   a counted reference, never inside a borrow of the task or the thread-local.

use std::any::Any;
use std::cell::RefCell;
use std::fmt::{self, Debug, Formatter};
use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::atomic::AtomicU8;
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll};

use super::header::{Flags, Header};
use super::token;
use crate::pin::pinned;

/// A variable of the running task, copied to the tasks it spawns.
///
/// Declare it as a `static`; each place that reads it gets the value of the task that runs.
///
/// # asyncio
/// `contextvars.ContextVar`; a task's changes never reach its parent. There are no tokens to
/// reset with: [`scope`](ContextVar::scope) sets a value for one future.
///
/// ```
/// static REQUEST: petla::ContextVar<u32> = petla::ContextVar::new(|| 0);
///
/// petla::run(async {
///     REQUEST.set(7);
///     let child = petla::spawn(async { REQUEST.set(REQUEST.get() + 1); REQUEST.get() });
///     assert_eq!(child.await.unwrap(), 8);
///     assert_eq!(REQUEST.get(), 7);
///     assert_eq!(REQUEST.scope(1, async { REQUEST.get() }).await, 1);
/// });
/// ```
#[doc(alias = "task_local")]
pub struct ContextVar<T: 'static> {
    default: fn() -> T,
    /// Never used. A type that could change inside is not promoted to a `'static`, so a variable
    /// that is declared `const`, and would have many addresses, does not compile.
    _static_only: AtomicU8,
}

impl<T: Clone + Send + 'static> ContextVar<T> {
    /// A variable that is `default()` wherever it was not set.
    pub const fn new(default: fn() -> T) -> Self {
        let _static_only = AtomicU8::new(0);
        ContextVar {
            default,
            _static_only,
        }
    }

    /// The value in the running task, or outside any task the thread's.
    pub fn get(&'static self) -> T {
        let vars = current();
        match vars.as_deref().and_then(|vars| vars.find(self.key())) {
            Some(value) => downcast::<T>(value).clone(),
            None => (self.default)(),
        }
    }

    /// Sets the value for the rest of the task, and for the tasks it spawns from now on.
    pub fn set(&'static self, value: T) {
        let vars = self.with_value(value);
        drop(replace(Some(vars)));
    }

    /// Runs `future` with this value; what it sets itself stays inside it too.
    ///
    /// # Cancel safety
    /// That of `future`.
    pub fn scope<F: IntoFuture>(&'static self, value: T, future: F) -> Scoped<F::IntoFuture> {
        Scoped {
            future: future.into_future(),
            vars: Some(self.with_value(value)),
        }
    }

    /// The present list with this variable changed. User code runs before anything is replaced.
    fn with_value(&'static self, value: T) -> Rc<Vars> {
        let mut vars = current().map_or_else(Vars::default, |vars| (*vars).clone());
        match vars.entries.iter_mut().find(|(key, _)| *key == self.key()) {
            Some((_, old)) => *old = Box::new(value),
            None => vars.entries.push((self.key(), Box::new(value))),
        }
        Rc::new(vars)
    }

    fn key(&'static self) -> usize {
        std::ptr::from_ref(self).addr()
    }
}

impl<T> Debug for ContextVar<T> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("ContextVar")
    }
}

trait Value: Any + Send {
    fn clone_box(&self) -> Box<dyn Value>;
    fn as_any(&self) -> &dyn Any;
}

impl<T: Clone + Send + 'static> Value for T {
    fn clone_box(&self) -> Box<dyn Value> {
        Box::new(self.clone())
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

fn downcast<T: 'static>(value: &dyn Value) -> &T {
    value
        .as_any()
        .downcast_ref()
        .expect("a variable's address is its key, so types agree")
}

/// The variables of one task: few, so a list is the fastest map.
#[derive(Default)]
pub(crate) struct Vars {
    entries: Vec<(usize, Box<dyn Value>)>,
}

impl Vars {
    fn find(&self, key: usize) -> Option<&dyn Value> {
        self.entries
            .iter()
            .find(|(k, _)| *k == key)
            .map(|(_, value)| &**value)
    }
}

impl Clone for Vars {
    fn clone(&self) -> Self {
        let entries = self
            .entries
            .iter()
            .map(|(key, value)| (*key, (**value).clone_box()));
        Vars {
            entries: entries.collect(),
        }
    }
}

thread_local! {
    static THREAD: ThreadVars = const { ThreadVars(RefCell::new(None)) };
}

/// What code outside any task has set on this thread.
struct ThreadVars(RefCell<Option<Rc<Vars>>>);

impl Drop for ThreadVars {
    /// At thread exit a panic of a value's destructor would abort the process.
    fn drop(&mut self) {
        token::drop_safely(self.0.take());
    }
}

/// The variables that code running now sees.
fn current() -> Option<Rc<Vars>> {
    match token::current() {
        Some(task) => task.if_extra(|extra| extra.vars.clone()),
        None => THREAD
            .try_with(|vars| vars.0.borrow().clone())
            .ok()
            .flatten(),
    }
}

fn replace(new: Option<Rc<Vars>>) -> Option<Rc<Vars>> {
    match token::current() {
        Some(task) if new.is_none() => task.if_extra(|extra| extra.vars.take()),
        Some(task) => {
            task.set(Flags::VARS);
            task.with_extra(|extra| std::mem::replace(&mut extra.vars, new))
        }
        None => THREAD.try_with(|vars| vars.0.replace(new)).ok().flatten(),
    }
}

/// A new task starts with its parent's variables.
#[inline(always)]
pub(crate) fn inherit(child: &Header) {
    match token::current() {
        Some(parent) if !parent.is(Flags::VARS) => {}
        _ => inherit_slowly(child),
    }
}

#[cold]
#[inline(never)]
fn inherit_slowly(child: &Header) {
    if let Some(vars) = current() {
        child.set(Flags::VARS);
        child.with_extra(|extra| extra.vars = Some(vars));
    }
}

/// A copy of the variables that some code saw, on its way to another thread.
///
/// The mutex makes the values, which are only `Send`, shareable without `unsafe`.
pub(crate) struct Carried(Mutex<Option<Vars>>);

/// Copies the variables that code running now sees. It clones the values, which is user code.
pub(crate) fn carry() -> Carried {
    Carried(Mutex::new(current().map(|vars| (*vars).clone())))
}

impl Carried {
    /// Calls `f`, outside any task, with these variables and no others; then they are dropped.
    pub(crate) fn with<R>(self, f: impl FnOnce() -> R) -> R {
        let vars = self.0.into_inner().unwrap_or_else(PoisonError::into_inner);
        let mut inner = vars.map(Rc::new);
        let outer = replace(inner.take());
        let _swapped = Swapped {
            outer,
            inner: &mut inner,
        };
        f()
    }
}

pinned! {
    /// [`ContextVar::scope`]: a future with a value of its own for a variable.
    ///
    /// # Cancel safety
    /// That of the future inside.
    #[must_use = "futures do nothing unless awaited"]
    pub struct Scoped<F> {
        #[pin]
        future: F,
        vars: Option<Rc<Vars>>,
    }
}

/// Puts the outer variables back when it is dropped, and keeps the inner ones for the next poll.
struct Swapped<'a> {
    outer: Option<Rc<Vars>>,
    inner: &'a mut Option<Rc<Vars>>,
}

impl Drop for Swapped<'_> {
    fn drop(&mut self) {
        *self.inner = replace(self.outer.take());
    }
}

impl<F: Future> Future for Scoped<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let outer = replace(this.vars.take());
        let _swapped = Swapped {
            outer,
            inner: this.vars,
        };
        this.future.poll(cx)
    }
}

impl<F> Debug for Scoped<F> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("Scoped")
    }
}
