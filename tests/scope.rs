//! Cancel scopes, shields and limits of time by their public API: what the documentation of
//! `petla::scope` promises, what asyncio got wrong before, and what must not break them.
//!
//! Nearly all on the automatic virtual clock, so times are exact. A comment before or in a test
//! names what it is about: one of asyncio's historical bugs (B) or of the behaviours that its own
//! tests name (T: timeouts, K: tasks, W: waiting, E: the loop).
//!
//! | what | where |
//! | --- | --- |
//! | B25 to B30, B42, B46, T1 to T6, T8 to T10, W15: limits | `limits` |
//! | T7 and all of deadlines that move | `deadlines` |
//! | B32 to B34, B40, B48, K1, K3, K12: who is cancelled, and when not | `cancels` |
//! | the table "who drops what", row by row | `drops` |
//! | order, limits, panics of clean-ups | `cleanups` |
//! | E7 and the end of a loop | `closing` |
//! | B58, W7, W15, W16: shields | `shields` |
//! | several tasks, combinators, foreign executors, no loop at all | `elsewhere` |
//! | panics, wakers that come back, leaks, loops in loops | `trouble` |
//!
//! What other programs prove:
//!
//! | number | file | test |
//! | --- | --- | --- |
//! | K5 | `tasks/handle.rs` | `awaited_by_a_task_that_is_cancelled_it_is_cancelled_too` |
//! | K6 | `tasks/handle.rs` | `a_task_that_awaits_itself_panics_and_says_who_and_where` |
//! | K6 | `event_loop/many.rs` | `a_task_of_one_loop_is_awaited_in_another_on_the_same_thread` |
//! | K7 | `tasks/spawn.rs` | `the_current_task_is_the_one_whose_code_runs` |
//! | K8 | `tasks/context.rs` | `a_task_sees_changes_of_its_own_only` |
//! | K8 | `tasks/context.rs` | `an_eager_step_has_its_own_copy` |
//! | K9 | `tasks/spawn.rs` | `a_task_without_a_name_is_called_by_its_number` |
//! | K10 | `tasks/reports.rs` | `a_panic_is_reported_once_when_the_handle_went_first` |
//! | K11 | `tasks/reports.rs` | `a_cancelled_task_is_no_news` |
//! | K11 | `scope/closing.rs` | `what_is_left_is_cancelled_and_its_panics_are_reported` |
//! | K12 | `tasks/eager.rs` | `a_task_that_is_ready_at_once_has_ended_when_spawn_eager_returns` |
//! | K12 | `tasks/eager` | `an_eager_task_that_waits_can_be_cancelled_and_dropped_like_any_other` |
//! | K12 | `tasks/eager.rs` | `an_eager_task_is_in_all_tasks_during_its_first_step` |
//! | K12 | `tasks/eager.rs` | `eager_steps_nest_64_deep_and_then_wait_for_their_turn` |
//! | E8 | `interrupt/two.rs` | `the_second_ends_the_run_between_two_polls` |
//!
//! What cannot be written in Rust, where a cancel drops a future and throws nothing:
//!
//! | number | because |
//! | --- | --- |
//! | B31 | there is no class of errors to derive from: a cancel is no exception |
//! | B35 | there is no uncancel: nothing withdraws a cancel |
//! | K2 | nothing can be caught |
//! | K4 | there is no count of requests |
//!
//! # Not here
//! Groups. What must not compile: `compile_fail.rs`. Random trees: `scope_properties.rs`.

mod common;

#[path = "scope/cancels.rs"]
mod cancels;
#[path = "scope/cleanups.rs"]
mod cleanups;
#[path = "scope/closing.rs"]
mod closing;
#[path = "scope/deadlines.rs"]
mod deadlines;
#[path = "scope/drops.rs"]
mod drops;
#[path = "scope/elsewhere.rs"]
mod elsewhere;
#[path = "scope/kept.rs"]
mod kept;
#[path = "scope/limits.rs"]
mod limits;
#[path = "scope/shields.rs"]
mod shields;
#[path = "scope/trouble.rs"]
mod trouble;

use std::time::{Duration, Instant};

use petla::{now, sleep};

use common::Log;

/// So many milliseconds.
fn ms(count: u64) -> Duration {
    Duration::from_millis(count)
}

/// What happened, and how many milliseconds after the beginning.
#[derive(Clone)]
struct Story {
    begin: Instant,
    log: Log<String>,
}

impl Story {
    fn new() -> Self {
        Story {
            begin: now(),
            log: Log::new(),
        }
    }

    fn elapsed(&self) -> u128 {
        now().saturating_duration_since(self.begin).as_millis()
    }

    fn note(&self, what: &str) {
        self.log.push(format!("{} {what}", self.elapsed()));
    }

    /// Notes `what` when `after` has passed.
    async fn note_after(&self, after: Duration, what: &str) {
        sleep(after).await;
        self.note(what);
    }

    #[track_caller]
    fn is(&self, expected: &[&str]) {
        assert_eq!(self.log.take(), expected);
    }
}

#[test]
fn every_number_of_the_list_has_a_test_or_a_reason() {
    let bugs = [25..=35, 40..=40, 42..=42, 46..=46, 48..=48, 58..=58];
    let waits = [7..=7, 15..=16];
    let mut numbers = vec![('T', 1..=10), ('K', 1..=12), ('E', 7..=8)];
    numbers.extend(bugs.map(|range| ('B', range)));
    numbers.extend(waits.map(|range| ('W', range)));
    common::numbers::are_accounted_for("scope", &numbers);
}
