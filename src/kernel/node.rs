//! [`Node`]: a scope's place in the tree of what can be cancelled, and which place is current.
//!
//! A future that can be cancelled with all that is in it (a scope, a timeout, a group) enters its
//! node for each poll of its body. A scope that begins inside finds it as the current one.
//!
//! Nodes are plain data, like timers, so that a `Timeout` is `Send`. They follow their future: it
//! may be polled below another scope, in another task or on another loop than the last time.
//!
//! A timeout is used for every read of every connection, and most have no scope inside. So it is
//! *lazy*: it counts itself in, and gets a node only when a scope begins inside. Counting is all
//! that it does otherwise: two loads, an addition and a store, before and after its poll.
//!
//! # Invariants
//! - **Nested**: guards are dropped in the reverse order of their making, so `current` always is
//!   what the innermost future that is being polled has set, or belongs to another task.
//! - **Counted**: `lazy` says how many lazy futures are around what is polled, inside the current
//!   node and in the running task. So whatever makes another node or another task current inside a
//!   poll, makes `lazy` 0, and puts it back.
//! - **All at once**: when a scope begins inside lazy futures, all of them get a node, each below
//!   the one around it, and `lazy` becomes 0. So a lazy future that finds `lazy` at 0 when it
//!   leaves owns the current node; that node's parent becomes current, and is the next one's.
#![forbid(unsafe_code)]

use std::cell::{Cell, RefCell};
use std::mem;
use std::task::{Context, Waker};

use super::cancel_tree::{Index, Kind, Tree};
use super::{Kernel, on_loop};
use crate::mailbox::LoopId;
use crate::task::Header;
use crate::task::token::{self, drop_safely, wake_safely};

/// What is being polled, as far as scopes go.
#[derive(Clone, Copy, Default)]
struct Current {
    /// The task that this is about; what another task has set means nothing.
    task: u64,
    /// The innermost node. Without one it is the task's own, to be made.
    node: Option<Index>,
    /// A clean-up: what begins in it is below nothing.
    sheltered: bool,
}

impl Current {
    /// Directly in a task.
    fn of(task: u64) -> Current {
        Current {
            task,
            ..Current::default()
        }
    }

    fn inside(index: Index) -> Current {
        Current {
            node: Some(index),
            ..Current::of(running())
        }
    }
}

/// The number of the task that runs; no task has 0.
fn running() -> u64 {
    token::current().map_or(0, Header::id)
}

#[derive(Default)]
pub(super) struct Scopes {
    tree: RefCell<Tree>,
    current: Cell<Current>,
    /// So many lazy futures are inside the current node, around what is polled.
    lazy: Cell<u32>,
    /// A clean-up is being polled: it may spawn even while the loop closes.
    cleaning: Cell<bool>,
    /// Tasks that are nothing but clean-ups.
    cleaners: Cell<usize>,
}

impl Scopes {
    /// Makes `current` current, with nothing lazy inside; until the guard is dropped.
    fn enter(&self, current: Current) -> Inside {
        let outer = self.current.replace(current);
        Inside(Some((outer, self.lazy.replace(0))))
    }
}

/// A node, or the right to one. Dropping it closes it.
#[derive(Debug, Default)]
pub(crate) struct Node {
    place: Option<Place>,
    /// Its future made way, and waits to be dropped.
    is_out: bool,
}

#[derive(Debug, Clone, Copy)]
struct Place {
    home: LoopId,
    index: Index,
}

impl Node {
    pub(crate) const fn new() -> Self {
        Node {
            place: None,
            is_out: false,
        }
    }

    /// Is it open, or was it until its future made way?
    pub(crate) fn is_used(&self) -> bool {
        self.place.is_some() || self.is_out
    }

    /// Opens the node, or moves it below what is current now, and notes the future's waker.
    /// Without a loop nothing is above and nothing inside.
    pub(crate) fn open(&mut self, cx: &Context<'_>, shield: bool) {
        if self.is_out {
            return;
        }
        let home = Kernel::with(Kernel::id);
        if self.place.is_some_and(|place| Some(place.home) != home) {
            self.close();
        }
        Kernel::with(|kernel| {
            let parent = kernel.current_node();
            let kind = if shield { Kind::Shield } else { Kind::Scope };
            let mut tree = kernel.scopes.tree.borrow_mut();
            let place = self.place.get_or_insert_with(|| Place {
                home: kernel.id,
                index: tree.open(parent, kind),
            });
            let index = place.index;
            let woken = tree.move_below(index, parent);
            tree.note_poll(index);
            drop(tree);
            woken.into_iter().for_each(wake_safely);
            // Foreign code: the place is noted before.
            kernel.note_waker(index, cx.waker());
        });
    }

