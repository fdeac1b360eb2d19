//! Cancel scopes: a body, a deadline that can move, a reason, a shield, and asynchronous clean-up.
//!
//! Cancelling in Rust is dropping a future, and a destructor cannot wait. A scope can: it drops
//! its body, then runs what the body has registered with it, and ends after that.
//!
//! Every cancellation belongs to one scope, or task. That scope gives it as an error; the
//! scopes inside it only make way: they drop their bodies and run their clean-ups, inside out,
//! and the code between them is not resumed. There is nothing to catch, to count or to swallow.
//! It is not an event but a state: once a scope is cancelled, every wait in it ends.
//!
//! # Who drops what
//!
//! | it ends by | what is open inside |
//! | --- | --- |
//! | a scope's [`cancel`](CancelScope::cancel), deadline or token, [`move_on_after`] | goes first |
//! | [`Task::cancel`](crate::Task::cancel), an awaited handle that is dropped | goes first |
//! | [`timeout`](crate::timeout), [`wait_for`](crate::wait_for) | goes first |
//! | a [`TaskGroup`](crate::TaskGroup)'s failure or cancel | goes first |
//! | the end of `run`, `EventLoop::close` | goes first, within the loop's limit |
//! | `EventLoop::stop`, a second SIGINT: the main future | is dropped |
//! | `select!`, `try_gather`, any other executor or combinator | is dropped |
//!
//! What *goes first* drops its bodies and runs its clean-ups, inside out; shields are waited for.
//! What *is dropped* cannot wait: its clean-ups that borrow are lost, which is reported; those
//! that borrow nothing ([`Scope::finally_static`], [`on_cancel`]) become a task.
//!
//! What runs beside an open scope in the same body (in a `gather`, say) goes on until that scope
//! has made way.
//!
//! What is open inside is cancelled also if it was only lent: after `timeout(d, &mut future)` has
//! elapsed, a scope in that future is over, and the code after it will not be resumed. (A
//! [`Task`](crate::Task) that is lent runs on.) What was begun and is kept, unpolled, cannot make
//! way, and its clean-ups are lost: a task that rests without polling it is cancelled all the same,
//! a scope or a timeout ends when the time for clean-ups is up.
//!
//! # Not here
//! The tree that says who is inside whom (`kernel`), groups of children (`TaskGroup`).

mod alarm;
mod cleanups;
pub(crate) mod run;
mod shield;
mod state;
mod will;

use std::fmt::{self, Debug, Formatter};
use std::future::{Future, pending, poll_fn};
use std::ops::Deref;
use std::panic::Location;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

pub use cleanups::Cleanup;
use cleanups::{Cleanups, Kind, When};
use run::{Finished, Run, Work};
pub use shield::{Shield, shield};
use state::State;
pub use will::on_cancel;

use crate::error::{Cancelled, Reason};
use crate::kernel::Node;
use crate::sync::CancelToken;

/// A handle to one scope: clone it to whoever may cancel it.
///
/// ```
/// use petla::{CancelScope, sleep, spawn};
/// use std::time::Duration;
///
/// petla::run(async {
///     let scope = CancelScope::new().timeout(Duration::from_secs(10));
///     let remote = scope.clone();
///     let watchdog = spawn(async move { remote.cancel("it barked") });
///     let result = scope.run(async |_| sleep(Duration::from_secs(5)).await).await;
///     assert_eq!(result.unwrap_err().reason(), Some("it barked"));
///     assert!(watchdog.await.unwrap());
/// });
/// ```
#[derive(Clone)]
pub struct CancelScope {
    state: Rc<State>,
}

impl CancelScope {
    /// A scope without a deadline.
    pub fn new() -> Self {
        CancelScope {
            state: Rc::new(State::new()),
        }
    }

    /// Cancels it when `limit` has passed, counted from the moment the body starts.
    pub fn timeout(self, limit: Duration) -> Self {
        self.state.limit.set(Some(limit));
        self
    }

    /// Cancels it at `deadline`.
    pub fn timeout_at(self, deadline: Instant) -> Self {
        self.state.deadline.set(Some(deadline));
        self
    }

    /// Lets cancellations from outside wait until this scope has ended.
    pub fn shielded(self) -> Self {
        self.state.shield.set(true);
        self
    }

    /// How long the clean-ups may take together, with those of what is open inside; 5 s unless
    /// set. What is left then is dropped and reported. The time that shields take does not count.
    pub fn cleanup_limit(self, limit: Duration) -> Self {
        self.state.cleanup_limit.set(limit);
        self
    }

    /// Links it to `token`: it is cancelled when the token is, from whichever thread; and the token
    /// is cancelled with it, so that a thread which looks at the token sees it.
    ///
    /// Scopes that are linked to one token are therefore cancelled together. Where many only wait
    /// for a word, such as that the program shall end, let them be [`following`](Self::following).
    pub fn linked(self, token: &CancelToken) -> Self {
        self.state.is_told.set(true);
        self.following(token)
    }

