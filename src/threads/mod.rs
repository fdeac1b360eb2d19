//! Work that blocks or computes, on threads of its own; and futures that only look `Send`.
//!
//! ```text
//!   ToThread::poll                                     worker
//!     a token of the limiter ─► Job ─► Pool::submit ─► Pool::next ─► Job::run
//!     Ticket::poll  ◄── waker ─────────────────────────────────────  result
//! ```
//!
//! A limiter says how much runs at once, the pool only has a thread for whatever was let in. So
//! nothing queues in the pool, unless the system refuses another thread.
//!
//! # Not here
//! Wakes and posts from other threads (`mailbox`), handles of a loop (`event_loop`).

mod ferry;
mod job;
#[cfg(all(test, petla_loom))]
mod models;
mod pool;
mod send_local;
mod shared;
#[cfg(all(test, not(petla_loom)))]
mod tests;
mod thread_pool;
mod to_thread;
mod worker;

pub(crate) use ferry::Ferry;
pub use send_local::{SendLocal, send_local};
pub use shared::default_limiter;
pub(crate) use shared::lookup_limiter;
pub use thread_pool::{Shutdown, ThreadPool};
pub use to_thread::{ToThread, to_thread};
pub(crate) use worker::calling_loop;
pub use worker::check_cancelled;
