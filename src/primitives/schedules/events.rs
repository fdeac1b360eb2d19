//! Events, tokens and watches: news that reach everybody who waited for them.

use std::sync::Arc;

use shuttle::future::block_on;

use super::{
    Event, Notes, STAY, Watch, crowd, dawdle, explore, explore_crowd, join, perhaps, spawn_all,
    until,
};
use crate::primitives::cancel_token::CancelToken;

#[test]
fn a_set_reaches_forty_waiters_though_it_is_cleared_at_once() {
    explore_crowd(|| {
        let event = Arc::new(Event::new());
        let called = Arc::new(Notes::default());
        let tasks = crowd(|| {
            let (event, called) = (event.clone(), called.clone());
            async move {
                let wait = event.wait(); // it counts from the call
                called.with(|called: &mut usize| *called += 1);
                wait.await
            }
        });
        block_on(until(|| called.with(|called| *called == STAY + 8)));
        event.set();
        event.clear();
        join(tasks);
        assert_eq!(event.statistics().waiting, 0);
    });
}

#[test]
fn a_worker_that_clears_before_it_looks_misses_no_work() {
    const PRODUCERS: usize = 5;
    const EACH: usize = 3;
    explore(|| {
        let shared = Arc::new((Event::new(), Notes::default()));
        let producers = spawn_all(PRODUCERS, |_| {
            let shared = shared.clone();
            async move {
                let (has_work, work) = &*shared;
                for _ in 0..EACH {
                    work.with(|work: &mut usize| *work += 1);
                    has_work.set();
                    dawdle().await;
                }
            }
        });
        let workers = spawn_all(1, |_| {
            let shared = shared.clone();
            async move {
                let (has_work, work) = &*shared;
                let mut done = 0;
                while done < PRODUCERS * EACH {
                    if perhaps(has_work.wait()).await.is_some() {
                        has_work.clear();
                        done += work.with(std::mem::take);
                    }
                }
            }
        });
        join(producers);
        join(workers);
    });
}

#[test]
fn a_token_that_two_cancel_ends_forty_waits_with_one_reason() {
    explore_crowd(|| {
        let token = CancelToken::new();
        let tasks = crowd(|| {
            let token = token.clone();
            async move { token.cancelled().await.to_string() }
        });
        let cancels = spawn_all(2, |number| {
            let token = token.clone();
            async move {
                dawdle().await;
                token.cancel(if number == 0 { "first" } else { "second" })
            }
        });
        let first = join(cancels).into_iter().filter(|first| *first).count();
        assert_eq!(first, 1);
        let cause = token.check().expect_err("it is cancelled").to_string();
        assert!(join(tasks).into_iter().flatten().all(|seen| seen == cause));
    });
}

#[test]
fn watchers_see_values_in_order_and_the_last_one() {
    const LAST: usize = 4;
    explore(|| {
        let watch = Arc::new(Watch::new(0));
        let watchers = spawn_all(6, |_| {
            let watch = watch.clone();
            async move {
                let mut watcher = watch.watcher();
                let mut seen = watch.get();
                while seen < LAST {
                    if let Some(value) = perhaps(watcher.changed()).await {
                        assert!(value >= seen, "{value} after {seen}");
                        seen = value;
                    }
                }
            }
        });
        for value in 1..=LAST {
            watch.set(value);
            block_on(dawdle());
        }
        join(watchers);
    });
}
