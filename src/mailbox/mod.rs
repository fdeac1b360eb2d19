//! The mailbox: how other threads reach a loop.
//!
//! A loop and its tasks live on one thread and share nothing with others but this. Wakers may
//! be used on any thread, and some things have to be sent to a loop from outside. Both arrive
//! here, in two channels, as they need different promises:
//!
//! - *Wakes* ([`Mailbox::wake`]) may be merged, come late or be in vain, but must never wait,
//!   allocate or fail: one bit a task slot (`wakes`).
//! - *Posts* ([`post`]) must run exactly once or come back: closures in a mutexed queue that
//!   knows which loop it belongs to (`posts`).
//!
//! After either, the sender notifies the `flag`, and rings the `bell` if the loop sleeps.
//! Entries live in the static `table`, are lent to one loop after another, and never go away
//! (`published`). The owner's turn, with each line in its place:
//!
//! ```text
//!   busy:  if is_notified()  { open(); drain_wakes(..); take_posts() }
//!   idle:  if try_sleep()    { wait in epoll }
//!          open(); drain_wakes(..); take_posts()
//! ```
//!
//! # Invariants
//! - **Put, then notify**: a sender puts its bit or closure in place and then swaps the flag,
//!   each time; it neither skips a step that looks done nor does one with a plain load or store.
//! - **Open, then drain**: the owner swaps the flag to AWAKE before it looks into either channel.
//!   The other way round, what comes between the look and the swap is forgotten.
//! - **Own process**: after a fork the child shares the parent's eventfd, and the mutex may be
//!   held for ever. In a child every call on an inherited entry that could ring or lock does
//!   nothing, or gives back what it was given.
//! - **Stale is spurious**: a waker of a loop that is gone may wake a slot of the entry's next
//!   loop. It touches nothing else: bits, flag and eventfd all belong to the entry.
//!
//! # Cost
//! A remote wake or post of a busy loop is three locked instructions and a queue's push, and
//! one `write` more for the first that finds the loop asleep. A busy loop's look is a load.
//!
//! # Not here
//! Wakes on the loop's own thread, which take no part in this; the order of remote wakes.
//! `models` holds the proofs, and what each of them catches.

use std::{
    io,
    os::fd::{AsRawFd, RawFd},
};

mod bell;
mod flag;
mod posts;
mod published;
mod table;
mod wakes;

#[cfg(all(test, petla_loom))]
mod models;

pub(crate) use posts::Post;
pub(crate) use table::{LOOPS_MAX, LoopId, claim, lookup, post, release};

use crate::sys;
use bell::Bell;
use flag::Flag;
use posts::Posts;
use wakes::Wakes;

/// One entry of the loop table; see the module's header.
#[repr(C, align(64))] // a wake touches the first cache line, and one line of bits
pub(crate) struct Mailbox {
    flag: Flag,
    /// `sys::fork_count` of the process that made the entry and that alone may use it.
    process: u32,
    wakes: Wakes,
    posts: Posts,
    bell: Bell,
}

impl Mailbox {
    /// An entry that belongs to no loop.
    fn new() -> io::Result<Mailbox> {
        let bell = Bell::new()?;
        let process = sys::fork_count();
        Ok(Mailbox {
            flag: Flag::new(),
            wakes: Wakes::new(),
            posts: Posts::new(),
            bell,
            process,
        })
    }

    /// Any thread: wakes `slot` of the loop that has the entry. Never blocks or allocates. A
    /// slot that was never handed out is ignored.
    #[inline]
    pub(crate) fn wake(&self, slot: u32) {
        if !self.is_inherited() && self.wakes.set(slot) {
            self.notify();
        }
    }

    /// Any thread: queues a closure for loop `id`, or gives it back.
    fn post(&self, id: LoopId, post: Post) -> Result<(), Post> {
        if self.is_inherited() {
            return Err(post);
        }
        self.posts.push(id, post)?;
        self.notify();
        Ok(())
    }

    /// Any thread, and signal handlers: has the loop look, also at what was put elsewhere. Not
    /// on an inherited entry.
    ///
    /// Async-signal-safe, as are `lookup` and `is_inherited`: a few atomics, and for a loop that
    /// sleeps a `write`, which may change `errno`. No lock, no memory, no thread-local.
    #[inline]
    pub(crate) fn notify(&self) {
        if self.flag.notify() {
            self.bell.ring();
        }
    }

