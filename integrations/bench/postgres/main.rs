//! What does a round trip to PostgreSQL take, and what does it cost the client?
//!
//! `SELECT $1::int`, prepared once, on one connection over loopback: one after the other, and by a
//! hundred tasks at once, which tokio-postgres sends without waiting for the answers before. The
//! clients: tokio-postgres over petla's socket and over tokio's, and asyncpg on uvloop, which has
//! no more than one query under way on a connection: its second row is missing.
//!
//! ```text
//! $ cargo bench -p petla-integrations-bench --bench postgres -- petla --rounds 3
//! ```
//!
//! prints µs a query and the client's CPU time, user and system apart. Arguments: parts of clients'
//! names, `--rounds N`, `--percent N` of the usual number of queries. Debian's PostgreSQL must be
//! installed; it is started on a port of its own. Without `--bench` it is a test.
//!
//! One after the other, most of the time of a query is the server's and the waking of both sides;
//! what differs between the clients is their CPU time.
//!
//! # Not here
//! Pools, transactions, large results, TLS.
#![forbid(unsafe_code)]

mod clients;

use petla_integrations_bench::client::{Clients, Plan};
use petla_integrations_bench::rounds::Work;
use petla_testbed::Postgres;

const POSTGRES: Clients<Postgres> = Clients {
    name: "postgres",
    operation: "query",
    clients: &clients::CLIENTS,
    peers: &["tokio", "tokio-postgres"],
    python: "uvloop, asyncpg",
    packages: &["uvloop", "asyncpg"],
    works: [
        Work {
            title: "one after the other",
            what: Plan {
                tasks: 1,
                each: 20_000,
            },
        },
        Work {
            title: "100 tasks",
            what: Plan {
                tasks: 100,
                each: 1_000,
            },
        },
    ],
    start: Postgres::start,
    title: |server| format!("PostgreSQL {}", server.sql("SHOW server_version")),
};

fn main() {
    POSTGRES.main();
}
