//! SIGINT and SIGTERM, for the loops that were built to be told of them.
//!
//! ```text
//!   handler: WORDS[loop] |= pending, notify the mailbox ──► loop: open_mailbox ─► notice_signals
//!      the loop has not noticed the one before ──► the process ends by the signal
//! ```
//!
//! The first signal of a run cancels the main task, or stops a run that has none; the second
//! leaves the run at once. Every loop that listens is told, on whichever thread the handler runs.
//! A loop in which somebody asked for the signal by name (`signals`) gives it to him instead.
//!
//! # Invariants
//! - **Async-signal-safe**: `tell` runs in a signal handler. It uses the atomics of this file,
//!   `mailbox::lookup` and `Mailbox::is_inherited`, which only load, and `Mailbox::notify`.
//! - **Listened first**: a word is set before the handler is installed, and cleared after what was
//!   there before is back. So a handler finds somebody; one that another thread is still in when
//!   the last run ends finds nobody and an action that is not ours, and lets the signal go.
//! - **Own process**: the words of a forked parent's loops are not the child's: if no loop of
//!   its own listens, the signal ends it.
//!
//! # Cost
//! A look whose flag is up loads one byte more. Loops without signals pay nothing else.
//!
//! # Not here
//! The handler itself: `sys::signal`. What a run returns: `event_loop`.
#![deny(unsafe_code)]

use std::cell::{Cell, RefCell};
use std::sync::atomic::{AtomicU8, Ordering};

use super::{Kernel, Settings, signals};
use crate::error::{Cancelled, Reason};
use crate::mailbox::{self, LOOPS_MAX};
use crate::sys::signal::{self, Caught, SIGINT, SIGTERM, Taken};
use crate::task::{Task, TaskRef};

/// A signal that asks a program to end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Signal {
    /// SIGINT: Ctrl-C.
    Interrupt,
    /// SIGTERM: `kill`, service managers.
    Terminate,
}

impl Signal {
    const ALL: [Signal; 2] = [Signal::Interrupt, Signal::Terminate];

    fn number(self) -> i32 {
        match self {
            Signal::Interrupt => SIGINT,
            Signal::Terminate => SIGTERM,
        }
    }
}

/// One for each place in the table of mailboxes: the signals that the loop there listens to and,
/// above them, the one that it has not noticed yet.
static WORDS: [AtomicU8; LOOPS_MAX] = [const { AtomicU8::new(0) }; LOOPS_MAX];

const PENDING: u8 = pending(Signal::Interrupt) | pending(Signal::Terminate);

const fn wanted(signal: Signal) -> u8 {
    1 << signal as u8
}

const fn pending(signal: Signal) -> u8 {
    wanted(signal) << Signal::ALL.len()
}

/// The handler's hook. Nobody takes it: nobody listens, or one who does hogs its thread.
pub(super) fn tell(number: i32) -> Taken {
    let mut signals = Signal::ALL.into_iter();
    let signal = signals.find(|signal| signal.number() == number);
    let (mut is_heard, mut is_told, mut is_stuck) = (false, false, false);
    for (index, word) in (0..).zip(&WORDS) {
        let Some(mailbox) = mailbox::lookup(index) else {
            break;
        };
        if mailbox.is_inherited() {
            continue;
        }
        if signals::note(index, number) {
            is_heard = true;
            mailbox.notify();
        } else if let Some(signal) = signal {
            match interrupt(word, signal) {
                Ok(_) => {
                    is_told = true;
                    mailbox.notify();
                }
                Err(word) => is_stuck |= word & wanted(signal) != 0,
            }
        }
    }
    match (is_heard, is_told) {
        _ if is_stuck => Taken::Not,
        (true, _) => Taken::Shared,
        (false, true) => Taken::Alone,
        (false, false) => Taken::Not,
    }
}

