//! reqwest and tokio::time unchanged inside petla's tasks.

fn main() {}
