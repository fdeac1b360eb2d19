//! [`Alarm`]: a timer that follows a deadline which others may move.

use std::task::Context;
use std::time::{Duration, Instant};

use crate::kernel::{ArmedTimer, Kernel, TimerState};

/// The moment when `limit` from now will have passed; `None` without a loop, or beyond all time.
pub(super) fn after(limit: Duration) -> Option<Instant> {
    Kernel::with(|kernel| kernel.clock().now())?.checked_add(limit)
}

/// Armed by a poll that has to wait, disarmed by drop.
#[derive(Default)]
pub(super) struct Alarm(Option<(Instant, ArmedTimer)>);

impl Alarm {
    /// Has `deadline` passed? If not, the task is woken when it has. Without a loop, never.
    pub(super) fn poll(&mut self, deadline: Option<Instant>, cx: &Context<'_>) -> bool {
        let passed = Kernel::with(|kernel| match deadline {
            Some(deadline) => self.poll_at(kernel, deadline, cx),
            None => {
                self.disarm();
                false
            }
        });
        passed.unwrap_or(false)
    }

    fn poll_at(&mut self, kernel: &Kernel, deadline: Instant, cx: &Context<'_>) -> bool {
        let armed = self
            .0
            .filter(|&(_, timer)| matches!(kernel.look_at(timer, cx.waker()), TimerState::Armed));
        match armed {
            Some((at, _)) if at == deadline => return false,
            _ if kernel.clock().now() >= deadline => {
                self.disarm();
                return true;
            }
            Some((_, timer)) if kernel.reset_timer(timer, deadline) => {
                self.0 = Some((deadline, timer));
            }
            _ => {
                self.disarm();
                self.0 = Some((deadline, kernel.arm(deadline, cx.waker().clone())));
            }
        }
        false
    }

    fn disarm(&mut self) {
        if let Some((_, timer)) = self.0.take() {
            timer.disarm();
        }
    }
}

impl Drop for Alarm {
    fn drop(&mut self) {
        self.disarm();
    }
}
