//! Waiting without a loop: a plain thread that sleeps until a `sync` primitive lets it go.
//!
//! The thread polls the same future that a task would, and sleeps on a parker of its own while
//! it is pending; so it stands in the same line as the tasks. The thread's own park token is left
//! alone: user code may use it.
//!
//! # Invariants
//! - **Token**: a wake between a poll and the sleep is kept in `woken`, so none is lost.
//! - **Paused**: the work of a worker counts as waiting while it sleeps, and is ended as that by
//!   who wakes it: virtual time goes on, and stops again before the waker can be idle.
//!
//! # Cost
//! One allocation a wait, made only if the thread must sleep.
//!
//! # Not here
//! Limits of time: use a loop.

use std::future::Future;
use std::pin::pin;
use std::sync::PoisonError;
use std::task::{Context, Poll, Wake, Waker};

use crate::context;
use crate::rt::{self, Condvar, Mutex};

/// Panics on a thread that runs a loop: it would wait for tasks that it keeps from running.
#[track_caller]
pub(super) fn forbid_on_loop(called: &str, instead: &str) {
    assert!(
        !context::is_loop_thread(),
        "`{called}` was called on a thread that runs a loop, which it would stop: \
         await `{instead}` instead"
    );
}

/// Runs `future` to its end on this thread.
pub(super) fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let parker = std::sync::Arc::new(Parker {
        state: Mutex::default(),
        changed: Condvar::new(),
    });
    let waker = Waker::from(parker.clone());
    let mut cx = Context::from_waker(&waker);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut cx) {
            return output;
        }
        parker.park();
    }
}

/// Where one thread sleeps.
struct Parker {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    woken: bool,
    /// While it sleeps: see [`context::pause`].
    paused: Option<context::Paused>,
}

impl Parker {
    fn park(&self) {
        let mut state = rt::lock(&self.state);
        if !state.woken {
            // In this lock: whoever wakes takes it, so there is no moment between.
            state.paused = context::pause();
        }
        while !state.woken {
            state = self
                .changed
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
        state.woken = false;
    }
}

impl Wake for Parker {
    fn wake(self: std::sync::Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &std::sync::Arc<Self>) {
        let mut state = rt::lock(&self.state);
        state.woken = true;
        let paused = state.paused.take();
        drop(state);
        drop(paused); // the thread counts as working before this one goes on
        self.changed.notify_one();
    }
}
