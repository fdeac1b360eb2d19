//! Making programs up.
//!
//! # Invariants
//! - In a program with groups no two things happen at one moment but by cause and effect: each
//!   time has a fraction of its own, and each child begins with a sleep.

use std::time::Duration;

use proptest::prelude::*;

use super::{Act, ChildPlan, CleanupPlan, GroupPlan, Plan, Program, ScopePlan, Settings, ms};

fn leaf() -> impl Strategy<Value = Plan> {
    (1..12_u64).prop_map(|count| Plan::Sleep {
        number: 0,
        time: ms(count),
    })
}

fn scope(body: impl Strategy<Value = Plan>, inner: bool) -> impl Strategy<Value = Plan> {
    scope_plan(body, inner).prop_map(Plan::Scope)
}

fn scope_plan(body: impl Strategy<Value = Plan>, inner: bool) -> impl Strategy<Value = ScopePlan> {
    let work = match inner {
        true => prop_oneof![3 => leaf(), 1 => scope(leaf(), false).boxed()].boxed(),
        false => leaf().boxed(),
    };
    let cleanup = (any::<bool>(), work).prop_map(|(always, work)| CleanupPlan { always, work });
    let limit = prop::option::weighted(0.4, (1..20_u64).prop_map(ms));
    let cleanups = prop::collection::vec(cleanup, 0..3);
    let parts = (limit, prop::bool::weighted(0.15), cleanups, body);
    parts.prop_map(|(limit, shielded, cleanups, body)| ScopePlan {
        number: 0,
        limit,
        shielded,
        cleanups,
        body: Box::new(body),
    })
}

/// A child begins with a sleep: what follows has a moment of its own.
fn child(work: impl Strategy<Value = Plan>) -> impl Strategy<Value = ChildPlan> {
    let parts = (leaf(), prop::option::of(work), prop::bool::weighted(0.3));
    parts.prop_map(|(first, work, fails)| ChildPlan {
        number: 0,
        work: Plan::Seq([first].into_iter().chain(work).collect()),
        fails,
    })
}

fn group(inner: impl Strategy<Value = Plan> + Clone) -> impl Strategy<Value = Plan> {
    let children = prop::collection::vec(child(inner.clone()), 0..4);
    let flags = (prop::bool::weighted(0.3), prop::bool::weighted(0.2));
    (scope_plan(inner, true), flags, children).prop_map(|(scope, flags, children)| {
        Plan::Group(GroupPlan {
            scope,
            supervises: flags.0,
            fails: flags.1,
            children,
        })
    })
}

fn plan(groups: bool) -> impl Strategy<Value = Plan> {
    leaf().prop_recursive(6, 32, 3, move |inner| {
        let parent = match groups {
            true => prop_oneof![2 => scope(inner.clone(), true), 5 => group(inner.clone())].boxed(),
            false => scope(inner.clone(), true).boxed(),
        };
        prop_oneof![
            2 => prop::collection::vec(inner.clone(), 1..4).prop_map(Plan::Seq),
            2 => prop::collection::vec(inner.clone(), 1..4).prop_map(Plan::All),
            5 => parent,
            2 => (1..20_u64, inner.clone()).prop_map(|(count, body)| {
                Plan::Limit { time: ms(count), body: Box::new(body) }
            }),
            1 => inner.prop_map(|body| Plan::Shield(Box::new(body))),
        ]
    })
}

fn act() -> impl Strategy<Value = (u64, Act)> {
    let scope = || 0..64_usize;
    let act = prop_oneof![
        4 => scope().prop_map(|scope| Act::Cancel { scope }),
        2 => (scope(), prop::option::weighted(0.7, 0..10_u64))
            .prop_map(|(scope, after)| Act::SetDeadline { scope, after }),
        2 => (0..3_usize).prop_map(|task| Act::CancelTask { task }),
    ];
    (0..40_u64, act)
}

pub(super) fn program(groups: bool) -> impl Strategy<Value = Program> {
    let tasks = prop::collection::vec(plan(groups), 1..4);
    let acts = prop::collection::vec(act(), 0..5);
    (tasks, acts).prop_map(move |(mut tasks, acts)| {
        let mut numbers = Numbers {
            are_odd: groups,
            ..Numbers::default()
        };
        tasks.iter_mut().for_each(|plan| numbers.give(plan));
        let (scopes, count) = (numbers.scopes, tasks.len());
        let fraction = |at: usize| Duration::from_micros(37 * (at as u64 + 1));
        let acts = acts.into_iter().enumerate().map(|(at, (ms, act))| {
            let act = match act {
                Act::Cancel { scope } => Act::Cancel {
                    scope: scope % scopes.len().max(1),
                },
                Act::SetDeadline { scope, after } => Act::SetDeadline {
                    scope: scope % scopes.len().max(1),
                    after,
                },
                Act::CancelTask { task } => Act::CancelTask { task: task % count },
            };
            (Duration::from_millis(ms) + fraction(at), act)
        });
        let mut acts: Vec<_> = acts.collect();
        acts.retain(|(_, act)| matches!(act, Act::CancelTask { .. }) || !scopes.is_empty());
        acts.sort_by_key(|&(at, _)| at);
        Program {
            tasks,
            scopes,
            acts,
        }
    })
}

#[derive(Default)]
struct Numbers {
    sleeps: usize,
    children: usize,
    scopes: Vec<Option<Settings>>,
    /// Each time gets a fraction of its own.
    are_odd: bool,
    times: u64,
}

impl Numbers {
    fn give(&mut self, plan: &mut Plan) {
        match plan {
            Plan::Sleep { number, time } => {
                *number = self.sleeps;
                self.sleeps += 1;
                self.make_odd(time);
            }
            Plan::Seq(plans) | Plan::All(plans) => {
                plans.iter_mut().for_each(|plan| self.give(plan))
            }
            Plan::Limit { time, body } => {
                self.make_odd(time);
                self.give(body);
            }
            Plan::Shield(body) => self.give(body),
            Plan::Scope(scope) => {
                self.give_scope(scope);
                self.scopes[scope.number] = Some((scope.limit, scope.shielded));
            }
            Plan::Group(group) => {
                self.give_scope(&mut group.scope);
                for child in &mut group.children {
                    child.number = self.children;
                    self.children += 1;
                    self.give(&mut child.work);
                }
            }
        }
    }

    fn give_scope(&mut self, scope: &mut ScopePlan) {
        scope.number = self.scopes.len();
        self.scopes.push(None);
        scope
            .limit
            .iter_mut()
            .for_each(|limit| self.make_odd(limit));
        let works = scope.cleanups.iter_mut().map(|cleanup| &mut cleanup.work);
        works.for_each(|work| self.give(work));
        self.give(&mut scope.body);
    }

    /// The fractions are mixed well: two do not add up to a third.
    fn make_odd(&mut self, time: &mut Duration) {
        if !self.are_odd {
            return;
        }
        self.times += 1;
        let mut mixed = self.times.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        *time += Duration::from_nanos((mixed ^ (mixed >> 31)) % 1_000_000);
    }
}
