//! How many requests a second does an echo server answer, how late, and at what CPU cost?
//!
//! 64 bytes there and back over real loopback sockets, on 1 to 10,000 connections at once; each
//! connection sends its next request when it has the answer to the last. The servers: one bare
//! epoll loop written by hand, which is the limit, and the runtimes, each as its users write it.
//!
//! The server is a process pinned to the first CPU, the load generator ([`load`]) another on the
//! second: both are this program, started again with arguments. The load generator is a bare epoll
//! loop too and checks every byte. It does about the work of the bare server, so at the top both
//! CPUs are busy and requests/s is bounded by either; the server's CPU time a request is not.
//!
//! Each also *pipelined*: a connection has 16 requests under way, sent together and answered
//! together. petla once more, *spinning*, for one connection alone: it takes its whole CPU. As half
//! of such a request's time is the client's own waking up, one connection is also measured with a
//! client that stays *awake*.
//!
//! Options, after a `--`: parts of servers' names, `--seconds S` (of one measurement), `--rounds N`
//! (the one with the median of requests/s is shown), `--connections N`, `--batch N` (1 to 16).
//! `--calls` counts the server's system calls instead, by strace, which must be installed.
//!
//! Not timed: connecting, one request on each connection, 100 ms of load. Without `--bench` it
//! runs for milliseconds on a few connections, as a test.

mod calls;
mod load;
mod servers;

use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::process::exit;
use std::time::Duration;

use petla_bench::worker::{self, Worker, number};
use petla_bench::{measuring, sys, table};

/// From one idle client to more than fit into the caches.
const CONNECTIONS: [usize; 5] = [1, 10, 100, 1_000, 10_000];
/// One, and enough for several events in one wait.
const CONNECTIONS_SMOKE: [usize; 2] = [1, 20];

/// How many requests a connection has under way.
const BATCHES: [usize; 2] = [1, load::BATCH_MAX];

/// A measurement: 10,000 requests on the slowest row, so that p99.9 means something.
const SECONDS: f64 = 1.0;
const SECONDS_SMOKE: f64 = 0.02;

/// Measurements of a cell.
const ROUNDS: usize = 3;

/// Descriptors that a process needs besides its connections.
const OTHER_DESCRIPTORS: u64 = 32;

/// The first argument of a server, and of the load generator.
const SERVER: &str = "--server";
const LOAD: &str = "--load";

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let ended = match words[..] {
        [SERVER, name, cpu] => serve(name, number(cpu)),
        [LOAD, port, connections, batch, seconds, awake, cpu] => {
            let plan = Plan {
                connections: number(connections),
                batch: number(batch),
                seconds: number(seconds),
                awake: number(awake),
                cpus: [number(cpu); 2],
            };
            sys::pin_to(plan.cpus[1]).and_then(|()| load::run(number(port), plan))
        }
        _ => compare(&Options::parse(&arguments)),
    };
    if let Err(error) = ended {
        eprintln!("echo {}: {error}", words.join(" "));
        exit(1);
    }
}

struct Options {
    names: Vec<String>,
    connections: Vec<usize>,
    batches: Vec<usize>,
    seconds: f64,
    rounds: usize,
    calls: bool,
}

impl Options {
    fn parse(arguments: &[String]) -> Options {
        let (connections, seconds, rounds) = match measuring() {
            true => (CONNECTIONS.to_vec(), SECONDS, ROUNDS),
            false => (CONNECTIONS_SMOKE.to_vec(), SECONDS_SMOKE, 1),
        };
        let mut options = Options {
            names: Vec::new(),
            connections,
            batches: BATCHES.to_vec(),
            seconds,
            rounds,
            calls: false,
        };
        let mut given = arguments.iter();
        while let Some(argument) = given.next() {
            let mut value = || given.next().map_or("", String::as_str);
            match argument.as_str() {
                "--seconds" => options.seconds = number::<f64>(value()).clamp(0.001, 60.0),
                "--rounds" => options.rounds = number::<usize>(value()).max(1),
                "--connections" => options.connections = vec![number::<usize>(value()).max(1)],
                "--batch" => {
                    options.batches = vec![number::<usize>(value()).clamp(1, load::BATCH_MAX)];
                }
                "--calls" => options.calls = true,
                flag if flag.starts_with('-') => {} // cargo's own
                name => options.names.push(name.to_owned()),
            }
        }
        options
    }

    fn plan(&self, connections: usize, batch: usize, cpus: [usize; 2]) -> Plan {
        Plan {
            connections,
            batch,
            seconds: self.seconds,
            awake: false,
            cpus,
        }
    }

    fn wants(&self, server: &str) -> bool {
        self.names.is_empty() || self.names.iter().any(|name| server.contains(name.as_str()))
    }
}

/// Serves until the parent closes this process's input; answers each line with the CPU time used.
fn serve(name: &str, cpu: usize) -> io::Result<()> {
    sys::pin_to(cpu)?;
    let server = servers::SERVERS.iter().find(|(server, _)| *server == name);
    let (_, server) = server.ok_or_else(|| io::Error::other("no such server"))?;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    listener.set_nonblocking(true)?;
    println!("{}", listener.local_addr()?.port());
    worker::answer_with_cpu_time();
    server(listener)
}

/// One measurement of one server.
struct Sample {
    requests_per_second: f64,
    /// p50, p99, p99.9.
    latencies: [Duration; 3],
    /// The server's, a request.
    user_us: f64,
    system_us: f64,
    /// The share of its CPU that the load generator used.
    load_busy: f64,
}

/// How much load, on which of the two CPUs.
#[derive(Clone, Copy)]
struct Plan {
    connections: usize,
    batch: usize,
    seconds: f64,
    /// The load never sleeps.
    awake: bool,
    cpus: [usize; 2],
}

