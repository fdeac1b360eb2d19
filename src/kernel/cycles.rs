//! Tasks that await each other: found when nothing in the loop can wake a task, told once.
//!
//! A task's header keeps the waker of whoever awaits its handle. If that is a token of this loop
//! it names a slot: a task's own, or that of a combinator's child, whose block knows the waker
//! of its parent, and so on up to a task. A handle has one owner, so a task is awaited by at
//! most one other: the search follows single steps, and two cycles have no task in common.
//!
//! ```text
//!   a: gather([sleep, b]) ─────────┐        header of b: joiner = token of the child's slot
//!   b: a.await                     ▼        child's slot ─► block ─► parent = token of a
//!        └── a ◄── block ◄── child's slot ◄── joiner of b
//! ```
//!
//! A waker may be an old one: of a wait that was given up while its handle lives on. So a new
//! cycle is *asked* first: the joiners are taken out and woken, which the contract of `Future`
//! allows at any time. Who still awaits is polled and puts its waker back; what is found again is
//! told.
//!
//! # Cost
//! A walk over all slots. So a loop with a real clock rests for [`PATIENCE_NS`] first, and walks
//! if that brought nothing: one that other threads keep busy never does. One with a timer, a
//! descriptor or a single task pays two branches a sleep. On a virtual clock the walk comes
//! at once.
//!
//! # Invariants
//! - **Unlent**: the list of cycles is not borrowed while a waker is woken or a report made.
//!
//! # Not here
//! Tasks that wait for each other by other means (locks, queues), handles that are
//! awaited from another loop or through a foreign combinator: they are not seen.
#![forbid(unsafe_code)]

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::iter;

use super::Kernel;
use crate::task::token::{self, wake_safely};
use crate::task::{TaskId, TaskRef, report};

/// How long a loop that nothing will wake sleeps before it looks why.
const PATIENCE_NS: u64 = 1_000_000_000;

/// What the loop knows of its cycles.
#[derive(Default)]
pub(super) struct Cycles {
    known: RefCell<Vec<Known>>,
    patience: Cell<Patience>,
}

/// A cycle that was there the last time the loop looked.
struct Known {
    tasks: Vec<TaskId>,
    told: bool,
}

#[derive(Clone, Copy, Default)]
enum Patience {
    /// Something may have changed since the last walk.
    #[default]
    Fresh,
    /// A walk asked or told somebody; another follows when they have been polled.
    Curious,
    /// The last walk found nothing new: the loop may sleep for good.
    Spent,
}

impl Kernel {
    /// How long to sleep before a walk; only for a loop without timers.
    #[inline]
    pub(super) fn patience(&self) -> Option<u64> {
        if self.clock.is_virtual() || self.run.is_lonely() || !self.reactor.borrow().is_empty() {
            return None;
        }
        match self.cycles.patience.get() {
            Patience::Fresh => Some(PATIENCE_NS),
            Patience::Curious => Some(0),
            Patience::Spent => None,
        }
    }

    /// The loop is awake again; `in_vain` if it slept as long as [`patience`] said, and nothing
    /// came.
    ///
    /// [`patience`]: Kernel::patience
    #[inline]
    pub(super) fn slept(&self, in_vain: bool) {
        let next = match in_vain {
            true if self.seek_cycles() => Patience::Curious,
            true => Patience::Spent,
            false => Patience::Fresh,
        };
        self.cycles.patience.set(next);
    }

    /// Looks for tasks that await each other; asks the new ones, tells those that were asked.
    /// False if there was nothing of either.
    #[cold]
    #[inline(never)]
    pub(super) fn seek_cycles(&self) -> bool {
        let known = self.cycles.known.take();
        let (mut found, mut asked, mut told) = (Vec::new(), Vec::new(), Vec::new());
        for slots in cycles(&self.awaiters()) {
            let refs = self.refs(&slots);
            let tasks: Vec<TaskId> = refs.iter().map(TaskRef::id).collect();
            let before = known.iter().find(|known| known.tasks == tasks);
            match before {
                None => asked.extend(slots),
                Some(Known { told: false, .. }) => told.push(refs),
                Some(_) => {}
            }
            let told = before.is_some();
            found.push(Known { tasks, told });
        }
        self.cycles.known.replace(found);
        let any = !asked.is_empty() || !told.is_empty();
        asked.into_iter().for_each(|slot| self.ask(slot));
        told.iter().for_each(|refs| tell(refs));
        any
    }

