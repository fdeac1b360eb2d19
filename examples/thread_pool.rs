//! Threads beside a loop: files read by many, a pool of one's own, and the way back into the loop.
//!
//! Run it: `cargo run --example thread_pool`. It prints how many lines the sources of this crate
//! have, and then what each thread of a pool has to say.

use std::fs;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use petla::threads::ThreadPool;
use petla::{LoopHandle, gather, sleep, timeout, to_thread};

fn sources() -> io::Result<Vec<PathBuf>> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/examples");
    fs::read_dir(folder)?
        .map(|entry| Ok(entry?.path()))
        .collect()
}

fn main() -> io::Result<()> {
    petla::run(async {
        // Each on one of at most 40 threads that all share.
        let paths = to_thread(sources).await??;
        let texts = paths
            .into_iter()
            .map(|path| to_thread(move || fs::read_to_string(path)));
        let mut lines = 0;
        for text in gather(texts).await {
            lines += text??.lines().count();
        }
        println!("the examples have {lines} lines");

        // Two threads apart, which ask the loop for something that lives there.
        let pool = ThreadPool::new(2).name("asker");
        let answers = gather((1..=3).map(|number| {
            pool.run(move || {
                let caller = LoopHandle::caller().expect("a task awaits this");
                caller.block_on(async move || {
                    sleep(Duration::from_millis(10 * number)).await;
                    format!("the loop slept for {number}0 ms")
                })
            })
        }));
        for answer in answers.await {
            println!("{}", answer??);
        }

        // Nothing waits for a thread for ever.
        match timeout(Duration::from_secs(1), pool.shutdown()).await {
            Ok(()) => println!("the pool is shut down"),
            Err(_) => println!("{} still work", pool.working()),
        }
        Ok(())
    })
}
