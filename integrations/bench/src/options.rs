//! The command line that the three programs share.

use std::process::exit;
use std::str::FromStr;

use petla_bench::measuring;

/// Rounds unless told: enough for a median without the two worst.
const ROUNDS: usize = 5;

/// What to measure, how often.
#[derive(Clone, Debug)]
pub struct Options {
    /// Parts of contenders' names; all of them, if there is none.
    pub names: Vec<String>,
    /// How often each is measured.
    pub rounds: usize,
    /// How many hundredths of the usual work one measurement has.
    pub percent: usize,
}

impl Options {
    /// From the arguments; says the usage and ends the process if they are bad.
    pub fn parse(arguments: &[String]) -> Options {
        let rounds = if measuring() { ROUNDS } else { 1 };
        let mut options = Options {
            names: Vec::new(),
            rounds,
            percent: 100,
        };
        let mut given = arguments.iter();
        while let Some(argument) = given.next() {
            match argument.as_str() {
                "--rounds" => options.rounds = above_zero(argument, given.next()),
                "--percent" => options.percent = above_zero(argument, given.next()),
                "--bench" | "--test" => {} // cargo's own
                flag if flag.starts_with('-') => usage(&format!("{flag} is not known")),
                name => options.names.push(name.to_owned()),
            }
        }
        options
    }

    /// Is this contender to be measured?
    pub fn wants(&self, contender: &str) -> bool {
        let named = |name: &String| contender.contains(name.as_str());
        self.names.is_empty() || self.names.iter().any(named)
    }
}

fn above_zero<T: FromStr + PartialOrd + From<u8>>(flag: &str, value: Option<&String>) -> T {
    let number = value.and_then(|text| text.parse().ok());
    match number {
        Some(number) if number > T::from(0) => number,
        _ => usage(&format!("{flag} wants a number above zero")),
    }
}

fn usage(problem: &str) -> ! {
    eprintln!("{problem}\nusage: [PART OF A NAME].. [--rounds N] [--percent N]");
    exit(2)
}
