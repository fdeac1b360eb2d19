//! The connection to NATS, the streams, and what to do while the server is away.
//!
//! | stream | subjects | what is in it |
//! | --- | --- | --- |
//! | `jobs` | `jobs.todo` | the jobs; one that is acknowledged is gone |
//! | `jobs-dead` | `jobs.dead` | what was given up, and what was no job, with the header `Error` |
//! | `jobs-results` | `jobs.results.*` | the results, one subject a producer, for an hour |
//!
//! All are in files, so a server that restarts has them. Whoever publishes waits for the server's
//! acknowledgement, and only then lets go of what it had. The client connects again by itself.

use std::future::{Ready, ready};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use async_nats::jetstream::consumer::{AckPolicy, PullConsumer, pull};
use async_nats::jetstream::context::ContextBuilder;
use async_nats::jetstream::message::PublishMessage;
use async_nats::jetstream::stream::{Config, RetentionPolicy};
use async_nats::jetstream::{Context as JetStream, Message};
use async_nats::{Client, ConnectOptions, Event, ServerAddr};
use futures_util::StreamExt;
use petla::{sleep, timeout};
use petla_jobs::Options;

/// For a connection to be made.
const CONNECT: Duration = Duration::from_secs(10);
/// For one answer of the server.
const ANSWER: Duration = Duration::from_secs(2);
/// How long a request for messages waits at the server for some to come.
const POLL: Duration = Duration::from_secs(1);
/// For a server to come back.
const RETURN: Duration = Duration::from_secs(60);
/// Before something that failed is tried again.
const PAUSE: Duration = Duration::from_millis(100);
/// How long results are kept.
const RESULTS_KEPT: Duration = Duration::from_secs(3600);

/// A connection, and the names.
pub(crate) struct Broker {
    client: Client,
    context: JetStream,
    queue: String,
}

impl Broker {
    /// Connects at once or not at all, and makes the streams that are not there.
    pub(crate) async fn connect(options: &Options) -> Result<Broker> {
        let parsed: Result<ServerAddr, _> = options.url.parse();
        let address = parsed.context("NATS_URL is no nats://host:port")?;
        // Without the password, for messages.
        let place = format!("{}:{}", address.host(), address.port());
        let mut settings = ConnectOptions::new()
            .reconnect_delay_callback(pause_before)
            .event_callback(tell());
        // async-nats does not look for them in an address. As written there: `%40` is no `@`.
        if let (Some(user), Some(password)) = (address.username(), address.password()) {
            settings = settings.user_and_password(user.to_owned(), password.to_owned());
        }
        let connect = settings.connect(address);
        let connected = async { anyhow::Ok(timeout(CONNECT, connect).await??) }.await;
        let client = connected.with_context(|| {
            format!(
                "no connection to NATS at {place}: \
                 does it run, are NATS_URL's user and password right?"
            )
        })?;
        let context = ContextBuilder::new().timeout(ANSWER).ack_timeout(ANSWER);
        let broker = Broker {
            context: context.build(client.clone()),
            client,
            queue: options.queue.clone(),
        };
        let made = broker.make_streams().await;
        made.context("no stream could be made: does nats-server run with -js?")?;
        Ok(broker)
    }

    pub(crate) fn todo(&self) -> String {
        format!("{}.todo", self.queue)
    }

    pub(crate) fn dead(&self) -> String {
        format!("{}.dead", self.queue)
    }

    /// Where the results of one producer go.
    pub(crate) fn results(&self, run: &str) -> String {
        format!("{}.results.{run}", self.queue)
    }

    async fn make_streams(&self) -> Result<()> {
        let queue = &self.queue;
        let stream = |name: String, subject: String| Config {
            name,
            subjects: vec![subject],
            ..Config::default()
        };
        let jobs = Config {
            retention: RetentionPolicy::WorkQueue,
            ..stream(queue.clone(), self.todo())
        };
        let dead = stream(format!("{queue}-dead"), self.dead());
        let results = Config {
            max_age: RESULTS_KEPT,
            ..stream(format!("{queue}-results"), self.results("*"))
        };
        for config in [jobs, dead, results] {
            self.context.get_or_create_stream(config).await?;
        }
        Ok(())
    }

