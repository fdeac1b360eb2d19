//! The two worlds every primitive lives in: one thread, or many.
//!
//! `local` primitives are used by the tasks of one loop, and pay for no atomic instruction;
//! `sync` primitives are used between loops and threads. Two copies of one algorithm drift
//! apart, so everything above is written once, generic over a [`Mode`], which says how a word
//! is loaded and stored, how a value is guarded, where a primitive lives, and whether a grant
//! that its task sleeps through lapses.
//!
//! | | [`Local`] | [`Shared`] |
//! | --- | --- | --- |
//! | word | `Cell` | atomic |
//! | guarded value | cell with a re-entry check | mutex |
//! | anchored at | a heap allocation | where it is |
//! | unclaimed grants | lapse | stay |
//!
//! # Invariants
//! - **Exclusive**: `Guarded::with` never has two `&mut` to its value: the mutex of `Shared`,
//!   the `busy` flag of `Local` (whose cells keep it on one thread).
//!
//! # Not here
//! Compare-and-swap on words: a queue needs none; a semaphore will.

use std::cell::Cell;
use std::fmt::Debug;
use std::ops::Deref;
use std::ptr::NonNull;
use std::rc::Rc;

use super::node::Node;
use super::{Policy, WaitList, lapse};
use crate::context;
use crate::rt::{self, AtomicUsize, Mutex, Ordering, UnsafeCell};

/// Who may share a primitive: the tasks of one thread ([`Local`]) or of many ([`Shared`]).
///
/// Sealed. The aliases in [`local`](crate::local) and [`sync`](crate::sync) choose one.
pub trait Mode: sealed::Sealed + Debug + Sized + 'static {
    #[doc(hidden)]
    type Word: Word;
    #[doc(hidden)]
    type Guarded<T>: Guarded<T>;
    /// What a list knows about itself for the sake of lapses.
    #[doc(hidden)]
    type Home: Debug;
    /// Where an anchored list lives.
    #[doc(hidden)]
    type Place<T>: Deref<Target = T>;

    /// Puts a new list where it stays at one address for as long as its grants can lapse.
    #[doc(hidden)]
    fn anchor<P: Policy<Self>>(policy: P, state: P::State) -> Self::Place<WaitList<P, Self>>;

    /// The task that a waiter met now waits for, if grants to it can lapse.
    #[doc(hidden)]
    fn task() -> u32;

    /// The poll under way on this thread, if grants can lapse.
    #[doc(hidden)]
    fn poll_number() -> u32;

    /// Notes a right granted to `node`, which waits in a list with this `home`; whether it is
    /// now listed among the unclaimed grants.
    ///
    /// # Safety
    /// `node` does not dangle, is alone, and its links are the caller's.
    #[doc(hidden)]
    unsafe fn list_grant(node: NonNull<Node<Self>>, home: &Self::Home) -> bool;

    /// Takes `node` off the unclaimed grants.
    ///
    /// # Safety
    /// `list_grant` said that it listed the node, and nothing took it off since.
    #[doc(hidden)]
    unsafe fn unlist_grant(node: NonNull<Node<Self>>);
}

/// One loop, one thread: no atomics, not `Send`.
#[derive(Debug, Clone, Copy)]
pub struct Local;

/// Between loops and threads: `Send + Sync`.
#[derive(Debug, Clone, Copy)]
pub struct Shared;

mod sealed {
    pub trait Sealed {}
    impl Sealed for super::Local {}
    impl Sealed for super::Shared {}
}

impl Mode for Local {
    type Word = Cell<usize>;
    type Guarded<T> = Bare<T>;
    type Home = lapse::Home;
    type Place<T> = Rc<T>;

    fn anchor<P: Policy<Self>>(policy: P, state: P::State) -> Rc<WaitList<P, Self>> {
        let list = Rc::new(WaitList::new(lapse::Home::of::<P>(), policy, state));
        lapse::Home::anchor(&list);
        list
    }

    #[inline(always)]
    fn task() -> u32 {
        context::task()
    }

    #[inline(always)]
    fn poll_number() -> u32 {
        context::poll_number()
    }

