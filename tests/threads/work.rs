//! What work is given, where it runs, and what comes of it.

use std::future::IntoFuture;
use std::io;
use std::panic::panic_any;
use std::thread;

use petla::{ContextVar, JoinError, gather, shield, spawn, to_thread, yield_now};

use super::gate;
use crate::common::{block_on, raise, within, within_io};

static NAME: ContextVar<String> = ContextVar::new(|| "nobody".to_owned());

/// What `f` comes to on a thread.
async fn there<T: Send + 'static>(f: impl FnOnce() -> T + Send + 'static) -> T {
    to_thread(f).await.expect("it does not panic")
}

#[test]
fn work_runs_on_a_named_thread_of_its_own_while_tasks_go_on() {
    within(async {
        let (held, gate) = gate();
        let work = spawn(to_thread(move || {
            gate.pass();
            thread::current().name().map(str::to_owned)
        }));
        held.reached().await;
        for _ in 0..100 {
            yield_now().await;
        }
        held.open();
        let name = work.await.unwrap().unwrap().expect("it has a name");
        assert!(name.starts_with("petla-worker-"), "{name}");
    });
}

#[test]
fn nothing_begins_before_the_first_poll() {
    within(async {
        let (held, gate) = gate();
        let work = to_thread(move || gate.pass());
        for _ in 0..100 {
            yield_now().await;
        }
        held.open();
        assert!(!held.is_reached());
        drop(work);
        assert!(held.begun.recv().is_err(), "it went with its future");
    });
}

#[test]
fn errors_of_work_are_values_inside_of_errors_of_the_thread() {
    within_io(async {
        let missing = to_thread(|| std::fs::read("/nowhere/at/all")).await?;
        assert_eq!(missing.unwrap_err().kind(), io::ErrorKind::NotFound);
        Ok(())
    });
}

#[test]
fn a_panic_comes_back_with_its_payload_and_its_thread_works_on() {
    within(async {
        let text = to_thread(|| raise("on purpose")).await;
        let Err(JoinError::Panicked(panic)) = text else {
            panic!("{text:?}")
        };
        assert_eq!(panic.message(), Some("on purpose"));
        let number: Result<(), _> = to_thread(|| panic_any(7)).await;
        let Err(JoinError::Panicked(panic)) = number else {
            panic!("{number:?}")
        };
        assert_eq!(panic.into_payload().downcast_ref(), Some(&7));
        assert_eq!(there(|| 5).await, 5);
    });
}

#[test]
fn a_result_that_panics_when_it_is_dropped_harms_its_owner_alone() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            raise("dropped");
        }
    }
    within(async {
        let (held, gate) = gate();
        let mut work = Box::pin(to_thread(move || {
            gate.pass();
            Bomb
        }));
        assert!(crate::common::poll_once(&mut work).is_pending());
        held.reached().await;
        drop(work);
        held.open();
        let bomb = Bomb;
        let in_captures = to_thread(move || drop(bomb)).await;
        assert!(in_captures.unwrap_err().is_panic());
        assert_eq!(there(|| 5).await, 5);
    });
}

#[test]
fn the_variables_of_the_task_go_along_and_what_work_sets_stays_with_it() {
    within(async {
        assert_eq!(there(|| NAME.get()).await, "nobody");
        NAME.set("ada".to_owned());
        let work = to_thread(|| {
            let before = NAME.get();
            NAME.set("bob".to_owned());
            (before, NAME.get())
        });
        let seen = work.await.unwrap();
        assert_eq!(seen, ("ada".to_owned(), "bob".to_owned()));
        assert_eq!(NAME.get(), "ada");
        let inside = NAME.scope("eve".to_owned(), to_thread(|| NAME.get()));
        assert_eq!(inside.await.unwrap(), "eve");
        let child = spawn(async { there(|| NAME.get()).await });
        assert_eq!(child.await.unwrap(), "ada");
    });
    // The next work on the same threads finds nothing of that.
    within(async { assert_eq!(there(|| NAME.get()).await, "nobody") });
}

/// asyncio copies the context when `to_thread` first runs.
#[test]
fn variables_are_those_of_the_first_poll() {
    within(async {
        NAME.set("ada".to_owned());
        let work = to_thread(|| NAME.get());
        NAME.set("bob".to_owned());
        assert_eq!(work.await.unwrap(), "bob");
    });
}

#[test]
fn a_shielded_wait_sees_the_result_though_its_task_was_cancelled() {
    within(async {
        let (held, gate) = gate();
        let work = to_thread(move || {
            gate.pass();
            7
        });
        let task = spawn(shield(work));
        held.reached().await;
        task.cancel("enough");
        yield_now().await;
        assert!(!task.is_finished());
        held.open();
        assert_eq!(task.await.unwrap().unwrap(), 7);
    });
}

#[test]
fn any_executor_will_do() {
    let sum = block_on(async {
        let parts = (0..50).map(|number| to_thread(move || number));
        let mut sum = 0;
        for part in parts {
            sum += part.into_future().await.unwrap();
        }
        sum
    });
    assert_eq!(sum, 1225);
}

#[test]
fn a_thousand_at_once_all_come_back_in_their_places() {
    within(async {
        let work = (0..1_000).map(|number| to_thread(move || number));
        let numbers: Vec<_> = gather(work).await.into_iter().map(Result::unwrap).collect();
        assert!(numbers.into_iter().eq(0..1_000));
    });
}

#[test]
fn the_future_may_be_sent_and_shared_if_its_work_may() {
    fn is_send_and_sync<T: Send + Sync>(_: &T) {}
    fn is_send<T: Send>(_: &T) {}
    is_send_and_sync(&to_thread(|| vec![1]));
    let inside = std::cell::Cell::new(1);
    is_send(&to_thread(move || inside));
}

#[test]
#[should_panic(expected = "awaited again after it gave its result")]
fn a_second_await_of_a_result_is_a_mistake() {
    within(async {
        let mut work = Box::pin(to_thread(|| 1));
        assert_eq!((&mut work).await.unwrap(), 1);
        let _ = work.await;
    });
}
