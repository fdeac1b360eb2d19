//! The queue of jobs on RabbitMQ.

fn main() {}
