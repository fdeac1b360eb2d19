//! What a group polls: the body, then the children that were woken.
//!
//! # Invariants
//! - **Entered**: each poll enters the children once; `run` does so for the first.
//! - **Once**: `has_cancelled` is set with the one call that cancels all children.

use std::any::Any;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::rc::{Rc, Weak};
use std::task::{Context, Poll, ready};

use super::{Cause, Inner, Outcome, TaskFailure};
use crate::error::{Cancelled, Panic, Reason};
use crate::kernel::{Failed, Node, Step, current_task};
use crate::pin::pinned;
use crate::scope::run::Work;

/// See the module.
pub(super) struct GroupWork<'a, 'env, E, B: Future<Output: Outcome<E>>> {
    body: Pin<&'a mut Option<B>>,
    /// Of the scopes that are open in the body.
    body_node: Node,
    value: Option<<B::Output as Outcome<E>>::Value>,
    inner: &'a Rc<Inner<'env, E>>,
    has_entered: bool,
    has_cancelled: bool,
}

impl<'a, 'env, E, B: Future<Output: Outcome<E>>> GroupWork<'a, 'env, E, B> {
    pub(super) fn new(body: Pin<&'a mut Option<B>>, inner: &'a Rc<Inner<'env, E>>) -> Self {
        GroupWork {
            body,
            body_node: Node::new(),
            value: None,
            inner,
            has_entered: true,
            has_cancelled: false,
        }
    }

    /// Drops what did not end in time; gives the body's value.
    pub(super) fn end(mut self) -> Option<<B::Output as Outcome<E>>::Value> {
        self.inner.open.set(false);
        if self.body.is_some() {
            self.drop_body();
        }
        self.inner
            .children
            .clear(|failed| self.child_panicked(failed));
        self.value
    }

    /// Polls the body, which was woken; drops it when it has ended.
    fn poll_body(&mut self, node: &Node, cx: &mut Context<'_>) {
        let Some(body) = self.body.as_mut().as_pin_mut() else {
            return;
        };
        let body_node = &mut self.body_node;
        // Again: a child that was polled before has left something of its own current.
        let inside = node.enter();
        let polled = catch_unwind(AssertUnwindSafe(|| poll_in(body_node, body, cx)));
        drop(inside);
        match polled {
            Ok(Poll::Pending) => return,
            Ok(Poll::Ready(outcome)) => match outcome.into_result() {
                Ok(value) => self.value = Some(value),
                Err(error) => self.fail(Cause::Error(error)),
            },
            Err(payload) => self.panicked(payload),
        }
        self.drop_body();
    }

    fn drop_body(&mut self) {
        let body = AssertUnwindSafe(|| self.body.set(None));
        if let Err(payload) = catch_unwind(body) {
            self.panicked(payload);
        }
        self.body_node.close();
        self.inner.children.end_body();
    }

    #[cold]
    fn panicked(&mut self, payload: Box<dyn Any + Send>) {
        self.fail(Cause::Panicked(Panic::new(payload)));
    }

    #[cold]
    fn child_panicked(&self, failed: Failed) {
        let failure = TaskFailure::of(&failed.task, Cause::Panicked(failed.panic));
        self.inner.fail(failure);
    }

    #[cold]
    fn fail(&mut self, cause: Cause<E>) {
        let failure = match current_task() {
            Some(task) => TaskFailure::of(&task, cause),
            None => TaskFailure::outside(self.inner.at, cause),
        };
        self.inner.fail(failure);
    }

    /// The body is to be polled, or a child was.
    fn step(&mut self, node: &Node, step: Step<'_>) {
        match step {
            Step::Body(waker) => self.poll_body(node, &mut Context::from_waker(waker)),
            Step::Child(None) => {}
            Step::Child(Some(failed)) => self.child_panicked(failed),
        }
        // At once, so that no sibling begins after it.
        if !self.has_cancelled && self.inner.scope.is_cancelled() {
            self.cancel_siblings();
        }
    }

    #[cold]
    fn cancel_siblings(&mut self) {
        if let Some(cause) = self.inner.scope.cause() {
            self.cancel(&cause);
        }
    }

    /// Has everything ended by itself?
    fn is_complete(&self) -> bool {
        !self.has_cancelled && !self.inner.has_failed.get() && self.is_clear()
    }
}

impl<E, B: Future<Output: Outcome<E>>> Work for GroupWork<'_, '_, E, B> {
    type Output = ();

    fn poll(&mut self, cx: &mut Context<'_>, node: &Node) -> Poll<()> {
        if !std::mem::take(&mut self.has_entered) {
            self.inner.children.enter(cx);
        }
        let inner = self.inner;
        inner.children.poll(node, |step| self.step(node, step));
        match self.is_complete() {
            true => Poll::Ready(()),
            false => Poll::Pending,
        }
    }

    fn cancel(&mut self, why: &Cancelled) {
        if !self.has_cancelled && !self.is_clear() {
            self.has_cancelled = true;
            self.inner.open.set(false);
            self.inner.children.cancel(why);
        }
        if self.body.is_some() && !self.body_node.has_children() {
            self.drop_body();
        }
    }

    fn is_clear(&self) -> bool {
        self.body.is_none() && self.inner.children.len() == 0
    }
}

/// Polls the body in a node that is made when a scope begins in it.
fn poll_in<B: Future>(node: &mut Node, body: Pin<&mut B>, cx: &mut Context<'_>) -> Poll<B::Output> {
    if node.is_used() {
        node.open(cx, false);
        let _inside = node.enter();
        return body.poll(cx);
    }
    node.poll_lazily(cx, |cx| body.poll(cx))
}

pinned! {
    /// A child: its error goes to the group.
    pub(super) struct Guarded<'env, F, E> {
        #[pin]
        child: F,
        group: Weak<Inner<'env, E>>,
    }
}

impl<'env, F, E> Guarded<'env, F, E> {
    pub(super) fn new(child: F, group: Weak<Inner<'env, E>>) -> Self {
        Guarded { child, group }
    }
}

impl<F: Future<Output: Outcome<E>>, E> Future for Guarded<'_, F, E> {
    type Output = <F::Output as Outcome<E>>::Value;

    /// After an error it is Pending, and over: it is not polled again.
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let error = match ready!(this.child.poll(cx)).into_result() {
            Ok(value) => return Poll::Ready(value),
            Err(error) => error,
        };
        if let (Some(group), Some(task)) = (this.group.upgrade(), current_task()) {
            let why = Reason::from("it failed, and the error is its group's");
            task.end_because(Cancelled::new(why, task.location()));
            group.fail(TaskFailure::of(&task, Cause::Error(error)));
        }
        Poll::Pending
    }
}
