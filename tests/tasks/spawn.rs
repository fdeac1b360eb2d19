//! Spawning and awaiting; names, numbers and places; what ended tasks leave behind.

use std::cell::Cell;
use std::error::Error;
use std::future::pending;
use std::io;
use std::rc::Rc;

use petla::{EventLoop, JoinError, Task, TaskRef, all_tasks, current_task, spawn, spawn_eager};

use crate::common::{Log, panic_text, poll_once, raise, within};

#[test]
fn a_task_first_runs_in_the_batch_after_its_spawning() {
    within(async {
        let ran = Rc::new(Cell::new(false));
        let task = spawn({
            let ran = Rc::clone(&ran);
            async move { ran.set(true) }
        });
        assert!(!ran.get() && !task.is_finished());
        petla::yield_now().await;
        assert!(ran.get() && task.is_finished());
    });
}

#[test]
fn tasks_first_run_in_the_order_of_their_spawning() {
    within(async {
        let log = Log::new();
        let tasks: Vec<Task<()>> = (0..100)
            .map(|n| {
                let log = log.clone();
                spawn(async move { log.push(n) })
            })
            .collect();
        petla::yield_now().await;
        assert_eq!(log.take(), (0..100).collect::<Vec<_>>());
        assert!(tasks.iter().all(Task::is_finished));
    });
}

#[test]
fn awaiting_gives_the_value_now_or_later() {
    within(async {
        let later = spawn(async {
            petla::yield_now().await;
            String::from("later")
        });
        let now = spawn(async { vec![1, 2, 3] });
        assert_eq!(later.await.unwrap(), "later");
        assert!(now.is_finished());
        assert_eq!(now.await.unwrap(), [1, 2, 3]);
    });
}

#[test]
fn a_thousand_tasks_that_await_each_other_all_end() {
    within(async {
        let mut last = spawn(async { 0 });
        for _ in 0..1000 {
            last = spawn(async { last.await.unwrap() + 1 });
        }
        assert_eq!(last.await.unwrap(), 1000);
    });
}

#[test]
#[should_panic(expected = "awaited again after it gave its result")]
fn awaiting_again_after_the_result_is_a_clear_panic() {
    within(async {
        let mut task = spawn(async {});
        (&mut task).await.unwrap();
        let _ = (&mut task).await;
    });
}

#[test]
fn ids_are_unique_and_grow() {
    within(async {
        let tasks: Vec<Task<()>> = (0..50).map(|_| spawn(async {})).collect();
        assert!(tasks.windows(2).all(|two| two[0].id() < two[1].id()));
        petla::yield_now().await;
        let later = spawn(async {});
        assert!(
            tasks.iter().all(|task| task.id() < later.id()),
            "slots are used again, ids not"
        );
        assert_eq!(later.id(), later.task_ref().id());
        assert!(current_task().unwrap().id() < tasks[0].id());
    });
}

#[test]
fn a_task_without_a_name_is_called_by_its_number() {
    within(async {
        let task = spawn(async {});
        assert_eq!(task.name(), format!("task-{}", task.id()));
        let named = spawn(async { current_task().unwrap().name() }).named("reader");
        assert_eq!(named.name(), "reader");
        assert_eq!(named.task_ref().name(), "reader");
        assert_eq!(named.await.unwrap(), "reader");
        let owned = spawn(async {}).named(format!("worker {}", 7));
        owned.task_ref().set_name("renamed");
        assert_eq!(owned.name(), "renamed");
    });
}

#[test]
fn the_place_of_spawning_is_the_callers_line() {
    within(async {
        let event_loop = EventLoop::current();
        let here = line!();
        let tasks = [
            spawn(pending::<()>()),
            spawn_eager(pending::<()>()),
            event_loop.spawn(pending::<()>()),
        ];
        for (line, task) in (here + 2..).zip(&tasks) {
            let at = task.task_ref().location();
            assert_eq!((at.file(), at.line()), (file!(), line));
        }
        let shown = format!("{:?}", tasks[0]);
        assert!(shown.contains(&format!("spawn.rs:{}", here + 2)), "{shown}");
        assert!(shown.contains("finished: false"), "{shown}");
    });
}

#[test]
fn a_remote_task_is_placed_where_the_thread_asked_for_it() {
    within(async {
        let handle = petla::LoopHandle::current();
        let line = line!() + 1;
        let remote = handle.spawn(async || current_task().unwrap().location());
        let at = remote.await.unwrap();
        assert_eq!((at.file(), at.line()), (file!(), line));
    });
}

#[test]
fn all_tasks_lists_those_that_have_not_ended_and_no_callback() {
    assert!(all_tasks().is_empty() && current_task().is_none());
    within(async {
        let main = current_task().unwrap();
        assert!(all_tasks() == [main.clone()]);
        let (waits, ends) = (spawn(pending::<()>()), spawn(async {}));
        let seen = Log::new();
        let note = seen.clone();
        EventLoop::current().call_soon(move || note.push((all_tasks(), current_task())));
        assert!(all_tasks() == [main.clone(), waits.task_ref(), ends.task_ref()]);
        petla::yield_now().await;
        assert!(all_tasks() == [main.clone(), waits.task_ref()]);
        assert!(
            seen.take() == [(vec![main.clone(), waits.task_ref()], None)],
            "in the callback"
        );
        waits.cancel(());
        waits.await.unwrap_err();
        assert!(all_tasks() == [main]);
    });
    assert!(all_tasks().is_empty() && current_task().is_none());
}

