//! The pool that the whole process shares, and the limits on it.
//!
//! # Fork
//! Each process has its own: in a child the threads are gone, and a lock may be held for ever.
//!
//! # Not here
//! How a pool works: `pool`.
#![forbid(unsafe_code)]

use super::pool::Pool;
use crate::kernel;
use crate::rt::Arc;
use crate::sync::CapacityLimiter;
use crate::sys::per_process::PerProcess;

/// How many `to_thread` run at once: as in trio and anyio. They are meant to wait, not to compute;
/// so it is not the number of processors.
const DEFAULT_LIMIT: usize = 40;

/// How many host names are looked up at once. More would only queue at the name server; fewer, and
/// some that nobody answers for, a thread 10 seconds and more each, would keep the rest waiting.
const LOOKUP_LIMIT: usize = 16;

static SHARED: PerProcess<Shared> = PerProcess::new();

/// What one process has.
pub(super) struct Shared {
    pub(super) pool: Arc<Pool>,
    lookups: CapacityLimiter,
}

/// The limiter of every [`to_thread`](crate::to_thread) that was not given another: 40 at once.
///
/// It may be read and changed while work runs. What waits for it is let in as soon as it is
/// raised; lowered, it interrupts nothing. A forked child has its own.
///
/// # asyncio
/// The `max_workers` of the default executor, `min(32, processors + 4)`, which cannot be changed.
/// trio and anyio: `to_thread.current_default_thread_limiter`.
///
/// ```
/// use petla::{threads, to_thread};
///
/// petla::run(async {
///     threads::default_limiter().set_total(100);
///     assert!(to_thread(|| threads::default_limiter().borrowed()).await.unwrap() >= 1);
/// });
/// ```
#[doc(alias("current_default_thread_limiter", "max_blocking_threads"))]
pub fn default_limiter() -> &'static CapacityLimiter {
    &shared().pool.limiter
}

/// The limiter of lookups of host names, which run on the same threads and beside that limit.
pub(crate) fn lookup_limiter() -> &'static CapacityLimiter {
    &shared().lookups
}

/// This process's, made at the first call.
pub(super) fn shared() -> &'static Shared {
    SHARED.get(|| {
        // If forks cannot be counted, children are as helpless as those of other libraries.
        let _ = kernel::watch_forks();
        Shared {
            pool: Arc::new(Pool::new(DEFAULT_LIMIT, "petla-worker")),
            lookups: CapacityLimiter::new(LOOKUP_LIMIT),
        }
    })
}
