//! Scenes times calls times errnos.
//!
//! # Cost
//! A scene takes about a millisecond, so the whole takes seconds.

use std::any::Any;
use std::collections::BTreeMap;
use std::env;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread;
use std::time::{Duration, Instant};

use super::gauges::Held;
use super::rules::{Fate, Rule, find, judge, unused};
use super::scenes::{SCENES, Scene};
use super::step::{Outcome, take_reports};
use super::watchdog::Watchdog;
use crate::sys::epoll;
use crate::sys::faults::errnos::documented;
use crate::sys::faults::{Errno, Plan, memory_in_use};

/// Names a scene, or a part of some names, to be the only ones that are played.
const CHOSEN: &str = "PETLA_SCENE";
/// How often a failure is repeated to see whether memory is left behind, if that is quick.
const REPEATS: usize = 100;
const REPEATS_MIN: usize = 5;
const PATIENCE: Duration = Duration::from_millis(60);
/// More bytes for each repetition are a leak, unless it comes to an end: the allocator keeps freed
/// blocks in stock, so the first batches grow.
const MEMORY_MAX: usize = 10;
const BATCHES: usize = 25;

/// The whole matrix.
///
/// # Panics
/// With the list of all that went wrong.
pub(super) fn run() {
    let mut matrix = Matrix {
        watchdog: Watchdog::new(),
        problems: Vec::new(),
        failures: 0,
        missed: 0,
        used: Vec::new(),
        calls: BTreeMap::new(),
    };
    let begin = Instant::now();
    let chosen = env::var(CHOSEN).ok();
    for scene in SCENES {
        if chosen
            .as_ref()
            .is_some_and(|part| !scene.name.contains(part.as_str()))
        {
            continue;
        }
        let begin = Instant::now();
        matrix.try_scene(scene);
        println!("{:.2} s: {}", begin.elapsed().as_secs_f32(), scene.name);
    }
    let rules: Vec<_> = SCENES.iter().map(|scene| scene.rules).collect();
    let unused = unused(&rules, &matrix.used);
    let problem = |rule| format!("this rule was never applied: {rule:?}");
    if chosen.is_none() {
        matrix.problems.extend(unused.into_iter().map(problem));
    }
    let errnos: usize = matrix.calls.keys().map(|call| documented(call).len()).sum();
    println!(
        "{} failures in {:.1} s: {} calls with {errnos} errnos in {} scenes ({} calls were not \
         made again)",
        matrix.failures,
        begin.elapsed().as_secs_f32(),
        matrix.calls.len(),
        SCENES.len(),
        matrix.missed,
    );
    let problems = matrix.problems.join("\n");
    assert!(
        problems.is_empty(),
        "{} problems:\n{problems}",
        matrix.problems.len()
    );
}

struct Matrix {
    watchdog: Watchdog,
    problems: Vec<String>,
    failures: usize,
    /// Calls that were made in the clean run, and not in the one in which they should have failed.
    missed: usize,
    /// The rules that were applied.
    used: Vec<&'static Rule>,
    /// How often each was made by the scenes as they are.
    calls: BTreeMap<&'static str, usize>,
}

impl Matrix {
    fn try_scene(&mut self, scene: &'static Scene) {
        let mut calls = Vec::new();
        // The first run also makes what is made once in a process or a thread.
        for _ in 0..3 {
            let plan = Plan::record();
            let ended = self.play(scene, &plan, scene.name);
            if let Some(problem) = ended.problem_of_success() {
                let name = scene.name;
                return self.problems.push(format!("{name}, as it is: {problem}"));
            }
            calls = plan.calls();
        }
        let mut steps: BTreeMap<&'static str, Vec<&'static str>> = BTreeMap::new();
        for call in calls {
            steps.entry(call.name).or_default().push(call.step);
        }
        for (call, steps) in steps {
            *self.calls.entry(call).or_default() += steps.len();
            for (place, &errno) in documented(call).iter().enumerate() {
                for nth in some_of(&steps) {
                    let rule = find(scene.rules, call, steps[nth - 1], nth, errno);
                    if fate_of(rule) == Fate::Untried {
                        self.used.extend(rule);
                        continue;
                    }
                    self.try_failure(scene, call, nth, errno);
                    if place == 0 && is_first(&steps, nth) {
                        self.repeat(scene, call, nth, errno);
                    }
                }
            }
        }
    }

