//! The runner that interleaves the runtimes and prints markdown.
//!
//! A virtual machine's speed drifts by tens of per cent within a minute. Measured one after the
//! other, the runtimes would be compared across that drift; here each round runs all of them, so
//! that what moves is common to a row. The best of the rounds is the cost without disturbance;
//! the median says how much disturbance there was.
//!
//! Of each kind of peer two tables come out: the costs (best, and the median in brackets), and the
//! ratios, which are what carries over from one machine to another.
//!
//! # Invariants
//! - **Interleaved**: round by round, A B C D, A B C D; never A A, B B.
//! - **Warm**: each contender runs once, with its smallest size, before the first round.
//!
//! # Not here
//! Statistics beyond best and median: `cargo bench --bench NAME` has criterion's.

use std::fmt::{Arguments, Write as _};
use std::fs;
use std::io::{IsTerminal as _, Write as _};
use std::process::Command;

use crate::combinators::{ON_PETLA, ON_TOKIO};
use crate::libraries::{AsyncLock, Intrusive, IntrusiveLocal, Library, LocalSync, Tokio};
use crate::runtimes::{Monoio, Runtime, Smol, TokioCurrentThread, TokioLocal};
use crate::{Figure, PETLA, PETLA_SYNC, TWO_CAS, TWO_STORES, Unit, measuring, sys};

/// Rounds unless `--rounds` says otherwise: a disturbance that lasts a second or two spoils one.
const ROUNDS: usize = 7;

/// A table: petla beside peers of one kind. A figure with none of them is not in it.
struct View {
    title: &'static str,
    peers: &'static [&'static str],
}

const VIEWS: [View; 4] = [
    View {
        title: "Each on its own runtime",
        peers: &[
            TokioLocal::NAME,
            TokioCurrentThread::NAME,
            Smol::NAME,
            Monoio::NAME,
        ],
    },
    View {
        title: "Every primitive on petla's executor",
        peers: &[
            Tokio::NAME,
            AsyncLock::NAME,
            LocalSync::NAME,
            IntrusiveLocal::NAME,
            Intrusive::NAME,
        ],
    },
    View {
        title: "Every combinator on petla's executor",
        peers: &ON_PETLA,
    },
    View {
        title: "What else tokio's users take, on its LocalRuntime",
        peers: &ON_TOKIO,
    },
];

/// What bounds which column from below.
const LIMITS: [(&str, &str); 2] = [(PETLA, TWO_STORES), (PETLA_SYNC, TWO_CAS)];

/// The crates whose versions belong to a result.
const PEERS: [&str; 13] = [
    "tokio",
    "async-executor",
    "async-io",
    "async-channel",
    "async-lock",
    "event-listener",
    "futures-lite",
    "monoio",
    "local-sync",
    "futures-intrusive",
    "futures-util",
    "futures-concurrency",
    "tokio-util",
];

/// Runs the figures that the arguments name (all, if none is named) and prints the tables.
///
/// Arguments: `--rounds N`, and parts of figures' names. Without `--bench`: one round of the
/// smallest sizes, which only tests.
pub fn main(figures: Vec<Figure>) {
    let options = Options::parse(std::env::args().skip(1));
    let core = if measuring() {
        sys::pin_to_one_core()
    } else {
        None
    };
    let load_before = load_average();
    let rows: Vec<Row> = figures
        .iter()
        .filter(|figure| options.wants(figure.name))
        .map(|figure| measure(figure, options.rounds))
        .collect();
    if rows.is_empty() {
        return;
    }
    progress(format_args!(""));
    print_machine(core);
    let (rounds, load_after) = (options.rounds, load_average());
    println!("Rounds: {rounds}. Load average: {load_before} before, {load_after} after.\n");
    if !measuring() {
        println!("Without --bench, the sizes are the smallest: a test, not a measurement.\n");
    }
    for view in &VIEWS {
        view.print(&rows);
    }
    print_limits(&rows);
}

/// Prints what was measured on: processor, kernel, compiler, the peers' versions.
pub fn print_machine(core: Option<usize>) {
    print_machine_and(core, &PEERS);
}

/// The same with other peers: crates that the lock file has.
pub fn print_machine_and(core: Option<usize>, peers: &[&str]) {
    let pinned = core.map_or("not pinned".into(), |core| format!("pinned to CPU {core}"));
    println!(
        "Machine: {}, {}, {}; {pinned}.",
        processor(),
        kernel(),
        compiler()
    );
    println!("Peers: {}.", versions(peers));
}

