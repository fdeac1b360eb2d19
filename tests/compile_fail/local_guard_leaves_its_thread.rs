//! The guard of a `local` lock stays on the thread of its lock.

use petla::local::Lock;

fn main() {
    let lock = Lock::new(1);
    let guard = lock.try_lock();
    std::thread::scope(|scope| {
        scope.spawn(move || drop(guard));
    });
}
