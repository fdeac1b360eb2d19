//! Five philosophers, five forks, a `Lock` each: how a deadlock is avoided, and what it looks like.
//!
//! ```text
//! $ cargo run --release --example dining_philosophers
//! every philosopher ate 100 times, at most 2 at a time
//! $ cargo run --release --example dining_philosophers -- --left-first
//! after 200 ms nobody can go on: 5 forks are taken, 5 philosophers wait for another
//! ```
//!
//! Who takes the fork of the smaller number first cannot wait in a circle. With `--left-first`
//! everybody takes the left fork and waits for the right one; the program sees by the locks'
//! statistics what happened, and drops the tasks, which gives all forks back.

use petla::{JoinError, Task, local::Lock, sleep, spawn, timeout, yield_now};
use std::{cell::Cell, env, rc::Rc, time::Duration};

const SEATS: usize = 5;
const MEALS: usize = 100;
const PATIENCE: Duration = Duration::from_millis(200);

#[derive(Default)]
struct Table {
    forks: [Lock<()>; SEATS],
    eating: Cell<usize>,
    most: Cell<usize>,
}

impl Table {
    async fn eat(&self) {
        self.eating.set(self.eating.get() + 1);
        self.most.set(self.most.get().max(self.eating.get()));
        yield_now().await;
        self.eating.set(self.eating.get() - 1);
    }
}

async fn dine(table: Rc<Table>, seat: usize, left_first: bool) -> usize {
    let (left, right) = (seat, (seat + 1) % SEATS);
    let (first, second) = match left_first {
        true => (left, right),
        false => (left.min(right), left.max(right)),
    };
    for _ in 0..MEALS {
        let _first = table.forks[first].lock().await;
        yield_now().await; // so that everybody can take one
        let _second = table.forks[second].lock().await;
        table.eat().await;
    }
    MEALS
}

async fn run(left_first: bool) -> Result<(), JoinError> {
    let table = Rc::new(Table::default());
    let seats = 0..SEATS;
    let guests: Vec<Task<usize>> = seats
        .map(|seat| spawn(dine(table.clone(), seat, left_first)).cancel_on_drop())
        .collect();
    let all = async {
        for guest in &guests {
            while !guest.is_finished() {
                sleep(Duration::from_millis(1)).await;
            }
        }
    };
    if timeout(PATIENCE, all).await.is_err() {
        let taken = table.forks.iter().filter(|fork| fork.is_locked()).count();
        let waiting: usize = table.forks.iter().map(|f| f.statistics().waiting).sum();
        println!(
            "after {} ms nobody can go on: {taken} forks are taken, \
             {waiting} philosophers wait for another",
            PATIENCE.as_millis()
        );
        drop(guests); // cancels them; their guards give the forks back
        yield_now().await;
        assert!(table.forks.iter().all(|fork| !fork.is_locked()));
        return Ok(());
    }
    for guest in guests {
        assert_eq!(guest.await?, MEALS);
    }
    let most = table.most.get();
    println!("every philosopher ate {MEALS} times, at most {most} at a time");
    Ok(())
}

fn main() -> Result<(), JoinError> {
    let left_first = env::args().any(|argument| argument == "--left-first");
    petla::run(run(left_first))
}
