//! What a queue holds, who may have it, and what its lines wait for.
//!
//! A woken getter that found its item gone would have to wait again, at the tail; a woken getter
//! that was handed its item would lose it when it is cancelled. So a grant is a *right*: the
//! granter raises a count, `promised_items` or `promised_places`, and everybody else treats that
//! many items or places as gone. The right is used, or handed back and given to the next; the
//! item stays in the store until it is taken, so a priority queue still gives the best one.
//!
//! | line | waits for | ends with |
//! | --- | --- | --- |
//! | `GET` | an item | a right to one, or `SHUT` |
//! | `PUT` | a place | a right to one, or `SHUT` |
//! | `JOIN` | no item unfinished | moved to `JOINED` when that is so |
//! | `JOINED` | its wake-up | news; a `join` called since waits in `JOIN`, not here |
//!
//! A put that comes while another has a place that it did not use yet gets in line too, though
//! there may be a second place: it is granted that at once, and runs after the other. So items
//! enter a queue of one loop in the order of the first polls. Gets need no such order: any item
//! is as good as another, and the right to one cannot be lost.
//!
//! # Invariants
//! - **Fitting**: items + promised places <= capacity. Slots that were handed out are among the
//!   promised places.
//! - **Fed**: when the lock is released, nobody waits for what is free: no getter while an item
//!   is unpromised, no putter while a place is, no putter after a shutdown, no getter once the
//!   queue is exhausted, no joiner while nothing is unfinished.
//! - **Conserved**: an item leaves the store only into the hands of who asked for it, or by an
//!   immediate shutdown.
//!
//! # Not here
//! Waiting itself: `wait_list`. The futures: `put`, `get`, `join`.

use std::marker::PhantomData;
use std::mem;
use std::task::Waker;

use super::order::{Order, Store};
use crate::wait_list::{Batch, Line, Lines, Mode, Policy};

pub(super) const GET: usize = 0;
pub(super) const PUT: usize = 1;
pub(super) const JOIN: usize = 2;
pub(super) const JOINED: usize = 3;

/// Granted: a right to one item or place.
pub(super) const RIGHT: u32 = 0;
/// Notified: the queue was shut down.
pub(super) const SHUT: u32 = 1;
/// Notified: nothing is unfinished.
const FINISHED: u32 = 2;

/// The policy of a queue.
#[derive(Debug)]
pub struct Rules<T, O> {
    /// How many items fit.
    pub(super) capacity: usize,
    _order: PhantomData<fn(T) -> O>,
}

/// What the queue's lock guards.
#[derive(Debug)]
pub struct State<S> {
    pub(super) store: S,
    /// Items that waiters were granted and have not taken yet.
    promised_items: usize,
    /// Places that waiters were granted, or hold as slots.
    promised_places: usize,
    /// Places held as slots: their items may still come after a shutdown.
    slots: usize,
    /// Items put and not reported done.
    unfinished: usize,
    /// The most items that were ever in the store.
    pub(super) peak: usize,
    shutdown: Shutdown,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shutdown {
    No,
    /// What is in the queue may still be taken.
    Draining,
    /// Items are dropped as they come.
    Immediate,
}

/// How an attempt to put or to reserve went.
pub(super) enum Admission {
    /// Done; whoever was granted what came of it is to be woken.
    Done(Option<Waker>),
    /// There is no place.
    Full,
    Shut,
}

/// An item, and what to do once the lock is released.
pub(super) struct Taken<T> {
    pub(super) item: T,
    pub(super) waker: Option<Waker>,
    /// The queue may be exhausted now; whoever waits is to be told.
    pub(super) draining: bool,
}

impl<T, O> Rules<T, O> {
    pub(super) fn new(capacity: usize) -> Self {
        Rules {
            capacity,
            _order: PhantomData,
        }
    }
}

impl<S: Default> State<S> {
    pub(super) fn new() -> Self {
        State {
            store: S::default(),
            promised_items: 0,
            promised_places: 0,
            slots: 0,
            unfinished: 0,
            peak: 0,
            shutdown: Shutdown::No,
        }
    }
}

impl<S> State<S> {
    pub(super) fn is_open(&self) -> bool {
        self.shutdown == Shutdown::No
    }

    /// Rights that are granted or held and not used.
    pub(super) fn promised(&self) -> usize {
        self.promised_items.saturating_add(self.promised_places)
    }

