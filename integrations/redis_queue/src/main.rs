//! A queue of jobs on Redis Streams, with workers, retries and results.

fn main() {}
