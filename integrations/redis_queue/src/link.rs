//! [`Link`]: a connection to Redis over petla's own socket, opened when it is needed, and again
//! when it was lost.
//!
//! redis-rs asks for a stream and a task that drives it. Its timeouts would start a thread with
//! another runtime's timers, so they are off, and petla's `timeout` is around every call.

use std::time::Duration;

use anyhow::{Context, Error, Result, bail};
use petla::local::Lock;
use petla::net::TcpStream;
use petla::{spawn, timeout};
use redis::aio::MultiplexedConnection;
use redis::{
    AsyncConnectionConfig, Cmd, ConnectionAddr, ConnectionInfo, FromRedisValue, IntoConnectionInfo,
    RedisError,
};

/// For a connection, with its login.
const CONNECT: Duration = Duration::from_secs(5);

pub(crate) struct Link {
    info: ConnectionInfo,
    /// For messages: host and port, no password.
    place: String,
    open: Lock<Option<MultiplexedConnection>>,
}

impl Link {
    /// Does not connect yet.
    pub(crate) fn new(url: &str) -> Result<Link> {
        let info = url.into_connection_info();
        let info = info.context("not a URL such as redis://:password@127.0.0.1:6379/")?;
        let ConnectionAddr::Tcp(host, port) = info.addr() else {
            bail!("only redis:// with a host and a port is supported");
        };
        Ok(Link {
            place: format!("Redis at {host}:{port}"),
            info,
            open: Lock::new(None),
        })
    }

    /// The answer to a command, within `limit`.
    ///
    /// After an error the command may have been carried out all the same.
    pub(crate) async fn call<T>(&self, command: &Cmd, limit: Duration) -> Result<T>
    where
        T: FromRedisValue,
    {
        let mut connection = self.connection().await?;
        let answer = timeout(limit, command.query_async(&mut connection)).await;
        let (error, is_lost) = match answer {
            Ok(Ok(answer)) => return Ok(answer),
            Ok(Err(error)) => (Error::new(error.clone()), is_lost(&error)),
            Err(_) => (Error::msg(format!("no answer within {limit:?}")), true),
        };
        if is_lost {
            *self.open.lock().await = None;
        }
        Err(error.context(self.place.clone()))
    }

    /// Whoever comes first connects, and the others wait for it.
    async fn connection(&self) -> Result<MultiplexedConnection> {
        let mut open = self.open.lock().await;
        if let Some(connection) = &*open {
            return Ok(connection.clone());
        }
        let connecting = timeout(CONNECT, self.connect()).await;
        let connection = connecting.unwrap_or_else(|_| bail!("no answer within {CONNECT:?}"));
        let connection = connection.with_context(|| self.place.clone())?;
        Ok(open.insert(connection).clone())
    }

    async fn connect(&self) -> Result<MultiplexedConnection> {
        let ConnectionAddr::Tcp(host, port) = self.info.addr() else {
            unreachable!("checked by new()");
        };
        let stream = TcpStream::connect((host.as_str(), *port)).await;
        let stream = stream.context("cannot connect: does redis-server run there?")?;
        stream.set_nodelay(true)?;
        let config = AsyncConnectionConfig::new().set_response_timeout(None);
        let settings = self.info.redis_settings();
        let opened = MultiplexedConnection::new_with_config(settings, stream, config).await;
        let (connection, driver) = opened.context("the login failed")?;
        spawn(driver).detach(); // it ends with the last clone of the connection
        Ok(connection)
    }
}

fn is_lost(error: &RedisError) -> bool {
    error.is_io_error() || error.is_connection_dropped() || error.is_unrecoverable_error()
}
