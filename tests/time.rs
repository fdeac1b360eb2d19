//! Sleeps, intervals and limits: never early, in order, and gone when they are dropped.
//!
//! Waits are a few milliseconds. How late a sleep may be depends on the machine, so nothing here
//! depends on it: that a sleep was not cut short is checked, and what came first.

mod common;

#[path = "time/interval.rs"]
mod interval;
#[path = "time/sleep.rs"]
mod sleep;
#[path = "time/timeout.rs"]
mod timeout;
