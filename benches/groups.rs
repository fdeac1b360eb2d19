//! What does a child of a group cost beside a task of one's own?
//!
//! - `group_spawn_ready`: a `TaskGroup` with 1,000 children that are ready at once.
//! - `group_spawn_yield`: with 1,000 that yield once.
//!
//! Beside it petla's bare tasks, spawned into a list and joined one by one, which is what a group
//! may add to; and tokio's `JoinSet`. The other runtimes have no groups: they spawn and join.
//!
//! Timed: from the first spawn to the end of the group. Checked: every child adds its number.
//!
//! How to read it: nanoseconds a child.

use std::cell::Cell;
use std::convert::Infallible;
use std::rc::Rc;
use std::time::Instant;

use petla::TaskGroup;
use petla_bench::combinators::PETLA_SPAWN;
use petla_bench::libraries::{JoinSets, Library as _};
use petla_bench::runtimes::{
    Monoio, Petla, Runtime, Smol, TokioCurrentThread, TokioLocal, in_task,
};
use petla_bench::{Contender, Cost, Figure, PETLA, Sizes, Unit, contenders};
use tokio::task::JoinSet;

/// Children of one group.
const CHILDREN: usize = 1_000;
/// Groups one after the other.
const GROUPS: Sizes = Sizes {
    table: 200,
    criterion: 30,
    smoke: 1,
};

pub(crate) fn figures() -> Vec<Figure> {
    let figure = |name, contenders| Figure {
        name,
        unit: Unit::Nanoseconds,
        operations_each: CHILDREN,
        sizes: GROUPS,
        contenders,
    };
    vec![
        figure("group_spawn_ready", group_contenders::<false>()),
        figure("group_spawn_yield", group_contenders::<true>()),
    ]
}

fn group_contenders<const YIELD: bool>() -> Vec<Contender> {
    contenders![
        PETLA => group::<YIELD>,
        PETLA_SPAWN => spawns::<Petla, YIELD>,
        TokioLocal::NAME => spawns::<TokioLocal, YIELD>,
        TokioCurrentThread::NAME => spawns::<TokioCurrentThread, YIELD>,
        Smol::NAME => spawns::<Smol, YIELD>,
        Monoio::NAME => spawns::<Monoio, YIELD>,
        JoinSets::NAME => join_set::<YIELD>,
    ]
}

/// Adds `number` to the sum, after a yield if `YIELD`.
async fn child<R: Runtime, const YIELD: bool>(sum: Rc<Cell<usize>>, number: usize) {
    if YIELD {
        R::yield_now().await;
    }
    sum.set(sum.get() + number);
}

fn group<const YIELD: bool>(size: usize) -> Cost {
    crowds::<Petla, _>(size, async |sum| {
        let group = TaskGroup::<Infallible>::run(async |group| {
            for number in 0..CHILDREN {
                drop(group.spawn(child::<Petla, YIELD>(Rc::clone(sum), number)));
            }
        });
        group.await.expect("no child fails");
    })
}

fn spawns<R: Runtime, const YIELD: bool>(size: usize) -> Cost {
    crowds::<R, _>(size, async |sum| {
        let spawn = |number| R::spawn(child::<R, YIELD>(Rc::clone(sum), number));
        let tasks: Vec<_> = (0..CHILDREN).map(spawn).collect();
        for task in tasks {
            task.await;
        }
    })
}

fn join_set<const YIELD: bool>(size: usize) -> Cost {
    crowds::<TokioLocal, _>(size, async |sum| {
        let mut tasks = JoinSet::new();
        for number in 0..CHILDREN {
            tasks.spawn_local(child::<TokioLocal, YIELD>(Rc::clone(sum), number));
        }
        while let Some(ended) = tasks.join_next().await {
            ended.expect("the task ends with a value");
        }
    })
}

/// Runs `crowd` again and again; each time all numbers are to be added to the sum.
fn crowds<R: Runtime, F>(size: usize, crowd: F) -> Cost
where
    F: AsyncFn(&Rc<Cell<usize>>) + 'static,
{
    let (elapsed, sum) = in_task::<R, _>(async move {
        let sum = Rc::new(Cell::new(0));
        let start = Instant::now();
        for _ in 0..size {
            crowd(&sum).await;
        }
        (start.elapsed(), sum.get())
    });
    assert_eq!(sum, size * CHILDREN * (CHILDREN - 1) / 2);
    elapsed.into()
}

fn main() {
    petla_bench::criterion_main(figures());
}
