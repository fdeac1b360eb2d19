//! The loop itself: runs and their ends, callbacks, descriptors, other threads, fairness.
//!
//! The rules are asyncio's where it has any: what is ready when a batch begins makes up that
//! batch, `stop` lets the batch finish, `close` works once and harms nobody twice.
//!
//! The behaviours of asyncio's own tests of its loop, by their numbers:
//!
//! | number | file | test |
//! | --- | --- | --- |
//! | E1 | `fairness` | `callbacks_that_schedule_themselves_starve_neither_descriptors_nor_timers` |
//! | E2 | `runs` | `stop_before_a_run_allows_one_batch_and_one_look_that_does_not_wait` |
//! | E3 | `callbacks` | `a_hundred_thousand_cancelled_timers_leave_nothing_behind` |
//! | E4 | `debug` | `short_sleeps_do_not_spin` |
//! | E5 | `threads` | `a_loop_that_sleeps_is_woken_by_every_kind_of_call` |
//! | E6 | `runs` | `closing_is_idempotent_and_refused_inside_a_run` |
//! | E7, E8 | `../scope`, `../interrupt` | |
//! | E9 | `handler` | `a_handler_that_panics_is_bypassed_and_asked_again_next_time` |
//! | E10 | `debug` | `a_poll_that_takes_long_is_told_with_its_task_in_debug_mode_alone` |

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
