//! Tasks as a program sees them: spawned, awaited, cancelled, dropped, and in trouble.
//!
//! One file a subject. The orders in which polls, wakes, cancels, drops and panics can follow
//! each other are tried exhaustively in `tasks_order.rs`.

mod common;

#[path = "tasks/cancel.rs"]
mod cancel;
#[path = "tasks/context.rs"]
mod context;
#[path = "tasks/eager.rs"]
mod eager;
#[path = "tasks/handle.rs"]
mod handle;
#[path = "tasks/layout.rs"]
mod layout;
#[path = "tasks/panics.rs"]
mod panics;
#[path = "tasks/reports.rs"]
mod reports;
#[path = "tasks/spawn.rs"]
mod spawn;
#[path = "tasks/wakers.rs"]
mod wakers;
