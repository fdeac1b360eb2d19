//! Random trees of groups, scopes, gathers, timeouts, shields and races, in random orders of
//! their tasks. Whatever happens in them, every child is dropped once and before its group has
//! ended, and every failure is told once: in the group's error, or in a report.
//!
//! # Not here
//! Panics below a child or a body: what passes them on may lose them, when it is dropped half-way.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use petla::task_group::{Cause, ErrorGroup};
use petla::testing::Explorer;
use petla::{
    CancelScope, Task, TaskGroup, all_tasks, gather, move_on_after, now, shield, sleep, spawn,
    spawn_eager, timeout, yield_now,
};

use crate::common::{Log, collect_reports, raise, text_of};

/// A failure, by number.
#[derive(Debug)]
struct Fail(u32);

type Act = Pin<Box<dyn Future<Output = Result<(), ()>>>>;
type Group<'env> = TaskGroup<'env, Fail>;

/// What happened so far, and what comes next.
struct World {
    random: Cell<u64>,
    /// Children that were made, and dropped.
    made: Cell<u32>,
    dropped: Cell<u32>,
    /// Failures that happened, and those that a group's error told.
    failed: Cell<u32>,
    told: RefCell<Vec<u32>>,
    reports: RefCell<Option<Log<String>>>,
    /// Handles that outlive their groups.
    kept: RefCell<Vec<Task<()>>>,
}

impl World {
    fn new(seed: u64) -> Rc<World> {
        Rc::new(World {
            random: Cell::new(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1),
            made: Cell::new(0),
            dropped: Cell::new(0),
            failed: Cell::new(0),
            told: RefCell::default(),
            reports: RefCell::default(),
            kept: RefCell::default(),
        })
    }

    /// A number below `bound`.
    fn below(&self, bound: u64) -> u64 {
        let mut x = self.random.get();
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        self.random.set(x);
        (x >> 11) % bound
    }

    fn one_in(&self, bound: u64) -> bool {
        self.below(bound) == 0
    }

    fn some_ms(&self) -> Duration {
        Duration::from_millis(self.below(20))
    }

    fn fail(&self) -> u32 {
        self.failed.set(self.failed.get() + 1);
        self.failed.get()
    }

    /// Notes what a group gave.
    fn settle(&self, result: Result<(), ErrorGroup<Fail>>) -> Result<(), ()> {
        let group = match result {
            Ok(()) => return Ok(()),
            Err(group) => group,
        };
        assert!(!group.failures().is_empty() || group.cancelled().is_some());
        let numbers = group.into_failures().into_iter();
        let numbers = numbers.map(|failure| match failure.cause {
            Cause::Error(Fail(number)) => number,
            Cause::Panicked(panic) => {
                let text = panic.message().expect("only numbers are raised");
                text.parse().expect(text)
            }
        });
        self.told.borrow_mut().extend(numbers);
        Err(())
    }

    /// When the loop is closed.
    fn check(&self) {
        assert_eq!(
            self.made.get(),
            self.dropped.get(),
            "children made and dropped"
        );
        let told = self.told.borrow();
        let once: BTreeSet<u32> = told.iter().copied().collect();
        assert_eq!(once.len(), told.len(), "a failure was told twice: {told:?}");
        let reports = self.reports.take().expect("the test ran").take();
        let lost = |report: &&String| {
            report.starts_with("a failure in a task group that was cancelled")
                || report.starts_with("a child of a dropped group panicked")
        };
        let reported = reports.iter().filter(lost).count();
        assert_eq!(
            self.failed.get() as usize,
            told.len() + reported,
            "failures that happened; told {told:?}; reports {reports:#?}"
        );
        let other = |report: &&String| !lost(report) && !report.starts_with("a scope was dropped");
        assert_eq!(reports.iter().find(other), None);
        let kept = self.kept.take();
        assert!(kept.iter().all(Task::is_finished));
    }
}

/// In every child: counts it.
struct Counted<'a> {
    world: Rc<World>,
    live: &'a Cell<u32>,
}

impl<'a> Counted<'a> {
    fn new(world: &Rc<World>, live: &'a Cell<u32>) -> Self {
        world.made.set(world.made.get() + 1);
        live.set(live.get() + 1);
        let world = world.clone();
        Counted { world, live }
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.world.dropped.set(self.world.dropped.get() + 1);
        self.live.set(self.live.get() - 1);
    }
}

/// Fails in its destructor, unless it is defused.
struct Bomb(Rc<World>, bool);

impl Drop for Bomb {
    fn drop(&mut self) {
        if self.1 && !std::thread::panicking() {
            raise(&self.0.fail().to_string());
        }
    }
}

/// The end of a child, or of a body: nothing of it is left but what it returns.
fn end(world: &World, result: Result<(), ()>) -> Result<(), Fail> {
    if world.one_in(30) {
        raise(&world.fail().to_string());
    }
    result.map_err(|()| Fail(world.fail()))
}

fn spawn_child<'env>(
    world: &Rc<World>,
    g: &Group<'env>,
    live: &'env Cell<u32>,
    depth: u32,
) -> Task<()> {
    let (counted, group, w) = (Counted::new(world, live), g.clone(), world.clone());
    let armed = world.one_in(10);
    let task = g.spawn(async move {
        let _counted = counted;
        let mut bomb = Bomb(w.clone(), armed);
        let result = act(&w, depth).await;
        if w.one_in(6) && depth > 0 {
            keep(&w, spawn_child(&w, &group, live, depth - 1));
        }
        if w.one_in(15) {
            group.cancel("by a child");
        }
        bomb.1 = false;
        end(&w, result)
    });
    if world.one_in(4) {
        return task.cancel_on_drop();
    }
    task
}

