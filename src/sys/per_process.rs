//! [`PerProcess`]: what a static holds, made anew by each process.
//!
//! In a forked child the threads of the parent are gone, and a lock may be held for ever. So what
//! has threads or locks is not the child's to use: it makes its own, and leaves the other alone.
//!
//! # Invariants
//! - **Kept**: the pointer is null, or of a box that is never freed.
//!
//! # Cost
//! A look is two loads. A value stays in memory for ever: one for each process of a line of forks.
//!
//! # Not here
//! How forks are counted: `process`.

use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};

use super::fork_count;

/// See the module.
pub(crate) struct PerProcess<T>(AtomicPtr<Made<T>>);

struct Made<T> {
    process: u32,
    value: T,
}

impl<T: Send + Sync> PerProcess<T> {
    pub(crate) const fn new() -> PerProcess<T> {
        PerProcess(AtomicPtr::new(ptr::null_mut()))
    }

    /// This process's value, made at its first call. If two threads are the first, both make one,
    /// and one of the two is dropped.
    pub(crate) fn get(&'static self, make: impl FnOnce() -> T) -> &'static T {
        let found = self.0.load(Ordering::Acquire);
        // SAFETY: null or alive for ever, by Kept.
        if let Some(made) = unsafe { found.as_ref() }
            && made.process == fork_count()
        {
            return &made.value;
        }
        let value = make(); // before the count is read: it may begin to count
        let process = fork_count();
        let new = Box::into_raw(Box::new(Made { process, value }));
        let stored = self
            .0
            .compare_exchange(found, new, Ordering::AcqRel, Ordering::Acquire);
        let winner = match stored {
            Ok(_) => new,
            Err(other) => {
                // SAFETY: made above, and given to nobody.
                drop(unsafe { Box::from_raw(new) });
                other
            }
        };
        // SAFETY: alive for ever, by Kept; not null, since somebody stored it.
        let winner = unsafe { &*winner };
        &winner.value
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Barrier;
    use std::sync::atomic::AtomicU32;
    use std::thread;

    #[test]
    fn all_threads_of_a_process_get_the_same_value() {
        static VALUE: PerProcess<u32> = PerProcess::new();
        static MADE: AtomicU32 = AtomicU32::new(0);
        let together = Barrier::new(4);
        let get = || {
            together.wait();
            VALUE.get(|| MADE.fetch_add(1, Ordering::Relaxed))
        };
        let values = thread::scope(|scope| {
            let threads = [(); 4].map(|()| scope.spawn(get));
            threads.map(|thread| thread.join().unwrap())
        });
        assert!(values.iter().all(|value| ptr::eq(*value, values[0])));
        assert!(ptr::eq(VALUE.get(|| unreachable!("it is made")), values[0]));
    }
}