struct Options {
    rounds: usize,
    names: Vec<String>,
}

impl Options {
    fn parse(mut given: impl Iterator<Item = String>) -> Options {
        let rounds = if measuring() { ROUNDS } else { 1 };
        let mut options = Options {
            rounds,
            names: Vec::new(),
        };
        while let Some(argument) = given.next() {
            match argument.as_str() {
                "--rounds" => {
                    let count = given.next().and_then(|count| count.parse().ok());
                    options.rounds = count.filter(|&count| count > 0).unwrap_or_else(|| {
                        eprintln!("--rounds wants a number above zero");
                        std::process::exit(2)
                    });
                }
                flag if flag.starts_with('-') => {} // cargo's own, and criterion's
                name => options.names.push(name.to_owned()),
            }
        }
        options
    }

    fn wants(&self, figure: &str) -> bool {
        self.names.is_empty() || self.names.iter().any(|name| figure.contains(name.as_str()))
    }
}

/// A figure with what each column cost, an operation, round by round, sorted.
struct Row {
    name: &'static str,
    unit: Unit,
    cells: Vec<(&'static str, Vec<f64>)>,
}

impl Row {
    fn rounds(&self, column: &str) -> Option<&[f64]> {
        let cell = self.cells.iter().find(|(name, _)| *name == column);
        cell.map(|(_, rounds)| rounds.as_slice())
    }

    fn best(&self, column: &str) -> Option<f64> {
        self.rounds(column).map(|rounds| rounds[0])
    }

    /// Best and median of a column.
    fn cell(&self, column: &str) -> String {
        self.rounds(column).map_or("-".into(), |rounds| {
            format!("{} ({})", short(rounds[0]), short(rounds[rounds.len() / 2]))
        })
    }

    /// The unit, as printed.
    fn unit(&self) -> &'static str {
        match self.unit {
            Unit::Nanoseconds => "ns",
            Unit::Microseconds => "µs",
            Unit::MillisecondsInAll => "ms",
            Unit::Bytes => "bytes",
        }
    }
}

fn measure(figure: &Figure, rounds: usize) -> Row {
    let size = if measuring() {
        figure.sizes.table
    } else {
        figure.sizes.smoke
    };
    let operations = figure.operations(size) as f64;
    let scale = match figure.unit {
        Unit::Nanoseconds | Unit::Bytes => 1.0,
        Unit::Microseconds => 1e3,
        Unit::MillisecondsInAll => 1e6,
    };
    let mut cells: Vec<(&str, Vec<f64>)> = figure
        .contenders
        .iter()
        .map(|contender| (contender.name, Vec::new()))
        .collect();
    for contender in &figure.contenders {
        (contender.run)(figure.sizes.smoke);
    }
    for round in 1..=rounds {
        progress(format_args!("{}, round {round} of {rounds}", figure.name));
        for (contender, (_, costs)) in figure.contenders.iter().zip(&mut cells) {
            costs.push((contender.run)(size).0 / operations / scale);
        }
    }
    for (_, costs) in &mut cells {
        costs.sort_by(f64::total_cmp);
    }
    Row {
        name: figure.name,
        unit: figure.unit,
        cells,
    }
}

/// Shows what is under way in one line of the terminal, if there is one; empty text clears it.
pub fn progress(text: Arguments<'_>) {
    let mut terminal = std::io::stderr();
    if terminal.is_terminal() {
        let _ = write!(terminal, "\r\x1b[K{text}"); // a lost line of progress is no error
    }
}

impl View {
    fn print(&self, rows: &[Row]) {
        let rows: Vec<&Row> = rows
            .iter()
            .filter(|row| self.best_peer(row).is_some())
            .collect();
        if rows.is_empty() {
            return;
        }
        println!("### {}\n", self.title);
        println!("Best (and median) of the rounds:\n\n{}", self.costs(&rows));
        println!("How many times petla's best:\n\n{}", self.ratios(&rows));
    }

