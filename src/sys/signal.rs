//! Signals that the process catches: a handler for as long as somebody needs it, and what was
//! there before.
//!
//! The handler asks one function, the *hook*, whether anybody takes the signal. If nobody does,
//! it sets the default action and raises the signal again, so that the process ends as a shell
//! expects of it. If whoever takes it shares it, the handler that was there before ours is called
//! too: other libraries' signals go on working.
//!
//! The mask of signals stays as it is, and there is no signalfd, which needs one: children
//! inherit a mask, and a program that finds SIGINT blocked cannot be interrupted. A handler is
//! not inherited through exec; an ignored signal is.
//!
//! # Invariants
//! - **Async-signal-safe**: the handler runs between any two instructions of any thread, also
//!   inside `malloc` or with a lock held. It allocates, locks and waits for nothing and touches
//!   no thread-local but `errno`, which it puts back. All it calls is on the list of
//!   signal-safety(7): `sigaction`, `raise`, in the hook `write`, and a handler found before.
//! - **Hooked**: `HOOK` is null or was stored from a [`Hook`].
//! - **Ours only**: an action is put back, or the default set, only where ours is the present
//!   one: who installed another meanwhile keeps it, and may call ours from it.
//! - **No circle**: whoever installed a handler over ours may call ours from it. So from then on
//!   ours calls nobody's that it finds at that number: the two would call each other for ever.
//! - **Former**: a place of `FORMER` is 0 or a handler that the system had for that number.
//!
//! # Fork
//! The child has the parent's actions, but perhaps a lock that nobody will open: each process has
//! its own [`ACTIONS`]. What was before is known to the guards that the child inherited.
//!
//! # Not here
//! Who takes a signal, and what it does to a loop: `kernel::interrupt`, `kernel::signals`.

use std::mem::{self, MaybeUninit};
use std::ptr;
use std::sync::atomic::{AtomicPtr, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::{array, io};

pub(crate) use libc::{
    SIGALRM, SIGCHLD, SIGCONT, SIGHUP, SIGINT, SIGIO, SIGKILL, SIGPIPE, SIGQUIT, SIGTERM, SIGTSTP,
    SIGTTIN, SIGTTOU, SIGURG, SIGUSR1, SIGUSR2, SIGWINCH,
};
use libc::{c_int, c_void, siginfo_t};

use super::per_process::PerProcess;
use super::{check, faults, fork_count};

/// The highest number of a signal. The lowest is 1.
pub(crate) const HIGHEST: c_int = 64;

/// What became of a signal.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Taken {
    /// Nobody wanted it.
    Not,
    /// Whoever took it has it instead of the handler that was there before.
    Alone,
    /// The handler that was there before shall have it too.
    Shared,
}

/// Who takes the signal of that number? Called by the handler: Async-signal-safe.
pub(crate) type Hook = fn(c_int) -> Taken;

static HOOK: AtomicPtr<()> = AtomicPtr::new(ptr::null_mut());
/// What this process has installed; see the header's Fork.
static ACTIONS: PerProcess<Mutex<[Installed; HIGHEST as usize]>> = PerProcess::new();
/// The handler to be called after ours, by number: its address, and `TAKES_INFO` if it takes
/// three arguments. Addresses of a program are below that bit.
static FORMER: [AtomicUsize; HIGHEST as usize] = [const { AtomicUsize::new(0) }; HIGHEST as usize];
const TAKES_INFO: usize = 1 << 63;
/// The signals, a bit each, whose handler we set to ours and have not put back.
static INSTALLED: AtomicU64 = AtomicU64::new(0);
/// Those at which somebody once installed another handler over ours: No circle.
static COVERED: AtomicU64 = AtomicU64::new(0);

/// What is installed for one signal.
struct Installed {
    guards: usize,
    /// What the last of them puts back.
    previous: libc::sigaction,
}

/// The signal is caught for as long as one of these lives.
pub(crate) struct Caught {
    number: c_int,
    process: u32,
    /// For a forked child, which cannot ask `ACTIONS`.
    previous: libc::sigaction,
}

/// The realtime signals that the C library has not taken for itself.
pub(crate) fn realtime() -> std::ops::RangeInclusive<c_int> {
    libc::SIGRTMIN()..=libc::SIGRTMAX()
}

