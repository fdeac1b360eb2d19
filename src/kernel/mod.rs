//! The kernel: everything one loop owns, and its turn.
//!
//! Leaf futures (sleeps, sockets) and `spawn` know the kernel of the loop that runs on their
//! thread; nobody below knows it, and nothing it calls knows more than a waker. Lower floors
//! hand back *what is ready*; the kernel wakes.
//!
//! ```text
//!   run_until ─► batch ─► poll ... poll ─► ring empty? ─► sleep ─► batch ...
//!                  └─ after at most 64 polls: look ─┘
//! ```
//!
//! # The fairness contract
//! - Ready tasks run first in, first out, or shuffled batch by batch if a test gave a seed. A
//!   task woken during a batch runs in the next one.
//! - A *look* (mailbox, clock, timers; epoll if a descriptor is registered) happens when the
//!   ring is empty and after at most 64 polls, counted across batches. See `budget`.
//! - Timers fire in deadline order, equal ones in creation order, never early.
//!
//! # Invariants
//! - **Current**: `CURRENT` is null or points to the kernel whose `Entered` guard is on this
//!   thread's stack; the guard borrows that kernel, so it is alive.
//! - **Unlent**: no `RefCell` of the kernel stays borrowed while foreign code runs: a poll, a
//!   waker's clone, wake or drop, a destructor, a callback.
//! - **Share**: the loop's share of a task cell is given up once, in `finish`, after its slot.
//!
//! # Not here
//! Callbacks, handles for other threads, the public face: `event_loop`.

mod budget;
mod cancel_tree;
mod child_tasks;
mod children;
mod cycles;
mod idle;
mod interrupt;
mod main_task;
mod node;
mod outside;
mod poll;
mod settings;
mod shutdown;
mod signals;
mod slow_polls;
pub(crate) mod source;
mod spawn;
mod timers;
mod turn;
mod watches;

use std::cell::{Cell, RefCell};
use std::io;
use std::marker::PhantomData;
use std::panic::Location;
use std::ptr::{self, NonNull};
use std::rc::{Rc, Weak};
use std::task::Waker;
use std::time::Duration;

use crate::clock::Clock;
use crate::context;
use crate::mailbox::{self, LoopId, Mailbox};
use crate::reactor::Reactor;
use crate::run_queue::RunQueue;
use crate::sys;
use crate::sys::epoll::{Epoll, Events};
use crate::sys::process::fork_count;
use crate::task::report::{self, Report};
use crate::task::{Header, TaskRef, token};
use crate::timer_queue::TimerQueue;
use budget::Budget;
pub(crate) use child_tasks::{ChildTasks, Failed, Step, report_failed};
pub(crate) use children::{Children, Place};
use cycles::Cycles;
use idle::Idlers;
pub(crate) use idle::{IdleState, IdleWait};
use interrupt::Interrupts;
pub(crate) use interrupt::Signal;
pub(crate) use node::{Cleaner, Node, clean_up};
pub(crate) use outside::{Home, Outside, Trace};
pub(crate) use settings::{CLEANUP_LIMIT, Settings};
pub(crate) use signals::Listener;
use signals::Signals;
pub use spawn::{all_tasks, current_task, spawn, spawn_eager};
pub(crate) use timers::{ArmedTimer, TimerState};
use watches::Watches;

/// What epoll says when another thread rang. No source has a key this small.
const BELL: u64 = 0;

