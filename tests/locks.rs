//! The primitives that are not queues, by their public API, in both modes, and nearly all polled
//! by hand: what they promise, what others got wrong before, and what must not break them.
//!
//! Comments before a test say what it is about: one of the historical bugs (B1-B24) or of asyncio's
//! behaviours (L1-L36, Q1-Q14) below, or an issue of another project.
//!
//! | what | where |
//! | --- | --- |
//! | B1-B5, L1-L7: locks that are lost, held twice, or held by nobody | `lock` |
//! | B6-B8, L20-L26: units that are lost, turns that are not kept | `semaphore` |
//! | B9-B11: tokens lost, granted twice, or not granted when there are more | `limiter` |
//! | B12-B15, L11-L17, L19: notifications lost, waits that end without the lock | `condition` |
//! | B14, B16, B17, L18: the same with a limit of time | `condition_limits` |
//! | B18, L8-L10: sets that are missed | `event` |
//! | L27-L36: parties, generations, cancelled and broken ones | `barrier` |
//! | B19-B24, Q1-Q14: items lost, doubled, out of order; ends of work | `queue.rs` |
//! | readers and writers; values, items and reasons handed over | `rw_lock`, `ends` |
//! | panics, leaked futures, long lines, wakers that come back | `trouble`, `wakers` |
//! | plain threads, and loops on several threads | `threads`, and at the end of each file |
//!
//! # Not here
//! Queues: `queue.rs`. What must not compile: `compile_fail.rs`. Orders of threads: loom models.

mod common;

use std::fs;
use std::future::Future;
use std::path::Path;
use std::task::Poll;

use petla::{spawn, yield_now};

use common::hand::{Hand, at_once, hand, in_both_modes, leak, waiting};
use common::{Bell, Log, panic_text, within};

#[path = "locks/barrier.rs"]
mod barrier;
#[path = "locks/condition.rs"]
mod condition;
#[path = "locks/condition_limits.rs"]
mod condition_limits;
#[path = "locks/ends.rs"]
mod ends;
#[path = "locks/event.rs"]
mod event;
#[path = "locks/limiter.rs"]
mod limiter;
#[path = "locks/lock.rs"]
mod lock;
#[path = "locks/rw_lock.rs"]
mod rw_lock;
#[path = "locks/semaphore.rs"]
mod semaphore;
#[path = "locks/threads.rs"]
mod threads;
#[path = "locks/trouble.rs"]
mod trouble;
#[path = "locks/wakers.rs"]
mod wakers;

/// The comments of all files in `folder`, as words.
fn comments(folder: &str) -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let mut words = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let text = fs::read_to_string(entry.unwrap().path()).unwrap();
        for comment in text
            .lines()
            .filter_map(|line| line.trim().strip_prefix("//"))
        {
            words.extend(
                comment
                    .split(|c: char| !c.is_alphanumeric())
                    .map(str::to_owned),
            );
        }
    }
    words
}

#[test]
fn every_number_of_the_list_has_a_test() {
    let words = [comments("tests/locks"), comments("tests/queue")].concat();
    for (kind, last) in [('B', 24), ('L', 36), ('Q', 14)] {
        for number in 1..=last {
            let number = format!("{kind}{number}");
            assert!(words.contains(&number), "no test is about {number}");
        }
    }
}
