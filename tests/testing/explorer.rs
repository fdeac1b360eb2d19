//! `Explorer`: finds what only some orders show, says the seed, and replays it.

use std::cell::Cell;
use std::future::pending;
use std::rc::Rc;
use std::time::Duration;

use petla::testing::{Explorer, VirtualClock, wait_all_tasks_blocked};
use petla::{EventLoop, sleep, spawn, yield_now};

use crate::common::{Log, alone, panic_text, raise, text};

/// Fails if the last of three tasks comes first, and the first one last.
async fn backwards() {
    let log = Log::new();
    let tasks = [0, 1, 2].map(|n| {
        let log = log.clone();
        spawn(async move { log.push(n) })
    });
    for task in tasks {
        task.await.unwrap();
    }
    if log.take() == [2, 1, 0] {
        raise("backwards");
    }
}

#[test]
fn three_tasks_in_an_order_that_a_seed_decides() {
    Explorer::new().seeds(0..10).run(async || yield_now().await);
}

#[test]
fn the_smallest_seed_that_fails_is_found_and_fails_again() {
    let seed = Explorer::new().seeds(0..100).find(backwards).unwrap();
    assert!(Explorer::new().seeds(seed..seed + 1).find(backwards) == Some(seed));
    if seed > 0 {
        assert_eq!(Explorer::new().seeds(0..seed).find(backwards), None);
    }
    let later = Explorer::new().seeds(seed + 1..1000).find(backwards);
    assert!(later.unwrap() > seed);
    let builder = EventLoop::builder().clock(VirtualClock::auto()).seed(seed);
    let replay = || builder.build().unwrap().run_until_complete(backwards());
    assert_eq!(panic_text(replay), "backwards");
}

#[test]
fn run_panics_with_the_seed_the_reason_and_the_way_to_replay() {
    let seed = Explorer::new().find(backwards).unwrap();
    let message = panic_text(|| Explorer::default().run(backwards));
    let expected = format!("seed {seed} fails: backwards\nreplay it with PETLA_SEED={seed}");
    assert!(message.starts_with(&expected), "{message}");
    assert!(message.contains(&format!("Builder::seed({seed})")));
}

#[test]
fn a_test_that_holds_in_any_order_passes_all_seeds() {
    let runs = Cell::new(0);
    Explorer::new().seeds(5..55).run(async || {
        runs.set(runs.get() + 1);
        let nap = spawn(sleep(Duration::from_secs(3600)));
        wait_all_tasks_blocked().await;
        assert!(!nap.is_finished());
        nap.await.unwrap();
    });
    assert_eq!(runs.get(), 50);
    assert_eq!(Explorer::new().seeds(0..50).find(async || ()), None);
}

#[test]
fn a_deadlock_that_one_order_causes_is_a_failure() {
    // Whoever comes first decides whether the other waits for ever.
    let test = async || {
        let first = Rc::new(Cell::new(true));
        let task = |waits: bool| {
            let first = first.clone();
            spawn(async move {
                if first.replace(false) && waits {
                    pending::<()>().await;
                }
            })
        };
        let (a, b) = (task(false), task(true).named("victim"));
        a.await.unwrap();
        b.await.unwrap();
    };
    petla::testing::run(test());
    let message = panic_text(|| Explorer::new().run(test));
    assert!(message.contains("all tasks are blocked for good"));
    assert!(message.contains("victim (spawned at tests/testing/explorer.rs:"));
}

#[test]
fn a_panic_without_text_is_a_failure_as_well() {
    let test = async || std::panic::resume_unwind(Box::new(5));
    let message = panic_text(|| Explorer::new().run(test));
    assert!(message.starts_with("seed 0 fails: it panicked with something"));
}

#[test]
fn no_seeds_at_all_are_refused() {
    let text = panic_text(|| Explorer::new().seeds(3..3));
    assert_eq!(text, "the seeds 3..3 are none");
}

#[test]
fn a_seed_in_the_environment_is_the_only_one_that_run_tries() {
    let body = || {
        let order = async || {
            let log = Log::new();
            let tasks = [0, 1, 2, 3, 4].map(|n| {
                let log = log.clone();
                spawn(async move { log.push(n) })
            });
            for task in tasks {
                task.await.unwrap();
            }
            println!("order {:?}", log.take());
        };
        Explorer::new().run(order);
        petla::testing::run(order());
    };
    if std::env::var("PETLA_SEED").is_ok() {
        return body();
    }
    let Some(output) = alone(|| {
        let name = std::thread::current().name().unwrap().to_owned();
        let child = std::process::Command::new(std::env::current_exe().unwrap())
            .args([&name, "--exact", "--nocapture"])
            .env("PETLA_SEED", "17")
            .output()
            .unwrap();
        assert!(child.status.success());
        println!("{}", text(&child.stdout));
    }) else {
        return;
    };
    let out = text(&output.stdout);
    let orders: Vec<&str> = out
        .lines()
        .filter(|line| line.contains("order ["))
        .collect();
    assert_eq!(orders.len(), 2, "{out}");
    assert_eq!(orders[0], orders[1], "both by the one seed");
}
