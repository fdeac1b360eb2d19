//! Grants that their task sleeps through: found after the task's poll, and passed on.
//!
//! A task may hold a future that waits for a lock, not poll it any more (a `select` in a loop
//! does that), and wait for something else. When the lock is granted to that future, the task
//! is woken, does not look there, and the lock stays granted to nobody, possibly for ever: the
//! "futurelock". On one thread it can be detected exactly: a grant made before a task's poll
//! began, and unclaimed after it, was looked past. It *lapses*: the right goes to the next
//! waiter, and this one is Idle again, so that it starts at the tail when it is polled.
//!
//! After every poll the kernel asks [`has_unclaimed`], and if so calls [`after_poll`]. So that
//! the grants of a task are found without walking those of others, this thread's unclaimed grants
//! hang in a table of circles, hashed by task. The table grows when more than four grants a
//! circle are unclaimed, and goes back to its in-line circles when none is.
//!
//! # Invariants
//! - **Anchored**: a listed node's home lives in an `Rc` that `anchor` points to, so its address
//!   stays right even if the waiter was leaked and its primitive moved; when that `Rc` drops,
//!   `Home::drop` takes what is left off the table.
//! - **Table**: a node is in a circle of its thread's table exactly while it is Listed; the
//!   circle is `task % circles`.
//! - **Leaf**: the table calls no user code, so nothing comes back while it is in use.
//!
//! # Cost
//! Listing and claiming O(1). A poll: one load and a branch while nothing is unclaimed, else one
//! circle. The thread-local needs no destructor, so it is there as long as its thread.
//!
//! # Not here
//! `Shared`: another thread cannot know whether the task looked. News (`Lines::notify`): nobody
//! else could use them.

use std::cell::Cell;
use std::ptr::{self, NonNull};
use std::rc::Rc;

use super::lines::Line;
use super::mode::Local;
use super::node::{Links, Node, Phase, Slot};
use super::{Policy, WaitList};
use crate::context;
use crate::rt::Ordering;

/// Circles in the thread-local itself, 2 KiB: enough that some hundred tasks rarely share one,
/// as a shared one costs every poll of its tasks a look into it.
const CIRCLES: usize = 256;
/// How full, on average, a circle may get.
const CIRCLE_FILL: usize = 4;
const INLINE_LIMIT: usize = CIRCLES * CIRCLE_FILL;

thread_local! {
    static UNCLAIMED: Unclaimed = const {
        Unclaimed {
            count: Cell::new(0),
            limit: Cell::new(0),
            circles: Cell::new(ptr::slice_from_raw_parts(ptr::null(), 0)),
            inline: [const { Cell::new(Line::new()) }; CIRCLES],
        }
    };
}

/// This thread's unclaimed grants.
struct Unclaimed {
    count: Cell<usize>,
    /// How many there may be in these circles; 0 before the first grant.
    limit: Cell<usize>,
    /// The circles in use: null until the first grant, then `inline` or an allocation. Freed by
    /// hand: a destructor would be the thread-local's.
    circles: Cell<*const [Circle]>,
    inline: [Circle; CIRCLES],
}

type Circle = Cell<Line<Local>>;

impl Unclaimed {
    /// The circles in use, of which there is a power of two; none before the first grant.
    #[inline(always)]
    fn circles(&self) -> &[Circle] {
        let circles = self.circles.get();
        if circles.is_null() {
            return &[];
        }
        // SAFETY: not null, so `inline`, or an allocation that is freed when nobody looks (Leaf).
        unsafe { &*circles }
    }

    /// The circle of `task`; there is one after the first grant.
    #[inline(always)]
    fn circle(&self, task: u32) -> Option<&Circle> {
        let circles = self.circles();
        circles.get(task as usize & circles.len().wrapping_sub(1))
    }

    /// The first node in the circle of `task`, of that task or another.
    #[inline(always)]
    fn first(&self, task: u32) -> Option<NonNull<Node<Local>>> {
        let circle = self.circle(task)?;
        let line = circle.take();
        let first = line.first();
        circle.set(line);
        first
    }

    /// Hangs in a node that was just granted; there must be room.
    ///
    /// # Safety
    /// `node` does not dangle, is alone, its links are this thread's, and it is Listed before
    /// any user code runs.
    #[inline(always)]
    unsafe fn insert(&self, task: u32, node: NonNull<Node<Local>>) {
        let count = self.count.get();
        self.count.set(count + 1);
        let Some(circle) = self.circle(task) else {
            return;
        };
        let mut line = circle.take();
        // SAFETY: promised by the caller.
        unsafe { line.push_back(node) };
        circle.set(line);
    }