    /// Whether the entry is a forked parent's: nothing here reaches that loop.
    #[inline]
    pub(crate) fn is_inherited(&self) -> bool {
        self.process != sys::fork_count()
    }

    /// Gives the entry, which is number `index`, to a new loop unless it has one.
    fn claim(&self, index: u16) -> Option<LoopId> {
        if self.is_inherited() {
            return None;
        }
        let id = self.posts.open(index)?;
        self.flag.open();
        self.wakes.clear();
        Some(id)
    }

    /// Takes the entry away from `id`; returns the posts that never ran.
    fn release(&self, id: LoopId) -> Vec<Post> {
        if self.is_inherited() {
            return Vec::new();
        }
        self.posts.close(id)
    }
}

/// The owner's side.
impl Mailbox {
    /// Makes room for wakes of the slots below `slots`, before they are handed out.
    ///
    /// # Panics
    /// If `slots` is more than 2^26, as many as a waker can name.
    pub(crate) fn grow(&self, slots: u32) {
        self.wakes.grow(slots);
    }

    /// Whether something came since the last [`open`](Mailbox::open): a busy loop's look.
    #[inline]
    pub(crate) fn is_notified(&self) -> bool {
        self.flag.is_notified()
    }

    /// Before draining, each time: marks the loop awake. True if something came; if not,
    /// there is nothing to drain that its sender will not announce.
    #[inline]
    pub(crate) fn open(&self) -> bool {
        self.flag.open()
    }

    /// Calls `wake` for each slot that other threads woke, in no particular order. `wake` must
    /// not panic, or the slots it has not seen are lost.
    pub(crate) fn drain_wakes(&self, wake: impl FnMut(u32)) {
        self.wakes.drain(wake);
    }

    /// The posts that came, oldest first; each has to be run.
    pub(crate) fn take_posts(&self) -> Vec<Post> {
        if self.is_inherited() {
            return Vec::new();
        }
        self.posts.take()
    }

    /// Before waiting: marks the loop asleep, so that senders ring. False if something came
    /// since the last [`open`](Mailbox::open): drain, do not wait.
    #[inline]
    pub(crate) fn try_sleep(&self) -> bool {
        self.flag.try_sleep()
    }

    /// What ends a wait: register it with `EPOLLIN | EPOLLET`, never read it, never close it.
    pub(crate) fn eventfd(&self) -> RawFd {
        self.bell.as_raw_fd()
    }
}

#[cfg(all(test, not(petla_loom)))]
mod tests {
    use std::{
        sync::{
            Arc,
            atomic::{AtomicU32, Ordering::Relaxed},
            mpsc,
        },
        thread,
        time::Duration,
    };

    use super::*;
    use crate::sys::epoll::{Epoll, Events};

    /// Longer than any wake takes; only a wake that is lost waits so long.
    const LOST: Duration = Duration::from_secs(20);

    /// An entry lent to a loop of `slots` slots, and that loop's epoll.
    fn open_mailbox(slots: u32) -> (Mailbox, LoopId, Epoll) {
        let mailbox = Mailbox::new().unwrap();
        let id = mailbox.claim(0).unwrap();
        mailbox.grow(slots);
        let epoll = Epoll::new().unwrap();
        epoll.add_bell(mailbox.eventfd(), 0).unwrap();
        (mailbox, id, epoll)
    }

    /// Whether the bell rang since the last wait.
    fn rang(epoll: &Epoll, limit: Duration) -> bool {
        let mut events = Events::new();
        epoll
            .wait(&mut events, Some(limit.as_nanos() as u64))
            .unwrap();
        events.len() > 0
    }

    fn drained(mailbox: &Mailbox) -> Vec<u32> {
        let mut slots = Vec::new();
        mailbox.drain_wakes(|slot| slots.push(slot));
        slots
    }

