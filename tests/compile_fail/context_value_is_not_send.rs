//! The values of context variables go along to threads.

use std::rc::Rc;

static NAME: petla::ContextVar<Rc<str>> = petla::ContextVar::new(|| Rc::from("none"));

fn main() {}
