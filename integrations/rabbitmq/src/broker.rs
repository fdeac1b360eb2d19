//! The connection to RabbitMQ, made again when it is lost, and the queues.
//!
//! | queue | what is in it |
//! | --- | --- |
//! | `jobs` | the jobs; a quorum queue, which counts how often each was delivered |
//! | `jobs.dead` | jobs that were given up and what was no job, with the header `x-error` |
//! | `jobs.results.*` | the results for one producer; ten minutes after it has gone, nothing |
//!
//! All are durable and all messages persistent, so a broker that restarts has them. Whoever
//! publishes waits for the broker's confirmation, and only then lets go of what it had.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, ensure};
use lapin::options::{BasicPublishOptions, ConfirmSelectOptions, QueueDeclareOptions};
use lapin::types::{AMQPValue, FieldTable};
use lapin::uri::AMQPUri;
use lapin::{BasicProperties, Channel, Connection, ConnectionProperties};
use petla::{sleep, timeout};
use petla_jobs::Options;

/// After so many deliveries a job is given up.
pub(crate) const ATTEMPTS: u64 = 5;
/// Then the broker itself does it. More than `ATTEMPTS`, so that as a rule a worker does, who can
/// say why and tell the producer.
const DELIVERY_LIMIT: i64 = 20;
/// For one connection to be made.
const CONNECT: Duration = Duration::from_secs(10);
/// For a new connection to be set up. A broker that has just started may be silent.
const SET_UP: Duration = Duration::from_secs(10);
/// For an acknowledgement to be sent; nothing answers it.
const ACKNOWLEDGE: Duration = Duration::from_secs(10);
/// For a broker to come back.
const RETURN: Duration = Duration::from_secs(60);
/// How long the results of a producer that has gone are kept.
const RESULTS_KEPT: Duration = Duration::from_secs(600);
const PERSISTENT: u8 = 2;

/// Where the broker is, and the names of its queues.
#[derive(Debug)]
pub(crate) struct Broker {
    url: String,
    /// Without the password, for messages.
    place: String,
    pub(crate) jobs: String,
    pub(crate) dead: String,
}

impl Broker {
    pub(crate) fn new(options: &Options) -> Result<Broker> {
        let uri: Result<AMQPUri, String> = options.url.parse();
        let uri = uri.map_err(|error| anyhow!("AMQP_URL is no amqp://host:port/: {error}"))?;
        Ok(Broker {
            url: options.url.clone(),
            place: format!("{}:{}", uri.authority.host, uri.authority.port),
            jobs: options.queue.clone(),
            dead: format!("{}.dead", options.queue),
        })
    }

    /// Connects at once or not at all.
    pub(crate) async fn connect(&self) -> Result<Connection> {
        let connect = Connection::connect(&self.url, ConnectionProperties::default());
        let connected = async { anyhow::Ok(timeout(CONNECT, connect).await??) }.await;
        connected.with_context(|| {
            format!(
                "no connection to RabbitMQ at {}: \
                 does it run, are AMQP_URL's user and password right?",
                self.place
            )
        })
    }

    /// Connects again, with longer and longer pauses, until the broker is back.
    pub(crate) async fn reconnect(&self, lost: anyhow::Error) -> Result<Connection> {
        eprintln!("connection to {} lost: {lost:#}", self.place);
        let begin = Instant::now();
        let mut pause = Duration::from_millis(50);
        loop {
            sleep(pause).await;
            match self.connect().await {
                Ok(connection) => {
                    eprintln!("connected to {} again", self.place);
                    return Ok(connection);
                }
                Err(error) if begin.elapsed() > RETURN => {
                    return Err(error.context(format!("the broker stayed away for {RETURN:?}")));
                }
                Err(_) => pause = (pause * 2).min(Duration::from_secs(2)),
            }
        }
    }

    /// A channel with all that `set_up` wants of it.
    pub(crate) async fn open<T>(
        &self,
        connection: &Connection,
        set_up: impl AsyncFnOnce(&Channel) -> Result<T>,
    ) -> Result<(Channel, T)> {
        let opened = timeout(SET_UP, async {
            let channel = self.declare_queues(connection).await?;
            let value = set_up(&channel).await?;
            Ok((channel, value))
        });
        opened.await.context("the broker does not answer")?
    }

    /// A channel whose publishings are confirmed, and the queues, made if they are not there.
    async fn declare_queues(&self, connection: &Connection) -> Result<Channel> {
        let channel = connection.create_channel().await?;
        let confirm = ConfirmSelectOptions::default();
        channel.confirm_select(confirm).await?;
        declare(&channel, &self.dead, &[]).await?;
        let text = |text: &str| AMQPValue::LongString(text.into());
        let arguments = [
            ("x-queue-type", text("quorum")),
            ("x-delivery-limit", AMQPValue::LongLongInt(DELIVERY_LIMIT)),
            // Through the default exchange, kept here until it has arrived there.
            ("x-dead-letter-exchange", text("")),
            ("x-dead-letter-routing-key", text(&self.dead)),
            ("x-dead-letter-strategy", text("at-least-once")),
            ("x-overflow", text("reject-publish")),
        ];
        declare(&channel, &self.jobs, &arguments).await?;
        Ok(channel)
    }

    /// A queue for results, which outlives a connection, unlike an exclusive one.
    pub(crate) async fn declare_results(&self, channel: &Channel, name: &str) -> Result<()> {
        let kept = RESULTS_KEPT.as_millis() as i64;
        let arguments = [("x-expires", AMQPValue::LongLongInt(kept))];
        declare(channel, name, &arguments).await
    }
}

async fn declare(channel: &Channel, name: &str, arguments: &[(&str, AMQPValue)]) -> Result<()> {
    let mut table = FieldTable::default();
    for (key, value) in arguments {
        table.insert((*key).into(), value.clone());
    }
    let declared = channel.queue_declare(name.into(), QueueDeclareOptions::durable(), table);
    let declared = declared.await;
    declared.with_context(|| format!("the queue {name} could not be declared"))?;
    Ok(())
}

/// Is it what the broker objects to, as a queue of that name with other arguments? Whatever else
/// goes wrong may be over with the next connection.
pub(crate) fn is_final(error: &anyhow::Error) -> bool {
    let of_lapin = error.downcast_ref::<lapin::Error>();
    of_lapin.is_some_and(lapin::Error::is_amqp_soft_error)
}

/// Publishes to a queue; it is the broker's when this ends.
pub(crate) async fn publish(
    channel: &Channel,
    queue: &str,
    body: &[u8],
    properties: BasicProperties,
) -> Result<()> {
    let properties = properties
        .with_delivery_mode(PERSISTENT)
        .with_content_type("application/json".into());
    let options = BasicPublishOptions::default();
    let published = channel.basic_publish("".into(), queue.into(), options, body, properties);
    let confirmation = published.await?.await?;
    ensure!(
        confirmation.is_ack(),
        "the broker did not take a message for {queue}"
    );
    Ok(())
}

/// Sends what `acknowledge` says of a delivery. On a connection that has just been lost lapin 4.12
/// leaves about every third of them pending for ever, on any executor; hence the limit.
pub(crate) async fn acknowledge(
    acknowledge: impl Future<Output = lapin::Result<bool>>,
) -> Result<()> {
    let sent = timeout(ACKNOWLEDGE, acknowledge).await;
    sent.context("an acknowledgement could not be sent")??;
    Ok(())
}
