//! What tokio-console is told of the program's tasks, by the protocol it speaks.
//!
//! The server needs the compiler's flag (see the program); without it the test says so and checks
//! that the program does too.
#![forbid(unsafe_code)]

use std::collections::HashMap;
use std::process::Command;
use std::time::Duration;

use console_api::field::Value;
use console_api::instrument::InstrumentRequest;
use console_api::instrument::instrument_client::InstrumentClient;
use console_api::tasks::{Stats, Task};
use petla_testbed::{Program, free_port};

/// By the server's numbers: a task, and what was last said of it.
#[derive(Default)]
struct Seen {
    tasks: HashMap<u64, Task>,
    stats: HashMap<u64, Stats>,
}

impl Seen {
    /// The tasks one of whose fields is this text.
    fn named(&self, name: &str) -> Vec<(&Task, &Stats)> {
        let is_text = |value: &Value| match value {
            Value::StrVal(text) | Value::DebugVal(text) => text == name,
            _ => false,
        };
        let named = self.tasks.iter().filter(|(_, task)| {
            let values = task.fields.iter().filter_map(|field| field.value.as_ref());
            values.into_iter().any(is_text)
        });
        let known = named.filter_map(|(id, task)| Some((task, self.stats.get(id)?)));
        known.collect()
    }

    /// What the program shows sooner or later.
    fn is_enough(&self) -> bool {
        let polled = |name, polls| {
            let tasks = self.named(name);
            let stats = tasks.first().and_then(|(_, stats)| stats.poll_stats);
            stats.is_some_and(|stats| stats.polls >= polls)
        };
        let ended = |name| {
            let tasks = self.named(name);
            tasks.iter().any(|(_, stats)| stats.dropped_at.is_some())
        };
        polled("ticker", 3) && polled("spinner", 12) && ended("worker") && ended("blocking")
    }
}

async fn watch(port: u16) -> Seen {
    let mut client = InstrumentClient::connect(format!("http://127.0.0.1:{port}"))
        .await
        .expect("the program's server answers");
    let updates = client.watch_updates(InstrumentRequest {}).await;
    let mut updates = updates.expect("it tells of tasks").into_inner();
    let mut seen = Seen::default();
    while !seen.is_enough() {
        let update = updates.message().await.expect("no error").expect("no end");
        let Some(update) = update.task_update else {
            continue;
        };
        for task in update.new_tasks {
            seen.tasks
                .insert(task.id.expect("each has a number").id, task);
        }
        seen.stats.extend(update.stats_update);
    }
    seen
}

#[test]
fn tokio_console_sees_names_places_polls_wakes_and_ends() {
    let port = free_port();
    let address = format!("127.0.0.1:{port}");
    let mut command = Command::new(env!("CARGO_BIN_EXE_petla-console"));
    command.arg(address);
    let mut program = Program::start(command);
    if !cfg!(console_without_tokio_unstable) {
        println!("skipped: built without --cfg console_without_tokio_unstable");
        program.wait_for_line("built without tokio-console's flag");
        return;
    }
    program.wait_for_line("tasks to look at");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let limit = Duration::from_secs(30);
    let seen = runtime.block_on(async { tokio::time::timeout(limit, watch(port)).await });
    let seen = seen.expect("all is seen in time");

    let [(ticker, stats)] = seen.named("ticker")[..] else {
        panic!("one ticker")
    };
    let place = ticker.location.as_ref().expect("where it was spawned");
    assert!(place.file().ends_with("src/main.rs"), "{place:?}");
    assert!(place.line.is_some() && place.column.is_some(), "{place:?}");
    assert!(stats.wakes >= 2, "{stats:?}");
    assert_eq!(stats.self_wakes, 0, "a timer wakes it: {stats:?}");
    assert!(stats.dropped_at.is_none(), "{stats:?}");
    // As long as a waker is left, the console does not take the task for one that is lost.
    assert_eq!(stats.waker_clones - stats.waker_drops, 1, "{stats:?}");
    let [(_, stats)] = seen.named("spinner")[..] else {
        panic!("one spinner")
    };
    assert!(stats.self_wakes >= 5, "it wakes itself: {stats:?}");
}
