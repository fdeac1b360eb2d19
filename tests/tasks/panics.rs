//! Panics in polls, destructors, outputs, payloads and wakers: each stays where it happened.

use std::cell::Cell;
use std::future::{Future, pending};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use petla::{EventLoop, JoinError, Task, sleep, spawn};

use crate::common::{
    Bell, Drops, Log, collect_reports, panic_text, raise, succeeds_alone, text_of, within,
    yield_until,
};

/// A future, or an output, whose destructor counts and then panics.
struct Grenade(Drops, &'static str);

impl Drop for Grenade {
    fn drop(&mut self) {
        drop(self.0.guard());
        raise(self.1);
    }
}

/// Is ready at once with `output`, and has a destructor of its own.
struct Ready<T, D> {
    output: Option<T>,
    _dropped: D,
}

impl<T, D> Unpin for Ready<T, D> {}

impl<T, D> Future for Ready<T, D> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<T> {
        Poll::Ready(self.output.take().expect("polled once"))
    }
}

fn ready<T, D>(output: T, dropped: D) -> Ready<T, D> {
    Ready {
        output: Some(output),
        _dropped: dropped,
    }
}

#[test]
fn a_panic_ends_its_own_task_and_nothing_else() {
    within(async {
        let drops = Drops::default();
        let guard = drops.guard();
        let broken: Task<()> = spawn(async move {
            let _guard = guard;
            petla::yield_now().await;
            raise("halfway")
        });
        let sound = spawn(async {
            petla::yield_now().await;
            petla::yield_now().await;
            "sound"
        });
        assert_eq!(
            broken.await.unwrap_err().to_string(),
            "task panicked: halfway"
        );
        assert_eq!(drops.count(), 1);
        assert_eq!(sound.await.unwrap(), "sound");
    });
}

#[test]
fn a_destructor_that_panics_after_the_last_poll_is_the_tasks_result() {
    within(async {
        let (futures, outputs) = (Drops::default(), Drops::default());
        let grenade = Grenade(futures.clone(), "in the future's drop");
        let task = spawn(ready(outputs.guard(), grenade));
        let error = task.await.map(drop).unwrap_err();
        assert_eq!(error.to_string(), "task panicked: in the future's drop");
        assert_eq!((futures.count(), outputs.count()), (1, 1));
    });
}

#[test]
fn a_second_panic_in_the_destructor_is_reported_and_the_first_kept() {
    within(async {
        let (reports, futures) = (collect_reports(), Drops::default());
        let task = spawn(PanicsThenDrops(Grenade(futures.clone(), "second")));
        assert_eq!(task.await.unwrap_err().to_string(), "task panicked: first");
        assert_eq!(futures.count(), 1);
        let told = reports.take();
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(told[0].contains("second"), "{told:?}");
    });
}

/// Panics when polled; its field's destructor panics when it is dropped.
struct PanicsThenDrops(#[allow(dead_code, reason = "it is there to be dropped")] Grenade);

impl Future for PanicsThenDrops {
    type Output = ();

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        raise("first")
    }
}

#[test]
fn an_output_whose_destructor_panics_is_dropped_once_and_reported() {
    within(async {
        let (reports, outputs) = (collect_reports(), Drops::default());
        let explosive =
            |outputs: &Drops| spawn(ready(Grenade(outputs.clone(), "in the output"), ()));
        drop(explosive(&outputs));
        petla::yield_now().await;
        assert_eq!(outputs.count(), 1);
        let told = reports.take();
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(told[0].contains("in the output"), "{told:?}");

        let kept = explosive(&outputs);
        petla::yield_now().await;
        assert_eq!(
            panic_text(|| drop(kept)),
            "in the output",
            "like any other value's drop"
        );
        assert_eq!((outputs.count(), reports.len()), (2, 0));
    });
}

