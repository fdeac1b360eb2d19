//! [`Source`]: a descriptor that registers itself with the loop that first has to wait for it.
//!
//! Plain data, so that sockets are `Send + Sync`: a descriptor number, and which loop knows it
//! by which key. An operation tries its system call first; only after `EAGAIN` does the source
//! register, once and for good. A connection whose data is there when it is accepted never
//! costs an `epoll_ctl`.
//!
//! ```text
//!   unregistered ──EAGAIN──► registered, not ready ◄──event──► registered, ready
//!                                            EAGAIN, or a short read on TCP
//! ```
//!
//! # Invariants
//! - **Home**: `home` is 0, or the loop whose reactor has the slot `key`. It is changed by
//!   compare-and-swap, and `key` is read and written only on the home loop's thread.
//! - **Drained**: readiness is taken away only when the kernel said `EAGAIN`, or when a
//!   read or write on a TCP socket moved less than asked while no RDHUP, HUP, ERR or PRI was
//!   ever seen and the descriptor was never lent. Otherwise an edge could be missed.
//! - **Deregistered**: closing removes the descriptor from epoll only if no copy of it lives;
//!   so a descriptor that was lent, or is not ours to close, is removed by hand.
//!
//! # Not here
//! Which slot waits for what (`reactor`); sockets (`net`).
#![deny(unsafe_code)]

use std::io::{self, ErrorKind};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::task::{Context, Poll};

use super::{Kernel, on_loop};
use crate::mailbox::{self, LoopId};
pub(crate) use crate::reactor::Direction;
use crate::reactor::{SourceKey, WaiterId};
use crate::sys::epoll::poll_now;
use crate::task::token::wake_safely;

/// What became of a call; `None`: it would block.
pub(crate) type Tried<R> = io::Result<Option<R>>;

/// What a descriptor is: which calls move its bytes, and how one sees that nothing is left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A TCP stream: a read or write that moves less than asked says that nothing is left.
    Tcp,
    /// Any other socket: only `EAGAIN` says so.
    Socket,
    /// A pipe, a terminal, a device: moved by read(2) and write(2); only `EAGAIN` says so.
    File,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Source {
    raw: RawFd,
    /// `None`: the descriptor is somebody else's, who closes it after this is dropped.
    fd: Option<OwnedFd>,
    home: AtomicU64,
    key: AtomicU64,
    lent: AtomicBool,
    kind: Kind,
}

impl Source {
    pub(crate) fn new(fd: OwnedFd, kind: Kind) -> Source {
        Source::make(fd.as_raw_fd(), Some(fd), kind)
    }

    /// For a descriptor that was made elsewhere: it may have duplicates that we know nothing of.
    pub(crate) fn adopted(fd: OwnedFd, kind: Kind) -> Source {
        let source = Source::new(fd, kind);
        let _ = source.lend();
        source
    }

    /// For a descriptor that its owner keeps open until this is dropped.
    pub(crate) fn borrowed(raw: RawFd) -> Source {
        Source::make(raw, None, Kind::File)
    }

    fn make(raw: RawFd, fd: Option<OwnedFd>, kind: Kind) -> Source {
        let (home, key) = (AtomicU64::new(0), AtomicU64::new(0));
        Source {
            raw,
            fd,
            home,
            key,
            lent: AtomicBool::new(false),
            kind,
        }
    }

    /// The number, for our own system calls.
    #[inline(always)]
    pub(crate) fn as_raw(&self) -> RawFd {
        self.raw
    }

    #[inline(always)]
    pub(crate) fn kind(&self) -> Kind {
        self.kind
    }

