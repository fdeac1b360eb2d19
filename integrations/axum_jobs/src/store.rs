//! Where jobs are kept: all of them in PostgreSQL, decisions in Redis too, where reading is cheap.
//!
//! PostgreSQL has the truth. Redis may be away or have forgotten: then nobody notices but the log.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use petla::{gather, timeout};
use petla_postgres::Pool;
use petla_redis_and_postgres::connect_redis;
use redis::aio::MultiplexedConnection;
use redis::{Cmd, FromRedisValue, cmd};

/// Connections to PostgreSQL.
const CONNECTIONS: usize = 4;
/// For an answer of PostgreSQL.
const LIMIT: Duration = Duration::from_secs(5);
/// For an answer of Redis, which is asked to save time.
const CACHE_LIMIT: Duration = Duration::from_secs(1);
/// How long Redis keeps a decision, in seconds.
const KEPT: u32 = 3600;

const TABLE: &str = "CREATE TABLE IF NOT EXISTS jobs(
    id text PRIMARY KEY DEFAULT gen_random_uuid()::text,
    created timestamptz NOT NULL DEFAULT now(),
    application text NOT NULL,
    status text NOT NULL DEFAULT 'PENDING',
    attempts int NOT NULL DEFAULT 0,
    result text NOT NULL DEFAULT '')";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Status {
    Pending,
    Ready,
    Error,
}

impl Status {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Status::Pending => "PENDING",
            Status::Ready => "READY",
            Status::Error => "ERROR",
        }
    }

    fn of(name: &str) -> Result<Status> {
        let all = [Status::Pending, Status::Ready, Status::Error];
        let found = all.into_iter().find(|status| status.name() == name);
        found.with_context(|| format!("the table has a job that is {name:?}"))
    }
}

/// How a job ended: with a decision in JSON, or the text of an error.
#[derive(Debug)]
pub(crate) enum Outcome {
    Ready(String),
    Error(String),
}

/// What is known of a job.
#[derive(Debug)]
pub(crate) struct Stored {
    pub(crate) status: Status,
    pub(crate) result: String,
}

pub(crate) struct Store {
    postgres: Pool,
    redis: Cache,
}

impl Store {
    /// Makes the table where it is missing.
    pub(crate) async fn open(postgres: &str, redis: &str) -> Result<Store> {
        let config = postgres.parse();
        let config = config.context("--postgres is no address of a database")?;
        let store = Store {
            postgres: Pool::new(config, CONNECTIONS),
            redis: Cache::new(redis),
        };
        let made = store
            .postgres
            .run(async |client| Ok(client.batch_execute(TABLE).await?));
        made.await.context("the table of jobs cannot be made")?;
        if let Err(error) = store.redis.ask::<()>(&cmd("PING")).await {
            eprintln!("going on without Redis: {error:#}");
        }
        Ok(store)
    }

    /// Adds a job that is PENDING, and gives its number.
    pub(crate) async fn add(&self, application: &str) -> Result<String> {
        let insert = "INSERT INTO jobs(application) VALUES($1) RETURNING id";
        let adding = self
            .postgres
            .run(async |client| Ok(client.query_one_scalar(insert, &[&application]).await?));
        in_time(adding).await
    }

    /// The numbers and applications of all that are PENDING, the oldest first.
    pub(crate) async fn pending(&self) -> Result<Vec<(String, String)>> {
        let select = "SELECT id, application FROM jobs WHERE status = 'PENDING' ORDER BY created";
        let asking = self
            .postgres
            .run(async |client| Ok(client.query(select, &[]).await?));
        let rows = in_time(asking).await?;
        Ok(rows.iter().map(|row| (row.get(0), row.get(1))).collect())
    }

    /// Counts an attempt.
    pub(crate) async fn begin(&self, id: &str) -> Result<()> {
        let update = "UPDATE jobs SET attempts = attempts + 1 WHERE id = $1";
        let writing = self
            .postgres
            .run(async |client| Ok(client.execute(update, &[&id]).await?));
        in_time(writing).await.map(drop)
    }

    /// Writes the outcome to both at once.
    pub(crate) async fn finish(&self, id: &str, outcome: &Outcome) -> Result<()> {
        let (status, result) = match outcome {
            Outcome::Ready(decision) => (Status::Ready, decision),
            Outcome::Error(text) => (Status::Error, text),
        };
        let update = "UPDATE jobs SET status = $2, result = $3 WHERE id = $1";
        let name = status.name();
        let writing = self
            .postgres
            .run(async |client| Ok(client.execute(update, &[&id, &name, result]).await?));
        let caching = async {
            if status == Status::Ready {
                let mut set = cmd("SET");
                set.arg(key(id)).arg(result).arg("EX").arg(KEPT);
                self.redis.try_ask::<()>(&set).await;
            }
        };
        let (written, ()) = gather!(in_time(writing), caching).await;
        written.map(drop)
    }

    /// The decision, if Redis has it.
    pub(crate) async fn cached(&self, id: &str) -> Option<String> {
        self.redis.try_ask(cmd("GET").arg(key(id))).await.flatten()
    }

    pub(crate) async fn find(&self, id: &str) -> Result<Option<Stored>> {
        let select = "SELECT status, result FROM jobs WHERE id = $1";
        let asking = self
            .postgres
            .run(async |client| Ok(client.query_opt(select, &[&id]).await?));
        let Some(row) = in_time(asking).await? else {
            return Ok(None);
        };
        Ok(Some(Stored {
            status: Status::of(row.get(0))?,
            result: row.get(1),
        }))
    }
}

fn key(id: &str) -> String {
    format!("petla:decision:{id}")
}

async fn in_time<T>(asking: impl Future<Output = Result<T>>) -> Result<T> {
    let answer = timeout(LIMIT, asking).await;
    answer.unwrap_or_else(|_| Err(anyhow!("no answer of PostgreSQL within {LIMIT:?}")))
}

/// One connection to Redis, made again after an error.
struct Cache {
    address: String,
    kept: Mutex<Option<MultiplexedConnection>>,
}

impl Cache {
    fn new(address: &str) -> Cache {
        Cache {
            address: address.to_owned(),
            kept: Mutex::default(),
        }
    }

    async fn ask<T: FromRedisValue>(&self, command: &Cmd) -> Result<T> {
        let kept = self.kept().clone();
        let asking = async {
            let mut connection = match kept {
                Some(connection) => connection,
                None => connect_redis(&self.address).await?,
            };
            let answer = command.query_async(&mut connection).await?;
            Ok((answer, connection))
        };
        let answer = timeout(CACHE_LIMIT, asking).await;
        let answer =
            answer.unwrap_or_else(|_| Err(anyhow!("no answer of Redis within {CACHE_LIMIT:?}")));
        let (answer, connection) = answer.inspect_err(|_| *self.kept() = None)?;
        *self.kept() = Some(connection);
        Ok(answer)
    }

    /// The same for whoever can do without.
    async fn try_ask<T: FromRedisValue>(&self, command: &Cmd) -> Option<T> {
        let answer = self.ask(command).await;
        answer
            .inspect_err(|error| eprintln!("going on without Redis: {error:#}"))
            .ok()
    }

    fn kept(&self) -> MutexGuard<'_, Option<MultiplexedConnection>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
