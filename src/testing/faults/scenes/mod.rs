//! The programs of the matrix. Each takes about a millisecond.
//!
//! Most use one task: what it sends to itself over loopback is there when it looks, so that each
//! call is made in the step that it belongs to, and the second run makes the same calls.

mod connections;
mod copies;
mod datagrams;
mod descriptors;
mod loops;
mod many;
mod outside;
mod pipes;
mod servers;

use super::rules::Rule;
use super::step::Outcome;

pub(super) struct Scene {
    pub(super) name: &'static str,
    pub(super) play: fn() -> Outcome,
    /// What becomes of failures here and not everywhere.
    pub(super) rules: &'static [Rule],
}

pub(super) static SCENES: &[Scene] = &[
    loops::TASKS,
    loops::REAL_TIME,
    loops::THREAD,
    loops::INTERRUPT,
    connections::TCP,
    connections::UNIX,
    connections::PAIR,
    connections::TWO_ADDRESSES,
    many::CLIENTS,
    many::SLOW_PAIR,
    many::STREAMS,
    descriptors::ASYNC_FD,
    descriptors::CALLBACKS,
    datagrams::UDP,
    datagrams::UNIX,
    datagrams::DESCRIPTORS,
    pipes::PIPE,
    pipes::ADOPTED,
    copies::STREAM,
    copies::FILE,
    servers::TCP,
    servers::UNIX,
    outside::FED_CHILD,
    outside::STOPPED_CHILD,
    outside::CHILD_OF_A_SANDBOX,
    outside::SIGNALS,
    outside::POOL,
    outside::FILES,
    outside::WORKERS,
];