/// An error that says why, if this is not the number of a signal that a program can handle.
pub(crate) fn check_number(number: c_int) -> io::Result<()> {
    let why = match number {
        SIGKILL | libc::SIGSTOP => "the system lets nobody catch SIGKILL and SIGSTOP",
        libc::SIGSEGV | libc::SIGBUS | libc::SIGFPE | libc::SIGILL => {
            "SIGSEGV, SIGBUS, SIGFPE and SIGILL stop the thread that made the mistake: its loop \
             cannot run on to handle them"
        }
        1..=31 => return Ok(()),
        _ if realtime().contains(&number) => return Ok(()),
        32..=HIGHEST => "the C library keeps the first realtime signals for itself",
        _ => "signals are numbered from 1 to 64",
    };
    let message = format!("no handler for signal {number}: {why}");
    Err(io::Error::new(io::ErrorKind::InvalidInput, message))
}

/// Catches the signal in the whole process: from now on each one is put to `hook`, which must be
/// the same function at every call.
///
/// # Errors
/// Those of [`check_number`].
pub(crate) fn catch(number: c_int, hook: Hook) -> io::Result<Caught> {
    faults::at("sigaction")?;
    check_number(number)?;
    HOOK.store(hook as *mut (), Ordering::Release);
    let previous = with_installed(number, |installed| installed.add(number))?;
    Ok(Caught {
        number,
        process: fork_count(),
        previous,
    })
}

impl Installed {
    /// One guard more; gives what the last one puts back.
    fn add(&mut self, number: c_int) -> io::Result<libc::sigaction> {
        let present = exchange(number, None)?;
        note_cover(number, &present);
        if self.guards == 0 {
            // Before ours is there: no signal shall pass the former handler by.
            note_former(number, &present);
        }
        let found = exchange(number, Some(&ours()))?;
        INSTALLED.fetch_or(bit(number), Ordering::Relaxed);
        if !is_ours(&found) {
            self.previous = found;
        } else if self.guards == 0 {
            // Somebody brought our handler back, or a parent left it: what was before is gone.
            self.previous = default_action();
        }
        self.guards += 1;
        Ok(self.previous)
    }

    /// One guard less.
    fn remove(&mut self, number: c_int) {
        self.guards -= 1;
        if self.guards == 0 {
            replace_ours(number, &self.previous);
        }
    }
}

impl Drop for Caught {
    fn drop(&mut self) {
        if self.process != fork_count() {
            replace_ours(self.number, &self.previous);
            return;
        }
        with_installed(self.number, |installed| installed.remove(self.number));
    }
}

fn with_installed<R>(number: c_int, f: impl FnOnce(&mut Installed) -> R) -> R {
    let none = |_| Installed {
        guards: 0,
        previous: default_action(),
    };
    let actions = ACTIONS.get(|| Mutex::new(array::from_fn(none)));
    let mut actions = actions.lock().unwrap_or_else(PoisonError::into_inner);
    f(&mut actions[place(number)])
}

/// Ends the process by the signal's default action, whatever the present one is.
pub(crate) fn end_process(number: c_int) -> ! {
    let _ = exchange(number, Some(&default_action()));
    // SAFETY: takes a number.
    unsafe { libc::raise(number) };
    std::process::exit(128 + number) // it is blocked: the code by which a shell would report it
}

/// The handler: Async-signal-safe.
extern "C" fn handle(number: c_int, info: *mut siginfo_t, context: *mut c_void) {
    // SAFETY: the address of this thread's `errno`, which is always valid.
    let errno = unsafe { libc::__errno_location() };
    // SAFETY: as above.
    let before = unsafe { errno.read() };
    match ask(number) {
        Taken::Not => give_back(number),
        Taken::Alone => {}
        Taken::Shared => call_former(number, info, context),
    }
    // SAFETY: as above.
    unsafe { errno.write(before) };
}

fn ask(number: c_int) -> Taken {
    let hook = HOOK.load(Ordering::Acquire);
    if hook.is_null() {
        return Taken::Not;
    }
    // SAFETY: by Hooked, this pointer was a `Hook`.
    let hook = unsafe { mem::transmute::<*mut (), Hook>(hook) };
    hook(number)
}

/// Calls the handler that was there before ours, if it was one.
fn call_former(number: c_int, info: *mut siginfo_t, context: *mut c_void) {
    let packed = FORMER[place(number)].load(Ordering::Acquire);
    let address = ptr::with_exposed_provenance::<()>(packed & !TAKES_INFO);
    if address.is_null() {
        return;
    }
    if packed & TAKES_INFO == 0 {
        // SAFETY: Former: a handler that was installed without SA_SIGINFO.
        let former = unsafe { mem::transmute::<*const (), extern "C" fn(c_int)>(address) };
        return former(number);
    }
    type Former = extern "C" fn(c_int, *mut siginfo_t, *mut c_void);
    // SAFETY: Former: a handler that was installed with SA_SIGINFO.
    let former = unsafe { mem::transmute::<*const (), Former>(address) };
    former(number, info, context);
}

