//! A race that first in, first out hides: found by its seed, replayed, repaired.
//!
//! ```text
//! $ cargo run --release --example find_a_race
//! first in, first out: the last reader sees the new page
//! shuffled: with seed 9 it sees something else
//! seed 9 again: it sees the old page
//! repaired: it sees the new page with each of 1000 seeds
//! ```
//!
//! A cache stands before a slow store. A writer stores a page, then empties the cache. A reader
//! that fetched the old page before, and puts it into the cache after, leaves it there for ever.
//! The repaired reader keeps out what was fetched before the cache was emptied.
//!
//! # Not here
//! Why the panic of the seed that fails is printed: the panic hook is left alone.

use std::{cell::Cell, rc::Rc};

use petla::testing::{Explorer, VirtualClock};
use petla::{EventLoop, spawn, yield_now};

const SEEDS: u64 = 1000;

struct Cache {
    store: Cell<&'static str>,
    cached: Cell<Option<&'static str>>,
    emptied: Cell<u32>,
    repaired: bool,
}

impl Cache {
    async fn read(&self) -> &'static str {
        if let Some(page) = self.cached.get() {
            return page;
        }
        let emptied = self.emptied.get();
        yield_now().await; // the question travels
        let page = self.store.get();
        yield_now().await; // the answer travels
        if !self.repaired || emptied == self.emptied.get() {
            self.cached.set(Some(page));
        }
        page
    }

    async fn write(&self, page: &'static str) {
        yield_now().await;
        self.store.set(page);
        yield_now().await;
        self.cached.set(None);
        self.emptied.set(self.emptied.get() + 1);
    }
}

/// What is read when a write has ended that met a read.
async fn read_after_write(repaired: bool) -> &'static str {
    let cache = Rc::new(Cache {
        store: Cell::new("old"),
        cached: Cell::new(None),
        emptied: Cell::new(0),
        repaired,
    });
    let (reading, writing) = (cache.clone(), cache.clone());
    let reader = spawn(async move { reading.read().await });
    let writer = spawn(async move { writing.write("new").await });
    reader.await.unwrap();
    writer.await.unwrap();
    cache.read().await
}

fn main() -> std::io::Result<()> {
    let page = petla::run(read_after_write(false));
    println!("first in, first out: the last reader sees the {page} page");

    let explorer = Explorer::new().seeds(0..SEEDS);
    let seed = explorer
        .clone()
        .find(async || assert_eq!(read_after_write(false).await, "new"))
        .expect("one of the orders shows the race");
    println!("shuffled: with seed {seed} it sees something else");

    let builder = EventLoop::builder().clock(VirtualClock::auto()).seed(seed);
    let page = builder
        .build()?
        .run_until_complete(read_after_write(false))?;
    println!("seed {seed} again: it sees the {page} page");
    assert_eq!(page, "old");

    explorer.run(async || assert_eq!(read_after_write(true).await, "new"));
    println!("repaired: it sees the new page with each of {SEEDS} seeds");
    Ok(())
}