    /// Cancels it too when `token` is, from whichever thread, and leaves the token alone otherwise.
    ///
    /// ```
    /// use petla::sync::CancelToken;
    /// use petla::{CancelScope, sleep};
    /// use std::time::Duration;
    ///
    /// petla::run(async {
    ///     let shutdown = CancelToken::new();
    ///     let short = CancelScope::new().following(&shutdown).timeout(Duration::ZERO);
    ///     assert!(short.run(async |_| sleep(Duration::from_secs(9)).await).await.is_err());
    ///     assert!(!shutdown.is_cancelled());
    /// });
    /// ```
    pub fn following(self, token: &CancelToken) -> Self {
        self.state.token.replace(Some(token.clone()));
        self
    }

    /// Runs the body in place; its clean-ups have ended when this ends.
    ///
    /// The body is polled with its caller, in the same task. A value that it gives is kept, also
    /// if it was cancelled in the same poll. A scope that is cancelled before it starts drops the
    /// body unstarted; a deadline in the past still polls it once.
    ///
    /// # Errors
    /// [`Cancelled`], if this scope was cancelled: by [`cancel`](CancelScope::cancel), by its
    /// deadline, by its token. A cancellation from above is not this scope's: then this never
    /// ends, and whatever was cancelled drops it.
    ///
    /// # Panics
    /// If the body does, after the clean-ups; if the scope was run before; when it has to wait
    /// for a deadline without a running loop.
    ///
    /// # Cancel safety
    /// That of the body, for a plain drop; see the [module](self).
    ///
    /// # asyncio
    /// `async with timeout(..)`; trio's `CancelScope`.
    #[track_caller]
    pub fn run<'env, T, F>(
        &self,
        body: F,
    ) -> impl Future<Output = Result<T, Cancelled>> + use<'env, T, F>
    where
        F: AsyncFnOnce(&Scope<'env>) -> T,
    {
        let (scope, at) = (self.clone(), Location::caller());
        async move {
            let mut run = Run::begin(scope, at);
            let scope = run.scope();
            // Cancelled before, it does not even begin.
            let begins = !scope.is_cancelled();
            let mut body = pin!(begins.then(|| body(&scope)));
            let mut work = Body(body.as_mut());
            let end = poll_fn(|cx| run.poll(cx, &mut work)).await;
            match run.finish(end, || body.set(None)).await {
                Finished::Value(value) => Ok(value),
                Finished::Cancelled(cause) => Err(cause),
                Finished::Doomed => pending().await,
            }
        }
    }

    /// Cancels the scope: with a text as the reason, or `()`. `false` if it has ended or was
    /// cancelled before; the first reason stays.
    ///
    /// The body is dropped at the scope's next poll, or after the present one.
    #[track_caller]
    pub fn cancel(&self, reason: impl Into<Reason>) -> bool {
        self.state
            .cancel(Cancelled::new(reason.into(), Location::caller()))
    }

    /// Was it cancelled by a cause of its own?
    #[inline]
    pub(crate) fn is_cancelled(&self) -> bool {
        self.state.is_cancelled()
    }

    pub(crate) fn cancel_because(&self, cause: Cancelled) -> bool {
        self.state.cancel(cause)
    }

    /// Why it was cancelled, if it was.
    #[doc(alias("cancel_called", "is_cancelled"))]
    pub fn cause(&self) -> Option<Cancelled> {
        self.state.cause()
    }

    /// When it will be cancelled; of a relative limit, once the body has started.
    pub fn deadline(&self) -> Option<Instant> {
        self.state.deadline.get()
    }

    /// Moves the deadline, or takes it away.
    ///
    /// A moment in the past cancels at the scope's next poll. Once it is cancelled this changes
    /// nothing.
    #[doc(alias = "reschedule")]
    pub fn set_deadline(&self, deadline: impl Into<Option<Instant>>) {
        self.state.limit.set(None);
        self.state.deadline.set(deadline.into());
        self.state.look();
    }

    /// Makes cancellations from outside wait from now on, or lets them in.
    pub fn set_shield(&self, shield: bool) {
        self.state.set_shield(shield);
    }
}

/// The body of a scope; it is there until the scope drops it.
struct Body<'a, F>(Pin<&'a mut Option<F>>);

impl<F: Future> Work for Body<'_, F> {
    type Output = F::Output;

    fn poll(&mut self, cx: &mut Context<'_>, _: &Node) -> Poll<F::Output> {
        match self.0.as_mut().as_pin_mut() {
            Some(body) => body.poll(cx),
            None => Poll::Pending,
        }
    }
}

impl Default for CancelScope {
    fn default() -> Self {
        CancelScope::new()
    }
}

impl Debug for CancelScope {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("CancelScope")
            .field("stage", &self.state.stage.get())
            .field("deadline", &self.deadline())
            .field("cause", &self.cause())
            .finish()
    }
}

