//! Sends jobs, and waits until each has a result, through as many connections as it takes.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::error::Error;
use std::fmt::{self, Display, Formatter};
use std::time::Duration;

use anyhow::{Context, Result};
use futures_util::StreamExt;
use lapin::options::{BasicAckOptions, BasicConsumeOptions, QueueDeleteOptions};
use lapin::types::FieldTable;
use lapin::{BasicProperties, Channel, Connection, Consumer};
use petla::{timeout, try_gather};
use petla_jobs::{Job, Options, Outcome, Outcomes, name_of_run};

use crate::broker::{Broker, acknowledge, is_final, publish};

/// How many jobs are on their way to the broker at once.
const IN_FLIGHT: usize = 100;

pub(crate) struct Producer<'a> {
    broker: &'a Broker,
    /// The name of the queue for results: no other run has the same.
    results: String,
    count: usize,
    /// Without a result for so long, there are no workers.
    patience: Duration,
    /// What the broker has not confirmed. Sent again if the connection is lost; the broker may
    /// have had it already, and then the job is done twice.
    unconfirmed: RefCell<BTreeMap<u64, Job>>,
    outcomes: Outcomes,
}

impl<'a> Producer<'a> {
    pub(crate) fn new(broker: &'a Broker, options: &Options) -> Producer<'a> {
        let jobs = options.jobs_to_send().map(|job| (job.id, job));
        Producer {
            broker,
            results: format!("{}.results.{}", options.queue, name_of_run()),
            count: options.jobs as usize,
            patience: options.patience,
            unconfirmed: RefCell::new(jobs.collect()),
            outcomes: Outcomes::default(),
        }
    }

    /// Ends when there is a result for each job.
    pub(crate) async fn run(self) -> Result<BTreeMap<u64, Outcome>> {
        let mut connection = self.broker.connect().await?;
        loop {
            match self.session(&connection).await {
                Ok(()) => break,
                Err(error) if error.is::<NoWorker>() || is_final(&error) => return Err(error),
                Err(lost) => connection = self.broker.reconnect(lost).await?,
            }
        }
        connection.close(200, "all is done".into()).await.ok(); // it may be lost by now
        Ok(self.outcomes.finish())
    }

    /// Goes on with what is left, on one connection.
    async fn session(&self, connection: &Connection) -> Result<()> {
        let opened = self.broker.open(connection, async |channel| {
            self.broker.declare_results(channel, &self.results).await?;
            let consumer = channel.basic_consume(
                self.results.as_str().into(),
                "producer".into(),
                BasicConsumeOptions::default(),
                FieldTable::default(),
            );
            Ok(consumer.await?)
        });
        let (channel, results) = opened.await?;
        try_gather!(self.send(&channel), self.collect(results)).await?;
        let unused = QueueDeleteOptions::default();
        let deleted = channel.queue_delete(self.results.as_str().into(), unused);
        deleted.await.ok(); // it expires anyway
        Ok(())
    }

    async fn send(&self, channel: &Channel) -> Result<()> {
        let jobs: Vec<Job> = self.unconfirmed.borrow().values().cloned().collect();
        let sendings = jobs.iter().map(|job| self.send_one(channel, job));
        try_gather(sendings).limit(IN_FLIGHT).await?;
        println!("{} jobs sent and confirmed", jobs.len());
        Ok(())
    }

    async fn send_one(&self, channel: &Channel, job: &Job) -> Result<()> {
        let properties = BasicProperties::default()
            .with_reply_to(self.results.as_str().into())
            .with_correlation_id(job.id.to_string().into());
        let body = serde_json::to_vec(job)?;
        publish(channel, &self.broker.jobs, &body, properties).await?;
        self.unconfirmed.borrow_mut().remove(&job.id);
        Ok(())
    }

    async fn collect(&self, mut results: Consumer) -> Result<()> {
        while self.outcomes.count() < self.count {
            let next = timeout(self.patience, results.next()).await;
            let next = next.map_err(|_| NoWorker(self.patience))?;
            let delivery = next.context("the broker sends no more results")??;
            match serde_json::from_slice::<Outcome>(&delivery.data) {
                Ok(outcome) => self.outcomes.note(outcome),
                Err(error) => eprintln!("what came is no result: {error}"),
            }
            acknowledge(delivery.ack(BasicAckOptions::default())).await?;
        }
        Ok(())
    }
}

/// No result for a long time.
#[derive(Debug)]
struct NoWorker(Duration);

impl Display for NoWorker {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "no result for {:?}: is there a worker?", self.0)
    }
}

impl Error for NoWorker {}
