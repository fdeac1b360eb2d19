//! Clients that are measured, each run in a process of its own: `postgres` and `redis`.
//!
//! A client is a function that connects, works a little so that all is warm, reads the clock and
//! the CPU time, works, reads both again, and prints the difference.

use std::env;
use std::future::Future;
use std::ops::Deref;
use std::process::{Command, exit};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use petla_bench::measuring;
use petla_bench::sys::{self, CpuTime};
use petla_bench::worker::{Worker, number};
use petla_testbed::Server;

use crate::Cpus;
use crate::options::Options;
use crate::python::Python;
use crate::rounds::{Work, compare, print_head};
use crate::sample::{Sample, Samples};

/// The first argument of a client.
const CLIENT: &str = "--client";

/// Of the usual work, in a test.
const PERCENT_SMOKE: usize = 1;

/// Connects to the URL and measures.
pub type Run = fn(&str, Plan) -> anyhow::Result<()>;

/// A benchmark of the clients of one kind of server.
#[derive(Debug)]
pub struct Clients<S> {
    /// The benchmark's name, and its folder's.
    pub name: &'static str,
    /// What a client does again and again.
    pub operation: &'static str,
    /// The clients in Rust, by name.
    pub clients: &'static [(&'static str, Run)],
    /// The crates whose versions are printed.
    pub peers: &'static [&'static str],
    /// What the client in Python is called.
    pub python: &'static str,
    /// The packages that it needs.
    pub packages: &'static [&'static str],
    /// One task; then many, which the client in Python cannot do.
    pub works: [Work<Plan>; 2],
    /// Starts the server.
    pub start: fn() -> S,
    /// The server's name and version.
    pub title: fn(&S) -> String,
}

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

impl<S: Deref<Target = Server>> Clients<S> {
    /// The whole program: measures all clients, or is one of them.
    pub fn main(&self) {
        let arguments: Vec<String> = env::args().skip(1).collect();
        let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let ended = match words[..] {
            [CLIENT, name, url, tasks, each, cpu] => {
                let (tasks, each) = (number(tasks), number(each));
                self.run(name, url, Plan { tasks, each }, number(cpu))
            }
            _ => self.measure_all(&Options::parse(&arguments)),
        };
        if let Err(error) = ended {
            eprintln!("{}: {error:#}", self.name);
            exit(1);
        }
    }

    /// In a process of its own.
    fn run(&self, name: &str, url: &str, plan: Plan, cpu: usize) -> anyhow::Result<()> {
        sys::pin_to(cpu)?;
        let client = self.clients.iter().find(|(client, _)| *client == name);
        let (_, client) = client.context("no such client")?;
        client(url, plan)
    }

    fn measure_all(&self, options: &Options) -> anyhow::Result<()> {
        let cpus = Cpus::choose()?;
        let python = Python::find(self.packages);
        let mut names: Vec<&str> = self.clients.iter().map(|(name, _)| *name).collect();
        names.extend(python.as_ref().map(|_| self.python));
        names.retain(|name| options.wants(name));
        if names.is_empty() {
            return Ok(());
        }
        sys::pin_to(cpus.other)?; // and with this process all that it starts
        let server = (self.start)();
        let versions = python.as_ref().map(|python| python.versions.as_str());
        print_head(self.peers, versions, options);
        let Cpus { measured, other } = cpus;
        let title = (self.title)(&server);
        println!("Client on CPU {measured}, {title} on CPU {other}.\n");
        let percent = if measuring() {
            options.percent
        } else {
            PERCENT_SMOKE
        };
        let measure = |name: &str, plan: Plan| {
            let script = python.as_ref().filter(|_| name == self.python);
            if script.is_some() && plan.tasks > 1 {
                return Ok(None);
            }
            let plan = plan.percent(percent);
            let [tasks, each, cpu] = [plan.tasks, plan.each, measured].map(|n| n.to_string());
            let arguments = [CLIENT, name, server.url(), &tasks, &each, &cpu];
            let script = script.map(|python| python.script(&format!("{}/client.py", self.name)));
            run(script, &arguments, plan).map(Some)
        };
        let header = header(self.operation);
        compare(&self.works, &names, options, &header, measure, row)
    }
}

/// Starts a client in Python or this program again, and waits for what it measures.
/// If it fails, it has said why.
fn run(script: Option<Command>, arguments: &[&str], plan: Plan) -> anyhow::Result<Sample> {
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
fn header(operation: &str) -> String {
    format!(
        "| work | client | µs a {operation} | of the first | CPU µs a {operation} | of the first \
         | user | system |"
    )
}

/// The cells of a row under the header.
fn row(samples: &Samples, first: &Samples) -> String {
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
