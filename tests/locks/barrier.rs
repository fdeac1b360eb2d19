//! `Barrier`: all or none of a generation, each with its own index.

use std::rc::Rc;

use super::*;

in_both_modes! {
    // L27
    fn a_barrier_for_one_never_blocks() {
        let barrier = Barrier::new(1);
        for _ in 0..3 {
            assert_eq!(at_once(barrier.wait()), Ok(0));
        }
        assert_eq!((barrier.n_waiting(), barrier.parties()), (0, 1));
    }

    // L28
    fn each_arrival_has_an_index_of_its_own() {
        for parties in [2, 5, 33, 100] {
            let barrier = Barrier::new(parties);
            let mut waits: Vec<_> = (1..parties).map(|_| waiting(barrier.wait())).collect();
            assert_eq!(barrier.n_waiting(), parties - 1);
            assert_eq!(at_once(barrier.wait()), Ok(parties - 1), "the last does not block");
            assert_eq!(barrier.n_waiting(), 0);
            for (place, wait) in waits.iter_mut().enumerate() {
                assert_eq!(wait.ready(), Ok(place), "the place of its arrival");
            }
        }
    }

    // L28
    fn tasks_get_the_indices_once_each_and_go_on_together() {
        within(async {
            let (barrier, log) = (Rc::new(Barrier::new(5)), Log::new());
            let tasks: Vec<_> = (0..5)
                .map(|_| {
                    let (barrier, log) = (barrier.clone(), log.clone());
                    spawn(async move {
                        log.push("before");
                        let index = barrier.wait().await.unwrap();
                        log.push("after");
                        index
                    })
                })
                .collect();
            let mut indices = Vec::new();
            for task in tasks {
                indices.push(task.await.unwrap());
            }
            indices.sort_unstable();
            assert_eq!(indices, [0, 1, 2, 3, 4]);
            let (before, after) = (["before"; 5], ["after"; 5]);
            assert_eq!(log.take(), [before, after].concat());
        });
    }

    // L29
    fn tasks_that_wait_twice_make_two_generations() {
        within(async {
            let (barrier, log) = (Rc::new(Barrier::new(3)), Log::new());
            let tasks: Vec<_> = (0..3)
                .map(|_| {
                    let (barrier, log) = (barrier.clone(), log.clone());
                    spawn(async move {
                        for round in 0..2 {
                            barrier.wait().await.unwrap();
                            log.push(round);
                        }
                    })
                })
                .collect();
            for task in tasks {
                task.await.unwrap();
            }
            assert_eq!(log.take(), [0, 0, 0, 1, 1, 1]);
        });
    }

    // L30: here they need not wait until the last generation has left.
    fn arrivals_while_a_generation_leaves_are_of_the_next_one() {
        let barrier = Barrier::new(2);
        let mut first = waiting(barrier.wait());
        assert_eq!(at_once(barrier.wait()), Ok(1));
        let mut second = waiting(barrier.wait()); // the first has not run yet
        assert_eq!(barrier.n_waiting(), 1);
        assert_eq!(at_once(barrier.wait()), Ok(1));
        assert_eq!((second.ready(), first.ready()), (Ok(0), Ok(0)));
        assert_eq!(barrier.n_waiting(), 0);
    }

    // L31
    fn a_cancelled_arrival_frees_its_place_for_a_substitute() {
        let barrier = Barrier::new(3);
        let (first, mut second) = (waiting(barrier.wait()), waiting(barrier.wait()));
        assert_eq!(barrier.n_waiting(), 2);
        drop(first);
        assert_eq!((barrier.n_waiting(), barrier.is_broken()), (1, false));
        let mut substitute = waiting(barrier.wait());
        assert_eq!(at_once(barrier.wait()), Ok(2));
        assert_eq!((second.ready(), substitute.ready()), (Ok(0), Ok(1)));
    }

    // L31
    fn a_task_that_is_cancelled_while_it_waits_breaks_nothing() {
        within(async {
            let barrier = Rc::new(Barrier::new(3));
            let arrive = || {
                let barrier = barrier.clone();
                spawn(async move { barrier.wait().await })
            };
            let (gone, stays) = (arrive(), arrive());
            yield_now().await;
            gone.cancel(());
            assert!(gone.await.is_err());
            assert_eq!(barrier.n_waiting(), 1);
            let substitute = arrive();
            let mut indices = vec![barrier.wait().await];
            indices.extend([stays.await.unwrap(), substitute.await.unwrap()]);
            indices.sort_unstable_by_key(|index| index.unwrap());
            assert_eq!(indices, [Ok(0), Ok(1), Ok(2)]);
        });
    }

    fn one_who_is_cancelled_when_the_generation_is_complete_takes_nothing_back() {
        let barrier = Barrier::new(3);
        let (gone, mut stays) = (waiting(barrier.wait()), waiting(barrier.wait()));
        assert_eq!(at_once(barrier.wait()), Ok(2));
        drop(gone);
        assert_eq!((stays.ready(), barrier.n_waiting()), (Ok(1), 0));
    }

    // L32
    fn a_reset_fails_those_who_wait_and_leaves_the_barrier_usable() {
        let barrier = Barrier::new(3);
        let mut waits = [(); 2].map(|()| waiting(barrier.wait()));
        barrier.reset();
        assert_eq!((barrier.n_waiting(), barrier.is_broken()), (0, false));
        for wait in &mut waits {
            assert_eq!(wait.ready(), Err(Broken));
        }
        let mut waits = [(); 2].map(|()| waiting(barrier.wait()));
        assert_eq!(at_once(barrier.wait()), Ok(2));
        assert!(waits.iter_mut().all(|wait| wait.ready().is_ok()));
        barrier.reset(); // of an empty one: nothing
        assert!(!barrier.is_broken());
    }

    // L33: those who are through are through; asyncio fails those who have not run yet.
    fn a_reset_does_not_concern_a_generation_that_is_complete() {
        let barrier = Barrier::new(2);
        let mut done = waiting(barrier.wait());
        assert_eq!(at_once(barrier.wait()), Ok(1));
        let mut next = waiting(barrier.wait());
        barrier.reset();
        assert_eq!((done.ready(), next.ready()), (Ok(0), Err(Broken)));
        let mut after = waiting(barrier.wait());
        assert_eq!((at_once(barrier.wait()), after.ready()), (Ok(1), Ok(0)));
    }

    // L34
    fn an_abort_fails_those_who_wait_and_all_who_come() {
        let barrier = Barrier::new(3);
        let mut waits = [(); 2].map(|()| waiting(barrier.wait()));
        barrier.abort();
        assert_eq!((barrier.is_broken(), barrier.n_waiting()), (true, 0));
        for wait in &mut waits {
            assert_eq!(wait.ready(), Err(Broken));
        }
        for _ in 0..4 {
            assert_eq!(at_once(barrier.wait()), Err(Broken));
        }
        barrier.abort(); // again: nothing
        assert_eq!(std::io::Error::from(Broken).kind(), std::io::ErrorKind::Other);
    }

    // L35
    fn a_reset_mends_what_an_abort_broke() {
        let barrier = Barrier::new(2);
        let mut early = waiting(barrier.wait());
        barrier.abort();
        barrier.reset();
        assert!(!barrier.is_broken());
        let mut new = waiting(barrier.wait());
        assert_eq!(early.ready(), Err(Broken), "it was of the broken one");
        assert_eq!((at_once(barrier.wait()), new.ready()), (Ok(1), Ok(0)));
    }

    // L36
    #[should_panic(expected = "a barrier for 0 parties could never be passed: give it 1 or more")]
    fn a_barrier_for_nobody_is_refused() {
        let _ = Barrier::new(0);
    }

    // L36
    #[should_panic(expected = "a barrier is for at most 268435455 parties")]
    fn a_barrier_for_more_than_can_be_counted_is_refused() {
        let _ = Barrier::new(268_435_456);
    }

    fn a_wait_that_was_never_polled_has_not_arrived() {
        let barrier = Barrier::new(2);
        let lazy = barrier.wait();
        assert_eq!(barrier.n_waiting(), 0);
        let mut first = waiting(barrier.wait());
        drop(lazy);
        assert_eq!(barrier.n_waiting(), 1);
        assert_eq!((at_once(barrier.wait()), first.ready()), (Ok(1), Ok(0)));
    }

    fn a_leaked_arrival_counts_and_nothing_breaks() {
        let barrier = Barrier::new(3);
        leak(waiting(barrier.wait()));
        let barrier = Box::new(barrier);
        let mut second = waiting(barrier.wait());
        assert_eq!((at_once(barrier.wait()), second.ready()), (Ok(2), Ok(1)));
        leak(waiting(barrier.wait()));
        barrier.abort();
        assert_eq!(at_once(barrier.wait()), Err(Broken));
    }

    fn a_waker_that_panics_keeps_no_other_party_waiting() {
        let barrier = Barrier::new(3);
        let (broken, bell) = (Bell::broken(), Bell::new());
        let (mut first, mut second) = (hand(barrier.wait()), hand(barrier.wait()));
        assert!(broken.poll(&mut first).is_pending());
        assert!(bell.poll(&mut second).is_pending());
        assert_eq!(panic_text(|| at_once(barrier.wait())), "the bell is broken");
        assert_eq!(bell.rings(), 1);
        assert_eq!((first.ready(), second.ready()), (Ok(0), Ok(1)));
    }
}