    #[inline(always)]
    unsafe fn list_grant(node: NonNull<Node<Self>>, home: &lapse::Home) -> bool {
        // SAFETY: the caller's promise is the same.
        unsafe { lapse::list(node, home) }
    }

    #[inline(always)]
    unsafe fn unlist_grant(node: NonNull<Node<Self>>) {
        // SAFETY: the caller's promise is the same.
        unsafe { lapse::unlist(node) }
    }
}

impl Mode for Shared {
    type Word = AtomicUsize;
    type Guarded<T> = Mutex<T>;
    type Home = ();
    type Place<T> = InPlace<T>;

    fn anchor<P: Policy<Self>>(policy: P, state: P::State) -> InPlace<WaitList<P, Self>> {
        InPlace(WaitList::new((), policy, state))
    }

    #[inline(always)]
    fn task() -> u32 {
        context::NO_TASK
    }

    #[inline(always)]
    fn poll_number() -> u32 {
        0
    }

    #[inline(always)]
    unsafe fn list_grant(_: NonNull<Node<Self>>, (): &()) -> bool {
        false
    }

    #[inline(always)]
    unsafe fn unlist_grant(_: NonNull<Node<Self>>) {}
}

/// One machine word that its mode's sharers read and write.
pub trait Word {
    fn new(value: usize) -> Self;
    fn load(&self, order: Ordering) -> usize;
    fn store(&self, value: usize, order: Ordering);
}

impl Word for Cell<usize> {
    #[inline(always)]
    fn new(value: usize) -> Self {
        Cell::new(value)
    }

    #[inline(always)]
    fn load(&self, _: Ordering) -> usize {
        self.get()
    }

    #[inline(always)]
    fn store(&self, value: usize, _: Ordering) {
        self.set(value);
    }
}

impl Word for AtomicUsize {
    #[inline(always)]
    fn new(value: usize) -> Self {
        AtomicUsize::new(value)
    }

    #[inline(always)]
    fn load(&self, order: Ordering) -> usize {
        self.load(order)
    }

    #[inline(always)]
    fn store(&self, value: usize, order: Ordering) {
        self.store(value, order);
    }
}

/// A value that is reached only through a closure, so that no reference to it leaks.
pub trait Guarded<T> {
    fn new(value: T) -> Self;
    fn with<R>(&self, f: impl FnOnce(&mut T) -> R) -> R;
}

impl<T> Guarded<T> for Mutex<T> {
    fn new(value: T) -> Self {
        Mutex::new(value)
    }

    #[inline]
    fn with<R>(&self, f: impl FnOnce(&mut T) -> R) -> R {
        f(&mut rt::lock(self))
    }
}

/// A value guarded by nothing but the check that nobody is in it already.
#[derive(Debug)]
pub struct Bare<T> {
    busy: Cell<bool>,
    value: UnsafeCell<T>,
}

impl<T> Guarded<T> for Bare<T> {
    fn new(value: T) -> Self {
        Bare {
            busy: Cell::new(false),
            value: UnsafeCell::new(value),
        }
    }

    #[inline(always)]
    fn with<R>(&self, f: impl FnOnce(&mut T) -> R) -> R {
        let _entered = Entered::new(&self.busy);
        self.value.with_mut(|value| {
            // SAFETY: `busy` was false and is true until `_entered` drops (Exclusive).
            f(unsafe { &mut *value })
        })
    }
}

/// Holds the `busy` flag of a [`Bare`].
struct Entered<'a>(&'a Cell<bool>);

impl<'a> Entered<'a> {
    #[inline(always)]
    fn new(busy: &'a Cell<bool>) -> Self {
        assert!(
            !busy.replace(true),
            "a primitive was used from inside `Ord::cmp` of its items"
        );
        Entered(busy)
    }
}

impl Drop for Entered<'_> {
    #[inline(always)]
    fn drop(&mut self) {
        self.0.set(false);
    }
}

/// A list that lives where its primitive lives.
#[derive(Debug)]
pub struct InPlace<T>(T);

impl<T> Deref for InPlace<T> {
    type Target = T;

    #[inline(always)]
    fn deref(&self) -> &T {
        &self.0
    }
}
