//! [`interval`]: a tick every so often.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use futures_core::Stream;

use super::now;
use super::sleep::{Sleep, after, sleep_until};

/// Ticks every `period`; the first tick comes at once.
///
/// A [`Stream`] of the moments at which the ticks were due. A missed tick is skipped unless
/// [`Interval::missed`] says otherwise.
///
/// # Panics
/// If `period` is zero.
///
/// # asyncio
/// None: written there as a loop around `sleep`, which drifts.
///
/// ```
/// use std::time::Duration;
///
/// petla::run(async {
///     let mut ticks = petla::interval(Duration::from_millis(1));
///     let first = ticks.tick().await;
///     let second = ticks.tick().await;
///     assert!(second - first >= Duration::from_millis(1));
/// });
/// ```
#[track_caller]
pub fn interval(period: Duration) -> Interval {
    assert!(
        !period.is_zero(),
        "interval() needs a period above zero; use yield_now() to yield"
    );
    let due = now();
    Interval {
        period,
        due,
        missed: MissedTick::Skip,
        sleep: sleep_until(due),
        aim: Aim::AtOnce,
    }
}

/// What becomes of ticks that nobody was there to take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum MissedTick {
    /// They are skipped; the next tick keeps to the original grid.
    #[default]
    Skip,
    /// They come one after the other, at once, until the count is right.
    Burst,
    /// The next one comes a full period after this one; the grid moves.
    Delay,
}

/// See [`interval`]. `Send + Sync`.
#[derive(Debug)]
pub struct Interval {
    period: Duration,
    /// The next tick.
    due: Instant,
    missed: MissedTick,
    sleep: Sleep,
    aim: Aim,
}

/// What the sleep of an interval is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Aim {
    /// Nothing: the first tick needs no sleep.
    AtOnce,
    /// Nothing: it is to be aimed at the next tick.
    Nowhere,
    /// It ends with the next tick.
    Due,
}

impl Interval {
    /// Chooses what becomes of missed ticks.
    #[must_use = "this gives the interval back"]
    pub fn missed(mut self, policy: MissedTick) -> Self {
        self.missed = policy;
        self
    }

    /// Waits for the next tick; gives the moment at which it was due.
    ///
    /// # Cancel safety
    /// **Strict.** A tick that nobody took is still to come.
    pub fn tick(&mut self) -> Tick<'_> {
        Tick { interval: self }
    }

    /// Starts anew: the next tick comes one period from now.
    pub fn reset(&mut self) {
        self.due = after(now(), self.period);
        self.aim = Aim::Nowhere;
    }

    /// A tick that is late already takes one trip through the loop too: a body that is always
    /// late must not keep everybody else from running.
    fn poll_tick(&mut self, cx: &mut Context<'_>) -> Poll<Instant> {
        if self.aim == Aim::Nowhere {
            self.sleep.reset(self.due);
            self.aim = Aim::Due;
        }
        if self.aim == Aim::Due {
            ready!(Pin::new(&mut self.sleep).poll(cx));
        }
        self.aim = Aim::Nowhere;
        Poll::Ready(self.advance())
    }

    /// Takes the tick that is due and computes the next.
    fn advance(&mut self) -> Instant {
        let (due, now) = (self.due, now());
        let next = after(due, self.period);
        self.due = match self.missed {
            MissedTick::Burst => next,
            _ if next > now => next,
            MissedTick::Delay => after(now, self.period),
            MissedTick::Skip => {
                let late = (now - due).as_nanos() % self.period.as_nanos();
                // `late` is below the period: 64 bits hold it unless the period is 584 years.
                let late = Duration::from_nanos(u64::try_from(late).unwrap_or(u64::MAX));
                after(now, self.period.saturating_sub(late))
            }
        };
        due
    }
}

impl Stream for Interval {
    type Item = Instant;

    /// Never ends.
    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Instant>> {
        self.poll_tick(cx).map(Some)
    }
}

/// See [`Interval::tick`].
#[must_use = "futures do nothing unless awaited"]
#[derive(Debug)]
pub struct Tick<'a> {
    interval: &'a mut Interval,
}

impl Future for Tick<'_> {
    type Output = Instant;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Instant> {
        self.interval.poll_tick(cx)
    }
}
