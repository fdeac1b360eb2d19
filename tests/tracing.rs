//! What a subscriber of `tracing` is told: spans of tasks, wakes, reports. Subscribers in trouble.
//!
//! Needs the feature: `cargo test --features tracing --test tracing`.
#![cfg(feature = "tracing")]

use petla::{TaskGroup, yield_now};

mod common;

#[path = "tracing/recorder.rs"]
mod recorder;
#[path = "tracing/reentry.rs"]
mod reentry;
#[path = "tracing/reports.rs"]
mod reports;
#[path = "tracing/spans.rs"]
mod spans;
#[path = "tracing/wakes.rs"]
mod wakes;

/// A group of children that yield once, named "child".
async fn children(count: usize) {
    let group = TaskGroup::run(async |group| {
        for _ in 0..count {
            let child = async {
                yield_now().await;
                std::io::Result::Ok(())
            };
            drop(group.spawn(child).named("child"));
        }
        std::io::Result::Ok(())
    });
    group.await.unwrap();
}
