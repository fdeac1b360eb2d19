//! The tree of what can be cancelled: scopes, timeouts and groups inside tasks.
//!
//! Cancelling drops a future. If scopes inside it have asynchronous clean-ups, they must go first:
//! so whatever cancels needs to know what is open inside. Each scope is a *node* while it runs,
//! below the scope that it runs in; the topmost are the tasks' own.
//!
//! ```text
//!   task ── scope ─┬─ timeout ── scope
//!                  └─ group ─┬─ child's task ── scope
//!                            └─ shield (nothing above dooms what is in here)
//! ```
//!
//! A cancel *dooms* all that is below, down to shields, and waits until nothing is open there, but
//! for what nobody polls: a future may be kept in a variable, begun, and then its clean-ups cannot
//! run. A doomed scope drops its body, runs its clean-ups, closes, and never ends: the code after
//! it is not resumed by somebody else's cancel.
//!
//! # Invariants
//! - **Linked**: a node is in its parent's list of children; a closed node's children go to its
//!   parent.
//! - **Inherited**: below a doomed node everything is doomed, down to shields, also what opens
//!   later.
//! - **Unlent**: nothing here calls a waker: they are handed out.
//!
//! # Not here
//! Who is current (`node`), causes, deadlines and clean-ups (`scope`).
#![forbid(unsafe_code)]

use std::task::Waker;

use slab::Slab;

/// The number of a node.
pub(super) type Index = u32;

struct Node {
    parent: Option<Index>,
    first_child: Option<Index>,
    next: Option<Index>,
    previous: Option<Index>,
    kind: Kind,
    /// Something above was cancelled.
    doomed: bool,
    /// It was cancelled itself: what is below is doomed.
    cancelled: bool,
    /// It was woken to make way, or to end as a shield, and has not been polled since. If nobody
    /// polls it, it is kept somewhere, begun, and nobody waits for it.
    told: bool,
    /// Of the future whose node it is.
    waker: Option<Waker>,
}

impl Node {
    /// Is what is below doomed?
    fn dooms(&self) -> bool {
        self.doomed || self.cancelled
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A task's own: it is there from the first scope in the task to the task's end.
    Task,
    Scope,
    Shield,
}

#[derive(Default)]
pub(super) struct Tree {
    nodes: Slab<Node>,
    /// How many tasks have something open in them.
    busy: usize,
    shields: usize,
}

impl Tree {
    /// A new node, as the last child of `parent`.
    pub(super) fn open(&mut self, parent: Option<Index>, kind: Kind) -> Index {
        let index = self.nodes.insert(Node {
            parent: None,
            first_child: None,
            next: None,
            previous: None,
            kind,
            doomed: false,
            cancelled: false,
            told: false,
            waker: None,
        }) as Index;
        self.shields += usize::from(kind == Kind::Shield);
        self.link(index, parent);
        index
    }

    /// Ends a node. Gives its waker, to be dropped, and its parent's, to be woken, with those of
    /// what is doomed now that it has another parent.
    pub(super) fn close(&mut self, index: Index) -> ([Option<Waker>; 2], Vec<Waker>) {
        let parent = self.at(index).parent;
        let mut doomed = Vec::new();
        self.unlink(index);
        while let Some(child) = self.at(index).first_child {
            doomed.extend(self.move_below(child, parent));
        }
        let node = self.nodes.remove(index as usize);
        self.shields -= usize::from(node.kind == Kind::Shield);
        let parent = parent.map(|parent| self.at(parent));
        let woken = parent.and_then(|parent| match parent.kind {
            // A token: to clone it runs nobody's code. Nobody notes it again.
            Kind::Task => parent.waker.clone(),
            Kind::Scope | Kind::Shield => parent.waker.take(),
        });
        ([node.waker, woken], doomed)
    }

