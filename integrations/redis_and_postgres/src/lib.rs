//! Redis for a loop: a connection over petla's sockets, to copy into a program.
//!
//! The commands are the `redis` crate's own. Many tasks may use clones of one connection at once;
//! what waits at the server, such as `BLPOP`, needs a connection of its own.
//!
//! The crate's own limit for an answer would start a thread for its timers, so it is off: put
//! [`petla::timeout`] around what must not wait for ever.
//!
//! # Not here
//! TLS, clusters, connecting again: a connection that is lost stays lost, and says so.
#![forbid(unsafe_code)]

use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use petla::net::{TcpStream, UnixStream};
use petla::{spawn, timeout};
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, ConnectionAddr, IntoConnectionInfo};

/// For a connection and its login.
const LIMIT: Duration = Duration::from_secs(10);

/// Connects to an address such as `redis://:password@localhost:6379/0`, and logs in.
///
/// A task of this loop drives the connection until its last clone is dropped.
///
/// # Errors
/// If the address is wrong, no server is there, it refuses the login, or all that takes too long.
pub async fn connect_redis(address: &str) -> Result<MultiplexedConnection> {
    let begun = timeout(LIMIT, begin(address)).await;
    begun.unwrap_or_else(|_| Err(anyhow!("Redis has not let us in within {LIMIT:?}")))
}

async fn begin(address: &str) -> Result<MultiplexedConnection> {
    let info = address.into_connection_info();
    let info = info.context("this is no address of a Redis")?;
    let (place, settings) = (info.addr(), info.redis_settings());
    let config = AsyncConnectionConfig::new().set_response_timeout(None);
    let missing = || format!("no server at {place}: is Redis running?");
    let refused = || format!("Redis at {place} does not let us in");
    match place {
        ConnectionAddr::Tcp(host, port) => {
            let stream = TcpStream::connect((host.as_str(), *port)).await;
            let stream = stream.with_context(missing)?;
            stream.set_nodelay(true)?;
            let begun = MultiplexedConnection::new_with_config(settings, stream, config).await;
            Ok(drive(begun.with_context(refused)?))
        }
        ConnectionAddr::Unix(file) => {
            let stream = UnixStream::connect(file).await.with_context(missing)?;
            let begun = MultiplexedConnection::new_with_config(settings, stream, config).await;
            Ok(drive(begun.with_context(refused)?))
        }
        other => bail!("{other}: neither TCP nor a socket file"),
    }
}

/// Gives the connection a task.
fn drive<D>((connection, driver): (MultiplexedConnection, D)) -> MultiplexedConnection
where
    D: Future<Output = ()> + 'static,
{
    spawn(driver).named("Redis connection").detach();
    connection
}