#[test]
fn two_loops_and_a_plain_thread_share_a_barrier() {
    use petla::sync::Barrier;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    const ROUNDS: usize = 100;
    const PARTIES: usize = 5;
    let shared = Arc::new((Barrier::new(PARTIES), AtomicUsize::new(0)));
    let loops = [(); 2].map(|()| {
        let shared = shared.clone();
        std::thread::spawn(move || {
            within(async {
                let tasks = [(); 2].map(|()| {
                    let shared = shared.clone();
                    spawn(async move {
                        for round in 1..=ROUNDS {
                            shared.1.fetch_add(1, Ordering::Relaxed);
                            assert!(shared.0.wait().await.unwrap() < PARTIES);
                            let arrivals = shared.1.load(Ordering::Relaxed);
                            assert!(arrivals >= round * PARTIES, "all of the round have arrived");
                        }
                    })
                });
                for task in tasks {
                    task.await.unwrap();
                }
                let text = panic_text(|| shared.0.blocking_wait());
                assert!(text.ends_with("await `wait` instead"), "{text}");
            });
        })
    });
    for _ in 0..ROUNDS {
        shared.1.fetch_add(1, Ordering::Relaxed);
        shared.0.blocking_wait().unwrap();
    }
    for thread in loops {
        thread.join().unwrap();
    }
    assert_eq!(shared.1.load(Ordering::Relaxed), ROUNDS * PARTIES);
}