    /// Lends the descriptor to code that may duplicate it or read from it.
    ///
    /// # Panics
    /// If the source does not own it.
    pub(crate) fn lend(&self) -> BorrowedFd<'_> {
        self.lent.store(true, Relaxed);
        self.fd
            .as_ref()
            .expect("a borrowed source lends nothing")
            .as_fd()
    }

    /// Gives the descriptor up, no longer known to any loop.
    ///
    /// # Panics
    /// If the source does not own it.
    pub(crate) fn into_fd(mut self) -> OwnedFd {
        self.lent.store(true, Relaxed);
        let fd = self.fd.take().expect("a borrowed source owns nothing");
        self.deregister(None);
        fd
    }

    pub(crate) fn wait(&self, direction: Direction) -> Wait<'_> {
        Wait {
            source: self,
            direction,
            place: None,
            standing: false,
        }
    }

    /// The wait of an object that is polled and keeps none: its waker stays in the reactor, until
    /// the next event, or until the same direction is polled again. So there is one of a direction.
    #[cfg(feature = "_polled")]
    pub(crate) fn standing_wait(&self, direction: Direction) -> Wait<'_> {
        Wait {
            standing: true,
            ..self.wait(direction)
        }
    }

    fn home(&self) -> Option<LoopId> {
        match self.home.load(Relaxed) {
            0 => None,
            bits => Some(LoopId::from_bits(bits)),
        }
    }

    #[inline]
    fn key(&self) -> SourceKey {
        SourceKey::from_bits(self.key.load(Relaxed))
    }

    /// Is the source registered with `kernel`? An error if another living loop has it.
    #[inline]
    fn is_at_home(&self, kernel: &Kernel) -> io::Result<bool> {
        match self.home.load(Relaxed) {
            0 => Ok(false),
            home if home == kernel.id.to_bits() => Ok(true),
            _ => self.has_lost_home(),
        }
    }

    /// False, once its former loop is closed.
    #[cold]
    fn has_lost_home(&self) -> io::Result<bool> {
        match self.home() {
            None => Ok(false),
            // Only a living loop takes a post.
            Some(home) if mailbox::post(home, Box::new(|| ())).is_ok() => Err(wrong_loop()),
            Some(home) => {
                // That loop is closed, and its epoll with it.
                let _ = self
                    .home
                    .compare_exchange(home.to_bits(), 0, Relaxed, Relaxed);
                Ok(false)
            }
        }
    }

    pub(super) fn register(&self, kernel: &Kernel) -> io::Result<()> {
        let claim = self
            .home
            .compare_exchange(0, kernel.id.to_bits(), Relaxed, Relaxed);
        claim.map_err(|_| wrong_loop())?;
        match kernel
            .reactor
            .borrow_mut()
            .register(&kernel.epoll, self.raw)
        {
            Ok(key) => {
                self.key.store(key.to_bits(), Relaxed);
                Ok(())
            }
            Err(error) => {
                self.home.store(0, Relaxed);
                Err(error)
            }
        }
    }

    /// May a system call succeed? Not if the loop knows that nothing has come since `EAGAIN`.
    #[inline]
    fn may_be_ready(&self, direction: Direction) -> io::Result<bool> {
        if self.home.load(Relaxed) == 0 {
            return Ok(true);
        }
        let ready = Kernel::with(|kernel| {
            let at_home = self.is_at_home(kernel)?;
            Ok(!at_home || kernel.reactor.borrow().is_ready(self.key(), direction))
        });
        ready.unwrap_or_else(|| Err(no_loop()))
    }

    /// [`Wait::try_io`] for those who never wait.
    pub(crate) fn try_io<R>(
        &self,
        direction: Direction,
        op: impl FnMut(RawFd) -> io::Result<R>,
    ) -> io::Result<R> {
        let tried = self.wait(direction).try_io(op)?;
        tried.ok_or_else(|| ErrorKind::WouldBlock.into())
    }

    /// The last operation of this direction moved less than asked: nothing is left.
    pub(crate) fn drained(&self, direction: Direction) {
        if self.kind != Kind::Tcp || self.lent.load(Relaxed) {
            return;
        }
        Kernel::with(|kernel| {
            if self.home.load(Relaxed) == kernel.id.to_bits() {
                let mut reactor = kernel.reactor.borrow_mut();
                reactor.drained(self.key(), direction);
            }
        });
    }

    /// Takes a borrowed source out of its loop before its descriptor may be closed.
    pub(super) fn leave(&self, kernel: &Kernel) {
        if self.home() == Some(kernel.id) {
            kernel.forget_source(self.key(), Some(self.raw));
            self.home.store(0, Relaxed);
        }
    }

    /// The same for whatever loop it is in. One that does not run wakes those who wait in its next
    /// turn.
    pub(crate) fn leave_home(&self) {
        self.deregister(None);
    }

    /// Takes the source out of its loop, and closes `fd`.
    ///
    /// On another thread, or between two runs: a descriptor that was never lent is closed at
    /// once, and leaves epoll by that; one that was goes along in the post, to be removed first.
    fn deregister(&self, fd: Option<OwnedFd>) {
        let Some(home) = self.home() else { return };
        let (raw, key) = (self.raw, self.key());
        self.home.store(0, Relaxed);
        let by_hand = fd.is_none() || self.lent.load(Relaxed);
        let kept = if by_hand { fd } else { None };
        on_loop(home, move |kernel| {
            kernel.forget_source(key, by_hand.then_some(raw));
            drop(kept);
        });
    }
}

impl Drop for Source {
    fn drop(&mut self) {
        let fd = self.fd.take();
        if self.home.load(Relaxed) != 0 && self.raw >= 0 {
            self.deregister(fd);
        }
    }
}

impl Kernel {
    /// Drops a slot of the reactor, and its descriptor from epoll if closing does not do that.
    fn forget_source(&self, key: SourceKey, by_hand: Option<RawFd>) {
        let wakers = self.reactor.borrow_mut().deregister(key);
        // A post may come late: then the number can be a newer source's.
        if let Some(raw) = by_hand
            && !self.is_forked()
            && !self.reactor.borrow().holds(raw)
        {
            // Fails when the descriptor is closed already, which does the same.
            let _ = self.epoll.delete(raw);
        }
        wakers.into_iter().for_each(wake_safely);
    }
}

/// One wait of one future for one direction; its place in the reactor is freed by drop.
#[derive(Debug)]
pub(crate) struct Wait<'a> {
    source: &'a Source,
    direction: Direction,
    place: Option<Place>,
    /// It leaves its waker behind, under a number that all standing waits share.
    standing: bool,
}

