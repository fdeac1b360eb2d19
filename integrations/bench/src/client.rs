//! Clients that are measured, each run in a process of its own: `postgres` and `redis`.
//!
//! A client is a function that connects, works a little so that all is warm, reads the clock and
//! the CPU time, works, reads both again, and prints the difference.

use std::future::Future;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use petla_bench::sys::{self, CpuTime};
use petla_bench::worker::Worker;

use crate::sample::{Sample, Samples};

/// How much a client does.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// Tasks that work at the same time, on one connection.
    pub tasks: usize,
    /// Operations of each, one after the other.
    pub each: usize,
}

impl Plan {
    /// The same in hundredths, but something.
    pub fn percent(self, percent: usize) -> Plan {
        let each = (self.each * percent / 100).max(1);
        Plan { each, ..self }
    }

    /// A tenth, before the clock starts.
    fn warm_up(self) -> Plan {
        self.percent(10)
    }
}

/// In the client's process, when it has connected: `work` twice, to be warm and to be measured.
///
/// # Errors
/// Those of `work`.
pub async fn measure<W>(plan: Plan, work: impl Fn(Plan) -> W) -> anyhow::Result<()>
where
    W: Future<Output = anyhow::Result<()>>,
{
    work(plan.warm_up()).await?;
    let (start, before) = (Instant::now(), sys::cpu_time());
    work(plan).await?;
    let (elapsed, used) = (start.elapsed(), sys::cpu_time().since(before));
    let (user, system) = (used.user.as_nanos(), used.system.as_nanos());
    println!("{} {user} {system}", elapsed.as_nanos());
    Ok(())
}

/// Starts a client in Python or this program again, and waits for what it measures.
///
/// # Errors
/// If it fails; it has said why.
pub fn run(script: Option<Command>, arguments: &[&str], plan: Plan) -> anyhow::Result<Sample> {
    let client = match script {
        Some(mut command) => {
            command.args(arguments);
            Worker::start_program(command)
        }
        None => Worker::start(arguments),
    };
    let mut client = client.context("the client does not start")?;
    let [elapsed, user, system] = client.answer()?[..] else {
        bail!("the client answers three numbers");
    };
    client.end()?;
    let [user, system] = [user, system].map(Duration::from_nanos);
    Ok(Sample {
        operations: (plan.tasks * plan.each) as f64,
        elapsed: Duration::from_nanos(elapsed),
        used: CpuTime { user, system },
        latencies: [None; 2],
    })
}

/// The table's head, for operations of this name.
pub fn header(operation: &str) -> String {
    format!(
        "| work | client | µs a {operation} | of the first | CPU µs a {operation} | of the first \
         | user | system |"
    )
}

/// The cells of a row under [`header`].
pub fn row(samples: &Samples, first: &Samples) -> String {
    let share = |of: fn(&Sample) -> f64| samples.median(of) / first.median(of);
    format!(
        "{} | {:.2} | {} | {:.2} | {:.2} | {:.2}",
        samples.spread(Sample::elapsed_us, 2),
        share(Sample::elapsed_us),
        samples.spread(Sample::cpu_us, 2),
        share(Sample::cpu_us),
        samples.median(Sample::user_us),
        samples.median(Sample::system_us),
    )
}
