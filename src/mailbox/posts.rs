//! Closures that other threads send to a loop.
//!
//! Callbacks from other threads, sockets dropped elsewhere and results of worker threads must
//! all arrive exactly once, which a wake bit cannot promise. They go through a mutex, which
//! also decides the question that bits leave open: whether the loop they are meant for is
//! still the one that owns this table entry.
//!
//! # Invariants
//! - **Owned**: the entry belongs to a loop exactly while `owner` is `Some`; `open` and `close`
//!   are the only changes. The mutex thus also orders all that one owner did to the entry
//!   before all that the next one does.
//! - **Never again**: `open` gives out a number this entry has not given out before.
//! - **Exactly once**: a closure is queued only under its own loop's number, and leaves the
//!   queue by `take` (to be run) or by `close` (handed back). Otherwise the caller of `push`
//!   has it back. No closure reaches another loop, and none stays behind.
//! - **Nobody's code inside**: no closure is called or dropped under the mutex. A closure that
//!   posts, or whose captures post when they are dropped, does not deadlock.
//!
//! # Cost
//! `push` and `take`: one uncontended lock (two locked instructions); the queue's own growth.
//!
//! # Not here
//! Telling the loop that something came: the caller of `push` notifies the flag afterwards.
//! A bound on the queue: a sender is a thread and must not block, and refusing would lose data.

use std::mem;

use super::LoopId;
use crate::rt::{Mutex, lock};

/// What other threads send: it runs on the loop's thread, while that loop is current.
pub(crate) type Post = Box<dyn FnOnce() + Send>;

/// See the module's header.
pub(super) struct Posts(Mutex<State>);

struct State {
    owner: Option<LoopId>,
    owners_so_far: u64,
    queue: Vec<Post>,
}

impl Posts {
    /// Without an owner.
    pub(super) fn new() -> Posts {
        Posts(Mutex::new(State {
            owner: None,
            owners_so_far: 0,
            queue: Vec::new(),
        }))
    }

    /// Makes a new loop the owner, unless there is one. `index` is the entry's place in the
    /// table.
    pub(super) fn open(&self, index: u16) -> Option<LoopId> {
        let mut state = lock(&self.0);
        if state.owner.is_some() {
            return None;
        }
        state.owners_so_far += 1;
        state.owner = Some(LoopId::new(state.owners_so_far, index));
        state.owner
    }

    /// Ends the ownership of `id` and hands back what was never taken. Empty if `id` is not
    /// the owner.
    pub(super) fn close(&self, id: LoopId) -> Vec<Post> {
        let mut state = lock(&self.0);
        if state.owner != Some(id) {
            return Vec::new();
        }
        state.owner = None;
        mem::take(&mut state.queue)
    }

    /// Queues `post` for `id`, or gives it back if `id` is not the owner.
    pub(super) fn push(&self, id: LoopId, post: Post) -> Result<(), Post> {
        let mut state = lock(&self.0);
        if state.owner != Some(id) {
            return Err(post);
        }
        state.queue.push(post);
        Ok(())
    }

    /// The owner: takes what is queued, oldest first.
    pub(super) fn take(&self) -> Vec<Post> {
        mem::take(&mut lock(&self.0).queue)
    }

    /// Keeps the mutex, as a thread does that is suspended inside `push`.
    #[cfg(all(test, not(petla_loom)))]
    pub(super) fn hold(&self) -> impl Sized + '_ {
        lock(&self.0)
    }
}

#[cfg(all(test, not(petla_loom)))]
mod tests {
    use std::sync::{Arc, Mutex as StdMutex};

    use super::*;

    type Log = Arc<StdMutex<Vec<u32>>>;

    /// A post that writes `number` when it runs.
    fn note(log: &Log, number: u32) -> Post {
        let log = log.clone();
        Box::new(move || log.lock().unwrap().push(number))
    }

    fn run(posts: Vec<Post>) {
        posts.into_iter().for_each(|post| post());
    }

    #[test]
    fn posts_are_taken_once_in_the_order_they_came() {
        let (posts, log) = (Posts::new(), Log::default());
        let id = posts.open(0).unwrap();
        for number in 1..=3 {
            assert!(posts.push(id, note(&log, number)).is_ok());
        }
        run(posts.take());
        assert_eq!(*log.lock().unwrap(), [1, 2, 3]);
        assert!(posts.take().is_empty());
    }

    #[test]
    fn closing_hands_back_what_was_never_run_and_refuses_what_comes_later() {
        let (posts, log) = (Posts::new(), Log::default());
        let id = posts.open(0).unwrap();
        assert!(posts.push(id, note(&log, 1)).is_ok());
        let left = posts.close(id);
        assert_eq!(left.len(), 1);
        let refused = posts.push(id, note(&log, 2)).unwrap_err();
        assert!(
            log.lock().unwrap().is_empty(),
            "nothing ran behind our back"
        );
        run(left);
        refused();
        assert_eq!(*log.lock().unwrap(), [1, 2]);
        assert!(posts.close(id).is_empty(), "closing again does nothing");
    }

    #[test]
    fn a_post_for_an_earlier_owner_never_reaches_the_next_one() {
        let posts = Posts::new();
        let earlier = posts.open(5).unwrap();
        assert!(posts.open(5).is_none(), "one owner at a time");
        posts.close(earlier);
        let next = posts.open(5).unwrap();
        assert_ne!(earlier, next);
        assert!(posts.push(earlier, Box::new(|| ())).is_err());
        assert!(
            posts.close(earlier).is_empty(),
            "and cannot close it either"
        );
        assert!(posts.push(next, Box::new(|| ())).is_ok());
        assert_eq!(posts.take().len(), 1);
    }
}
