//! Which descriptors are registered, which of them are ready, and who waits for them.
//!
//! A socket tries its system call first and comes here only when the kernel answered
//! `EAGAIN`. Registration is edge-triggered, once, for both directions:
//!
//! ```text
//!   call -- EAGAIN --> register (the first time) --> wait --> event --> call
//!     ^                                                                  |
//!     +------------ as long as is_ready, without asking the kernel ------+
//! ```
//!
//! No edge is lost. A descriptor that became ready between the `EAGAIN` and `register` is
//! reported by the next wait, as epoll looks at it when it is added; so both directions may
//! begin as "not ready". One that becomes ready between an `EAGAIN` and `wait` has its event
//! waiting in epoll: events are fetched on this same thread, never in between.
//!
//! An event wakes *all* waiters of its direction: whom it would serve, a read of 10 bytes or
//! one of 10,000, is unknown here, and a single waiter that was dropped meanwhile would take
//! the wake-up with it.
//!
//! # Invariants
//! - **Versioned**: versions are not 0, and a slot's next owner has another one. A registration
//!   may outlive its descriptor (a duplicate keeps it), so events of a former owner do arrive;
//!   they name an old version and are dropped.
//! - **No foreign code**: wakers belong to any executor, and their clone, wake and drop run its
//!   code, which may come back here. Nothing here does any of the three; wakers go in and out
//!   by value, and the caller lets go of them when its borrow has ended. A whole reactor is
//!   dropped outside its cell for the same reason.
//! - **Waiting means not ready**: a direction that is ready has no waiters.
//!
//! # Cost
//! O(1), however many descriptors there are; among several waiters of one direction, one is
//! found by looking through them. The first waiter needs no allocation, others use a vector.
//!
//! # Not here
//! System calls other than `register`'s. Whether a short read means "drained": the sockets
//! know their kind, here is only what forbids the conclusion. Whether closing
//! the descriptor ends its registration, or `Epoll::delete` must.
#![forbid(unsafe_code)]

use std::io;
use std::mem;
use std::os::fd::RawFd;
use std::task::Waker;

use slab::Slab;

use crate::sys::epoll::{Epoll, Flags};

/// The registered descriptors of one loop.
#[derive(Default)]
pub(crate) struct Reactor {
    sources: Slab<Source>,
    last_version: u32,
    last_waiter: u64,
}

/// Names one registration for ever: once it is gone, the key finds nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SourceKey {
    index: u32,
    version: u32,
}

impl SourceKey {
    /// The form in which epoll carries it. Numbers below 2^32 are no key (Versioned): a loop
    /// may use them for descriptors of its own.
    pub(crate) fn to_bits(self) -> u64 {
        u64::from(self.version) << 32 | u64::from(self.index)
    }

