//! A guard shows its value: two threads may not look at the same `Cell` through one.

use std::cell::Cell;

use petla::sync::Lock;

fn main() {
    let lock = Lock::new(Cell::new(1));
    let guard = lock.blocking_lock();
    std::thread::scope(|scope| {
        scope.spawn(|| guard.set(2));
    });
}
