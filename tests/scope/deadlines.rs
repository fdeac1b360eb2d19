//! Deadlines: set before, moved while the body runs, from inside and outside, and when it is over.

use std::future::pending;

use petla::{CancelScope, move_on_after, now, sleep, spawn, testing, yield_now};
use std::time::Duration;

use crate::common::hand::hand;
use crate::common::panic_text;
use crate::{Story, ms};

#[test]
fn a_limit_counts_from_the_moment_the_body_starts() {
    testing::run(async {
        let scope = CancelScope::new().timeout(ms(5));
        assert_eq!(scope.deadline(), None);
        let run = scope.run(async |_| sleep(ms(9)).await);
        sleep(ms(100)).await;
        let begin = now();
        let cause = run.await.unwrap_err();
        assert_eq!(now() - begin, ms(5));
        assert_eq!(cause.deadline(), Some(begin + ms(5)));
        assert_eq!(scope.deadline(), cause.deadline());
    });
}

#[test]
fn the_cause_names_the_line_of_the_run() {
    testing::run(async {
        let scope = CancelScope::new().timeout(ms(1));
        let (run, line) = (scope.run(async |_| pending::<()>().await), line!());
        let at = run.await.unwrap_err().location();
        assert_eq!((at.file(), at.line()), (file!(), line));
        let error = std::io::Error::from(scope.cause().unwrap());
        assert_eq!(error.kind(), std::io::ErrorKind::TimedOut);
    });
}

#[test]
fn a_deadline_is_moved_from_outside() {
    testing::run(async {
        for (to, end) in [
            (Some(ms(20)), 20),
            (None, 100),
            (Some(ms(3)), 3),
            (Some(ms(0)), 2),
        ] {
            let begin = now();
            let scope = CancelScope::new().timeout(ms(10));
            let remote = scope.clone();
            let mover = spawn(async move {
                sleep(ms(2)).await;
                remote.set_deadline(to.map(|to| begin + to));
            });
            let result = scope.run(async |_| sleep(ms(100)).await).await;
            assert_eq!((now() - begin).as_millis(), end);
            assert_eq!(result.is_err(), to.is_some());
            mover.await.unwrap();
        }
    });
}

#[test]
fn a_deadline_that_is_moved_again_and_again_never_passes() {
    testing::run(async {
        let steps = move_on_after(ms(2), async |s| {
            for _ in 0..1000 {
                s.set_deadline(now() + ms(2));
                sleep(ms(1)).await;
            }
            1000
        });
        assert_eq!(steps.await, Some(1000));
    });
}

#[test]
fn a_moment_in_the_past_set_inside_ends_the_body_at_its_next_wait() {
    testing::run(async {
        let story = Story::new();
        let scope = CancelScope::new();
        let result = scope.run(async |s| {
            sleep(ms(5)).await;
            s.set_deadline(story.begin);
            story.note("goes on to its next wait");
            yield_now().await;
            unreachable!("the deadline has passed")
        });
        let cause = result.await.map(|(): ()| ()).unwrap_err();
        assert_eq!(cause.deadline(), Some(story.begin));
        story.is(&["5 goes on to its next wait"]);
    });
}

#[test]
fn a_deadline_set_before_the_start_takes_the_place_of_the_limit() {
    testing::run(async {
        let story = Story::new();
        let scope = CancelScope::new().timeout(ms(5));
        scope.set_deadline(now() + ms(50));
        assert!(scope.run(async |_| pending::<()>().await).await.is_err());
        assert_eq!(story.elapsed(), 50);
        let scope = CancelScope::new().timeout(ms(5));
        scope.set_deadline(None);
        assert!(scope.run(async |_| sleep(ms(9)).await).await.is_ok());
    });
}

#[test]
fn a_deadline_is_no_more_than_a_number_when_it_is_over() {
    // T7
    testing::run(async {
        let story = Story::new();
        let scope = CancelScope::new().timeout(ms(5));
        scope.run(async |_| ()).await.unwrap();
        scope.set_deadline(story.begin);
        assert_eq!(scope.deadline(), Some(story.begin));
        assert!(scope.cause().is_none());
        let scope = CancelScope::new();
        let result = scope.run(async |s| {
            s.cancel("first");
            s.set_deadline(story.begin);
            yield_now().await;
        });
        assert_eq!(result.await.unwrap_err().reason(), Some("first"));
        scope.set_deadline(now() + ms(5));
        assert_eq!(scope.cause().unwrap().reason(), Some("first"));
    });
}

#[test]
fn a_deadline_does_not_strike_once_the_body_has_given_its_value() {
    testing::run(async {
        let story = Story::new();
        let scope = CancelScope::new().timeout(ms(5));
        let run = scope.run(async |s| {
            s.finally(story.note_after(ms(20), "cleaned up"));
            7
        });
        assert_eq!(run.await.unwrap(), 7);
        assert!(scope.cause().is_none());
        story.is(&["20 cleaned up"]);
    });
}

#[test]
fn a_scope_is_for_one_run() {
    // T7: entered twice, at once or later.
    testing::run(async {
        let scope = CancelScope::new();
        let mut first = hand(scope.run(async |_| pending::<()>().await));
        first.waits();
        let text = panic_text(|| hand(scope.run(async |_| ())).poll());
        assert!(text.contains("a CancelScope is for one run"), "{text}");
        scope.cancel("still the first");
        assert_eq!(first.ready().unwrap_err().reason(), Some("still the first"));
    });
}

#[test]
fn the_longest_limit_is_none_at_all() {
    testing::run(async {
        let scope = CancelScope::new().timeout(Duration::MAX);
        let scope = scope.cleanup_limit(Duration::MAX);
        scope
            .run(async |s| {
                s.finally(sleep(ms(1)));
                sleep(ms(1)).await;
            })
            .await
            .unwrap();
        assert_eq!(scope.deadline(), None);
    });
}