    /// Puts a node where its future is polled now. What is doomed stays doomed; gives the wakers
    /// of what is doomed by this.
    pub(super) fn move_below(&mut self, index: Index, parent: Option<Index>) -> Vec<Waker> {
        if self.at(index).parent == parent {
            return Vec::new();
        }
        let was_doomed = self.at(index).doomed;
        self.unlink(index);
        self.link(index, parent);
        if was_doomed || !self.at(index).doomed {
            return Vec::new();
        }
        let mut woken = self.doom_below(index);
        woken.extend(self.at(index).waker.take());
        woken
    }

    /// Dooms what is below a node; gives the wakers of what was not doomed before.
    pub(super) fn doom_below(&mut self, top: Index) -> Vec<Waker> {
        let mut woken = Vec::new();
        if std::mem::replace(&mut self.at(top).cancelled, true) {
            return woken; // Inherited
        }
        let mut below = self.children(top);
        while let Some(index) = below.pop() {
            let node = self.at(index);
            if node.doomed {
                continue;
            }
            node.told = true;
            woken.extend(node.waker.take());
            if node.kind != Kind::Shield {
                node.doomed = true;
                below.extend(self.children(index));
            }
        }
        woken
    }

    /// The node's future is being polled.
    pub(super) fn note_poll(&mut self, index: Index) {
        self.at(index).told = false;
    }

    /// Is something open below the node that still is polled?
    pub(super) fn is_held(&self, index: Index) -> bool {
        let mut next = self.nodes[index as usize].first_child;
        while let Some(child) = next {
            let child = &self.nodes[child as usize];
            if !child.told {
                return true;
            }
            next = child.next;
        }
        false
    }

    pub(super) fn is_cancelled(&self, index: Index) -> bool {
        self.nodes[index as usize].cancelled
    }

    /// Makes a scope a shield, or a shield a scope, which may doom it.
    pub(super) fn set_shield(&mut self, index: Index, shield: bool) -> Vec<Waker> {
        let kind = if shield { Kind::Shield } else { Kind::Scope };
        self.shields += usize::from(shield);
        let node = &mut self.nodes[index as usize];
        let old = std::mem::replace(&mut node.kind, kind);
        self.shields -= usize::from(old == Kind::Shield);
        let parent = node.parent;
        let exposed = !shield && parent.is_some_and(|parent| self.at(parent).dooms());
        if !exposed || self.at(index).doomed {
            return Vec::new();
        }
        let mut woken = self.doom_below(index);
        let node = self.at(index);
        node.doomed = true;
        woken.extend(node.waker.take());
        woken
    }

    /// Notes the waker of the node's future; gives back the one before.
    pub(super) fn set_waker(&mut self, index: Index, waker: Waker) -> Option<Waker> {
        self.at(index).waker.replace(waker)
    }

    /// Whether `waker` is not the one that is noted.
    pub(super) fn needs_waker(&self, index: Index, waker: &Waker) -> bool {
        let noted = &self.nodes[index as usize].waker;
        !noted.as_ref().is_some_and(|noted| noted.will_wake(waker))
    }

    pub(super) fn parent(&self, index: Index) -> Option<Index> {
        self.nodes[index as usize].parent
    }

    pub(super) fn is_doomed(&self, index: Index) -> bool {
        self.nodes[index as usize].doomed
    }

    /// Is something open below the node?
    pub(super) fn has_children(&self, index: Index) -> bool {
        self.nodes[index as usize].first_child.is_some()
    }

    /// Is a shield open somewhere below the node, that still is polled?
    pub(super) fn has_shield_below(&self, index: Index) -> bool {
        if self.shields == 0 {
            return false;
        }
        let mut below = self.children(index);
        while let Some(index) = below.pop() {
            let node = &self.nodes[index as usize];
            match node.kind {
                _ if node.told => {}
                Kind::Shield => return true,
                Kind::Task | Kind::Scope => below.extend(self.children(index)),
            }
        }
        false
    }

    /// Is something open in a task? What is in none, for its task has ended or for its future
    /// was leaked, nobody will end.
    pub(super) fn is_busy(&self) -> bool {
        self.busy > 0
    }

    fn at(&mut self, index: Index) -> &mut Node {
        &mut self.nodes[index as usize]
    }

