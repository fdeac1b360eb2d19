//! Other functions than `main` are run by hand.

#[petla::main]
async fn start() {}

#[petla::main(sigterm = true)]
async fn main() {}
