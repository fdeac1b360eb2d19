//! How to write programs with petla: pages to read, beside the reference.
//!
//! | page | for whom |
//! | --- | --- |
//! | [`first_steps`] | a server with a timeout, a group and an orderly end, from an empty folder |
//! | [`from_asyncio`] | every public name of asyncio: what to write here, and what differs |
//! | [`cancellation`] | what may be dropped when, limits of time, shields, clean-ups |
//! | [`blocking_code`] | calls that block, long computations, many cores, processes |
//! | [`tokio_crates`] | crates that are made for tokio, and those that need no runtime |
//! | [`testing`] | hours in no time, every order of tasks, connections without sockets |
//! | [`choosing`] | petla, tokio, smol, monoio or asyncio, and when not to take petla |
//!
//! Every block of Rust on these pages is compiled, and run where that makes sense, by `cargo test`;
//! those of [`tokio_crates`] by `cargo test -p petla-guide`, as they need other crates.
//!
//! # Not here
//! Code: this module exists in the documentation alone, and costs a build nothing. The pages lie in
//! `docs/guide`.

#[doc = include_str!("../docs/guide/first_steps.md")]
pub mod first_steps {}

#[doc = include_str!("../docs/guide/from_asyncio.md")]
pub mod from_asyncio {}

#[doc = include_str!("../docs/guide/cancellation.md")]
pub mod cancellation {}

#[doc = include_str!("../docs/guide/blocking_code.md")]
pub mod blocking_code {}

#[cfg_attr(not(doctest), doc = include_str!("../docs/guide/tokio_crates.md"))]
pub mod tokio_crates {}

#[doc = include_str!("../docs/guide/testing.md")]
pub mod testing {}

#[doc = include_str!("../docs/guide/choosing.md")]
pub mod choosing {}
