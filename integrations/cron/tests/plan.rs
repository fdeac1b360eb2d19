//! What is to be done at a moment: schedules, missed times, clocks that are set, summer time.

use std::time::{Duration, Instant};

use jiff::Timestamp;
use petla_cron::{Missed, Schedule, plan};

const NOON: &str = "2026-11-23T12:00:00Z";

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn schedule(line: &str) -> Schedule {
    Schedule::parse(line, at(NOON)).unwrap()
}

#[track_caller]
fn refusal(line: &str) -> String {
    format!("{:#}", Schedule::parse(line, at(NOON)).unwrap_err())
}

/// The times to run, and how many are left out.
#[track_caller]
fn due(line: &str, missed: Missed, last: &str, now: &str) -> (Vec<String>, usize) {
    let plan = plan(&schedule(line), missed, at(last), at(now)).unwrap();
    assert!(plan.next.timestamp() > plan.settled);
    let times = plan.runs.iter().map(|time| time.timestamp().to_string());
    (times.collect(), plan.left_out)
}

/// The next times after a moment, in their zone.
fn next(line: &str, after: &str, count: usize) -> Vec<String> {
    let schedule = schedule(line);
    let mut last = at(after);
    let times = (0..count).map(|_| {
        let next = schedule.after(last).unwrap();
        last = next.timestamp();
        next.strftime("%F %H:%M %:z").to_string()
    });
    times.collect()
}

#[test]
fn nothing_is_due_between_two_times() {
    let (runs, left_out) = due(
        "*/5 * * * * UTC",
        Missed::Once,
        NOON,
        "2026-11-23T12:04:59.999Z",
    );
    assert_eq!((runs.len(), left_out), (0, 0));
}

#[test]
fn a_time_is_due_when_it_comes_and_not_again() {
    let now = "2026-11-23T12:05:00Z";
    for missed in [Missed::Skip, Missed::Once, Missed::All(3)] {
        let (runs, left_out) = due("*/5 * * * * UTC", missed, NOON, now);
        assert_eq!((runs, left_out), (vec![now.to_owned()], 0));
        let (runs, left_out) = due("*/5 * * * * UTC", missed, now, now);
        assert_eq!((runs.len(), left_out), (0, 0));
    }
}

#[test]
fn a_time_is_on_time_for_a_minute() {
    let line = "5 * * * * UTC";
    let (runs, _) = due(line, Missed::Skip, NOON, "2026-11-23T12:05:59Z");
    assert_eq!(runs, ["2026-11-23T12:05:00Z"]);
    let (runs, left_out) = due(line, Missed::Skip, NOON, "2026-11-23T12:06:00Z");
    assert_eq!((runs.len(), left_out), (0, 1));
}

#[test]
fn missed_times_are_skipped_run_once_or_run_all_up_to_a_bound() {
    let line = "0 * * * * UTC";
    let now = "2026-11-23T20:30:00Z";
    assert_eq!(due(line, Missed::Skip, NOON, now), (vec![], 8));
    let latest = "2026-11-23T20:00:00Z".to_owned();
    assert_eq!(
        due(line, Missed::Once, NOON, now),
        (vec![latest.clone()], 7)
    );
    let (runs, left_out) = due(line, Missed::All(3), NOON, now);
    assert_eq!(runs[0], "2026-11-23T18:00:00Z");
    assert_eq!((runs.last(), left_out), (Some(&latest), 5));
    let (runs, left_out) = due(line, Missed::All(100), NOON, now);
    assert_eq!((runs.len(), left_out), (8, 0));
}

#[test]
fn a_time_that_is_on_time_runs_also_if_others_were_missed() {
    let now = "2026-11-23T20:00:10Z";
    let (runs, left_out) = due("0 * * * * UTC", Missed::Skip, NOON, now);
    assert_eq!(runs, ["2026-11-23T20:00:00Z"]);
    assert_eq!(left_out, 7);
}

#[test]
fn years_of_missed_minutes_are_not_gone_through() {
    let begin = Instant::now();
    for missed in [Missed::Skip, Missed::Once, Missed::All(1000)] {
        let (_, left_out) = due("* * * * * UTC", missed, "1990-01-01T00:00:00Z", NOON);
        assert!(left_out <= 1000);
    }
    assert!(begin.elapsed() < Duration::from_secs(5));
}

