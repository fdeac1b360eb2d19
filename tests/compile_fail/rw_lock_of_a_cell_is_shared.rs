//! Readers on several threads look at the value together, so it must be `Sync`.

use std::cell::Cell;

use petla::sync::RwLock;

fn main() {
    let lock = RwLock::new(Cell::new(1));
    std::thread::scope(|scope| {
        scope.spawn(|| lock.blocking_read().set(2));
    });
}
