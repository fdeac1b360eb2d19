//! tokio-postgres, the same on each runtime but for the socket and who runs the tasks.
//!
//! With petla there is no tokio runtime in the process.

use std::net::Ipv4Addr;
use std::rc::Rc;

use anyhow::{Context as _, bail, ensure};
use petla_bench::runtimes::{Petla, Runtime, TokioCurrentThread, TokioLocal};
use petla_integrations_bench::client::{Plan, Run, measure};
use petla_integrations_bench::sockets::Connects;
use tokio_postgres::config::Host;
use tokio_postgres::{Client, Config, NoTls, Statement};

/// All of them, by name.
pub(crate) const CLIENTS: [(&str, Run); 3] = [
    (Petla::NAME, run::<Petla>),
    (TokioLocal::NAME, run::<TokioLocal>),
    (TokioCurrentThread::NAME, run::<TokioCurrentThread>),
];

fn run<R: Connects>(url: &str, plan: Plan) -> anyhow::Result<()> {
    let config: Config = url.parse().context("the URL")?;
    let ([Host::Tcp(_)], &[port]) = (config.get_hosts(), config.get_ports()) else {
        bail!("not one host and one port: {url}");
    };
    R::block_on(async move {
        let stream = R::connect((Ipv4Addr::LOCALHOST, port).into()).await?;
        let (client, connection) = config.connect_raw(stream, NoTls).await?;
        R::detach(async { drop(connection.await) });
        let statement = client.prepare("SELECT $1::int").await?;
        let shared = Rc::new((client, statement));
        measure(plan, async |plan: Plan| {
            let task = |_| R::spawn(queries(shared.clone(), plan.each));
            let tasks: Vec<_> = (0..plan.tasks).map(task).collect();
            for task in tasks {
                task.await?;
            }
            Ok(())
        })
        .await
    })
}

/// One after the other; the answer to each is the number that was sent.
async fn queries(shared: Rc<(Client, Statement)>, each: usize) -> anyhow::Result<()> {
    let (client, statement) = &*shared;
    for number in 0..i32::try_from(each)? {
        let row = client.query_one(statement, &[&number]).await?;
        ensure!(row.get::<_, i32>(0) == number, "a wrong answer");
    }
    Ok(())
}
