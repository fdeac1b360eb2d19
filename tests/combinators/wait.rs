//! `wait`: which tasks have ended; it looks and does not touch.

use std::future::pending;
use std::time::Duration;

use petla::{JoinError, Task, When, spawn, spawn_eager, wait, yield_now};

use crate::common::hand::at_once;
use crate::common::{Bell, Drops, collect_reports, panic_text, poll_once, raise, within};
use crate::switch::{Knob, switch, switches};

/// Tasks that end when their knobs are set, all polled once.
async fn tasks<T: 'static>(count: usize) -> (Vec<Knob<T>>, Vec<Task<T>>) {
    let (knobs, futures) = switches(count);
    let tasks = futures.into_iter().map(spawn).collect();
    yield_now().await;
    (knobs, tasks)
}

/// Their names, to tell who is who.
fn ids<T>(tasks: &[Task<T>]) -> Vec<petla::TaskId> {
    tasks.iter().map(Task::id).collect()
}

#[test]
fn the_first_to_end_is_moved_out_and_the_rest_stays_in_order() {
    // W9
    within(async {
        let (knobs, mut tasks) = tasks(4).await;
        let all = ids(&tasks);
        let mut first = wait(&mut tasks, When::FirstCompleted, None);
        assert!(poll_once(&mut first).is_pending());
        knobs[2].set('c');
        let done = first.await;
        assert_eq!(ids(&done), [all[2]]);
        assert_eq!(ids(&tasks), [all[0], all[1], all[3]]);
        for task in done {
            assert_eq!(task.await.unwrap(), 'c');
        }
    });
}

#[test]
fn several_may_have_ended_and_come_in_the_order_of_the_input() {
    // W11
    within(async {
        let (knobs, mut tasks) = tasks(4).await;
        let all = ids(&tasks);
        for n in [3, 1] {
            knobs[n].set(());
        }
        let done = wait(&mut tasks, When::FirstCompleted, None).await;
        assert_eq!(
            (ids(&done), ids(&tasks)),
            (vec![all[1], all[3]], vec![all[0], all[2]])
        );
    });
}

#[test]
fn all_waits_for_all_however_they_end() {
    // W9
    within(async {
        let (knobs, mut tasks) = tasks::<()>(3).await;
        tasks.push(spawn(async { raise("one of them") }));
        let everybody = ids(&tasks);
        tasks[1].cancel(());
        let mut all = wait(&mut tasks, When::All, None);
        for n in [2, 0] {
            for _ in 0..3 {
                assert!(poll_once(&mut all).is_pending());
                yield_now().await;
            }
            knobs[n].set(());
        }
        let done = all.await;
        assert_eq!((ids(&done), tasks.len()), (everybody, 0));
        let kinds: Vec<_> = petla::gather(done)
            .await
            .iter()
            .map(Result::is_ok)
            .collect();
        assert_eq!(kinds, [true, false, true, false]);
    });
}

#[test]
fn an_error_or_a_panic_is_an_exception_and_a_cancelled_task_is_none() {
    // W9: failed already, fails later.
    type Outcome = Result<u8, &'static str>;
    within(async {
        for panics in [false, true] {
            let (knobs, mut tasks) = tasks::<Outcome>(3).await;
            tasks[0].cancel("no exception");
            knobs[1].set(Ok(1));
            let (knob, last) = switch::<()>();
            tasks.push(spawn(async move {
                last.await;
                if panics { raise("later") } else { Err("later") }
            }));
            let mut first = wait(&mut tasks, When::FirstException, None);
            for _ in 0..3 {
                assert!(poll_once(&mut first).is_pending());
                yield_now().await;
            }
            knob.set(());
            let done = petla::gather(first.await).await;
            assert_eq!((done.len(), tasks.len()), (3, 1));
        }
        let mut tasks: Vec<Task<Outcome>> = vec![spawn(pending()), spawn_eager(async { Err("x") })];
        assert_eq!(
            at_once(wait(&mut tasks, When::FirstException, None)).len(),
            1
        );
    });
}

#[test]
fn without_an_exception_it_waits_for_all() {
    within(async {
        let mut tasks: Vec<_> = (0..3)
            .map(|n| spawn(async move { Ok::<_, ()>(n) }))
            .collect();
        assert_eq!(wait(&mut tasks, When::FirstException, None).await.len(), 3);
    });
}

#[test]
fn the_first_of_a_kind_is_waited_for_and_its_result_stays() {
    within(async {
        let (knobs, mut tasks) = tasks(3).await;
        let mut first = wait(
            &mut tasks,
            When::first(|result| matches!(result, Ok(10..))),
            None,
        );
        knobs[0].set(1);
        for _ in 0..3 {
            assert!(poll_once(&mut first).is_pending());
            yield_now().await;
        }
        knobs[2].set(12);
        let done = first.await;
        let results: Vec<i32> = petla::gather(done)
            .await
            .into_iter()
            .map(Result::unwrap)
            .collect();
        assert_eq!(results, [1, 12]);
    });
}

