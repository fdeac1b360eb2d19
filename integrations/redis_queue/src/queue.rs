//! [`Queue`]: the commands behind the promises of the crate's page.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::process;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};
use redis::streams::{StreamAutoClaimReply, StreamId, StreamPendingCountReply, StreamReadReply};
use redis::{Cmd, cmd};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::link::Link;
use crate::scripts;

const GROUP: &str = "workers";
/// For an answer that Redis can give at once.
const ANSWER: Duration = Duration::from_secs(5);
/// How long Redis waits for something to come, before it answers that nothing has.
const BLOCK: Duration = Duration::from_millis(250);
/// So many outcomes are asked for in one command.
const AT_ONCE: usize = 500;

/// How a queue is used. Workers of one queue should agree.
#[derive(Clone, Debug)]
pub struct Settings {
    /// `redis://:password@host:port/database`.
    pub url: String,
    /// What its keys begin with.
    pub name: String,
    /// How often a job is tried.
    pub attempts: u32,
    /// Before the second attempt; twice as long before each further one.
    pub backoff: Duration,
    /// A job is taken from a worker that gave no sign of life for so long.
    pub min_idle: Duration,
    /// How long outcomes are kept, in whole seconds.
    pub keep: Duration,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            url: "redis://127.0.0.1:6379/".to_owned(),
            name: "petla".to_owned(),
            attempts: 3,
            backoff: Duration::from_millis(500),
            min_idle: Duration::from_secs(10),
            keep: Duration::from_secs(3600),
        }
    }
}

/// Something to be done.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Job {
    /// Its own, made by [`Queue::enqueue`].
    pub id: String,
    /// What is to be done.
    pub task: String,
    /// With what.
    pub args: Value,
    /// How many attempts there were before this one.
    #[serde(default)]
    pub attempts: u32,
}

/// What became of a job: a value or an error.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Outcome {
    /// The job's.
    pub id: String,
    /// Who did it.
    pub worker: String,
    /// How many attempts it took.
    pub attempts: u32,
    /// What it gave, unless it failed for good.
    pub value: Option<Value>,
    /// Why it failed for good.
    pub error: Option<String>,
}

/// A message that this worker has to settle.
#[derive(Debug)]
pub struct Delivery {
    entry: String,
    text: String,
    /// The job, or why it is none.
    pub job: Result<Job, serde_json::Error>,
}

/// One program's way to a queue.
pub struct Queue {
    /// How it is used.
    pub settings: Settings,
    worker: String,
    link: Link,
    /// For commands that wait, behind which no other must queue.
    waiting: Link,
    made: Cell<u64>,
    has_group: Cell<bool>,
    /// Since when nobody looked after jobs that are stuck.
    looked_after: Cell<Option<Instant>>,
    claim_from: RefCell<String>,
}

impl Queue {
    /// Connects; `worker` is the name of this program among the workers.
    ///
    /// # Errors
    /// If Redis is not there or refuses the login.
    pub async fn connect(settings: Settings, worker: &str) -> Result<Queue> {
        let queue = Queue {
            worker: worker.to_owned(),
            link: Link::new(&settings.url)?,
            waiting: Link::new(&settings.url)?,
            made: Cell::new(0),
            has_group: Cell::new(false),
            looked_after: Cell::new(None),
            claim_from: RefCell::new("0-0".to_owned()),
            settings,
        };
        queue.make_group().await?;
        Ok(queue)
    }

    // ---- For producers.

