//! Semaphores: permits are with whoever took them, or free.

use std::sync::Arc;

use shuttle::future::{block_on, spawn, yield_now};
use shuttle::rand::{Rng, thread_rng};

use super::{
    Notes, STAY, Semaphore, crowd, dawdle, explore, explore_crowd, join, perhaps, spawn_all, until,
};

/// How many permits there are, and how many of them are out.
#[derive(Default)]
struct Account {
    total: usize,
    out: usize,
}

#[test]
fn permits_are_conserved_while_some_are_added_and_one_is_forgotten() {
    explore(|| {
        let semaphore = Arc::new(Semaphore::new(3));
        let account = Arc::new(Notes::default());
        account.with(|account: &mut Account| account.total = 3);
        let tasks = spawn_all(7, |number| {
            let (semaphore, account) = (semaphore.clone(), account.clone());
            async move {
                for round in 0..3 {
                    let need = thread_rng().gen_range(1..=3);
                    let Some(permit) = perhaps(semaphore.acquire_many(need)).await else {
                        continue;
                    };
                    account.with(|account| {
                        account.out += need;
                        assert!(account.out <= account.total, "more are out than there are");
                    });
                    yield_now().await;
                    account.with(|account| account.out -= need);
                    if (number, round, need) == (0, 0, 1) {
                        account.with(|account| account.total -= 1);
                        permit.forget();
                    }
                }
            }
        });
        let adds = spawn({
            let (semaphore, account) = (semaphore.clone(), account.clone());
            async move {
                for _ in 0..2 {
                    dawdle().await;
                    account.with(|account| account.total += 1);
                    semaphore.add_permits(1);
                }
            }
        });
        join(tasks);
        join(vec![adds]);
        let total = account.with(|account| account.total);
        assert_eq!(semaphore.available(), total);
        assert_eq!(semaphore.statistics().waiting, 0);
    });
}

#[test]
fn permits_that_come_at_once_reach_forty_waiters() {
    explore_crowd(|| {
        let semaphore = Arc::new(Semaphore::new(0));
        let tasks = crowd(|| {
            let semaphore = semaphore.clone();
            async move { semaphore.acquire().await.forget() }
        });
        block_on(until(|| semaphore.statistics().waiting >= STAY));
        semaphore.add_permits(STAY + 8);
        let taken = join(tasks).into_iter().flatten().count();
        assert_eq!(semaphore.available(), STAY + 8 - taken);
    });
}