    /// Counts one item done; whether none is left, or nothing was left to be done.
    pub(super) fn finish_one(&mut self) -> Option<bool> {
        self.unfinished = self.unfinished.checked_sub(1)?;
        Some(self.unfinished == 0)
    }

    pub(super) fn is_finished(&self) -> bool {
        self.unfinished == 0
    }

    /// Whether a put that comes now may not go ahead: no place is free, or somebody who came
    /// before has one and did not use it yet.
    #[inline(always)]
    pub(super) fn is_full<T>(&self, capacity: usize) -> bool
    where
        S: Store<T>,
    {
        !self.has_place(capacity) || self.promised_places != self.slots
    }

    /// Whether a get must wait.
    #[inline(always)]
    pub(super) fn is_dry<T>(&self) -> bool
    where
        S: Store<T>,
    {
        !self.has_item() && !self.is_exhausted()
    }

    /// Whether no item is there or can come.
    fn is_exhausted<T>(&self) -> bool
    where
        S: Store<T>,
    {
        match self.shutdown {
            Shutdown::No => false,
            Shutdown::Draining => self.slots == 0 && self.store.len() == 0,
            Shutdown::Immediate => true,
        }
    }

    #[inline(always)]
    pub(super) fn has_place<T>(&self, capacity: usize) -> bool
    where
        S: Store<T>,
    {
        self.store.len() + self.promised_places < capacity // no overflow, by Fitting
    }

    #[inline(always)]
    fn has_item<T>(&self) -> bool
    where
        S: Store<T>,
    {
        // After an immediate shutdown more may be promised than there is.
        self.store.len() > self.promised_items
    }

    /// Puts the item into a place that is free, and taken out of `item` only then.
    #[inline(always)]
    pub(super) fn try_put<T, M: Mode>(
        &mut self,
        capacity: usize,
        lines: &mut Lines<'_, M>,
        item: &mut Option<T>,
    ) -> Admission
    where
        S: Store<T>,
    {
        if !self.is_open() {
            return Admission::Shut;
        }
        if self.is_full(capacity) {
            return Admission::Full;
        }
        let item = item.take().expect("`Put` was polled after it was done");
        Admission::Done(self.put(lines, item))
    }

    /// Puts an item into the place that was granted.
    #[inline(always)]
    pub(super) fn put_granted<T, M: Mode>(
        &mut self,
        lines: &mut Lines<'_, M>,
        item: &mut Option<T>,
    ) -> Admission
    where
        S: Store<T>,
    {
        self.promised_places -= 1;
        if !self.is_open() {
            return Admission::Shut;
        }
        let item = item.take().expect("a `Put` that waits has its item");
        Admission::Done(self.put(lines, item))
    }