#[test]
fn a_clock_that_is_set_back_an_hour_repeats_nothing() {
    let (before, after) = ("2026-11-23T11:00:00Z", "2026-11-23T11:30:00Z");
    for now in [before, after] {
        let plan = plan(
            &schedule("*/10 * * * * UTC"),
            Missed::All(9),
            at(NOON),
            at(now),
        );
        let plan = plan.unwrap();
        assert_eq!((plan.runs.len(), plan.left_out), (0, 0));
        assert_eq!(plan.settled, at(NOON));
        assert_eq!(plan.next.timestamp(), at("2026-11-23T12:10:00Z"));
    }
}

#[test]
fn a_clock_that_was_a_year_ahead_does_not_stop_a_job_for_a_year() {
    let wrong = at("2027-11-23T12:00:00Z");
    let plan = plan(&schedule("*/10 * * * * UTC"), Missed::Once, wrong, at(NOON)).unwrap();
    assert_eq!(plan.settled, at(NOON));
    assert_eq!(plan.next.timestamp(), at("2026-11-23T12:10:00Z"));
}

#[test]
fn a_line_that_never_fires_is_refused() {
    let text = refusal("0 0 30 2 * UTC");
    assert!(text.contains(r#""0 0 30 2 * UTC" never fires"#), "{text}");
    assert!(text.contains("four years"), "{text}");
    let leap = next("0 0 29 2 * UTC", NOON, 1);
    assert_eq!(leap, ["2028-02-29 00:00 +00:00"]);
}

#[test]
fn a_wrong_field_is_named() {
    for (line, field) in [
        ("60 * * * * UTC", r#"the minute "60": "#),
        ("* 24 * * * UTC", r#"the hour "24": "#),
        ("* * 0 * * UTC", r#"the day of month "0": "#),
        ("* * * 13 * UTC", r#"the month "13": "#),
        ("* * * * FRY UTC", r#"the day of week "FRY": "#),
        (
            "* * * * * Mars/Olympus",
            r#"the time zone "Mars/Olympus": "#,
        ),
        ("*/0 * * * * UTC", r#"the minute "*/0": "#),
        ("* 5-3 * * * UTC", r#"the hour "5-3": "#),
    ] {
        let text = refusal(line);
        assert!(
            text.starts_with(field) && text.len() > field.len(),
            "{text}"
        );
        assert!(!text.contains('\n'), "{text}");
    }
    assert!(refusal("* * * * *").contains("has 5 fields"));
}

#[test]
fn a_time_that_summer_time_leaves_out_does_not_come_that_day() {
    let times = next("30 2 * * * Europe/Warsaw", "2026-03-27T12:00:00Z", 3);
    assert_eq!(
        times,
        [
            "2026-03-28 02:30 +01:00",
            "2026-03-30 02:30 +02:00",
            "2026-03-31 02:30 +02:00"
        ]
    );
}

#[test]
fn a_time_that_comes_twice_at_the_end_of_summer_time_is_done_twice() {
    let times = next("30 2 * * * Europe/Warsaw", "2026-10-24T12:00:00Z", 3);
    assert_eq!(
        times,
        [
            "2026-10-25 02:30 +02:00",
            "2026-10-25 02:30 +01:00",
            "2026-10-26 02:30 +01:00"
        ]
    );
}

#[test]
fn every_quarter_of_an_hour_stays_so_when_the_clocks_change() {
    for day in ["2026-03-28T23:00:00Z", "2026-10-24T22:00:00Z"] {
        let schedule = schedule("*/15 * * * * Europe/Warsaw");
        let mut last = at(day);
        for _ in 0..40 {
            let next = schedule.after(last).unwrap().timestamp();
            assert_eq!(next.duration_since(last).as_secs(), 15 * 60);
            last = next;
        }
    }
}

/// If cronexpr learns it, the library's header has a sentence too many.
#[test]
fn the_last_day_of_december_is_not_found() {
    let times = next("0 0 L * * UTC", NOON, 2);
    assert_eq!(
        times,
        ["2026-11-30 00:00 +00:00", "2027-01-31 00:00 +00:00"]
    );
}

#[test]
fn a_policy_is_one_of_three() {
    assert_eq!("skip".parse::<Missed>().unwrap(), Missed::Skip);
    assert_eq!("once".parse::<Missed>().unwrap(), Missed::Once);
    assert_eq!("all:5".parse::<Missed>().unwrap(), Missed::All(5));
    for wrong in ["", "twice", "all", "all:", "all:0", "all:-1", "all:1001"] {
        assert!(wrong.parse::<Missed>().is_err(), "{wrong:?}");
    }
}
