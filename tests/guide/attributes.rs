//! The tests that the page on testing shows, to the letter: rustdoc leaves `#[test]` functions
//! out of what it compiles, so they run here.
//!
//! # Not here
//! The comparison with the page: `tests/guide.rs`.

use petla::testing::VirtualClock;
use std::time::Duration;

#[petla::test] // as petla::run: sockets and threads work, time passes
async fn a_socket_pair_is_connected() -> std::io::Result<()> {
    let (a, b) = petla::net::UnixStream::pair()?;
    a.write_all(b"x").await?;
    b.read_exact(&mut [0]).await
}

#[petla::test(clock = "virtual")] // as testing::run: time jumps
async fn a_day_passes() {
    petla::sleep(Duration::from_secs(86_400)).await;
}

#[petla::test(clock = "manual")] // time that you turn
async fn nothing_moves(clock: VirtualClock) {
    assert_eq!(clock.elapsed(), Duration::ZERO);
}

#[petla::test(seeds = 0..100)] // as the Explorer: a hundred orders of tasks
async fn the_order_does_not_matter() {}

#[petla::test(seed = 17)] // one of them
async fn the_order_that_once_failed() {}