/// What a scope's body gets: the scope, and the right to register clean-ups.
///
/// They may borrow what outlives the scope (`'env`), but nothing of the body, which is gone by
/// then.
pub struct Scope<'env> {
    scope: CancelScope,
    cleanups: Rc<Cleanups<'env>>,
}

impl Deref for Scope<'_> {
    type Target = CancelScope;

    fn deref(&self) -> &CancelScope {
        &self.scope
    }
}

impl<'env> Scope<'env> {
    /// Runs `cleanup` if the scope is cancelled, from inside or outside: last in, first out, and
    /// no cancellation reaches it. Its time is limited by
    /// [`cleanup_limit`](CancelScope::cleanup_limit).
    ///
    /// # asyncio
    /// `except CancelledError: await cleanup(); raise`.
    ///
    /// ```
    /// use petla::{CancelScope, sleep};
    /// use std::{cell::RefCell, time::Duration};
    ///
    /// petla::run(async {
    ///     let log = RefCell::new(Vec::new());
    ///     let scope = CancelScope::new();
    ///     let result = scope.run(async |s| {
    ///         s.on_cancel(async { log.borrow_mut().push("begun") });
    ///         s.on_cancel(async {
    ///             sleep(Duration::from_millis(1)).await;
    ///             log.borrow_mut().push("rolled back");
    ///         });
    ///         s.cancel(());
    ///         std::future::pending::<()>().await
    ///     });
    ///     assert!(result.await.is_err());
    ///     assert_eq!(*log.borrow(), ["rolled back", "begun"]);
    /// });
    /// ```
    #[track_caller]
    pub fn on_cancel(&self, cleanup: impl Future<Output = ()> + 'env) -> Cleanup {
        self.add(When::Cancelled, Kind::Here(Box::pin(cleanup)))
    }

    /// Runs `cleanup` however the scope ends: with a value, a panic, or cancelled.
    ///
    /// # asyncio
    /// `AsyncExitStack.push_async_callback`; `finally: await cleanup()`.
    #[track_caller]
    pub fn finally(&self, cleanup: impl Future<Output = ()> + 'env) -> Cleanup {
        self.add(When::Always, Kind::Here(Box::pin(cleanup)))
    }

    /// [`on_cancel`](Scope::on_cancel) for a clean-up that borrows nothing: it survives also a
    /// plain drop of the scope, as a task of its own, which a loop that is closed waits for.
    #[track_caller]
    pub fn on_cancel_static(&self, cleanup: impl Future<Output = ()> + 'static) -> Cleanup {
        self.add(When::Cancelled, Kind::Anywhere(Box::pin(cleanup)))
    }

    /// [`finally`](Scope::finally) for a clean-up that borrows nothing: it survives also a plain
    /// drop of the scope, as a task of its own, which a loop that is closed waits for.
    #[track_caller]
    pub fn finally_static(&self, cleanup: impl Future<Output = ()> + 'static) -> Cleanup {
        self.add(When::Always, Kind::Anywhere(Box::pin(cleanup)))
    }

    /// Another handle with the same rights, for a clone of a group's.
    pub(crate) fn another(&self) -> Scope<'env> {
        Scope {
            scope: self.scope.clone(),
            cleanups: Rc::clone(&self.cleanups),
        }
    }

    #[track_caller]
    fn add(&self, when: When, work: Kind<'env>) -> Cleanup {
        self.cleanups.add(when, work, Location::caller())
    }
}

impl Debug for Scope<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Scope").field(&self.scope).finish()
    }
}

/// Runs the body for at most `limit`; `None` if that was not enough.
///
/// `CancelScope::new().timeout(limit).run(body).await.ok()`: the body gets the scope, and may
/// move its deadline.
///
/// # Panics
/// If the body does; without a running loop on this thread.
///
/// # Cancel safety
/// That of the body, for a plain drop; see [`scope`](self).
///
/// # asyncio
/// None; trio's and anyio's `move_on_after`.
///
/// ```
/// use petla::{move_on_after, now, sleep};
/// use std::time::Duration;
///
/// petla::run(async {
///     let tick = Duration::from_millis(2);
///     let steps = move_on_after(tick, async |s| {
///         for _ in 0..3 {
///             s.set_deadline(now() + 10 * tick); // alive
///             sleep(tick).await;
///         }
///         3
///     });
///     assert_eq!(steps.await, Some(3));
///     assert_eq!(move_on_after(tick, async |_| sleep(1000 * tick).await).await, None);
/// });
/// ```
#[track_caller]
pub fn move_on_after<'env, T, F>(
    limit: Duration,
    body: F,
) -> impl Future<Output = Option<T>> + use<'env, T, F>
where
    F: AsyncFnOnce(&Scope<'env>) -> T,
{
    let run = CancelScope::new().timeout(limit).run(body);
    async move { run.await.ok() }
}
