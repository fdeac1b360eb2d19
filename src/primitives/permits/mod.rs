//! Permits: a number in a word, and a line of those who wait for some of it.
//!
//! Locks and semaphores differ in what a permit is worth. How permits are taken, given back and
//! handed to the first in line is here. While nobody waits, taking and giving is one
//! compare-and-swap on the word (`local`: a compare and a store). Once somebody is in line, all
//! goes by the list's lock, and what is given back goes to the first whose need it meets: nobody
//! overtakes, not even who needs less.
//!
//! # Invariants
//! Those of `wait_list::front`, and
//! - **Conserved**: permits are in the word, in a grant, or with whoever took them.
//!
//! # Orderings
//! Who takes a permit sees what was done before it was given: Release where permits come back,
//! Acquire where they are taken. Under the lock, while the word belongs to its holders, the mutex
//! orders them, and a Release store passes it all on to the next who takes without the lock.
//!
//! # Not here
//! What is guarded (`value`), guards, how many permits there may be.

#[cfg(all(test, petla_loom))]
mod models;
#[cfg(all(test, not(petla_loom)))]
mod tests;

use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use super::Statistics;
use crate::rt::{AtomicUsize, Ordering, const_fn};
use crate::wait_list::{
    Batch, Front, InPlace, Line, Lines, Local, LocalFront, Mode, Policy, Shared, TAG_MAX, WAITERS,
    WaitList, Waiter, Word, Worded, wake,
};

const WAIT: usize = 0;
/// The number of permits stands above the bit WAITERS.
const SHIFT: u32 = 1;
/// The most permits that one waiter can ask for.
pub(super) const NEED_MAX: u32 = TAG_MAX;
/// The most permits that there can be.
pub(super) const PERMITS_MAX: usize = usize::MAX >> (SHIFT + 1);

/// The word and its rules, under the list's lock or for a single compare-and-swap.
#[derive(Debug)]
pub struct Ledger<M: Mode> {
    word: M::Word,
}

/// A number of permits, and those who wait for some.
#[derive(Debug)]
pub(super) struct Permits<M: Mode> {
    front: M::Front<Ledger<M>>,
}

impl Permits<Local> {
    const_fn! {
        pub(super) fn new(permits: usize) -> Self {
            Permits { front: LocalFront::new(permits << SHIFT) }
        }
    }
}

impl Permits<Shared> {
    const_fn! {
        pub(super) fn new(permits: usize) -> Self {
            let word = AtomicUsize::new(permits << SHIFT);
            let (ledger, lines) = (Ledger { word }, [Line::new()]);
            let list = WaitList::<Ledger<Shared>, Shared>::in_place(ledger, (), lines);
            Permits { front: InPlace(list) }
        }
    }
}

/// The waiting part of a future that takes permits.
pub(super) type PermitWaiter<'a, M> = Waiter<'a, Ledger<M>, M>;

impl<M: Mode> Permits<M> {
    /// Takes `need` permits that are promised to nobody.
    #[inline(always)]
    pub(super) fn try_take(&self, need: usize) -> bool {
        take(self.front.word(), need) || self.try_take_inside(need)
    }

    /// Takes all permits there are, if these are `all`: a single compare-and-swap.
    #[inline(always)]
    pub(super) fn try_take_all(&self, all: usize) -> bool {
        let word = self.front.word();
        word.replace(all << SHIFT, 0, Ordering::Acquire).is_ok() || self.try_take_inside(all)
    }

    /// Looks in the list as well, where permits of dropped waiters may lie.
    #[cold]
    fn try_take_inside(&self, need: usize) -> bool {
        if self.front.list().is_none() {
            return false;
        }
        let taken = take(self.front.enter().policy().word(), need);
        self.front.leave();
        taken
    }

    /// Takes `need` permits, or waits in line for them with `waiter`.
    #[inline(always)]
    pub(super) fn poll_take<'a>(
        &'a self,
        waiter: Pin<&mut PermitWaiter<'a, M>>,
        cx: &mut Context<'_>,
        need: u32,
    ) -> Poll<()> {
        if waiter.is_idle() && take(self.front.word(), need as usize) {
            return Poll::Ready(());
        }
        self.poll_take_slow(waiter, cx, need)
    }

    /// The same for all permits there are, if these are `all`.
    #[inline(always)]
    pub(super) fn poll_take_all<'a>(
        &'a self,
        waiter: Pin<&mut PermitWaiter<'a, M>>,
        cx: &mut Context<'_>,
        all: u32,
    ) -> Poll<()> {
        let (word, full) = (self.front.word(), (all as usize) << SHIFT);
        if waiter.is_idle() && word.replace(full, 0, Ordering::Acquire).is_ok() {
            return Poll::Ready(());
        }
        self.poll_take_slow(waiter, cx, all)
    }

    #[inline(never)]
    fn poll_take_slow<'a>(
        &'a self,
        mut waiter: Pin<&mut PermitWaiter<'a, M>>,
        cx: &mut Context<'_>,
        need: u32,
    ) -> Poll<()> {
        if !waiter.is_idle() {
            return waiter.poll_grant(cx).map(drop);
        }
        waiter.as_mut().bind(self.front.enter());
        let polled = waiter.enqueue_tagged(cx, WAIT, need, |(), _| {
            // Once more: to clone the waker may have run code that opened the front.
            self.front.enter().policy().take_or_wait(need)
        });
        self.front.leave();
        polled
    }

    /// Gives permits back.
    #[inline(always)]
    pub(super) fn give(&self, permits: usize) {
        let word = self.front.word();
        let mut seen = word.load(Ordering::Relaxed);
        while seen & WAITERS == 0 {
            match word.replace(seen, seen + (permits << SHIFT), Ordering::Release) {
                Ok(()) => return,
                Err(found) => seen = found,
            }
        }
        self.give_slow(permits);
    }

    /// Gives all permits back, of which none is free: a single compare-and-swap.
    #[inline(always)]
    pub(super) fn give_all(&self, all: usize) {
        let word = self.front.word();
        if word.replace(0, all << SHIFT, Ordering::Release).is_err() {
            self.give_slow(all);
        }
    }

    /// Gives permits back under the lock. Mostly they meet the need of one waiter, which is
    /// woken without a batch.
    #[inline(never)]
    fn give_slow(&self, permits: usize) {
        let list = self.front.enter();
        let ledger = list.policy();
        let mut more = false;
        let waker = list.with(|(), lines| {
            ledger.give(permits);
            let mut free = ledger.close(lines)?;
            let waker = grant_first(lines, &mut free);
            more = waker.is_some() && first_fits(lines, free);
            ledger.open(lines, free);
            waker
        });
        if more {
            let mut batch = Batch::new();
            batch.push(waker);
            list.pump(batch);
            self.front.leave();
        } else {
            self.front.leave();
            if let Some(waker) = waker {
                wake(waker);
            }
        }
    }

    /// How many permits are free.
    pub(super) fn free(&self) -> usize {
        self.front.value() >> SHIFT
    }

    /// Who waits, and whatever else the caller knows.
    pub(super) fn statistics(&self, holders: usize) -> Statistics {
        let count = |list: &WaitList<Ledger<M>, M>| list.with(|(), lines| lines.count(WAIT));
        Statistics {
            waiting: self.front.list().map_or(0, count),
            holders,
            peak: 0,
        }
    }

    pub(super) fn front(&self) -> &M::Front<Ledger<M>> {
        &self.front
    }
}

