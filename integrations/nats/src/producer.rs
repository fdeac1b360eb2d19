//! Sends jobs, and waits until each has a result, whatever becomes of the connection.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use async_nats::jetstream::consumer::PullConsumer;
use async_nats::jetstream::message::PublishMessage;
use petla::{gather, try_gather};
use petla_jobs::{Job, Options, Outcome, Outcomes, name_of_run};

use crate::broker::{Broker, Trouble, take};

/// How many jobs are on their way to the server at once, and results from there.
const IN_FLIGHT: usize = 100;

pub(crate) struct Producer<'a> {
    broker: &'a Broker,
    /// The end of the subject for results: no other run has the same.
    run: String,
    jobs: Vec<Job>,
    /// Without a result for so long, there are no workers.
    patience: Duration,
    outcomes: Outcomes,
}

impl<'a> Producer<'a> {
    pub(crate) fn new(broker: &'a Broker, options: &Options) -> Producer<'a> {
        Producer {
            broker,
            run: name_of_run(),
            jobs: options.jobs_to_send().collect(),
            patience: options.patience,
            outcomes: Outcomes::default(),
        }
    }

    /// Ends when there is a result for each job.
    pub(crate) async fn run(self) -> Result<BTreeMap<u64, Outcome>> {
        let results = self.broker.results_of(&self.run).await?;
        try_gather!(self.send(), self.collect(&results)).await?;
        Ok(self.outcomes.finish())
    }

    async fn send(&self) -> Result<()> {
        let sendings = self.jobs.iter().map(|job| self.send_one(job));
        try_gather(sendings).limit(IN_FLIGHT).await?;
        println!("{} jobs sent and confirmed", self.jobs.len());
        Ok(())
    }

    /// Again and again, until it is confirmed. The id has the server keep one.
    async fn send_one(&self, job: &Job) -> Result<()> {
        let mut trouble = Trouble::default();
        let body = serde_json::to_vec(job)?;
        loop {
            let message = PublishMessage::build()
                .payload(body.clone().into())
                .message_id(format!("{}-{}", self.run, job.id))
                .header("Results", self.broker.results(&self.run));
            match self.broker.publish(&self.broker.todo(), message).await {
                Ok(()) => return Ok(()),
                Err(error) => trouble.wait(error).await?,
            }
        }
    }

    async fn collect(&self, results: &PullConsumer) -> Result<()> {
        let (mut trouble, mut last) = (Trouble::default(), Instant::now());
        while self.outcomes.count() < self.jobs.len() {
            let messages = match take(results, IN_FLIGHT).await {
                Ok(messages) => messages,
                Err(error) => {
                    trouble.wait(error).await?;
                    continue;
                }
            };
            trouble.is_over();
            if !messages.is_empty() {
                last = Instant::now();
            } else if last.elapsed() > self.patience {
                bail!("no result for {:?}: is there a worker?", self.patience);
            }
            for message in &messages {
                match serde_json::from_slice::<Outcome>(&message.payload) {
                    Ok(outcome) => self.outcomes.note(outcome),
                    Err(error) => eprintln!("what came is no result: {error}"),
                }
            }
            // One whose acknowledgement is lost comes again, and is known.
            drop(gather(messages.iter().map(|message| message.ack())).await);
        }
        Ok(())
    }
}
