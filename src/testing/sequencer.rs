//! [`Sequencer`]: the order of a few steps in several tasks, as a test prescribes it.
//!
//! # Invariants
//! - **Unlent**: a waker is cloned before the state is borrowed, and woken or dropped after.
//! - **Next**: `next` is the smallest step that was neither passed nor given up; every entry of
//!   `steps` is `next` or later, and `GivenUp` at `next` does not stay.
//!
//! # Not here
//! Random orders: [`Explorer`](super::Explorer).

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt::{self, Debug, Formatter};
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

/// Lets tasks go on in the order of their steps: 0, 1, 2 ..
///
/// The task that passed step 0 runs to its next `await` before the one at step 1 goes on.
///
/// ```
/// use petla::testing::{self, Sequencer};
/// use std::{cell::RefCell, rc::Rc};
///
/// testing::run(async {
///     let (sequencer, log) = (Rc::new(Sequencer::new()), Rc::new(RefCell::new(vec![])));
///     let tasks: Vec<_> = [2, 0, 1].into_iter().map(|step| {
///         let (sequencer, log) = (sequencer.clone(), log.clone());
///         petla::spawn(async move {
///             sequencer.at(step).await;
///             log.borrow_mut().push(step);
///         })
///     }).collect();
///     for task in tasks {
///         task.await.unwrap();
///     }
///     assert_eq!(*log.borrow(), [0, 1, 2]);
/// });
/// ```
#[derive(Default)]
pub struct Sequencer(RefCell<State>);

#[derive(Default)]
struct State {
    next: usize,
    steps: BTreeMap<usize, Step>,
}

enum Step {
    /// Without its waker once that was woken.
    Waiting(Option<Waker>),
    GivenUp,
}

impl State {
    /// `next` is over. Gives the waker of the step that comes now, if that waits already.
    fn go_on(&mut self) -> Option<Waker> {
        self.next += 1;
        while let Some(Step::GivenUp) = self.steps.get(&self.next) {
            self.steps.remove(&self.next);
            self.next += 1;
        }
        match self.steps.get_mut(&self.next) {
            Some(Step::Waiting(waker)) => waker.take(),
            _ => None,
        }
    }
}

impl Sequencer {
    /// One that waits for step 0.
    pub fn new() -> Self {
        Sequencer::default()
    }

    /// Waits until all smaller steps were passed. Each step is awaited once.
    ///
    /// # Panics
    /// When it is polled, if the step was passed or is awaited elsewhere: the test has counted
    /// wrong.
    ///
    /// # Cancel safety
    /// **Strict.** A step that began to wait and is dropped counts as passed, so that the later
    /// ones do not wait for ever.
    pub fn at(&self, step: usize) -> At<'_> {
        At {
            sequencer: self,
            step,
            waits: false,
        }
    }
}

impl Debug for Sequencer {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sequencer")
            .field("next", &self.0.borrow().next)
            .finish_non_exhaustive()
    }
}

/// The future of [`Sequencer::at`].
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct At<'a> {
    sequencer: &'a Sequencer,
    step: usize,
    waits: bool,
}

impl At<'_> {
    /// Ends the wait: the step was passed, or given up.
    fn leave(&mut self) {
        self.waits = false;
        let mut state = self.sequencer.0.borrow_mut();
        let own = state.steps.remove(&self.step);
        let woken = if state.next == self.step {
            state.go_on()
        } else {
            state.steps.insert(self.step, Step::GivenUp);
            None
        };
        drop(state);
        drop(own);
        woken.into_iter().for_each(Waker::wake);
    }
}

impl Future for At<'_> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let (step, waker) = (self.step, cx.waker().clone());
        let mut state = self.sequencer.0.borrow_mut();
        let taken = !self.waits && (step < state.next || state.steps.contains_key(&step));
        assert!(!taken, "step {step} of a Sequencer was taken before");
        if step == state.next {
            drop(state);
            self.leave();
            return Poll::Ready(());
        }
        let old = state.steps.insert(step, Step::Waiting(Some(waker)));
        drop(state);
        drop(old);
        self.waits = true;
        Poll::Pending
    }
}

impl Drop for At<'_> {
    fn drop(&mut self) {
        if self.waits {
            self.leave();
        }
    }
}
