//! Tasks that await each other: told once, by name and place, and no harm to the loop.

use std::cell::RefCell;
use std::future::{Future, pending};
use std::pin::Pin;
use std::rc::Rc;
use std::thread;
use std::time::{Duration, Instant};

use petla::local::Event;
use petla::sync::oneshot;
use petla::testing::{self, VirtualClock};
use petla::{CancelScope, EventLoop, Task, TaskRef, gather, select, sleep, spawn, yield_now};

use crate::common::{Log, collect_reports, loop_on, panic_text};

type Handle = Task<()>;

/// Spawns tasks in a ring, the first one first: each gives `wait` the handle of the next.
fn ring<const N: usize>(
    names: [&'static str; N],
    wait: impl AsyncFn(Handle) + 'static,
) -> Vec<TaskRef> {
    let wait = Rc::new(wait);
    let handles: Rc<RefCell<Vec<Option<Handle>>>> = Rc::default();
    for (at, name) in names.into_iter().enumerate() {
        let (handles, wait) = (handles.clone(), wait.clone());
        let task = {
            let handles = handles.clone();
            spawn(async move {
                let next = handles.borrow_mut()[(at + 1) % N].take();
                wait(next.expect("one task awaits it")).await;
            })
        };
        handles.borrow_mut().push(Some(task.named(name)));
    }
    let handles = handles.borrow();
    handles.iter().flatten().map(Task::task_ref).collect()
}

/// What is said of a ring.
fn text(ring: &[TaskRef]) -> String {
    let tasks: String = ring.iter().map(|task| format!("{task} -> ")).collect();
    format!(
        "tasks await each other and will not end by themselves: {tasks}{}",
        ring[0].name()
    )
}

/// Runs `main` until nothing can wake it: what was reported.
fn reports_until_stuck(main: impl AsyncFnOnce()) -> Vec<String> {
    let reports = RefCell::new(None);
    let message = panic_text(|| {
        testing::run(async {
            reports.replace(Some(collect_reports()));
            main().await;
            pending::<()>().await;
        })
    });
    assert!(
        message.starts_with("all tasks are blocked for good"),
        "{message}"
    );
    reports.take().map(|log: Log<String>| log.take()).unwrap()
}

/// The reports about a ring that is told exactly once, beside it.
fn told(make: impl FnOnce() -> Vec<TaskRef>) -> (Vec<String>, String) {
    let expected = RefCell::default();
    let reports = reports_until_stuck(async || {
        expected.replace(text(&make()));
    });
    (reports, expected.take())
}

async fn wait(task: Handle) {
    drop(task.await);
}

#[test]
fn two_tasks_that_await_each_other_are_told() {
    let (reports, expected) = told(|| ring(["egg", "hen"], wait));
    assert_eq!(reports, [expected]);
    let place = concat!("(spawned at ", file!(), ":");
    assert_eq!(reports[0].matches(place).count(), 2, "{reports:?}");
    assert!(reports[0].ends_with(" -> egg"), "{reports:?}");
}

#[test]
fn a_ring_of_three_is_told_in_the_order_of_the_waits_from_its_eldest() {
    let (reports, expected) = told(|| ring(["rock", "paper", "scissors"], wait));
    assert_eq!(reports, [expected]);
}

#[test]
fn a_wait_in_a_gather_in_a_gather_counts() {
    let (reports, expected) = told(|| {
        ring(["a", "b"], async |task| {
            let first: Pin<Box<dyn Future<Output = ()>>> = Box::pin(pending());
            let inner = gather([first, Box::pin(wait(task))]);
            petla::gather!(inner, pending::<()>()).await;
        })
    });
    assert_eq!(reports, [expected]);
}

#[test]
fn a_wait_in_a_scope_counts() {
    let (reports, expected) = told(|| {
        ring(["a", "b", "c"], async |task| {
            let scope = CancelScope::new();
            scope.run(async |_| wait(task).await).await.unwrap();
        })
    });
    assert_eq!(reports, [expected]);
}

#[test]
fn two_rings_are_told_apart_and_what_leads_to_one_is_no_part_of_it() {
    let expected = RefCell::default();
    let reports = reports_until_stuck(async || {
        let first = ring(["a", "b"], wait);
        let second = ring(["c", "d"], wait);
        expected.replace([text(&first), text(&second)]);
    });
    assert_eq!(reports, expected.take());
}

#[test]
fn a_chain_is_not_told() {
    let reports = reports_until_stuck(async || {
        let mut task = spawn(pending());
        for _ in 0..5 {
            task = spawn(wait(task));
        }
        task.await.unwrap();
    });
    assert!(reports.is_empty(), "{reports:?}");
}

#[test]
fn a_wait_that_was_given_up_while_its_handle_lives_on_closes_no_ring() {
    let reports = reports_until_stuck(async || {
        ring(["a", "b"], async |mut task| {
            if petla::current_task().is_some_and(|task| task.name() == "a") {
                return wait(task).await;
            }
            select! {
                result = &mut task => result.unwrap(),
                () = async { yield_now().await; yield_now().await } => pending().await,
            }
        });
    });
    assert!(reports.is_empty(), "{reports:?}");
}

/// Runs `main` by a virtual clock; it gets the reports, and an event that each of them sets.
fn with_reports<F: Future>(main: impl FnOnce(Log<String>, Rc<Event>) -> F) -> F::Output {
    let event_loop = loop_on(&VirtualClock::auto());
    let (log, reported) = (Log::new(), Rc::new(Event::new()));
    let (reports, event) = (log.clone(), reported.clone());
    event_loop.set_exception_handler(move |report| {
        reports.push(report.to_string());
        event.set();
    });
    event_loop.run_until_complete(main(log, reported)).unwrap()
}

#[test]
fn while_a_timer_is_armed_nothing_is_told() {
    const HOUR: Duration = Duration::from_secs(3600);
    with_reports(async |log, reported| {
        let begin = petla::now();
        let expected = text(&ring(["a", "b"], wait));
        let timer = spawn(sleep(HOUR));
        yield_now().await;
        drop(timer);
        reported.wait().await;
        assert_eq!(petla::now() - begin, HOUR);
        assert_eq!(log.take(), [expected]);
    });
}

#[test]
fn a_ring_is_told_once_however_often_the_loop_sleeps() {
    with_reports(async |log, reported| {
        let first = text(&ring(["a", "b"], wait));
        reported.wait().await;
        for n in 0..20 {
            let (setter, getter) = oneshot();
            let thread = thread::spawn(move || setter.set(n));
            assert_eq!(getter.await, Ok(n));
            thread.join().unwrap().unwrap();
        }
        reported.clear();
        let second = text(&ring(["c", "d"], wait));
        reported.wait().await;
        assert_eq!(log.take(), [first, second]);
    });
}

#[test]
fn a_loop_that_told_of_a_ring_goes_on_and_a_cancel_resolves_it() {
    with_reports(async |log, reported| {
        let ring = ring(["a", "b", "c"], wait);
        reported.wait().await;
        let handle = EventLoop::current().handle();
        let (setter, getter) = oneshot();
        let thread =
            thread::spawn(move || handle.call_soon_threadsafe(move || setter.set(5).unwrap()));
        assert_eq!(getter.await, Ok(5));
        thread.join().unwrap().unwrap();
        assert!(ring.iter().all(|task| !task.is_finished()));
        assert!(ring[1].cancel("the knot is cut"));
        while !ring.iter().all(TaskRef::is_finished) {
            yield_now().await;
        }
        assert_eq!(log.len(), 1);
    });
}

#[test]
fn by_a_real_clock_a_ring_is_told_when_the_loop_has_rested_for_a_second() {
    petla::run(async {
        let (log, reported) = (Log::new(), Rc::new(Event::new()));
        let (reports, event) = (log.clone(), reported.clone());
        EventLoop::current().set_exception_handler(move |report| {
            reports.push(report.to_string());
            event.set();
        });
        let begin = Instant::now();
        let expected = text(&ring(["a", "b"], wait));
        reported.wait().await;
        assert_eq!(log.take(), [expected]);
        assert!(begin.elapsed() >= Duration::from_secs(1));
    });
}

#[test]
fn a_child_that_awaits_the_task_of_its_own_group_is_told() {
    let reports = reports_until_stuck(async || {
        let handle: Rc<RefCell<Option<Handle>>> = Rc::default();
        let inside = handle.clone();
        let task = spawn(async move {
            let group = petla::TaskGroup::<()>::run(async |g| {
                let child = async { wait(inside.take().expect("it was put there")).await };
                drop(g.spawn(child).named("child"));
            });
            group.await.expect("it never ends");
        });
        handle.replace(Some(task.named("parent")));
    });
    assert_eq!(reports.len(), 1, "{reports:?}");
    assert!(reports[0].contains("parent (spawned at"), "{reports:?}");
    assert!(reports[0].contains("-> child (spawned at"), "{reports:?}");
}
