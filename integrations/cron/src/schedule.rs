//! [`Schedule`]: a cron line, checked before anything waits for it.

use anyhow::{Context, Result, bail};
use cronexpr::{Crontab, MakeTimestamp};
use jiff::{Timestamp, Zoned};

/// The fields of a cron line, as messages call them.
const FIELDS: [&str; 6] = [
    "minute",
    "hour",
    "day of month",
    "month",
    "day of week",
    "time zone",
];
/// Whatever the others say, these let a field speak for itself.
const ANY: [&str; 6] = ["*", "*", "*", "*", "*", "UTC"];

/// The times of a cron line with a time zone, `30 2 * * MON-FRI Europe/Warsaw`.
#[derive(Clone, Debug)]
pub struct Schedule(Crontab);

impl Schedule {
    /// Reads a line of five fields and a time zone.
    ///
    /// # Errors
    /// With the name of the field that cannot be read; or if it never fires: not in the four years
    /// after `now`, as `0 0 30 2 *`.
    pub fn parse(line: &str, now: Timestamp) -> Result<Schedule> {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let [_, _, _, _, _, _] = fields.as_slice() else {
            let count = fields.len();
            bail!("{line:?} has {count} fields, not five and a time zone: \"30 2 * * * UTC\"");
        };
        for (at, field) in fields.iter().enumerate() {
            let mut alone = ANY;
            alone[at] = field;
            if let Err(error) = cronexpr::parse_crontab(&alone.join(" ")) {
                bail!("the {} {field:?}: {}", FIELDS[at], reason(&error));
            }
        }
        let crontab = cronexpr::parse_crontab(line);
        let schedule = Schedule(crontab.map_err(|error| anyhow::anyhow!(reason(&error)))?);
        let first = schedule.after(now);
        first.with_context(|| format!("{line:?} never fires"))?;
        Ok(schedule)
    }

    /// The first time after `now`.
    ///
    /// # Errors
    /// If there is none within four years.
    pub fn after(&self, now: Timestamp) -> Result<Zoned> {
        let next = self.0.find_next(MakeTimestamp(now));
        next.map_err(|_| anyhow::anyhow!("there is no such time in the next four years"))
    }

    /// The times after `from`, up to `to` with `to` itself.
    pub fn between(&self, from: Timestamp, to: Timestamp) -> impl Iterator<Item = Zoned> {
        let mut last = from;
        std::iter::from_fn(move || {
            let next = self.after(last).ok()?;
            last = next.timestamp();
            (last <= to).then_some(next)
        })
    }
}

/// cronexpr shows the line and points into it; the field is named here, so the end is enough.
fn reason(error: &cronexpr::Error) -> String {
    let text = error.to_string();
    let end = text.rsplit_once("^ ").map_or(text.as_str(), |(_, end)| end);
    end.split(';').next().unwrap_or(end).to_owned()
}
