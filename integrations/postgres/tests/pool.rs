//! The pool against a real server: many users, and what happens to them when something is lost.

use std::cell::Cell;
use std::fs;
use std::time::Duration;

use anyhow::Result;
use petla::net::TcpListener;
use petla::streams::{
    StreamReader, StreamWriter, copy_bidirectional, open_connection, start_unix_server,
};
use petla::{gather, sleep, timeout, yield_now};
use petla_postgres::{Pool, connect};
use petla_testbed::{Postgres, wait_for};
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, Config};

const LIMIT: Duration = Duration::from_secs(20);

fn config(postgres: &Postgres) -> Config {
    postgres.url().parse().unwrap()
}

fn pool(postgres: &Postgres, size: usize) -> Pool {
    Pool::new(config(postgres), size)
}

async fn pid(client: &Client) -> Result<i32> {
    Ok(client
        .query_one_scalar("SELECT pg_backend_pid()", &[])
        .await?)
}

/// What the server calls the error.
#[track_caller]
fn state(result: Result<impl Sized>) -> Option<SqlState> {
    let error = result.err().expect("an error");
    let error = error.downcast_ref::<tokio_postgres::Error>();
    error.and_then(|error| error.code()).cloned()
}

/// Waits until as many queries with `part` run at the server, asking by another connection.
async fn until_running(watcher: &Client, part: &str, count: i64) {
    let running = "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' \
        AND pid <> pg_backend_pid() AND query LIKE '%' || $1 || '%'";
    let wait = async {
        while watcher
            .query_one_scalar::<i64, _>(running, &[&part])
            .await
            .unwrap()
            != count
        {
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(LIMIT, wait).await.expect("the queries run in time");
}

#[test]
fn no_more_users_than_places_work_at_once_and_all_get_their_turn() {
    let postgres = Postgres::start();
    petla::run(async {
        let pool = pool(&postgres, 3);
        let (working, most) = (Cell::new(0), Cell::new(0));
        let user = async |n: i64| {
            let work = async |client: &mut Client| {
                working.set(working.get() + 1);
                most.set(most.get().max(working.get()));
                let n: i64 = client.query_one_scalar("SELECT $1::bigint", &[&n]).await?;
                working.set(working.get() - 1);
                Ok(n)
            };
            pool.run(work).await.unwrap()
        };
        let answers = gather((0..200).map(user)).await;
        assert_eq!(answers, (0..200).collect::<Vec<_>>());
        assert_eq!((most.get(), pool.resting()), (3, 3));
    });
    let connections = "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'";
    wait_for("the end of all connections but psql's", LIMIT, || {
        postgres.sql(connections) == "1"
    });
}

#[test]
fn a_cancelled_user_leaves_no_query_and_no_transaction_behind() {
    let postgres = Postgres::start();
    petla::run(async {
        let (pool, watcher) = (
            pool(&postgres, 1),
            connect(&config(&postgres)).await.unwrap(),
        );
        watcher
            .batch_execute("CREATE TABLE notes(text text)")
            .await
            .unwrap();
        let slow = pool.run(async |client| {
            let notes = client.transaction().await?;
            notes
                .batch_execute("INSERT INTO notes VALUES('half')")
                .await?;
            notes.batch_execute("SELECT pg_sleep(600)").await?;
            Ok(notes.commit().await?)
        });
        let seen = async {
            let mut slow = std::pin::pin!(slow);
            petla::select! {
                _ = &mut slow => panic!("it sleeps for ten minutes"),
                () = until_running(&watcher, "pg_sleep(600)", 1) => {}
            }
            timeout(Duration::from_millis(1), slow).await
        };
        assert!(seen.await.is_err(), "cancelled by the timeout");
        assert_eq!(pool.resting(), 0, "the connection is thrown away");
        until_running(&watcher, "pg_sleep(600)", 0).await;

        let count = pool.run(async |client| {
            Ok(client
                .query_one_scalar::<i64, _>("SELECT count(*) FROM notes", &[])
                .await?)
        });
        assert_eq!(
            count.await.unwrap(),
            0,
            "its place is free, its row is not there"
        );
    });
}

#[test]
fn a_user_that_fails_gives_its_connection_back_without_its_transaction() {
    let postgres = Postgres::start();
    petla::run(async {
        let pool = pool(&postgres, 1);
        let first = pool.run(async |client| pid(client).await).await.unwrap();
        let failed: Result<()> = pool
            .run(async |client| {
                let work = client.transaction().await?;
                work.batch_execute("CREATE TABLE half(n int)").await?;
                Ok(work.batch_execute("INSERT INTO half VALUES('x')").await?)
            })
            .await;
        assert_eq!(state(failed), Some(SqlState::INVALID_TEXT_REPRESENTATION));
        let after = pool.run(async |client| {
            let found = client.query_one_scalar("SELECT to_regclass('half') IS NULL", &[]);
            Ok((pid(client).await?, found.await?))
        });
        assert_eq!(after.await.unwrap(), (first, true));
    });
}

#[test]
fn a_connection_lost_in_mid_query_is_an_error_and_the_next_user_connects_again() {
    let postgres = Postgres::start();
    petla::run(async {
        let (pool, watcher) = (
            pool(&postgres, 1),
            connect(&config(&postgres)).await.unwrap(),
        );
        let victim = Cell::new(0);
        let slow = pool.run(async |client| {
            victim.set(pid(client).await?);
            Ok(client.batch_execute("SELECT pg_sleep(600)").await?)
        });
        let killer = async {
            until_running(&watcher, "pg_sleep(600)", 1).await;
            let kill = "SELECT pg_terminate_backend($1)";
            assert!(
                watcher
                    .query_one_scalar::<bool, _>(kill, &[&victim.get()])
                    .await
                    .unwrap()
            );
        };
        let (lost, ()) = petla::gather!(slow, killer).await;
        assert_eq!(state(lost), Some(SqlState::ADMIN_SHUTDOWN));
        let next = pool.run(async |client| pid(client).await).await.unwrap();
        assert_ne!(next, victim.get());
    });
}

#[test]
fn a_server_killed_in_mid_query_is_an_error_and_after_its_start_the_pool_recovers() {
    let mut postgres = Postgres::start();
    petla::run(async {
        let (pool, watcher) = (
            pool(&postgres, 4),
            connect(&config(&postgres)).await.unwrap(),
        );
        let slow = async |_| {
            pool.run(async |client| Ok(client.batch_execute("SELECT pg_sleep(600)").await?))
                .await
        };
        let users = gather((0..4).map(slow));
        let killer = async {
            until_running(&watcher, "pg_sleep(600)", 4).await;
            postgres.kill();
        };
        let (lost, ()) = petla::gather!(users, killer).await;
        assert!(lost.iter().all(Result::is_err), "all of them learn it");
        let refused = pool.run(async |client| pid(client).await).await;
        let text = format!("{:#}", refused.unwrap_err());
        assert!(text.contains("is PostgreSQL running?"), "{text}");

        postgres.restart();
        let users = gather((0..8).map(async |_| pool.run(async |client| pid(client).await).await));
        assert!(users.await.iter().all(Result::is_ok));
    });
}

#[test]
fn connections_that_rest_while_the_server_restarts_are_not_lent_again() {
    let mut postgres = Postgres::start();
    petla::run(async {
        let pool = pool(&postgres, 1);
        let before = pool.run(async |client| pid(client).await).await.unwrap();
        postgres.restart();
        let noticed = async {
            while pool.resting() > 0 {
                yield_now().await;
            }
        };
        timeout(LIMIT, noticed).await.unwrap();
        let after = pool.run(async |client| pid(client).await).await.unwrap();
        assert_ne!(before, after);
    });
}

#[test]
fn after_a_statement_timeout_the_connection_is_as_good_as_before() {
    let postgres = Postgres::start();
    petla::run(async {
        let mut config = config(&postgres);
        config.options("-c statement_timeout=30");
        let pool = Pool::new(config, 1);
        let first = pool.run(async |client| pid(client).await).await.unwrap();
        let slow = pool.run(async |client| Ok(client.batch_execute("SELECT pg_sleep(9)").await?));
        assert_eq!(state(slow.await), Some(SqlState::QUERY_CANCELED));
        let second = pool.run(async |client| pid(client).await).await.unwrap();
        assert_eq!(first, second);
    });
}

#[test]
fn a_server_that_says_nothing_is_given_up_in_time() {
    petla::run(async {
        let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut config = Config::new();
        config
            .host("127.0.0.1")
            .port(silent.local_addr().unwrap().port())
            .user("petla")
            .connect_timeout(Duration::from_millis(20));
        let error = connect(&config).await.unwrap_err();
        assert_eq!(
            error.to_string(),
            "PostgreSQL has not let us in within 20ms"
        );
    });
}

#[test]
fn the_second_host_is_tried_when_the_first_is_not_there() {
    let postgres = Postgres::start();
    petla::run(async {
        let mut config = config(&postgres);
        let mut both = Config::new();
        both.host("/nowhere")
            .host("127.0.0.1")
            .port(1)
            .port(postgres.port());
        both.user(Postgres::USER).password(Postgres::PASSWORD);
        both.dbname(Postgres::DATABASE);
        assert!(connect(&both).await.is_ok());
        config.ssl_mode(tokio_postgres::config::SslMode::Require);
        assert!(connect(&config).await.is_err(), "there is no TLS");
    });
}

/// The testbed's server has no socket file, so a file that leads to its port stands for one.
#[test]
fn a_folder_with_a_socket_file_is_an_address_too() {
    let postgres = Postgres::start();
    let folder = std::env::temp_dir().join(format!("petla-socket-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    petla::run(async {
        let port = postgres.port();
        let forward = async move |mut from: StreamReader, mut to: StreamWriter| {
            let (mut reader, mut writer) = open_connection(("127.0.0.1", port)).await?;
            let server = (&mut reader, &mut writer);
            copy_bidirectional((&mut from, &mut to), server)
                .await
                .map(drop)
        };
        let file = folder.join(".s.PGSQL.5433");
        let proxy = start_unix_server(file, forward).await.unwrap();
        let address = format!(
            "host={} port=5433 user={} password={} dbname={}",
            folder.display(),
            Postgres::USER,
            Postgres::PASSWORD,
            Postgres::DATABASE
        );
        let pool = Pool::new(address.parse().unwrap(), 1);
        assert!(pool.run(async |client| pid(client).await).await.is_ok());
        drop(proxy);
    });
    fs::remove_dir_all(&folder).unwrap();
}
