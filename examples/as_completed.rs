//! A crawler: what is found leads to more, a few pages at a time, each page once.
//!
//! ```text
//! $ cargo run --release --example as_completed -- --count 60 --limit 4
//!     70ms: 10 pages read, 3 under way, 8 wait
//! ...
//!    280ms: 60 pages read, 0 under way, 0 wait
//! 60 pages, 119 links, at most 4 at once
//! 280ms; one after another 1.02s
//! ```
//!
//! `as_completed` is a set that may grow while it is worked on: each result pushes the pages that
//! it links to, and `limit` keeps those that are too many for now from being started. There are
//! no tasks, no queue and no workers; dropping the set ends all.
//!
//! A virtual clock makes the times exact, and the whole takes no time.

use petla::testing::VirtualClock;
use petla::{EventLoop, as_completed, now, sleep};
use std::cell::Cell;
use std::collections::BTreeSet;
use std::{env, error::Error, time::Duration};

/// A small web: every page links to two below it, and to one above.
struct Web {
    pages: usize,
    busy: Cell<usize>,
    busiest: Cell<usize>,
}

impl Web {
    fn new(pages: usize) -> Web {
        Web {
            pages,
            busy: Cell::new(0),
            busiest: Cell::new(0),
        }
    }

    /// How long a page takes to read.
    fn delay(page: usize) -> Duration {
        Duration::from_millis(10 + (page * 7 % 15) as u64)
    }

    /// Reads a page; gives the pages that it links to.
    async fn read(&self, page: usize) -> Vec<usize> {
        self.busy.set(self.busy.get() + 1);
        self.busiest.set(self.busiest.get().max(self.busy.get()));
        sleep(Web::delay(page)).await;
        self.busy.set(self.busy.get() - 1);
        let links = [2 * page + 1, 2 * page + 2, page / 3];
        links
            .into_iter()
            .filter(|&link| link < self.pages)
            .collect()
    }
}

/// Reads all that can be reached from page 0; gives the pages and how many links they have.
async fn crawl(web: &Web, limit: usize) -> (BTreeSet<usize>, usize) {
    let begin = now();
    let mut seen = BTreeSet::from([0]);
    let (mut count, mut links) = (0, 0);
    let mut reads = as_completed([web.read(0)]).limit(limit);
    while let Some((_, found)) = reads.next().await {
        count += 1;
        links += found.len();
        for page in found {
            if seen.insert(page) {
                reads.push(web.read(page));
            }
        }
        if count % 10 == 0 {
            let (took, busy) = (now() - begin, web.busy.get());
            let waiting = reads.len() - busy;
            println!("{took:>8?}: {count} pages read, {busy} under way, {waiting} wait");
        }
    }
    assert_eq!(count, seen.len(), "each page was read once");
    (seen, links)
}

fn main() -> Result<(), Box<dyn Error>> {
    let (mut pages, mut limit) = (60, 4);
    let arguments: Vec<String> = env::args().skip(1).collect();
    for pair in arguments.chunks(2) {
        match pair {
            [option, n] if option == "--count" => pages = n.parse()?,
            [option, n] if option == "--limit" => limit = n.parse()?,
            _ => return Err("usage: as_completed [--count N] [--limit N]".into()),
        }
    }
    let event_loop = EventLoop::builder().clock(VirtualClock::auto()).build()?;
    event_loop.run_until_complete(async {
        let (web, begin) = (Web::new(pages.max(1)), now());
        let (seen, links) = crawl(&web, limit).await;
        let took = now() - begin;
        let in_turn: Duration = seen.iter().map(|&page| Web::delay(page)).sum();
        let most = web.busiest.get();
        println!(
            "{} pages, {links} links, at most {most} at once",
            seen.len()
        );
        println!("{took:?}; one after another {in_turn:?}");
        assert!(seen.len() == web.pages && most <= limit && took <= in_turn);
    })?;
    Ok(())
}
