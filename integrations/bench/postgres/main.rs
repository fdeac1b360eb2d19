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

use std::process::exit;

use anyhow::Context as _;
use petla_bench::worker::number;
use petla_bench::{measuring, sys};
use petla_integrations_bench::Cpus;
use petla_integrations_bench::client::{self, Plan};
use petla_integrations_bench::options::Options;
use petla_integrations_bench::python::Python;
use petla_integrations_bench::rounds::{Work, compare, print_head};
use petla_testbed::Postgres;

use clients::CLIENTS;

const PYTHON: &str = "uvloop, asyncpg";

const WORKS: [Work<Plan>; 2] = [
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
];

/// Of the usual work, in a test.
const PERCENT_SMOKE: usize = 1;

/// The first argument of a client.
const CLIENT: &str = "--client";

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let ended = match words[..] {
        [CLIENT, name, url, tasks, each, cpu] => {
            let (tasks, each) = (number(tasks), number(each));
            run(name, url, Plan { tasks, each }, number(cpu))
        }
        _ => measure_all(&Options::parse(&arguments)),
    };
    if let Err(error) = ended {
        eprintln!("postgres: {error:#}");
        exit(1);
    }
}

/// In a process of its own.
fn run(name: &str, url: &str, plan: Plan, cpu: usize) -> anyhow::Result<()> {
    sys::pin_to(cpu)?;
    let client = CLIENTS.iter().find(|(client, _)| *client == name);
    let (_, client) = client.context("no such client")?;
    client(url, plan)
}

fn measure_all(options: &Options) -> anyhow::Result<()> {
    let cpus = Cpus::choose()?;
    let python = Python::find(&["uvloop", "asyncpg"]);
    let mut names: Vec<&str> = CLIENTS.iter().map(|(name, _)| *name).collect();
    names.extend(python.as_ref().map(|_| PYTHON));
    names.retain(|name| options.wants(name));
    if names.is_empty() {
        return Ok(());
    }
    sys::pin_to(cpus.other)?; // and with this process all that it starts
    let server = Postgres::start();
    let versions = python.as_ref().map(|python| python.versions.as_str());
    print_head(&["tokio", "tokio-postgres"], versions, options);
    let version = server.sql("SHOW server_version");
    let Cpus { measured, other } = cpus;
    println!("Client on CPU {measured}, PostgreSQL {version} on CPU {other}.\n");
    let percent = if measuring() {
        options.percent
    } else {
        PERCENT_SMOKE
    };
    let header = client::header("query");
    let measure = |name: &str, plan: Plan| {
        let script = python.as_ref().filter(|_| name == PYTHON);
        if script.is_some() && plan.tasks > 1 {
            return Ok(None);
        }
        let plan = plan.percent(percent);
        let [tasks, each, cpu] = [plan.tasks, plan.each, measured].map(|n| n.to_string());
        let arguments = [CLIENT, name, server.url(), &tasks, &each, &cpu];
        let script = script.map(|python| python.script("postgres/client.py"));
        client::run(script, &arguments, plan).map(Some)
    };
    compare(&WORKS, &names, options, &header, measure, client::row)
}
