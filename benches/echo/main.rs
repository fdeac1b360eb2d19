//! How many requests a second does an echo server answer, how late, and at what CPU cost?
//!
//! 64 bytes there and back over real loopback sockets, on 1 to 10,000 connections at once; each
//! connection sends its next request when it has the answer to the last. Six servers: one bare
//! epoll loop written by hand, which is the limit, and the runtimes, each as its users write it.
//!
//! The server is a process pinned to the first CPU, the load generator ([`load`]) another on the
//! second: both are this program, started again with arguments. The load generator is a bare epoll
//! loop too and checks every byte. It does about the work of the bare server, so at the top both
//! CPUs are busy and requests/s is bounded by either; the server's CPU time a request is not.
//!
//! Options, after a `--`: parts of servers' names, `--seconds S` (of one measurement), `--rounds N`
//! (the one with the median of requests/s is shown), `--connections N`.
//!
//! Not timed: connecting, one request on each connection, 100 ms of load. Without `--bench` it
//! runs for milliseconds on a few connections, as a test.

mod load;
mod servers;

use std::io::{self, BufRead as _, BufReader, Write as _};
use std::net::{Ipv4Addr, TcpListener};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio, exit};
use std::time::Duration;

use petla_bench::sys::{self, CpuTime};
use petla_bench::{measuring, table};

/// From one idle client to more than fit into the caches.
const CONNECTIONS: [usize; 5] = [1, 10, 100, 1_000, 10_000];
/// One, and enough for several events in one wait.
const CONNECTIONS_SMOKE: [usize; 2] = [1, 20];

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
        [LOAD, port, connections, seconds, cpu] => sys::pin_to(number(cpu))
            .and_then(|()| load::run(number(port), number(connections), number(seconds))),
        _ => compare(&Options::parse(&arguments)),
    };
    if let Err(error) = ended {
        eprintln!("echo {}: {error}", words.join(" "));
        exit(1);
    }
}

fn number<T: std::str::FromStr>(text: &str) -> T {
    text.parse().unwrap_or_else(|_| {
        eprintln!("not a number: {text}");
        exit(2)
    })
}

struct Options {
    names: Vec<String>,
    connections: Vec<usize>,
    seconds: f64,
    rounds: usize,
}

impl Options {
    fn parse(arguments: &[String]) -> Options {
        let mut options = if measuring() {
            let connections = CONNECTIONS.to_vec();
            Options {
                names: Vec::new(),
                connections,
                seconds: SECONDS,
                rounds: ROUNDS,
            }
        } else {
            let connections = CONNECTIONS_SMOKE.to_vec();
            Options {
                names: Vec::new(),
                connections,
                seconds: SECONDS_SMOKE,
                rounds: 1,
            }
        };
        let mut given = arguments.iter();
        while let Some(argument) = given.next() {
            let mut value = || given.next().map_or("", String::as_str);
            match argument.as_str() {
                "--seconds" => options.seconds = number::<f64>(value()).clamp(0.001, 60.0),
                "--rounds" => options.rounds = number::<usize>(value()).max(1),
                "--connections" => options.connections = vec![number::<usize>(value()).max(1)],
                flag if flag.starts_with('-') => {} // cargo's own
                name => options.names.push(name.to_owned()),
            }
        }
        options
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
    std::thread::spawn(|| {
        for _question in io::stdin().lines() {
            let used = sys::cpu_time();
            println!("{} {}", used.user.as_nanos(), used.system.as_nanos());
        }
        exit(0);
    });
    server(listener)
}

/// A child that is asked and answers line by line, and ends with its handle.
struct Worker {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Worker {
    fn start(arguments: &[&str]) -> io::Result<Worker> {
        let mut command = Command::new(std::env::current_exe()?);
        command
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        let mut child = command.spawn()?;
        let (input, output) = (child.stdin.take(), child.stdout.take());
        let (Some(input), Some(output)) = (input, output) else {
            unreachable!("both are piped")
        };
        Ok(Worker {
            child,
            input,
            output: BufReader::new(output),
        })
    }

