//! Tasks of one thread share a `local` lock; threads need a `sync` one.

use petla::local::Lock;

fn main() {
    let lock = Lock::new(1);
    std::thread::scope(|scope| {
        scope.spawn(|| lock.is_locked());
    });
}
