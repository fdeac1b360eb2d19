//! Tasks: a future, its result and its bookkeeping in one allocation.
//!
//! A task has two owners, the loop and the handle ([`Task`]), both on one thread. Each lets go
//! once; the later one frees the cell. Because wakers are integers that own nothing
//! (`token`), there is no third kind of reference, no count and no atomic.
//!
//! ```text
//!             ┌─ poll: Ready ──────► done, value ──┐
//!   spawn ──► running ─ poll: panic ► done, failed ─┼─ handle polled ──► done, taken
//!             └─ cancel, next turn ► done, failed ─┘
//!   the loop lets go on the way into `done`, the handle whenever it is dropped
//! ```
//!
//! | who | may touch | when |
//! | --- | --- | --- |
//! | the loop | the future | until done; never while another poll of it is under way |
//! | the handle | the output, the failure | once done |
//! | a [`TaskRef`] | name, id, place; can ask for a cancel | always: it has its own record |
//!
//! A cancel is a request: a flag and a wake. The loop drops the future at its next chance, in a
//! place where no other user code of that task is on the stack. A value that a poll returns
//! after the request is kept: cancelled means that it did not happen, and it did.
//!
//! # Not here
//! Slots and the ready ring (`run_queue`), polling and catching panics (`kernel`), cancel scopes.

pub(crate) mod cell;
mod handle;
mod header;
mod pool;
pub(crate) mod report;
mod task_ref;
pub(crate) mod token;
pub mod trace;
mod vars;

pub(crate) use handle::Never;
pub use handle::{Flatten, Reportable, Task};
pub(crate) use header::{Birth, Flags, Header, Will};
pub use report::Report;
pub use task_ref::{TaskId, TaskRef};
pub(crate) use vars::{Carried, carry, inherit};
pub use vars::{ContextVar, Scoped};