    #[test]
    fn one_sleep_costs_one_ring_and_a_loop_that_is_awake_none() {
        let (mailbox, id, epoll) = open_mailbox(2);
        mailbox.wake(0);
        assert!(
            mailbox.is_notified() && !rang(&epoll, Duration::ZERO),
            "awake"
        );
        assert!(!mailbox.try_sleep(), "something came");
        assert!(mailbox.open());
        assert_eq!(drained(&mailbox), [0]);

        assert!(mailbox.try_sleep());
        mailbox.wake(1);
        assert!(rang(&epoll, Duration::ZERO), "asleep");
        mailbox.wake(1);
        assert!(mailbox.post(id, Box::new(|| ())).is_ok());
        assert!(!rang(&epoll, Duration::ZERO), "rung for already");
        assert!(mailbox.open());
        assert_eq!(drained(&mailbox), [1]);
        assert_eq!(mailbox.take_posts().len(), 1);
        assert!(mailbox.try_sleep(), "nothing is left");
    }

    #[test]
    fn a_wake_of_a_slot_that_never_existed_lets_the_loop_sleep() {
        let (mailbox, _, epoll) = open_mailbox(1);
        assert!(mailbox.try_sleep());
        mailbox.wake(u32::MAX);
        assert!(!rang(&epoll, Duration::ZERO));
        assert!(!mailbox.open());
    }

    #[test]
    fn a_new_loop_finds_no_marks_or_posts_of_the_loop_before() {
        let (mailbox, gone, _epoll) = open_mailbox(1_000);
        mailbox.wake(999);
        assert!(mailbox.post(gone, Box::new(|| ())).is_ok());
        assert_eq!(mailbox.release(gone).len(), 1);
        mailbox.wake(0); // by a stale waker
        assert!(mailbox.claim(0).is_some());
        assert!(mailbox.try_sleep(), "nothing came for this loop");
        assert!(drained(&mailbox).is_empty());
        assert!(mailbox.take_posts().is_empty());
    }

    /// What an entry does in a forked child, where another thread's lock is never released.
    #[test]
    fn an_inherited_entry_is_neither_rung_nor_locked_nor_lent() {
        let (mut mailbox, id, epoll) = open_mailbox(1);
        assert!(mailbox.try_sleep());
        mailbox.process = mailbox.process.wrapping_add(1); // as if an ancestor had made it
        let mailbox = Arc::new(mailbox);
        let _held = mailbox.posts.hold();
        let (report, answer) = mpsc::channel();
        let inherited = mailbox.clone();
        thread::spawn(move || {
            inherited.wake(0);
            let refused = inherited.post(id, Box::new(|| ())).is_err();
            let taken = inherited.take_posts().len() + inherited.release(id).len();
            report.send((refused, taken, inherited.claim(0))).unwrap();
        });
        let answer = answer
            .recv_timeout(LOST)
            .expect("no call waits for the lock");
        assert_eq!(answer, (true, 0, None));
        assert!(!rang(&epoll, Duration::ZERO), "the parent's bell is silent");
        assert!(drained(&mailbox).is_empty());
    }

    /// What loom cannot have: the eventfd, a real epoll, and some thousand wakes.
    #[test]
    fn wakes_and_posts_of_four_threads_all_reach_a_loop_that_sleeps_in_epoll() {
        const ROUNDS: u32 = 3_000;
        let (mailbox, id, epoll) = open_mailbox(2_000);
        let counters = [const { AtomicU32::new(0) }; 4];
        thread::scope(|scope| {
            for (number, counter) in (0..).zip(&counters) {
                let mailbox = &mailbox;
                scope.spawn(move || {
                    for _ in 0..ROUNDS {
                        counter.fetch_add(1, Relaxed);
                        mailbox.wake(number * 600);
                        assert!(mailbox.post(id, Box::new(|| ())).is_ok());
                    }
                });
            }
            let (mut seen, mut posts) = ([0; 4], 0);
            while seen != [ROUNDS; 4] || posts != 4 * ROUNDS {
                assert!(
                    !mailbox.try_sleep() || rang(&epoll, LOST),
                    "a wake was lost"
                );
                if mailbox.open() {
                    mailbox.drain_wakes(|slot| {
                        let number = slot as usize / 600;
                        seen[number] = counters[number].load(Relaxed);
                    });
                    posts += mailbox.take_posts().into_iter().map(|post| post()).count() as u32;
                }
            }
        });
        assert!(mailbox.release(id).is_empty());
    }
}
