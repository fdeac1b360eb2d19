//! Queues by their public API, in both modes, polled by hand: nearly nothing needs a loop.
//!
//! Comments that begin with a number name the asyncio behaviour (Q) or historical bug (B) that a
//! test is about.
//!
//! # Not here
//! Random programs against a model: `queue_properties.rs`. Orders of threads: the loom models.

mod common;

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use common::hand::{at_once, hand, in_both_modes, leak, waiting};

#[path = "queue/ends.rs"]
mod ends;
#[path = "queue/in_a_loop.rs"]
mod in_a_loop;
#[path = "queue/items.rs"]
mod items;
#[path = "queue/loops.rs"]
mod loops;
#[path = "queue/threads.rs"]
mod threads;
#[path = "queue/trouble.rs"]
mod trouble;
#[path = "queue/waits.rs"]
mod waits;
