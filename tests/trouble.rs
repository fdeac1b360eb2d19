//! Trouble that is not about sockets: no loop, too many tasks, threads that die, forks, the end.
//!
//! Each gets a clear error or goes on; nothing is lost, nothing hangs, nothing aborts. What could
//! take the process down is tried in a process of its own.

mod common;

#[path = "trouble/cycles.rs"]
mod cycles;
#[path = "trouble/exit.rs"]
mod exit;
#[path = "trouble/fork.rs"]
mod fork;
#[path = "trouble/limits.rs"]
mod limits;
#[path = "trouble/outside.rs"]
mod outside;
