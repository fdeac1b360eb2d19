//! A place for tests: petla's own objects under the traits of other crates, used as those crates
//! and their users do.
//!
//! ```text
//! $ cargo test -p petla-traits
//! ```
//!
//! `sockets` is about sockets and pipes, `streams` about readers and writers with buffers,
//! `waiting` about who is woken, `hyper_rt` about timers and the executor.
//!
//! # Not here
//! Code.
#![forbid(unsafe_code)]
