#![doc = include_str!("../../../docs/guide/tokio_crates.md")]
//!
//! ---
//!
//! This package is the page above with the crates that its code needs: `cargo test -p petla-guide`
//! compiles every block of it, and runs those that need no server. In petla's own documentation
//! the same page is `petla::guide::tokio_crates`.
//!
//! # Not here
//! Whole programs on these crates: they are the other packages of `integrations/`.
#![forbid(unsafe_code)]
// The links are for petla's documentation, where the page is a module.
#![allow(rustdoc::broken_intra_doc_links)]
