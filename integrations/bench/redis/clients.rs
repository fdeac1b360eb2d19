//! The `redis` crate, the same on each runtime but for the socket and who runs the tasks.
//!
//! The crate's own time limits are off: it would take tokio's timers in one process and smol's
//! thread in the other.

use std::net::Ipv4Addr;

use anyhow::{bail, ensure};
use petla_bench::runtimes::{Petla, Runtime, TokioCurrentThread, TokioLocal};
use petla_integrations_bench::client::{Plan, Run, measure};
use petla_integrations_bench::sockets::Connects;
use redis::aio::MultiplexedConnection;
use redis::{
    AsyncCommands as _, AsyncConnectionConfig, ConnectionAddr, IntoConnectionInfo as _,
    RedisConnectionInfo,
};

/// All of them, by name.
pub(crate) const CLIENTS: [(&str, Run); 3] = [
    (Petla::NAME, run::<Petla>),
    (TokioLocal::NAME, run::<TokioLocal>),
    (TokioCurrentThread::NAME, run::<TokioCurrentThread>),
];

fn run<R: Connects>(url: &str, plan: Plan) -> anyhow::Result<()> {
    let server = url.into_connection_info()?;
    let &ConnectionAddr::Tcp(_, port) = server.addr() else {
        bail!("no host and port: {url}");
    };
    R::block_on(async move {
        let stream = R::connect((Ipv4Addr::LOCALHOST, port).into()).await?;
        let (info, config) = (RedisConnectionInfo::default(), AsyncConnectionConfig::new());
        let config = config.set_response_timeout(None);
        let connected = MultiplexedConnection::new_with_config(&info, stream, config).await;
        let (connection, driver) = connected?;
        R::detach(driver);
        measure(plan, async |plan: Plan| {
            let mut counter = connection.clone();
            let before: Option<usize> = counter.get("counter").await?;
            let task = |_| R::spawn(commands(connection.clone(), plan.each));
            let tasks: Vec<_> = (0..plan.tasks).map(task).collect();
            for task in tasks {
                task.await?;
            }
            let counted: usize = counter.get("counter").await?;
            let wanted = before.unwrap_or(0) + plan.tasks * plan.each;
            ensure!(counted == wanted, "the counter is {counted}, not {wanted}");
            Ok(())
        })
        .await
    })
}

/// One after the other.
async fn commands(mut connection: MultiplexedConnection, each: usize) -> anyhow::Result<()> {
    for _ in 0..each {
        let _counter: usize = connection.incr("counter", 1).await?;
    }
    Ok(())
}
