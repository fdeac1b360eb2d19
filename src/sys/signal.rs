//! SIGINT and SIGTERM: a handler for as long as somebody needs it, and what was there before.
//!
//! The handler asks one function, the *hook*, whether anybody takes the signal. If nobody does,
//! it sets the default action and raises the signal again, so that the process ends as a shell
//! expects of it.
//!
//! The mask of signals stays as it is, and there is no signalfd, which needs one: children
//! inherit a mask, and a program that finds SIGINT blocked cannot be interrupted.
//!
//! # Invariants
//! - **Async-signal-safe**: the handler runs between any two instructions of any thread, also
//!   inside `malloc` or with a lock held. It allocates, locks and waits for nothing and touches
//!   no thread-local but `errno`, which it puts back. All it calls is on the list of
//!   signal-safety(7): `sigaction`, `raise`, and in the hook `write`.
//! - **Hooked**: `HOOK` is null or was stored from a [`Hook`].
//! - **Kept**: `ACTIONS` is null or a box that is never freed.
//! - **Ours only**: an action is put back, or the default set, only where ours is the present
//!   one: who installed another meanwhile keeps it, and may call ours from it.
//!
//! # Fork
//! The child has the parent's actions, but perhaps a lock that nobody will open: each process has
//! its own [`Actions`]. What was before is known to the guards that the child inherited.
//!
//! # Not here
//! Who takes a signal, and what it does to a loop: `kernel::interrupt`.

use std::mem::{self, MaybeUninit};
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};
use std::sync::{Mutex, PoisonError};

use libc::c_int;

use super::{check, fork_count};

/// A signal that asks a program to end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Signal {
    /// SIGINT: Ctrl-C.
    Interrupt,
    /// SIGTERM: `kill`, service managers.
    Terminate,
}

impl Signal {
    pub(crate) const ALL: [Signal; 2] = [Signal::Interrupt, Signal::Terminate];

    fn number(self) -> c_int {
        match self {
            Signal::Interrupt => libc::SIGINT,
            Signal::Terminate => libc::SIGTERM,
        }
    }
}

/// Whether somebody takes the signal. Called by the handler: Async-signal-safe.
pub(crate) type Hook = fn(Signal) -> bool;

static HOOK: AtomicPtr<()> = AtomicPtr::new(ptr::null_mut());
static ACTIONS: AtomicPtr<Actions> = AtomicPtr::new(ptr::null_mut());

/// What one process has installed; see the header's Fork.
struct Actions {
    process: u32,
    signals: Mutex<[Installed; Signal::ALL.len()]>,
}

struct Installed {
    guards: usize,
    /// What the last of them puts back.
    previous: libc::sigaction,
}

/// The signal is caught for as long as one of these lives.
pub(crate) struct Caught {
    signal: Signal,
    process: u32,
    /// For a forked child, which cannot ask `ACTIONS`.
    previous: libc::sigaction,
}

/// Catches `signal` in the whole process: from now on each one is put to `hook`, which must be
/// the same function at every call.
pub(crate) fn catch(signal: Signal, hook: Hook) -> Caught {
    HOOK.store(hook as *mut (), Ordering::Release);
    let actions = actions();
    let previous = actions.with(signal, |installed| {
        let found = exchange(signal, Some(&ours()));
        if !is_ours(&found) {
            installed.previous = found;
        } else if installed.guards == 0 {
            // Somebody brought our handler back, or a parent left it: what was before is gone.
            installed.previous = default_action();
        }
        installed.guards += 1;
        installed.previous
    });
    Caught {
        signal,
        process: actions.process,
        previous,
    }
}

impl Drop for Caught {
    fn drop(&mut self) {
        if self.process != fork_count() {
            replace_ours(self.signal, &self.previous);
            return;
        }
        actions().with(self.signal, |installed| {
            installed.guards -= 1;
            if installed.guards == 0 {
                replace_ours(self.signal, &installed.previous);
            }
        });
    }
}

impl Actions {
    fn with<R>(&self, signal: Signal, f: impl FnOnce(&mut Installed) -> R) -> R {
        let mut signals = self.signals.lock().unwrap_or_else(PoisonError::into_inner);
        f(&mut signals[signal as usize])
    }
}

