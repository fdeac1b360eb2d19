//! The documented rules, played by actors that are all looked at, again and again.
//!
//! A *doomed* actor is below something that was cancelled. Who cancels waits until nothing is
//! *open* in it: a scope until its clean-ups have ended, a shield, a limit with such in it.
//!
//! # Invariants
//! - An actor is looked at from outside in, its body before its own deadline: so a value that is
//!   there at the very moment of a limit wins.
//! - A scope that makes way, for something above was cancelled, is `Out`: it never ends.

mod group;

use std::time::Duration;

use super::{Act, CleanupPlan, Event, Plan, Program, SCOPES, ScopePlan, Settings, TASKS, Told, ms};
use group::Group;

/// What is known of a scope by its handle.
#[derive(Default)]
struct Handle {
    /// A group's handle is not there before its body began.
    is_there: bool,
    limit: Option<Duration>,
    deadline: Option<Duration>,
    cause: Option<String>,
    over: bool,
}

#[derive(Default)]
struct World {
    now: Duration,
    story: Vec<Event>,
    handles: Vec<Handle>,
    /// How many scopes and shields have begun.
    begun: usize,
    changed: bool,
}

impl World {
    fn tell(&mut self, who: usize, what: impl Into<String>) {
        self.story.push((self.now, who, what.into()));
        self.changed = true;
    }

    /// False if it was cancelled before, or is over.
    fn cancel(&mut self, scope: usize, cause: String) -> bool {
        let handle = &mut self.handles[scope];
        let cancels = handle.is_there && !handle.over && handle.cause.is_none();
        if cancels {
            handle.cause = Some(cause);
            self.changed = true;
        }
        cancels
    }

    fn is_cancelled(&self, scope: usize) -> bool {
        self.handles[scope].cause.is_some()
    }

    /// Has the deadline come?
    fn is_late(&self, scope: usize) -> bool {
        let deadline = self.handles[scope].deadline;
        deadline.is_some_and(|deadline| self.now >= deadline)
    }
}