/// Takes permits out of a word that nobody waits for.
#[inline(always)]
fn take<W: Word>(word: &W, need: usize) -> bool {
    let mut seen = word.load(Ordering::Relaxed);
    while seen & WAITERS == 0 && seen >> SHIFT >= need {
        match word.replace(seen, seen - (need << SHIFT), Ordering::Acquire) {
            Ok(()) => return true,
            Err(found) => seen = found,
        }
    }
    false
}

impl<M: Mode> Ledger<M> {
    /// Under the lock: takes permits, or says that somebody waits from now on.
    fn take_or_wait(&self, need: u32) -> Option<()> {
        let mut seen = self.word.load(Ordering::Relaxed);
        while seen & WAITERS == 0 {
            let enough = seen >> SHIFT >= need as usize;
            let next = match enough {
                true => seen - ((need as usize) << SHIFT),
                false => seen | WAITERS,
            };
            match self.word.replace(seen, next, Ordering::Acquire) {
                Ok(()) => return enough.then_some(()),
                Err(found) => seen = found,
            }
        }
        None
    }

    /// Under the lock: makes the word ours and gives the free permits, if somebody is in line;
    /// else makes it everybody's.
    #[inline(always)]
    fn close(&self, lines: &Lines<'_, M>) -> Option<usize> {
        let mut word = self.word.load(Ordering::Relaxed);
        if lines.is_empty(WAIT) {
            if word & WAITERS != 0 {
                self.word.store(word & !WAITERS, Ordering::Release);
            }
            return None;
        }
        if word & WAITERS == 0 {
            // Acquire: what is free was given without the lock.
            word = self.word.set_bits(WAITERS, Ordering::Acquire);
        }
        Some(word >> SHIFT)
    }

    /// Under the lock: stores what is still free, and gives the word back if nobody is in line.
    #[inline(always)]
    fn open(&self, lines: &Lines<'_, M>, free: usize) {
        let waiters = if lines.is_empty(WAIT) { 0 } else { WAITERS };
        self.word.store(free << SHIFT | waiters, Ordering::Release);
    }

    /// Under the lock: puts permits back, for the pump to grant.
    #[inline(always)]
    pub(super) fn give(&self, permits: usize) {
        self.word.add(permits << SHIFT, Ordering::Release);
    }
}

impl<M: Mode> Policy<M> for Ledger<M> {
    type State = ();
    type Lines = [Line<M>; 1];

    fn left(&self, (): &mut (), _: usize, grant: Option<u32>) {
        if let Some(need) = grant {
            self.give(need as usize);
        }
    }

    fn pump(&self, (): &mut (), lines: &mut Lines<'_, M>, batch: &mut Batch) {
        if let Some(mut free) = self.close(lines) {
            while !batch.is_full() && first_fits(lines, free) {
                batch.push(grant_first(lines, &mut free));
            }
            self.open(lines, free);
        }
    }
}

/// Whether somebody is in line, and so many permits are enough for the first.
#[inline(always)]
fn first_fits<M: Mode>(lines: &Lines<'_, M>, free: usize) -> bool {
    lines
        .first_tag(WAIT)
        .is_some_and(|need| need as usize <= free)
}

/// Grants what the first in line needs, if it is there.
#[inline(always)]
fn grant_first<M: Mode>(lines: &mut Lines<'_, M>, free: &mut usize) -> Option<Waker> {
    let need = lines.first_tag(WAIT)?;
    *free = free.checked_sub(need as usize)?;
    lines.grant(WAIT, need)
}

impl<M: Mode> Default for Ledger<M> {
    fn default() -> Self {
        Ledger {
            word: M::Word::new(0),
        }
    }
}

impl<M: Mode> Worded<M> for Ledger<M> {
    #[inline(always)]
    fn word(&self) -> &M::Word {
        &self.word
    }
}
