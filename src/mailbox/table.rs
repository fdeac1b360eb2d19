//! The static table of all loops of the process.
//!
//! A waker is two integers and may outlive its loop, so it cannot hold a pointer or a counted
//! reference to it. It holds an index into this table, whose entries exist as long as the
//! process and are lent to one loop after another.
//!
//! Whoever owns something *in* a loop (a socket, a timer, a post) must not reach the next loop
//! in the same entry. It carries the whole [`LoopId`], which is never given out twice, and
//! which the entry compares under its mutex.
//!
//! # Invariants
//! - **Dense**: entries are created in the order of their indices and stay; the first empty
//!   place ends the table.
//! - **One owner**: an entry is taken and freed under the mutex of its `posts`, and nowhere
//!   else.
//! - **Own process**: an entry made before a fork is never lent to a loop of the child: its
//!   bell is shared with the parent, and its mutex may have been held by a thread that the
//!   child does not have. The table has no mutex of its own for the same reason. Whoever
//!   claims has started the count of forks before (`sys::process::watch_forks`).
//!
//! # Cost
//! `lookup`: one acquire load. `claim`: one lock for each living loop, and an eventfd if it has
//! to make an entry. Memory: 32 KiB of zero pages, and an entry with its descriptor for as many
//! loops as were ever alive at once.
//!
//! # Not here
//! What an entry is and does: the parent module.

use std::io;

use super::{Mailbox, Post, published::Published};

/// The loops that can be alive at once: what the 12 bits in a waker can name. Models have two.
pub(crate) const LOOPS_MAX: usize = if cfg!(all(test, petla_loom)) {
    2
} else {
    1 << INDEX_BITS
};

const INDEX_BITS: u32 = 12;

/// Which loop, for ever: no two loops of a process share one, and none has 0.
///
/// The low 12 bits are the loop's place in the table, the rest counts its owners.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub(crate) struct LoopId(u64);

impl LoopId {
    /// The `owner`-th owner, counted from 1, of entry `index`.
    pub(super) fn new(owner: u64, index: u16) -> LoopId {
        debug_assert!(owner > 0 && owner >> (u64::BITS - INDEX_BITS) == 0);
        debug_assert!(index >> INDEX_BITS == 0);
        LoopId((owner << INDEX_BITS) | u64::from(index))
    }

    /// The loop's place in the table, which other loops have had and will have.
    #[inline]
    pub(crate) fn index(self) -> u16 {
        (self.0 & ((1 << INDEX_BITS) - 1)) as u16
    }

    /// The number itself, to be kept in an atomic or a packed key.
    #[inline]
    pub(crate) fn to_bits(self) -> u64 {
        self.0
    }

    /// The loop that `to_bits` was called on; 0 makes the id of no loop.
    #[inline]
    pub(crate) fn from_bits(bits: u64) -> LoopId {
        LoopId(bits)
    }
}

#[cfg(not(all(test, petla_loom)))]
static TABLE: Table<LOOPS_MAX> = Table::new();

#[cfg(all(test, petla_loom))]
loom::lazy_static! {
    static ref TABLE: Table<LOOPS_MAX> = Table::new();
}

/// Lends a new loop an entry: its posts open, its flag AWAKE, without marks of earlier loops.
///
/// # Errors
/// When 4,096 loops are alive, or when the process has no descriptor left.
pub(crate) fn claim() -> io::Result<(&'static Mailbox, LoopId)> {
    TABLE.claim()
}

/// Ends a loop: from now on posts to it are refused and its entry can be lent again. The caller
/// must be done with the entry.
///
/// Returns the posts that never ran; run or drop them without holding a lock. A second call
/// for the same loop, and a call by a forked child of the process that claimed it, do nothing.
pub(crate) fn release(id: LoopId) -> Vec<Post> {
    TABLE.release(id)
}

/// The entry a waker names: the mailbox of whichever loop has it now.
#[inline]
pub(crate) fn lookup(index: u16) -> Option<&'static Mailbox> {
    TABLE.lookup(index)
}

/// Sends `post` to a loop, from any thread.
///
/// # Errors
/// The closure itself, if that loop is closed or belongs to the process we were forked from.
pub(crate) fn post(id: LoopId, post: Post) -> Result<(), Post> {
    TABLE.post(id, post)
}

/// See the module's header. Tests and models have tables of their own.
pub(super) struct Table<const N: usize> {
    entries: [Published<Mailbox>; N],
}

impl<const N: usize> Table<N> {
    #[cfg(not(all(test, petla_loom)))]
    pub(super) const fn new() -> Self {
        Table {
            entries: [const { Published::new() }; N],
        }
    }

    #[cfg(all(test, petla_loom))]
    pub(super) fn new() -> Self {
        Table {
            entries: std::array::from_fn(|_| Published::new()),
        }
    }

    pub(super) fn claim(&self) -> io::Result<(&Mailbox, LoopId)> {
        for (index, place) in (0..).zip(&self.entries) {
            let claimed = match place.get() {
                Some(mailbox) => mailbox.claim(index).map(|id| (mailbox, id)),
                None => create(place, index)?,
            };
            if let Some(claimed) = claimed {
                return Ok(claimed);
            }
        }
        Err(io::Error::other(format!(
            "{N} event loops are alive, as many as a process can have: close one first"
        )))
    }

    pub(super) fn release(&self, id: LoopId) -> Vec<Post> {
        self.lookup(id.index())
            .map_or_else(Vec::new, |mailbox| mailbox.release(id))
    }