/// A server, under a tool or alone, its load, and how many requests made both warm.
fn start(tool: &[&str], server: &str, plan: Plan) -> io::Result<(Worker, Worker, u64)> {
    let [server_cpu, load_cpu] = plan.cpus.map(|cpu| cpu.to_string());
    let mut server = Worker::start_under(tool, &[SERVER, server, &server_cpu])?;
    let port = server.answer()?[0].to_string();
    let arguments = [
        LOAD,
        &port,
        &plan.connections.to_string(),
        &plan.batch.to_string(),
        &plan.seconds.to_string(),
        &plan.awake.to_string(),
        &load_cpu,
    ];
    let mut load = Worker::start(&arguments)?;
    let before = load.answer()?[0];
    Ok((server, load, before))
}

fn measure(server: &str, plan: Plan) -> io::Result<Sample> {
    let (mut server, mut load, _) = start(&[], server, plan)?;
    let before = server.cpu_time()?;
    let result = load.ask()?;
    let used = server.cpu_time()?.since(before);
    let [requests, elapsed, p50, p99, p999, load_used] = result[..] else {
        return Err(io::Error::other("the load generator answers six numbers"));
    };
    let (requests, elapsed) = (requests as f64, elapsed as f64);
    Ok(Sample {
        requests_per_second: requests / elapsed * 1e9,
        latencies: [p50, p99, p999].map(Duration::from_nanos),
        user_us: used.user.as_secs_f64() * 1e6 / requests,
        system_us: used.system.as_secs_f64() * 1e6 / requests,
        load_busy: load_used as f64 / elapsed,
    })
}

fn compare(options: &Options) -> io::Result<()> {
    let wanted = servers::SERVERS
        .iter()
        .map(|(name, _)| *name)
        .filter(|name| options.wants(name));
    let names: Vec<&str> = wanted.collect();
    if names.is_empty() {
        return Ok(());
    }
    table::print_machine(None);
    let cpus = worker::two_cpus()?;
    if options.calls {
        return calls::compare(&names, options, cpus);
    }
    let (seconds, rounds) = (options.seconds, options.rounds);
    println!("Median of {rounds} rounds of {seconds} s; latency and CPU time in µs.\n");
    if !measuring() {
        println!("Without --bench, it is a test, not a measurement.\n");
    }
    let columns = HEADER.matches('|').count() - 1;
    println!("{HEADER}\n|{}", " --- |".repeat(columns));
    for &connections in &options.connections {
        let wanted = connections as u64 + OTHER_DESCRIPTORS;
        let limit = sys::raise_descriptor_limit(wanted)?;
        if limit < wanted {
            println!("| {connections} | skipped: it needs {wanted} descriptors, {limit} allowed |");
            continue;
        }
        let only_one = |name: &&str| *name != servers::SPINNING || connections == 1;
        let names: Vec<&str> = names.iter().copied().filter(only_one).collect();
        for &batch in &options.batches {
            let plan = options.plan(connections, batch, cpus);
            print_rows(plan, &names, measure_all(&names, options.rounds, plan)?);
        }
        if connections == 1 && cpus[0] != cpus[1] {
            let mut plan = options.plan(1, 1, cpus);
            plan.awake = true;
            print_rows(plan, &names, measure_all(&names, options.rounds, plan)?);
        }
    }
    Ok(())
}

/// Server by server, round by round: A B C, A B C.
fn measure_all(names: &[&str], rounds: usize, plan: Plan) -> io::Result<Vec<Vec<Sample>>> {
    let mut samples: Vec<Vec<Sample>> = names.iter().map(|_| Vec::new()).collect();
    for round in 1..=rounds {
        for (name, samples) in names.iter().zip(&mut samples) {
            let connections = plan.connections;
            table::progress(format_args!(
                "{connections} connections, round {round}: {name}"
            ));
            let whose = |error| io::Error::other(format!("{name}: {error}"));
            samples.push(measure(name, plan).map_err(whose)?);
        }
    }
    table::progress(format_args!(""));
    Ok(samples)
}

const HEADER: &str = "| connections | under way | server | requests/s | of the bare loop \
    | p50 | p99 | p99.9 | CPU a request | of the bare loop | user | system | load CPU |";

fn print_rows(plan: Plan, names: &[&str], samples: Vec<Vec<Sample>>) {
    let connections = plan.connections;
    let batch = match plan.awake {
        true => "1, awake".to_owned(),
        false => plan.batch.to_string(),
    };
    let medians: Vec<Sample> = samples.into_iter().map(median).collect();
    let bare = names
        .iter()
        .position(|name| *name == servers::BARE)
        .map(|index| &medians[index]);
    for (name, sample) in names.iter().zip(&medians) {
        let cpu_us = sample.user_us + sample.system_us;
        let share = |of: &dyn Fn(&Sample) -> f64| {
            bare.map_or("-".into(), |bare| format!("{:.2}", of(sample) / of(bare)))
        };
        let [p50, p99, p999] = sample.latencies.map(|latency| latency.as_secs_f64() * 1e6);
        println!(
            "| {connections} | {batch} | {name} | {:.0} | {} | {p50:.0} | {p99:.0} | {p999:.0} \
             | {cpu_us:.2} | {} | {:.2} | {:.2} | {:.0} % |",
            sample.requests_per_second,
            share(&|sample| sample.requests_per_second),
            share(&|sample| sample.user_us + sample.system_us),
            sample.user_us,
            sample.system_us,
            sample.load_busy * 100.0,
        );
    }
}

fn median(mut samples: Vec<Sample>) -> Sample {
    samples.sort_by(|a, b| a.requests_per_second.total_cmp(&b.requests_per_second));
    samples.swap_remove(samples.len() / 2)
}