enum Actor<'a> {
    Fresh(&'a Plan),
    Sleep {
        number: usize,
        until: Duration,
    },
    /// The present one, and those after it.
    Seq(Box<Actor<'a>>, &'a [Plan]),
    All(Vec<Actor<'a>>),
    Scope(Box<Scope<'a>>),
    Limit(Box<Limit<'a>>),
    Shield(Box<Actor<'a>>),
    Group(Box<Group<'a>>),
    Over,
    /// It made way, and waits to be dropped.
    Out,
}

struct Scope<'a> {
    plan: &'a ScopePlan,
    doomed: bool,
    /// Until it is over, or dropped.
    body: Option<Actor<'a>>,
    cancelled: bool,
    cleanups: Cleanups<'a>,
}

/// Those that still are to run, with their numbers; the last comes next.
#[derive(Default)]
struct Cleanups<'a>(Vec<(usize, Actor<'a>)>);

impl<'a> Cleanups<'a> {
    fn new(plans: &'a [CleanupPlan]) -> Self {
        let fresh = |(at, plan): (usize, &'a CleanupPlan)| (at, Actor::Fresh(&plan.work));
        Cleanups(plans.iter().enumerate().map(fresh).collect())
    }

    /// The body is over: without a cancel only some run.
    fn choose(&mut self, cancelled: bool, plans: &[CleanupPlan]) {
        self.0.retain(|(at, _)| cancelled || plans[*at].always);
    }

    /// True once they are over.
    fn look(&mut self, world: &mut World, who: usize) -> bool {
        while let Some((at, work)) = self.0.last_mut() {
            if !work.look(world, false) {
                return false;
            }
            world.tell(who, format!("cleaned up {at}"));
            self.0.pop();
        }
        true
    }

    fn next(&self, world: &World) -> Option<Duration> {
        self.0.last().and_then(|(_, work)| work.next(world))
    }
}

struct Limit<'a> {
    until: Duration,
    body: Actor<'a>,
    /// Something that can be cancelled began inside.
    used: bool,
    doomed: bool,
    struck: bool,
}

impl<'a> Actor<'a> {
    fn begin(plan: &'a Plan, world: &mut World) -> Actor<'a> {
        world.changed = true;
        match plan {
            Plan::Sleep { number, time } => Actor::Sleep {
                number: *number,
                until: world.now + *time,
            },
            Plan::Seq(plans) => Actor::Seq(Box::new(Actor::Fresh(&plans[0])), &plans[1..]),
            Plan::All(plans) => Actor::All(plans.iter().map(Actor::Fresh).collect()),
            Plan::Limit { time, body } => Actor::Limit(Box::new(Limit {
                until: world.now + *time,
                body: Actor::Fresh(body),
                used: false,
                doomed: false,
                struck: false,
            })),
            Plan::Shield(body) => {
                world.begun += 1;
                Actor::Shield(Box::new(Actor::Fresh(body)))
            }
            Plan::Scope(plan) => {
                world.begun += 1;
                let handle = &mut world.handles[plan.number];
                if let Some(limit) = handle.limit.take() {
                    handle.deadline = Some(world.now + limit);
                }
                Actor::Scope(Box::new(Scope {
                    plan,
                    doomed: false,
                    body: Some(Actor::Fresh(&plan.body)),
                    cancelled: false,
                    cleanups: Cleanups::default(),
                }))
            }
            Plan::Group(plan) => {
                world.begun += 1;
                Actor::Group(Box::new(Group::new(plan)))
            }
        }
    }

    /// Looks at it; true once it has given its value.
    fn look(&mut self, world: &mut World, doomed: bool) -> bool {
        if let Actor::Fresh(plan) = self {
            *self = Actor::begin(plan, world);
        }
        let end = match self {
            Actor::Fresh(_) => unreachable!("it has begun"),
            Actor::Over => return true,
            Actor::Out => return false,
            Actor::Sleep { number, until } => {
                let over = world.now >= *until;
                if over {
                    world.tell(*number, "slept");
                }
                over
            }
            Actor::Seq(present, rest) => loop {
                if !present.look(world, doomed) {
                    break false;
                }
                let Some((next, later)) = rest.split_first() else {
                    break true;
                };
                (**present, *rest) = (Actor::Fresh(next), later);
            },
            Actor::All(actors) => {
                let looks = actors.iter_mut().map(|actor| actor.look(world, doomed));
                looks.fold(true, |all, over| all & over)
            }
            Actor::Shield(body) => body.look(world, false),
            Actor::Limit(limit) => match limit.look(world, doomed) {
                Some(end) => end,
                None => return self.go_out(world),
            },
            Actor::Scope(scope) => match scope.look(world, doomed) {
                Some(end) => end,
                None => return self.go_out(world),
            },
            Actor::Group(group) => match group.look(world, doomed) {
                Some(end) => end,
                None => return self.go_out(world),
            },
        };
        if end {
            *self = Actor::Over;
            world.changed = true;
        }
        end
    }

    fn go_out(&mut self, world: &mut World) -> bool {
        *self = Actor::Out;
        world.changed = true;
        false
    }

    /// Is something in it, or itself, to be waited for?
    fn is_open(&self) -> bool {
        match self {
            Actor::Fresh(_) | Actor::Sleep { .. } | Actor::Over | Actor::Out => false,
            Actor::Seq(present, _) => present.is_open(),
            Actor::All(actors) => actors.iter().any(Actor::is_open),
            Actor::Scope(_) | Actor::Group(_) | Actor::Shield(_) => true,
            Actor::Limit(limit) => limit.used,
        }
    }

    /// When something may happen by itself.
    fn next(&self, world: &World) -> Option<Duration> {
        match self {
            Actor::Fresh(_) | Actor::Over | Actor::Out => None,
            Actor::Sleep { until, .. } => Some(*until),
            Actor::Seq(present, _) => present.next(world),
            Actor::All(actors) => actors.iter().filter_map(|actor| actor.next(world)).min(),
            Actor::Shield(body) => body.next(world),
            Actor::Limit(limit) => earlier(later(limit.until, world), limit.body.next(world)),
            Actor::Scope(scope) => match &scope.body {
                Some(body) => {
                    let deadline = world.handles[scope.plan.number].deadline;
                    let deadline = deadline.and_then(|deadline| later(deadline, world));
                    earlier(deadline, body.next(world))
                }
                None => scope.cleanups.next(world),
            },
            Actor::Group(group) => group.next(world),
        }
    }
}

fn later(moment: Duration, world: &World) -> Option<Duration> {
    (moment > world.now).then_some(moment)
}

fn earlier(a: Option<Duration>, b: Option<Duration>) -> Option<Duration> {
    a.into_iter().chain(b).min()
}

impl Limit<'_> {
    /// `None`: it makes way.
    fn look(&mut self, world: &mut World, doomed: bool) -> Option<bool> {
        self.doomed |= doomed;
        if self.used && self.doomed && !self.body.is_open() {
            return None;
        }
        let begun = world.begun;
        if self.body.look(world, self.doomed || self.struck) {
            return Some(true);
        }
        self.used |= world.begun > begun;
        if world.now < self.until {
            return Some(false);
        }
        if !self.struck {
            self.struck = true;
            world.changed = true;
        }
        match self.used {
            true if self.body.is_open() => Some(false),
            true if self.doomed => None,
            _ => Some(true),
        }
    }
}

impl<'a> Scope<'a> {
    /// `None`: it makes way.
    fn look(&mut self, world: &mut World, doomed: bool) -> Option<bool> {
        self.doomed |= doomed && !self.plan.shielded;
        if let Some(body) = &mut self.body {
            let mut cancelled = world.is_cancelled(self.plan.number) || self.doomed;
            if !cancelled || body.is_open() {
                if self.cleanups.0.is_empty() {
                    self.cleanups = Cleanups::new(&self.plan.cleanups);
                }
                if body.look(world, cancelled) {
                    self.end_body(world, false);
                    return self.clean_up(world);
                }
                if !cancelled && world.is_late(self.plan.number) {
                    world.cancel(self.plan.number, "its deadline".to_owned());
                    cancelled = true;
                }
                if !cancelled || body.is_open() {
                    return Some(false);
                }
            }
            self.end_body(world, true);
        }
        self.clean_up(world)
    }

    fn end_body(&mut self, world: &mut World, cancelled: bool) {
        self.body = None;
        self.cancelled = cancelled;
        world.changed = true;
        self.cleanups.choose(cancelled, &self.plan.cleanups);
    }

    fn clean_up(&mut self, world: &mut World) -> Option<bool> {
        let who = SCOPES + self.plan.number;
        if !self.cleanups.look(world, who) {
            return Some(false);
        }
        let handle = &mut world.handles[self.plan.number];
        handle.over = true;
        let what = match (&handle.cause, self.cancelled) {
            (_, false) => "ended".to_owned(),
            (Some(cause), true) if !self.doomed => format!("cancelled by {cause}"),
            (_, true) => return None,
        };
        world.tell(who, what);
        Some(true)
    }
}

struct Task<'a> {
    body: Actor<'a>,
    cancelled: Option<String>,
    /// It gave its value.
    ended: bool,
}

impl Task<'_> {
    fn look(&mut self, world: &mut World, who: usize) {
        if matches!(self.body, Actor::Over) {
            return;
        }
        if (self.cancelled.is_none() || self.body.is_open())
            && self.body.look(world, self.cancelled.is_some())
        {
            self.ended = true;
            return world.tell(who, "gone");
        }
        if self.cancelled.is_some() && !self.body.is_open() {
            self.body = Actor::Over;
            world.tell(who, "gone");
        }
    }
}

