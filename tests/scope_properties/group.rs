//! The documented rules of task groups: who ends with whom, and what the group gives.
//!
//! # Invariants
//! - The body is looked at before the children, these in the order in which they were spawned;
//!   after a failure none of the others goes on, but to let end what is open in it.
//! - The body and each child make way on their own; clean-ups begin when all have.
//! - A group that was cancelled from above gives nothing, whatever came of its body; its failures
//!   are reported.

use std::time::Duration;

use super::super::{BODIES, CHILDREN, ChildPlan, GroupPlan, LOST, REPORTS, SCOPES, group_failed};
use super::{Actor, Cleanups, World, earlier, later};

pub(super) struct Group<'a> {
    plan: &'a GroupPlan,
    doomed: bool,
    stage: Stage,
    /// The body, then the children.
    members: Vec<Member<'a>>,
    has_value: bool,
    failures: Vec<usize>,
    /// What cancelled it first was a failure.
    has_failed: bool,
    cleanups: Cleanups<'a>,
}

#[derive(PartialEq)]
enum Stage {
    Fresh,
    Working,
    /// Everything in it has ended: after a cancel, or by itself.
    CleaningUp {
        cancelled: bool,
    },
}

/// The body or a child.
struct Member<'a> {
    who: usize,
    work: Actor<'a>,
    fails: bool,
}

/// What a look at a member shows.
enum Seen {
    Going,
    Ended,
    Dropped,
}

impl Member<'_> {
    fn look(&mut self, world: &mut World, cancelled: bool) -> Seen {
        let is_fresh = matches!(self.work, Actor::Fresh(_));
        if (!cancelled || self.work.is_open()) && self.work.look(world, cancelled) {
            world.tell(self.who, "gone");
            return Seen::Ended;
        }
        if !cancelled || self.work.is_open() {
            return Seen::Going;
        }
        world.changed = true;
        if !is_fresh {
            world.tell(self.who, "gone");
        }
        Seen::Dropped
    }
}

impl<'a> Group<'a> {
    pub(super) fn new(plan: &'a GroupPlan) -> Self {
        Group {
            plan,
            doomed: false,
            stage: Stage::Fresh,
            members: Vec::new(),
            has_value: false,
            failures: Vec::new(),
            has_failed: false,
            cleanups: Cleanups::default(),
        }
    }

    fn number(&self) -> usize {
        self.plan.scope.number
    }

    /// `None`: it makes way.
    pub(super) fn look(&mut self, world: &mut World, doomed: bool) -> Option<bool> {
        // The body sets the shield: one that has not begun has none.
        self.doomed |= doomed && (self.stage == Stage::Fresh || !self.plan.scope.shielded);
        if self.stage == Stage::Fresh {
            if self.doomed {
                return None;
            }
            self.begin(world);
        }
        if self.stage == Stage::Working && !self.work(world) {
            return Some(false);
        }
        if !self.cleanups.look(world, SCOPES + self.number()) {
            return Some(false);
        }
        world.handles[self.number()].over = true;
        let cancelled = self.stage == Stage::CleaningUp { cancelled: true };
        if cancelled && self.doomed {
            self.failures.iter().for_each(|_| world.tell(REPORTS, LOST));
            return None;
        }
        let cause = world.handles[self.number()].cause.clone();
        let cause = cause.filter(|_| cancelled && !self.has_failed);
        let what = match self.has_value && self.failures.is_empty() {
            true => "ended".to_owned(),
            false => group_failed(&self.failures, cause),
        };
        world.tell(SCOPES + self.number(), what);
        Some(true)
    }

    fn begin(&mut self, world: &mut World) {
        self.stage = Stage::Working;
        let handle = &mut world.handles[self.plan.scope.number];
        handle.is_there = true;
        handle.deadline = self.plan.scope.limit.map(|limit| world.now + limit);
        self.cleanups = Cleanups::new(&self.plan.scope.cleanups);
        let body = Member {
            who: BODIES + self.number(),
            work: Actor::Fresh(&self.plan.scope.body),
            fails: self.plan.fails,
        };
        let child = |child: &'a ChildPlan| Member {
            who: CHILDREN + child.number,
            work: Actor::Fresh(&child.work),
            fails: child.fails,
        };
        let children = self.plan.children.iter().map(child);
        self.members = [body].into_iter().chain(children).collect();
    }

    /// True once the body and all children have ended.
    fn work(&mut self, world: &mut World) -> bool {
        for mut member in std::mem::take(&mut self.members) {
            let cancelled = self.is_cancelled(world);
            match member.look(world, cancelled) {
                Seen::Going => self.members.push(member),
                Seen::Dropped => {}
                Seen::Ended if member.fails => self.fail(world, member.who),
                Seen::Ended => self.has_value |= member.who >= BODIES,
            }
        }
        if self.members.is_empty() {
            let cancelled = self.is_cancelled(world);
            self.stage = Stage::CleaningUp { cancelled };
            self.cleanups.choose(cancelled, &self.plan.scope.cleanups);
            world.changed = true;
            return true;
        }
        if !self.is_cancelled(world) && world.is_late(self.number()) {
            world.cancel(self.number(), "its deadline".to_owned());
        }
        false
    }

    fn is_cancelled(&self, world: &World) -> bool {
        self.doomed || world.is_cancelled(self.number())
    }

    fn fail(&mut self, world: &mut World, who: usize) {
        self.failures.push(who);
        if !self.plan.supervises {
            let why = "another task of its group failed".to_owned();
            self.has_failed |= world.cancel(self.number(), why);
        }
    }

    /// When something may happen by itself.
    pub(super) fn next(&self, world: &World) -> Option<Duration> {
        if self.stage != Stage::Working {
            return self.cleanups.next(world);
        }
        let deadline = world.handles[self.number()].deadline;
        let deadline = deadline.and_then(|deadline| later(deadline, world));
        let members = self.members.iter();
        let members = members.filter_map(|member| member.work.next(world));
        earlier(deadline, members.min())
    }
}