    fn children(&self, index: Index) -> Vec<Index> {
        let mut children = Vec::new();
        let mut next = self.nodes[index as usize].first_child;
        while let Some(child) = next {
            children.push(child);
            next = self.nodes[child as usize].next;
        }
        children
    }

    fn link(&mut self, index: Index, parent: Option<Index>) {
        let Some(parent) = parent else { return };
        let first = self.at(parent).first_child.replace(index);
        match first {
            Some(first) => self.at(first).previous = Some(index),
            None => self.busy += usize::from(self.at(parent).kind == Kind::Task),
        }
        let doomed = self.at(parent).dooms();
        let node = self.at(index);
        node.parent = Some(parent);
        node.next = first;
        node.doomed |= doomed && node.kind != Kind::Shield;
    }

    fn unlink(&mut self, index: Index) {
        let node = self.at(index);
        let (parent, next, previous) = (node.parent.take(), node.next.take(), node.previous.take());
        if let Some(next) = next {
            self.at(next).previous = previous;
        }
        match (previous, parent) {
            (Some(previous), _) => self.at(previous).next = next,
            (None, Some(parent)) => self.at(parent).first_child = next,
            (None, None) => {}
        }
        if let Some(parent) = parent.map(|parent| self.at(parent))
            && parent.first_child.is_none()
        {
            self.busy -= usize::from(parent.kind == Kind::Task);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A task with a scope in it, a shield in that, and a scope in the shield.
    fn nested() -> (Tree, [Index; 4]) {
        let mut tree = Tree::default();
        let task = tree.open(None, Kind::Task);
        let scope = tree.open(Some(task), Kind::Scope);
        let shield = tree.open(Some(scope), Kind::Shield);
        let inner = tree.open(Some(shield), Kind::Scope);
        (tree, [task, scope, shield, inner])
    }

    #[test]
    fn a_cancel_dooms_what_is_below_down_to_shields() {
        let (mut tree, nodes) = nested();
        assert!(tree.doom_below(nodes[0]).is_empty(), "nobody waits");
        assert_eq!(
            nodes.map(|node| tree.is_doomed(node)),
            [false, true, false, false]
        );
        let late = tree.open(Some(nodes[1]), Kind::Scope);
        assert!(tree.is_doomed(late));
        let late = tree.open(Some(nodes[3]), Kind::Scope);
        assert!(!tree.is_doomed(late));
    }

    #[test]
    fn a_shield_that_is_lifted_lets_the_doom_in() {
        let (mut tree, nodes) = nested();
        tree.set_waker(nodes[3], Waker::noop().clone());
        tree.doom_below(nodes[1]);
        assert_eq!(tree.set_shield(nodes[2], false).len(), 1);
        assert!(tree.is_doomed(nodes[3]));
        assert!(tree.set_shield(nodes[2], false).is_empty(), "once");
    }

    #[test]
    fn a_closed_node_leaves_its_children_to_its_parent() {
        let (mut tree, nodes) = nested();
        tree.set_waker(nodes[0], Waker::noop().clone());
        assert!(tree.has_shield_below(nodes[0]));
        assert!(tree.close(nodes[1]).0[1].is_some(), "the parent is told");
        assert!(tree.has_children(nodes[0]));
        tree.close(nodes[2]);
        assert!(!tree.has_shield_below(nodes[0]) && tree.has_children(nodes[0]));
        tree.close(nodes[3]);
        assert!(!tree.has_children(nodes[0]));
        assert!(!tree.is_busy());
    }

    #[test]
    fn children_leave_in_any_order() {
        let mut tree = Tree::default();
        let top = tree.open(None, Kind::Scope);
        let children: Vec<Index> = (0..5).map(|_| tree.open(Some(top), Kind::Scope)).collect();
        for at in [2, 4, 0, 3, 1] {
            assert!(tree.has_children(top));
            tree.close(children[at]);
        }
        assert!(!tree.has_children(top));
        let other = tree.open(None, Kind::Scope);
        let moved = tree.open(Some(top), Kind::Scope);
        tree.move_below(moved, Some(other));
        assert!(!tree.has_children(top) && tree.has_children(other));
    }
}
