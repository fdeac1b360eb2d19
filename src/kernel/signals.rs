//! Signals that a loop was asked to listen to: who wants which, and how they get there.
//!
//! ```text
//!   handler: PLACES[loop].came |= bit, notify the mailbox ──► loop: open_mailbox
//!      ─► deliver_signals ─► each listener: came |= bit, its waker
//! ```
//!
//! A listener is a stream of signals, or the hidden task that calls a callback for each one.
//! Like the system's own pending signals, those of one number merge until they are taken.
//!
//! # Invariants
//! - **Async-signal-safe**: `note` runs in a signal handler. It uses the atomics of this file.
//! - **Listened first**: the bits of `wanted` are set before the handler is installed, and
//!   cleared after what was there before is back: see `interrupt`.
//! - **Unlent**: no waker is woken, cloned or dropped under a lock or a borrow.
//!
//! # Cost
//! A look whose flag is up loads one word more. A signal walks the listeners of each loop.
//!
//! # Not here
//! The handler itself: `sys::signal`. The handler's hook, and signals that end a run:
//! `interrupt`.
#![deny(unsafe_code)]

use std::cell::RefCell;
use std::collections::HashMap;
use std::future::poll_fn;
use std::io;
use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, Waker};

use super::interrupt::tell;
use super::{Kernel, Phase, on_loop};
use crate::mailbox::{LOOPS_MAX, LoopId};
use crate::rt::{Arc, Mutex, lock};
use crate::sys::signal::{self, Caught, HIGHEST, bit};
use crate::task::token::wake_safely;
use crate::task::{Flags, Task, report};

/// What the handler sees of one place in the table of mailboxes: a bit for each signal.
struct Place {
    wanted: AtomicU64,
    /// What has come and the loop has not seen yet.
    came: AtomicU64,
}

static PLACES: [Place; LOOPS_MAX] = [const {
    Place {
        wanted: AtomicU64::new(0),
        came: AtomicU64::new(0),
    }
}; LOOPS_MAX];

/// Part of the handler's hook: does the loop there listen to this signal? Then it is noted.
pub(super) fn note(index: u16, number: i32) -> bool {
    let place = &PLACES[usize::from(index)];
    // Relaxed, here and below: the words are all there is to see, and `notify` releases them.
    let wanted = place.wanted.load(Ordering::Relaxed) & bit(number) != 0;
    if wanted {
        place.came.fetch_or(bit(number), Ordering::Relaxed);
    }
    wanted
}

/// What the kernel keeps for this.
#[derive(Default)]
pub(super) struct Signals {
    listeners: RefCell<Vec<(Arc<Heard>, Vec<Caught>)>>,
    handlers: RefCell<HashMap<i32, Handler>>,
}

/// A callback for one signal.
struct Handler {
    heard: Arc<Heard>,
    task: Task<()>,
}

/// What one listener wants and has not taken yet.
#[derive(Debug)]
struct Heard {
    wanted: u64,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    came: u64,
    /// The number that was taken last: the others have their turn before it comes again.
    last: u32,
    waker: Option<Waker>,
    /// The loop is closed.
    is_over: bool,
}

impl Heard {
    fn new(wanted: u64) -> Arc<Heard> {
        let state = Mutex::new(State::default());
        Arc::new(Heard { wanted, state })
    }

    /// Adds what came; the waker, if there is something for it to wake for.
    fn add(&self, came: u64) -> Option<Waker> {
        let mut state = lock(&self.state);
        state.came |= came & self.wanted;
        if state.came == 0 {
            return None;
        }
        state.waker.take()
    }

    fn end(&self) -> Option<Waker> {
        let mut state = lock(&self.state);
        state.is_over = true;
        state.waker.take()
    }

    fn poll(&self, cx: &mut Context<'_>) -> Poll<Option<i32>> {
        let waker = cx.waker().clone();
        let mut state = lock(&self.state);
        if state.came != 0 {
            let number = state.take();
            drop(state);
            return Poll::Ready(Some(number));
        }
        if state.is_over {
            drop(state);
            return Poll::Ready(None);
        }
        let old = state.waker.replace(waker);
        drop(state);
        drop(old);
        Poll::Pending
    }
}

impl State {
    /// The next number after the last one; there is at least one.
    fn take(&mut self) -> i32 {
        let behind = u64::MAX.checked_shl(self.last).unwrap_or(0);
        let candidates = match self.came & behind {
            0 => self.came,
            higher => higher,
        };
        self.last = candidates.trailing_zeros() + 1;
        let number = self.last.cast_signed();
        self.came &= !bit(number);
        number
    }
}

/// A stream's share of its loop. Plain data; it leaves the loop when it is dropped.
#[derive(Debug)]
pub(crate) struct Listener {
    heard: Arc<Heard>,
    home: LoopId,
}

impl Listener {
    /// The next signal; `None` when the loop is closed.
    pub(crate) fn poll(&self, cx: &mut Context<'_>) -> Poll<Option<i32>> {
        self.heard.poll(cx)
    }

    /// Whoever polled last waits no more.
    pub(crate) fn forget_waker(&self) {
        let waker = lock(&self.heard.state).waker.take();
        drop(waker);
    }

    /// The numbers that it listens to.
    pub(crate) fn numbers(&self) -> impl Iterator<Item = i32> {
        numbers_in(self.heard.wanted)
    }
}

