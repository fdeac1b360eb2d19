//! [`Run`]: a scope from the first poll of its body to the end of its clean-ups.
//!
//! ```text
//!   body ──ready──────────────────────────────► clean-ups (always) ──► Ok(value)
//!     └──cancelled──► what is open inside ends ──► body dropped ──► clean-ups (all) ─┐
//!                     by its own cause ──► Err(cause)   ◄────────────────────────────┤
//!                     from above       ──► closed, Pending for ever ◄────────────────┘
//! ```
//!
//! A value that the body gives is kept, whatever else was asked for.
//!
//! # Invariants
//! - **Open**: the node is open from the first poll until the clean-ups have ended, so whoever
//!   cancels above waits for them.

use std::any::Any;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, Location, catch_unwind, resume_unwind};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Instant;

use super::alarm::{self, Alarm};
use super::cleanups::Cleanups;
use super::{CancelScope, Scope, State};
use crate::error::Cancelled;
use crate::kernel::{Kernel, Node};
use crate::sync::CancelToken;
use crate::task::report;

/// What runs inside a scope.
pub(crate) trait Work {
    type Output;

    /// Polls it, in the scope whose node this is.
    fn poll(&mut self, cx: &mut Context<'_>, node: &Node) -> Poll<Self::Output>;

    /// The scope is cancelled. Said again before each poll from then on.
    fn cancel(&mut self, _why: &Cancelled) {}

    /// Is nothing left in it that must end before it is dropped, but open scopes?
    fn is_clear(&self) -> bool {
        true
    }
}

/// How a body ended.
pub(crate) enum End<T> {
    Value(T),
    Panicked(Box<dyn Any + Send>),
    /// It was dropped.
    Cancelled,
}

/// What came of a run, its clean-ups included.
pub(crate) enum Finished<T> {
    Value(T),
    Cancelled(Cancelled),
    /// Something above is being cancelled: the code around must not go on.
    Doomed,
}

/// See the module.
pub(crate) struct Run<'env> {
    scope: CancelScope,
    cleanups: Rc<Cleanups<'env>>,
    alarm: Alarm,
    /// For what is open inside to end, after a cancel.
    patience: Alarm,
    cleanup_deadline: Option<Instant>,
    linked: Option<Pin<Box<dyn Future<Output = Cancelled>>>>,
    /// What is to be told that the scope is cancelled.
    token: Option<CancelToken>,
    at: &'static Location<'static>,
}

impl<'env> Run<'env> {
    /// Begins the one run of a scope, at its first poll.
    ///
    /// # Panics
    /// If it has been run before.
    pub(crate) fn begin(scope: CancelScope, at: &'static Location<'static>) -> Self {
        let state = &scope.state;
        assert!(
            state.start(),
            "a CancelScope is for one run (this one: {at}): make another for another body"
        );
        let token = state.take_token();
        let told = token.clone().filter(|_| state.is_told.get());
        let linked = token.map(|token| {
            let linked: Pin<Box<dyn Future<Output = Cancelled>>> =
                Box::pin(async move { token.cancelled().await });
            linked
        });
        Run {
            scope,
            cleanups: Rc::default(),
            alarm: Alarm::default(),
            patience: Alarm::default(),
            cleanup_deadline: None,
            linked,
            token: told,
            at,
        }
    }

