//! A handful of wakers, collected under a lock and woken after it.
//!
//! Waking runs foreign code, which may come back to the same primitive; so it happens outside
//! the lock. A release that concerns thousands goes in batches of 32, between which others get
//! the lock: that bounds both the stack and how long they wait.
//!
//! # Invariants
//! - **All**: every waker that was pushed is woken, also when another one panics and when the
//!   batch is dropped in a panic. The first panic goes on when all is done; unless the thread is
//!   in a panic already, which may have dropped the guard that is given back here: a second
//!   panic would end the process. The panic hook has reported it in any case.
//! - **Filled**: the first `len` places hold wakers.
//!
//! # Not here
//! A release that concerns one waiter: it has an `Option<Waker>`, and [`wake`].

use std::any::Any;
use std::mem::{self, MaybeUninit};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::task::Waker;
use std::thread;

/// 512 bytes of stack; large enough that its lock is a small part of the wakes.
const WAKERS_MAX: usize = 32;

/// Up to 32 wakers.
#[derive(Debug)]
pub struct Batch {
    /// Not cleared: writing 32 empty places costs more than a whole local hand-over.
    wakers: [MaybeUninit<Waker>; WAKERS_MAX],
    len: usize,
    panic: Option<Box<dyn Any + Send>>,
}

impl Batch {
    #[inline(always)]
    pub(crate) fn new() -> Self {
        Batch {
            wakers: [const { MaybeUninit::uninit() }; WAKERS_MAX],
            len: 0,
            panic: None,
        }
    }

    /// Whether there is no room; the granter then stops, and is asked again.
    pub(crate) fn is_full(&self) -> bool {
        self.len == WAKERS_MAX
    }

    /// Takes a waker that was handed out by a grant, if there was one.
    ///
    /// # Panics
    /// If the batch is full.
    pub(crate) fn push(&mut self, waker: Option<Waker>) {
        if let Some(waker) = waker {
            self.wakers[self.len].write(waker);
            self.len += 1;
        }
    }

    /// Wakes all; a panic is kept for later.
    pub(super) fn wake(&mut self) {
        let len = mem::take(&mut self.len);
        for place in &self.wakers[..len] {
            // SAFETY: it was filled, and is read once: `len` is 0 by now (Filled).
            let waker = unsafe { place.assume_init_read() };
            if let Err(panic) = catch_unwind(AssertUnwindSafe(|| waker.wake())) {
                match self.panic {
                    None => self.panic = Some(panic),
                    Some(_) => discard(panic),
                }
            }
        }
    }

    /// Goes on with the first panic of a waker.
    pub(super) fn finish(&mut self) {
        debug_assert_eq!(self.len, 0, "a batch is woken before it ends");
        if let Some(panic) = self.panic.take() {
            go_on(panic);
        }
    }
}

/// Wakes one.
pub(crate) fn wake(waker: Waker) {
    if let Err(panic) = catch_unwind(AssertUnwindSafe(|| waker.wake())) {
        go_on(panic);
    }
}

/// Goes on with a waker's panic, but not within another.
#[cold]
fn go_on(panic: Box<dyn Any + Send>) {
    if thread::panicking() {
        discard(panic);
    } else {
        resume_unwind(panic);
    }
}

/// Drops what is foreign, a payload or a waker, and may panic as it drops.
pub(super) fn discard<T>(foreign: T) {
    let Err(panic) = catch_unwind(AssertUnwindSafe(|| drop(foreign))) else {
        return;
    };
    if let Err(again) = catch_unwind(AssertUnwindSafe(|| drop(panic))) {
        mem::forget(again); // there is no end to it otherwise
    }
}

impl Drop for Batch {
    fn drop(&mut self) {
        self.wake();
    }
}
