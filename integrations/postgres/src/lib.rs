//! PostgreSQL for a loop: connections over petla's sockets, and a small pool of them.
//!
//! Two short files to copy into a program and to change there: `connect.rs` gives tokio-postgres a
//! socket and its connection a task, `pool.rs` shares connections. The queries are
//! [`tokio_postgres::Client`]'s own: they run on one thread and need no runtime of tokio's.
//!
//! # Not here
//! TLS (`connect_raw` takes any connector of that trait), `hostaddr`, a preferred kind of server.
#![forbid(unsafe_code)]

mod connect;
mod pool;

pub use connect::{cancel, connect};
pub use pool::Pool;
