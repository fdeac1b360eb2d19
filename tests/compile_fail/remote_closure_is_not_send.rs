//! What another thread sends to a loop has to be sendable; the future it makes need not be.

use std::rc::Rc;

fn main() {
    petla::run(async {
        let handle = petla::LoopHandle::current();
        handle.spawn(async || Rc::new(1).as_ref() + 1); // fine
        let local = Rc::new(1);
        handle.spawn(async move || *local + 1);
        let local = Rc::new(1);
        let _ = handle.call_soon_threadsafe(move || drop(local));
    });
}
