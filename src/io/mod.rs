//! Bytes in and out of the process that are not sockets: pipes, terminals, standard streams.
//!
//! # Not here
//! Sockets (`net`), files (`fs`), buffers and lines (`streams`).
#![forbid(unsafe_code)]
