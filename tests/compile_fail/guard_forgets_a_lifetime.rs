//! What can be written through a guard must live as long as the lock promises.

use petla::local::{Lock, LockGuard};

fn shorten<'short>(guard: LockGuard<'_, &'static str>, text: &'short str) {
    let mut guard: LockGuard<'_, &'short str> = guard;
    *guard = text;
}

fn main() {
    let lock = Lock::new("for ever");
    {
        let text = String::from("until here");
        shorten(lock.try_lock().unwrap(), &text);
    }
    println!("{}", lock.into_inner());
}
