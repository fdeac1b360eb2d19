//! Does jobs, some at a time, until it is told to stop.
//!
//! A job is acknowledged when its result is in the stream of results. While it is worked at, the
//! server is told so, three times in each `ack_wait`. A worker that dies is silent, and the job is
//! another one's after that time. One that dies between result and acknowledgement has a job done
//! twice; a job must bear that.
//!
//! # The last attempt
//! The server does not count for us. A worker that gets a job for the sixth time knows that five
//! were lost with it or failed, and buries it without trying. So a worker may die at any moment,
//! also in the last attempt or while it buries, and the job is still in a stream.

use std::cell::Cell;
use std::convert::Infallible;
use std::rc::Rc;
use std::time::Duration;

use anyhow::{Context, Result};
use async_nats::jetstream::consumer::PullConsumer;
use async_nats::jetstream::message::PublishMessage;
use async_nats::jetstream::{AckKind, Message};
use petla::local::Event;
use petla::{select, sleep, try_gather};
use petla_jobs::{Job, Options, Outcome, asked_to_stop, work};

use crate::broker::{Broker, Trouble, take};

/// The option for how long a job waits for a worker that is silent.
pub(crate) const ACK_WAIT: &str = "--ack-wait";
/// After so many deliveries a job is given up.
const ATTEMPTS: u64 = 5;
/// How many jobs a worker has at once.
const HANDS: usize = 4;
/// Before the second attempt; twice that before the third, and so on.
const PAUSE: Duration = Duration::from_millis(50);

pub(crate) struct Worker<'a> {
    broker: &'a Broker,
    name: &'a str,
    /// As this worker would have it; it is what the first one said.
    ack_wait: Duration,
    stop: Rc<Event>,
    done: Cell<u64>,
}

impl<'a> Worker<'a> {
    pub(crate) fn new(broker: &'a Broker, options: &'a Options) -> Result<Worker<'a>> {
        Ok(Worker {
            broker,
            name: &options.name,
            ack_wait: Duration::from_secs(options.number(ACK_WAIT)),
            stop: asked_to_stop()?,
            done: Cell::new(0),
        })
    }

    /// Ends after SIGTERM or SIGINT, when what it has is done. The second signal ends it at once.
    pub(crate) async fn run(&self) -> Result<()> {
        let jobs = self.broker.jobs(self.ack_wait).await?;
        println!("{} is ready", self.name);
        try_gather((0..HANDS).map(|_| self.hand(&jobs))).await?;
        println!("{} stops after {} jobs", self.name, self.done.get());
        Ok(())
    }

    /// Takes a job and does it, again and again.
    async fn hand(&self, jobs: &PullConsumer) -> Result<()> {
        let mut trouble = Trouble::default();
        while !self.stop.is_set() {
            match self.turn(jobs).await {
                Ok(()) => trouble.is_over(),
                Err(error) => trouble.wait(error).await?, // the job will come again
            }
        }
        Ok(())
    }

    /// The request for a job is never given up half-way: a job that is on its way would be lost
    /// until `ack_wait` is over. It ends after a second if there is none.
    async fn turn(&self, jobs: &PullConsumer) -> Result<()> {
        let beat = jobs.cached_info().config.ack_wait / 3;
        for message in take(jobs, 1).await? {
            self.handle(&message, beat).await?;
        }
        Ok(())
    }

    /// Ends when the server knows what became of the job.
    async fn handle(&self, message: &Message, beat: Duration) -> Result<()> {
        let info = message.info().map_err(anyhow::Error::from_boxed)?;
        let attempt = u64::try_from(info.delivered)?;
        let job: Job = match serde_json::from_slice(&message.payload) {
            Ok(job) => job,
            Err(error) => return self.bury(message, &format!("not a job: {error}")).await,
        };
        let (name, id) = (self.name, job.id);
        let result = if attempt > ATTEMPTS {
            Err(format!(
                "the worker or the connection was lost {ATTEMPTS} times"
            ))
        } else {
            println!("{name}: job {id}, attempt {attempt}");
            let result = select! {
                result = work(&job, attempt) => result,
                never = say_that_it_lives(message, beat) => match never {},
            };
            result.map_err(|error| format!("{error:#}"))
        };
        if let Err(error) = &result {
            println!("{name}: job {id} failed: {error}");
            if attempt < ATTEMPTS {
                let pause = PAUSE * (1 << (attempt - 1));
                return acknowledge(message, AckKind::Nak(Some(pause))).await;
            }
        }
        let outcome = Outcome {
            id,
            worker: name.to_owned(),
            attempt,
            result,
        };
        self.reply(message, &outcome).await?;
        match &outcome.result {
            Ok(_) => {
                acknowledge(message, AckKind::Ack).await?;
                self.done.set(self.done.get() + 1);
                println!("{name}: job {id} done");
                Ok(())
            }
            Err(error) => self.bury(message, error).await,
        }
    }

    /// Sends the result, if anybody wants it.
    async fn reply(&self, to: &Message, outcome: &Outcome) -> Result<()> {
        let headers = to.headers.as_ref();
        let Some(subject) = headers.and_then(|headers| headers.get("Results")) else {
            return Ok(());
        };
        let message = PublishMessage::build()
            .payload(serde_json::to_vec(outcome)?.into())
            .message_id(format!("{subject}-{}", outcome.id));
        self.broker.publish(subject.as_str(), message).await
    }

    /// Moves what cannot be done to the dead letters, with the reason. It is there before it is
    /// gone here, and its number has it be there once.
    async fn bury(&self, message: &Message, error: &str) -> Result<()> {
        let info = message.info().map_err(anyhow::Error::from_boxed)?;
        // A header is one line.
        let line = error.replace(['\r', '\n'], " ");
        let letter = PublishMessage::build()
            .payload(message.payload.clone())
            .message_id(info.stream_sequence.to_string())
            .header("Error", line.as_str());
        self.broker.publish(&self.broker.dead(), letter).await?;
        acknowledge(message, AckKind::Ack).await?;
        println!("{}: given up: {error}", self.name);
        Ok(())
    }
}

/// Waits until the server has it: an acknowledgement in the buffer of a process that ends is none.
async fn acknowledge(message: &Message, kind: AckKind) -> Result<()> {
    let acknowledged = message.double_ack_with(kind).await;
    let acknowledged = acknowledged.map_err(anyhow::Error::from_boxed);
    acknowledged.context("an acknowledgement is lost")
}

/// For as long as it is polled.
async fn say_that_it_lives(message: &Message, beat: Duration) -> Infallible {
    loop {
        sleep(beat).await;
        if let Err(error) = message.ack_with(AckKind::Progress).await {
            eprintln!("trouble: {error}"); // maybe the next one arrives
        }
    }
}
