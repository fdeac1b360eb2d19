//! A piece of work on its way to a thread and back: the hand-off between a future and a worker.
//!
//! One allocation that both ends share: the worker sees a [`Work`], which it runs, the future has
//! a [`Ticket`], which it polls. What passes between them lies under one mutex.
//!
//! ```text
//!   Queued ──begin──► Running ──end──► Done ──poll──► Taken
//!      └──────────── abandon ───┴───────┴──► Abandoned
//! ```
//!
//! # Invariants
//! - **Once**: the work is taken out by `begin`, or dropped by whoever abandons it before: never
//!   both. Its result is taken by the future, or dropped by the one who finds that nobody wants it.
//! - **Told**: `end` puts the result in place in the step in which it takes the waker out, and
//!   the future leaves its waker in the step in which it finds no result.
//! - **Outside**: work, results and wakers are called, cloned and dropped with the mutex open.
//! - **Counted**: its loop counts the work ([`Outside`]) as awaited until its result is there and
//!   its task woken, or it is abandoned; and as running until it is over and what it held is free.
//!   But not while the work itself waits for somebody ([`Paused`]): for a loop, which could not
//!   go on if time stood still for its sake, or for one who may never come.
//! - **Free first**: the worker says that it is free, and gives up what the work held (a token of
//!   a limiter), before it wakes the future. So whoever is woken finds both; a poll that nobody
//!   asked for may come between, and at worst starts a thread too many.
//!
//! # Cost
//! One allocation, and two locks at each end.
//!
//! # Not here
//! Who runs it, and when: `pool`.

use std::fmt::{self, Debug, Formatter};
use std::mem;
use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use std::sync::Arc; // loom's has no unsized coercion
use std::task::{Context, Poll, Waker};

use crate::error::{Cancelled, JoinError, Panic, Reason};
use crate::kernel::{Home, Outside};
use crate::mailbox::LoopId;
use crate::rt::{Mutex, lock};
use crate::sys::fork_count;
use crate::task::report;
use crate::task::token::{drop_safely, wake_safely};

/// Work as its worker sees it.
pub(super) trait Work: Send + Sync {
    /// Runs it, unless it was abandoned. `free` is called once, when all of the user's code is
    /// behind. Does not unwind.
    fn run(&self, free: &dyn Fn());

    /// It will not run: ends it with this reason.
    fn refuse(&self, why: Reason);

    /// The loop of the task that handed it over.
    fn home(&self) -> Option<LoopId>;

    /// Why nobody awaits it, if nobody does.
    fn abandoned(&self) -> Option<Cancelled>;

    /// It waits for somebody, or goes on.
    fn set_paused(&self, paused: bool);
}

/// A piece of work waits for somebody, until this is dropped: anywhere.
pub(super) struct Paused(Arc<dyn Work>);

impl Paused {
    pub(super) fn new(work: Arc<dyn Work>) -> Paused {
        work.set_paused(true);
        Paused(work)
    }
}

impl Drop for Paused {
    fn drop(&mut self) {
        self.0.set_paused(false);
    }
}

/// Work as its future sees it.
trait Errand<T>: Send + Sync {
    fn poll(&self, cx: &mut Context<'_>) -> Poll<Result<T, JoinError>>;
    fn abandon(&self);
}

/// The future's share: abandons the work when it is dropped.
pub(super) struct Ticket<T> {
    errand: Arc<dyn Errand<T>>,
    process: u32,
}

/// `f`, and what is held while it waits and runs.
struct Job<F, T, H> {
    state: Mutex<State<F, T, H>>,
    home: Option<Home>,
    asked_at: &'static Location<'static>,
}

struct State<F, T, H> {
    stage: Stage<F, T, H>,
    /// Who awaits the result.
    waiter: Option<Waker>,
    outside: Option<Outside>,
    /// Nothing of it runs or will.
    is_over: bool,
}

enum Stage<F, T, H> {
    Queued(F, H),
    Running,
    Done(Result<T, JoinError>),
    Taken,
    Abandoned,
}

/// Who is to be woken, and until then time stands still.
#[derive(Default)]
struct Waiting {
    waiter: Option<Waker>,
    _outside: Option<Outside>,
}

impl Waiting {
    fn wake(mut self) {
        self.waiter.take().into_iter().for_each(wake_safely);
    }
}

/// The two ends of new work. `held` is given up when a worker is free of it; `asked_at` is told
/// when it is refused or abandoned.
pub(super) fn job<F, T, H>(
    f: F,
    held: H,
    waiter: Waker,
    home: Option<Home>,
    asked_at: &'static Location<'static>,
) -> (Arc<dyn Work>, Ticket<T>)
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
    H: Send + 'static,
{
    let state = State {
        stage: Stage::Queued(f, held),
        waiter: Some(waiter),
        outside: home.and_then(|home| home.count(true)),
        is_over: false,
    };
    let job = Arc::new(Job {
        home,
        state: Mutex::new(state),
        asked_at,
    });
    let ticket = Ticket {
        errand: job.clone(),
        process: fork_count(),
    };
    (job, ticket)
}

impl<F, T, H> Job<F, T, H> {
    /// Takes the work out, unless it was abandoned or refused.
    fn begin(&self) -> Option<(F, H)> {
        let mut state = lock(&self.state);
        match mem::replace(&mut state.stage, Stage::Running) {
            Stage::Queued(f, held) => Some((f, held)),
            stage => {
                state.stage = stage;
                None
            }
        }
    }

