//! Who is measured, in which order, and the table of it.

use petla_bench::{measuring, table};

use crate::options::Options;
use crate::sample::{Sample, Samples};

/// What is measured of each: a group of the table's rows.
#[derive(Clone, Copy, Debug)]
pub struct Work<W> {
    /// The first column.
    pub title: &'static str,
    /// What [`measure`] is called with.
    pub what: W,
}

/// Prints where and with what everything is measured.
pub fn print_head(peers: &[&str], python: Option<&str>, options: &Options) {
    table::print_machine_and(None, peers);
    if let Some(versions) = python {
        println!("{versions}.");
    }
    let (rounds, load) = (options.rounds, table::load_average());
    println!("Medians of {rounds} rounds (least-most). Load average before: {load}.\n");
    if !measuring() {
        println!("Without --bench, it is a test, not a measurement.\n");
    }
}

/// Measures all contenders at all works, round by round; `None` is a cell that stays empty.
/// Prints a row for each cell: the work, the contender, and what `row` makes of its samples and of
/// those of the first contender.
pub fn compare<W: Copy>(
    works: &[Work<W>],
    contenders: &[&str],
    options: &Options,
    header: &str,
    mut measure: impl FnMut(&str, W) -> anyhow::Result<Option<Sample>>,
    row: impl Fn(&Samples, &Samples) -> String,
) -> anyhow::Result<()> {
    let mut cells = vec![vec![Samples::default(); contenders.len()]; works.len()];
    for round in 1..=options.rounds {
        for (work, cells) in works.iter().zip(&mut cells) {
            for (name, samples) in contenders.iter().zip(cells) {
                table::progress(format_args!("round {round}: {}, {name}", work.title));
                let sample = measure(name, work.what);
                let whose = |error: anyhow::Error| error.context(format!("{}, {name}", work.title));
                samples.0.extend(sample.map_err(whose)?);
            }
        }
    }
    table::progress(format_args!(""));
    println!(
        "{header}\n|{}",
        " --- |".repeat(header.matches('|').count() - 1)
    );
    for (work, cells) in works.iter().zip(&cells) {
        for (name, samples) in contenders.iter().zip(cells) {
            if !samples.0.is_empty() {
                println!("| {} | {name} | {} |", work.title, row(samples, &cells[0]));
            }
        }
    }
    println!("\nLoad average after: {}.\n", table::load_average());
    Ok(())
}
