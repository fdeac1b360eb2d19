//! HTTP, PostgreSQL and Redis on petla beside tokio and beside asyncio: the same work in one run.
//!
//! ```text
//! $ .ci/bench-http                                            # all three; makes the Python peers
//! $ cargo bench -p petla-integrations-bench --bench http      # one; also postgres, redis
//! $ cargo test -p petla-integrations-bench                    # that all of them work
//! ```
//!
//! Each program prints the machine and a table in markdown. What is measured runs in a process of
//! its own, pinned to the first CPU; the other end, load or server, is pinned to the second. This
//! library is what the three have in common: options, samples, tables, and where Python is.
//!
//! # Invariants
//! - **Interleaved**: round by round, A B C, A B C; never A A, B B.
//! - **Checked**: whatever is measured gave right answers, or the program ends with an error.
//!
//! # Not here
//! The runtimes' own figures, and echo servers without a protocol: `benches/`.
#![forbid(unsafe_code)]

pub mod client;
pub mod options;
pub mod python;
pub mod rounds;
pub mod sample;
pub mod sockets;

use anyhow::Context as _;
use petla_bench::sys;

/// What is measured, and the other end.
#[derive(Clone, Copy, Debug)]
pub struct Cpus {
    /// The one of what is measured.
    pub measured: usize,
    /// The one of its load or server: the same if there is only one.
    pub other: usize,
}

impl Cpus {
    /// The first two that this process may use.
    pub fn choose() -> anyhow::Result<Cpus> {
        let cpus = sys::allowed_cpus().context("sched_getaffinity")?;
        let measured = *cpus.first().context("no CPU is allowed")?;
        let other = cpus.get(1).copied().unwrap_or(measured);
        Ok(Cpus { measured, other })
    }
}
