//! Random trees of scopes, limits, shields and sleeps, cancelled at random moments, against a
//! plain model of the documented rules.
//!
//! A [`Plan`] is run twice: on a loop with an automatic virtual clock, and by `model`, which
//! knows neither wakers nor a tree of nodes: it looks at everything at each moment, until nothing
//! changes. Both tell a story (which sleep ended when, which scope ended how, which clean-ups ran
//! in which order and when), and the stories must be the same.
//!
//! Moments inside trees are whole milliseconds after one another; each act from outside has a
//! fraction of its own. So nothing that matters happens at one moment by chance, but what is
//! meant to: a value and a limit in one task.
//!
//! # Not here
//! Limits of zero, limits of clean-ups, plain drops: tests of their own, in `scope.rs`. Groups: to
//! be added, as a kind of plan.

use std::cell::RefCell;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::time::{Duration, Instant};

use petla::{
    CancelScope, Cancelled, gather, now, shield, sleep, sleep_until, spawn, testing, timeout,
};
use proptest::prelude::*;

#[path = "scope_properties/model.rs"]
mod model;

/// What a task does. The numbers of sleeps and scopes are given after the plan was made up.
#[derive(Debug, Clone)]
enum Plan {
    Sleep { number: usize, ms: u64 },
    Seq(Vec<Plan>),
    All(Vec<Plan>),
    Scope(ScopePlan),
    Limit { ms: u64, body: Box<Plan> },
    Shield(Box<Plan>),
}

#[derive(Debug, Clone)]
struct ScopePlan {
    number: usize,
    limit: Option<u64>,
    shielded: bool,
    cleanups: Vec<CleanupPlan>,
    body: Box<Plan>,
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
    /// The limits and shields of all scopes, by their numbers.
    scopes: Vec<(Option<u64>, bool)>,
    acts: Vec<(Duration, Act)>,
}

/// When, the number of the sleep, scope or task it is about, and what happened.
type Event = (Duration, usize, String);

/// How scopes and tasks number themselves apart from sleeps.
const SCOPES: usize = 1_000;
const TASKS: usize = 2_000;

/// What happened, in the order of time; of one scope, in the order of the telling.
fn in_order(mut story: Vec<Event>) -> Vec<Event> {
    story.sort_by_key(|event| (event.0, event.1));
    story
}

// ---- Making plans up

fn leaf() -> impl Strategy<Value = Plan> {
    (1..12_u64).prop_map(|ms| Plan::Sleep { number: 0, ms })
}

fn scope(body: impl Strategy<Value = Plan>, inner: bool) -> impl Strategy<Value = Plan> {
    let work = match inner {
        true => prop_oneof![3 => leaf(), 1 => scope(leaf(), false).boxed()].boxed(),
        false => leaf().boxed(),
    };
    let cleanup = (any::<bool>(), work).prop_map(|(always, work)| CleanupPlan { always, work });
    let limit = prop::option::weighted(0.4, 1..20_u64);
    let cleanups = prop::collection::vec(cleanup, 0..3);
    let parts = (limit, prop::bool::weighted(0.15), cleanups, body);
    parts.prop_map(|(limit, shielded, cleanups, body)| {
        Plan::Scope(ScopePlan {
            number: 0,
            limit,
            shielded,
            cleanups,
            body: Box::new(body),
        })
    })
}