    /// What all workers take jobs from.
    ///
    /// The server may deliver a job as often as it likes, since it would not say what it gave up:
    /// its message about that is not stored. It is the workers who count.
    pub(crate) async fn jobs(&self, ack_wait: Duration) -> Result<PullConsumer> {
        let config = pull::Config {
            durable_name: Some("workers".to_owned()),
            ack_policy: AckPolicy::Explicit,
            ack_wait,
            max_deliver: -1,
            ..pull::Config::default()
        };
        let stream = self.context.get_stream(&self.queue).await?;
        Ok(stream.get_or_create_consumer("workers", config).await?)
    }

    /// What one producer takes its results from. It outlives a connection, and a restart.
    pub(crate) async fn results_of(&self, run: &str) -> Result<PullConsumer> {
        let config = pull::Config {
            durable_name: Some(run.to_owned()),
            ack_policy: AckPolicy::Explicit,
            filter_subject: self.results(run),
            inactive_threshold: RESULTS_KEPT,
            ..pull::Config::default()
        };
        let stream = format!("{}-results", self.queue);
        let stream = self.context.get_stream(stream).await?;
        Ok(stream.create_consumer(config).await?)
    }

    /// Publishes; it is in a stream when this ends. What has an id that was there in the last two
    /// minutes is there once.
    pub(crate) async fn publish(&self, subject: &str, message: PublishMessage) -> Result<()> {
        let sent = self.context.send_publish(subject.to_owned(), message);
        sent.await?.await?;
        Ok(())
    }

    /// Sends what is still in the client's buffer.
    pub(crate) async fn close(self) {
        drop(timeout(ANSWER, self.client.flush()).await); // the server may be gone
    }
}

/// What becomes of the connection, on standard error: all but its orderly begin and end.
fn tell() -> impl Fn(Event) -> Ready<()> + Send + Sync {
    let was_there = AtomicBool::new(false);
    move |event| {
        let begins = matches!(event, Event::Connected) && !was_there.swap(true, Relaxed);
        if !begins && !matches!(event, Event::Closed) {
            eprintln!("NATS: {event}"); // from tokio's thread
        }
        ready(())
    }
}

/// Longer and longer, until the server is back.
fn pause_before(attempt: usize) -> Duration {
    let pause = Duration::from_millis(50 << attempt.min(5));
    pause.min(Duration::from_secs(1))
}

/// Up to `count` messages, or none if none come for a while.
pub(crate) async fn take(from: &PullConsumer, count: usize) -> Result<Vec<Message>> {
    let batch = from.batch().max_messages(count).expires(POLL);
    let mut batch = timeout(ANSWER, batch.messages()).await??;
    let mut taken = Vec::new();
    // A server that restarts has forgotten the request, and says nothing.
    while let Some(message) = timeout(POLL + ANSWER, batch.next()).await? {
        taken.push(message.map_err(anyhow::Error::from_boxed)?);
    }
    Ok(taken)
}

/// How long something has failed, and whether that is too long.
#[derive(Default)]
pub(crate) struct Trouble {
    since: Option<Instant>,
}

impl Trouble {
    pub(crate) fn is_over(&mut self) {
        self.since = None;
    }

    /// Says it once, and waits a little. It is an error if the server stays away.
    pub(crate) async fn wait(&mut self, error: anyhow::Error) -> Result<()> {
        let since = match self.since {
            Some(since) => since,
            None => {
                eprintln!("trouble: {error:#}");
                *self.since.insert(Instant::now())
            }
        };
        if since.elapsed() > RETURN {
            return Err(error.context(format!("for {RETURN:?} nothing has worked")));
        }
        sleep(PAUSE).await;
        Ok(())
    }
}
