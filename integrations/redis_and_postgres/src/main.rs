//! One task, two requests at once: to Redis and to PostgreSQL, in the time of the slower one.
//!
//! ```text
//! $ cargo run -p petla-redis-and-postgres -- redis://localhost postgres://me:secret@localhost/me
//! Redis: this is visit 1, after 206 ms
//! PostgreSQL: this is version 17.2, after 217 ms
//! both took 217 ms, one after the other they would take 423 ms
//! ```
//!
//! Each server is asked to take 200 ms. If one fails, or is silent for 5 s, the other's answer is
//! printed all the same, and the exit code is 1; it is 2 for wrong arguments. All this is one
//! thread, which the test counts.
//!
//! # Not here
//! A pool (see `petla-postgres`), a second request on the same connections.
#![forbid(unsafe_code)]

use std::env;
use std::fmt::Display;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};
use petla::{gather, timeout};
use petla_postgres::connect;
use petla_redis_and_postgres::connect_redis;

const LIMIT: Duration = Duration::from_secs(5);

/// Nobody pushes to that list, so the first command waits.
async fn ask_redis(address: &str) -> Result<String> {
    let mut redis = connect_redis(address).await?;
    let mut request = redis::pipe();
    request.cmd("BLPOP").arg("petla:nothing").arg(0.2).ignore();
    request.cmd("INCR").arg("petla:visits");
    let (visits,): (u64,) = request.query_async(&mut redis).await?;
    Ok(format!("this is visit {visits}"))
}

async fn ask_postgres(address: &str) -> Result<String> {
    let config = address
        .parse()
        .context("this is no address of a database")?;
    let client = connect(&config).await?;
    let request = "SELECT current_setting('server_version') FROM pg_sleep(0.2)";
    let version: String = client.query_one_scalar(request, &[]).await?;
    Ok(format!("this is version {version}"))
}

/// Prints the answer as soon as it is there, or why there is none; gives how long it took.
async fn tell(
    server: &str,
    request: impl Future<Output = Result<impl Display>>,
) -> Option<Duration> {
    let begin = Instant::now();
    let answer = timeout(LIMIT, request).await;
    let answer = answer.unwrap_or_else(|_| Err(anyhow!("no answer within {LIMIT:?}")));
    let took = begin.elapsed();
    match &answer {
        Ok(answer) => println!("{server}: {answer}, after {} ms", took.as_millis()),
        Err(error) => eprintln!("{server}: {error:#}"),
    }
    answer.is_ok().then_some(took)
}

async fn run(redis: &str, postgres: &str) -> Result<()> {
    let begin = Instant::now();
    let requests = gather!(
        tell("Redis", ask_redis(redis)),
        tell("PostgreSQL", ask_postgres(postgres)),
    );
    let (Some(one), Some(other)) = requests.await else {
        return Err(anyhow!("not all have answered"));
    };
    let (both, sum) = (begin.elapsed().as_millis(), (one + other).as_millis());
    println!("both took {both} ms, one after the other they would take {sum} ms");
    Ok(())
}

fn main() -> Result<ExitCode> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [redis, postgres] = &arguments[..] else {
        eprintln!("usage: petla-redis-and-postgres REDIS_ADDRESS POSTGRESQL_ADDRESS");
        return Ok(ExitCode::from(2));
    };
    petla::run(run(redis, postgres))?;
    Ok(ExitCode::SUCCESS)
}