#[test]
fn a_future_and_an_output_that_both_panic_when_dropped_do_not_abort() {
    succeeds_alone(|| {
        within(async {
            let (futures, outputs) = (Drops::default(), Drops::default());
            let output = Grenade(outputs.clone(), "in the output");
            let task = spawn(ready(output, Grenade(futures.clone(), "in the future")));
            petla::yield_now().await;
            assert!(task.await.map(drop).unwrap_err().is_panic());
            assert_eq!((futures.count(), outputs.count()), (1, 1));
            assert_eq!(spawn(async { 1 }).await.unwrap(), 1);
        });
    });
}

#[test]
fn a_payload_whose_destructor_panics_is_survived() {
    within(async {
        let (reports, drops) = (collect_reports(), Drops::default());
        let payload = Box::new(Grenade(drops.clone(), "in the payload"));
        drop(spawn(async move { std::panic::resume_unwind(payload) }));
        petla::yield_now().await;
        assert_eq!(drops.count(), 1);
        let told = reports.take();
        assert!(
            told[0].starts_with("a task panicked and nobody awaited it: task-"),
            "{told:?}"
        );
    });
}

#[test]
fn a_payload_that_is_given_to_the_waiter_is_not_dropped_before() {
    within(async {
        let drops = Drops::default();
        let payload = Box::new(drops.guard());
        let task: Task<()> = spawn(async move { std::panic::resume_unwind(payload) });
        let Err(JoinError::Panicked(panic)) = task.await else {
            unreachable!()
        };
        let payload = panic.into_payload();
        assert_eq!(drops.count(), 0);
        drop(payload);
        assert_eq!(drops.count(), 1);
    });
}

#[test]
fn a_panic_of_the_main_future_comes_out_of_run_when_all_tasks_are_gone() {
    let drops = Drops::default();
    let text = panic_text(|| {
        petla::run(async {
            drop(spawn(drops.forever()));
            petla::yield_now().await;
            raise("the main future")
        })
    });
    assert_eq!((text.as_str(), drops.count()), ("the main future", 1));
    assert!(EventLoop::try_current().is_none());
    assert_eq!(within(async { 1 }), 1, "the thread can run another loop");
}

#[test]
fn run_closes_its_loop_also_when_a_task_keeps_a_handle_of_it() {
    for panics in [false, true] {
        let drops = Drops::default();
        let run = AssertUnwindSafe(|| {
            petla::run(async {
                let (event_loop, guard) = (EventLoop::current(), drops.guard());
                drop(spawn(async move {
                    let _kept = (event_loop, guard);
                    pending::<()>().await
                }));
                petla::yield_now().await;
                assert!(!panics, "on purpose");
            });
        });
        assert_eq!(catch_unwind(run).is_err(), panics);
        assert_eq!(drops.count(), 1, "the main future panics: {panics}");
    }
}

#[test]
fn a_panic_of_the_main_future_leaves_the_loop_usable() {
    let event_loop = EventLoop::new().unwrap();
    let log = Log::new();
    let steps = log.clone();
    drop(event_loop.spawn(async move {
        petla::yield_now().await;
        petla::yield_now().await;
        steps.push("went on");
    }));
    let text = panic_text(|| {
        event_loop
            .run_until_complete(async { raise("first run") })
            .unwrap()
    });
    assert_eq!(text, "first run");
    assert!(!event_loop.is_running() && !event_loop.is_closed());
    event_loop
        .run_until_complete(yield_until(|| log.len() == 1))
        .unwrap();
}

#[test]
fn destructors_that_panic_while_the_main_panic_unwinds_do_not_abort() {
    succeeds_alone(|| {
        let drops = Drops::default();
        let run = AssertUnwindSafe(|| {
            petla::run(async {
                for _ in 0..3 {
                    let grenade = Grenade(drops.clone(), "while unwinding");
                    drop(spawn(async move {
                        let _grenade = grenade;
                        pending::<()>().await
                    }));
                }
                petla::yield_now().await;
                raise("the main future")
            })
        });
        let payload = catch_unwind(run).unwrap_err();
        assert_eq!(text_of(&*payload).unwrap(), "the main future");
        assert_eq!(drops.count(), 3);
    });
}

