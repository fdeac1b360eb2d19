//! Signals that this process gets, as streams and futures.
//!
//! # Not here
//! Sending signals (`process`); the handler itself (`sys::signal`).
#![forbid(unsafe_code)]
