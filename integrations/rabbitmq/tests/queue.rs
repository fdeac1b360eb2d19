//! Jobs through a real RabbitMQ, and all that goes wrong on the way.
//!
//! ```text
//! $ cargo test -p petla-rabbitmq
//! ```
//!
//! Each test has queues of its own. Tests that run at the same time share a broker, which takes
//! some seconds to start; those that restart it have one for themselves.
#![forbid(unsafe_code)]

use std::sync::{Arc, Mutex, Weak};

use lapin::options::{BasicGetOptions, BasicPublishOptions, ConfirmSelectOptions};
use lapin::types::AMQPValue;
use lapin::{BasicProperties, Connection, ConnectionProperties};
use petla_jobs::scenarios::{Queue, assert_ends, program};
use petla_testbed::RabbitMq;

/// A broker for all tests that run at the moment. The last of them ends it.
struct Shared {
    url: String,
    _broker: Mutex<RabbitMq>,
}

fn shared_broker() -> Arc<Shared> {
    static BROKER: Mutex<Weak<Shared>> = Mutex::new(Weak::new());
    let mut last = BROKER
        .lock()
        .unwrap_or_else(|poisoned| poisoned.into_inner());
    last.upgrade().unwrap_or_else(|| {
        let broker = RabbitMq::start();
        let url = broker.url().to_owned();
        let _broker = Mutex::new(broker);
        let shared = Arc::new(Shared { url, _broker });
        *last = Arc::downgrade(&shared);
        shared
    })
}

struct OnRabbit;

impl Queue for OnRabbit {
    const NAME: &'static str = "petla-rabbitmq";
    const URL_VARIABLE: &'static str = "AMQP_URL";
    const PATH: &'static str = env!("CARGO_BIN_EXE_petla-rabbitmq");
    const BROKER: &'static str = "RabbitMQ";
    const SCHEME: &'static str = "amqp://";
    const OWN: &'static str = "";
    const LOST: &'static str = "connection to";
    const BACK: &'static str = "is ready";
    type Shared = Arc<Shared>;
    type Own = RabbitMq;

    fn shared() -> Arc<Shared> {
        shared_broker()
    }

    fn url(shared: &Arc<Shared>) -> &str {
        &shared.url
    }

    fn own() -> RabbitMq {
        RabbitMq::start()
    }

    fn url_of_nobody(port: u16) -> String {
        format!("amqp://guest:secret@127.0.0.1:{port}/%2f")
    }

    fn put(url: &str, queue: &str, body: &'static str) {
        petla::run(async {
            let connection = Connection::connect(url, ConnectionProperties::default()).await?;
            let channel = connection.create_channel().await?;
            let confirm = ConfirmSelectOptions::default();
            channel.confirm_select(confirm).await?;
            let (options, plain) = (BasicPublishOptions::default(), BasicProperties::default());
            let queue = queue.into();
            let published =
                channel.basic_publish("".into(), queue, options, body.as_bytes(), plain);
            published.await?.await?;
            connection.close(200, "done".into()).await
        })
        .unwrap();
    }

    /// All dead letters, which stay there: the text, and the error.
    fn dead_letters(url: &str, queue: &str) -> Vec<(String, String)> {
        petla::run(async {
            let connection = Connection::connect(url, ConnectionProperties::default()).await?;
            let channel = connection.create_channel().await?;
            let mut letters = Vec::new();
            let dead = format!("{queue}.dead");
            let get = || channel.basic_get(dead.as_str().into(), BasicGetOptions::default());
            while let Some(letter) = get().await? {
                let headers = letter.properties.headers().clone().unwrap_or_default();
                let Some(AMQPValue::LongString(error)) = headers.inner().get("x-error") else {
                    panic!("no error in {headers:?}");
                };
                let text = String::from_utf8_lossy(&letter.data).into_owned();
                letters.push((text, error.to_string()));
            }
            connection.close(200, "done".into()).await?;
            lapin::Result::Ok(letters)
        })
        .unwrap()
    }
}

petla_jobs::scenarios!(OnRabbit);

#[test]
fn a_wrong_password_is_told_from_a_missing_broker() {
    let broker = shared_broker();
    let url = broker.url.replace("guest:guest", "guest:wrong");
    let mut worker = program::<OnRabbit>(&url, "worker");
    assert_ends(&mut worker, 1);
    worker.wait_for_line("ACCESS_REFUSED");
}
