//! The clean-ups of one scope: registered by its body, run when the body is over.
//!
//! Last in, first out. While one runs, nothing that is cancelled outside reaches it. One that
//! panics is reported, and the next runs. When their time is up those that are left are dropped,
//! and reported. So is, with one exception, what is left when the scope's future is dropped: it
//! cannot wait in its destructor, and what the clean-ups borrow may be gone soon. Those that
//! borrow nothing become a task.
//!
//! # Invariants
//! - **Unlent**: clean-ups are polled and dropped while the list is not borrowed.

use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Instant;

use super::alarm::{self, Alarm};
use crate::kernel::{self, CLEANUP_LIMIT, Kernel};
use crate::task::report;
use crate::task::token::drop_safely;

/// Clean-ups are pruned of disarmed ones when there are more than this, and twice as many as
/// after the last time.
const PRUNED_ABOVE: usize = 16;

type Boxed<'env> = Pin<Box<dyn Future<Output = ()> + 'env>>;

/// A registered clean-up. Dropping this leaves it registered.
///
/// ```
/// use petla::CancelScope;
///
/// petla::run(async {
///     let scope = CancelScope::new();
///     let result = scope.run(async |s| {
///         let undo = s.on_cancel(async { unreachable!("it was disarmed") });
///         undo.disarm();
///         s.cancel("enough");
///         std::future::pending::<()>().await
///     });
///     assert_eq!(result.await.unwrap_err().reason(), Some("enough"));
/// });
/// ```
#[derive(Debug)]
pub struct Cleanup {
    armed: Rc<Cell<bool>>,
}

impl Cleanup {
    /// It will not run. It is dropped with its scope, or before.
    pub fn disarm(self) {
        self.armed.set(false);
    }
}

/// When a clean-up runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum When {
    Cancelled,
    Always,
}

pub(super) enum Kind<'env> {
    /// It may borrow: only the scope itself can run it.
    Here(Boxed<'env>),
    Anywhere(Boxed<'static>),
}

impl Kind<'_> {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        match self {
            Kind::Here(work) => work.as_mut().poll(cx),
            Kind::Anywhere(work) => work.as_mut().poll(cx),
        }
    }
}

struct Entry<'env> {
    armed: Rc<Cell<bool>>,
    when: When,
    at: &'static Location<'static>,
    work: Kind<'env>,
}

/// See the module.
#[derive(Default)]
pub(super) struct Cleanups<'env> {
    list: RefCell<Vec<Entry<'env>>>,
    /// The body gave a value, or panicked: those for a cancel are not wanted any more.
    is_spared: Cell<bool>,
    pruned: Cell<usize>,
    /// They have been run, or given up: who comes now comes too late.
    is_over: Cell<bool>,
}

impl<'env> Cleanups<'env> {
    pub(super) fn add(
        &self,
        when: When,
        work: Kind<'env>,
        at: &'static Location<'static>,
    ) -> Cleanup {
        let armed = Rc::new(Cell::new(true));
        let cleanup = Cleanup {
            armed: Rc::clone(&armed),
        };
        if self.is_over.get() {
            let mut lost = Lost::default();
            lost.lose(at, work);
            lost.report("a clean-up was registered with a scope that had ended, and will not run");
            return cleanup;
        }
        self.prune().into_iter().for_each(drop_safely);
        self.list.borrow_mut().push(Entry {
            armed,
            when,
            at,
            work,
        });
        cleanup
    }

