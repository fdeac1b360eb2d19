//! [`VirtualClock`]: time that stands still until a test, or an idle loop, turns it.
//!
//! A number of nanoseconds that any thread may read, and a list of the loops that run by it. A
//! loop that rests because it is idle waits in epoll without a limit, so whoever turns the clock
//! wakes them all, by a post that does nothing.
//!
//! An automatic clock is turned by the last of its loops to become idle, to the earliest of
//! their deadlines. What one loop sent to another's mailbox before it came to rest counts as
//! work: else an hour could pass between a message and its receiver.
//!
//! # Invariants
//! - **Onwards**: the time only grows.
//! - **Turned, then told**: the time is written before `loops` is locked to wake the loops, and
//!   a loop joins them before it reads the time. So none sleeps through a turn.
//! - **Awake first**: a loop is noted as busy before it takes what is in its mailbox. So of a
//!   loop that was sent something one sees the notice, or that it is busy.
//!
//! # Not here
//! Timers: what is due is the kernel's to find out.

use std::fmt::{self, Debug, Formatter};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, ThreadId};
use std::time::{Duration, Instant};

use super::saturating_ns;
use crate::mailbox::{self, LoopId};

/// The end of time, 584 years on. Timers that are later than this never fire.
const END: u64 = u64::MAX - 1;

/// A clock that stands still until it is turned: by [`advance`](VirtualClock::advance), or, if it
/// is automatic, by a loop that has nothing else to do.
///
/// Give it to [`Builder::clock`](crate::event_loop::Builder::clock). Inside such a loop
/// [`now`](crate::now) and all timers go by it. Sockets, threads and [`Instant::now`] do not, and
/// a [`sleep`](crate::sleep) that is called outside of the loop counts from the system's time.
///
/// Clones are the same clock. Several loops may run by one, on any threads; an automatic one then
/// moves on when all of those that run are idle and none awaits work that
/// [`to_thread`](crate::to_thread) began, unless that blocks on a loop or a primitive itself. It
/// cannot see what else is under way outside of the loops: in other threads, in the network.
///
/// ```
/// use petla::{EventLoop, testing::VirtualClock};
/// use std::time::Duration;
///
/// let clock = VirtualClock::auto();
/// let event_loop = EventLoop::builder().clock(clock.clone()).build()?;
/// event_loop.run_until_complete(async {
///     petla::sleep(Duration::from_secs(3600)).await;
/// })?;
/// assert_eq!(clock.elapsed(), Duration::from_secs(3600));
/// # std::io::Result::Ok(())
/// ```
#[derive(Clone)]
#[doc(alias("pause", "MockClock"))]
pub struct VirtualClock(Arc<Shared>);

struct Shared {
    base: Instant,
    automatic: bool,
    elapsed_ns: AtomicU64,
    loops: Mutex<Vec<Member>>,
}

/// A loop that runs by the clock.
struct Member {
    id: LoopId,
    thread: ThreadId,
    /// What an idle loop waits for, `u64::MAX` if it has no timer. `None`: it is busy.
    idle_until: Option<u64>,
}

impl Member {
    /// Does the loop run, or will it before time may go on?
    fn is_busy(&self) -> bool {
        let mailbox = mailbox::lookup(self.id.index());
        self.idle_until.is_none() || mailbox.is_some_and(|mailbox| mailbox.is_notified())
    }

    fn wake(&self) {
        // A loop that is gone has nobody to be woken.
        drop(mailbox::post(self.id, Box::new(|| ())));
    }
}

impl VirtualClock {
    /// A clock that jumps to the next deadline when no task can run before it.
    ///
    /// Tasks that wait for [`wait_all_tasks_blocked`](crate::testing::wait_all_tasks_blocked)
    /// run first.
    pub fn auto() -> Self {
        VirtualClock::new(true)
    }

    /// A clock that moves only by [`advance`](VirtualClock::advance).
    pub fn manual() -> Self {
        VirtualClock::new(false)
    }

    pub(super) fn is_manual(&self) -> bool {
        !self.0.automatic
    }

    fn new(automatic: bool) -> Self {
        VirtualClock(Arc::new(Shared {
            base: Instant::now(),
            automatic,
            elapsed_ns: AtomicU64::new(0),
            loops: Mutex::new(Vec::new()),
        }))
    }