    pub(crate) fn from_bits(bits: u64) -> Self {
        SourceKey {
            index: bits as u32,
            version: (bits >> 32) as u32,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    Read,
    Write,
}

/// Names one waiting future, and is never used for another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct WaiterId(u64);

impl WaiterId {
    /// Of those who poll a direction and keep nothing: whoever comes next takes its place.
    pub(crate) const STANDING: WaiterId = WaiterId(0);
}

struct Source {
    fd: RawFd,
    version: u32,
    sticky: bool,
    read: Side,
    write: Side,
}

/// One direction of a descriptor.
#[derive(Default)]
struct Side {
    ready: bool,
    /// Came before all of `others`, if it is there.
    first: Option<Waiter>,
    others: Vec<Waiter>,
}

struct Waiter {
    id: WaiterId,
    waker: Waker,
}

impl Reactor {
    pub(crate) const fn new() -> Self {
        Reactor {
            sources: Slab::new(),
            last_version: 0,
            last_waiter: 0,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.sources.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Registers `fd`; neither direction is ready. Call it after the first `EAGAIN`, and for a
    /// socket after `connect`: an unconnected one reports `HUP`, which sticks.
    ///
    /// # Errors
    /// Those of [`Epoll::add`]; nothing is registered then.
    pub(crate) fn register(&mut self, epoll: &Epoll, fd: RawFd) -> io::Result<SourceKey> {
        let version = self.last_version.checked_add(1).unwrap_or(1);
        let index = u32::try_from(self.sources.vacant_key()).expect("fewer than 2^31");
        let key = SourceKey { index, version };
        self.add(epoll, fd, key)?;
        let (read, write) = (Side::default(), Side::default());
        self.sources.insert(Source {
            fd,
            version,
            sticky: false,
            read,
            write,
        });
        self.last_version = version;
        Ok(key)
    }

    fn add(&self, epoll: &Epoll, fd: RawFd, key: SourceKey) -> io::Result<()> {
        match epoll.add(fd, key.to_bits()) {
            // Left behind by an owner who gave the descriptor away on another thread.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && !self.holds(fd) => {
                epoll.delete(fd)?;
                epoll.add(fd, key.to_bits())
            }
            added => added,
        }
    }

    /// Does a registration name this descriptor? Looks through all of them.
    pub(crate) fn holds(&self, fd: RawFd) -> bool {
        self.sources.iter().any(|(_, source)| source.fd == fd)
    }

    /// Forgets the descriptor and hands out the wakers of all that waited for it. The caller
    /// deletes it from epoll, unless closing does. A stale key does nothing.
    #[must_use = "whoever waits must be woken, and no waker may be dropped under a borrow"]
    pub(crate) fn deregister(&mut self, key: SourceKey) -> Vec<Waker> {
        let mut woken = Vec::new();
        if self.source(key).is_some() {
            let mut source = self.sources.remove(key.index as usize);
            source.read.take_all(&mut woken);
            source.write.take_all(&mut woken);
        }
        woken
    }

    /// Whether the direction may be tried without waiting. A stale key is not ready.
    pub(crate) fn is_ready(&self, key: SourceKey, direction: Direction) -> bool {
        self.source(key)
            .is_some_and(|source| source.side(direction).ready)
    }

    /// Notes that a call did less than it was asked for, on a descriptor where that means that
    /// the direction is not ready any more. But it proves nothing once the end, an error or urgent
    /// data was announced, which will not be announced again.
    #[inline]
    pub(crate) fn drained(&mut self, key: SourceKey, direction: Direction) {
        if let Some(source) = self.source_mut(key)
            && !source.sticky
        {
            source.side_mut(direction).ready = false;
        }
    }

    /// Leaves `waker` for the next event of a direction, which is not ready: the call said
    /// `EAGAIN`, or was not made because nothing has come since.
    ///
    /// `id` is the future's own and begins as `None`; a future that waits again, woken or
    /// not, passes what it got. [`WaiterId::STANDING`] may come anew each
    /// time. Hands back the waker that was replaced. With a stale key nobody waits: `id` becomes
    /// `None` and `waker` itself comes back.
    #[must_use = "no waker may be dropped under a borrow"]
    pub(crate) fn wait(
        &mut self,
        key: SourceKey,
        direction: Direction,
        id: &mut Option<WaiterId>,
        waker: Waker,
    ) -> Option<Waker> {
        let next_waiter = self.last_waiter + 1;
        let Some(source) = self.source_mut(key) else {
            *id = None;
            return Some(waker);
        };
        let side = source.side_mut(direction);
        side.ready = false;
        if let Some(waiting) = id.and_then(|id| side.find(id)) {
            return Some(mem::replace(&mut waiting.waker, waker));
        }
        let this = *id.get_or_insert(WaiterId(next_waiter));
        side.push(Waiter { id: this, waker });
        self.last_waiter = next_waiter;
        None
    }

    /// Takes a waiter out, whose future is dropped or waits no more. It may be gone already.
    #[must_use = "no waker may be dropped under a borrow"]
    pub(crate) fn forget(
        &mut self,
        key: SourceKey,
        direction: Direction,
        id: WaiterId,
    ) -> Option<Waker> {
        self.source_mut(key)?.side_mut(direction).take(id)
    }

    /// Takes in one event of epoll: what it makes ready, and into `woken` all that waited for
    /// it, those who came first in front. An event of a former owner of the slot does nothing.
    pub(crate) fn event(&mut self, data: u64, flags: Flags, woken: &mut Vec<Waker>) {
        let Some(source) = self.source_mut(SourceKey::from_bits(data)) else {
            return;
        };
        source.sticky |= flags.sticky();
        if flags.readable() {
            source.read.ready = true;
            source.read.take_all(woken);
        }
        if flags.writable() {
            source.write.ready = true;
            source.write.take_all(woken);
        }
    }

    #[inline]
    fn source(&self, key: SourceKey) -> Option<&Source> {
        self.sources
            .get(key.index as usize)
            .filter(|source| source.version == key.version)
    }

    #[inline]
    fn source_mut(&mut self, key: SourceKey) -> Option<&mut Source> {
        self.sources
            .get_mut(key.index as usize)
            .filter(|source| source.version == key.version)
    }
}

impl Source {
    #[inline]
    fn side(&self, direction: Direction) -> &Side {
        match direction {
            Direction::Read => &self.read,
            Direction::Write => &self.write,
        }
    }

    #[inline]
    fn side_mut(&mut self, direction: Direction) -> &mut Side {
        match direction {
            Direction::Read => &mut self.read,
            Direction::Write => &mut self.write,
        }
    }
}

impl Side {
    fn find(&mut self, id: WaiterId) -> Option<&mut Waiter> {
        self.first
            .iter_mut()
            .chain(&mut self.others)
            .find(|waiter| waiter.id == id)
    }

    fn push(&mut self, waiter: Waiter) {
        if self.first.is_none() && self.others.is_empty() {
            self.first = Some(waiter);
        } else {
            self.others.push(waiter);
        }
    }

    fn take(&mut self, id: WaiterId) -> Option<Waker> {
        if let Some(first) = self.first.take_if(|waiter| waiter.id == id) {
            return Some(first.waker);
        }
        let position = self.others.iter().position(|waiter| waiter.id == id)?;
        Some(self.others.remove(position).waker)
    }

    #[inline]
    fn take_all(&mut self, woken: &mut Vec<Waker>) {
        if let Some(first) = self.first.take() {
            woken.push(first.waker);
        }
        if !self.others.is_empty() {
            woken.extend(self.others.drain(..).map(|waiter| waiter.waker));
        }
    }
}

#[cfg(test)]
mod tests;
