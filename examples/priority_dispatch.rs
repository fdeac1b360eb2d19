//! Urgent work first, equal work in the order it came: a dispatcher over a `PriorityQueue`.
//!
//! ```text
//! $ cargo run --release --example priority_dispatch
//! urgent  the pump is on fire
//! urgent  the second pump too
//! normal  read the meters
//! normal  write the report
//! idle    water the plants
//! ```
//!
//! The queue orders by the priority alone, so jobs need no order; equal priorities keep the order
//! in which they were put. Which job a waiting worker gets is decided when it takes it, so an
//! urgent one that comes between its wake-up and its run is not late.

use petla::{JoinError, local::PriorityQueue, spawn};
use std::rc::Rc;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Priority {
    Urgent,
    Normal,
    Idle,
}
use Priority::{Idle, Normal, Urgent};

/// Has no order of its own.
struct Job {
    text: &'static str,
}

const JOBS: [(Priority, &str); 5] = [
    (Normal, "read the meters"),
    (Idle, "water the plants"),
    (Urgent, "the pump is on fire"),
    (Normal, "write the report"),
    (Urgent, "the second pump too"),
];

async fn dispatch(jobs: Rc<PriorityQueue<Priority, Job>>) -> Vec<Priority> {
    let mut done = Vec::new();
    while let Ok((priority, job)) = jobs.get().await {
        println!("{:7} {}", format!("{priority:?}").to_lowercase(), job.text);
        done.push(priority);
    }
    done
}

fn main() -> Result<(), JoinError> {
    petla::run(async {
        let jobs = Rc::new(PriorityQueue::unbounded());
        let dispatcher = spawn(dispatch(jobs.clone()));
        for (priority, text) in JOBS {
            let put = jobs.put_nowait((priority, Job { text }));
            assert!(put.is_ok(), "it is not full, nor shut down");
        }
        jobs.shutdown(false); // no more to come
        let done = dispatcher.await?;
        assert!(done.is_sorted() && done.len() == JOBS.len());
        Ok(())
    })
}
