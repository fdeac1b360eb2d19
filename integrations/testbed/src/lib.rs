//! Real servers for the integration tests: PostgreSQL, Redis, RabbitMQ and NATS, each on a port
//! and in a folder of its own.
//!
//! A test starts what it needs, uses it, and forgets it:
//!
//! ```
//! use petla_testbed::Redis;
//!
//! let mut redis = Redis::start();
//! redis.cli(&["SET", "greeting", "hello"]);
//! redis.restart(); // same port, same data
//! assert_eq!(redis.cli(&["GET", "greeting"]), "hello");
//! let url = redis.url(); // "redis://127.0.0.1:<port>/"
//! # let _ = url;
//! ```
//!
//! [`Postgres`], [`Redis`], [`RabbitMq`] and [`Nats`] are each a [`Server`]: Debian's program as a
//! child process, with all its files in a temporary folder, listening on loopback only. `start`
//! comes back when the server answers its own protocol, and panics with the end of its log if that
//! takes more than a minute. [`Server::stop`] ends it in order, [`Server::kill`] as a crash would,
//! [`Server::restart`] starts it again where it was. The drop ends whatever is left of it and
//! removes the folder. A server whose program is not installed is a panic that names the package.
//!
//! [`Program`] is the other child of a test: the program that is tested, with its output as lines
//! to wait for. [`wait_for`] waits for anything else, and [`free_port`] is a port where nobody
//! listens.
//!
//! # When a test dies
//! A panic unwinds and drops the servers as usual. If the test's process is killed, a small shell
//! beside each child, its guard, reads the end of a pipe, ends the child and removes the folder:
//! that takes some seconds at most. Only the guard's own death leaves something behind.
//!
//! # Not here
//! Anything asynchronous: the tested programs have a loop, the testbed must not need it. TLS,
//! clusters, servers in containers.
#![forbid(unsafe_code)]

mod guard;
mod nats;
mod postgres;
mod processes;
mod program;
mod rabbitmq;
mod redis;
mod server;
mod wait;

pub use nats::Nats;
pub use postgres::Postgres;
pub use program::Program;
pub use rabbitmq::RabbitMq;
pub use redis::Redis;
pub use server::Server;
pub use wait::{free_port, wait_for};
