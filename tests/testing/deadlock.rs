//! What `testing::run` says when nothing can wake a task any more, and what it refuses.

use std::future::pending;

use petla::local::{Event, Lock};
use petla::testing::{self, Explorer};
use petla::{EventLoop, spawn, yield_now};

use crate::common::{Drops, alone, panic_text, raise, text};

#[test]
fn a_deadlock_is_reported_with_the_names_and_places_of_all_tasks() {
    let (main, child) = (line!() + 2, line!() + 3);
    let message = panic_text(|| {
        testing::run(async {
            let stuck = spawn(pending::<()>()).named("reader");
            let _done = spawn(async {}).named("done");
            let lock = Lock::new(());
            let _first = lock.lock().await;
            let _second = lock.lock().await;
            drop(stuck);
        })
    });
    assert!(
        message.starts_with("all tasks are blocked for good"),
        "{message}"
    );
    for (name, line) in [("task-1", main), ("reader", child)] {
        let expected = format!("  {name} (spawned at {}:{line}:", file!());
        assert!(message.contains(&expected), "{expected}\n{message}");
    }
    assert!(!message.contains("done"), "{message}");
}

#[test]
fn a_deadlock_drops_the_tasks_before_it_is_reported() {
    let drops = Drops::default();
    let (one, two) = (drops.guard(), drops.guard());
    let message = panic_text(|| {
        testing::run(async move {
            let _one = one;
            let _task = spawn(async move {
                let _two = two;
                Event::new().wait().await;
            });
            pending::<()>().await
        })
    });
    assert!(message.contains("task-2"), "{message}");
    assert_eq!(drops.count(), 2);
}

#[test]
fn tasks_that_are_stuck_beside_one_that_is_not_are_no_failure() {
    testing::run(async {
        drop(spawn(pending::<()>()));
        petla::sleep(std::time::Duration::from_secs(3600)).await;
    });
}

#[test]
fn a_watched_descriptor_may_still_bring_something() {
    testing::run(async {
        let (mut sender, receiver) = std::os::unix::net::UnixStream::pair().unwrap();
        let receiver = petla::net::UnixStream::from_std(receiver).unwrap();
        let thread = std::thread::spawn(move || std::io::Write::write_all(&mut sender, b"x"));
        assert_eq!(receiver.read(&mut [0; 8]).await.unwrap(), 1);
        thread.join().unwrap().unwrap();
    });
}

#[test]
fn a_panic_of_the_test_goes_on_as_it_is() {
    assert_eq!(panic_text(|| testing::run(async { raise("own") })), "own");
}

#[test]
fn a_test_that_is_stopped_or_nested_says_so() {
    let stopped = panic_text(|| {
        testing::run(async {
            EventLoop::current().stop();
            yield_now().await;
            yield_now().await;
        })
    });
    assert!(stopped.contains("was stopped"), "{stopped}");
    testing::run(async {
        for text in [
            panic_text(|| testing::run(async {})),
            panic_text(|| Explorer::new().run(async || {})),
            panic_text(|| Explorer::new().find(async || {})),
        ] {
            assert!(text.contains("inside a running event loop"), "{text}");
        }
    });
}

#[test]
fn a_seed_in_the_environment_that_is_no_number_is_a_clear_failure() {
    // A process of its own: the environment belongs to all tests of one.
    let Some(output) = alone(|| {
        let exe = std::env::current_exe().unwrap();
        let child = std::process::Command::new(exe)
            .args([
                "explorer::three_tasks_in_an_order_that_a_seed_decides",
                "--exact",
            ])
            .env("PETLA_SEED", "many")
            .output()
            .unwrap();
        println!("{}{}", text(&child.stdout), text(&child.stderr));
        assert!(!child.status.success());
    }) else {
        return;
    };
    let out = text(&output.stdout);
    assert!(output.status.success(), "{out}");
    assert!(out.contains("PETLA_SEED must be a whole number"), "{out}");
}
