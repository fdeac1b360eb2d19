//! Random trees of scopes, limits, shields and sleeps, cancelled at random moments, against a
//! plain model of the documented rules.
//!
//! A [`Plan`] is run twice: on a loop with an automatic virtual clock, and by `model`, which
//! knows neither wakers nor a tree of nodes: it looks at everything at each moment, until nothing
//! changes. Both tell a story (which sleep ended when, which scope ended how, which clean-ups ran
//! in which order and when), and the stories must be the same.
//!
//! Moments inside trees without groups are whole milliseconds after one another; each act from
//! outside has a fraction of its own. So nothing that matters happens at one moment by chance, but
//! what is meant to: a value and a limit in one task. In a group a failure at the moment of a
//! sibling's end would matter, so with groups each time has a fraction of its own too.
//!
//! # Not here
//! Limits of zero, limits of clean-ups, plain drops: tests of their own, in `scope.rs`. Panics,
//! handles of children, children spawned by children: in `task_group.rs`.

use std::cell::{OnceCell, RefCell};
use std::future::Future;
use std::ops::Deref;
use std::pin::Pin;
use std::rc::Rc;
use std::time::{Duration, Instant};

use petla::{
    CancelScope, Cancelled, EventLoop, Scope, Task, TaskGroup, gather, now, shield, sleep,
    sleep_until, spawn, testing, timeout,
};
use proptest::prelude::*;

#[path = "scope_properties/model.rs"]
mod model;
#[path = "scope_properties/plans.rs"]
mod plans;

/// What a task does. The numbers of sleeps and scopes are given after the plan was made up.
#[derive(Debug, Clone)]
enum Plan {
    Sleep { number: usize, time: Duration },
    Seq(Vec<Plan>),
    All(Vec<Plan>),
    Scope(ScopePlan),
    Limit { time: Duration, body: Box<Plan> },
    Shield(Box<Plan>),
    Group(GroupPlan),
}

#[derive(Debug, Clone)]
struct ScopePlan {
    number: usize,
    limit: Option<Duration>,
    shielded: bool,
    cleanups: Vec<CleanupPlan>,
    body: Box<Plan>,
}

/// What its body begins with: the scope's settings, then all children.
#[derive(Debug, Clone)]
struct GroupPlan {
    scope: ScopePlan,
    supervises: bool,
    /// Of the body, at its end.
    fails: bool,
    children: Vec<ChildPlan>,
}

#[derive(Debug, Clone)]
struct ChildPlan {
    number: usize,
    work: Plan,
    /// At its end.
    fails: bool,
}

#[derive(Debug, Clone)]
struct CleanupPlan {
    always: bool,
    work: Plan,
}

/// What is done from outside, and when.
#[derive(Debug, Clone, Copy)]
enum Act {
    Cancel {
        scope: usize,
    },
    /// So many milliseconds after the act, or never.
    SetDeadline {
        scope: usize,
        after: Option<u64>,
    },
    CancelTask {
        task: usize,
    },
}

#[derive(Debug, Clone)]
struct Program {
    tasks: Vec<Plan>,
    /// All scopes, by their numbers; those of groups are made by the groups.
    scopes: Vec<Option<Settings>>,
    acts: Vec<(Duration, Act)>,
}

/// The limit, and whether it is shielded.
type Settings = (Option<Duration>, bool);

/// When, the number of the sleep, scope or task it is about, and what happened.
type Event = (Duration, usize, String);

/// How scopes, tasks, children and bodies of groups number themselves apart from sleeps.
const SCOPES: usize = 1_000;
const TASKS: usize = 2_000;
const CHILDREN: usize = 3_000;
const BODIES: usize = 4_000;
/// Who tells what the loop reports, and what that is of a failure that no group gives.
const REPORTS: usize = 5_000;
const LOST: &str = "a failure in a task group that was cancelled";

