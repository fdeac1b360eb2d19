//! A queue of jobs on Redis Streams: many producers, many workers, on as many machines as reach
//! one Redis.
//!
//! A producer has a [`Queue`], [`enqueue`](Queue::enqueue)s jobs and waits for their
//! [`outcomes`](Queue::outcomes). A worker gives [`work`] a function that does a job. What is
//! promised to both:
//!
//! - **No job is lost.** It stays in Redis until its outcome is there; both change in one step, a
//!   script. A worker that dies, or is cut off, holds its jobs until [`Settings::min_idle`] is
//!   over, then another takes them over. While a job runs its worker says so, however long it
//!   takes.
//! - **A job may be done more than once**: in whole or in part by a worker that died, then by
//!   another. Write jobs so that this does no harm. Only one outcome is stored.
//! - **A job that fails is tried again**, later each time, up to [`Settings::attempts`] times; so
//!   is one whose worker died of it. Then it goes to a stream of *dead letters* with the error,
//!   and its outcome is that error. So does a message that is no job.
//! - **Outcomes expire** after [`Settings::keep`].
//! - **Redis may restart**: both sides connect again. What it had not yet written to disk by then
//!   is its own setting, `appendfsync`.
//!
//! # Keys
//! | key | what | holds |
//! | --- | --- | --- |
//! | `<name>:jobs` | a stream with the group `workers` | jobs that wait, and that are worked on |
//! | `<name>:retry` | a sorted set, by time | jobs that failed and wait to be tried again |
//! | `<name>:dead` | a stream, the latest ten thousand | dead letters |
//! | `<name>:outcome:<id>` | a stream of one entry, with an expiry | what became of a job |
//!
//! An outcome is a stream and not a string because a client can wait for many streams at once
//! (`XREAD BLOCK`), and reading does not take it away.
//!
//! # Not here
//! Priorities (make two queues), jobs at a time of day (see `petla-cron`), Redis Cluster, TLS,
//! forgetting the names of workers that are gone (`XGROUP DELCONSUMER` also forgets their jobs).
#![forbid(unsafe_code)]

mod link;
mod queue;
mod scripts;
mod work;

pub use queue::{Delivery, Job, Outcome, Queue, Settings};
pub use work::work;