fn keep(world: &World, task: Task<()>) {
    match world.below(4) {
        0 => world.kept.borrow_mut().push(task),
        1 => drop(task.cancel("by its maker")),
        _ => drop(task),
    }
}

async fn group(world: &Rc<World>, depth: u32) -> Result<(), ()> {
    let live = Cell::new(0);
    let result = if world.one_in(3) {
        TaskGroup::supervise(async |g| body(world, g, &live, depth).await).await
    } else {
        TaskGroup::run(async |g| body(world, g, &live, depth).await).await
    };
    assert_eq!(live.get(), 0, "a child outlives its group");
    world.settle(result)
}

async fn body<'env>(
    world: &Rc<World>,
    g: &Group<'env>,
    live: &'env Cell<u32>,
    depth: u32,
) -> Result<(), Fail> {
    let mut bomb = Bomb(world.clone(), world.one_in(10));
    for _ in 0..world.below(4) {
        let task = spawn_child(world, g, live, depth - 1);
        if world.one_in(4) {
            drop(task.await);
        } else {
            keep(world, task);
        }
    }
    if world.one_in(6) {
        let undo = world.some_ms();
        g.finally(async move { sleep(undo).await });
    }
    if world.one_in(6) {
        g.set_deadline(now() + world.some_ms());
    }
    let result = act(world, depth - 1).await;
    if world.one_in(12) {
        g.cancel("by its body");
    }
    bomb.1 = false;
    end(world, result)
}

async fn scope(world: &Rc<World>, depth: u32) -> Result<(), ()> {
    let scope = CancelScope::new().timeout(world.some_ms());
    let scope = match world.one_in(3) {
        true => scope.shielded(),
        false => scope,
    };
    let result = scope.run(async |s| {
        let (one, other) = (world.some_ms(), world.some_ms());
        s.on_cancel(async move { sleep(one).await });
        s.finally_static(async move { sleep(other).await });
        let result = act(world, depth - 1).await;
        if world.one_in(3) {
            s.cancel(());
            yield_now().await;
        }
        result
    });
    result.await.unwrap_or(Err(()))
}

/// Two at once; the slower one is dropped wherever it is.
async fn race(world: &Rc<World>, depth: u32) -> Result<(), ()> {
    let mut racers = [act(world, depth - 1), act(world, depth - 1)];
    let result = poll_fn(|cx| {
        for racer in &mut racers {
            if let Poll::Ready(result) = racer.as_mut().poll(cx) {
                return Poll::Ready(result);
            }
        }
        Poll::Pending
    })
    .await;
    for racer in racers {
        // The body of a group that is just dropped panics here.
        if let Err(payload) = catch_unwind(AssertUnwindSafe(|| drop(racer))) {
            let text = text_of(&*payload).unwrap();
            world.told.borrow_mut().push(text.parse().unwrap());
        }
    }
    result
}

async fn task(world: &Rc<World>, depth: u32) -> Result<(), ()> {
    let work = act(world, depth - 1);
    let task = match world.one_in(3) {
        true => spawn_eager(work),
        false => spawn(work),
    };
    match world.below(4) {
        0 => drop(task),
        1 => drop(task.cancel("by its maker")),
        2 => drop(timeout(world.some_ms(), task).await),
        _ => drop(task.await),
    }
    Ok(())
}

async fn all(world: &Rc<World>, depth: u32) -> Result<(), ()> {
    let acts: Vec<Act> = (0..world.below(4)).map(|_| act(world, depth - 1)).collect();
    gather(acts).await.into_iter().collect()
}

/// Something at random.
fn act(world: &Rc<World>, depth: u32) -> Act {
    let world = world.clone();
    let choice = world.below(if depth == 0 { 5 } else { 16 });
    Box::pin(async move {
        match choice {
            0 => yield_now().await,
            1 => sleep(world.some_ms()).await,
            2 => sleep(Duration::from_secs(1)).await,
            3 if world.one_in(2) => return Err(()),
            3 | 4 => {}
            5 => return scope(&world, depth).await,
            6 => return race(&world, depth).await,
            7 => return task(&world, depth).await,
            8 => return all(&world, depth).await,
            9 => return shield(act(&world, depth - 1)).await,
            10 => {
                let limited = timeout(world.some_ms(), act(&world, depth - 1));
                return limited.await.unwrap_or(Err(()));
            }
            11 => {
                let limit = world.some_ms();
                let body = async |_: &petla::Scope<'_>| act(&world, depth - 1).await;
                return move_on_after(limit, body).await.unwrap_or(Ok(()));
            }
            _ => return group(&world, depth).await,
        }
        Ok(())
    })
}

#[test]
fn nothing_outlives_its_group_and_no_failure_is_lost_or_told_twice() {
    let mut failures = 0;
    for seed in 0..256 {
        let world = World::new(seed);
        Explorer::new().seeds(seed..seed + 1).run(async || {
            world.reports.replace(Some(collect_reports()));
            for _ in 0..3 {
                let _ = group(&world, 6).await;
            }
            let waiting = all_tasks().len();
            assert!(waiting >= 1);
        });
        world.check();
        failures += world.failed.get();
    }
    assert!(failures > 1000, "{failures} failures are a quiet life");
}