#[test]
fn destructors_that_panic_when_a_loop_closes_are_reported_and_stop_nothing() {
    let event_loop = EventLoop::new().unwrap();
    let (reports, drops) = (
        crate::common::collect_reports_of(&event_loop),
        Drops::default(),
    );
    for _ in 0..3 {
        let grenade = Grenade(drops.clone(), "at the end");
        drop(event_loop.spawn(async move {
            let _grenade = grenade;
            pending::<()>().await
        }));
    }
    event_loop.run_until_complete(petla::yield_now()).unwrap();
    event_loop.close().unwrap();
    assert_eq!((drops.count(), reports.len()), (3, 3));
    assert!(event_loop.is_closed());
}

#[test]
fn a_waker_that_panics_loses_nobody_elses_wake() {
    petla::testing::run(async {
        let reports = collect_reports();
        let bells = [Bell::new(), Bell::broken(), Bell::new()];
        // Of tasks: the ends of three tasks ring three bells.
        let mut tasks = [1, 2, 3].map(|n| spawn(async move { n }));
        for (bell, task) in bells.iter().zip(&mut tasks) {
            assert!(bell.poll(task).is_pending());
        }
        petla::yield_now().await;
        assert_eq!(bells.each_ref().map(|bell| bell.rings()), [1, 1, 1]);
        assert_eq!(tasks.iter().filter(|task| task.is_finished()).count(), 3);
        assert_eq!(reports.take().len(), 1);
        // Of timers: three sleeps end at the same moment.
        let at = petla::now() + Duration::from_millis(1);
        let mut sleeps = [(); 3].map(|()| petla::sleep_until(at));
        for (bell, sleep) in bells.iter().zip(&mut sleeps) {
            assert!(bell.poll(sleep).is_pending());
        }
        sleep(Duration::from_millis(2)).await;
        assert_eq!(bells.each_ref().map(|bell| bell.rings()), [2, 2, 2]);
        let told = reports.take();
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(told[0].contains("the bell is broken"), "{told:?}");
    });
}

#[test]
fn a_waker_that_panics_does_not_take_its_loop_along() {
    within(async {
        let reports = collect_reports();
        let handle = petla::LoopHandle::current();
        let mut remote = handle.spawn(async || 5);
        let bell = Bell::broken();
        assert!(bell.poll(&mut remote).is_pending());
        yield_until(|| bell.rings() == 1).await;
        petla::yield_now().await;
        assert_eq!(remote.await.unwrap(), 5);
        assert_eq!(reports.len(), 1);
    });
}

/// A waker that drops a task's handle when it wakes: the cell goes away under the loop.
struct DropsHandle(std::sync::Mutex<Option<std::thread::ThreadId>>);

thread_local! {
    static HANDLE: Cell<Option<Task<Rc<()>>>> = const { Cell::new(None) };
}

impl std::task::Wake for DropsHandle {
    fn wake(self: Arc<Self>) {
        *self.0.lock().unwrap() = Some(std::thread::current().id());
        drop(HANDLE.take());
    }
}

#[test]
fn a_waker_may_drop_the_handle_that_it_waits_for() {
    within(async {
        let value = Rc::new(());
        let output = Rc::clone(&value);
        let mut task = spawn(async move { output });
        let waker = Arc::new(DropsHandle(std::sync::Mutex::new(None)));
        let used = std::task::Waker::from(Arc::clone(&waker));
        assert!(crate::common::poll_with(&mut task, &used).is_pending());
        HANDLE.set(Some(task));
        petla::yield_now().await;
        assert_eq!(*waker.0.lock().unwrap(), Some(std::thread::current().id()));
        assert_eq!(
            Rc::strong_count(&value),
            1,
            "the output went with the handle"
        );
    });
}