/// What should happen.
pub(crate) fn perform(program: &Program) -> Told {
    let handle = |settings: &Option<Settings>| Handle {
        is_there: settings.is_some(),
        limit: settings.and_then(|(limit, _)| limit),
        ..Handle::default()
    };
    let mut world = World {
        handles: program.scopes.iter().map(handle).collect(),
        ..World::default()
    };
    let task = |plan| Task {
        body: Actor::Fresh(plan),
        cancelled: None,
        ended: false,
    };
    let mut tasks: Vec<Task<'_>> = program.tasks.iter().map(task).collect();
    let mut acts = program.acts.iter().enumerate().peekable();
    loop {
        world.changed = true;
        while std::mem::take(&mut world.changed) {
            for (at, task) in tasks.iter_mut().enumerate() {
                task.look(&mut world, TASKS + at);
            }
        }
        let next = tasks.iter().filter_map(|task| task.body.next(&world)).min();
        let act = acts.peek().map(|(_, (at, _))| *at);
        let Some(moment) = earlier(next, act) else {
            break;
        };
        world.now = moment;
        if let Some((number, &(_, act))) = acts.next_if(|(_, (at, _))| *at == moment) {
            do_it(act, format!("act {number}"), &mut world, &mut tasks);
        }
    }
    let causes = world.handles.into_iter().map(|handle| handle.cause);
    let reasons = tasks.into_iter();
    let reasons = reasons.map(|task| task.cancelled.filter(|_| !task.ended));
    (world.story, causes.collect(), reasons.collect())
}

fn do_it(act: Act, reason: String, world: &mut World, tasks: &mut [Task<'_>]) {
    match act {
        Act::Cancel { scope } => drop(world.cancel(scope, reason)),
        Act::SetDeadline { scope, .. } if !world.handles[scope].is_there => {}
        Act::SetDeadline { scope, after } => {
            let deadline = after.map(|after| world.now + ms(after));
            let handle = &mut world.handles[scope];
            (handle.limit, handle.deadline) = (None, deadline);
        }
        Act::CancelTask { task } => {
            let task = &mut tasks[task];
            if !matches!(task.body, Actor::Over) {
                task.cancelled.get_or_insert(reason);
            }
        }
    }
}