    /// The numbers of the next line.
    fn answer(&mut self) -> io::Result<Vec<u64>> {
        let mut line = String::new();
        self.output.read_line(&mut line)?;
        let numbers: Option<Vec<u64>> = line.split(' ').map(|n| n.trim().parse().ok()).collect();
        numbers.ok_or_else(|| io::Error::other(format!("the child ended or answered {line:?}")))
    }

    fn ask(&mut self) -> io::Result<Vec<u64>> {
        self.input.write_all(b"\n")?;
        self.answer()
    }

    fn cpu_time(&mut self) -> io::Result<CpuTime> {
        let answer = self.ask()?;
        let part = |index: usize| Duration::from_nanos(answer.get(index).copied().unwrap_or(0));
        Ok(CpuTime {
            user: part(0),
            system: part(1),
        })
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.child.kill(); // it may have ended
        let _ = self.child.wait();
    }
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

fn measure(server: &str, connections: usize, seconds: f64, cpus: [usize; 2]) -> io::Result<Sample> {
    let [server_cpu, load_cpu] = cpus.map(|cpu| cpu.to_string());
    let mut server = Worker::start(&[SERVER, server, &server_cpu])?;
    let port = server.answer()?[0].to_string();
    let arguments = [
        LOAD,
        &port,
        &connections.to_string(),
        &seconds.to_string(),
        &load_cpu,
    ];
    let mut load = Worker::start(&arguments)?;
    load.answer()?; // connected and warm
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
    let cpus = sys::allowed_cpus()?;
    let server_cpu = *cpus
        .first()
        .ok_or_else(|| io::Error::other("no CPU allowed"))?;
    let load_cpu = cpus.get(1).copied().unwrap_or(server_cpu);
    if names.is_empty() {
        return Ok(());
    }
    table::print_machine(None);
    match cpus.len() {
        1 => println!("Server and load share CPU {server_cpu}, the only one."),
        _ => println!("Server on CPU {server_cpu}, load on CPU {load_cpu}."),
    }
    let (seconds, rounds) = (options.seconds, options.rounds);
    println!("Median of {rounds} rounds of {seconds} s; latency and CPU time in µs.\n");
    if !measuring() {
        println!("Without --bench, it is a test, not a measurement.\n");
    }
    println!(
        "{HEADER}\n|{}",
        " --- |".repeat(HEADER.matches('|').count() - 1)
    );
    for &connections in &options.connections {
        let wanted = connections as u64 + OTHER_DESCRIPTORS;
        let limit = sys::raise_descriptor_limit(wanted)?;
        if limit < wanted {
            println!("| {connections} | skipped: it needs {wanted} descriptors, {limit} allowed |");
            continue;
        }
        let samples = measure_all(&names, connections, options, [server_cpu, load_cpu])?;
        print_rows(connections, &names, samples);
    }
    Ok(())
}

/// Server by server, round by round: A B C, A B C.
fn measure_all(
    names: &[&str],
    connections: usize,
    options: &Options,
    cpus: [usize; 2],
) -> io::Result<Vec<Vec<Sample>>> {
    let mut samples: Vec<Vec<Sample>> = names.iter().map(|_| Vec::new()).collect();
    for round in 1..=options.rounds {
        for (name, samples) in names.iter().zip(&mut samples) {
            table::progress(format_args!(
                "{connections} connections, round {round}: {name}"
            ));
            let sample = measure(name, connections, options.seconds, cpus);
            let whose = |error| io::Error::other(format!("{name}: {error}"));
            samples.push(sample.map_err(whose)?);
        }
    }
    table::progress(format_args!(""));
    Ok(samples)
}

const HEADER: &str = "| connections | server | requests/s | of the bare loop | p50 | p99 | p99.9 \
    | CPU a request | of the bare loop | user | system | load CPU |";

fn print_rows(connections: usize, names: &[&str], samples: Vec<Vec<Sample>>) {
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
            "| {connections} | {name} | {:.0} | {} | {p50:.0} | {p99:.0} | {p999:.0} \
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