/// Where a waiter stands. The source may move to another loop meanwhile, the place does not.
#[derive(Debug, Clone, Copy)]
struct Place {
    home: LoopId,
    key: SourceKey,
    id: WaiterId,
}

impl Wait<'_> {
    /// Tries `op`, unless the descriptor is known not to be ready, and waits on `WouldBlock`.
    ///
    /// # Errors
    /// Those of `op`; if it has to wait: outside a loop, on a loop that is not the source's, or
    /// for a descriptor that epoll refuses.
    #[inline]
    pub(crate) fn poll_io<R>(
        &mut self,
        cx: &mut Context<'_>,
        op: impl FnMut(RawFd) -> io::Result<R>,
    ) -> Poll<io::Result<R>> {
        let tried = self.try_io(op);
        self.or_park(cx, tried)
    }

    /// The first half of `poll_io`: tries `op` unless the descriptor is known not to be ready. It
    /// runs no code but `op`.
    ///
    /// # Errors
    /// Those of `op` but `WouldBlock`; on a loop that is not the source's.
    #[inline]
    pub(crate) fn try_io<R>(&mut self, mut op: impl FnMut(RawFd) -> io::Result<R>) -> Tried<R> {
        if !self.source.may_be_ready(self.direction)? {
            return Ok(None);
        }
        // Where it is known to be ready nobody waits, this one neither.
        self.place = None;
        loop {
            match op(self.source.raw) {
                Ok(done) => return Ok(Some(done)),
                Err(error) => match error.kind() {
                    ErrorKind::WouldBlock => return Ok(None),
                    ErrorKind::Interrupted => {}
                    _ => return Err(error),
                },
            }
        }
    }

    /// The second half: what was tried, or if that would block, a wait for the next event. It
    /// clones a waker and drops one, which may run any code: not to be called under a borrow.
    #[inline]
    pub(crate) fn or_park<R>(
        &mut self,
        cx: &mut Context<'_>,
        tried: Tried<R>,
    ) -> Poll<io::Result<R>> {
        match tried {
            Ok(Some(done)) => Poll::Ready(Ok(done)),
            Ok(None) => self.park(cx),
            Err(error) => Poll::Ready(Err(error)),
        }
    }

    /// Waits until the descriptor is ready, asking poll(2) each time: right also for one that
    /// others read from.
    pub(crate) fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match poll_now(self.source.raw, self.direction == Direction::Write) {
            Ok(true) => Poll::Ready(Ok(())),
            Ok(false) => self.park(cx),
            Err(error) => Poll::Ready(Err(error)),
        }
    }

    /// What the descriptor is.
    #[inline(always)]
    pub(crate) fn kind(&self) -> Kind {
        self.source.kind
    }

    /// The last read or write moved less than asked: nothing is left.
    #[inline]
    pub(crate) fn drained(&self) {
        self.source.drained(self.direction);
    }

    /// Nothing to be had: the next event of the direction wakes `cx`.
    fn park<R>(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<R>> {
        match Kernel::with(|kernel| self.park_on(kernel, cx)).unwrap_or_else(|| Err(no_loop())) {
            Ok(()) => Poll::Pending,
            Err(error) => Poll::Ready(Err(error)),
        }
    }

    fn park_on(&mut self, kernel: &Kernel, cx: &mut Context<'_>) -> io::Result<()> {
        if !self.source.is_at_home(kernel)? {
            self.source.register(kernel)?;
        }
        let (home, key, direction) = (kernel.id, self.source.key(), self.direction);
        let mut id = match self.place {
            _ if self.standing => Some(WaiterId::STANDING),
            Some(place) if place.home == home && place.key == key => Some(place.id),
            _ => None,
        };
        let waker = cx.waker().clone();
        let replaced = {
            let mut reactor = kernel.reactor.borrow_mut();
            reactor.wait(key, direction, &mut id, waker)
        };
        drop(replaced);
        if !self.standing {
            self.place = id.map(|id| Place { home, key, id });
        }
        Ok(())
    }
}

impl Drop for Wait<'_> {
    #[inline]
    fn drop(&mut self) {
        if let Some(place) = self.place {
            place.leave(self.direction);
        }
    }
}

impl Place {
    #[inline(never)]
    fn leave(self, direction: Direction) {
        let Place { home, key, id } = self;
        let forget = move |kernel: &Kernel| {
            let forgotten = kernel.reactor.borrow_mut().forget(key, direction, id);
            drop(forgotten);
        };
        on_loop(home, forget);
    }
}

#[cold]
fn wrong_loop() -> io::Error {
    io::Error::other(
        "this descriptor belongs to another event loop: use it on the thread of that loop, or \
         move it here with from_std(socket.into_std())",
    )
}

/// For whoever would have to wait, where no loop runs.
#[cold]
pub(crate) fn no_loop() -> io::Error {
    io::Error::other(
        "waiting for a descriptor needs a running event loop on this thread: use petla::run(..)",
    )
}
