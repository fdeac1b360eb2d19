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
//! | shared by owners | `Rc` | `Arc` |
//! | unclaimed grants | lapse | stay |
//!
//! # Invariants
//! - **Exclusive**: `Guarded::with` never has two `&mut` to its value: the mutex of `Shared`,
//!   the `busy` flag of `Local` (whose cells keep it on one thread).
//!
//! # Not here
//! The two places a word can have before its list: `front`.

use std::cell::Cell;
use std::fmt::Debug;
use std::ops::Deref;
use std::ptr::NonNull;
use std::rc::Rc;

use super::front::{Front, LocalFront, Worded};
use super::lazy::LocalLazy;
use super::node::Node;
use super::{Inner, Policy, WaitList, lapse};
use crate::context;
use crate::rt::{self, Arc, AtomicUsize, Mutex, Ordering, UnsafeCell, const_fn};

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
    /// A list with a word that is used without it while nobody waits.
    #[doc(hidden)]
    type Front<P: Worded<Self>>: Front<P, Self>;
    /// An anchored list that is made when it is first used.
    #[doc(hidden)]
    type Lazy<P: Policy<Self>>: Deref<Target = WaitList<P, Self>>;
    /// What several owners share: `Rc` or `Arc`.
    #[doc(hidden)]
    type Ref<T>: Deref<Target = T> + Clone;

    #[doc(hidden)]
    fn share<T>(value: T) -> Self::Ref<T>;

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

    /// Notes that `node` waits in the list with this `home` from now on, where that may be
    /// another than it was put in. Only a leaked node's can be.
    ///
    /// # Safety
    /// The lock of the list with this `home` is held, and `node` is in one of its lines.
    #[doc(hidden)]
    unsafe fn adopt(node: &Node<Self>, home: NonNull<Self::Home>);

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
    type Front<P: Worded<Self>> = LocalFront<P>;
    type Lazy<P: Policy<Self>> = LocalLazy<P>;
    type Ref<T> = Rc<T>;

    fn share<T>(value: T) -> Rc<T> {
        Rc::new(value)
    }

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
    unsafe fn adopt(node: &Node<Self>, home: NonNull<lapse::Home>) {
        // SAFETY: the caller's promise.
        unsafe { node.set_home(home) };
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
    type Front<P: Worded<Self>> = InPlace<WaitList<P, Self>>;
    type Lazy<P: Policy<Self>> = InPlace<WaitList<P, Self>>;
    type Ref<T> = Arc<T>;

    fn share<T>(value: T) -> Arc<T> {
        Arc::new(value)
    }

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

    /// Nothing: nobody but a node's owner follows its pointer, and a leaked one has none.
    #[inline(always)]
    unsafe fn adopt(_: &Node<Self>, _: NonNull<()>) {}

    #[inline(always)]
    unsafe fn unlist_grant(_: NonNull<Node<Self>>) {}
}

impl<P: Policy<Local>> WaitList<P, Local> {
    const_fn! {
        /// A list whose grants do not lapse: it may move while nobody waits.
        pub(crate) fn in_place(policy: P, state: P::State, lines: P::Lines) -> Self {
            WaitList {
                home: lapse::Home::of::<P>(),
                policy,
                guarded: Bare {
                    busy: Cell::new(false),
                    value: UnsafeCell::new(Inner { state, lines }),
                },
            }
        }
    }
}

impl<P: Policy<Shared>> WaitList<P, Shared> {
    const_fn! {
        /// A list that may move while nobody waits.
        pub(crate) fn in_place(policy: P, state: P::State, lines: P::Lines) -> Self {
            WaitList {
                home: (),
                policy,
                guarded: Mutex::new(Inner { state, lines }),
            }
        }
    }
}

/// One machine word that its mode's sharers read and write.
pub trait Word: Debug {
    fn new(value: usize) -> Self;
    fn load(&self, order: Ordering) -> usize;
    fn store(&self, value: usize, order: Ordering);
    /// Replaces `current` by `new`, with `order` if it was there; else what is there.
    fn replace(&self, current: usize, new: usize, order: Ordering) -> Result<(), usize>;
    /// Adds, wrapping around, and gives what was there.
    fn add(&self, value: usize, order: Ordering) -> usize;
    /// Sets bits, and gives what was there.
    fn set_bits(&self, bits: usize, order: Ordering) -> usize;
    /// Clears bits, and gives what was there.
    fn clear_bits(&self, bits: usize, order: Ordering) -> usize;
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

    #[inline(always)]
    fn replace(&self, current: usize, new: usize, _: Ordering) -> Result<(), usize> {
        let found = self.get();
        if found != current {
            return Err(found);
        }
        self.set(new);
        Ok(())
    }

    #[inline(always)]
    fn add(&self, value: usize, _: Ordering) -> usize {
        Cell::replace(self, self.get().wrapping_add(value))
    }

    #[inline(always)]
    fn set_bits(&self, bits: usize, _: Ordering) -> usize {
        Cell::replace(self, self.get() | bits)
    }

    #[inline(always)]
    fn clear_bits(&self, bits: usize, _: Ordering) -> usize {
        Cell::replace(self, self.get() & !bits)
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

    #[inline(always)]
    fn replace(&self, current: usize, new: usize, order: Ordering) -> Result<(), usize> {
        self.compare_exchange(current, new, order, Ordering::Relaxed)
            .map(drop)
    }

    #[inline(always)]
    fn add(&self, value: usize, order: Ordering) -> usize {
        self.fetch_add(value, order)
    }

    #[inline(always)]
    fn set_bits(&self, bits: usize, order: Ordering) -> usize {
        self.fetch_or(bits, order)
    }

    #[inline(always)]
    fn clear_bits(&self, bits: usize, order: Ordering) -> usize {
        self.fetch_and(!bits, order)
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
pub struct InPlace<T>(pub(crate) T);

impl<T> Deref for InPlace<T> {
    type Target = T;

    #[inline(always)]
    fn deref(&self) -> &T {
        &self.0
    }
}
