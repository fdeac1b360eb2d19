//! Which processor cores a thread may run on.
//!
//! # Invariants
//! - **Mask**: the kernel reads and writes a mask of at most its own size, 8,192 cores, and is told
//!   the length of ours, which has room for as many.
//!
//! # Not here
//! Memory near a core, priorities. Threads that are started later inherit the cores of the one that
//! starts them.

use std::io;

use super::{check, faults};

/// As many as Linux can be built for.
const CORES_MAX: usize = 8192;
const BITS: usize = u64::BITS as usize;

type Mask = [u64; CORES_MAX / BITS];

/// The cores that this thread may run on, by their numbers.
pub(crate) fn cores() -> io::Result<Vec<usize>> {
    faults::at("sched_getaffinity")?;
    let mut mask: Mask = [0; CORES_MAX / BITS];
    // SAFETY: Lent and Mask; 0 is the calling thread.
    check(unsafe { libc::sched_getaffinity(0, size_of::<Mask>(), mask.as_mut_ptr().cast()) })?;
    let is_set = |core: &usize| mask[core / BITS] & (1 << (core % BITS)) != 0;
    Ok((0..CORES_MAX).filter(is_set).collect())
}

/// Lets this thread run on one core only.
pub(crate) fn pin(core: usize) -> io::Result<()> {
    faults::at("sched_setaffinity")?;
    let mut mask: Mask = [0; CORES_MAX / BITS];
    if let Some(word) = mask.get_mut(core / BITS) {
        *word = 1 << (core % BITS);
    }
    // SAFETY: Lent and Mask; 0 is the calling thread.
    check(unsafe { libc::sched_setaffinity(0, size_of::<Mask>(), mask.as_ptr().cast()) }).map(drop)
}

#[cfg(test)]
mod tests {
    use super::{CORES_MAX, cores, pin};
    use std::thread;

    #[test]
    fn a_pinned_thread_has_one_core_and_others_keep_theirs() {
        let all = cores().unwrap();
        assert!(!all.is_empty());
        for &core in &all {
            let pinned = thread::spawn(move || pin(core).and_then(|()| cores()));
            assert_eq!(pinned.join().unwrap().unwrap(), [core]);
        }
        assert_eq!(cores().unwrap(), all);
    }

    #[test]
    fn a_core_that_is_not_there_is_an_error() {
        assert!(pin(CORES_MAX - 1).is_err());
        assert!(pin(CORES_MAX).is_err());
    }
}
