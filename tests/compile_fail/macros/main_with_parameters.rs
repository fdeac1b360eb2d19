//! `main` has no parameters.

#[petla::main]
async fn main(arguments: Vec<String>) {}
