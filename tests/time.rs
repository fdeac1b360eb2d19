//! Sleeps, intervals and limits: never early, in order, and gone when they are dropped.
//!
//! What a real clock and other threads do is shown in milliseconds: that a sleep was not cut
//! short, and what came first. All the rest is exact, on virtual time.

mod common;

#[path = "time/interval.rs"]
mod interval;
#[path = "time/sleep.rs"]
mod sleep;
#[path = "time/timeout.rs"]
mod timeout;
