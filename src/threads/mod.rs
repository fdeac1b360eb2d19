//! Where tasks meet interfaces that are made for threads.
//!
//! # Not here
//! Wakes and posts from other threads (`mailbox`), handles of a loop (`event_loop`).

mod send_local;

pub use send_local::{SendLocal, send_local};
