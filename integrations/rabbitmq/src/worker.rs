//! Does jobs, some at a time, until it is told to stop.
//!
//! A job is acknowledged when its result is the broker's. A worker that dies before has done
//! nothing as far as the broker knows: another one gets the job. One that dies between result and
//! acknowledgement has a job done twice, and the producer gets two results; a job must bear that.

use std::cell::Cell;
use std::pin::pin;
use std::rc::Rc;

use anyhow::{Context, Result};
use futures_util::StreamExt;
use lapin::message::Delivery;
use lapin::options::{
    BasicAckOptions, BasicCancelOptions, BasicConsumeOptions, BasicNackOptions, BasicQosOptions,
};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{BasicProperties, Channel, Connection};
use petla::local::Event;
use petla::{TaskGroup, select};
use petla_jobs::{Job, Outcome, asked_to_stop, work};

use crate::broker::{ATTEMPTS, Broker, acknowledge, is_final, publish};

/// How many jobs a worker has at once. The broker sends no more before one is acknowledged.
const PREFETCH: u16 = 4;

pub(crate) struct Worker<'a> {
    broker: &'a Broker,
    name: &'a str,
    stop: Rc<Event>,
    done: Cell<u64>,
}

impl<'a> Worker<'a> {
    pub(crate) fn new(broker: &'a Broker, name: &'a str) -> Result<Worker<'a>> {
        Ok(Worker {
            broker,
            name,
            stop: asked_to_stop()?,
            done: Cell::new(0),
        })
    }

    /// Ends after SIGTERM or SIGINT, when what it has is done. The second signal ends it at once.
    pub(crate) async fn run(&self) -> Result<()> {
        let mut connection = self.broker.connect().await?;
        loop {
            match self.serve(&connection).await {
                Ok(()) => break,
                Err(error) if is_final(&error) => return Err(error),
                Err(lost) => {
                    let mut reconnect = pin!(self.broker.reconnect(lost));
                    connection = select! {
                        connected = &mut reconnect => connected?,
                        () = self.stop.wait() => break,
                    };
                }
            }
        }
        connection.close(200, "told to stop".into()).await.ok(); // it may be lost by now
        println!("{} stops after {} jobs", self.name, self.done.get());
        Ok(())
    }

    /// Does jobs until it is told to stop, or the connection is lost.
    async fn serve(&self, connection: &Connection) -> Result<()> {
        let opened = self.broker.open(connection, async |channel| {
            let qos = BasicQosOptions::default();
            channel.basic_qos(PREFETCH, qos).await?;
            let consumer = channel.basic_consume(
                self.broker.jobs.as_str().into(),
                self.name.into(),
                BasicConsumeOptions::default(),
                FieldTable::default(),
            );
            Ok(consumer.await?)
        });
        let (channel, mut jobs) = opened.await?;
        println!("{} is ready", self.name);
        let served = TaskGroup::run(async |hands| {
            loop {
                let next = select! {
                    next = jobs.next() => next,
                    () = self.stop.wait() => break,
                };
                let delivery = next.context("the broker sends no more jobs")??;
                hands.spawn(self.handle(&channel, delivery));
            }
            let cancel = BasicCancelOptions::default();
            channel.basic_cancel(jobs.tag(), cancel).await?;
            while let Some(delivery) = jobs.next().await {
                hands.spawn(self.handle(&channel, delivery?)); // sent before the cancel arrived
            }
            anyhow::Ok(())
        });
        served.await.map_err(|group| group.into_first())
    }

    /// Ends when the broker knows what became of the job.
    async fn handle(&self, channel: &Channel, delivery: Delivery) -> Result<()> {
        let attempt = attempt(&delivery);
        let job: Job = match serde_json::from_slice(&delivery.data) {
            Ok(job) => job,
            Err(error) => {
                let error = format!("not a job: {error}");
                return self.bury(channel, &delivery, &error).await;
            }
        };
        let (name, id) = (self.name, job.id);
        let result = if attempt > ATTEMPTS {
            Err(format!(
                "the worker or the connection was lost {ATTEMPTS} times"
            ))
        } else {
            println!("{name}: job {id}, attempt {attempt}");
            let result = work(&job, attempt).await;
            result.map_err(|error| format!("{error:#}"))
        };
        if let Err(error) = &result {
            println!("{name}: job {id} failed: {error}");
            if attempt < ATTEMPTS {
                let requeue = BasicNackOptions {
                    requeue: true,
                    ..BasicNackOptions::default()
                };
                acknowledge(delivery.nack(requeue)).await?;
                return Ok(());
            }
        }
        let outcome = Outcome {
            id,
            worker: name.to_owned(),
            attempt,
            result,
        };
        self.reply(channel, &delivery, &outcome).await?;
        match &outcome.result {
            Ok(_) => {
                acknowledge(delivery.ack(BasicAckOptions::default())).await?;
                self.done.set(self.done.get() + 1);
                println!("{name}: job {id} done");
                Ok(())
            }
            Err(error) => self.bury(channel, &delivery, error).await,
        }
    }

    /// Sends the result, if anybody wants it. A queue that is gone takes it and forgets it.
    async fn reply(&self, channel: &Channel, to: &Delivery, outcome: &Outcome) -> Result<()> {
        let Some(queue) = to.properties.reply_to() else {
            return Ok(());
        };
        let mut properties = BasicProperties::default();
        if let Some(id) = to.properties.correlation_id() {
            properties = properties.with_correlation_id(id.clone());
        }
        let body = serde_json::to_vec(outcome)?;
        publish(channel, queue.as_str(), &body, properties).await
    }

    /// Moves what cannot be done to the dead letters, with the reason. It is there before it is
    /// gone here: a worker that dies in between leaves it in both.
    async fn bury(&self, channel: &Channel, delivery: &Delivery, error: &str) -> Result<()> {
        let mut headers = delivery.properties.headers().clone().unwrap_or_default();
        headers.insert("x-error".into(), AMQPValue::LongString(error.into()));
        let properties = delivery.properties.clone().with_headers(headers);
        publish(channel, &self.broker.dead, &delivery.data, properties).await?;
        acknowledge(delivery.ack(BasicAckOptions::default())).await?;
        println!("{}: given up: {error}", self.name);
        Ok(())
    }
}

/// The number of this delivery: the queue counts the ones before, whoever had them.
fn attempt(delivery: &Delivery) -> u64 {
    let headers = delivery.properties.headers().as_ref();
    let count = headers.and_then(|table| match table.inner().get("x-delivery-count")? {
        AMQPValue::LongLongInt(count) => u64::try_from(*count).ok(),
        AMQPValue::LongInt(count) => u64::try_from(*count).ok(),
        AMQPValue::ShortShortUInt(count) => Some(u64::from(*count)),
        AMQPValue::ShortShortInt(count) => u64::try_from(*count).ok(),
        _ => None,
    });
    1 + count.unwrap_or(0)
}
