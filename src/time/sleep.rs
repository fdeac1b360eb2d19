//! [`sleep`] and [`yield_now`].

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use super::now;
use crate::clock::saturating_ns;
use crate::kernel::{ArmedTimer, Kernel, TimerState};

/// What stands for "never" when a deadline lies beyond what an `Instant` can hold.
const FAR: Duration = Duration::from_secs(100 * 365 * 24 * 3600);

/// Waits for `duration`, to the nanosecond, never less.
///
/// `Duration::ZERO` is [`yield_now`]: no timer, no clock, no system call. `Duration::MAX` is a
/// hundred years or more.
///
/// # Panics
/// When it is polled without a running loop on this thread (a zero sleep works anywhere).
///
/// # Cancel safety
/// **Strict.** Dropping it disarms its timer at once and leaves nothing behind.
///
/// # asyncio
/// `sleep(seconds)`. Equal deadlines fire in the order in which they were first awaited.
///
/// ```
/// use std::time::Duration;
///
/// petla::run(async {
///     let before = std::time::Instant::now();
///     petla::sleep(Duration::from_micros(300)).await;
///     assert!(before.elapsed() >= Duration::from_micros(300));
/// });
/// ```
#[inline]
pub fn sleep(duration: Duration) -> Sleep {
    if duration.is_zero() {
        return Sleep {
            when: When::Yield,
            timer: None,
        };
    }
    sleep_until(after(now(), duration))
}

/// Waits until `at`; a moment in the past takes one trip through the ready queue.
///
/// # Panics
/// When it is polled without a running loop on this thread.
///
/// # Cancel safety
/// **Strict**, as [`sleep`].
///
/// # asyncio
/// `sleep(at - loop.time())`.
///
/// ```
/// petla::run(async {
///     let at = petla::now() + std::time::Duration::from_millis(1);
///     petla::sleep_until(at).await;
///     assert!(petla::now() >= at);
/// });
/// ```
#[inline]
pub fn sleep_until(at: Instant) -> Sleep {
    Sleep {
        when: When::At(at),
        timer: None,
    }
}

/// Lets every task that is ready run once.
///
/// No timer, no clock, no system call: the task goes to the end of the ready queue.
///
/// # Cancel safety
/// **Strict.**
///
/// # asyncio
/// `sleep(0)`.
///
/// ```
/// use std::{cell::Cell, rc::Rc};
///
/// petla::run(async {
///     let ran = Rc::new(Cell::new(false));
///     let other = ran.clone();
///     drop(petla::spawn(async move { other.set(true) }));
///     assert!(!ran.get());
///     petla::yield_now().await;
///     assert!(ran.get());
/// });
/// ```
#[inline]
pub fn yield_now() -> YieldNow {
    YieldNow { yielded: false }
}

/// A sleep whose time begins with its first poll: then nobody reads the clock for a wait that does
/// not take place.
#[inline]
pub(super) fn sleep_later(duration: Duration) -> Sleep {
    if duration.is_zero() {
        return sleep(duration);
    }
    Sleep {
        when: When::After(saturating_ns(duration)),
        timer: None,
    }
}

/// `start + duration`, or a moment that will not come.
pub(crate) fn after(start: Instant, duration: Duration) -> Instant {
    start.checked_add(duration).unwrap_or_else(|| start + FAR)
}

/// See [`yield_now`].
#[must_use = "futures do nothing unless awaited"]
#[derive(Debug)]
pub struct YieldNow {
    yielded: bool,
}

impl Future for YieldNow {
    type Output = ();

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if self.yielded {
            return Poll::Ready(());
        }
        self.yielded = true;
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum When {
    /// A zero sleep that has not yielded yet.
    Yield,
    At(Instant),
    /// So many nanoseconds after the first poll.
    After(u64),
    Past,
}

const _: () = assert!(
    size_of::<When>() == size_of::<Instant>(),
    "a timeout is small"
);

/// See [`sleep`]. Plain data, so `Send + Sync`; a loop that polls it takes it over from another.
#[must_use = "futures do nothing unless awaited"]
#[derive(Debug)]
pub struct Sleep {
    when: When,
    timer: Option<ArmedTimer>,
}

impl Sleep {
    /// When it ends: now for a zero sleep and for one that is over.
    pub fn deadline(&self) -> Instant {
        match self.when {
            When::At(at) => at,
            When::After(nanos) => after(now(), Duration::from_nanos(nanos)),
            When::Yield | When::Past => now(),
        }
    }

    /// Makes it end at `at`, also after it has ended. Later is a store; earlier moves the timer.
    ///
    /// ```
    /// petla::run(async {
    ///     let mut sleep = petla::sleep(std::time::Duration::from_secs(3600));
    ///     sleep.reset(petla::now());
    ///     sleep.await;
    /// });
    /// ```
    pub fn reset(&mut self, at: Instant) {
        self.when = When::At(at);
        let Some(timer) = self.timer else { return };
        if Kernel::with(|kernel| kernel.reset_timer(timer, at)) != Some(true) {
            // Over, or on a loop that cannot be reached from here: whoever waits arms it anew.
            timer.disarm_and_wake();
            self.timer = None;
        }
    }

    /// Has a poll found it over, or, of a zero sleep, will the next one?
    #[inline]
    pub(super) fn is_over(&self) -> bool {
        self.when == When::Past
    }

    #[inline]
    fn poll_until(&mut self, at: Instant, cx: &mut Context<'_>) -> Poll<()> {
        Kernel::with_current("sleep()", |kernel| {
            let Some(timer) = self.timer else {
                self.timer = Some(kernel.arm(at, cx.waker().clone()));
                return Poll::Pending;
            };
            match kernel.look_at(timer, cx.waker()) {
                TimerState::Armed => Poll::Pending,
                TimerState::Fired => {
                    self.timer = None;
                    self.when = When::Past;
                    Poll::Ready(())
                }
                TimerState::Elsewhere => {
                    timer.disarm();
                    self.timer = Some(kernel.arm(at, cx.waker().clone()));
                    Poll::Pending
                }
            }
        })
    }
}

impl Future for Sleep {
    type Output = ();

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        match self.when {
            When::At(at) => self.poll_until(at, cx),
            When::After(nanos) => {
                let at = after(now(), Duration::from_nanos(nanos));
                self.when = When::At(at);
                self.poll_until(at, cx)
            }
            When::Past => Poll::Ready(()),
            When::Yield => {
                self.when = When::Past;
                cx.waker().wake_by_ref();
                Poll::Pending
            }
        }
    }
}

impl Drop for Sleep {
    #[inline]
    fn drop(&mut self) {
        if let Some(timer) = self.timer {
            timer.disarm();
        }
    }
}
