//! Whoever notifies holds the lock: its guard says so.

use petla::local::{Condition, Lock};

fn main() {
    let (lock, condition) = (Lock::new(1), Condition::new());
    condition.notify(&lock, 1);
}
