//! Barriers and limiters: a generation is complete or broken; at most so many borrow.

use std::sync::Arc;

use shuttle::future::{block_on, spawn, yield_now};
use shuttle::rand::{Rng, thread_rng};

use super::{
    Barrier, CapacityLimiter, Notes, STAY, briefly, dawdle, explore, explore_crowd, join, perhaps,
    spawn_all,
};

#[test]
fn forty_parties_pass_a_barrier_twice_each_with_its_own_index() {
    explore_crowd(|| {
        let barrier = Arc::new(Barrier::new(STAY));
        let tasks = spawn_all(STAY, |_| {
            let barrier = barrier.clone();
            async move { [barrier.wait().await, barrier.wait().await] }
        });
        let indices = join(tasks);
        for generation in 0..2 {
            let passed = indices.iter().flat_map(|both| both[generation]);
            let mut passed: Vec<usize> = passed.collect();
            passed.sort_unstable();
            assert_eq!(passed, Vec::from_iter(0..STAY));
        }
    });
}

#[test]
fn arrivals_that_walk_away_do_not_count_and_generations_are_complete() {
    const PARTIES: usize = 3;
    explore(|| {
        let barrier = Arc::new(Barrier::new(PARTIES));
        let tasks = spawn_all(7, |_| {
            let barrier = barrier.clone();
            async move {
                let mut ends = Vec::new();
                for polls in [3, 2, 4] {
                    ends.push(briefly(barrier.wait(), polls).await);
                }
                ends
            }
        });
        block_on(dawdle());
        barrier.abort();
        block_on(dawdle());
        barrier.reset();
        let ends = join(tasks).concat();
        let with = |end| ends.iter().filter(|found| **found == end).count();
        // Of each generation the indices are there, but for those that nobody looked at.
        let passed: [usize; PARTIES] = std::array::from_fn(|index| with(Some(Ok(index))));
        let generations = passed.into_iter().max().expect("it has parties");
        let missed = PARTIES * generations - passed.iter().sum::<usize>();
        assert!(missed <= with(None), "{passed:?}");
        assert_eq!(barrier.n_waiting(), 0);
        assert_eq!(barrier.statistics().waiting, 0);
    });
}

#[test]
fn a_limit_that_moves_is_kept_and_nobody_is_forgotten() {
    const MOST: usize = 4;
    explore(|| {
        let limiter = Arc::new(CapacityLimiter::new(2));
        let borrowed = Arc::new(Notes::default());
        let tasks = spawn_all(7, |_| {
            let (limiter, borrowed) = (limiter.clone(), borrowed.clone());
            async move {
                for _ in 0..3 {
                    let Some(_token) = perhaps(limiter.acquire()).await else {
                        continue;
                    };
                    borrowed.with(|borrowed: &mut usize| {
                        *borrowed += 1;
                        assert!(*borrowed <= MOST);
                    });
                    yield_now().await;
                    borrowed.with(|borrowed| *borrowed -= 1);
                }
            }
        });
        let moves = spawn({
            let limiter = limiter.clone();
            async move {
                for _ in 0..4 {
                    dawdle().await;
                    limiter.set_total(thread_rng().gen_range(1..=MOST));
                }
            }
        });
        join(tasks);
        join(vec![moves]);
        assert_eq!(limiter.available(), limiter.total());
        assert_eq!(limiter.statistics().waiting, 0);
    });
}