    fn columns(&self) -> impl Iterator<Item = &'static str> {
        [PETLA, PETLA_SYNC]
            .into_iter()
            .chain(self.peers.iter().copied())
    }

    fn best_peer(&self, row: &Row) -> Option<f64> {
        let bests = self.peers.iter().filter_map(|peer| row.best(peer));
        bests.min_by(f64::total_cmp)
    }

    fn header(&self, last: &str) -> String {
        let columns: Vec<&str> = self.columns().collect();
        let rule = "| --- ".repeat(columns.len() + 3);
        format!(
            "| figure | unit | {} | {last} |\n{rule}|\n",
            columns.join(" | ")
        )
    }

    fn costs(&self, rows: &[&Row]) -> String {
        let mut table = self.header("petla / best peer");
        for row in rows {
            let _ = write!(table, "| {} | {} ", row.name, row.unit());
            for column in self.columns() {
                let _ = write!(table, "| {} ", row.cell(column));
            }
            let share = |column| Some(row.best(column)? / self.best_peer(row)?);
            let sync = share(PETLA_SYNC).map(|share| format!("sync {share:.2}"));
            let local = share(PETLA).map(|share| format!("{share:.2}"));
            let shares: Vec<String> = local.into_iter().chain(sync).collect();
            let _ = writeln!(table, "| {} |", shares.join(", "));
        }
        table
    }

    fn ratios(&self, rows: &[&Row]) -> String {
        let mut table = self.header("best peer");
        for row in rows {
            let petla = row.best(PETLA).or(row.best(PETLA_SYNC)).unwrap_or(f64::NAN);
            let times =
                |best: Option<f64>| best.map_or("-".into(), |best| format!("{:.2}", best / petla));
            let _ = write!(table, "| {} | × ", row.name);
            for column in self.columns() {
                let _ = write!(table, "| {} ", times(row.best(column)));
            }
            let _ = writeln!(table, "| {} |", times(self.best_peer(row)));
        }
        table
    }
}

/// The figures that have a limit: petla beside what nothing of its kind can be below.
fn print_limits(rows: &[Row]) {
    let mut lines = String::new();
    for row in rows {
        for (column, limit) in LIMITS {
            let (Some(best), Some(least)) = (row.best(column), row.best(limit)) else {
                continue;
            };
            let (cell, limit_cell) = (row.cell(column), row.cell(limit));
            let (name, unit, times) = (row.name, row.unit(), best / least);
            let _ = writeln!(
                lines,
                "| {name} | {unit} | {column} | {cell} | {limit} | {limit_cell} | {times:.2} |"
            );
        }
    }
    if !lines.is_empty() {
        println!("### Beside bare instructions\n");
        println!("| figure | unit | what | cost | limit | its cost | times the limit |");
        println!("{}|\n{lines}", "| --- ".repeat(7));
    }
}

/// Three digits or more, none of them noise.
fn short(value: f64) -> String {
    match value {
        0.0..10.0 => format!("{value:.2}"),
        10.0..100.0 => format!("{value:.1}"),
        _ => format!("{value:.0}"),
    }
}

fn read(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

fn processor() -> String {
    let info = read("/proc/cpuinfo");
    let count = info
        .lines()
        .filter(|line| line.starts_with("processor"))
        .count();
    let model = info.lines().find(|line| line.starts_with("model name"));
    let model = model
        .and_then(|line| line.split(':').nth(1))
        .unwrap_or("unknown processor");
    format!("{} x {count}", model.trim())
}

fn kernel() -> String {
    format!("Linux {}", read("/proc/sys/kernel/osrelease").trim())
}

fn compiler() -> String {
    let output = Command::new("rustc").arg("--version").output();
    let version = output
        .ok()
        .and_then(|output| String::from_utf8(output.stdout).ok());
    version.map_or("unknown rustc".into(), |version| version.trim().to_owned())
}

/// Of 1, 5 and 15 minutes.
pub fn load_average() -> String {
    read("/proc/loadavg")
        .split(' ')
        .take(3)
        .collect::<Vec<_>>()
        .join(" ")
}

/// As the lock file has them.
fn versions(peers: &[&str]) -> String {
    let lock = read(concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.lock"));
    let version_of = |name: &str| {
        let entry = format!("name = \"{name}\"\nversion = \"");
        let (_, rest) = lock.split_once(&entry)?;
        Some(format!("{name} {}", rest.split('"').next()?))
    };
    peers
        .iter()
        .filter_map(|name| version_of(name))
        .collect::<Vec<_>>()
        .join(", ")
}
