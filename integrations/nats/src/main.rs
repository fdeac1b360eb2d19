//! The queue of jobs on NATS JetStream.

fn main() {}
