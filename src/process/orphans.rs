//! Children that nobody waits for any more: each is reaped when it ends, or soon after.
//!
//! A child that ended and was not reaped stays in the system's table as a zombie until this process
//! ends. So whoever lets a child go leaves it here. Inside a loop a hidden task waits for it. When
//! that loop is closed, or if there was none, the child goes into a list of the process, which is
//! looked through when the next child is started.
//!
//! # Invariants
//! - **Unlent**: a child is dropped, which may reach into a loop, after the list is released.
//!
//! # Cost
//! A task for each child that was let go in a loop. A start asks the system once for each one in
//! the list.
//!
//! # Not here
//! What ends such a child: whoever let it go, if anybody.

use std::future::poll_fn;
use std::mem;
use std::panic::Location;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::watched::Watched;
use crate::kernel::Kernel;
use crate::rt::Arc;
use crate::task::Flags;

/// The list.
static LEFT: Mutex<Vec<Arc<Watched>>> = Mutex::new(Vec::new());

/// A child that was let go. If this is dropped before its end, it goes into the list.
struct Orphan(Arc<Watched>);

impl Orphan {
    async fn reap(self) {
        let mut end = self.0.wait();
        // An error: somebody else has reaped it, or it waited on another loop before.
        let _ = poll_fn(|cx| end.poll(cx)).await;
    }
}

impl Drop for Orphan {
    fn drop(&mut self) {
        if matches!(self.0.try_wait(), Ok(None)) {
            leave(Arc::clone(&self.0));
        }
    }
}

/// Takes a child over that is let go.
pub(super) fn adopt(child: Arc<Watched>) {
    if !matches!(child.try_wait(), Ok(None)) {
        return;
    }
    let (orphan, at) = (Orphan(child), Location::caller());
    let flags = Flags::NEW.with(Flags::CALLBACK);
    // Without a loop the closure, and the orphan in it, is dropped.
    Kernel::with(move |kernel| drop(kernel.spawn(orphan.reap(), at, flags)));
}

/// Puts a child into the list.
pub(super) fn leave(child: Arc<Watched>) {
    list().push(child);
}

/// Reaps those in the list that have ended.
pub(super) fn reap_ended() {
    let left = mem::take(&mut *list());
    let running = |child: &Arc<Watched>| matches!(child.try_wait(), Ok(None));
    let still: Vec<_> = left.into_iter().filter(running).collect();
    list().extend(still);
}

fn list() -> MutexGuard<'static, Vec<Arc<Watched>>> {
    LEFT.lock().unwrap_or_else(PoisonError::into_inner)
}
