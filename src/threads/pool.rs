//! A pool: threads that take work from one queue, as many as there is work, and no longer than
//! they are of use.
//!
//! Whoever brings work makes sure that somebody comes for it: a worker that is on its way to the
//! queue anyway, else the one that became idle last (its stack and caches are warm, and the others
//! may reach their limit), else a new thread.
//!
//! # Invariants
//! - **Served**: no more work is queued than workers are on their way to the queue (`coming`),
//!   unless the system refused a thread; then each worker that is done comes anyway, and if there
//!   is none all that is queued is refused.
//! - **Closed**: no work is taken in any more; workers that find none end, and `ended` is set when
//!   the last work is over.
//! - **Called**: a worker is in `idle` while it may sleep, until it takes itself out, or somebody
//!   who takes it out counts it as coming and then rings its bell.
//! - **Outside**: work is run and dropped, and threads are started, with the mutex open.
//!
//! # Cost
//! Two locks for a piece of work at either end, and a system call if its worker sleeps. No thread
//! is started or woken while one is on its way.
//!
//! # Fork
//! A child has none of these threads, and perhaps a lock that nobody will open: it uses no pool
//! of its parent.
//!
//! # What threads inherit
//! A worker keeps the signal mask, the processors and the priority of the thread that started it,
//! as all threads do; only the timer slack, which loops change, is put back (`worker`). Were
//! signals blocked in workers, so they would be in the programs that work starts there; a handler
//! that runs in a worker interrupts a system call, which the standard library repeats.
//!
//! # Not here
//! How much may run at once: limiters.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::fmt::{self, Debug, Formatter};
use std::io;
use std::mem;
use std::sync::Arc as StdArc;
use std::time::Duration;

use super::job::Work;
use super::worker;
use crate::rt::{Arc, Condvar, Mutex, MutexGuard, lock};
use crate::sync::{CapacityLimiter, Event};
use crate::sys::fork_count;

/// How long a worker that has nothing to do stays: long enough for the next request of a user,
/// short enough for a burst to be forgotten. (trio and anyio have the same.)
pub(super) const IDLE_LIMIT: Duration = Duration::from_secs(10);

/// Starts a thread of this name that runs [`worker::work`] on the pool.
pub(super) type Start = fn(String, Arc<Pool>) -> io::Result<()>;

/// See the module.
pub(super) struct Pool {
    state: Mutex<State>,
    /// What lets work in.
    pub(super) limiter: CapacityLimiter,
    pub(super) name: Cow<'static, str>,
    pub(super) idle_limit: Duration,
    /// Set when it is closed and no work is left.
    pub(super) ended: Event,
    pub(super) start: Start,
    process: u32,
}

#[derive(Default)]
struct State {
    queue: VecDeque<StdArc<dyn Work>>,
    /// Those who sleep; the last one has slept the shortest.
    idle: Vec<Arc<Bell>>,
    /// Workers that will look at the queue without being called.
    coming: usize,
    /// How much work was taken in and is not over.
    working: usize,
    closed: bool,
    threads: usize,
    /// How many threads were started so far.
    started: usize,
}

impl State {
    /// Takes out the worker that has slept the shortest, if any sleeps; its bell is to be rung.
    fn call(&mut self) -> Option<Arc<Bell>> {
        let bell = self.idle.pop()?;
        self.coming += 1;
        Some(bell)
    }
}

/// What one worker sleeps on.
#[derive(Default)]
pub(super) struct Bell(Condvar);

impl Pool {
    /// Without threads.
    pub(super) fn new(limit: usize, name: impl Into<Cow<'static, str>>) -> Pool {
        Pool {
            state: Mutex::default(),
            limiter: CapacityLimiter::new(limit),
            name: name.into(),
            idle_limit: IDLE_LIMIT,
            ended: Event::new(),
            start: worker::start,
            process: fork_count(),
        }
    }

    /// Does it belong to a process that this one was forked from?
    pub(super) fn is_inherited(&self) -> bool {
        self.process != fork_count()
    }

