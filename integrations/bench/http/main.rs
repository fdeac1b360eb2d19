//! What does a request cost an HTTP server, and how many a second does it answer?
//!
//! A tiny reply, kept-alive connections, wrk as the load: what is left to measure is the path from
//! the socket through the runtime and the HTTP library and back. The servers: hyper on petla and on
//! tokio, the same with hyper's limit for slow clients (a timer for each request), axum on both,
//! and asyncio on uvloop with a parser in C, written as low as one can in Python.
//!
//! ```text
//! $ cargo bench -p petla-integrations-bench --bench http -- petla --rounds 3
//! ```
//!
//! prints requests/s, p50 and p99 in µs, and the server's CPU time a request in µs, user and system
//! apart. Arguments: parts of servers' names, `--rounds N`, `--percent N` of the usual two seconds
//! (100 at least, as wrk counts in seconds). wrk must be installed. Without `--bench` it is a test.
//!
//! wrk is one process on one CPU and does a good part of the server's work itself: requests/s are
//! bounded by both, the CPU time a request is not. It contains what the kernel does for the
//! sockets, most of it.
//!
//! # Not here
//! Requests on a fixed schedule: wrk slows down with the server, so p99 is that of a busy one.
#![forbid(unsafe_code)]

mod load;
mod servers;

use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::process::exit;

use anyhow::Context as _;
use petla_bench::worker::{self, Worker, number};
use petla_bench::{measuring, sys};
use petla_integrations_bench::Cpus;
use petla_integrations_bench::options::Options;
use petla_integrations_bench::python::Python;
use petla_integrations_bench::rounds::{Work, compare, print_head};
use petla_integrations_bench::sample::{Sample, Samples};

use load::Load;
use servers::SERVERS;

const PYTHON: &str = "uvloop, httptools";

const WORKS: [Work<Load>; 3] = [
    work("32 connections", 32, 1),
    work("100 connections", 100, 1),
    work("32 connections, 16 requests at once", 32, 16),
];

const fn work(title: &'static str, connections: usize, depth: usize) -> Work<Load> {
    let what = Load { connections, depth };
    Work { title, what }
}

/// The usual measurement.
const SECONDS: usize = 2;

/// Requests that are looked at before: both sides are warm then.
const CHECKED: usize = 2_000;
const CHECKED_SMOKE: usize = 20;

/// The first argument of a server.
const SERVER: &str = "--server";

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let ended = match words[..] {
        [SERVER, name, cpu] => serve(name, number(cpu)).context("server"),
        _ => measure_all(&Options::parse(&arguments)),
    };
    if let Err(error) = ended {
        eprintln!("http: {error:#}");
        exit(1);
    }
}

/// Serves until the parent closes this process's input; answers each line with the CPU time used.
fn serve(name: &str, cpu: usize) -> io::Result<()> {
    sys::pin_to(cpu)?;
    let server = SERVERS.iter().find(|(server, _)| *server == name);
    let (_, server) = server.ok_or_else(|| io::Error::other("no such server"))?;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    listener.set_nonblocking(true)?;
    println!("{}", listener.local_addr()?.port());
    worker::answer_with_cpu_time();
    server(listener)
}

fn measure_all(options: &Options) -> anyhow::Result<()> {
    let cpus = Cpus::choose()?;
    let python = Python::find(&["uvloop", "httptools"]);
    let mut names: Vec<&str> = SERVERS.iter().map(|(name, _)| *name).collect();
    names.extend(python.as_ref().map(|_| PYTHON));
    names.retain(|name| options.wants(name));
    let works = if measuring() { &WORKS[..] } else { &WORKS[2..] };
    let versions = python.as_ref().map(|python| python.versions.as_str());
    let peers = ["tokio", "hyper", "hyper-util", "axum"];
    print_head(&peers, versions, options);
    println!(
        "Server on CPU {}, wrk on CPU {}.\n",
        cpus.measured, cpus.other
    );
    let header = "| load | server | requests/s | p50 µs | p99 µs | CPU µs a request | of the first \
        | user | system |";
    let measure = |name: &str, load| {
        let mut server = start(name, python.as_ref(), cpus)?;
        measure(&mut server, load, options, cpus).map(Some)
    };
    compare(works, &names, options, header, measure, row)
}

fn start(name: &str, python: Option<&Python>, cpus: Cpus) -> anyhow::Result<Worker> {
    let cpu = cpus.measured.to_string();
    let started = match python {
        Some(python) if name == PYTHON => {
            let mut command = python.script("http/server.py");
            command.arg(&cpu);
            Worker::start_program(command)
        }
        _ => Worker::start(&[SERVER, name, &cpu]),
    };
    started.context("the server does not start")
}

fn measure(
    server: &mut Worker,
    load: Load,
    options: &Options,
    cpus: Cpus,
) -> anyhow::Result<Sample> {
    let port = u16::try_from(server.answer()?[0]).context("a port")?;
    load::check(port, if measuring() { CHECKED } else { CHECKED_SMOKE })?;
    let seconds = if measuring() {
        SECONDS * options.percent / 100
    } else {
        1
    };
    let before = server.cpu_time()?;
    let report = load::run(port, load, seconds.max(1), cpus.other)?;
    let used = server.cpu_time()?.since(before);
    Ok(Sample {
        operations: report.requests as f64,
        elapsed: report.elapsed,
        used,
        // wrk begins the clock of a reply when the one before it came: no time, with many at once.
        latencies: report
            .latencies
            .map(|time| (load.depth == 1).then_some(time)),
    })
}

fn row(samples: &Samples, first: &Samples) -> String {
    format!(
        "{} | {} | {} | {} | {:.2} | {:.2} | {:.2}",
        samples.spread(Sample::rate, 0),
        samples.latency(0),
        samples.latency(1),
        samples.spread(Sample::cpu_us, 2),
        samples.median(Sample::cpu_us) / first.median(Sample::cpu_us),
        samples.median(Sample::user_us),
        samples.median(Sample::system_us),
    )
}