    /// Takes out what was disarmed, so that a body which arms and disarms in a loop does not
    /// gather them.
    fn prune(&self) -> Vec<Entry<'env>> {
        let mut list = self.list.borrow_mut();
        if list.len() <= PRUNED_ABOVE.max(2 * self.pruned.get()) {
            return Vec::new();
        }
        let (kept, pruned) = list.drain(..).partition(|entry| entry.armed.get());
        *list = kept;
        self.pruned.set(list.len());
        pruned
    }

    /// The next to be run after an end of this kind; drops those that are not to be run.
    fn next(&self, cancelled: bool) -> Option<Entry<'env>> {
        loop {
            let entry = self.list.borrow_mut().pop()?;
            if entry.armed.get() && (cancelled || entry.when == When::Always) {
                return Some(entry);
            }
            drop_safely(entry);
        }
    }

    /// Runs them, until `deadline`; each is polled at least once before it is given up.
    pub(super) async fn run(&self, cancelled: bool, deadline: Option<Instant>) {
        self.is_spared.set(!cancelled);
        let mut alarm = Alarm::default();
        while let Some(entry) = self.next(cancelled) {
            let mut running = Running {
                entry: Some(entry),
                cleanups: self,
            };
            poll_fn(|cx| {
                if running.poll(cx).is_ready() || alarm.poll(deadline, cx) {
                    return Poll::Ready(());
                }
                Poll::Pending
            })
            .await;
            running.give_up();
        }
    }

    /// They have been run.
    pub(super) fn close(&self) {
        self.is_over.set(true);
    }

    /// Drops them all, unrun.
    pub(super) fn clear(&self) {
        let list = self.list.take();
        list.into_iter().for_each(drop_safely);
    }

    /// The scope's future is gone: what borrows is lost, the rest becomes a task.
    pub(super) fn orphan(&self) {
        self.is_over.set(true);
        let mut lost = Lost::default();
        let mut left = Vec::new();
        while let Some(Entry {
            armed,
            when,
            at,
            work,
        }) = self.next(!self.is_spared.get())
        {
            match work {
                Kind::Here(work) => lost.lose(at, work),
                Kind::Anywhere(work) => left.push(Entry {
                    armed,
                    when,
                    at,
                    work: Kind::Anywhere(work),
                }),
            }
        }
        left.reverse();
        if let Err(left) = spawn_cleaner(left) {
            left.into_iter()
                .rev()
                .for_each(|entry| lost.lose(entry.at, entry.work));
        }
        lost.report("a scope was dropped, not cancelled, and clean-ups that borrow were lost");
    }
}

/// A clean-up while it runs. Dropped before its end, it goes back, to be orphaned.
struct Running<'a, 'env> {
    entry: Option<Entry<'env>>,
    cleanups: &'a Cleanups<'env>,
}

impl Running<'_, '_> {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(entry) = &mut self.entry else {
            return Poll::Ready(());
        };
        let polled = poll_cleanup(|| entry.work.poll(cx));
        if polled.is_ready() {
            drop_safely(self.entry.take());
        }
        polled
    }

    /// It has ended, or its time is up.
    fn give_up(&mut self) {
        if let Some(entry) = self.entry.take() {
            let mut lost = Lost::default();
            lost.lose(entry.at, entry);
            lost.report("a clean-up did not end within its limit and was dropped");
        }
    }
}

impl Drop for Running<'_, '_> {
    fn drop(&mut self) {
        if let Some(entry) = self.entry.take() {
            self.cleanups.list.borrow_mut().push(entry);
        }
    }
}

/// Polls a clean-up, sheltered; a panic is reported and ends it.
fn poll_cleanup(poll: impl FnOnce() -> Poll<()>) -> Poll<()> {
    match catch_unwind(AssertUnwindSafe(|| kernel::clean_up(poll))) {
        Ok(polled) => polled,
        Err(payload) => {
            report::panicked("a clean-up panicked", None, payload);
            Poll::Ready(())
        }
    }
}

type Orphans = Vec<Entry<'static>>;

/// A task that runs clean-ups whose scope is gone; gives them back if there is no loop for it.
fn spawn_cleaner(orphans: Orphans) -> Result<(), Orphans> {
    // The last registered is the first to run.
    let Some(at) = orphans.last().map(|entry| entry.at) else {
        return Ok(());
    };
    let mut orphans = Some(orphans);
    Kernel::with(|kernel| {
        kernel.spawn_cleaner(&mut orphans, at, |orphans| async move {
            let left = Left(Cleanups::default());
            left.0.list.replace(orphans);
            left.0.run(true, alarm::after(CLEANUP_LIMIT)).await;
        });
    });
    orphans.map_or(Ok(()), Err)
}

/// Orphans that have not ended, in the task that runs them.
struct Left(Cleanups<'static>);

impl Drop for Left {
    fn drop(&mut self) {
        let mut lost = Lost::default();
        while let Some(entry) = self.0.next(true) {
            lost.lose(entry.at, entry.work);
        }
        lost.report("clean-ups whose scope was gone did not end before their task was dropped");
    }
}

/// Clean-ups that will not run.
#[derive(Default)]
struct Lost {
    count: usize,
    first: Option<&'static Location<'static>>,
}

impl Lost {
    /// Drops one that was registered at `at`.
    fn lose(&mut self, at: &'static Location<'static>, work: impl Sized) {
        self.count += 1;
        self.first.get_or_insert(at);
        drop_safely(work);
    }

    fn report(&self, what: &str) {
        if let Some(first) = self.first {
            let which = format!("{} of them, the first registered at {first}", self.count);
            report::report(what, None, Some(&which));
        }
    }
}
