//! The smallest program: a task beside the main future, and a sleep.
//!
//! ```text
//! $ cargo run --example hello
//! hello
//! ... and other work goes on
//! world
//! ```

use petla::{JoinError, sleep, spawn};
use std::time::Duration;

async fn say_later(word: &str) -> usize {
    sleep(Duration::from_millis(50)).await;
    println!("{word}");
    word.len()
}

fn main() -> Result<(), JoinError> {
    petla::run(async {
        println!("hello");
        // A spawned task starts in the loop's next batch and needs nobody to wait for it.
        let world = spawn(say_later("world"));
        println!("... and other work goes on");
        // A handle is a future: it gives what the task returned, or why it ended without a value.
        let letters = world.await?;
        assert_eq!(letters, 5);
        Ok(())
    })
}
