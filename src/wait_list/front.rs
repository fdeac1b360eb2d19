//! A word before the list: what makes a free lock cost one compare-and-swap, or one store.
//!
//! A lock is mostly free. While nobody waits, all there is to know is one word, and the list is
//! not touched, or not even there: a `local` list is made when somebody first waits, so that a
//! constructor is `const`, and a lock that never had a waiter allocates nothing.
//!
//! The word says `value << 1 | WAITERS`. The policy of the list keeps it, and changes it under
//! the lock; whoever finds WAITERS set must go there. In `Shared` that word is the front. In
//! `Local` the list stands elsewhere, and must be able to hand a lapsed grant on when its
//! primitive moved or is gone; so the front has a word of its own.
//!
//! # Invariants
//! - **Waiters**: when the list's lock is released, WAITERS is set in the policy's word exactly
//!   if somebody is in line. While it is set the word is written under the lock only.
//! - **Sum** (`Local`): the value is the sum of the two words. [`Front::enter`] moves all of it
//!   inside and closes the front, whose word is [`WAITERS`] alone then; [`Front::leave`] moves it
//!   out if nobody is in line. Somebody gets in line only while the front is closed, so `enter`
//!   is called where no foreign code can come between; after the lock it can, so `leave` may find
//!   the front open, and adds. Who cannot come by the front (a lapse, a dropped waiter) leaves
//!   what it gives back inside, where the next one finds it who finds too little in front.
//!
//! # Cost
//! `Local`: a word and a pointer. `Shared`: a word, a mutex and a line.
//!
//! # Not here
//! What the value means: `primitives::permits`.

use std::cell::{Cell, OnceCell};
use std::fmt::{self, Debug, Formatter};
use std::rc::Rc;

use super::mode::{InPlace, Local, Mode, Shared};
use super::{Lines, Policy, WaitList};
use crate::rt::Ordering;

/// Somebody waits: the word is changed under the lock only.
pub(crate) const WAITERS: usize = 1;

/// A policy that keeps the word of a [`Front`].
pub trait Worded<M: Mode>: Policy<M, State: Default> + Default {
    fn word(&self) -> &M::Word;
}

/// A list with a word before it.
pub trait Front<P: Worded<M>, M: Mode> {
    /// The word, for those who change it without the lock. It counts if WAITERS is not set.
    fn word(&self) -> &M::Word;

    /// The list, made if there is none, with the word inside. It may be called under the lock.
    fn enter(&self) -> &WaitList<P, M>;

    /// To be called when the list's lock was released by somebody who came with `enter`.
    fn leave(&self);

    /// The list, if there is one.
    fn list(&self) -> Option<&WaitList<P, M>>;

    /// The word as a whole, wherever it is.
    fn value(&self) -> usize;

    /// Runs `f` under the lock, then grants and wakes whatever that made possible.
    fn settle<R>(&self, f: impl FnOnce(&mut P::State, &mut Lines<'_, M>) -> R) -> R {
        let result = self.enter().settle(f);
        self.leave();
        result
    }
}

/// The word here, the list elsewhere.
pub struct LocalFront<P: Worded<Local>> {
    word: Cell<usize>,
    list: OnceCell<Rc<WaitList<P, Local>>>,
}

impl<P: Worded<Local>> LocalFront<P> {
    pub(crate) const fn new(word: usize) -> Self {
        LocalFront {
            word: Cell::new(word),
            list: OnceCell::new(),
        }
    }
}

impl<P: Worded<Local>> Front<P, Local> for LocalFront<P> {
    #[inline(always)]
    fn word(&self) -> &Cell<usize> {
        &self.word
    }

    fn enter(&self) -> &WaitList<P, Local> {
        let make = || Local::anchor(P::default(), P::State::default());
        let list = self.list.get_or_init(make);
        let inside = list.policy().word();
        if self.word.get() != WAITERS {
            inside.set(inside.get() + self.word.replace(WAITERS));
        }
        list
    }

    fn leave(&self) {
        if let Some(list) = self.list.get() {
            let inside = list.policy().word();
            if inside.get() & WAITERS == 0 {
                let before = match self.word.get() {
                    WAITERS => 0,
                    word => word,
                };
                self.word.set(before + inside.replace(0));
            }
        }
    }

    fn value(&self) -> usize {
        let inside = self.list().map_or(0, |list| list.policy().word().get());
        match self.word.get() {
            WAITERS => inside,
            word => word + inside,
        }
    }

    fn list(&self) -> Option<&WaitList<P, Local>> {
        self.list.get().map(|list| &**list)
    }
}

impl<P: Worded<Local>> Debug for LocalFront<P> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_tuple("LocalFront").field(&self.word.get()).finish()
    }
}

impl<P: Worded<Shared>> Front<P, Shared> for InPlace<WaitList<P, Shared>> {
    #[inline(always)]
    fn word(&self) -> &<Shared as Mode>::Word {
        self.0.policy().word()
    }

    #[inline(always)]
    fn enter(&self) -> &WaitList<P, Shared> {
        &self.0
    }

    #[inline(always)]
    fn leave(&self) {}

    fn value(&self) -> usize {
        self.word().load(Ordering::Acquire)
    }

    #[inline(always)]
    fn list(&self) -> Option<&WaitList<P, Shared>> {
        Some(&self.0)
    }
}
