//! The work: jobs that wait, a bounded number that are being done, and the slow model.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, anyhow};
use petla::sync::{Queue, Semaphore};
use petla::{TaskGroup, shield, sleep, spawn};
use serde::{Deserialize, Serialize};

use crate::store::{Outcome, Store};

/// How many jobs may wait; more are refused, so that nobody waits for hours.
const WAITING: usize = 10_000;

/// Between two attempts to reach a database that is away.
const PAUSE: Duration = Duration::from_millis(500);

/// What a client wants to have decided.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Application {
    name: String,
    amount: u64,
    income: u64,
}

#[derive(Debug, Serialize)]
struct Decision {
    approved: bool,
    /// How much could be lent.
    limit: u64,
}

struct Job {
    id: String,
    application: Application,
}

/// The jobs of this service.
pub(crate) struct Jobs {
    store: Store,
    waiting: Queue<Job>,
    delay: Duration,
}

impl Jobs {
    pub(crate) fn new(store: Store, delay: Duration) -> Jobs {
        Jobs {
            store,
            waiting: Queue::unbounded(),
            delay,
        }
    }

    pub(crate) fn store(&self) -> &Store {
        &self.store
    }

    pub(crate) fn is_full(&self) -> bool {
        self.waiting.len() >= WAITING
    }

    /// Lets what former runs have left wait again; how many are they?
    pub(crate) async fn take_up(&self) -> Result<usize> {
        let pending = self.store.pending().await?;
        let count = pending.len();
        for (id, application) in pending {
            self.enqueue(id, serde_json::from_str(&application)?);
        }
        Ok(count)
    }

    /// Stores a job, and gives its number. From then on it will be done.
    pub(crate) async fn accept(self: &Arc<Self>, application: Application) -> Result<String> {
        let jobs = Arc::clone(self);
        let accepting = async move {
            let id = jobs
                .store
                .add(&serde_json::to_string(&application)?)
                .await?;
            jobs.enqueue(id.clone(), application);
            Ok(id)
        };
        // hyper drops this when the client goes away: not between the table and the queue.
        shield(accepting).await
    }

    /// If nothing is accepted any more, it stays PENDING for the next start.
    fn enqueue(&self, id: String, application: Application) {
        drop(self.waiting.put_nowait(Job { id, application }));
    }

    /// What waits will be done, and then [`Jobs::work`] ends.
    pub(crate) fn accept_no_more(&self) {
        self.waiting.shutdown(false);
    }

    /// How many are not done.
    pub(crate) async fn left(&self) -> Result<usize> {
        Ok(self.store.pending().await?.len())
    }

    /// Does what comes, so many at once.
    pub(crate) async fn work(self: Arc<Self>, at_once: usize) {
        let places = Arc::new(Semaphore::new(at_once));
        let group = TaskGroup::supervise(async |group| {
            loop {
                let place = places.acquire_owned().await;
                let Ok(job) = self.waiting.get().await else {
                    return Ok::<_, anyhow::Error>(()); // the group waits for what runs
                };
                let jobs = Arc::clone(&self);
                group.spawn(async move {
                    jobs.work_on(job).await;
                    drop(place);
                });
            }
        });
        if let Err(failures) = group.await {
            eprintln!("{failures}");
        }
    }

    async fn work_on(&self, Job { id, application }: Job) {
        patiently(async || self.store.begin(&id).await).await;
        // A task of its own, whose panic is an answer too.
        let model = spawn(decide(application, self.delay));
        let decided = model.await.unwrap_or_else(|error| Err(error.into()));
        let text = decided.and_then(|decision| Ok(serde_json::to_string(&decision)?));
        let outcome = match text {
            Ok(decision) => Outcome::Ready(decision),
            Err(error) => Outcome::Error(format!("{error:#}")),
        };
        patiently(async || self.store.finish(&id, &outcome).await).await;
    }
}

/// The model: a rule of thumb that takes its time, as a call to another service would. What
/// computes instead belongs into [`petla::to_thread`].
async fn decide(application: Application, delay: Duration) -> Result<Decision> {
    sleep(delay).await;
    if application.income == 0 {
        let name = application.name;
        return Err(anyhow!("nothing is known of the income of {name}"));
    }
    let limit = application.income.saturating_mul(12);
    Ok(Decision {
        approved: application.amount <= limit,
        limit,
    })
}

/// Tries until it works, while the database is away.
async fn patiently(step: impl AsyncFn() -> Result<()>) {
    while let Err(error) = step().await {
        eprintln!("a job waits for the database: {error:#}");
        sleep(PAUSE).await;
    }
}
