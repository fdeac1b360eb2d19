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

use std::process::exit;

use anyhow::Context as _;
use petla_bench::worker::number;
use petla_bench::{measuring, sys};
use petla_integrations_bench::Cpus;
use petla_integrations_bench::client::{self, Plan};
use petla_integrations_bench::options::Options;
use petla_integrations_bench::python::Python;
use petla_integrations_bench::rounds::{Work, compare, print_head};
use petla_testbed::Redis;

use clients::CLIENTS;

const PYTHON: &str = "uvloop, redis-py";

const WORKS: [Work<Plan>; 2] = [
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
];

/// Of the usual work, in a test.
const PERCENT_SMOKE: usize = 1;

/// The first argument of a client.
const CLIENT: &str = "--client";

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let ended = match words[..] {
        [CLIENT, name, port, tasks, each, cpu] => {
            let (tasks, each) = (number(tasks), number(each));
            run(name, number(port), Plan { tasks, each }, number(cpu))
        }
        _ => measure_all(&Options::parse(&arguments)),
    };
    if let Err(error) = ended {
        eprintln!("redis: {error:#}");
        exit(1);
    }
}

/// In a process of its own.
fn run(name: &str, port: u16, plan: Plan, cpu: usize) -> anyhow::Result<()> {
    sys::pin_to(cpu)?;
    let client = CLIENTS.iter().find(|(client, _)| *client == name);
    let (_, client) = client.context("no such client")?;
    client(port, plan)
}

fn measure_all(options: &Options) -> anyhow::Result<()> {
    let cpus = Cpus::choose()?;
    let python = Python::find(&["uvloop", "redis"]);
    let mut names: Vec<&str> = CLIENTS.iter().map(|(name, _)| *name).collect();
    names.extend(python.as_ref().map(|_| PYTHON));
    names.retain(|name| options.wants(name));
    if names.is_empty() {
        return Ok(());
    }
    sys::pin_to(cpus.other)?; // and with this process all that it starts
    let server = Redis::start();
    let versions = python.as_ref().map(|python| python.versions.as_str());
    print_head(&["tokio", "redis"], versions, options);
    let Cpus { measured, other } = cpus;
    println!("Client on CPU {measured}, Redis on CPU {other}.\n");
    let percent = if measuring() {
        options.percent
    } else {
        PERCENT_SMOKE
    };
    let port = server.port().to_string();
    let header = client::header("command");
    let measure = |name: &str, plan: Plan| {
        let script = python.as_ref().filter(|_| name == PYTHON);
        if script.is_some() && plan.tasks > 1 {
            return Ok(None);
        }
        let plan = plan.percent(percent);
        let [tasks, each, cpu] = [plan.tasks, plan.each, measured].map(|n| n.to_string());
        let arguments = [CLIENT, name, &port, &tasks, &each, &cpu];
        let script = script.map(|python| python.script("redis/client.py"));
        client::run(script, &arguments, plan).map(Some)
    };
    compare(&WORKS, &names, options, &header, measure, client::row)
}
