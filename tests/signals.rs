//! Signals as streams, callbacks and `ctrl_c`: who is told, and what becomes of the process's own
//! actions.
//!
//! Each test has a process of its own, as signals and their actions belong to the whole process.
//! A task that raises a signal has it handled before `raise` returns, so no test waits for one.

mod common;

#[path = "signals/callbacks.rs"]
mod callbacks;
#[path = "signals/others.rs"]
mod others;
#[path = "interrupt/send.rs"]
#[allow(
    dead_code,
    unused_imports,
    reason = "each test program uses its own part"
)]
mod send;
#[path = "signals/streams.rs"]
mod streams;
#[path = "signals/threads.rs"]
mod threads;