    /// Adds a job and gives its id.
    ///
    /// # Errors
    /// Those of the connection; the job may be in the queue all the same.
    pub async fn enqueue(&self, task: &str, args: Value) -> Result<String> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH)?;
        let number = self.made.replace(self.made.get() + 1);
        let job = Job {
            id: format!("{:x}-{:x}-{number:x}", now.as_nanos(), process::id()),
            task: task.to_owned(),
            args,
            attempts: 0,
        };
        let text = serde_json::to_string(&job)?;
        let mut add = cmd("XADD");
        add.arg(self.key("jobs")).arg("*").arg("job").arg(text);
        self.link.call::<String>(&add, ANSWER).await?;
        Ok(job.id)
    }

    /// Those outcomes of `ids` that are there, or come within a quarter of a second. Other
    /// programs may ask for them as well, as long as they are kept.
    ///
    /// # Errors
    /// Those of the connection.
    pub async fn outcomes(&self, ids: &[String]) -> Result<Vec<Outcome>> {
        let ids = &ids[..ids.len().min(AT_ONCE)];
        let mut read = cmd("XREAD");
        read.arg("BLOCK")
            .arg(BLOCK.as_millis() as u64)
            .arg("STREAMS");
        for id in ids {
            read.arg(self.outcome_key(id));
        }
        for _ in ids {
            read.arg("0");
        }
        let found: Option<StreamReadReply> = self.waiting.call(&read, BLOCK + ANSWER).await?;
        let streams = found.unwrap_or_default().keys.into_iter();
        let entries = streams.filter_map(|mut stream| stream.ids.pop());
        let texts = entries.map(|entry| field(&entry, "outcome"));
        let outcomes = texts.map(|text| serde_json::from_str(&text).context(text));
        outcomes.collect()
    }

    // ---- For workers. Each delivery ends with one of `done`, `failed` and `dead`.

    /// The next message: of a worker that is gone, or else a new one. Nothing if none comes within
    /// a quarter of a second.
    ///
    /// # Errors
    /// Those of the connection. Ask again: nothing is lost.
    ///
    /// # Cancel safety
    /// **Loses place.** A message that was on its way comes again after [`Settings::min_idle`].
    pub async fn next(&self) -> Result<Option<Delivery>> {
        if !self.has_group.get() {
            self.make_group().await?;
        }
        let next = self.stuck_or_new().await;
        if next.is_err() {
            self.has_group.set(false); // a Redis without its data has no group either
        }
        next
    }

    async fn stuck_or_new(&self) -> Result<Option<Delivery>> {
        let pace = BLOCK.min(self.settings.min_idle / 2);
        let looked_after = self.looked_after.get();
        if looked_after.is_none_or(|since| petla::now() - since >= pace) {
            self.wake_due().await?;
            if let Some(delivery) = self.claim().await? {
                return Ok(Some(delivery));
            }
            self.looked_after.set(Some(petla::now()));
        }
        let mut read = cmd("XREADGROUP");
        read.arg("GROUP")
            .arg(GROUP)
            .arg(&self.worker)
            .arg("COUNT")
            .arg(1);
        read.arg("BLOCK").arg(pace.as_millis() as u64);
        read.arg("STREAMS").arg(self.key("jobs")).arg(">");
        let found: Option<StreamReadReply> = self.waiting.call(&read, pace + ANSWER).await?;
        let entry = found.and_then(|mut found| found.keys.pop()?.ids.pop());
        Ok(entry.map(|entry| Delivery::new(&entry, 1)))
    }

    /// Jobs whose retry is due become new ones.
    async fn wake_due(&self) -> Result<()> {
        let wake = script(scripts::WAKE, &[self.key("retry"), self.key("jobs")]);
        self.link.call::<u64>(&wake, ANSWER).await?;
        Ok(())
    }

    /// A message whose worker gave no sign of life. Redis looks at ten of them a call, so the next
    /// call goes on where this one stopped.
    async fn claim(&self) -> Result<Option<Delivery>> {
        let idle = self.settings.min_idle.as_millis() as u64;
        let from = self.claim_from.borrow().clone();
        let mut claim = cmd("XAUTOCLAIM");
        claim.arg(self.key("jobs")).arg(GROUP).arg(&self.worker);
        claim.arg(idle).arg(from).arg("COUNT").arg(1);
        let mut found: StreamAutoClaimReply = self.link.call(&claim, ANSWER).await?;
        self.claim_from.replace(found.next_stream_id);
        let Some(entry) = found.claimed.pop() else {
            return Ok(None);
        };
        let mut pending = cmd("XPENDING");
        pending.arg(self.key("jobs")).arg(GROUP);
        pending.arg(&entry.id).arg(&entry.id).arg(1);
        let pending: StreamPendingCountReply = self.link.call(&pending, ANSWER).await?;
        let times = pending.ids.first().map_or(1, |entry| entry.times_delivered);
        Ok(Some(Delivery::new(&entry, times as u32)))
    }

    /// A sign of life: this worker still has the message in its hands.
    ///
    /// # Errors
    /// Those of the connection.
    pub async fn keep(&self, delivery: &Delivery) -> Result<()> {
        let mut claim = cmd("XCLAIM");
        claim.arg(self.key("jobs")).arg(GROUP).arg(&self.worker);
        claim.arg(0).arg(&delivery.entry).arg("JUSTID");
        self.link.call::<Vec<String>>(&claim, ANSWER).await?;
        Ok(())
    }

    /// Stores what a job gave, and acknowledges it. False if somebody else had done so before.
    ///
    /// # Errors
    /// Those of the connection. Ask again: it is stored once.
    pub async fn done(&self, delivery: &Delivery, job: &Job, value: &Value) -> Result<bool> {
        let outcome = self.outcome(job, Some(value.clone()), None);
        let mut done = script(
            scripts::DONE,
            &[self.key("jobs"), self.outcome_key(&job.id)],
        );
        done.arg(GROUP).arg(&delivery.entry);
        done.arg(serde_json::to_string(&outcome)?)
            .arg(self.settings.keep.as_secs());
        self.link.call(&done, ANSWER).await
    }

    /// Puts a job back for another attempt after a while, or among the dead letters if there were
    /// enough. False if somebody else had settled it before.
    ///
    /// # Errors
    /// As [`done`](Queue::done).
    pub async fn failed(&self, delivery: &Delivery, job: &Job, error: &str) -> Result<bool> {
        if job.attempts + 1 >= self.settings.attempts {
            return self.dead(delivery, error).await;
        }
        let mut again = job.clone();
        again.attempts += 1;
        let doubled = 2_u32.saturating_pow(job.attempts);
        let pause = self.settings.backoff.saturating_mul(doubled);
        let mut retry = script(scripts::RETRY, &[self.key("jobs"), self.key("retry")]);
        retry.arg(GROUP).arg(&delivery.entry);
        retry
            .arg(serde_json::to_string(&again)?)
            .arg(pause.as_millis() as u64);
        self.link.call(&retry, ANSWER).await
    }

    /// Puts a message among the dead letters. False if somebody else had settled it before.
    ///
    /// # Errors
    /// As [`done`](Queue::done).
    pub async fn dead(&self, delivery: &Delivery, error: &str) -> Result<bool> {
        let mut keys = vec![self.key("jobs"), self.key("dead")];
        let mut outcome = String::new();
        if let Ok(job) = &delivery.job {
            keys.push(self.outcome_key(&job.id));
            outcome = serde_json::to_string(&self.outcome(job, None, Some(error.to_owned())))?;
        }
        let mut dead = script(scripts::DEAD, &keys);
        dead.arg(GROUP)
            .arg(&delivery.entry)
            .arg(&delivery.text)
            .arg(error);
        dead.arg(outcome).arg(self.settings.keep.as_secs());
        self.link.call(&dead, ANSWER).await
    }

    fn outcome(&self, job: &Job, value: Option<Value>, error: Option<String>) -> Outcome {
        Outcome {
            id: job.id.clone(),
            worker: self.worker.clone(),
            attempts: (job.attempts + 1).min(self.settings.attempts),
            value,
            error,
        }
    }

    // ---- For both.

    /// Makes the stream and its group, unless they are there.
    async fn make_group(&self) -> Result<()> {
        let mut create = cmd("XGROUP");
        create.arg("CREATE").arg(self.key("jobs")).arg(GROUP);
        create.arg("0").arg("MKSTREAM");
        let made = self.link.call::<String>(&create, ANSWER).await;
        match made {
            Err(error) if !is_busy_group(&error) => Err(error),
            _ => {
                self.has_group.set(true);
                Ok(())
            }
        }
    }

    fn key(&self, part: &str) -> String {
        format!("{}:{part}", self.settings.name)
    }

    fn outcome_key(&self, id: &str) -> String {
        self.key(&format!("outcome:{id}"))
    }
}