#[test]
fn a_question_that_panics_leaves_every_result_in_its_task() {
    within(async {
        let drops = Drops::default();
        let guard = drops.guard();
        let mut tasks = vec![
            spawn_eager(async move { Some(guard) }),
            spawn_eager(async { raise("a panic is a result too") }),
        ];
        for _ in 0..2 {
            let text = panic_text(|| {
                poll_once(&mut wait(&mut tasks, When::first(|_| raise("asked")), None))
            });
            assert_eq!(text, "asked");
        }
        let mut asked = wait(&mut tasks, When::first(|_| raise("asked again")), None);
        for _ in 0..2 {
            assert_eq!(panic_text(|| poll_once(&mut asked)), "asked again");
        }
        drop(asked);
        assert_eq!((tasks.len(), drops.count()), (2, 0));
        let results = petla::gather(tasks).await;
        assert!(results[0].as_ref().unwrap().is_some());
        assert!(results[1].as_ref().is_err_and(JoinError::is_panic));
        drop(results);
        assert_eq!(drops.count(), 1);
    });
}

#[test]
fn a_limit_gives_what_has_ended_and_is_no_error() {
    // W10
    within(async {
        let (knobs, mut tasks) = tasks(3).await;
        let limit = Duration::from_millis(1);
        assert!(
            wait(&mut tasks, When::FirstCompleted, limit)
                .await
                .is_empty()
        );
        knobs[1].set(());
        assert_eq!(wait(&mut tasks, When::All, limit).await.len(), 1);
        assert_eq!(tasks.len(), 2);
    });
}

#[test]
fn a_limit_of_zero_lets_the_ready_tasks_run_once() {
    within(async {
        let mut tasks = vec![spawn(async {}), spawn(pending())];
        assert_eq!(wait(&mut tasks, When::All, Duration::ZERO).await.len(), 1);
    });
}

#[test]
fn a_wait_that_is_dropped_leaves_the_tasks_and_no_waker() {
    // W12, B54, B59
    within(async {
        let (knobs, mut tasks) = tasks::<()>(3).await;
        let bell = Bell::new();
        for _ in 0..10 {
            let mut all = wait(&mut tasks, When::All, Duration::from_secs(60));
            assert!(bell.poll(&mut all).is_pending());
            drop(all);
            assert!(!bell.is_kept());
        }
        yield_now().await;
        assert_eq!((tasks.len(), bell.rings()), (3, 0));
        knobs.iter().for_each(|knob| knob.set(()));
        assert_eq!(wait(&mut tasks, When::All, None).await.len(), 3);
        assert_eq!(bell.rings(), 0);
    });
}

#[test]
fn a_wait_that_has_ended_leaves_no_waker_with_the_others() {
    // B54
    within(async {
        let (knobs, mut tasks) = tasks(2).await;
        let bell = Bell::new();
        let mut first = wait(&mut tasks, When::FirstCompleted, None);
        assert!(bell.poll(&mut first).is_pending());
        knobs[0].set(());
        yield_now().await;
        assert!(bell.poll(&mut first).is_ready() && !bell.is_kept());
    });
}

#[test]
fn waiting_does_not_count_as_awaiting() {
    within(async {
        let (knobs, mut waited) = tasks::<()>(2).await;
        let none = wait(&mut waited, When::All, Duration::ZERO).await;
        assert!(none.is_empty());
        drop(waited);
        yield_now().await;
        assert_eq!(
            [knobs[0].drops(), knobs[1].drops()],
            [0, 0],
            "the tasks run on"
        );
    });
}

#[test]
fn a_panic_that_was_only_waited_for_is_reported_with_its_handle() {
    within(async {
        let reports = collect_reports();
        let mut tasks: Vec<Task<()>> = vec![spawn(async { raise("unseen") })];
        let done = wait(&mut tasks, When::All, None).await;
        assert_eq!(reports.len(), 0);
        drop(done);
        assert_eq!(reports.len(), 1);
    });
}

#[test]
fn without_tasks_it_ends_at_once() {
    // W13: asyncio raises.
    let mut none: Vec<Task<u8>> = Vec::new();
    assert!(at_once(wait(&mut none, When::All, None)).is_empty());
    assert!(at_once(wait(&mut none, When::FirstCompleted, None)).is_empty());
}

#[test]
fn any_iterator_fills_the_list() {
    // W13
    within(async {
        let mut tasks = (0..3).map(|n| spawn(async move { n })).collect();
        let done = wait(&mut tasks, When::All, None).await;
        tasks.extend(done);
        assert_eq!(tasks.len(), 3);
    });
}

#[test]
fn a_task_whose_result_was_taken_has_ended() {
    within(async {
        let mut task = spawn(async { 1 });
        assert_eq!((&mut task).await.unwrap(), 1);
        let mut tasks = vec![spawn(pending()), task];
        assert_eq!(
            at_once(wait(&mut tasks, When::FirstCompleted, None)).len(),
            1
        );
    });
}

#[test]
fn polled_again_after_its_end_it_says_so() {
    let mut none: Vec<Task<u8>> = Vec::new();
    let mut over = wait(&mut none, When::All, None);
    assert!(poll_once(&mut over).is_ready());
    assert_eq!(
        panic_text(|| poll_once(&mut over)),
        "a `wait` was polled again after it ended"
    );
}

#[test]
fn a_waiter_that_moves_to_another_task_is_woken_there() {
    within(async {
        let (knobs, mut list) = tasks(2).await;
        let (early, late) = (Bell::new(), Bell::new());
        let mut all = wait(&mut list, When::All, None);
        assert!(early.poll(&mut all).is_pending() && late.poll(&mut all).is_pending());
        assert!(!early.is_kept());
        knobs[0].set(());
        yield_now().await;
        assert_eq!((early.rings(), late.rings()), (0, 1));
        assert!(late.poll(&mut all).is_pending());
        knobs[1].set(());
        assert_eq!(all.await.len(), 2);
    });
}
