//! asyncpg's first program: a table, a row, a look at it; then a hundred queries through a pool.
//!
//! ```text
//! $ cargo run -p petla-postgres -- postgres://user:password@localhost/database
//! user 1 is Bob, born on 1984-03-01
//! 100 queries at once, 4 connections: 328350 in 14 ms
//! ```
//!
//! The address may be in `DATABASE_URL` instead, and may name a folder with the server's socket:
//! `"host=/var/run/postgresql user=me dbname=me"`. The exit code is 1 if something fails, 2 for
//! wrong arguments. Started again, it finds the table and adds another Bob.
//!
//! # Not here
//! TLS.
#![forbid(unsafe_code)]

use std::env;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context, Result};
use jiff::civil::{Date, date};
use petla::try_gather;
use petla_postgres::{Pool, connect};
use tokio_postgres::{Client, Config};

const CONNECTIONS: usize = 4;
const QUERIES: i64 = 100;

/// What asyncpg's documentation does first.
async fn add_and_show_bob(client: &Client) -> Result<(), tokio_postgres::Error> {
    let table = "CREATE TABLE IF NOT EXISTS users(id serial PRIMARY KEY, name text, dob date)";
    client.batch_execute(table).await?;
    let insert = "INSERT INTO users(name, dob) VALUES($1, $2)";
    client.execute(insert, &[&"Bob", &date(1984, 3, 1)]).await?;
    let select = "SELECT id, name, dob FROM users WHERE name = $1 ORDER BY id DESC LIMIT 1";
    let row = client.query_one(select, &[&"Bob"]).await?;
    let (id, name, born): (i32, &str, Date) = (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
    println!("user {id} is {name}, born on {born}");
    Ok(())
}

/// The sum of many squares, each computed by the server.
async fn sum_of_squares(pool: &Pool) -> Result<i64> {
    let square = |n: i64| {
        pool.run(async move |client| {
            Ok(client
                .query_one_scalar::<i64, _>("SELECT $1 * $1::bigint", &[&n])
                .await?)
        })
    };
    let squares = try_gather((0..QUERIES).map(square)).await?;
    Ok(squares.iter().sum())
}

async fn run(config: Config) -> Result<()> {
    let client = connect(&config).await?;
    let shown = add_and_show_bob(&client).await;
    shown.context("the table of users cannot be used")?;

    let pool = Pool::new(config, CONNECTIONS);
    let begin = Instant::now();
    let sum = sum_of_squares(&pool).await?;
    let took = begin.elapsed().as_millis();
    println!("{QUERIES} queries at once, {CONNECTIONS} connections: {sum} in {took} ms");
    Ok(())
}

fn main() -> Result<ExitCode> {
    let address = env::args().nth(1).or_else(|| env::var("DATABASE_URL").ok());
    let (Some(address), 0..=2) = (address, env::args().count()) else {
        eprintln!("usage: petla-postgres ADDRESS, or DATABASE_URL=ADDRESS petla-postgres");
        return Ok(ExitCode::from(2));
    };
    let config = address.parse();
    petla::run(run(config.context("this is no address of a database")?))?;
    Ok(ExitCode::SUCCESS)
}
