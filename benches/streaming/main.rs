//! How many bytes a second go through one connection, and at what CPU cost?
//!
//! 1 GiB over loopback sockets, two ways:
//! - *forward*: from a source through the server to a sink: a proxy's or a downloader's work;
//! - *send*: from the server's memory to a sink, with back-pressure.
//!
//! The server is a process pinned to the first CPU, source and sink ([`load`]) another on the
//! second: both are this program, started again. The load does no more than it must, but as much as
//! the server, so GiB/s is bounded by either; the server's CPU time a GiB is not.
//!
//! Options, after a `--`: parts of servers' names, `--mebibytes N`, `--rounds N` (the one with the
//! median of GiB/s is shown).
//!
//! Not timed: connecting. Without `--bench` it moves a little and checks every byte, as a test.

mod load;
mod servers;

use std::io;
use std::process::exit;

use petla_bench::worker::{self, Worker, number};
use petla_bench::{measuring, sys, table};

/// In all, of one measurement.
const MEBIBYTES: u64 = 1024;
/// A little more than every buffer on the way.
const MEBIBYTES_SMOKE: u64 = 16;

/// Measurements of a row.
const ROUNDS: usize = 5;

/// The first argument of a server, and of the load.
const SERVER: &str = "--server";
const LOAD: &str = "--load";

/// Where the bytes come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    Forward,
    Send,
}

const WAYS: [(Way, &str); 2] = [(Way::Forward, "forward"), (Way::Send, "send")];

/// What is sent again and again: no two neighbours are alike, at a distance that no buffer has.
pub(crate) fn piece() -> Vec<u8> {
    let length = servers::BUFFER - 7;
    (0..length).map(|index| (index % 251) as u8).collect()
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let ended = match words[..] {
        [SERVER, name, port, total, cpu] => serve(name, number(port), number(total), number(cpu)),
        [LOAD, way, total, check, cpu] => {
            let way = WAYS.iter().find(|(_, name)| *name == way);
            let way = way.expect("one of the two").0;
            sys::pin_to(number(cpu)).and_then(|()| load::run(way, number(total), check == "check"))
        }
        _ => compare(&Options::parse(&arguments)),
    };
    if let Err(error) = ended {
        eprintln!("streaming {}: {error}", words.join(" "));
        exit(1);
    }
}

struct Options {
    names: Vec<String>,
    total: u64,
    rounds: usize,
}

impl Options {
    fn parse(arguments: &[String]) -> Options {
        let (mebibytes, rounds) = match measuring() {
            true => (MEBIBYTES, ROUNDS),
            false => (MEBIBYTES_SMOKE, 1),
        };
        let mut options = Options {
            names: Vec::new(),
            total: mebibytes << 20,
            rounds,
        };
        let mut given = arguments.iter();
        while let Some(argument) = given.next() {
            let mut value = || given.next().map_or("", String::as_str);
            match argument.as_str() {
                "--mebibytes" => options.total = number::<u64>(value()).clamp(1, 1 << 20) << 20,
                "--rounds" => options.rounds = number::<usize>(value()).max(1),
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

/// Moves the bytes, and lives on to tell its CPU time.
fn serve(name: &str, port: u16, total: u64, cpu: usize) -> io::Result<()> {
    sys::pin_to(cpu)?;
    let server = servers::SERVERS
        .iter()
        .find(|(_, server, _)| *server == name);
    let (.., server) = server.ok_or_else(|| io::Error::other("no such server"))?;
    worker::answer_with_cpu_time();
    server(servers::Ready(port), total)?;
    loop {
        std::thread::park();
    }
}

/// One measurement.
struct Sample {
    gib_per_second: f64,
    /// The server's, in seconds a GiB.
    user: f64,
    system: f64,
    /// The share of its CPU that the load used.
    load_busy: f64,
}

fn measure(way: &str, name: &str, total: u64, cpus: [usize; 2]) -> io::Result<Sample> {
    let [server_cpu, load_cpu] = cpus.map(|cpu| cpu.to_string());
    let bytes = total.to_string();
    let check = if measuring() { "count" } else { "check" };
    let mut load = Worker::start(&[LOAD, way, &bytes, check, &load_cpu])?;
    let port = load.answer()?[0].to_string();
    let mut server = Worker::start(&[SERVER, name, &port, &bytes, &server_cpu])?;
    server.answer()?; // connected
    let before = server.cpu_time()?;
    let result = load.ask()?;
    let used = server.cpu_time()?.since(before);
    let [elapsed, load_used] = result[..] else {
        return Err(io::Error::other("the load answers two numbers"));
    };
    let gib = total as f64 / f64::from(1 << 30);
    Ok(Sample {
        gib_per_second: gib / (elapsed as f64 / 1e9),
        user: used.user.as_secs_f64() / gib,
        system: used.system.as_secs_f64() / gib,
        load_busy: load_used as f64 / elapsed as f64,
    })
}

const HEADER: &str = "| way | server | GiB/s | of the bare loop | CPU s a GiB | of the bare loop \
    | user | system | load CPU |";

fn compare(options: &Options) -> io::Result<()> {
    if !servers::SERVERS
        .iter()
        .any(|(_, name, _)| options.wants(name))
    {
        return Ok(());
    }
    table::print_machine(None);
    let cpus = worker::two_cpus()?;
    let (mebibytes, rounds) = (options.total >> 20, options.rounds);
    println!("Median of {rounds} rounds of {mebibytes} MiB.\n");
    if !measuring() {
        println!("Without --bench, it is a test, not a measurement.\n");
    }
    println!(
        "{HEADER}\n|{}",
        " --- |".repeat(HEADER.matches('|').count() - 1)
    );
    for (way, way_name) in WAYS {
        let wanted = |(its, name, _): &&(Way, &'static str, _)| *its == way && options.wants(name);
        let names: Vec<&str> = servers::SERVERS
            .iter()
            .filter(wanted)
            .map(|server| server.1)
            .collect();
        let mut samples: Vec<Vec<Sample>> = names.iter().map(|_| Vec::new()).collect();
        for round in 1..=rounds {
            for (name, samples) in names.iter().zip(&mut samples) {
                table::progress(format_args!("{way_name}, round {round}: {name}"));
                let sample = measure(way_name, name, options.total, cpus);
                let whose = |error| io::Error::other(format!("{name}: {error}"));
                samples.push(sample.map_err(whose)?);
            }
        }
        table::progress(format_args!(""));
        print_rows(way_name, &names, samples.into_iter().map(median).collect());
    }
    Ok(())
}

fn print_rows(way: &str, names: &[&str], samples: Vec<Sample>) {
    let bare = names
        .iter()
        .position(|name| servers::BARE.contains(name))
        .map(|index| &samples[index]);
    for (name, sample) in names.iter().zip(&samples) {
        let share = |of: &dyn Fn(&Sample) -> f64| {
            bare.map_or("-".into(), |bare| format!("{:.2}", of(sample) / of(bare)))
        };
        let cpu = |sample: &Sample| sample.user + sample.system;
        println!(
            "| {way} | {name} | {:.2} | {} | {:.3} | {} | {:.3} | {:.3} | {:.0} % |",
            sample.gib_per_second,
            share(&|sample| sample.gib_per_second),
            cpu(sample),
            share(&cpu),
            sample.user,
            sample.system,
            sample.load_busy * 100.0,
        );
    }
}

fn median(mut samples: Vec<Sample>) -> Sample {
    samples.sort_by(|a, b| a.gib_per_second.total_cmp(&b.gib_per_second));
    samples.swap_remove(samples.len() / 2)
}