    /// Takes out a node.
    ///
    /// # Safety
    /// `node` is in the circle of this `task`.
    #[inline(always)]
    unsafe fn remove(&self, task: u32, node: NonNull<Node<Local>>) {
        let Some(circle) = self.circle(task) else {
            return;
        };
        let mut line = circle.take();
        // SAFETY: promised by the caller.
        unsafe { line.remove(node) };
        circle.set(line);
        let count = self.count.get() - 1;
        self.count.set(count);
        if count == 0 && self.limit.get() > INLINE_LIMIT {
            self.replace_circles(&self.inline);
        }
    }

    /// Makes room, then does the same.
    ///
    /// # Safety
    /// As for `insert`.
    #[cold]
    #[inline(never)]
    unsafe fn grow_and_insert(&self, task: u32, node: NonNull<Node<Local>>) {
        self.grow();
        // SAFETY: promised by the caller.
        unsafe { self.insert(task, node) };
    }

    /// Makes four times as many circles, or the first ones.
    fn grow(&self) {
        let old = self.circles();
        if old.is_empty() {
            self.circles.set(&self.inline);
            self.limit.set(INLINE_LIMIT);
            return;
        }
        let new: Box<[Circle]> = (0..old.len() * 4).map(|_| Circle::default()).collect();
        for circle in old {
            let mut line = circle.take();
            while let Some(node) = line.first() {
                // SAFETY: it is the first of this circle.
                unsafe { line.remove(node) };
                // SAFETY: a node of the table does not dangle (Pinned, Table).
                let task = unsafe { node.as_ref() }.status(Ordering::Relaxed).task();
                let circle = &new[task as usize & (new.len() - 1)];
                let mut line = circle.take();
                // SAFETY: it was just taken out of the table, and stays Listed.
                unsafe { line.push_back(node) };
                circle.set(line);
            }
        }
        self.replace_circles(Box::into_raw(new));
    }

    /// Uses other circles from now on; the present ones are empty.
    #[cold]
    #[inline(never)]
    fn replace_circles(&self, circles: *const [Circle]) {
        self.limit.set(circles.len() * CIRCLE_FILL);
        let old = self.circles.replace(circles);
        if !ptr::addr_eq(old, &self.inline) {
            // SAFETY: circles that are not `inline` came from a box, in `grow`.
            drop(unsafe { Box::from_raw(old.cast_mut()) });
        }
    }
}

/// What an anchored list of this thread knows about itself.
#[derive(Debug)]
pub struct Home {
    /// The `Rc` it lives in, or null.
    anchor: Cell<*const ()>,
    /// How many of its nodes are listed.
    listed: Cell<u32>,
    lapse: unsafe fn(anchor: *const (), node: NonNull<Node<Local>>),
}

impl Home {
    pub(super) const fn of<P: Policy<Local>>() -> Home {
        Home {
            anchor: Cell::new(ptr::null()),
            listed: Cell::new(0),
            lapse: lapse::<P>,
        }
    }

    /// Says where the list lives from now on.
    pub(super) fn anchor<P: Policy<Local>>(list: &Rc<WaitList<P, Local>>) {
        list.home().anchor.set(Rc::as_ptr(list).cast());
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        if self.listed.get() != 0 {
            forget(self);
        }
    }
}

/// Takes the grants of leaked waiters off the table: their list dies.
#[cold]
fn forget(home: &Home) {
    UNCLAIMED.with(|unclaimed| {
        for circle in unclaimed.circles() {
            let mut line = circle.take();
            for _ in 0..line.count() {
                let Some(node) = line.first() else { break };
                // SAFETY: it is the first of this circle.
                unsafe { line.remove(node) };
                // SAFETY: a node of the table does not dangle (Pinned, Table).
                let of = home_of(unsafe { node.as_ref() });
                if ptr::eq(of.as_ptr(), home) {
                    unclaimed.count.set(unclaimed.count.get() - 1);
                } else {
                    // SAFETY: it was just taken out of the table, and stays Listed.
                    unsafe { line.push_back(node) };
                }
            }
            circle.set(line);
        }
    });
}

