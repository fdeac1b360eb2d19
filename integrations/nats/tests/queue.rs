//! Jobs through a real nats-server, and all that goes wrong on the way.
//!
//! ```text
//! $ cargo test -p petla-nats
//! ```
#![forbid(unsafe_code)]

use std::time::Duration;

use async_nats::jetstream::consumer::{AckPolicy, PullConsumer, pull};
use futures_util::StreamExt;
use petla::timeout;
use petla_jobs::scenarios::{Queue, assert_ends, program, worker};
use petla_testbed::Nats;

/// For what is sure to come.
const LIMIT: Duration = Duration::from_secs(30);

/// Runs on the loop, with tokio as a guest.
fn with_client<T>(url: &str, body: impl AsyncFnOnce(async_nats::jetstream::Context) -> T) -> T {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    let tokio = builder.worker_threads(1).enable_all().build().unwrap();
    let _context = tokio.enter();
    petla::run(async {
        let client = async_nats::connect(url).await.unwrap();
        let work = body(async_nats::jetstream::new(client));
        timeout(LIMIT, work).await.unwrap()
    })
}

struct OnNats;

impl Queue for OnNats {
    const NAME: &'static str = "petla-nats";
    const URL_VARIABLE: &'static str = "NATS_URL";
    const PATH: &'static str = env!("CARGO_BIN_EXE_petla-nats");
    const BROKER: &'static str = "NATS";
    const SCHEME: &'static str = "nats://";
    const OWN: &'static str = "--ack-wait 1";
    const LOST: &'static str = "NATS: disconnected";
    const BACK: &'static str = "NATS: connected";
    type Shared = Nats;
    type Own = Nats;

    fn shared() -> Nats {
        Nats::start()
    }

    fn url(shared: &Nats) -> &str {
        shared.url()
    }

    fn own() -> Nats {
        Nats::start()
    }

    fn url_of_nobody(port: u16) -> String {
        format!("nats://guest:secret@127.0.0.1:{port}")
    }

    fn put(url: &str, queue: &str, body: &'static str) {
        with_client(url, async |context| {
            let published = context.publish(format!("{queue}.todo"), body.into());
            published.await.unwrap().await.unwrap();
        });
    }

    /// They stay there.
    fn dead_letters(url: &str, queue: &str) -> Vec<(String, String)> {
        with_client(url, async |context| {
            let mut stream = context.get_stream(format!("{queue}-dead")).await.unwrap();
            let count = stream.info().await.unwrap().state.messages as usize;
            if count == 0 {
                return Vec::new(); // a batch of none is not asked for
            }
            let config = pull::Config {
                ack_policy: AckPolicy::None,
                ..pull::Config::default()
            };
            let consumer: PullConsumer = stream.create_consumer(config).await.unwrap();
            let batch = consumer.batch().max_messages(count).expires(LIMIT);
            let mut batch = batch.messages().await.unwrap();
            let mut letters = Vec::new();
            while let Some(letter) = batch.next().await {
                let letter = letter.unwrap();
                let headers = letter.headers.as_ref().expect("a dead letter has headers");
                let error = headers.get("Error").expect("and an error").to_string();
                letters.push((String::from_utf8_lossy(&letter.payload).into_owned(), error));
            }
            letters
        })
    }
}

petla_jobs::scenarios!(OnNats);

/// Three seconds of work, one for a worker that is silent, and another worker that would take it.
#[test]
fn a_long_job_stays_with_a_worker_that_lives() {
    let server = Nats::start();
    let one = worker::<OnNats>(server.url(), "long", "one");
    let two = worker::<OnNats>(server.url(), "long", "two");
    let mut producer =
        program::<OnNats>(server.url(), "producer --queue long --jobs 1 --millis 3000");
    assert_ends(&mut producer, 0);
    let attempts = [one, two]
        .iter()
        .map(|worker| {
            let lines = worker.lines();
            lines.iter().filter(|line| line.contains("attempt")).count()
        })
        .sum::<usize>();
    assert_eq!(attempts, 1);
}

/// It was not dead: the job is done twice, and the producer takes one result.
#[test]
fn a_job_whose_worker_is_silent_is_done_by_another() {
    let server = Nats::start();
    let mut frozen = worker::<OnNats>(server.url(), "frozen", "frozen");
    let mut producer = program::<OnNats>(
        server.url(),
        "producer --queue frozen --jobs 1 --millis 500",
    );
    frozen.wait_for_line("job 1, attempt 1");
    frozen.signal("STOP");
    let mut heir = worker::<OnNats>(server.url(), "frozen", "heir");
    heir.wait_for_line("job 1, attempt 2");
    assert_ends(&mut producer, 0);
    frozen.signal("CONT");
    frozen.wait_for_line("job 1 done");
    frozen.signal("TERM");
    assert_ends(&mut frozen, 0);
}

#[test]
fn a_wrong_password_is_told_from_a_missing_server() {
    let server = Nats::start_with_password("right");
    let mut right = worker::<OnNats>(server.url(), "jobs", "w");
    right.signal("TERM");
    assert_ends(&mut right, 0);
    let mut wrong = program::<OnNats>(&server.url().replace("right", "wrong"), "worker");
    assert_ends(&mut wrong, 1);
    wrong.wait_for_line("authorization violation");
}