/// What happened, in the order of time; of one scope, in the order of the telling.
fn in_order(mut story: Vec<Event>) -> Vec<Event> {
    story.sort_by_key(|event| (event.0, event.1));
    story
}

struct Stage {
    begin: Instant,
    story: RefCell<Vec<Event>>,
    /// Those of groups once their bodies began.
    scopes: Vec<OnceCell<CancelScope>>,
}

impl Stage {
    fn scope(&self, number: usize) -> &CancelScope {
        self.scopes[number].get().expect("made before it is run")
    }

    fn act(&self, act: Act, reason: String, tasks: &[Task<()>]) {
        let scope = |number: usize| self.scopes[number].get();
        match act {
            Act::Cancel { scope: number } => {
                let _ = scope(number).map(|scope| scope.cancel(reason));
            }
            Act::SetDeadline {
                scope: number,
                after,
            } => {
                let deadline = after.map(|after| now() + ms(after));
                let _ = scope(number).map(|scope| scope.set_deadline(deadline));
            }
            Act::CancelTask { task } => drop(tasks[task].cancel(reason)),
        }
    }

    fn tell(&self, who: usize, what: impl Into<String>) {
        let event = (now() - self.begin, who, what.into());
        self.story.borrow_mut().push(event);
    }
}

fn ms(count: u64) -> Duration {
    Duration::from_millis(count)
}

fn cause_of(cause: &Cancelled) -> String {
    match (cause.deadline(), cause.reason()) {
        (Some(_), _) => "its deadline".to_owned(),
        (None, reason) => reason.unwrap_or("nothing").to_owned(),
    }
}

fn play<'a>(plan: &'a Plan, stage: &'a Stage) -> Pin<Box<dyn Future<Output = ()> + 'a>> {
    Box::pin(async move {
        match plan {
            Plan::Sleep { number, time } => {
                sleep(*time).await;
                stage.tell(*number, "slept");
            }
            Plan::Seq(plans) => {
                for plan in plans {
                    play(plan, stage).await;
                }
            }
            Plan::All(plans) => {
                gather(plans.iter().map(|plan| play(plan, stage))).await;
            }
            Plan::Limit { time, body } => {
                let _ = timeout(*time, play(body, stage)).await;
            }
            Plan::Shield(body) => shield(play(body, stage)).await,
            Plan::Scope(scope) => play_scope(scope, stage).await,
            Plan::Group(group) => play_group(group, stage).await,
        }
    })
}

async fn play_scope(plan: &ScopePlan, stage: &Stage) {
    let who = SCOPES + plan.number;
    let run = stage.scope(plan.number).run(async |s| {
        register(plan, stage, s);
        play(&plan.body, stage).await;
    });
    match run.await {
        Ok(()) => stage.tell(who, "ended"),
        Err(cause) => stage.tell(who, format!("cancelled by {}", cause_of(&cause))),
    }
}

fn register<'a>(plan: &'a ScopePlan, stage: &'a Stage, scope: &Scope<'a>) {
    let who = SCOPES + plan.number;
    for (at, cleanup) in plan.cleanups.iter().enumerate() {
        let work = async move {
            play(&cleanup.work, stage).await;
            stage.tell(who, format!("cleaned up {at}"));
        };
        match cleanup.always {
            true => scope.finally(work),
            false => scope.on_cancel(work),
        };
    }
}