thread_local! {
    static CURRENT: Cell<*const Kernel> = const { Cell::new(ptr::null()) };
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Phase {
    Open,
    /// `close` waits for clean-ups: all else is cancelled.
    Cleaning,
    /// `close` is dropping the tasks: new ones are cancelled at birth.
    Closing,
    Closed,
}

type Handler = Box<dyn FnMut(&Report<'_>)>;

/// See the module.
pub(crate) struct Kernel {
    run: RunQueue<Header>,
    timers: RefCell<TimerQueue<Waker>>,
    reactor: RefCell<Reactor>,
    epoll: Epoll,
    events: RefCell<Events>,
    mailbox: &'static Mailbox,
    id: LoopId,
    clock: Clock,
    budget: Budget,
    woken: Cell<Vec<Waker>>,
    phase: Cell<Phase>,
    running: Cell<bool>,
    stopping: Cell<bool>,
    next_task: Cell<u64>,
    eager_depth: Cell<u32>,
    forks: u32,
    spin: Duration,
    cleanup_limit: Duration,
    /// Time stands still for good, so clean-ups that wait for it will not end.
    given_up: Cell<bool>,
    idlers: Idlers,
    outsides: outside::Outsides,
    stop_when_stuck: bool,
    debug: Cell<bool>,
    /// Has it a seed, or is it in debug mode? Then its batches are not the common ones.
    is_observed: Cell<bool>,
    slow: Cell<Duration>,
    stuck: Cell<Vec<TaskRef>>,
    cycles: Cycles,
    handler: RefCell<Option<Handler>>,
    watches: Watches,
    scopes: node::Scopes,
    interrupts: Interrupts,
    signals: Signals,
    this: Weak<Kernel>,
}

impl Kernel {
    pub(crate) fn new(settings: Settings) -> io::Result<Rc<Kernel>> {
        watch_forks()?;
        let epoll = Epoll::new()?;
        let (mailbox, id) = mailbox::claim()?;
        // From here on an error must give the table entry back: Drop does, once it is a Kernel.
        let (spin, interrupts) = (settings.spin(), Interrupts::new(&settings));
        let kernel = Rc::new_cyclic(|this| Kernel {
            run: RunQueue::new(id.index()),
            timers: RefCell::new(TimerQueue::new()),
            reactor: RefCell::new(Reactor::new()),
            epoll,
            events: RefCell::new(Events::new()),
            mailbox,
            id,
            clock: Clock::new(settings.clock),
            budget: Budget::new(),
            woken: Cell::new(Vec::new()),
            phase: Cell::new(Phase::Open),
            running: Cell::new(false),
            stopping: Cell::new(false),
            next_task: Cell::new(1),
            eager_depth: Cell::new(0),
            forks: fork_count(),
            spin,
            cleanup_limit: settings.cleanup_limit,
            given_up: Cell::new(false),
            idlers: Idlers::default(),
            outsides: outside::Outsides::default(),
            stop_when_stuck: settings.stop_when_stuck,
            debug: Cell::default(),
            is_observed: Cell::default(),
            slow: Cell::new(slow_polls::SLOW),
            stuck: Cell::default(),
            cycles: Cycles::default(),
            handler: RefCell::new(None),
            watches: Watches::new(),
            scopes: node::Scopes::default(),
            interrupts,
            signals: Signals::default(),
            this: this.clone(),
        });
        if let Some(seed) = settings.seed {
            kernel.run.set_seed(seed);
        }
        kernel.set_debug(settings.debug);
        kernel.epoll.add_bell(mailbox.eventfd(), BELL)?;
        Ok(kernel)
    }

    /// Calls `f` with the kernel of the loop that runs on this thread.
    #[inline(always)]
    pub(crate) fn with<R>(f: impl FnOnce(&Kernel) -> R) -> Option<R> {
        // SAFETY: Current; the reference cannot leave the closure.
        let kernel = unsafe { CURRENT.get().as_ref() };
        kernel.map(f)
    }

    /// Does a loop run on this thread?
    #[inline]
    pub(crate) fn runs_here() -> bool {
        !CURRENT.get().is_null()
    }

    /// [`with`](Self::with), with the error that a misplaced call deserves.
    ///
    /// # Panics
    /// Without a running loop on this thread.
    #[inline(always)]
    #[track_caller]
    pub(crate) fn with_current<R>(what: &str, f: impl FnOnce(&Kernel) -> R) -> R {
        match Kernel::with(f) {
            Some(result) => result,
            None => no_loop(what),
        }
    }

    /// The owning pointer; `None` while the last owner drops it.
    pub(crate) fn current_rc() -> Option<Rc<Kernel>> {
        Kernel::with(|kernel| kernel.this.upgrade()).flatten()
    }

    pub(crate) fn id(&self) -> LoopId {
        self.id
    }

    pub(crate) fn clock(&self) -> &Clock {
        &self.clock
    }

    pub(crate) fn phase(&self) -> Phase {
        self.phase.get()
    }

    pub(crate) fn is_running(&self) -> bool {
        self.running.get()
    }

    /// Ends the run under way after its present batch, or the next one after its first.
    pub(crate) fn stop(&self) {
        self.stopping.set(true);
    }

    /// Did this process fork since the loop was made? Then the loop is the parent's.
    pub(crate) fn is_forked(&self) -> bool {
        self.forks != fork_count()
    }

    pub(crate) fn set_handler(&self, handler: Handler) {
        // A closed loop would keep it for ever, and itself if the handler owns the loop.
        if self.phase.get() == Phase::Open {
            let old = self.handler.replace(Some(handler));
            drop(old);
        }
    }

    /// Makes this the thread's loop until the guard is dropped.
    pub(crate) fn enter(&self) -> Entered<'_> {
        Entered {
            outer: CURRENT.replace(self),
            outer_is_loop: context::set_loop_thread(true),
            outer_handler: report::install(Some(to_handler)),
            _queue: token::enter(&self.run),
            _kernel: PhantomData,
        }
    }

    /// The header of a task in a slot, for as long as nothing ends the task.
    fn header<'a>(&'a self, task: &'a NonNull<Header>) -> &'a Header {
        // SAFETY: Share: a task in a slot is alive.
        unsafe { task.as_ref() }
    }

    pub(crate) fn live_tasks(&self) -> u32 {
        self.run.live()
    }

    /// The task in a slot, be it one of its own or that of a group's child.
    fn task_in(&self, slot: u32) -> Option<NonNull<Header>> {
        self.run.task(slot).or_else(|| self.run.child_task(slot))
    }

    /// How many tasks, timers and descriptors it has.
    #[cfg(test)]
    pub(crate) fn holdings(&self) -> [usize; 3] {
        let tasks = self.live_tasks() as usize;
        [
            tasks,
            self.timers.borrow().len(),
            self.reactor.borrow().len(),
        ]
    }

    /// Every task that is not a callback.
    pub(crate) fn tasks(&self) -> Vec<TaskRef> {
        let tasks = (0..self.run.slots()).filter_map(|slot| self.task_in(slot));
        let task_ref = |task| {
            let header = self.header(&task);
            (!header.is_callback()).then(|| TaskRef::of(header))
        };
        tasks.filter_map(task_ref).collect()
    }
}

/// Does something to a loop: now, or by a post if it does not run on this thread. A loop that
/// is closed has nothing left to do it to.
#[inline]
fn on_loop(home: LoopId, act: impl FnOnce(&Kernel) + Send + 'static) {
    let mut act = Some(act);
    Kernel::with(|kernel| {
        if kernel.id == home
            && let Some(act) = act.take()
        {
            act(kernel);
        }
    });
    if let Some(act) = act {
        post_to(home, act);
    }
}

#[cold]
#[inline(never)]
fn post_to(home: LoopId, act: impl FnOnce(&Kernel) + Send + 'static) {
    let post = move || {
        Kernel::with(act);
    };
    drop(mailbox::post(home, Box::new(post)));
}

#[cold]
#[inline(never)]
#[track_caller]
fn no_loop(what: &str) -> ! {
    panic!(
        "{what} needs a running event loop on this thread ({}): call it inside `petla::run(..)`",
        Location::caller()
    )
}

/// From now on forks are counted (`sys::fork_count`).
pub(crate) fn watch_forks() -> io::Result<()> {
    sys::process::watch_forks(forget_after_fork)
}

/// The child of a fork starts without a loop; what it inherited belongs to the parent.
fn forget_after_fork() {
    Kernel::with(|kernel| kernel.budget.exhaust());
    CURRENT.set(ptr::null());
    context::set_loop_thread(false);
    token::forget_after_fork();
}

/// Hands a report to the loop's handler, if there is one. A handler that panics or reports in turn
/// is bypassed.
fn to_handler(report: &Report<'_>) -> bool {
    let handler = Kernel::with(|kernel| kernel.handler.take()).flatten();
    let Some(mut handler) = handler else {
        return false;
    };
    let survived = report::quietly(|| handler(report));
    // A handler that installed another one has had its say, and is dropped.
    let mut handler = Some(handler);
    Kernel::with(|kernel| {
        let mut place = kernel.handler.borrow_mut();
        if place.is_none() {
            *place = handler.take();
        }
    });
    if !survived {
        report::to_stderr(&report::simple(
            "the exception handler panicked on this report:",
        ));
        report::to_stderr(report);
    }
    true
}

/// See [`Kernel::enter`].
pub(crate) struct Entered<'a> {
    outer: *const Kernel,
    outer_is_loop: bool,
    outer_handler: Option<fn(&Report<'_>) -> bool>,
    _queue: token::Entered<'a>,
    _kernel: PhantomData<&'a Kernel>,
}

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        CURRENT.set(self.outer);
        context::set_loop_thread(self.outer_is_loop);
        report::install(self.outer_handler);
    }
}
