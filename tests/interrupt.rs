//! SIGINT and SIGTERM: what a run does of them, and what it leaves of the process's own.
//!
//! Each test has a process of its own, as signals and their actions belong to the whole process.
//! A task that raises a signal has it handled before `raise` returns, so no test waits for one.
//!
//! E8: once and after a cancel is `one`, twice is `two`.

mod common;

#[path = "interrupt/actions.rs"]
mod actions;
#[path = "interrupt/fork.rs"]
mod fork;
#[path = "interrupt/one.rs"]
mod one;
#[path = "interrupt/send.rs"]
mod send;
#[path = "interrupt/shutdown.rs"]
mod shutdown;
#[path = "interrupt/threads.rs"]
mod threads;
#[path = "interrupt/two.rs"]
mod two;
