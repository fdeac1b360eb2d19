//! One connection: a socket of the loop, logged in, and driven by a task.

use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use petla::net::{TcpStream, UnixStream};
use petla::{spawn, timeout};
use tokio_postgres::config::Host;
use tokio_postgres::{CancelToken, Client, Config, Error, NoTls};

/// For a connection and its login, where the address sets no `connect_timeout`.
const LIMIT: Duration = Duration::from_secs(10);

/// A socket that leads to a server.
enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
}

/// Connects to the first of the hosts that can be reached, and logs in.
///
/// A task of this loop drives the connection until the client is dropped and answered.
///
/// # Errors
/// If no server is there, if it refuses the login, if both do not happen in time.
pub async fn connect(config: &Config) -> Result<Client> {
    let limit = config.get_connect_timeout().copied().unwrap_or(LIMIT);
    let begin = async {
        let (stream, place) = open(config).await?;
        let client = match stream {
            Stream::Tcp(stream) => drive(config.connect_raw(stream, NoTls).await),
            Stream::Unix(stream) => drive(config.connect_raw(stream, NoTls).await),
        };
        client.with_context(|| format!("PostgreSQL at {place} does not let us in"))
    };
    let begun = timeout(limit, begin).await;
    begun.unwrap_or_else(|_| Err(anyhow!("PostgreSQL has not let us in within {limit:?}")))
}

/// Asks the server to cancel what a client runs, by a connection of its own.
///
/// Whoever awaits that query gets an error; if the client is idle, nothing happens.
///
/// # Errors
/// If the server cannot be reached.
pub async fn cancel(config: &Config, token: CancelToken) -> Result<()> {
    let sent = match open(config).await?.0 {
        Stream::Tcp(stream) => token.cancel_query_raw(stream, NoTls).await,
        Stream::Unix(stream) => token.cancel_query_raw(stream, NoTls).await,
    };
    sent.context("the query cannot be cancelled")
}

/// Tries the hosts in turn. Also says which it was.
async fn open(config: &Config) -> Result<(Stream, String)> {
    let (hosts, ports) = (config.get_hosts(), config.get_ports());
    let mut failed = anyhow!("the address of PostgreSQL names no host");
    for (n, host) in hosts.iter().enumerate() {
        // One port for each host, or one for all of them.
        let port = *ports.get(n).or(ports.first()).unwrap_or(&5432);
        match open_host(host, port).await {
            Ok(opened) => return Ok(opened),
            Err(error) => failed = error,
        }
    }
    Err(failed)
}

async fn open_host(host: &Host, port: u16) -> Result<(Stream, String)> {
    let (stream, place) = match host {
        Host::Tcp(name) => {
            let stream = TcpStream::connect((name.as_str(), port)).await;
            // Else a small request could wait for the answer to the last.
            let stream = stream.and_then(|stream| stream.set_nodelay(true).map(|()| stream));
            (stream.map(Stream::Tcp), format!("{name}:{port}"))
        }
        Host::Unix(folder) => {
            let file = folder.join(format!(".s.PGSQL.{port}"));
            let stream = UnixStream::connect(&file).await.map(Stream::Unix);
            (stream, file.display().to_string())
        }
    };
    let stream = stream.with_context(|| format!("no server at {place}: is PostgreSQL running?"))?;
    Ok((stream, place))
}

/// Gives the connection a task, which says so if it is lost.
fn drive<C>(begun: Result<(Client, C), Error>) -> Result<Client, Error>
where
    C: Future<Output = Result<(), Error>> + 'static,
{
    let (client, connection) = begun?;
    let driver = spawn(async {
        if let Err(error) = connection.await {
            let error = anyhow::Error::from(error); // with its causes
            eprintln!("a connection to PostgreSQL is lost: {error:#}");
        }
    });
    driver.named("PostgreSQL connection").detach();
    Ok(client)
}