/// Its errors are the numbers of those that failed.
async fn play_group<'a>(plan: &'a GroupPlan, stage: &'a Stage) {
    let number = plan.scope.number;
    let body = async |g: &TaskGroup<'a, usize>| {
        let _gone = Gone(stage, BODIES + number);
        assert!(stage.scopes[number].set(CancelScope::clone(g)).is_ok());
        g.set_shield(plan.scope.shielded);
        g.set_deadline(plan.scope.limit.map(|limit| now() + limit));
        register(&plan.scope, stage, g);
        for child in &plan.children {
            let who = CHILDREN + child.number;
            g.spawn(async move {
                let _gone = Gone(stage, who);
                play(&child.work, stage).await;
                end(child.fails, who)
            });
        }
        play(&plan.scope.body, stage).await;
        end(plan.fails, BODIES + number)
    };
    let result = match plan.supervises {
        true => TaskGroup::supervise(body).await,
        false => TaskGroup::run(body).await,
    };
    let what = match result {
        Ok(()) => "ended".to_owned(),
        Err(group) => {
            let failures: Vec<usize> = group.errors().copied().collect();
            assert_eq!(failures.len(), group.failures().len(), "nobody panics");
            group_failed(&failures, group.cancelled().map(cause_of))
        }
    };
    stage.tell(SCOPES + number, what);
}

fn end(fails: bool, who: usize) -> Result<(), usize> {
    if fails { Err(who) } else { Ok(()) }
}

fn group_failed(failures: &[usize], cause: Option<String>) -> String {
    let cause = cause.unwrap_or_else(|| "nobody".to_owned());
    format!("failed: {failures:?}, cancelled by {cause}")
}

/// Tells when its task's future is gone, or that of a child or body.
struct Gone<S: Deref<Target = Stage>>(S, usize);

impl<S: Deref<Target = Stage>> Drop for Gone<S> {
    fn drop(&mut self) {
        self.0.tell(self.1, "gone");
    }
}

/// What happened, and why scopes and tasks were cancelled that were.
type Told = (Vec<Event>, Vec<Option<String>>, Vec<Option<String>>);

fn perform(program: &Program) -> Told {
    testing::run(async {
        let make = |settings: &Option<Settings>| {
            let Some((limit, shielded)) = *settings else {
                return OnceCell::new();
            };
            let mut scope = CancelScope::new();
            if let Some(limit) = limit {
                scope = scope.timeout(limit);
            }
            if shielded {
                scope = scope.shielded();
            }
            OnceCell::from(scope)
        };
        let stage = Rc::new(Stage {
            begin: now(),
            story: RefCell::default(),
            scopes: program.scopes.iter().map(make).collect(),
        });
        let told = Rc::clone(&stage);
        EventLoop::current()
            .set_exception_handler(move |report| told.tell(REPORTS, report.message));
        let tasks: Vec<_> = program
            .tasks
            .iter()
            .cloned()
            .enumerate()
            .map(|(at, plan)| {
                let stage = Rc::clone(&stage);
                spawn(async move {
                    let _gone = Gone(Rc::clone(&stage), TASKS + at);
                    play(&plan, &stage).await;
                })
            })
            .collect();
        for (number, &(at, act)) in program.acts.iter().enumerate() {
            sleep_until(stage.begin + at).await;
            let reason = format!("act {number}");
            stage.act(act, reason, &tasks);
        }
        let mut reasons = Vec::new();
        for task in tasks {
            let error = task.await.err();
            assert!(error.as_ref().is_none_or(petla::JoinError::is_cancelled));
            reasons.push(error.and_then(|error| error.reason().map(str::to_owned)));
        }
        let causes = stage.scopes.iter();
        let causes = causes.map(|scope| scope.get()?.cause().as_ref().map(cause_of));
        let story = stage.story.take();
        (story, causes.collect(), reasons)
    })
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::default() // 256 cases, or PROPTEST_CASES
    })]

    #[test]
    fn trees_of_scopes_behave_as_documented(program in plans::program(false)) {
        compare(&program)?;
    }

    #[test]
    fn trees_of_task_groups_behave_as_documented(program in plans::program(true)) {
        compare(&program)?;
    }
}

fn compare(program: &Program) -> Result<(), TestCaseError> {
    let (expected, expected_causes, expected_reasons) = model::perform(program);
    let (story, causes, reasons) = perform(program);
    prop_assert_eq!(in_order(story), in_order(expected));
    prop_assert_eq!(causes, expected_causes);
    prop_assert_eq!(reasons, expected_reasons);
    Ok(())
}
