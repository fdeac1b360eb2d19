//! Tasks that do not end with a `Result` have no exceptions but panics.

use petla::{Task, When, wait};

fn main() {
    let mut tasks: Vec<Task<u8>> = Vec::new();
    let _ = wait(&mut tasks, When::FirstException, None);
}