    /// What the body gets.
    pub(crate) fn scope(&self) -> Scope<'env> {
        Scope {
            scope: self.scope.clone(),
            cleanups: Rc::clone(&self.cleanups),
        }
    }

    fn state(&self) -> &State {
        &self.scope.state
    }

    /// Polls the work, unless it is cancelled and nothing is open in it.
    pub(crate) fn poll<W: Work>(
        &mut self,
        cx: &mut Context<'_>,
        work: &mut W,
    ) -> Poll<End<W::Output>> {
        self.state().open(cx);
        self.poll_linked(cx);
        if self.is_cancelled() && self.is_clear(cx, work) {
            return Poll::Ready(End::Cancelled);
        }
        match self.poll_work(cx, work) {
            Ok(Poll::Ready(value)) => return Poll::Ready(End::Value(value)),
            Ok(Poll::Pending) => {}
            Err(payload) => return Poll::Ready(End::Panicked(payload)),
        }
        if !self.is_cancelled() {
            let deadline = self.state().deadline.get();
            if deadline.is_some() {
                Kernel::with_current("the deadline of a scope", |_| ());
            }
            if !self.alarm.poll(deadline, cx) {
                return Poll::Pending;
            }
            self.state().expire(self.at);
        }
        if self.is_clear(cx, work) {
            return Poll::Ready(End::Cancelled);
        }
        Poll::Pending
    }

    fn poll_linked(&mut self, cx: &mut Context<'_>) {
        if let Some(linked) = &mut self.linked
            && let Poll::Ready(cause) = linked.as_mut().poll(cx)
        {
            self.linked = None;
            self.state().cancel(cause);
        }
    }

    fn poll_work<W: Work>(
        &self,
        cx: &mut Context<'_>,
        work: &mut W,
    ) -> Result<Poll<W::Output>, Box<dyn Any + Send>> {
        let state = self.state();
        let node = state.node.borrow();
        let _inside = node.enter();
        state.polling.set(true);
        let polled = catch_unwind(AssertUnwindSafe(|| work.poll(cx, &node)));
        state.polling.set(false);
        polled
    }

    /// By its own cause, or with something above.
    pub(crate) fn is_cancelled(&self) -> bool {
        self.state().is_cancelled() || self.state().node.borrow().is_doomed()
    }

    /// Cancels what is open inside; true if that is over, or took too long.
    fn is_clear(&mut self, cx: &Context<'_>, work: &mut impl Work) -> bool {
        let state = Rc::clone(&self.scope.state);
        let cause = state.cause().unwrap_or_else(|| from_above(self.at));
        if let Some(token) = self.token.take() {
            match cause.reason() {
                Some(reason) => token.cancel(reason.to_owned()),
                None => token.cancel(()),
            };
        }
        work.cancel(&cause);
        let node = state.node.borrow();
        node.doom_inside();
        if !node.has_children() && work.is_clear() {
            return true;
        }
        if node.has_shield_inside() {
            self.cleanup_deadline = None; // a shield takes its time, and not that of clean-ups
            return false;
        }
        let deadline = self.cleanup_deadline();
        if !self.patience.poll(deadline, cx) {
            return false;
        }
        report::warning("what was open in a cancelled scope did not end in time and was dropped");
        true
    }

    /// When the clean-ups of this run are given up; it is set when it is first asked for.
    fn cleanup_deadline(&mut self) -> Option<Instant> {
        if self.cleanup_deadline.is_none() {
            self.cleanup_deadline = alarm::after(self.state().cleanup_limit.get());
        }
        self.cleanup_deadline
    }

    /// Drops the body by `drop_body` and runs the clean-ups. A panic of the body goes on then.
    pub(crate) async fn finish<T>(mut self, end: End<T>, drop_body: impl FnOnce()) -> Finished<T> {
        let mut end = end;
        let cancelled = matches!(end, End::Cancelled);
        if let Err(payload) = catch_unwind(AssertUnwindSafe(drop_body)) {
            end = match end {
                End::Panicked(first) => {
                    report::panicked("a destructor panicked after its scope had", None, payload);
                    End::Panicked(first)
                }
                _ => End::Panicked(payload),
            };
        }
        let deadline = self.cleanup_deadline();
        {
            let mut cleaning = pin!(self.cleanups.run(cancelled, deadline));
            // Whoever waits for this sees that it is polled.
            poll_fn(|cx| {
                self.state().open(cx);
                cleaning.as_mut().poll(cx)
            })
            .await;
        }
        self.cleanups.close();
        let doomed = self.state().node.borrow().is_doomed();
        self.state().finish();
        match (end, self.state().cause()) {
            (End::Value(value), _) => Finished::Value(value),
            (End::Panicked(payload), _) => resume_unwind(payload),
            (End::Cancelled, Some(cause)) if !doomed => Finished::Cancelled(cause),
            (End::Cancelled, _) => Finished::Doomed,
        }
    }
}

/// What children are told that something above their group cancels.
#[cold]
fn from_above(at: &'static Location<'static>) -> Cancelled {
    Cancelled::new("something around it was cancelled".into(), at)
}

impl Drop for Run<'_> {
    /// Dropped before its end, by code that does not wait.
    fn drop(&mut self) {
        self.cleanups.orphan();
        self.state().finish();
    }
}