/// Lists a grant, if it can lapse.
///
/// # Safety
/// As for `Mode::list_grant`.
pub(super) unsafe fn list(node: NonNull<Node<Local>>, home: &Home) -> bool {
    // SAFETY: the caller's promise: it does not dangle.
    let task = unsafe { node.as_ref() }.status(Ordering::Relaxed).task();
    if task == context::NO_TASK || home.anchor.get().is_null() {
        return false;
    }
    home.listed.set(home.listed.get() + 1);
    UNCLAIMED.with(|unclaimed| {
        if unclaimed.count.get() < unclaimed.limit.get() {
            // SAFETY: the caller's promise; it becomes Listed next.
            unsafe { unclaimed.insert(task, node) };
        } else {
            // SAFETY: as above.
            unsafe { unclaimed.grow_and_insert(task, node) };
        }
    });
    true
}

/// Whose grant it is; only a node that waited is listed, and it waited in some list.
#[inline(always)]
fn home_of(listed: &Node<Local>) -> NonNull<Home> {
    listed.home().expect("a listed node has a home")
}

/// Takes a Listed node off the table.
///
/// # Safety
/// As for `Mode::unlist_grant`.
pub(super) unsafe fn unlist(node: NonNull<Node<Local>>) {
    // SAFETY: Listed, so it does not dangle.
    let this = unsafe { node.as_ref() };
    // SAFETY: a listed node's home is alive (Anchored).
    let home = unsafe { home_of(this).as_ref() };
    home.listed.set(home.listed.get() - 1);
    let task = this.status(Ordering::Relaxed).task();
    // SAFETY: Listed, so it is there (Table).
    UNCLAIMED.with(|unclaimed| unsafe { unclaimed.remove(task, node) });
}

/// May there be grants to `task` that it has not claimed? To be asked after every poll.
#[inline(always)]
pub(crate) fn has_unclaimed(task: u32) -> bool {
    UNCLAIMED.with(|unclaimed| unclaimed.count.get() != 0 && unclaimed.first(task).is_some())
}

/// Lets the grants lapse that `task` looked past: those made before its poll number `poll`
/// began. To be called after a poll, if [`has_unclaimed`]. Unwinds if a waker panics.
#[inline(never)]
pub(crate) fn after_poll(task: u32, poll: u32) {
    while let Some(node) = looked_past(task, poll) {
        // SAFETY: a node of the table does not dangle (Pinned, Table).
        let home = home_of(unsafe { node.as_ref() });
        // SAFETY: a listed node's home is alive (Anchored).
        let home = unsafe { home.as_ref() };
        let (lapse, anchor) = (home.lapse, home.anchor.get());
        // SAFETY: the node is Listed, of the list with this home.
        unsafe { lapse(anchor, node) };
    }
}

/// The oldest grant to `task` that was made before its poll `poll`.
fn looked_past(task: u32, poll: u32) -> Option<NonNull<Node<Local>>> {
    let first = UNCLAIMED.with(|unclaimed| unclaimed.first(task))?;
    let mut node = first;
    loop {
        // SAFETY: a node of the table does not dangle (Pinned, Table).
        let status = unsafe { node.as_ref() }.status(Ordering::Relaxed);
        let look = |links: &mut Links<Local>| match links.slot {
            Slot::ReleasedIn(poll) => (poll, links.next),
            Slot::Waker(_) => unreachable!("a listed node has no waker"),
        };
        // SAFETY: in a circle of this thread's table, so its links are this thread's.
        let (granted_in, next) = unsafe { Node::links(node, look) };
        // Poll numbers wrap, so they are compared by their distance.
        if status.task() == task && poll.wrapping_sub(granted_in).cast_signed() > 0 {
            return Some(node);
        }
        node = next;
        if node == first {
            return None;
        }
    }
}

/// Hands on the grant of `node`, which is Idle afterwards.
///
/// # Safety
/// `anchor` came from `Rc::as_ptr` of the live list that `node` is of; `node` is Listed.
unsafe fn lapse<P: Policy<Local>>(anchor: *const (), node: NonNull<Node<Local>>) {
    let list: *const WaitList<P, Local> = anchor.cast();
    // SAFETY: it came from an `Rc` that lives; ours keeps the list while wakers run.
    unsafe { Rc::increment_strong_count(list) };
    // SAFETY: the count was just raised for this.
    let list = unsafe { Rc::from_raw(list) };
    debug_assert_eq!(
        // SAFETY: Listed, so it does not dangle.
        unsafe { node.as_ref() }.status(Ordering::Relaxed).phase(),
        Phase::Listed
    );
    // SAFETY: the node is of this list, and has a grant.
    unsafe { list.retire(node) };
}
