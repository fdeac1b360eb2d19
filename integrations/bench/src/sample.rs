//! One measurement, and what several of the same thing say together.

use std::time::Duration;

use petla_bench::sys::CpuTime;

/// One measurement of one contender.
#[derive(Clone, Copy, Debug)]
pub struct Sample {
    /// Requests, queries, commands.
    pub operations: f64,
    /// How long they took.
    pub elapsed: Duration,
    /// CPU time of the process that is measured.
    pub used: CpuTime,
    /// p50 and p99 of an operation, if the load knows them.
    pub latencies: [Option<Duration>; 2],
}

impl Sample {
    /// Operations a second.
    pub fn rate(&self) -> f64 {
        self.operations / self.elapsed.as_secs_f64()
    }

    fn each(&self, time: Duration) -> f64 {
        time.as_secs_f64() * 1e6 / self.operations
    }

    /// Microseconds from the start of an operation to the start of the next.
    pub fn elapsed_us(&self) -> f64 {
        self.each(self.elapsed)
    }

    /// Microseconds of CPU time an operation.
    pub fn cpu_us(&self) -> f64 {
        self.each(self.used.sum())
    }

    /// In the program.
    pub fn user_us(&self) -> f64 {
        self.each(self.used.user)
    }

    /// In the kernel.
    pub fn system_us(&self) -> f64 {
        self.each(self.used.system)
    }
}

/// The samples of one cell, a round each.
#[derive(Clone, Debug, Default)]
pub struct Samples(pub Vec<Sample>);

impl Samples {
    fn sorted(&self, of: impl Fn(&Sample) -> f64) -> Vec<f64> {
        let mut values: Vec<f64> = self.0.iter().map(of).collect();
        values.sort_by(f64::total_cmp);
        values
    }

    /// The median of one figure; not a number if there are no samples.
    pub fn median(&self, of: impl Fn(&Sample) -> f64) -> f64 {
        let values = self.sorted(of);
        values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
    }

    /// The median with the least and the most, as a cell of a table.
    pub fn spread(&self, of: impl Fn(&Sample) -> f64, digits: usize) -> String {
        let values = self.sorted(of);
        let [Some(least), Some(most)] = [values.first(), values.last()] else {
            return "-".to_owned();
        };
        let median = values[values.len() / 2];
        format!("{median:.digits$} ({least:.digits$}-{most:.digits$})")
    }

    /// p50 or p99 in whole microseconds, as a cell.
    pub fn latency(&self, which: usize) -> String {
        let known = |sample: &Sample| sample.latencies[which];
        if !self.0.iter().all(|sample| known(sample).is_some()) {
            return "-".to_owned();
        }
        let us = |sample: &Sample| known(sample).unwrap_or_default().as_secs_f64() * 1e6;
        format!("{:.0}", self.median(us))
    }
}
