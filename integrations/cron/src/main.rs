//! Jobs at the times that cron lines name.

fn main() {}
