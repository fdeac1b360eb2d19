//! The value of a remote task goes back to another thread.

use std::rc::Rc;

fn main() {
    petla::run(async {
        petla::LoopHandle::current().spawn(async || Rc::new(1));
    });
}