impl Delivery {
    /// `times` is how often the entry was delivered: more than once if its workers died.
    fn new(entry: &StreamId, times: u32) -> Delivery {
        let text = field(entry, "job");
        let mut job: Result<Job, _> = serde_json::from_str(&text);
        if let Ok(job) = &mut job {
            job.attempts += times - 1;
        }
        Delivery {
            entry: entry.id.clone(),
            text,
            job,
        }
    }
}

fn is_busy_group(error: &anyhow::Error) -> bool {
    let redis = error.downcast_ref::<redis::RedisError>();
    redis.is_some_and(|error| error.code() == Some("BUSYGROUP"))
}

fn script(text: &str, keys: &[String]) -> Cmd {
    let mut eval = cmd("EVAL");
    eval.arg(text).arg(keys.len()).arg(keys);
    eval
}

/// A field of an entry as text; empty if there is none.
fn field(entry: &StreamId, name: &str) -> String {
    let map: &HashMap<String, redis::Value> = &entry.map;
    match map.get(name) {
        Some(redis::Value::BulkString(bytes)) => String::from_utf8_lossy(bytes).into_owned(),
        _ => String::new(),
    }
}

impl std::fmt::Debug for Queue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Queue")
            .field("name", &self.settings.name)
            .field("worker", &self.worker)
            .finish_non_exhaustive()
    }
}
