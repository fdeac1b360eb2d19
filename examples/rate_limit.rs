//! At most three requests at a time, and at most ten a tenth of a second: two semaphores.
//!
//! ```text
//! $ cargo run --release --example rate_limit
//! 30 requests in 0.2 s: at most 3 at a time, at most 10 in any window of 100 ms
//! ```
//!
//! The first limit is a permit that comes back when the request is done. The second is a permit
//! that is used up (`forget`), and that a task adds again when the window is over.

use petla::{JoinError, interval, local::Semaphore, sleep, spawn};
use std::{cell::Cell, cell::RefCell, rc::Rc, time::Duration, time::Instant};

const REQUESTS: usize = 30;
const AT_ONCE: usize = 3;
const A_WINDOW: usize = 10;
const WINDOW: Duration = Duration::from_millis(100);

struct Limits {
    at_once: Semaphore,
    starts: Semaphore,
    running: Cell<usize>,
    most: Cell<usize>,
    started: RefCell<Vec<Instant>>,
}

async fn request(limits: Rc<Limits>) {
    limits.starts.acquire().await.forget();
    let _permit = limits.at_once.acquire().await;
    limits.started.borrow_mut().push(Instant::now());
    limits.running.set(limits.running.get() + 1);
    limits.most.set(limits.most.get().max(limits.running.get()));
    sleep(Duration::from_millis(5)).await; // the request
    limits.running.set(limits.running.get() - 1);
}

/// Gives back, when a window is over, the starts that were used in it.
async fn refill(limits: Rc<Limits>) {
    let mut windows = interval(WINDOW);
    windows.tick().await; // the first is now
    loop {
        windows.tick().await;
        limits
            .starts
            .add_permits(A_WINDOW - limits.starts.available());
    }
}

async fn run() -> Result<(), JoinError> {
    let limits = Rc::new(Limits {
        at_once: Semaphore::new(AT_ONCE),
        starts: Semaphore::new(A_WINDOW),
        running: Cell::new(0),
        most: Cell::new(0),
        started: RefCell::default(),
    });
    let begin = Instant::now();
    let refill = spawn(refill(limits.clone())).cancel_on_drop();
    let requests: Vec<_> = (0..REQUESTS)
        .map(|_| spawn(request(limits.clone())))
        .collect();
    for request in requests {
        request.await?;
    }
    drop(refill);
    let windows = limits.started.borrow();
    let windows = windows.chunks(A_WINDOW).map(|starts| starts[0]);
    let begins: Vec<Instant> = windows.collect();
    let apart = begins.windows(2).map(|pair| pair[1] - pair[0]);
    assert!(apart.min().is_some_and(|apart| apart > WINDOW / 2));
    println!(
        "{REQUESTS} requests in {:.1} s: at most {} at a time, at most {A_WINDOW} in any window \
         of {} ms",
        begin.elapsed().as_secs_f64(),
        limits.most.get(),
        WINDOW.as_millis()
    );
    assert_eq!(limits.most.get(), AT_ONCE);
    Ok(())
}

fn main() -> Result<(), JoinError> {
    petla::run(run())
}