/// This process's record, made at its first call.
fn actions() -> &'static Actions {
    let found = ACTIONS.load(Ordering::Acquire);
    // SAFETY: null or alive for ever, by Kept.
    if let Some(actions) = unsafe { found.as_ref() }
        && actions.process == fork_count()
    {
        return actions;
    }
    let installed = || Installed {
        guards: 0,
        previous: default_action(),
    };
    let new = Box::into_raw(Box::new(Actions {
        process: fork_count(),
        signals: Mutex::new(Signal::ALL.map(|_| installed())),
    }));
    let stored = ACTIONS.compare_exchange(found, new, Ordering::AcqRel, Ordering::Acquire);
    let winner = match stored {
        Ok(_) => new,
        Err(other) => {
            // SAFETY: made above, and given to nobody.
            drop(unsafe { Box::from_raw(new) });
            other
        }
    };
    // SAFETY: alive for ever, by Kept; not null, since somebody stored it.
    unsafe { &*winner }
}

/// The handler: Async-signal-safe.
extern "C" fn handle(number: c_int) {
    // SAFETY: the address of this thread's `errno`, which is always valid.
    let errno = unsafe { libc::__errno_location() };
    // SAFETY: as above.
    let before = unsafe { errno.read() };
    let mut signals = Signal::ALL.into_iter();
    if let Some(signal) = signals.find(|signal| signal.number() == number)
        && !is_taken(signal)
    {
        give_back(signal);
    }
    // SAFETY: as above.
    unsafe { errno.write(before) };
}

fn is_taken(signal: Signal) -> bool {
    let hook = HOOK.load(Ordering::Acquire);
    if hook.is_null() {
        return false;
    }
    // SAFETY: by Hooked, this pointer was a `Hook`.
    let hook = unsafe { mem::transmute::<*mut (), Hook>(hook) };
    hook(signal)
}

/// Nobody takes it: the default action, and the signal once more, which comes when the handler
/// returns. Called from another's handler (Ours only), this would go round for ever: not then.
fn give_back(signal: Signal) {
    if replace_ours(signal, &default_action()) {
        // SAFETY: takes a number.
        unsafe { libc::raise(signal.number()) };
    }
}

/// Ours only: false if it is another's.
fn replace_ours(signal: Signal, by: &libc::sigaction) -> bool {
    let is_present = is_ours(&exchange(signal, None));
    if is_present {
        exchange(signal, Some(by));
    }
    is_present
}

/// The present action, and another one instead if there is one given.
fn exchange(signal: Signal, new: Option<&libc::sigaction>) -> libc::sigaction {
    let new = new.map_or(ptr::null(), ptr::from_ref);
    let mut old = MaybeUninit::uninit();
    // SAFETY: both actions are Lent or null, and a handler among them is `handle` or was found.
    let done = unsafe { libc::sigaction(signal.number(), new, old.as_mut_ptr()) };
    check(done).expect("these two signals can be caught");
    // SAFETY: filled in by the call, which succeeded.
    unsafe { old.assume_init() }
}

fn default_action() -> libc::sigaction {
    // SAFETY: integers, and an optional function: all zero is a value, with an empty mask.
    let mut action: libc::sigaction = unsafe { mem::zeroed() };
    action.sa_sigaction = libc::SIG_DFL;
    action
}

/// `SA_ONSTACK`: a thread of small stack that has another one for signals is spared.
fn ours() -> libc::sigaction {
    let mut action = default_action();
    action.sa_sigaction = handler();
    action.sa_flags = libc::SA_RESTART | libc::SA_ONSTACK;
    action
}

fn handler() -> libc::sighandler_t {
    handle as extern "C" fn(c_int) as libc::sighandler_t
}

fn is_ours(action: &libc::sigaction) -> bool {
    action.sa_sigaction == handler()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes everything, and fails at a system call, which changes `errno`.
    fn spoil_errno(_: Signal) -> bool {
        // SAFETY: takes a number; -1 is never a descriptor.
        unsafe { libc::close(-1) == -1 }
    }

    fn errno() -> Option<i32> {
        std::io::Error::last_os_error().raw_os_error()
    }

    #[test]
    fn the_code_that_a_signal_interrupts_finds_its_errno_again() {
        let caught = catch(Signal::Terminate, spoil_errno);
        // SAFETY: takes a number; -1 is no signal.
        unsafe { libc::raise(-1) };
        let before = errno();
        // SAFETY: takes a number; the signal is caught.
        unsafe { libc::raise(libc::SIGTERM) };
        assert_eq!((before, errno()), (Some(libc::EINVAL), before));
        assert!(is_ours(&exchange(Signal::Terminate, None)));
        drop(caught);
        let after = exchange(Signal::Terminate, None);
        assert_eq!(after.sa_sigaction, libc::SIG_DFL);
    }
}
