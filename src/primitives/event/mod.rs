//! Events: many wait until somebody says that it happened.
//!
//! What is waited for is news, not a right: it is of use to everybody at once, is used up by
//! nobody, and never lapses.
//!
//! One word says all that the quick paths need: `generation << 2 | SET | WAITERS`. The generation
//! counts the sets, so that a wait, which noted it when it was created,
//! also sees a `set` that a `clear` followed at once.
//!
//! Who waits stands in `WAIT`. A `set` moves that whole line to `WOKEN` in one step, and notifies
//! this one in batches, between which the lock is free. Who gets in line meanwhile, because a
//! woken task cleared the event already, is in `WAIT`, and so is not woken by a set that was
//! before its time.
//!
//! # Invariants
//! - **Waiters**: when the list's lock is released, WAITERS is set exactly if somebody is in
//!   `WAIT`. While it is set, the word is changed under the lock only.
//! - **Told**: SET and WAITERS are never set together, as nobody gets in line while it is set.
//! - **Seen**: a `set` always writes the word, though it may find it set already; a `clear`
//!   reads what it, or another that was faster, undoes. So whoever clears the event and then looks
//!   for work finds the work of every `set` that came before the `clear`, and is woken by one that
//!   comes after it. With a mere load in `set`, both sides could look past each other.
//!
//! # Cost
//! `set` while nobody waits, and `clear`: one compare-and-swap, in `local` a store. A wait on a
//! set event: two loads. A wait that suspends: the lock, no allocation.
//!
//! # Not here
//! Values that come with the news: `watch`. One waiter of several: a semaphore.

#[cfg(all(test, petla_loom))]
mod models;
#[cfg(all(test, not(petla_loom)))]
mod tests;
mod wait;

use std::cell::Cell;
use std::fmt::{self, Debug, Formatter};

pub use wait::EventWait;

use super::{Shared, Statistics, blocking};
use crate::rt::{AtomicUsize, Ordering, const_fn};
use crate::wait_list::{Batch, Line, Lines, Local, Mode, Policy, WaitList, Word};

/// Who waits for a set to come.
const WAIT: usize = 0;
/// Who waits for its wake-up, as a set came.
const WOKEN: usize = 1;

/// Somebody is in `WAIT`.
const WAITERS: usize = 0b01;
const SET: usize = 0b10;
/// One generation; those of 62 bits do not come round.
const GENERATION: usize = 0b100;

/// The policy of an event: its word.
#[derive(Debug)]
pub struct News<M: Mode> {
    word: M::Word,
}

impl<M: Mode> News<M> {
    /// The generation now, for a wait that is to see every later one. If it is set now, the one
    /// before: such a wait is over.
    #[inline(always)]
    fn generation(&self) -> usize {
        // Relaxed: nothing is read that the setters wrote.
        let word = self.word.load(Ordering::Relaxed);
        let is_set = (word & SET) / SET;
        (word & !(SET | WAITERS)).wrapping_sub(is_set * GENERATION)
    }

    /// Whether it is set, or was since `generation`.
    #[inline(always)]
    fn happened_since(&self, generation: usize) -> bool {
        // Acquire: what was done before the set happens before what the waiter does next.
        self.word.load(Ordering::Acquire) & !WAITERS != generation
    }

    /// Notes that somebody gets in line, unless it happened; to be called under the lock.
    fn expect(&self, generation: usize) -> bool {
        // Relaxed: nothing is read yet. If it fails, either somebody is in line already, and the
        // word stays as it is, or it happened, which cannot be undone.
        let noted = self
            .word
            .replace(generation, generation | WAITERS, Ordering::Relaxed);
        noted.is_ok() || !self.happened_since(generation)
    }

    /// Writes what `next` makes of the word, for as long as that is something. Whoever does not
    /// hold the lock may change the word only while it does not say WAITERS.
    #[inline(always)]
    fn update(&self, order: Ordering, next: impl Fn(usize) -> Option<usize>) -> bool {
        let mut word = self.word.load(Ordering::Relaxed);
        while let Some(new) = next(word) {
            match self.word.replace(word, new, order) {
                Ok(()) => return true,
                Err(found) => word = found,
            }
        }
        false
    }
}

/// The word after a set, when `WAIT` is empty.
#[inline(always)]
fn after_set(word: usize) -> usize {
    (word & !WAITERS).wrapping_add(GENERATION) | SET
}

impl<M: Mode> Policy<M> for News<M> {
    type State = ();
    type Lines = [Line<M>; 2];

    fn left(&self, (): &mut (), _: usize, _: Option<u32>) {}

    fn pump(&self, (): &mut (), lines: &mut Lines<'_, M>, batch: &mut Batch) {
        while !batch.is_full() && !lines.is_empty(WOKEN) {
            batch.push(lines.notify(WOKEN, 0));
        }
        let word = self.word.load(Ordering::Relaxed);
        if word & WAITERS != 0 && lines.is_empty(WAIT) {
            // Release: who finds a set counted in this sees what was done before it. A store is
            // enough, as nobody else writes now (Waiters).
            self.word.store(word & !WAITERS, Ordering::Release);
        }
    }
}

