//! Several mirrors are asked; the first good answer wins, and nothing of the others is left.
//!
//! ```text
//! $ cargo run --release --example first_completed
//! wait           near is down; middle answers after 20ms, 0 still ask
//! as_completed   near is down; middle answers after 20ms, 0 still ask
//! select!        middle answers after 20ms, 0 still ask
//! one by one     near is down; middle answers after 30ms, 0 still ask
//! ```
//!
//! `wait` looks at tasks: the losers are cancelled here, for a reason, and awaited, so that they
//! are gone when the function returns. `as_completed` and `select!` hold futures: the losers are
//! dropped with them, there and then. Last comes the cautious way: another mirror is asked only
//! when the one before has failed, or was silent for 15 ms.
//!
//! A virtual clock makes the times exact, and the whole takes no time.

use petla::testing::VirtualClock;
use petla::{
    EventLoop, Task, When, as_completed, gather, now, select, sleep, spawn, timeout, wait,
};
use std::{cell::Cell, error::Error, io, rc::Rc, time::Duration};

type Answer = io::Result<&'static str>;

/// Who has a copy of the data, how long they take, and whether they work.
const MIRRORS: [(&str, u64, bool); 4] = [
    ("far", 90, true),
    ("near", 10, false),
    ("middle", 20, true),
    ("slow", 900, true),
];

/// Counts who is asking, until it is dropped.
struct Asking(Rc<Cell<usize>>);

impl Asking {
    fn new(count: &Rc<Cell<usize>>) -> Asking {
        count.set(count.get() + 1);
        Asking(count.clone())
    }
}

impl Drop for Asking {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}

/// Asks one mirror.
async fn ask(mirror: usize, asking: Asking) -> Answer {
    let _asking = asking;
    let (name, delay, works) = MIRRORS[mirror];
    sleep(Duration::from_millis(delay)).await;
    match works {
        true => Ok(name),
        false => Err(io::Error::other(format!("{name} is down"))),
    }
}

/// What to do with an answer: `None` to wait for another.
fn good(answer: Answer) -> Option<&'static str> {
    answer.inspect_err(|error| print!("{error}; ")).ok()
}

async fn by_wait(count: &Rc<Cell<usize>>) -> Option<&'static str> {
    let ask = |mirror| spawn(ask(mirror, Asking::new(count)));
    let mut pending: Vec<Task<Answer>> = (0..MIRRORS.len()).map(ask).collect();
    let mut winner = None;
    while winner.is_none() && !pending.is_empty() {
        for task in wait(&mut pending, When::FirstCompleted, None).await {
            winner = winner.or(good(task.flatten().await));
        }
    }
    for loser in &pending {
        loser.cancel("lost the race");
    }
    for end in gather(pending).await {
        assert!(end.is_err_and(|error| error.reason() == Some("lost the race")));
    }
    winner
}

async fn by_as_completed(count: &Rc<Cell<usize>>) -> Option<&'static str> {
    let ask = |mirror| ask(mirror, Asking::new(count));
    let mut answers = as_completed((0..MIRRORS.len()).map(ask));
    while let Some((_, answer)) = answers.next().await {
        if let Some(winner) = good(answer) {
            return Some(winner);
        }
    }
    None
}

/// For a few that are known by name. The first end counts, good or not.
async fn by_select(count: &Rc<Cell<usize>>) -> Option<&'static str> {
    select! {
        far = ask(0, Asking::new(count)) => good(far),
        middle = ask(2, Asking::new(count)) => good(middle),
        () = sleep(Duration::from_millis(500)) => None,
    }
}

/// From the second mirror on: a limit for each wait, and a set that grows.
async fn one_by_one(count: &Rc<Cell<usize>>) -> Option<&'static str> {
    let patience = Duration::from_millis(15);
    let mut rest = (1..MIRRORS.len()).map(|mirror| ask(mirror, Asking::new(count)));
    let mut answers = as_completed(rest.next());
    loop {
        match timeout(patience, answers.next()).await {
            Ok(None) => return None, // everybody was asked
            Ok(Some((_, answer))) => match good(answer) {
                None => {}
                winner => return winner,
            },
            Err(_) => {} // who is slow may still win
        }
        if let Some(next) = rest.next() {
            answers.push(next);
        }
    }
}

async fn measure(way: &str, race: impl AsyncFnOnce(&Rc<Cell<usize>>) -> Option<&'static str>) {
    let (begin, count) = (now(), Rc::default());
    print!("{way:14} ");
    let winner = race(&count).await.unwrap_or("nobody");
    let took = now() - begin;
    println!("{winner} answers after {took:?}, {} still ask", count.get());
    assert_eq!((winner, count.get()), ("middle", 0));
}

fn main() -> Result<(), Box<dyn Error>> {
    let builder = EventLoop::builder().clock(VirtualClock::auto());
    builder.build()?.run_until_complete(async {
        measure("wait", by_wait).await;
        measure("as_completed", by_as_completed).await;
        measure("select!", by_select).await;
        measure("one by one", one_by_one).await;
    })?;
    Ok(())
}
