//! The loop itself: runs and their ends, callbacks, descriptors, other threads, fairness.
//!
//! The rules are asyncio's where it has any: what is ready when a batch begins makes up that
//! batch, `stop` lets the batch finish, `close` works once and harms nobody twice.

mod common;

#[path = "event_loop/callbacks.rs"]
mod callbacks;
#[path = "event_loop/closing.rs"]
mod closing;
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
