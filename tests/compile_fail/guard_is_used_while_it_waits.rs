//! Whoever waits for a condition has given the guard up.

use petla::local::{Condition, Lock};

fn main() {
    let (lock, condition) = (Lock::new(1), Condition::new());
    let mut guard = lock.try_lock().unwrap();
    let wait = condition.wait(guard);
    *guard += 1;
    drop(wait);
}