/// Something that happens, and that any number of tasks can wait for.
///
/// Use it as [`local::Event`](crate::local::Event) or [`sync::Event`](crate::sync::Event).
///
/// What is done before a [`set`](Self::set) happens before whatever is done after a wait that it
/// ended. One who clears the event and then looks for work misses none: what was made before a
/// `set` is either seen, or the `set` comes after the [`clear`](Self::clear).
///
/// # asyncio
/// `Event`. Differs: a [`wait`](Self::wait) counts from the call, not from the first poll.
///
/// # Examples
/// ```
/// use petla::{local::Event, spawn};
/// use std::rc::Rc;
///
/// petla::run(async {
///     let ready = Rc::new(Event::new());
///     let waiter = spawn({
///         let ready = ready.clone();
///         async move { ready.wait().await }
///     });
///     ready.set();
///     waiter.await?;
///     ready.wait().await; // at once: it is still set
///     std::io::Result::Ok(())
/// })
/// .unwrap();
/// ```
#[doc(alias("Notify", "ManualResetEvent"))]
pub struct Event<M: Mode> {
    list: WaitList<News<M>, M>,
}

macro_rules! new {
    ($mode:ty, $word:path) => {
        impl Event<$mode> {
            const_fn! {
                /// An event that is not set.
                ///
                /// # asyncio
                /// `Event()`.
                pub fn new() -> Self {
                    let news = News { word: $word(0) };
                    let lines = [Line::new(), Line::new()];
                    Event {
                        list: WaitList::<News<$mode>, $mode>::in_place(news, (), lines),
                    }
                }
            }
        }

        impl Default for Event<$mode> {
            /// An event that is not set.
            fn default() -> Self {
                Event::<$mode>::new()
            }
        }
    };
}
new!(Local, Cell::new);
new!(Shared, AtomicUsize::new);

impl<M: Mode> Event<M> {
    /// Waits until the event is set; without suspension if it is.
    ///
    /// If the event is set at this call, or [`set`](Self::set) is called later, the wait is over,
    /// even if a [`clear`](Self::clear) follows before the future is first polled, or before the
    /// woken task runs.
    ///
    /// # Cancel safety
    /// **Strict**: nothing is taken by waiting. A new `wait` knows nothing of a set that was
    /// cleared before it was called.
    ///
    /// # asyncio
    /// `Event.wait`; there a set that is cleared before the first poll is missed.
    ///
    /// # Examples
    /// ```
    /// use petla::local::Event;
    ///
    /// petla::run(async {
    ///     let event = Event::new();
    ///     let wait = event.wait();
    ///     event.set();
    ///     event.clear();
    ///     wait.await; // it happened
    ///     assert!(!event.is_set());
    /// });
    /// ```
    #[inline]
    pub fn wait(&self) -> EventWait<'_, M> {
        EventWait::new(self)
    }

    /// Sets the event: wakes all who wait, in the order in which they began to, and lets all who
    /// come go on until it is cleared.
    ///
    /// # asyncio
    /// `Event.set`.
    #[inline]
    pub fn set(&self) {
        // Release: see `happened_since`.
        let alone = self.news().update(Ordering::Release, |word| {
            (word & WAITERS == 0).then(|| after_set(word))
        });
        if !alone {
            self.set_and_wake();
        }
    }

    /// Makes the event not set. Who waits already, and was told of a set, still goes on.
    ///
    /// # asyncio
    /// `Event.clear`.
    #[inline]
    pub fn clear(&self) {
        // Acquire: what was done before a set that this undoes is seen from here on (Seen).
        // No WAITERS, so no lock (Told).
        let undone = self.news().update(Ordering::Acquire, |word| {
            (word & SET != 0).then_some(word & !SET)
        });
        if !undone {
            // Another clear was faster: what that undid is seen as well.
            let _ = self.news().word.load(Ordering::Acquire);
        }
    }

    /// Whether it is set.
    ///
    /// # asyncio
    /// `Event.is_set`.
    #[inline]
    pub fn is_set(&self) -> bool {
        self.news().word.load(Ordering::Acquire) & SET != 0
    }

    /// How many wait. Nobody holds an event, and it has no peak. It walks those who wait.
    pub fn statistics(&self) -> Statistics {
        self.list.with(|(), lines| Statistics {
            waiting: lines.count(WAIT) + lines.count(WOKEN),
            holders: 0,
            peak: 0,
        })
    }

    #[inline(always)]
    fn news(&self) -> &News<M> {
        self.list.policy()
    }

    #[inline(never)]
    fn set_and_wake(&self) {
        self.list.settle(|(), lines| {
            let set = |word| Some(after_set(word));
            self.news().update(Ordering::Release, set);
            lines.move_all(WAIT, WOKEN);
        });
    }
}

impl Event<Shared> {
    /// Waits on a thread that runs no loop, which sleeps until the event is set.
    ///
    /// # Panics
    /// On a thread that runs a loop.
    ///
    /// # asyncio
    /// None; `threading.Event.wait`.
    ///
    /// # Examples
    /// ```
    /// use petla::sync::Event;
    /// use std::thread;
    ///
    /// static READY: Event = Event::new();
    ///
    /// let setter = thread::spawn(|| READY.set());
    /// READY.blocking_wait();
    /// assert!(READY.is_set());
    /// # setter.join().unwrap();
    /// ```
    #[track_caller]
    pub fn blocking_wait(&self) {
        blocking::forbid_on_loop("blocking_wait", "wait");
        if !self.is_set() {
            blocking::block_on(self.wait());
        }
    }
}

impl<M: Mode> Debug for Event<M> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("Event")
            .field("is_set", &self.is_set())
            .finish_non_exhaustive()
    }
}
