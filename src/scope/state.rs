//! [`State`]: what the handles and the run of a scope share.
//!
//! # Invariants
//! - **Unlent**: the node and the waker are taken out while foreign code runs: wakers that are
//!   cloned, woken or dropped may come back to the scope's handles.
//!
//! # Not here
//! Who polls and when: `run`.

use std::cell::{Cell, RefCell};
use std::panic::Location;
use std::task::{Context, Waker};
use std::time::{Duration, Instant};

use crate::error::Cancelled;
use crate::kernel::{CLEANUP_LIMIT, Kernel, Node};
use crate::sync::CancelToken;
use crate::task::token::{drop_safely, wake_safely};

/// What the handles and the run of a scope share.
pub(super) struct State {
    pub(super) cause: RefCell<Option<Cancelled>>,
    pub(super) stage: Cell<Stage>,
    /// Until the body starts.
    pub(super) limit: Cell<Option<Duration>>,
    pub(super) deadline: Cell<Option<Instant>>,
    pub(super) shield: Cell<bool>,
    pub(super) cleanup_limit: Cell<Duration>,
    pub(super) token: RefCell<Option<CancelToken>>,
    /// The token is cancelled with the scope.
    pub(super) is_told: Cell<bool>,
    pub(super) node: RefCell<Node>,
    /// Of the run.
    pub(super) waker: Cell<Option<Waker>>,
    /// The body is on the stack: the run looks when it returns.
    pub(super) polling: Cell<bool>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    New,
    Running,
    Over,
}

impl State {
    pub(super) fn new() -> Self {
        State {
            cause: RefCell::new(None),
            stage: Cell::new(Stage::New),
            limit: Cell::new(None),
            deadline: Cell::new(None),
            shield: Cell::new(false),
            cleanup_limit: Cell::new(CLEANUP_LIMIT),
            token: RefCell::new(None),
            is_told: Cell::new(false),
            node: RefCell::new(Node::new()),
            waker: Cell::new(None),
            polling: Cell::new(false),
        }
    }

    /// Begins the one run; false if there was one.
    pub(super) fn start(&self) -> bool {
        if self.stage.get() != Stage::New {
            return false;
        }
        if let Some(limit) = self.limit.take() {
            let now =
                Kernel::with_current("the deadline of a scope", |kernel| kernel.clock().now());
            self.deadline.set(now.checked_add(limit));
        }
        self.stage.set(Stage::Running);
        true
    }

    pub(super) fn take_token(&self) -> Option<CancelToken> {
        self.token.take()
    }

    /// Begins a poll of the run.
    pub(super) fn open(&self, cx: &Context<'_>) {
        let old = self.waker.take();
        let same = old.as_ref().is_some_and(|old| old.will_wake(cx.waker()));
        let (new, old) = match same {
            true => (old, None),
            false => (Some(cx.waker().clone()), old),
        };
        self.waker.set(new);
        drop(old);
        // Not borrowed meanwhile: the wakers that it clones and drops may use the handles.
        let shield = self.shield.get();
        let mut node = self.node.take();
        node.open(cx, shield);
        self.node.replace(node);
        if self.shield.get() != shield {
            self.set_shield(!shield);
        }
    }

    pub(super) fn set_shield(&self, shield: bool) {
        self.shield.set(shield);
        let woken = self.node.borrow().set_shield(shield);
        woken.into_iter().for_each(wake_safely);
    }

    #[inline]
    pub(super) fn is_cancelled(&self) -> bool {
        self.cause.borrow().is_some()
    }

    pub(super) fn cause(&self) -> Option<Cancelled> {
        self.cause.borrow().clone()
    }

    pub(super) fn cancel(&self, cause: Cancelled) -> bool {
        if self.stage.get() == Stage::Over || self.is_cancelled() {
            return false;
        }
        self.cause.replace(Some(cause));
        self.look();
        true
    }

    /// The deadline has passed.
    pub(super) fn expire(&self, at: &'static Location<'static>) {
        if let Some(deadline) = self.deadline.get() {
            self.cancel(Cancelled::by_deadline(deadline, at));
        }
    }

    /// Has the run look at what was changed.
    pub(super) fn look(&self) {
        if !self.polling.get()
            && let Some(waker) = self.waker.take()
        {
            wake_safely(waker);
        }
    }

    /// The run is over: nobody waits for it any more.
    pub(super) fn finish(&self) {
        self.stage.set(Stage::Over);
        drop_safely(self.waker.take());
        let node = self.node.take();
        drop(node);
    }
}