fn numbers_in(mask: u64) -> impl Iterator<Item = i32> {
    (1..=HIGHEST).filter(move |number| mask & bit(*number) != 0)
}

impl Drop for Listener {
    fn drop(&mut self) {
        let heard = Arc::clone(&self.heard);
        on_loop(self.home, move |kernel| kernel.unlisten(&heard));
    }
}

impl Kernel {
    /// Listens to signals until the listener is dropped.
    ///
    /// # Errors
    /// For a number that cannot be caught.
    pub(crate) fn hear(&self, numbers: impl IntoIterator<Item = i32>) -> io::Result<Listener> {
        let mut wanted = 0;
        for number in numbers {
            signal::check_number(number)?;
            wanted |= bit(number);
        }
        let heard = Heard::new(wanted);
        self.admit(&heard)?;
        let home = self.id;
        Ok(Listener { heard, home })
    }

    fn admit(&self, heard: &Arc<Heard>) -> io::Result<()> {
        if matches!(self.phase.get(), Phase::Closing | Phase::Closed) {
            let message = "the event loop is closed: it hears no signals";
            return Err(io::Error::new(io::ErrorKind::NotConnected, message));
        }
        // What came up to now is for those who are there.
        self.deliver_now();
        let place = self.place();
        place.wanted.fetch_or(heard.wanted, Ordering::Relaxed); // Listened first.
        let caught = numbers_in(heard.wanted).map(|number| signal::catch(number, tell));
        match caught.collect() {
            Ok(caught) => {
                let listeners = &self.signals.listeners;
                listeners.borrow_mut().push((Arc::clone(heard), caught));
                Ok(())
            }
            Err(error) => {
                self.want_less();
                Err(error)
            }
        }
    }

    fn unlisten(&self, heard: &Arc<Heard>) {
        let mut listeners = self.signals.listeners.borrow_mut();
        listeners.retain(|(other, _)| !Arc::ptr_eq(other, heard));
        drop(listeners);
        self.want_less();
    }

    /// After somebody has left.
    fn want_less(&self) {
        let listeners = self.signals.listeners.borrow();
        let wanted = listeners
            .iter()
            .fold(0, |all, (heard, _)| all | heard.wanted);
        self.place().wanted.store(wanted, Ordering::Relaxed);
    }

    /// May a signal wake a task of this loop?
    pub(super) fn hears_signals(&self) -> bool {
        self.place().wanted.load(Ordering::Relaxed) != 0
    }

    /// After the mailbox is opened: hands out what came.
    #[inline]
    pub(super) fn deliver_signals(&self) {
        if self.hears_signals() {
            self.deliver_now();
        }
    }

    #[cold]
    #[inline(never)]
    fn deliver_now(&self) {
        let came = self.place().came.swap(0, Ordering::Relaxed);
        if came == 0 {
            return;
        }
        let listeners = self.signals.listeners.borrow();
        let woken = listeners.iter().filter_map(|(heard, _)| heard.add(came));
        let woken: Vec<Waker> = woken.collect();
        drop(listeners);
        woken.into_iter().for_each(wake_safely);
    }

    /// Nobody listens any more: the loop is closed.
    pub(super) fn stop_listening(&self) {
        let listeners = self.signals.listeners.take();
        let heard: Vec<_> = listeners.into_iter().map(|(heard, _)| heard).collect();
        self.want_less();
        let woken = heard.iter().filter_map(|heard| heard.end());
        woken.for_each(wake_safely);
    }

    fn place(&self) -> &'static Place {
        &PLACES[usize::from(self.id.index())]
    }
}

/// Callbacks.
impl Kernel {
    /// Calls `callback` whenever the signal has come, instead of the callback it had.
    pub(crate) fn add_signal_handler(
        &self,
        number: i32,
        callback: impl FnMut() + 'static,
        at: &'static Location<'static>,
    ) -> io::Result<()> {
        let known = self.signals.handlers.borrow_mut().remove(&number);
        let (heard, old) = match known {
            Some(Handler { heard, task }) => (heard, Some(task)),
            None => {
                signal::check_number(number)?;
                let heard = Heard::new(bit(number));
                self.admit(&heard)?;
                (heard, None)
            }
        };
        let task = self.spawn(
            call_at_each(Arc::clone(&heard), callback),
            at,
            Flags::NEW.with(Flags::CALLBACK).with(Flags::CANCEL_ON_DROP),
        );
        let handler = Handler { heard, task };
        self.signals.handlers.borrow_mut().insert(number, handler);
        drop(old);
        Ok(())
    }

    /// Ends a callback; `false` if there was none.
    pub(crate) fn remove_signal_handler(&self, number: i32) -> bool {
        let known = self.signals.handlers.borrow_mut().remove(&number);
        let Some(Handler { heard, task }) = known else {
            return false;
        };
        self.unlisten(&heard);
        drop(task);
        true
    }

    pub(super) fn remove_signal_handlers(&self) {
        for (_, Handler { heard, task }) in self.signals.handlers.take() {
            self.unlisten(&heard);
            drop(task);
        }
    }
}

async fn call_at_each(heard: Arc<Heard>, mut callback: impl FnMut()) {
    while poll_fn(|cx| heard.poll(cx)).await.is_some() {
        if let Err(payload) = catch_unwind(AssertUnwindSafe(&mut callback)) {
            report::panicked("the handler of a signal panicked", None, payload);
        }
    }
}