    /// Has a worker run it.
    pub(super) fn submit(pool: &Arc<Pool>, work: StdArc<dyn Work>) {
        if pool.is_inherited() {
            return work.refuse("its thread pool is the parent's of this forked process".into());
        }
        let mut state = lock(&pool.state);
        if state.closed {
            drop(state);
            return work.refuse("its thread pool was shut down".into());
        }
        state.working += 1;
        state.queue.push_back(work);
        if state.queue.len() <= state.coming {
            return;
        }
        if let Some(bell) = state.call() {
            drop(state);
            return bell.0.notify_one();
        }
        state.coming += 1;
        state.threads += 1;
        state.started += 1;
        let name = format!("{}-{}", pool.name, state.started);
        drop(state);
        if let Err(error) = (pool.start)(name, pool.clone()) {
            pool.without_thread(&error);
        }
    }

    /// The thread that was counted could not be started.
    #[cold]
    fn without_thread(&self, error: &io::Error) {
        let mut state = lock(&self.state);
        state.coming -= 1;
        state.threads -= 1;
        if state.threads > 0 {
            // A worker that is done will come; but what came since has relied on this thread.
            let called = (state.queue.len() > state.coming).then(|| state.call());
            drop(state);
            if let Some(bell) = called.flatten() {
                bell.0.notify_one();
            }
            return;
        }
        let refused = mem::take(&mut state.queue);
        state.working -= refused.len();
        self.look_for_end(state);
        for work in refused {
            work.refuse(format!("no thread could be started for it: {error}").into());
        }
    }

    /// A worker: its work is over, and it will come for more.
    pub(super) fn is_free(&self) {
        let mut state = lock(&self.state);
        state.working -= 1;
        state.coming += 1;
        self.look_for_end(state);
    }

    fn look_for_end(&self, state: MutexGuard<'_, State>) {
        let ended = state.closed && state.working == 0;
        drop(state);
        if ended {
            self.ended.set();
        }
    }

    /// Takes nothing more in. Work that was taken in is done, idle workers end. Not in a child.
    pub(super) fn close(&self) {
        let mut state = lock(&self.state);
        state.closed = true;
        let idle = mem::take(&mut state.idle);
        state.coming += idle.len();
        self.look_for_end(state);
        idle.iter().for_each(|bell| bell.0.notify_one());
    }

    /// A worker, which was counted as coming: its next work, for which it may have to wait. `None`
    /// tells it to end.
    pub(super) fn next(&self, bell: &Arc<Bell>) -> Option<StdArc<dyn Work>> {
        let mut state = lock(&self.state);
        loop {
            state.coming -= 1;
            if let Some(work) = state.queue.pop_front() {
                return Some(work);
            }
            if state.closed {
                state.threads -= 1;
                return None;
            }
            state.idle.push(bell.clone());
            loop {
                let (woken, timed_out) = match bell.0.wait_timeout(state, self.idle_limit) {
                    Ok((state, end)) => (state, end.timed_out()),
                    Err(poisoned) => (poisoned.into_inner().0, false),
                };
                state = woken;
                let place = state.idle.iter().position(|idle| Arc::ptr_eq(idle, bell));
                match place {
                    None => break, // Called
                    Some(place) if timed_out => {
                        state.idle.remove(place);
                        state.threads -= 1;
                        return None;
                    }
                    Some(_) => {}
                }
            }
        }
    }

    /// How many threads it has; none in a child.
    pub(super) fn threads(&self) -> usize {
        match self.is_inherited() {
            true => 0,
            false => lock(&self.state).threads,
        }
    }

    /// How many of them sleep.
    #[cfg(test)]
    pub(super) fn idle(&self) -> usize {
        lock(&self.state).idle.len()
    }

    /// How much work was taken in and is not over; none in a child.
    pub(super) fn working(&self) -> usize {
        match self.is_inherited() {
            true => 0,
            false => lock(&self.state).working,
        }
    }
}

impl Debug for Pool {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool")
            .field("name", &self.name)
            .field("limiter", &self.limiter)
            .finish_non_exhaustive()
    }
}
