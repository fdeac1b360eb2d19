//! [`work`]: a worker, which does several jobs at once and ends in order.

use std::cell::Cell;
use std::time::Duration;

use anyhow::{Result, anyhow};
use petla::local::{Event, Semaphore};
use petla::{TaskGroup, select, sleep};
use serde_json::Value;

use crate::{Delivery, Job, Queue};

/// Before Redis is asked again after an error.
const PAUSE: Duration = Duration::from_millis(500);

/// Does jobs, at most `hands` at once, until `stop` is set; then ends those it has begun. Gives how
/// many it did.
///
/// A job that panics has failed. What happens is told to `tell`, a line each.
///
/// # Cancel safety
/// **Loses place.** Jobs that were begun are done by other workers, from their beginning.
pub async fn work<H, T>(queue: &Queue, hands: usize, stop: &Event, handler: H, tell: T) -> usize
where
    H: AsyncFn(&Job) -> Result<Value>,
    T: Fn(String),
{
    let free = Semaphore::new(hands);
    let done = Cell::new(0);
    let (handler, tell) = (&handler, &tell);
    let all = TaskGroup::run(async |g| {
        while !stop.is_set() {
            let hand = free.acquire().await;
            if stop.is_set() {
                break; // while all hands were busy
            }
            match queue.next().await {
                Ok(None) => {}
                Ok(Some(delivery)) => {
                    let done = &done;
                    g.spawn(async move {
                        let _hand = hand;
                        take(queue, &delivery, handler, tell).await;
                        done.set(done.get() + 1);
                    });
                }
                Err(error) => {
                    tell(format!("{error:#}; tries again in {PAUSE:?}"));
                    select! {
                        () = stop.wait() => {}
                        () = sleep(PAUSE) => {}
                    }
                }
            }
        }
    });
    let all: Result<(), petla::ErrorGroup<anyhow::Error>> = all.await;
    if let Err(errors) = all {
        tell(format!("a bug in the worker: {errors}"));
    }
    done.get()
}

/// One delivery, up to its end in Redis.
async fn take<H, T>(queue: &Queue, delivery: &Delivery, handler: &H, tell: &T)
where
    H: AsyncFn(&Job) -> Result<Value>,
    T: Fn(String),
{
    let job = match &delivery.job {
        Ok(job) => job,
        Err(error) => {
            tell(format!("a message that is no job: {error}"));
            let why = format!("no job: {error}");
            until_stored(tell, async || queue.dead(delivery, &why).await).await;
            return;
        }
    };
    let Job {
        id, task, attempts, ..
    } = job;
    if *attempts >= queue.settings.attempts {
        let why = format!("given up: the worker died in each of {attempts} attempts");
        tell(format!("{task} {id} {why}"));
        until_stored(tell, async || queue.dead(delivery, &why).await).await;
        return;
    }
    tell(format!("{task} {id} begins, attempt {}", attempts + 1));
    let result = select! {
        result = caught(handler, job) => result,
        never = signs_of_life(queue, delivery) => match never {},
    };
    match result {
        Ok(value) => {
            if until_stored(tell, async || queue.done(delivery, job, &value).await).await {
                tell(format!("{task} {id} done"));
            }
        }
        Err(error) => {
            let why = format!("{error:#}");
            tell(format!("{task} {id} fails: {why}"));
            until_stored(tell, async || queue.failed(delivery, job, &why).await).await;
        }
    }
}

/// The handler's result; a panic is an error.
async fn caught<H>(handler: &H, job: &Job) -> Result<Value>
where
    H: AsyncFn(&Job) -> Result<Value>,
{
    let run = TaskGroup::run(async |g| {
        let task = g.spawn(handler(job));
        task.await.map_err(|error| anyhow!(error))
    });
    run.await.map_err(|errors| errors.into_first())
}

/// Three in the time after which a worker counts as dead. One that fails is made up for by the
/// next; if all do, Redis is away, and nobody can take the job.
async fn signs_of_life(queue: &Queue, delivery: &Delivery) -> std::convert::Infallible {
    loop {
        sleep(queue.settings.min_idle / 3).await;
        drop(queue.keep(delivery).await);
    }
}

/// The work is done: rather wait for Redis than do it again. False if somebody else had done it.
async fn until_stored<F, T>(tell: &T, store: F) -> bool
where
    F: AsyncFn() -> Result<bool>,
    T: Fn(String),
{
    loop {
        match store().await {
            Ok(true) => return true,
            Ok(false) => {
                tell("somebody else was faster, or the answer was lost".to_owned());
                return false;
            }
            Err(error) => tell(format!("{error:#}; tries again in {PAUSE:?}")),
        }
        sleep(PAUSE).await;
    }
}
