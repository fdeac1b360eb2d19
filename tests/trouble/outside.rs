//! Where there is no loop: every entry point says what it needs, or gives an empty answer.

use std::future::pending;
use std::pin::pin;
use std::thread;
use std::time::Duration;

use petla::{EventLoop, LoopHandle, all_tasks, current_task, spawn, spawn_eager};

use crate::common::{Drops, panic_text, poll_once, within};

const MILLI: Duration = Duration::from_millis(1);

#[test]
fn entry_points_that_need_a_loop_say_so_and_where_they_were_called() {
    let line = line!();
    type Call = Box<dyn FnOnce()>;
    let calls: [(&str, Call); 4] = [
        ("spawn()", Box::new(|| drop(spawn(async {})))),
        ("spawn_eager()", Box::new(|| drop(spawn_eager(async {})))),
        (
            "LoopHandle::current()",
            Box::new(|| _ = LoopHandle::current()),
        ),
        (
            "sleep()",
            Box::new(|| _ = poll_once(&mut petla::sleep(MILLI))),
        ),
    ];
    for (name, call) in calls {
        let text = panic_text(call);
        let begin = format!("{name} needs a running event loop on this thread (");
        assert!(text.starts_with(&begin), "{text}");
        assert!(
            text.ends_with("): call it inside `petla::run(..)`"),
            "{text}"
        );
        if name != "sleep()" {
            let place = text[begin.len()..].split(')').next().unwrap();
            let mut place = place.split(':');
            assert_eq!(place.next(), Some(file!()), "{text}");
            let at: u32 = place.next().unwrap().parse().unwrap();
            assert!((line..line + 20).contains(&at), "{text}");
        }
    }
}

#[test]
fn the_current_loop_outside_of_one_is_a_clear_panic() {
    let text = panic_text(EventLoop::current);
    assert_eq!(
        text,
        "no event loop runs on this thread: call this inside `petla::run(..)`"
    );
    assert!(EventLoop::try_current().is_none());
}

#[test]
fn waiting_for_time_outside_of_a_loop_is_a_clear_panic() {
    let mut limited = pin!(petla::timeout(MILLI, pending::<()>()));
    let mut ticks = petla::interval(Duration::from_secs(3600));
    assert!(
        poll_once(&mut ticks.tick()).is_ready(),
        "the first tick does not wait"
    );
    for text in [
        panic_text(|| poll_once(&mut limited)),
        panic_text(|| poll_once(&mut ticks.tick())),
    ] {
        assert!(
            text.contains("needs a running event loop on this thread"),
            "{text}"
        );
    }
}

#[test]
fn asking_who_runs_outside_of_a_loop_gives_nobody() {
    assert!(current_task().is_none() && all_tasks().is_empty());
}

#[test]
fn what_was_to_be_spawned_outside_of_a_loop_is_dropped() {
    let drops = Drops::default();
    let guard = drops.guard();
    panic_text(move || drop(spawn(async move { drop(guard) })));
    assert_eq!(drops.count(), 1);
}

#[test]
fn a_thread_of_a_program_with_a_loop_has_none_itself() {
    within(async {
        let handle = LoopHandle::current();
        let other = thread::spawn(move || {
            let text = panic_text(|| spawn(async {}));
            assert!(text.contains("on this thread"), "{text}");
            handle.call_soon_threadsafe(|| ()).is_ok()
        });
        assert!(other.join().unwrap(), "a handle is the way");
        assert!(EventLoop::try_current().is_some());
    });
}

#[test]
fn between_two_runs_there_is_no_current_loop() {
    let event_loop = EventLoop::new().unwrap();
    event_loop.run_until_complete(async {}).unwrap();
    assert!(panic_text(|| spawn(async {})).contains("spawn() needs"));
    let task = event_loop.spawn(async { 1 });
    assert_eq!(event_loop.run_until_complete(task).unwrap().unwrap(), 1);
}

#[test]
fn a_loop_whose_run_panicked_leaves_no_current_loop_behind() {
    let text = panic_text(|| petla::run(async { panic!("on purpose") }));
    assert_eq!(text, "on purpose");
    assert!(EventLoop::try_current().is_none() && current_task().is_none());
    assert!(panic_text(|| spawn(async {})).contains("spawn() needs"));
    assert_eq!(within(async { spawn(async { 2 }).await.unwrap() }), 2);
}