    /// Turns the clock and wakes the loops that wait for it. From any thread; never blocks for
    /// long. After 584 years it stops.
    ///
    /// The clock jumps: all timers up to the new time then fire in the order of their deadlines,
    /// but what they wake sees the new time. To see each moment, advance in smaller steps. No
    /// task runs inside this call: let them, with
    /// [`wait_all_tasks_blocked`](crate::testing::wait_all_tasks_blocked), before looking.
    ///
    /// ```
    /// use petla::testing::{VirtualClock, wait_all_tasks_blocked};
    /// use petla::{EventLoop, sleep, spawn};
    /// use std::time::Duration;
    ///
    /// let clock = VirtualClock::manual();
    /// let event_loop = EventLoop::builder().clock(clock.clone()).build()?;
    /// event_loop.run_until_complete(async {
    ///     let nap = spawn(sleep(Duration::from_secs(10)));
    ///     wait_all_tasks_blocked().await; // the sleep began
    ///     clock.advance(Duration::from_secs(10));
    ///     wait_all_tasks_blocked().await;
    ///     assert!(nap.is_finished());
    /// })?;
    /// # std::io::Result::Ok(())
    /// ```
    pub fn advance(&self, by: Duration) {
        let by = saturating_ns(by);
        let later = |now: u64| Some(now.saturating_add(by).min(END));
        let time = &self.0.elapsed_ns;
        let _ = time.fetch_update(Ordering::AcqRel, Ordering::Acquire, later);
        self.wake_all();
    }

    /// How far it was turned since it was made.
    pub fn elapsed(&self) -> Duration {
        Duration::from_nanos(self.0.elapsed_ns.load(Ordering::Acquire))
    }

    pub(super) fn base(&self) -> Instant {
        self.0.base
    }

    pub(super) fn now(&self) -> Instant {
        self.0.base + self.elapsed()
    }

    pub(super) fn enter(&self, id: LoopId) {
        let member = Member {
            id,
            thread: thread::current().id(),
            idle_until: None,
        };
        self.loops().push(member);
    }

    /// The loops that stay look again: they may have waited for this one to become idle.
    pub(super) fn leave(&self, id: LoopId) {
        self.loops().retain(|member| member.id != id);
        self.wake_all();
    }

    pub(super) fn resume(&self, id: LoopId) {
        set_idle(&mut self.loops(), id, None);
    }

    /// See [`Clock::rest`](super::Clock::rest).
    pub(super) fn rest(&self, id: LoopId, deadline: u64) -> bool {
        if !self.0.automatic {
            return false;
        }
        let mut loops = self.loops();
        set_idle(&mut loops, id, Some(deadline));
        // A loop below on this thread's stack waits for this one, which is closed in it.
        let here = thread::current().id();
        let others = loops
            .iter()
            .filter(|member| member.id == id || member.thread != here);
        if others.into_iter().any(Member::is_busy) {
            return false;
        }
        let deadlines = loops.iter().filter_map(|member| member.idle_until);
        let next = deadlines.min().filter(|&next| next <= END);
        let Some(next) = next else { return false };
        self.0.elapsed_ns.fetch_max(next, Ordering::AcqRel);
        let is_due = |member: &&mut Member| member.idle_until == Some(next);
        for member in loops.iter_mut().filter(is_due) {
            member.idle_until = None;
            if member.id != id {
                member.wake();
            }
        }
        deadline == next
    }

    fn wake_all(&self) {
        self.loops().iter().for_each(Member::wake);
    }

    fn loops(&self) -> MutexGuard<'_, Vec<Member>> {
        let loops = self.0.loops.lock();
        loops.unwrap_or_else(PoisonError::into_inner)
    }
}

fn set_idle(loops: &mut [Member], id: LoopId, until: Option<u64>) {
    if let Some(member) = loops.iter_mut().find(|member| member.id == id) {
        member.idle_until = until;
    }
}

impl Debug for VirtualClock {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("VirtualClock")
            .field("automatic", &self.0.automatic)
            .field("elapsed", &self.elapsed())
            .finish_non_exhaustive()
    }
}