    /// Puts the result in place; gives back who waits for it, or the result if nobody does.
    fn end(&self, result: Result<T, JoinError>) -> Result<Waiting, Result<T, JoinError>> {
        let mut state = lock(&self.state);
        if let Stage::Abandoned = state.stage {
            return Err(result);
        }
        state.stage = Stage::Done(result);
        Ok(Waiting {
            waiter: state.waiter.take(),
            _outside: state.outside.take(),
        })
    }

    /// All that it held is free.
    fn count_off(&self) {
        let mut state = lock(&self.state);
        state.is_over = true;
        let outside = state.outside.take();
        drop(state);
        drop(outside);
    }
}

impl<F, T, H> Work for Job<F, T, H>
where
    F: FnOnce() -> T + Send,
    T: Send,
    H: Send,
{
    fn run(&self, free: &dyn Fn()) {
        let Some((f, held)) = self.begin() else {
            return free();
        };
        let process = fork_count();
        let result = catch_unwind(AssertUnwindSafe(f));
        if process != fork_count() {
            // The child of a fork that `f` made has this thread alone: nobody to be told, and
            // locks that nobody may ever open.
            return mem::forget((result, held));
        }
        let result = result.map_err(|payload| JoinError::Panicked(Panic::new(payload)));
        let waiting = self.end(result).unwrap_or_else(|unwanted| {
            discard(unwanted);
            Waiting::default()
        });
        free();
        drop(held);
        self.count_off();
        waiting.wake();
    }

    fn refuse(&self, why: Reason) {
        let Some((f, held)) = self.begin() else {
            return;
        };
        drop_safely(f);
        drop(held);
        self.count_off();
        let cancelled = Cancelled::new(why, self.asked_at);
        if let Ok(waiting) = self.end(Err(JoinError::Cancelled(cancelled))) {
            waiting.wake();
        }
    }

    fn home(&self) -> Option<LoopId> {
        self.home.map(Home::id)
    }

    fn abandoned(&self) -> Option<Cancelled> {
        let state = lock(&self.state);
        let is_abandoned = matches!(state.stage, Stage::Abandoned);
        let why = || Cancelled::new("nobody awaits this work any more".into(), self.asked_at);
        is_abandoned.then(why)
    }

    fn set_paused(&self, paused: bool) {
        let mut state = lock(&self.state);
        let is_awaited = matches!(state.stage, Stage::Running);
        let home = self.home.filter(|_| !paused && !state.is_over);
        let outside = home.and_then(|home| home.count(is_awaited));
        let outside = mem::replace(&mut state.outside, outside);
        drop(state);
        drop(outside);
    }
}

/// Drops a result that nobody wants, on the thread that worked for it. A panic is reported.
fn discard<T>(result: Result<T, JoinError>) {
    match result {
        Err(error) => report_unseen(error),
        Ok(value) => drop_safely(value),
    }
}

fn report_unseen(error: JoinError) {
    if let JoinError::Panicked(panic) = error {
        let message = "work on a thread panicked and nobody awaited it";
        report::panicked(message, None, panic.into_payload());
    }
}

impl<F, T, H> Errand<T> for Job<F, T, H>
where
    F: Send,
    T: Send,
    H: Send,
{
    fn poll(&self, cx: &mut Context<'_>) -> Poll<Result<T, JoinError>> {
        let waker = cx.waker().clone();
        let mut state = lock(&self.state);
        match mem::replace(&mut state.stage, Stage::Taken) {
            Stage::Done(result) => {
                drop(state);
                Poll::Ready(result)
            }
            Stage::Taken | Stage::Abandoned => {
                drop(state);
                panic!("a to_thread() was awaited again after it gave its result")
            }
            stage => {
                state.stage = stage;
                let old = state.waiter.replace(waker);
                drop(state);
                drop(old);
                Poll::Pending
            }
        }
    }

    fn abandon(&self) {
        let _outside; // dropped after what it holds, if it has not begun
        let mut state = lock(&self.state);
        let stage = mem::replace(&mut state.stage, Stage::Abandoned);
        let outside = state.outside.take();
        if let Stage::Queued(..) = stage {
            state.is_over = true;
            _outside = outside;
        } else {
            state.outside = outside.and_then(Outside::abandon);
        }
        let waiter = state.waiter.take();
        drop(state);
        drop(waiter);
        if let Stage::Done(Err(error)) = stage {
            report_unseen(error);
        }
    }
}

impl<T> Ticket<T> {
    /// The result, once there is one.
    ///
    /// # Panics
    /// When it was given before.
    pub(super) fn poll(&self, cx: &mut Context<'_>) -> Poll<Result<T, JoinError>> {
        self.errand.poll(cx)
    }
}

impl<T> Drop for Ticket<T> {
    fn drop(&mut self) {
        // In the child of a fork the worker is gone, perhaps with the lock.
        if self.process == fork_count() {
            self.errand.abandon();
        }
    }
}

impl<T> Debug for Ticket<T> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ticket").finish_non_exhaustive()
    }
}
