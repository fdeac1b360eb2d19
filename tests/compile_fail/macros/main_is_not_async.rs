//! `main` without `async`.

#[petla::main]
fn main() {}