fn plan() -> impl Strategy<Value = Plan> {
    leaf().prop_recursive(6, 32, 3, |inner| {
        prop_oneof![
            2 => prop::collection::vec(inner.clone(), 1..4).prop_map(Plan::Seq),
            2 => prop::collection::vec(inner.clone(), 1..4).prop_map(Plan::All),
            5 => scope(inner.clone(), true),
            2 => (1..20_u64, inner.clone()).prop_map(|(ms, body)| {
                Plan::Limit { ms, body: Box::new(body) }
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

fn program() -> impl Strategy<Value = Program> {
    let tasks = prop::collection::vec(plan(), 1..4);
    let acts = prop::collection::vec(act(), 0..5);
    (tasks, acts).prop_map(|(mut tasks, acts)| {
        let mut numbers = Numbers::default();
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
    scopes: Vec<(Option<u64>, bool)>,
}

impl Numbers {
    fn give(&mut self, plan: &mut Plan) {
        match plan {
            Plan::Sleep { number, .. } => {
                *number = self.sleeps;
                self.sleeps += 1;
            }
            Plan::Seq(plans) | Plan::All(plans) => {
                plans.iter_mut().for_each(|plan| self.give(plan))
            }
            Plan::Limit { body, .. } | Plan::Shield(body) => self.give(body),
            Plan::Scope(scope) => {
                scope.number = self.scopes.len();
                self.scopes.push((scope.limit, scope.shielded));
                let works = scope.cleanups.iter_mut().map(|cleanup| &mut cleanup.work);
                works.for_each(|work| self.give(work));
                self.give(&mut scope.body);
            }
        }
    }
}

// ---- The real thing

struct Stage {
    begin: Instant,
    story: RefCell<Vec<Event>>,
    scopes: Vec<CancelScope>,
}

impl Stage {
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
            Plan::Sleep { number, ms: time } => {
                sleep(ms(*time)).await;
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
            Plan::Limit { ms: limit, body } => {
                let _ = timeout(ms(*limit), play(body, stage)).await;
            }
            Plan::Shield(body) => shield(play(body, stage)).await,
            Plan::Scope(scope) => play_scope(scope, stage).await,
        }
    })
}

async fn play_scope(plan: &ScopePlan, stage: &Stage) {
    let who = SCOPES + plan.number;
    let run = stage.scopes[plan.number].run(async |s| {
        for (at, cleanup) in plan.cleanups.iter().enumerate() {
            let work = async move {
                play(&cleanup.work, stage).await;
                stage.tell(who, format!("cleaned up {at}"));
            };
            match cleanup.always {
                true => s.finally(work),
                false => s.on_cancel(work),
            };
        }
        play(&plan.body, stage).await;
    });
    match run.await {
        Ok(()) => stage.tell(who, "ended"),
        Err(cause) => stage.tell(who, format!("cancelled by {}", cause_of(&cause))),
    }
}

/// Tells when its task's future is gone.
struct Gone(Rc<Stage>, usize);

impl Drop for Gone {
    fn drop(&mut self) {
        self.0.tell(self.1, "gone");
    }
}

/// What happened, and why scopes and tasks were cancelled that were.
type Told = (Vec<Event>, Vec<Option<String>>, Vec<Option<String>>);

fn perform(program: &Program) -> Told {
    testing::run(async {
        let make = |&(limit, shielded): &(Option<u64>, bool)| {
            let mut scope = CancelScope::new();
            if let Some(limit) = limit {
                scope = scope.timeout(ms(limit));
            }
            if shielded {
                scope = scope.shielded();
            }
            scope
        };
        let stage = Rc::new(Stage {
            begin: now(),
            story: RefCell::default(),
            scopes: program.scopes.iter().map(make).collect(),
        });
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
            match act {
                Act::Cancel { scope } => drop(stage.scopes[scope].cancel(reason)),
                Act::SetDeadline { scope, after } => {
                    stage.scopes[scope].set_deadline(after.map(|after| now() + ms(after)));
                }
                Act::CancelTask { task } => drop(tasks[task].cancel(reason)),
            }
        }
        let mut reasons = Vec::new();
        for task in tasks {
            let error = task.await.err();
            assert!(error.as_ref().is_none_or(petla::JoinError::is_cancelled));
            reasons.push(error.and_then(|error| error.reason().map(str::to_owned)));
        }
        let causes = stage.scopes.iter();
        let causes = causes.map(|scope| scope.cause().as_ref().map(cause_of));
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
    fn trees_of_scopes_behave_as_documented(program in program()) {
        let (expected, expected_causes, expected_reasons) = model::perform(&program);
        let (story, causes, reasons) = perform(&program);
        prop_assert_eq!(in_order(story), in_order(expected));
        prop_assert_eq!(causes, expected_causes);
        prop_assert_eq!(reasons, expected_reasons);
    }
}
