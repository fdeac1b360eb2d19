//! `petla::testing`: clocks that are turned, orders by seed, futures by hand, streams in memory.
//!
//! That time does not pass is shown by deadlines of hours; none of these tests waits for one.

mod common;

#[path = "testing/by_hand.rs"]
mod by_hand;
#[path = "testing/clock.rs"]
mod clock;
#[path = "testing/deadlock.rs"]
mod deadlock;
#[path = "testing/explorer.rs"]
mod explorer;
#[path = "testing/idle.rs"]
mod idle;
#[path = "testing/loops.rs"]
mod loops;
#[path = "testing/seeds.rs"]
mod seeds;
#[path = "testing/sequencer.rs"]
mod sequencer;
#[path = "testing/streams.rs"]
mod streams;