    /// Polls a future in this node, which is made only when a scope begins in it.
    #[inline]
    pub(crate) fn poll_lazily<R>(
        &mut self,
        cx: &mut Context<'_>,
        poll: impl FnOnce(&mut Context<'_>) -> R,
    ) -> R {
        let lazily = Lazily::enter();
        let polled = poll(cx);
        if let Some(made) = lazily.leave(cx) {
            *self = made;
        }
        polled
    }

    /// Makes the node the current one, until the guard is dropped.
    pub(crate) fn enter(&self) -> Inside {
        let inside = |kernel: &Kernel, index| kernel.scopes.enter(Current::inside(index));
        self.with(inside).unwrap_or(Inside(None))
    }

    /// Its number in its loop, for the block of a group.
    pub(super) fn index(&self) -> Option<Index> {
        self.place.map(|place| place.index)
    }

    /// Has something above been cancelled?
    pub(crate) fn is_doomed(&self) -> bool {
        self.with(|kernel, index| kernel.scopes.tree.borrow().is_doomed(index)) == Some(true)
    }

    /// Is something open inside?
    pub(crate) fn has_children(&self) -> bool {
        self.with(|kernel, index| kernel.has_open_scopes(index)) == Some(true)
    }

    /// Has what is inside been cancelled?
    pub(crate) fn is_cancelled(&self) -> bool {
        self.with(|kernel, index| kernel.scopes.tree.borrow().is_cancelled(index)) == Some(true)
    }

    /// Is something open inside that still is polled?
    pub(crate) fn is_held(&self) -> bool {
        self.with(Kernel::is_held) == Some(true)
    }

    /// Is a shield open inside, that still is polled?
    pub(crate) fn has_shield_inside(&self) -> bool {
        let has = |kernel: &Kernel, index| kernel.scopes.tree.borrow().has_shield_below(index);
        self.with(has) == Some(true)
    }

    /// Cancels what is inside.
    pub(crate) fn doom_inside(&self) {
        self.with(Kernel::doom_below);
    }

    /// Closes the node if it is doomed and nothing is open inside: its future is to be dropped by
    /// what was cancelled above, and does nothing until then.
    pub(crate) fn make_way(&mut self) -> bool {
        if self.is_doomed() && !self.has_children() {
            self.close();
            self.is_out = true;
        }
        self.is_out
    }

    /// Keeps out what is cancelled above, or lets it in; gives the wakers of what that cancels.
    #[must_use = "what was cancelled is to be woken"]
    pub(crate) fn set_shield(&self, shield: bool) -> Vec<Waker> {
        let set = |kernel: &Kernel, index| {
            let mut tree = kernel.scopes.tree.borrow_mut();
            tree.set_shield(index, shield)
        };
        self.with(set).unwrap_or_default()
    }

    /// Closes the node: whoever waits for what is inside is told.
    pub(crate) fn close(&mut self) {
        if let Some(Place { home, index }) = self.place.take() {
            on_loop(home, move |kernel| kernel.close_node(index));
        }
    }

    fn with<R>(&self, f: impl FnOnce(&Kernel, Index) -> R) -> Option<R> {
        let place = self.place?;
        Kernel::with(|kernel| (kernel.id == place.home).then(|| f(kernel, place.index))).flatten()
    }
}

impl Drop for Node {
    #[inline]
    fn drop(&mut self) {
        if self.place.is_some() {
            self.close();
        }
    }
}

/// Runs `f`, which polls a clean-up: nothing that is cancelled outside dooms what is inside.
pub(crate) fn clean_up<R>(f: impl FnOnce() -> R) -> R {
    struct Cleaning(bool);
    impl Drop for Cleaning {
        fn drop(&mut self) {
            Kernel::with(|kernel| kernel.scopes.cleaning.set(self.0));
        }
    }
    let _guards = Kernel::with(|kernel| {
        let inside = kernel.scopes.enter(Current {
            sheltered: true,
            ..Current::of(running())
        });
        (inside, Cleaning(kernel.scopes.cleaning.replace(true)))
    });
    f()
}

/// Counts a task that is nothing but clean-ups: a loop that is closed waits for it.
#[derive(Debug)]
pub(crate) struct Cleaner(LoopId);

impl Cleaner {
    pub(crate) fn new(kernel: &Kernel) -> Cleaner {
        let count = &kernel.scopes.cleaners;
        count.set(count.get() + 1);
        Cleaner(kernel.id)
    }
}

impl Drop for Cleaner {
    /// Maybe on another loop: a group, and a will of its child, may be dropped anywhere.
    fn drop(&mut self) {
        on_loop(self.0, |kernel| {
            let count = &kernel.scopes.cleaners;
            count.set(count.get().saturating_sub(1));
        });
    }
}

/// Until the guard is dropped another task runs, inside a poll of this one.
pub(super) fn leave_task() -> Inside {
    Kernel::with(|kernel| kernel.scopes.enter(Current::default())).unwrap_or(Inside(None))
}

/// Puts back what was current before.
#[must_use = "the node is left when this is dropped"]
pub(crate) struct Inside(Option<(Current, u32)>);

impl Drop for Inside {
    fn drop(&mut self) {
        if let Some((outer, lazy)) = self.0 {
            Kernel::with(|kernel| {
                kernel.scopes.current.set(outer);
                kernel.scopes.lazy.set(lazy);
            });
        }
    }
}

/// A poll of a future that gets a node only when a scope begins inside.
#[must_use = "ends with `leave`"]
struct Lazily(());

impl Lazily {
    #[inline]
    fn enter() -> Lazily {
        Kernel::with(|kernel| {
            let lazy = &kernel.scopes.lazy;
            lazy.set(lazy.get() + 1);
        });
        Lazily(())
    }