    #[inline]
    pub(super) fn lookup(&self, index: u16) -> Option<&Mailbox> {
        self.entries.get(usize::from(index))?.get()
    }

    pub(super) fn post(&self, id: LoopId, post: Post) -> Result<(), Post> {
        match self.lookup(id.index()) {
            Some(mailbox) => mailbox.post(id, post),
            None => Err(post),
        }
    }
}

/// Fills an empty place with a claimed entry; `None` if another thread filled it first.
fn create(place: &Published<Mailbox>, index: u16) -> io::Result<Option<(&Mailbox, LoopId)>> {
    let mailbox = Box::new(Mailbox::new()?);
    let id = mailbox.claim(index);
    Ok(place.publish(mailbox).ok().zip(id))
}

#[cfg(all(test, not(petla_loom)))]
mod tests {
    use std::{collections::HashSet, ptr, sync::Arc, thread};

    use super::*;

    #[test]
    fn an_id_names_its_entry_and_survives_the_trip_through_bits() {
        let id = LoopId::new(1, 4095);
        assert_eq!(id.index(), 4095);
        assert_eq!(LoopId::from_bits(id.to_bits()), id);
        assert_ne!(LoopId::new(2, 4095), id);
        let last = LoopId::new((1 << 52) - 1, 0);
        assert_eq!(last.index(), 0, "the owner's number leaves the index alone");
        assert_ne!(LoopId::new(1, 0), LoopId::from_bits(0), "0 is nobody");
    }

    #[test]
    fn a_released_entry_is_lent_again_under_a_new_id() {
        let table = Table::<2>::new();
        let (first, first_id) = table.claim().unwrap();
        let eventfd = first.eventfd();
        assert!(table.release(first_id).is_empty());
        let (second, second_id) = table.claim().unwrap();
        assert!(ptr::eq(first, second));
        assert_eq!(second.eventfd(), eventfd, "the bell stays");
        assert_ne!(first_id, second_id);
        assert_eq!(first_id.index(), second_id.index());
        assert!(
            table.release(first_id).is_empty(),
            "a second release is ignored:"
        );
        assert!(
            table.post(second_id, Box::new(|| ())).is_ok(),
            "the new loop lives on"
        );
    }

    #[test]
    fn a_full_table_is_an_error_until_a_loop_ends() {
        let table = Table::<2>::new();
        let ids = [table.claim().unwrap().1, table.claim().unwrap().1];
        let error = table.claim().err().unwrap();
        assert!(
            error.to_string().starts_with("2 event loops are alive"),
            "{error}"
        );
        table.release(ids[0]);
        assert_eq!(table.claim().unwrap().1.index(), ids[0].index());
    }

    #[test]
    fn a_post_reaches_its_loop_or_comes_back() {
        let table = Table::<2>::new();
        let (mailbox, id) = table.claim().unwrap();
        assert!(table.post(id, Box::new(|| ())).is_ok());
        assert!(mailbox.is_notified());
        assert_eq!(table.release(id).len(), 1, "never run, so handed back");
        assert!(table.post(id, Box::new(|| ())).is_err(), "closed");
        assert!(
            table.post(LoopId::new(1, 1), Box::new(|| ())).is_err(),
            "never opened"
        );
        assert!(
            table.post(LoopId::new(1, 9), Box::new(|| ())).is_err(),
            "no such place"
        );
    }

    /// Posts to a loop again when it is dropped.
    struct Echo(Arc<Table<1>>, LoopId);

    impl Drop for Echo {
        fn drop(&mut self) {
            let _ = self.0.post(self.1, Box::new(|| ()));
        }
    }

    #[test]
    fn a_closure_that_posts_when_it_is_dropped_meets_no_lock() {
        let table = Arc::new(Table::<1>::new());
        let (mailbox, id) = table.claim().unwrap();
        let echo = Echo(table.clone(), id);
        assert!(table.post(id, Box::new(move || drop(echo))).is_ok());
        drop(mailbox.take_posts()); // without running it
        assert_eq!(mailbox.take_posts().len(), 1, "the echo");
        table.release(id);
        let echo = Echo(table.clone(), id);
        drop(table.post(id, Box::new(move || drop(echo)))); // refused, as is the echo
    }

    #[test]
    fn loops_that_begin_on_many_threads_share_no_entry() {
        let table = Table::<16>::new();
        let ids: HashSet<LoopId> = thread::scope(|scope| {
            let claim = || [(); 4].map(|()| table.claim().unwrap().1);
            let threads = [(); 4].map(|()| scope.spawn(claim));
            threads
                .into_iter()
                .flat_map(|thread| thread.join().unwrap())
                .collect()
        });
        let places: HashSet<u16> = ids.iter().map(|id| id.index()).collect();
        assert_eq!(places, (0..16).collect());
        assert!(table.claim().is_err());
    }

    #[test]
    fn the_static_table_finds_a_loop_by_its_index_and_by_its_id() {
        let (mailbox, id) = claim().unwrap();
        assert!(ptr::eq(lookup(id.index()).unwrap(), mailbox));
        assert!(
            lookup(LOOPS_MAX as u16).is_none(),
            "more than a waker can name"
        );
        assert!(post(id, Box::new(|| ())).is_ok());
        assert_eq!(release(id).len(), 1);
        assert!(post(id, Box::new(|| ())).is_err());
    }
}
