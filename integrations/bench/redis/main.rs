//! What does a command to Redis take, and what does it cost the client?
//!
//! `INCR` on one connection over loopback: one after the other, and by a thousand tasks at once,
//! whose commands share the connection. The clients: the `redis` crate over petla's socket and over
//! tokio's, and redis-py on uvloop, which does not share a connection: its second row is missing.
//!
//! ```text
//! $ cargo bench -p petla-integrations-bench --bench redis -- petla --rounds 3
//! ```
//!
//! prints µs a command and the client's CPU time, user and system apart. Arguments: parts of
//! clients' names, `--rounds N`, `--percent N` of the usual number of commands. Debian's Redis
//! must be installed; it is started on a port of its own. Without `--bench` it is a test.
//!
//! One after the other, most of the time of a command is the waking of both sides; what differs
//! between the clients is their CPU time.
//!
//! # Not here
//! The crate's own time limits, batches, blocking reads, clusters.
#![forbid(unsafe_code)]

mod clients;

use petla_integrations_bench::client::{Clients, Plan};
use petla_integrations_bench::rounds::Work;
use petla_testbed::Redis;

const REDIS: Clients<Redis> = Clients {
    name: "redis",
    operation: "command",
    clients: &clients::CLIENTS,
    peers: &["tokio", "redis"],
    python: "uvloop, redis-py",
    packages: &["uvloop", "redis"],
    works: [
        Work {
            title: "one after the other",
            what: Plan {
                tasks: 1,
                each: 20_000,
            },
        },
        Work {
            title: "1,000 tasks",
            what: Plan {
                tasks: 1_000,
                each: 100,
            },
        },
    ],
    start: Redis::start,
    title: |_| "Redis".to_owned(),
};

fn main() {
    REDIS.main();
}