    #[inline(always)]
    fn put<T, M: Mode>(&mut self, lines: &mut Lines<'_, M>, item: T) -> Option<Waker>
    where
        S: Store<T>,
    {
        self.unfinished += 1;
        self.store.push(item);
        self.peak = self.peak.max(self.store.len());
        self.feed_getter(lines)
    }

    /// Takes a free place as a slot.
    pub(super) fn try_reserve<T>(&mut self, capacity: usize) -> Admission
    where
        S: Store<T>,
    {
        if !self.is_open() {
            return Admission::Shut;
        }
        if self.is_full(capacity) {
            return Admission::Full;
        }
        self.promised_places += 1;
        self.slots += 1;
        Admission::Done(None)
    }

    /// Takes the place that was granted as a slot.
    pub(super) fn reserve_granted(&mut self) -> Admission {
        if !self.is_open() {
            self.promised_places -= 1;
            return Admission::Shut;
        }
        self.slots += 1;
        Admission::Done(None)
    }

    /// Fills a slot; after an immediate shutdown the item comes back, to be dropped.
    pub(super) fn fill_slot<T, M: Mode>(
        &mut self,
        lines: &mut Lines<'_, M>,
        item: T,
    ) -> Result<Option<Waker>, T>
    where
        S: Store<T>,
    {
        self.give_back_slot();
        if self.shutdown == Shutdown::Immediate {
            return Err(item);
        }
        Ok(self.put(lines, item))
    }

    pub(super) fn give_back_slot(&mut self) {
        self.promised_places -= 1;
        self.slots -= 1;
    }

    /// Takes an item that is promised to nobody; else `None`, or the news that none will come.
    #[inline(always)]
    pub(super) fn try_get<T, M: Mode>(
        &mut self,
        capacity: usize,
        lines: &mut Lines<'_, M>,
    ) -> Option<Result<Taken<T>, super::ShutDown>>
    where
        S: Store<T>,
    {
        if self.has_item() {
            return Some(self.get(capacity, lines));
        }
        self.is_exhausted().then_some(Err(super::ShutDown))
    }

    /// Takes the item that was granted. An immediate shutdown may have dropped it.
    #[inline(always)]
    pub(super) fn get_granted<T, M: Mode>(
        &mut self,
        capacity: usize,
        lines: &mut Lines<'_, M>,
    ) -> Result<Taken<T>, super::ShutDown>
    where
        S: Store<T>,
    {
        self.promised_items -= 1;
        self.get(capacity, lines)
    }

    #[inline(always)]
    fn get<T, M: Mode>(
        &mut self,
        capacity: usize,
        lines: &mut Lines<'_, M>,
    ) -> Result<Taken<T>, super::ShutDown>
    where
        S: Store<T>,
    {
        let item = self.store.pop().ok_or(super::ShutDown)?;
        let waker = self.feed_putter(capacity, lines);
        Ok(Taken {
            item,
            waker,
            draining: !self.is_open(),
        })
    }

    #[inline(always)]
    fn feed_getter<T, M: Mode>(&mut self, lines: &mut Lines<'_, M>) -> Option<Waker>
    where
        S: Store<T>,
    {
        if lines.is_empty(GET) || !self.has_item() {
            return None;
        }
        self.promised_items += 1;
        lines.grant(GET, RIGHT)
    }

    #[inline(always)]
    fn feed_putter<T, M: Mode>(
        &mut self,
        capacity: usize,
        lines: &mut Lines<'_, M>,
    ) -> Option<Waker>
    where
        S: Store<T>,
    {
        if lines.is_empty(PUT) || !self.has_place(capacity) {
            return None;
        }
        self.promised_places += 1;
        lines.grant(PUT, RIGHT)
    }

    /// Ends the wait of the first getter, if there is a reason to.
    fn release_getter<T, M: Mode>(&mut self, lines: &mut Lines<'_, M>) -> Option<Waker>
    where
        S: Store<T>,
    {
        if self.is_exhausted() {
            return lines.notify(GET, SHUT);
        }
        self.feed_getter(lines)
    }

    /// Ends the wait of the first putter, if there is a reason to.
    fn release_putter<T, M: Mode>(
        &mut self,
        capacity: usize,
        lines: &mut Lines<'_, M>,
    ) -> Option<Waker>
    where
        S: Store<T>,
    {
        if !self.is_open() {
            return lines.notify(PUT, SHUT);
        }
        self.feed_putter(capacity, lines)
    }

    /// Shuts the queue; what it held, if that is to be dropped.
    pub(super) fn shut<T>(&mut self, immediate: bool) -> Option<S>
    where
        S: Store<T>,
    {
        if !immediate {
            if self.is_open() {
                self.shutdown = Shutdown::Draining;
            }
            return None;
        }
        self.shutdown = Shutdown::Immediate;
        let dropped = mem::take(&mut self.store);
        // Some of them may have been reported done already, before they were taken.
        self.unfinished = self.unfinished.saturating_sub(dropped.len());
        Some(dropped)
    }
}

impl<T, O: Order<T>, M: Mode> Policy<M> for Rules<T, O> {
    type State = State<O::Store>;
    type Lines = [Line<M>; 4];

    fn left(&self, state: &mut Self::State, line: usize, grant: Option<u32>) {
        match (line, grant) {
            (GET, Some(RIGHT)) => state.promised_items -= 1,
            (PUT, Some(RIGHT)) => state.promised_places -= 1,
            _ => {}
        }
    }

    fn pump(&self, state: &mut Self::State, lines: &mut Lines<'_, M>, batch: &mut Batch) {
        if state.is_finished() {
            lines.move_all(JOIN, JOINED);
        }
        while !batch.is_full() {
            let waker = lines.notify(JOINED, FINISHED);
            let waker = waker.or_else(|| state.release_getter(lines));
            let waker = waker.or_else(|| state.release_putter(self.capacity, lines));
            if waker.is_none() {
                return;
            }
            batch.push(waker);
        }
    }
}
