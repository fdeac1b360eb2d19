//! What a loop reports is an event, which replaces the line on stderr but not the handler.

use std::time::{Duration, Instant};

use petla::{EventLoop, spawn, yield_now};

use crate::common::{alone, collect_reports, raise, text};
use crate::recorder::Recorder;

async fn settle() {
    for _ in 0..5 {
        yield_now().await;
    }
}

fn reports(lines: &[String]) -> Vec<&str> {
    let lines = lines.iter().map(String::as_str);
    let is_report =
        |line: &&str| line.starts_with("ERROR petla ") || line.starts_with("WARN petla ");
    lines.filter(is_report).collect()
}

#[test]
fn an_unseen_error_and_an_unseen_panic_are_errors_with_their_task() {
    let (lines, line) = Recorder::of(async {
        let line = line!() + 1;
        spawn(async { Err::<(), _>("no disk") })
            .named("writer")
            .detach();
        spawn(async { raise("on purpose") })
            .named("broken")
            .detach();
        settle().await;
        line
    });
    let [error, panic] = reports(&lines)[..] else {
        panic!("{lines:#?}");
    };
    let begins = "ERROR petla in nothing: message=a detached task failed error=no disk \
                  task.id=2 task.name=writer loc.file=";
    assert!(error.starts_with(begins), "{error}");
    assert!(
        error.contains(&format!("reports.rs loc.line={line} loc.col=")),
        "{error}"
    );
    assert!(
        panic.contains("message=a task panicked and nobody awaited it"),
        "{panic}"
    );
    assert!(
        panic.contains("error=panicked: on purpose task.id=3 task.name=broken"),
        "{panic}"
    );
}

#[test]
fn a_slow_poll_is_a_warning_in_debug_mode() {
    let event_loop = EventLoop::builder().debug(true).build().unwrap();
    event_loop.set_slow_callback_duration(Duration::from_millis(2));
    let (lines, ()) = Recorder::on(&event_loop, async {
        let work = async {
            let begun = Instant::now();
            while begun.elapsed() < Duration::from_millis(3) {}
        };
        spawn(work).named("hog").await.unwrap();
    });
    let told = reports(&lines);
    let slow = told
        .iter()
        .find(|report| report.contains("task.name=hog loc.file="));
    let begins = "WARN petla in nothing: message=a task held up the loop for";
    assert!(
        slow.is_some_and(|slow| slow.starts_with(begins)),
        "{told:#?}"
    );
}

#[test]
fn the_handler_is_called_as_well() {
    let (lines, told) = Recorder::of(async {
        let told = collect_reports();
        spawn(async { Err::<(), _>("no disk") }).detach();
        settle().await;
        told.take()
    });
    assert_eq!((reports(&lines).len(), told.len()), (1, 1));
}

#[test]
fn stderr_gets_what_no_subscriber_takes_and_nothing_else() {
    let fail = || async {
        spawn(async { Err::<(), _>("no disk") }).detach();
        settle().await;
    };
    let run = || {
        Recorder::of(fail());
        eprintln!("between");
        petla::run(fail());
    };
    let Some(output) = alone(run) else { return };
    let stderr = text(&output.stderr);
    let (taken, untaken) = stderr.split_once("between").expect("it ran");
    assert_eq!(taken.matches("no disk").count(), 0, "{stderr}");
    assert_eq!(untaken.matches("no disk").count(), 1, "{stderr}");
}
