//! Jobs at the times that cron lines name: what the program `petla-cron` is made of, and what
//! another program would begin with that wants its own jobs at such times.
//!
//! - [`Schedule`] is a cron line, and [`plan`] decides, from numbers alone, what is to be done at
//!   one moment: which times have come, which of them were missed and are left out, which is next.
//! - [`crontab`] reads a file of jobs.
//! - [`run`] waits for the times and runs the jobs, in a [`World`] that says what time it is and
//!   what a job does. Tests have another world than the program, on petla's virtual clock.
//!
//! # What happens when
//! - A time is **missed** if its job cannot start within a minute of it: the machine slept, the
//!   program did not run, or the job's last run had not ended. The job's [`Missed`] policy says
//!   what becomes of it.
//! - **A job never runs twice at once.** Times that come during a run wait for its end; by then
//!   they are on time or missed like any others.
//! - **The wall clock** is read once for each decision, and at least once a minute, so that a
//!   clock that was set, or a machine that slept, is noticed. Set back by up to three hours, no
//!   time is done twice; set back by more, it was wrong before, and all begins anew.
//! - **Summer time** is cronexpr's business: a job at 02:30 does not run on the day that has no
//!   02:30, and runs twice on the day that has two.
//! - A run that fails or panics is reported, and the job goes on.
//!
//! # Not here
//! Seconds, `@daily` and other names, users, mail. A last day of the month (`L`, `5L`): cronexpr
//! 1.7 never finds it in December.
#![forbid(unsafe_code)]

pub mod crontab;
mod jobs;
mod plan;
mod schedule;

pub use crontab::Job;
pub use jobs::{News, World, run};
pub use plan::{Missed, ON_TIME, Plan, plan};
pub use schedule::Schedule;
