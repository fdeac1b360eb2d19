//! Bytes in and out of the process that are not sockets: pipes, terminals, standard streams.
//!
//! # The map
//! `pipe` the two ends of a pipe, also over descriptors from elsewhere · `ops` the futures of
//! reading and writing, `descriptor` the traits of lending one: sockets use both too · `terminal`
//! descriptors that others share · `stdin`, `stdout` the standard streams, over `standard`, which
//! finds the way to each.
//!
//! # Not here
//! Sockets (`net`), files (`fs`), buffers and lines (`streams`).
#![forbid(unsafe_code)]

pub(crate) mod descriptor;
pub(crate) mod ops;
mod pipe;
mod standard;
mod stdin;
mod stdout;
pub(crate) mod terminal;

pub use ops::{Read, ReadExact, ReadToEnd, ReadVectored, Write, WriteAll, WriteVectored};
pub use pipe::{PipeReader, PipeWriter, pipe};
pub use stdin::{Stdin, StdinLines, stdin};
pub use stdout::{Stderr, Stdout, stderr, stdout};
