//! Sends jobs, and waits until each has a result, whatever becomes of the connection.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::process;
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Result, bail};
use async_nats::jetstream::consumer::PullConsumer;
use async_nats::jetstream::message::PublishMessage;
use petla::{gather, try_gather};

use crate::broker::{Broker, Trouble, take};
use crate::job::{Job, Outcome};
use crate::options::Options;

/// How many jobs are on their way to the server at once, and results from there.
const IN_FLIGHT: usize = 100;

pub(crate) struct Producer<'a> {
    broker: &'a Broker,
    /// The end of the subject for results: no other run has the same.
    run: String,
    jobs: Vec<Job>,
    /// Without a result for so long, there are no workers.
    patience: Duration,
    outcomes: RefCell<BTreeMap<u64, Outcome>>,
    duplicates: Cell<usize>,
}

impl<'a> Producer<'a> {
    pub(crate) fn new(broker: &'a Broker, options: &Options) -> Producer<'a> {
        let job = |id| Job {
            id,
            n: 1000 + id,
            millis: options.millis,
            fail: options.fail,
        };
        let now = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
        Producer {
            broker,
            run: format!("{}-{}", process::id(), now.as_micros()),
            jobs: (1..=options.jobs).map(job).collect(),
            patience: options.patience,
            outcomes: RefCell::default(),
            duplicates: Cell::new(0),
        }
    }

    /// Ends when there is a result for each job.
    pub(crate) async fn run(self) -> Result<BTreeMap<u64, Outcome>> {
        let results = self.broker.results_of(&self.run).await?;
        try_gather!(self.send(), self.collect(&results)).await?;
        let twice = self.duplicates.get();
        if twice > 0 {
            println!("{twice} results came twice, and were taken once");
        }
        Ok(self.outcomes.into_inner())
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
        while self.outcomes.borrow().len() < self.jobs.len() {
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
                    Ok(outcome) => self.note(outcome),
                    Err(error) => eprintln!("what came is no result: {error}"),
                }
            }
            // One whose acknowledgement is lost comes again, and is known.
            drop(gather(messages.iter().map(|message| message.ack())).await);
        }
        Ok(())
    }

    /// The first result of a job counts.
    fn note(&self, outcome: Outcome) {
        match self.outcomes.borrow_mut().entry(outcome.id) {
            Entry::Vacant(place) => drop(place.insert(outcome)),
            Entry::Occupied(_) => self.duplicates.set(self.duplicates.get() + 1),
        }
    }
}

/// Prints what became of the jobs; was each of them done?
pub(crate) fn report(outcomes: &BTreeMap<u64, Outcome>) -> bool {
    let mut done = 0;
    for outcome in outcomes.values() {
        match &outcome.result {
            Ok(_) => done += 1,
            Err(error) => println!("job {} was given up: {error}", outcome.id),
        }
    }
    println!("{done} of {} jobs done", outcomes.len());
    done == outcomes.len()
}
