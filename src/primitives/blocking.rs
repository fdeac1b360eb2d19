//! Waiting without a loop: a plain thread that sleeps until a `sync` primitive lets it go.
//!
//! The thread polls the same future that a task would, and sleeps on a parker of its own while
//! it is pending; so it stands in the same line as the tasks. The thread's own park token is left
//! alone: user code may use it.
//!
//! # Invariants
//! - **Token**: a wake between a poll and the sleep is kept in `woken`, so none is lost.
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
        woken: Mutex::new(false),
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
    woken: Mutex<bool>,
    changed: Condvar,
}

impl Parker {
    fn park(&self) {
        let mut woken = rt::lock(&self.woken);
        while !*woken {
            woken = self
                .changed
                .wait(woken)
                .unwrap_or_else(PoisonError::into_inner);
        }
        *woken = false;
    }
}

impl Wake for Parker {
    fn wake(self: std::sync::Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &std::sync::Arc<Self>) {
        *rt::lock(&self.woken) = true;
        self.changed.notify_one();
    }
}
