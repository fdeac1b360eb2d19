//! What the queues of jobs on RabbitMQ and NATS have in common: the job, the command line, the
//! demonstration, the results, the end. What is particular to a broker is in `petla-rabbitmq` and
//! `petla-nats`: copy one of them together with this.
//!
//! The files: `job` what is done, `options` the command line, `program` from there to the exit
//! code, `outcomes` a producer's results, `demo` worker processes; `scenarios`, with the feature of
//! that name, the tests of a queue.
#![forbid(unsafe_code)]

mod demo;
mod job;
mod options;
mod outcomes;
mod program;
#[cfg(feature = "scenarios")]
pub mod scenarios;

pub use demo::demo;
pub use job::{Job, Outcome, work};
pub use options::{Mode, Number, Options, name_of_run};
pub use outcomes::{Outcomes, report};
pub use program::{Program, asked_to_stop, on_loop};