    /// Ends the poll: the node, if there is one now.
    #[inline]
    fn leave(self, cx: &Context<'_>) -> Option<Node> {
        mem::forget(self);
        Kernel::with(|kernel| kernel.leave_lazily().then(|| kernel.take_made(cx.waker())))?
    }
}

impl Drop for Lazily {
    /// The poll panicked.
    fn drop(&mut self) {
        let made = |kernel: &Kernel| {
            kernel
                .leave_lazily()
                .then(|| kernel.take_made(Waker::noop()))
        };
        drop(Kernel::with(made));
    }
}

impl Kernel {
    /// Counts a lazy future out; true if it was counted out when it got a node.
    #[inline]
    fn leave_lazily(&self) -> bool {
        let lazy = &self.scopes.lazy;
        let left = lazy.get().checked_sub(1);
        lazy.set(left.unwrap_or(0));
        left.is_none()
    }

    /// The node of the lazy future that leaves, whose waker is `waker`; the one around it is
    /// current now.
    #[cold]
    #[inline(never)]
    fn take_made(&self, waker: &Waker) -> Node {
        let mut current = self.scopes.current.get();
        let place = current.node.map(|index| {
            current.node = self.scopes.tree.borrow().parent(index);
            self.scopes.current.set(current);
            self.note_waker(index, waker);
            Place {
                home: self.id,
                index,
            }
        });
        Node {
            place,
            is_out: false,
        }
    }

    /// The node that a scope beginning now is below; `None` outside of tasks.
    fn current_node(&self) -> Option<Index> {
        // A task that was refused at birth, or is being dropped by its group, has no slot, hence
        // no waker; the latter's node may be another loop's.
        let task = token::current().filter(|task| task.has_slot())?;
        let mut current = self.scopes.current.get();
        if current.task != task.id() {
            current = Current::of(task.id());
        }
        let mut node = match current.node {
            None if current.sheltered => None,
            None => Some(self.root(task)),
            node => node,
        };
        let lazy = self.scopes.lazy.replace(0);
        if lazy > 0 {
            let mut tree = self.scopes.tree.borrow_mut();
            for _ in 0..lazy {
                node = Some(tree.open(node, Kind::Scope));
            }
            current.node = node;
            self.scopes.current.set(current);
        }
        node
    }

    /// The task's own node, made now if need be: below its group's, if it is a child.
    fn root(&self, task: &Header) -> Index {
        if let Some(root) = task.scope() {
            return root;
        }
        let outer = self.run.group_node(task.slot());
        let root = self.scopes.tree.borrow_mut().open(outer, Kind::Task);
        task.set_scope(Some(root));
        let waker = token::waker(
            self.run.loop_index(),
            self.run.generation(task.slot()),
            task.slot(),
        );
        self.note_waker(root, &waker);
        root
    }

    fn note_waker(&self, index: Index, waker: &Waker) {
        if !self.scopes.tree.borrow().needs_waker(index, waker) {
            return;
        }
        let waker = waker.clone();
        let old = self.scopes.tree.borrow_mut().set_waker(index, waker);
        drop(old);
    }

    pub(super) fn has_open_scopes(&self, index: Index) -> bool {
        self.scopes.tree.borrow().has_children(index)
    }

    pub(super) fn is_held(&self, index: Index) -> bool {
        self.scopes.tree.borrow().is_held(index)
    }

    pub(super) fn doom_below(&self, index: Index) {
        let woken = self.scopes.tree.borrow_mut().doom_below(index);
        woken.into_iter().for_each(wake_safely);
    }

    pub(super) fn close_node(&self, index: Index) {
        let ([own, parent], doomed) = self.scopes.tree.borrow_mut().close(index);
        drop_safely(own);
        parent.into_iter().chain(doomed).for_each(wake_safely);
    }

    /// Is there anything that a loop which closes has to wait for?
    pub(super) fn has_clean_ups(&self) -> bool {
        self.scopes.cleaners.get() > 0 || self.scopes.tree.borrow().is_busy()
    }

    /// Is a clean-up being polled?
    pub(super) fn is_cleaning(&self) -> bool {
        self.scopes.cleaning.get()
    }
}
