//! [`run`]: waits for the times of all jobs, and runs them.
//!
//! Each job is a child of one `TaskGroup`, and each of its runs a group of its own, so that a
//! panic in there is that run's failure.

use std::future::Future;
use std::time::Duration;

use anyhow::{Context, Result};
use jiff::{Timestamp, Zoned};
use petla::local::Event;
use petla::{TaskGroup, select, sleep};

use crate::{Job, Plan, plan};

/// The wall clock is read again after so long at the latest.
const SLICE: Duration = Duration::from_secs(60);

/// What surrounds the jobs: a wall clock, and whatever does their work.
pub trait World {
    /// What time it is.
    fn now(&self) -> Timestamp;

    /// Does the work of `job` that was due at `time`.
    fn run(&self, job: &Job, time: &Zoned) -> impl Future<Output = Result<()>>;

    /// Nothing of `job` is open up to `until`: a program that starts again goes on from there.
    fn settle(&self, job: &Job, until: Timestamp) -> impl Future<Output = ()>;

    /// Something has happened to `job`.
    fn tell(&self, job: &Job, news: News<'_>);
}

/// What happens to a job.
#[derive(Debug)]
pub enum News<'a> {
    /// The run for this time begins.
    Begins(&'a Zoned),
    /// It has ended well.
    Ends(&'a Zoned),
    /// It has failed, or panicked.
    Fails(&'a Zoned, anyhow::Error),
    /// So many times were missed and are left out.
    LeftOut(usize),
}

/// Runs the jobs until `stop` is set; runs that have begun end first.
///
/// Each job comes with the moment up to which it is settled: of an earlier program, or now.
///
/// # Errors
/// If a job has no next time any more.
pub async fn run<W: World>(jobs: &[(Job, Timestamp)], world: &W, stop: &Event) -> Result<()> {
    let all = TaskGroup::run(async |g| {
        for (job, last) in jobs {
            g.spawn(keep(job, *last, world, stop));
        }
        anyhow::Ok(())
    });
    all.await.map_err(|errors| errors.into_first())
}

/// One job, from time to time.
async fn keep<W: World>(job: &Job, mut last: Timestamp, world: &W, stop: &Event) -> Result<()> {
    world.settle(job, last).await; // a new job begins to be able to miss something
    while !stop.is_set() {
        let now = world.now();
        let plan = plan(&job.schedule, job.missed, last, now).context(job.name.clone())?;
        last = plan.settled;
        if plan.left_out > 0 {
            world.tell(job, News::LeftOut(plan.left_out));
        }
        if plan.runs.is_empty() && plan.left_out == 0 {
            let wait = plan.next.timestamp().duration_since(now).unsigned_abs();
            select! {
                () = stop.wait() => break,
                () = sleep(wait.min(SLICE)) => {}
            }
        } else {
            do_all(job, &plan, world, stop).await;
        }
    }
    Ok(())
}

/// The runs of one plan. Those that `stop` prevents are missed by the next program, if any.
async fn do_all<W: World>(job: &Job, plan: &Plan, world: &W, stop: &Event) {
    for time in &plan.runs {
        if stop.is_set() {
            return;
        }
        world.tell(job, News::Begins(time));
        let run = TaskGroup::run(async |g| {
            g.spawn(world.run(job, time));
            anyhow::Ok(())
        });
        match run.await {
            Ok(()) => world.tell(job, News::Ends(time)),
            Err(errors) => world.tell(job, News::Fails(time, errors.into_first())),
        }
        world.settle(job, time.timestamp()).await;
    }
    world.settle(job, plan.settled).await;
}