    fn try_failure(&mut self, scene: &'static Scene, call: &'static str, nth: usize, errno: Errno) {
        let what = format!("{}: {call} number {nth} fails with {errno:?}", scene.name);
        let plan = Plan::fail(call, nth, errno);
        let ended = self.play(scene, &plan, &what);
        let Some(step) = plan.struck().map(|call| call.step) else {
            self.missed += 1;
            return;
        };
        let rule = find(scene.rules, call, step, nth, errno);
        let fate = fate_of(rule);
        self.used.extend(rule);
        self.failures += 1;
        if let Some(problem) = ended.problem(fate, step, errno) {
            self.problems
                .push(format!("{what}, in {step:?}: {problem}"));
        }
    }

    /// The same failure again and again: no memory is left behind.
    fn repeat(&mut self, scene: &Scene, call: &'static str, nth: usize, errno: Errno) {
        let what = format!("{}: {call} number {nth} fails again and again", scene.name);
        let mut left = Vec::new();
        for _ in 0..BATCHES {
            let (before, begin) = (memory_in_use(), Instant::now());
            let mut rounds = 0;
            while rounds < REPEATS_MIN || rounds < REPEATS && begin.elapsed() < PATIENCE {
                drop(self.play(scene, &Plan::fail(call, nth, errno), &what));
                rounds += 1;
            }
            left.push(memory_in_use().saturating_sub(before));
            if left.last().is_some_and(|left| *left <= MEMORY_MAX * rounds) {
                return;
            }
        }
        self.problems
            .push(format!("{what}: {left:?} bytes are left behind"));
    }

    /// What is not as it was, also when threads had time to end.
    fn leak(&self, before: &Held) -> Option<String> {
        let mut leak = None;
        for _ in 0..400 {
            leak = before.differs_from(&Held::now());
            if leak.is_none() {
                break;
            }
            thread::sleep(Duration::from_millis(5));
        }
        leak
    }

    fn play(&self, scene: &Scene, plan: &Plan, what: &str) -> Ended {
        self.watchdog.begin(what);
        let before = Held::now();
        let played = {
            let _entered = plan.enter();
            catch_unwind(AssertUnwindSafe(scene.play))
        };
        epoll::forget_refusal();
        let leak = self.leak(&before);
        Ended {
            played: played.map_err(|payload| text_of(&*payload)),
            reports: take_reports(),
            leak,
        }
    }
}

/// What one run of a scene left.
struct Ended {
    played: Result<Outcome, String>,
    reports: Vec<String>,
    leak: Option<String>,
}

impl Ended {
    fn problem(self, fate: Fate, step: &str, errno: Errno) -> Option<String> {
        if let Some(leak) = self.leak {
            return Some(leak);
        }
        match self.played {
            Err(panic) => Some(panic),
            Ok(outcome) => judge(fate, step, errno, &outcome, &self.reports).err(),
        }
    }

    fn problem_of_success(self) -> Option<String> {
        match (self.leak, self.played) {
            (_, Err(panic)) => Some(panic),
            (_, Ok(Err(failure))) => Some(format!("{failure:?}")),
            (_, _) if !self.reports.is_empty() => Some(format!("reports {:?}", self.reports)),
            _ => None, // what is made once is no leak
        }
    }
}

fn fate_of(rule: Option<&Rule>) -> Fate {
    rule.map_or(Fate::ComesOut, |rule| rule.fate)
}

fn text_of(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| payload.downcast_ref::<&str>().copied());
    format!("it panicked: {}", text.unwrap_or("without a text"))
}

/// Is this call, counted from 1, the first one of its step?
fn is_first(steps: &[&str], nth: usize) -> bool {
    !steps[..nth - 1].contains(&steps[nth - 1])
}

/// Of the calls of one name: the first of each step, and of all the first three, one in the
/// middle and the last. Counted from 1.
fn some_of(steps: &[&str]) -> Vec<usize> {
    let count = steps.len();
    let mut some = vec![1, 2, 3, count / 2, count];
    some.retain(|nth| (1..=count).contains(nth));
    some.extend((1..=count).filter(|&nth| is_first(steps, nth)));
    some.sort_unstable();
    some.dedup();
    some
}
