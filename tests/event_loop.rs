//! The loop itself: runs and their ends, callbacks, descriptors, other threads, fairness.
//!
//! The rules are asyncio's where it has any: what is ready when a batch begins makes up that
//! batch, `stop` lets the batch finish, `close` works once and harms nobody twice.
//!
//! The behaviours of asyncio's own tests of its loop, by their numbers (E), and its bugs (B):
//!
//! | number | file | test |
//! | --- | --- | --- |
//! | E1 | `fairness` | `callbacks_that_schedule_themselves_starve_neither_descriptors_nor_timers` |
//! | E2 | `runs` | `stop_before_a_run_allows_one_batch_and_one_look_that_does_not_wait` |
//! | E3 | `callbacks` | `a_hundred_thousand_cancelled_timers_leave_nothing_behind` |
//! | E4 | `debug` | `short_sleeps_do_not_spin` |
//! | E5 | `threads` | `a_loop_that_sleeps_is_woken_by_every_kind_of_call` |
//! | E5 | `remote` | `a_remote_task_cancelled_while_it_waits_is_dropped_on_its_loop` |
//! | E6 | `runs` | `closing_is_idempotent_and_refused_inside_a_run` |
//! | E7 | `scope/closing` | `what_is_left_is_cancelled_and_its_panics_are_reported` |
//! | E8 | `interrupt/one` | `the_first_sigint_drops_main_and_the_run_says_so` |
//! | E8 | `interrupt/one` | `a_main_task_that_was_cancelled_before_stays_cancelled` |
//! | E8 | `interrupt/two` | `the_second_ends_the_run_between_two_polls` |
//! | E9 | `handler` | `a_handler_that_panics_is_bypassed_and_asked_again_next_time` |
//! | E10 | `debug` | `a_poll_that_takes_long_is_told_with_its_task_in_debug_mode_alone` |
//! | E11 to E13 | in `server.rs` |
//! | E14 | `net` | `a_read_that_is_given_up_takes_nothing_from_the_next_one` |
//! | E15 | `processes` | |
//! | B60 | `debug` | `short_sleeps_do_not_spin` |
//! | B61 | `callbacks` | `a_hundred_thousand_cancelled_timers_leave_nothing_behind` |
//! | B62 | `readers` | `a_reader_that_stops_the_loop_is_called_once` |
//! | B63 | `net` | `a_read_that_is_given_up_takes_nothing_from_the_next_one` |
//! | B64 | `net` | `an_accept_that_is_given_up_loses_no_connection` |
//! | B65 | `net_trouble` | `a_number_that_is_used_again_gets_its_own_events` |
//! | B66 | `connect` | `a_large_write_right_after_the_connect_arrives` |
//! | B67 | `threads` | `calls_race_with_the_close_and_are_made_or_dropped_but_never_lost` |
//! | B67 | `threads` | `a_loop_that_sleeps_is_woken_by_every_kind_of_call` |
//! | B68 to B74 | in `server.rs` |
//! | B75 | `connect` | `two_attempts_that_succeed_at_once_have_one_winner` |
//! | B76 | `processes/ends` | `a_wait_does_not_wait_for_pipes_that_others_inherited` |
//! | B76 | `processes/signals` | `a_kill_that_races_with_the_end_is_no_error` |

mod common;

#[path = "event_loop/callbacks.rs"]
mod callbacks;
#[path = "event_loop/closing.rs"]
mod closing;
#[path = "event_loop/debug.rs"]
mod debug;
#[path = "event_loop/fairness.rs"]
mod fairness;
#[path = "event_loop/handler.rs"]
mod handler;
#[path = "event_loop/many.rs"]
mod many;
#[path = "event_loop/readers.rs"]
mod readers;
#[path = "event_loop/remote.rs"]
mod remote;
#[path = "event_loop/runs.rs"]
mod runs;
#[path = "event_loop/threads.rs"]
mod threads;

#[test]
fn every_number_of_the_list_has_a_test() {
    common::numbers::are_accounted_for("event_loop", &[('E', 1..=15), ('B', 60..=76)]);
}