    /// For the slot of each task whose handle a task of this loop awaits: the slot of that one.
    fn awaiters(&self) -> BTreeMap<u32, u32> {
        let awaiter = |slot| Some((slot, self.awaiter(slot)?));
        (0..self.run.slots()).filter_map(awaiter).collect()
    }

    fn awaiter(&self, slot: u32) -> Option<u32> {
        let task = self.task_in(slot)?;
        let header = self.header(&task);
        let joiner = header.with_joiner(|joiner| token::slot_of(&self.run, joiner?));
        // A group's child that nobody awaits is awaited by the group.
        let mut at = joiner.or_else(|| self.parent(slot))?;
        // Blocks lie in each other like the futures they belong to; old wakers might form a ring.
        for _ in 0..self.run.slots() {
            if self.task_in(at).is_some() {
                return Some(at);
            }
            at = self.parent(at)?;
        }
        None
    }

    /// The slot that the parent of a child's waker names.
    fn parent(&self, child: u32) -> Option<u32> {
        self.run
            .with_parent(child, |parent| token::slot_of(&self.run, parent?))
    }

    /// Has whoever awaits the task in `slot` say so again, or not.
    fn ask(&self, slot: u32) {
        let task = self.task_in(slot);
        let joiner = task.and_then(|task| self.header(&task).take_joiner());
        if let Some(joiner) = joiner {
            wake_safely(joiner);
        }
    }

    /// The tasks of a cycle, the eldest first.
    fn refs(&self, slots: &[u32]) -> Vec<TaskRef> {
        let tasks = slots.iter().filter_map(|&slot| self.task_in(slot));
        let mut refs: Vec<_> = tasks.map(|task| TaskRef::of(self.header(&task))).collect();
        let eldest = (0..refs.len()).min_by_key(|&at| refs[at].id());
        refs.rotate_left(eldest.unwrap_or(0));
        refs
    }
}

/// Each cycle in a map of single steps, against its arrows: everybody awaits the next one.
fn cycles(awaiters: &BTreeMap<u32, u32>) -> Vec<Vec<u32>> {
    let next = |slot: &u32| awaiters.get(slot).copied();
    // Who was met, by the walk that began where.
    let mut met = BTreeMap::new();
    let mut cycles = Vec::new();
    for &start in awaiters.keys() {
        let mut at = Some(start);
        while let Some(slot) = at
            && !met.contains_key(&slot)
        {
            met.insert(slot, start);
            at = next(&slot);
        }
        // Met by this very walk: it has come round.
        if let Some(first) = at.filter(|slot| met[slot] == start) {
            let round = iter::successors(next(&first), |&slot| {
                (slot != first).then(|| next(&slot)).flatten()
            });
            let mut cycle: Vec<u32> = round.collect();
            cycle.reverse();
            cycles.push(cycle);
        }
    }
    cycles
}

fn tell(tasks: &[TaskRef]) {
    let mut text = String::from("tasks await each other and will not end by themselves: ");
    for task in tasks {
        text += &format!("{task} -> ");
    }
    if let Some(first) = tasks.first() {
        text += &first.name();
    }
    report::warning(&text);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(awaiters: &[(u32, u32)]) -> Vec<Vec<u32>> {
        cycles(&awaiters.iter().copied().collect())
    }

    #[test]
    fn chains_and_trees_have_no_cycle() {
        assert!(found(&[]).is_empty());
        assert!(found(&[(1, 2), (2, 3), (4, 3), (5, 4)]).is_empty());
    }

    #[test]
    fn each_cycle_is_found_once_without_what_leads_to_it() {
        let awaiters = [(1, 5), (5, 3), (3, 8), (8, 5), (2, 1), (6, 7), (7, 6)];
        assert_eq!(found(&awaiters), [[5, 8, 3].as_slice(), &[6, 7]]);
    }
}