/// Notes the signal for a run that listens and has none pending; else gives the word.
fn interrupt(word: &AtomicU8, signal: Signal) -> Result<u8, u8> {
    // Relaxed: the word is all there is to see, and `notify` releases it.
    word.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |word| {
        let free = word & wanted(signal) != 0 && word & PENDING == 0;
        free.then_some(word | pending(signal))
    })
}

/// What the kernel keeps for this.
pub(super) struct Interrupts {
    /// What the loop was built to listen to, as in `WORDS`.
    wanted: u8,
    main: RefCell<Option<TaskRef>>,
    noticed: Cell<u32>,
    /// The signal that ended the run, if one did.
    cause: Cell<Option<Signal>>,
}

impl Interrupts {
    pub(super) fn new(settings: &Settings) -> Self {
        let bit = |asked, signal| if asked { wanted(signal) } else { 0 };
        Interrupts {
            wanted: bit(settings.sigint, Signal::Interrupt)
                | bit(settings.sigterm, Signal::Terminate),
            main: RefCell::default(),
            noticed: Cell::default(),
            cause: Cell::default(),
        }
    }
}

/// The loop is told of signals for as long as this lives.
pub(super) struct Listening<'a> {
    kernel: &'a Kernel,
    caught: [Option<Caught>; Signal::ALL.len()],
}

impl Drop for Listening<'_> {
    fn drop(&mut self) {
        // Listened first.
        self.caught = [None, None];
        self.kernel.word().store(0, Ordering::Relaxed);
        self.kernel.interrupts.main.replace(None);
    }
}

impl Kernel {
    /// The signal that ended the last run, unless that run has a result of its own.
    pub(crate) fn interrupted_by(&self) -> Option<Signal> {
        self.interrupts.cause.get()
    }

    /// Did a second signal come? Then the run is left between two polls.
    pub(super) fn is_aborted(&self) -> bool {
        self.interrupts.noticed.get() > 1
    }

    /// At the beginning of a run.
    pub(super) fn listen(&self) -> Option<Listening<'_>> {
        let bits = self.interrupts.wanted;
        if bits == 0 {
            return None;
        }
        self.interrupts.noticed.set(0);
        self.interrupts.cause.set(None);
        // Listened first.
        self.word().store(bits, Ordering::Relaxed);
        let caught = Signal::ALL.map(|signal| {
            let catch = || signal::catch(signal.number(), tell).expect("it can be caught");
            (bits & wanted(signal) != 0).then(catch)
        });
        Some(Listening {
            kernel: self,
            caught,
        })
    }

    /// The first signal will cancel `main`.
    pub(super) fn cancel_on_signal<T>(&self, main: &Task<T>) {
        if self.interrupts.wanted != 0 {
            self.interrupts.main.replace(Some(main.task_ref()));
        }
    }

    /// After the mailbox is opened: does what a signal asked for.
    #[inline]
    pub(super) fn notice_signals(&self) {
        if self.interrupts.wanted != 0 {
            self.notice_signal();
        }
    }

    #[cold]
    #[inline(never)]
    fn notice_signal(&self) {
        let word = self.word().fetch_and(!PENDING, Ordering::Relaxed);
        let mut signals = Signal::ALL.into_iter();
        let Some(signal) = signals.find(|signal| word & pending(*signal) != 0) else {
            return;
        };
        let interrupts = &self.interrupts;
        interrupts.noticed.set(interrupts.noticed.get() + 1);
        let is_cause = match &*interrupts.main.borrow() {
            Some(main) if !self.is_aborted() => {
                main.cancel_first(Cancelled::new(reason(signal), main.location()))
            }
            _ => {
                self.stop();
                true
            }
        };
        if is_cause {
            let cause = interrupts.cause.get().unwrap_or(signal);
            interrupts.cause.set(Some(cause));
        }
    }

    fn word(&self) -> &'static AtomicU8 {
        &WORDS[usize::from(self.id.index())]
    }
}

fn reason(signal: Signal) -> Reason {
    Reason::from(match signal {
        Signal::Interrupt => "interrupted by SIGINT",
        Signal::Terminate => "terminated by SIGTERM",
    })
}
