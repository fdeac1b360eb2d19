//! [`Plan`]: which calls of a thread fail, and a record of all that were made.
//!
//! Tests run in many threads of one process, so a plan holds for the thread that entered it. A
//! thread that a test starts enters the same plan by itself, from a clone. Threads that the crate
//! starts cannot: a test that has the process to itself enters a plan for all of them.
//!
//! A *step* is a name for the part of a test that is under way; a call is noted with it. So one
//! can tell whether an error came out of the operation whose call had failed.

use std::cell::{Cell, RefCell};
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::Errno;

thread_local! {
    static PLAN: RefCell<Option<Plan>> = const { RefCell::new(None) };
    static STEP: Cell<&'static str> = const { Cell::new("") };
}

/// The plan of threads that have none of their own, and whether there is one.
static OTHERS: Mutex<Option<Plan>> = Mutex::new(None);
static FOR_OTHERS: AtomicBool = AtomicBool::new(false);

/// See the module. Clones are the same plan.
#[derive(Clone)]
pub(crate) struct Plan(Arc<Mutex<State>>);

struct State {
    decide: Box<dyn FnMut(&'static str) -> Option<Errno> + Send>,
    calls: Vec<Call>,
    /// The first call that failed.
    struck: Option<Call>,
}

/// A call that was made, or would have been.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Call {
    pub(crate) name: &'static str,
    pub(crate) step: &'static str,
}

impl Plan {
    /// `decide` is asked at each call by its name, and says how it fails if it does.
    pub(crate) fn new(decide: impl FnMut(&'static str) -> Option<Errno> + Send + 'static) -> Plan {
        let state = State {
            decide: Box::new(decide),
            calls: Vec::new(),
            struck: None,
        };
        Plan(Arc::new(Mutex::new(state)))
    }

    /// Nothing fails.
    pub(crate) fn record() -> Plan {
        Plan::new(|_| None)
    }

    /// The `nth` call of that name fails, counted from 1.
    pub(crate) fn fail(call: &'static str, nth: usize, errno: Errno) -> Plan {
        let mut left = nth;
        Plan::new(move |name| {
            left -= usize::from(name == call && left > 0);
            let is_it = name == call && left == 0;
            left = if is_it { usize::MAX } else { left };
            is_it.then_some(errno)
        })
    }

    /// That of this thread, for a thread that it starts.
    pub(crate) fn current() -> Option<Plan> {
        PLAN.with_borrow(Clone::clone)
    }

    /// Holds for this thread until the guard is dropped.
    pub(crate) fn enter(&self) -> Entered {
        Entered {
            outer: PLAN.replace(Some(self.clone())),
        }
    }

    /// Holds for every thread without a plan of its own until the guard is dropped. Only in a
    /// process where no other test runs.
    pub(crate) fn enter_everywhere(&self) -> EnteredEverywhere {
        *others() = Some(self.clone());
        FOR_OTHERS.store(true, Ordering::Relaxed);
        EnteredEverywhere
    }

    /// What was called so far.
    pub(crate) fn calls(&self) -> Vec<Call> {
        self.state().calls.clone()
    }

    /// The first call that failed by this plan.
    pub(crate) fn struck(&self) -> Option<Call> {
        self.state().struck
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// This plan, and besides every call of that name fails, as some sandboxes have it.
    pub(crate) fn without(self, call: &'static str, errno: Errno) -> Plan {
        Plan::new(move |name| self.note(name).or((name == call).then_some(errno)))
    }

    /// Records the call, and says how it fails.
    fn note(&self, name: &'static str) -> Option<Errno> {
        let step = STEP.try_with(Cell::get).unwrap_or_default();
        let call = Call { name, step };
        let mut state = self.state();
        state.calls.push(call);
        let errno = (state.decide)(name)?;
        state.struck.get_or_insert(call);
        Some(errno)
    }
}

/// See [`Plan::enter`].
pub(crate) struct Entered {
    outer: Option<Plan>,
}

impl Drop for Entered {
    fn drop(&mut self) {
        // Not when the thread ends: then nothing is called any more.
        let _ = PLAN.try_with(|plan| plan.replace(self.outer.take()));
    }
}

/// See [`Plan::enter_everywhere`].
pub(crate) struct EnteredEverywhere;

impl Drop for EnteredEverywhere {
    fn drop(&mut self) {
        FOR_OTHERS.store(false, Ordering::Relaxed);
        *others() = None;
    }
}

fn others() -> MutexGuard<'static, Option<Plan>> {
    OTHERS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Fails as the test that runs has asked for.
pub(crate) fn at(call: &'static str) -> io::Result<()> {
    let own = PLAN.try_with(|plan| plan.borrow().clone()).ok().flatten();
    let plan = match own {
        None if FOR_OTHERS.load(Ordering::Relaxed) => others().clone(),
        own => own,
    };
    match plan.and_then(|plan| plan.note(call)) {
        None => Ok(()),
        Some(errno) => Err(io::Error::from_raw_os_error(errno.code)),
    }
}

/// [`Plan::fail`] for this thread, until the guard is dropped.
pub(crate) fn fail(call: &'static str, nth: usize, errno: Errno) -> Entered {
    Plan::fail(call, nth, errno).enter()
}

/// Names what `f` does.
pub(crate) fn in_step<R>(step: &'static str, f: impl FnOnce() -> R) -> R {
    struct Restored(&'static str);
    impl Drop for Restored {
        fn drop(&mut self) {
            STEP.set(self.0);
        }
    }
    let _restored = Restored(STEP.replace(step));
    f()
}

#[cfg(test)]
mod tests {
    use super::super::errnos::{EINTR, EMFILE};
    use super::*;

    fn code(result: io::Result<()>) -> Option<i32> {
        result.err().and_then(|error| error.raw_os_error())
    }

    #[test]
    fn the_nth_call_of_a_name_fails_once() {
        let fails = {
            let _fault = fail("accept4", 2, EMFILE);
            ["accept4", "recv", "accept4", "accept4"].map(|call| code(at(call)))
        };
        assert_eq!(fails, [None, None, Some(EMFILE.code), None]);
        assert!(at("accept4").is_ok(), "the guard is gone");
    }

    #[test]
    fn calls_are_recorded_with_their_step_in_every_thread_of_the_plan() {
        let plan = Plan::fail("send", 1, EINTR);
        let entered = plan.enter();
        in_step("greeting", || at("recv")).unwrap();
        let theirs = Plan::current().unwrap();
        let failed = std::thread::spawn(move || {
            let _entered = theirs.enter();
            code(in_step("answer", || at("send")))
        });
        assert_eq!(failed.join().unwrap(), Some(EINTR.code));
        drop(entered);
        at("send").unwrap();
        let call = |name, step| Call { name, step };
        let calls = [call("recv", "greeting"), call("send", "answer")];
        assert_eq!(plan.calls(), calls);
        assert_eq!(plan.struck(), Some(calls[1]));
    }
}
