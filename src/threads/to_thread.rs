//! [`to_thread`]: blocking work, awaited.
//!
//! The future first waits for a token of its limiter, then hands its work to the pool, with the
//! token, and waits for the result. It needs no loop: any executor's waker will do.
//!
//! # Invariants
//! - **Outlived**: a limiter that belongs to a pool lives as long as that pool, of which the
//!   future (`acquire` is dropped before `pool`) and the work in it ([`Seat`]) each have a share.
//!
//! # Not here
//! The hand-off (`job`) and the threads (`pool`).

use std::fmt::{self, Debug, Formatter};
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};

use super::job::{Ticket, job};
use super::pool::Pool;
use super::shared::{default_limiter, shared};
use crate::error::JoinError;
use crate::kernel::{Kernel, Trace};
use crate::pin::pinned;
use crate::primitives::{AcquireToken, Shared};
use crate::rt::Arc;
use crate::sync::{CapacityLimiter, Token};
use crate::task::{Carried, carry, trace};

/// Runs `f` on another thread, where it may block or compute for long, once it is awaited.
///
/// The thread is one of a pool that all loops of the process share; one that has been idle for 10
/// seconds ends. At most 40 work at once ([`default_limiter`](super::default_limiter)); the next
/// one waits until one of them is done. The [context variables](crate::ContextVar) of the task are
/// copied for `f`, which sees no other task-local state. A panic of `f` is the
/// [`JoinError::Panicked`] of the future.
///
/// Threads cannot be stopped. A future that is dropped before its work began takes it along; after
/// that the work goes on, keeps its place in the limiter to its end, and its result is dropped on
/// its thread; [`check_cancelled`](super::check_cancelled) tells it so. [`shield`](crate::shield)
/// the future if the result must be seen. Nothing waits for a thread at the end of
/// [`run`](crate::run), which in debug mode reports what it left behind, or of the process.
///
/// `f` reaches the loop that awaits it by [`LoopHandle::caller`](crate::LoopHandle::caller).
///
/// # Errors
/// [`JoinError::Panicked`]. [`JoinError::Cancelled`] if the system refuses to start a thread, and
/// there is none that will be free: then `f` was not called.
///
/// # Cancel safety
/// **Loses data**: once `f` has begun, its result. Before, **Loses place**.
///
/// # asyncio
/// `to_thread`. Differs: 40 threads are allowed.
///
/// ```
/// petla::run(async {
///     let text = petla::to_thread(|| std::fs::read_to_string("/proc/self/comm")).await??;
///     assert!(!text.is_empty());
///     std::io::Result::Ok(())
/// })
/// .unwrap();
/// ```
#[track_caller]
#[doc(alias("spawn_blocking", "run_in_executor", "run_sync"))]
pub fn to_thread<F, T>(f: F) -> ToThread<F, T>
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    ToThread::new(f, None, Location::caller())
}

pinned! {
    /// The future of [`to_thread`]: see there.
    #[must_use = "futures do nothing unless awaited"]
    pub struct ToThread<F, T> {
        #[pin]
        acquire: Option<AcquireToken<'static, Shared>>,
        /// Until it is handed over.
        work: Option<F>,
        vars: Option<Carried>,
        ticket: Option<Ticket<T>>,
        limiter: Option<&'static CapacityLimiter>,
        /// The shared one if there is none.
        pool: Option<Arc<Pool>>,
        asked_at: &'static Location<'static>,
    }
}

/// What work holds while it runs: a place in a limiter, and in the pool whose limiter it is.
struct Seat {
    _trace: Option<Trace>,
    _token: Token<'static>,
    /// Dropped after the token.
    _pool: Option<Arc<Pool>>,
}

impl<F, T> ToThread<F, T> {
    pub(super) fn new(f: F, pool: Option<Arc<Pool>>, asked_at: &'static Location<'static>) -> Self {
        ToThread {
            acquire: None,
            work: Some(f),
            vars: None,
            ticket: None,
            limiter: None,
            pool,
            asked_at,
        }
    }

    /// Counts against `limiter` instead of the pool's own.
    ///
    /// ```
    /// use petla::{sync::CapacityLimiter, to_thread};
    ///
    /// static DISK: CapacityLimiter = CapacityLimiter::new(2);
    ///
    /// petla::run(async {
    ///     let sizes = petla::gather((0..9).map(|_| to_thread(|| DISK.borrowed()).limiter(&DISK)));
    ///     assert!(sizes.await.into_iter().all(|size| size.unwrap() <= 2));
    /// });
    /// ```
    pub fn limiter(mut self, limiter: &'static CapacityLimiter) -> Self {
        self.limiter = Some(limiter);
        self
    }

    /// Gets in line for a token, at the first poll.
    fn line_up(self: Pin<&mut Self>) {
        let mut this = self.project();
        *this.vars = Some(carry());
        let limiter = match (&this.limiter, &this.pool) {
            (Some(limiter), _) => *limiter,
            (None, None) => default_limiter(),
            (None, Some(pool)) => {
                let limiter = &raw const pool.limiter;
                // SAFETY: Outlived.
                unsafe { &*limiter }
            }
        };
        this.acquire.set(Some(limiter.acquire_at(this.asked_at)));
    }
}

impl<F, T> ToThread<F, T>
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    /// Hands the work over, if it was not before.
    fn hand_over(self: Pin<&mut Self>, token: Token<'static>, waiter: &Waker) {
        let this = self.project();
        let (Some(f), Some(vars)) = (this.work.take(), this.vars.take()) else {
            return;
        };
        let home = Kernel::with(Kernel::home);
        let seat = Seat {
            _trace: Kernel::with(|kernel| kernel.trace(this.asked_at)).flatten(),
            _token: token,
            _pool: this.pool.clone(),
        };
        let span = trace::work(this.asked_at);
        let f = move || span.run(|| vars.with(f));
        let waiter = waiter.clone();
        let (work, ticket) = job(f, seat, waiter, home, this.asked_at);
        *this.ticket = Some(ticket);
        let pool = this.pool.as_ref();
        Pool::submit(pool.unwrap_or_else(|| &shared().pool), work);
    }
}

impl<F, T> Future for ToThread<F, T>
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    type Output = Result<T, JoinError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if self.ticket.is_none() {
            if self.acquire.is_none() {
                self.as_mut().line_up();
            }
            let mut acquire = self.as_mut().project().acquire;
            let waiting = acquire.as_mut().as_pin_mut().expect("set by `line_up`");
            let token = ready!(waiting.poll(cx));
            acquire.set(None);
            self.hand_over(token, cx.waker());
            return Poll::Pending;
        }
        let ticket = self.project().ticket.as_ref();
        ticket.expect("looked above").poll(cx)
    }
}

impl<F, T> Debug for ToThread<F, T> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("ToThread")
            .field("handed_over", &self.ticket.is_some())
            .field("asked_at", &self.asked_at)
            .finish_non_exhaustive()
    }
}
