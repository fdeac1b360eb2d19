//! `Builder::seed`: which orders there are, and what no seed changes.

use std::collections::HashSet;

use petla::testing::VirtualClock;
use petla::{EventLoop, spawn, yield_now};

use crate::common::Log;

/// The order in which tasks get their turns, over a few rounds.
fn order(seed: Option<u64>, tasks: usize, rounds: usize) -> Vec<usize> {
    let mut builder = EventLoop::builder().clock(VirtualClock::auto());
    if let Some(seed) = seed {
        builder = builder.seed(seed);
    }
    let run = builder.build().unwrap().run_until_complete(async {
        let log = Log::new();
        let started: Vec<_> = (0..tasks)
            .map(|n| {
                let log = log.clone();
                spawn(async move {
                    for _ in 0..rounds {
                        log.push(n);
                        yield_now().await;
                    }
                })
            })
            .collect();
        for task in started {
            task.await.unwrap();
        }
        log.take()
    });
    run.unwrap()
}

#[test]
fn without_a_seed_tasks_run_first_in_first_out() {
    assert_eq!(order(None, 4, 2), [0, 1, 2, 3, 0, 1, 2, 3]);
}

#[test]
fn a_seed_gives_the_same_order_twice_and_another_one_another() {
    let orders: HashSet<_> = (0..20)
        .map(|seed| {
            let first = order(Some(seed), 50, 5);
            assert_eq!(first, order(Some(seed), 50, 5));
            first
        })
        .collect();
    assert_eq!(orders.len(), 20);
}

#[test]
fn all_six_orders_of_three_tasks_appear() {
    let orders: HashSet<_> = (0..100).map(|seed| order(Some(seed), 3, 1)).collect();
    assert_eq!(orders.len(), 6);
    assert_eq!(order(Some(u64::MAX), 3, 1).len(), 3);
}

#[test]
fn no_seed_lets_a_task_run_twice_before_another_ran_once() {
    for seed in 0..100 {
        for batch in order(Some(seed), 7, 5).chunks(7) {
            let different: HashSet<_> = batch.iter().collect();
            assert_eq!(different.len(), 7, "seed {seed}: {batch:?}");
        }
    }
}
