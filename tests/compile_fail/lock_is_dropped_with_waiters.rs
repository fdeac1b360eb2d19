//! Who waits borrows the primitive: it cannot be dropped, or moved, under them.

use petla::local::{Condition, Lock, Semaphore};

fn main() {
    let lock = Lock::new(1);
    let wait = lock.lock();
    drop(lock);
    drop(wait);

    let semaphore = Semaphore::new(1);
    let permit = semaphore.try_acquire();
    let moved = Box::new(semaphore);
    drop((permit, moved));

    let (lock, condition) = (Lock::new(1), Condition::new());
    let wait = condition.wait(lock.try_lock().unwrap());
    drop(condition);
    drop(wait);
}
