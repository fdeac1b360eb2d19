//! One task, two requests at once.

fn main() {}