#[test]
fn the_current_task_is_the_one_whose_code_runs() {
    within(async {
        let main = current_task().unwrap();
        let log = Log::new();
        let tasks: Vec<Task<TaskRef>> = (0..3)
            .map(|_| {
                let log = log.clone();
                spawn(async move {
                    let me = current_task().unwrap();
                    for _ in 0..3 {
                        petla::yield_now().await;
                        log.push(current_task().unwrap() == me);
                    }
                    me
                })
            })
            .collect();
        for task in tasks {
            let me = task.task_ref();
            assert!(task.await.unwrap() == me);
            assert!(current_task().unwrap() == main);
        }
        assert_eq!(log.take(), [true; 9], "steps of three tasks take turns");
    });
}

#[test]
fn a_reference_outlives_its_task_and_its_loop() {
    let (ended, cancelled) = within(async {
        let task = spawn(async {}).named("brief");
        let ended = task.task_ref();
        assert!(!ended.is_finished());
        task.await.unwrap();
        let open = spawn(pending::<()>());
        (ended, open.task_ref())
    });
    assert!(
        ended.is_finished() && cancelled.is_finished(),
        "the loop has ended"
    );
    assert!(!ended.cancel("too late") && !cancelled.cancel("too late"));
    assert_eq!(ended.name(), "brief");
    ended.set_name("still mine to name");
    let shown = ended.to_string();
    assert!(shown.starts_with("still mine to name (spawned at ") && shown.contains("spawn.rs:"));
    assert!(ended != cancelled && ended.clone() == ended);
    assert!(ended.id() < cancelled.id());
}

#[test]
fn a_reference_to_a_task_that_has_ended_says_so() {
    within(async {
        let task = spawn(async { 1 });
        petla::yield_now().await;
        let late = task.task_ref();
        assert!(late.is_finished() && !late.cancel(()));
        assert_eq!(task.await.unwrap(), 1);
    });
}

#[test]
fn flatten_makes_one_result_of_two() {
    within(async {
        let value = spawn(async { io::Result::Ok(5) }).flatten();
        let error = spawn(async { Err::<(), _>(io::Error::other("mine")) }).flatten();
        assert_eq!(value.await.unwrap(), 5);
        assert_eq!(error.await.unwrap_err().to_string(), "mine");

        let cancelled = spawn(pending::<io::Result<()>>());
        cancelled.cancel("no longer needed");
        let error = cancelled.flatten().await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::Other);
        assert_eq!(error.to_string(), "task cancelled: no longer needed");
        assert!(error.get_ref().unwrap().is::<JoinError>());

        let boxed: Task<Result<(), Box<dyn Error + Send + Sync>>> = spawn(async { raise("oh") });
        assert_eq!(
            boxed.flatten().await.unwrap_err().to_string(),
            "task panicked: oh"
        );
    });
}

#[test]
fn a_join_error_says_what_happened_and_why() {
    within(async {
        let task = spawn(pending::<()>());
        let line = line!() + 1;
        task.cancel(String::from("shutting down"));
        let cancelled = task.await.unwrap_err();
        assert!(cancelled.is_cancelled() && !cancelled.is_panic() && !cancelled.is_timeout());
        assert_eq!(cancelled.reason(), Some("shutting down"));
        assert_eq!(cancelled.to_string(), "task cancelled: shutting down");
        let source = cancelled.source().expect("the cancellation").to_string();
        assert_eq!(source, "cancelled: shutting down");
        let JoinError::Cancelled(why) = cancelled else {
            unreachable!()
        };
        assert_eq!(
            (why.location().file(), why.location().line()),
            (file!(), line)
        );
        assert_eq!(why.deadline(), None);
        assert_ne!(io::Error::from(why).kind(), io::ErrorKind::Interrupted);

        let broken: Task<()> = spawn(async { raise("broken") });
        let panicked = broken.await.unwrap_err();
        assert!(panicked.is_panic() && !panicked.is_cancelled());
        assert_eq!(
            (panicked.reason(), panicked.source().is_none()),
            (None, true)
        );
        assert_eq!(panicked.to_string(), "task panicked: broken");
        let JoinError::Panicked(panic) = panicked else {
            unreachable!()
        };
        assert_eq!(panic.message(), Some("broken"));
        assert_eq!(panic_text(|| panic.resume()), "broken");
    });
}

#[test]
fn a_payload_that_is_not_text_comes_back_whole() {
    within(async {
        let task: Task<()> = spawn(async { std::panic::resume_unwind(Box::new(42_u8)) });
        let Err(JoinError::Panicked(panic)) = task.await else {
            unreachable!()
        };
        assert_eq!(
            (panic.message(), format!("{panic:?}").as_str()),
            (None, "Panic(\"(not text)\")")
        );
        assert_eq!(panic.into_payload().downcast_ref::<u8>(), Some(&42));
    });
}

#[test]
fn a_task_that_owns_its_own_handle_ends_and_is_freed() {
    within(async {
        let place: Rc<Cell<Option<Task<()>>>> = Rc::default();
        let own = Rc::clone(&place);
        place.set(Some(spawn(async move {
            petla::yield_now().await;
            drop(own.take().expect("my own handle"));
            petla::yield_now().await;
        })));
        while Rc::strong_count(&place) > 1 {
            petla::yield_now().await;
        }
    });
}

#[test]
fn a_handle_moves_between_tasks_and_wakes_whoever_awaited_it_last() {
    within(async {
        let mut task = spawn(async {
            for _ in 0..5 {
                petla::yield_now().await;
            }
            7
        });
        assert!(poll_once(&mut task).is_pending());
        let carrier = spawn(async move { (poll_once(&mut task).is_pending(), task) });
        let (pending, task) = carrier.await.unwrap();
        assert!(pending);
        assert_eq!(spawn(async { task.await.unwrap() }).await.unwrap(), 7);
    });
}