/// Is there another handler where ours was left? Relaxed: who looks at the two masks holds the
/// lock of the record.
fn note_cover(number: c_int, present: &libc::sigaction) {
    if INSTALLED.load(Ordering::Relaxed) & bit(number) != 0 && !is_ours(present) {
        COVERED.fetch_or(bit(number), Ordering::Relaxed);
    }
}

/// Has the handler of `present` called after ours, if that leads into no circle.
fn note_former(number: c_int, present: &libc::sigaction) {
    let is_covered = COVERED.load(Ordering::Relaxed) & bit(number) != 0;
    let former = if is_covered { 0 } else { pack(present) };
    FORMER[place(number)].store(former, Ordering::Release);
}

/// A handler as `FORMER` holds it; 0 if the action is not one, or is ours.
fn pack(action: &libc::sigaction) -> usize {
    match action.sa_sigaction {
        libc::SIG_DFL | libc::SIG_IGN => 0,
        _ if is_ours(action) => 0,
        address if action.sa_flags & libc::SA_SIGINFO != 0 => address | TAKES_INFO,
        address => address,
    }
}

/// Nobody takes it: the default action, and the signal once more, which comes when the handler
/// returns. Called from another's handler (Ours only), this would go round for ever: not then.
fn give_back(number: c_int) {
    if replace_ours(number, &default_action()) {
        // SAFETY: takes a number.
        unsafe { libc::raise(number) };
    }
}

/// Ours only: false if it is another's.
fn replace_ours(number: c_int, by: &libc::sigaction) -> bool {
    let is_present = exchange(number, None).is_ok_and(|present| is_ours(&present));
    let is_replaced = is_present && exchange(number, Some(by)).is_ok();
    if is_replaced {
        INSTALLED.fetch_and(!bit(number), Ordering::Relaxed);
    }
    is_replaced
}

/// The present action, and another one instead if there is one given.
fn exchange(number: c_int, new: Option<&libc::sigaction>) -> io::Result<libc::sigaction> {
    let new = new.map_or(ptr::null(), ptr::from_ref);
    let mut old = MaybeUninit::uninit();
    // SAFETY: both actions are Lent or null, and a handler among them is `handle` or was found.
    check(unsafe { libc::sigaction(number, new, old.as_mut_ptr()) })?;
    // SAFETY: filled in by the call, which succeeded.
    Ok(unsafe { old.assume_init() })
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
    action.sa_flags = libc::SA_RESTART | libc::SA_ONSTACK | libc::SA_SIGINFO;
    action
}

fn handler() -> libc::sighandler_t {
    handle as extern "C" fn(c_int, *mut siginfo_t, *mut c_void) as libc::sighandler_t
}

fn is_ours(action: &libc::sigaction) -> bool {
    action.sa_sigaction == handler()
}

/// Where a mask has what belongs to a signal.
pub(crate) fn bit(number: c_int) -> u64 {
    1 << place(number)
}

/// Where an array has what belongs to a signal.
fn place(number: c_int) -> usize {
    (number - 1) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes everything, and fails at a system call, which changes `errno`.
    fn spoil_errno(_: c_int) -> Taken {
        // SAFETY: takes a number; -1 is never a descriptor.
        unsafe { libc::close(-1) };
        Taken::Alone
    }

    fn errno() -> Option<i32> {
        io::Error::last_os_error().raw_os_error()
    }

    #[test]
    fn the_code_that_a_signal_interrupts_finds_its_errno_again() {
        let caught = catch(SIGTERM, spoil_errno).unwrap();
        // SAFETY: takes a number; -1 is no signal.
        unsafe { libc::raise(-1) };
        let before = errno();
        // SAFETY: takes a number; the signal is caught.
        unsafe { libc::raise(SIGTERM) };
        assert_eq!((before, errno()), (Some(libc::EINVAL), before));
        assert!(is_ours(&exchange(SIGTERM, None).unwrap()));
        drop(caught);
        let after = exchange(SIGTERM, None).unwrap();
        assert_eq!(after.sa_sigaction, libc::SIG_DFL);
    }
}
